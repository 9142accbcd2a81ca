r"""Loop of `nbody_ref.ops.cg_product`: a sparse trilinear form applied to rows, towards any of its three legs.

The form sum_t C_t out[t] a[t] b[t] is given as blocks of four terms with the same output row and channel counts. The
same loop gives the product and both adjoints: only the roles of the legs, that is the table, change.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nbody_ref.kernels._jit import kernel

__all__ = ["ProductArrays", "cg_terms"]

ONE, TWO, THREE, FOUR = (np.uintp(i) for i in range(1, 5))


class ProductArrays(NamedTuple):
    """Blocks of four terms as the kernel reads them; the form towards one leg.

    Attributes
    ----------
    role : uintp
        0: channel by channel; 1: out[u, v] += a[u] b[v]; 2: out[v] += a[u] b[u, v]; 3: out[u] += a[v] b[u, v].
    blocks : (n * 3,) uintp
        Rows (offset in out, mul_u, mul_v); role 0 uses mul_u only.
    a_at, b_at, value : (4 * n,)
        Offsets of the components and values of the terms.
    sizes : (3,) uintp
        Lengths of a row of out, a and b.
    """

    role: Any
    blocks: Any
    a_at: Any
    b_at: Any
    value: Any
    sizes: Any


@kernel(contract=True)
def cg_terms(out: Any, a: Any, b: Any, first: Any, last: Any, t: Any) -> None:
    """Add the form to rows first..last-1 of out; out, a, b flat."""
    for n in range(first, last):
        o_row, a_row, b_row = n * t.sizes[0], n * t.sizes[1], n * t.sizes[2]
        for p in range(np.uintp(len(t.blocks)) // THREE):
            q, r = p * THREE, p * FOUR
            o, mu, mv = o_row + t.blocks[q], t.blocks[q + ONE], t.blocks[q + TWO]
            v0, v1, v2, v3 = t.value[r], t.value[r + ONE], t.value[r + TWO], t.value[r + THREE]
            a0, a1, a2, a3 = (
                a_row + t.a_at[r], a_row + t.a_at[r + ONE], a_row + t.a_at[r + TWO], a_row + t.a_at[r + THREE],
            )  # fmt: skip
            b0, b1, b2, b3 = (
                b_row + t.b_at[r], b_row + t.b_at[r + ONE], b_row + t.b_at[r + TWO], b_row + t.b_at[r + THREE],
            )  # fmt: skip
            if t.role == 0:
                for c in range(mu):
                    left = (v0 * a[a0 + c]) * b[b0 + c] + (v1 * a[a1 + c]) * b[b1 + c]
                    out[o + c] += left + ((v2 * a[a2 + c]) * b[b2 + c] + (v3 * a[a3 + c]) * b[b3 + c])
            elif t.role == 3:
                for u in range(mu):
                    w = u * mv
                    for c in range(mv):
                        left = (v0 * a[a0 + c]) * b[b0 + w + c] + (v1 * a[a1 + c]) * b[b1 + w + c]
                        right = (v2 * a[a2 + c]) * b[b2 + w + c] + (v3 * a[a3 + c]) * b[b3 + w + c]
                        out[o + u] += left + right
            else:
                for u in range(mu):
                    x0, x1, x2, x3 = v0 * a[a0 + u], v1 * a[a1 + u], v2 * a[a2 + u], v3 * a[a3 + u]
                    i, j = (u * mv, n - n) if t.role == 1 else (n - n, u * mv)
                    for c in range(mv):
                        left = x0 * b[b0 + j + c] + x1 * b[b1 + j + c]
                        out[o + i + c] += left + (x2 * b[b2 + j + c] + x3 * b[b3 + j + c])
