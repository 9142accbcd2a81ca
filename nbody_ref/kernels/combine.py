"""Loop of `nbody_ref.fusion.fuse`: parts of rows as constant combinations of parts of other rows.

The transposed map is the same loop with the two columns of places exchanged.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbody_ref.kernels._jit import kernel

__all__ = ["add_parts"]

ONE, TWO, THREE = (np.uintp(i) for i in range(1, 4))


@kernel(contract=True)
def add_parts(out: Any, x: Any, places: Any, weights: Any, sizes: Any) -> None:
    """out[r, to + i] += weight * x[r, start + i] for i < length, for every row r and every entry.

    Parameters
    ----------
    out, x : flat arrays of rows
    places : (3 * n,) uintp
        Rows (to, start, length).
    weights : (n,)
    sizes : (3,) uintp
        Number of rows, length of a row of out, of x.
    """
    for r in range(sizes[0]):
        on, xn = r * sizes[ONE], r * sizes[TWO]
        for t in range(np.uintp(len(weights))):
            q, weight = t * THREE, weights[t]
            o, s = on + places[q], xn + places[q + ONE]
            for i in range(places[q + TWO]):
                out[o + i] += weight * x[s + i]
