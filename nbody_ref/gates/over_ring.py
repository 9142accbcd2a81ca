r"""Programs over any ring: the definition of what a gate or a network computes, step by step, slow and obvious.

The same program that the kernels run in floating point is run here on Python numbers, each step written with the
functions of `nbody_ref.exact.definition`. Over Gaussian rationals in the monomial gauge the program of a network is
covariant with residual exactly zero; over 40-digit numbers in the gauge of the network it is the value that floating
point is held to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nbody_ref.exact.gauges import Gauge
from nbody_ref.gates.chain import Chain, statics_of
from nbody_ref.ops._op import Gauges, Rows

__all__ = ["run"]


def run(
    chain: Chain, leaves: Mapping[str, Sequence[Sequence[Any]]], batch: Mapping[str, Any], gauge: Gauge | Gauges
) -> dict[str, Rows]:
    """Run a program on Python numbers.

    Parameters
    ----------
    chain : Chain
    leaves : mapping of name to rows
        Positions, states and weights: nested sequences of ring elements in the layout of the arrays.
    batch : mapping
        As for `Chain.forward`.
    gauge : Gauge, or callable normalization -> Gauge
        Couplings and harmonics; harmonics have the normalization of the gauge, not that of the program, unless a
        callable makes one for each.

    Returns
    -------
    dict of name to rows
        Every variable. A length is represented by its square, so that even powers stay rational.

    Raises
    ------
    GeometryError
        If an odd power of an irrational length is asked for over an exact ring.
    NBodyRefError
        If the program uses radial functions other than inverse powers, which are defined over no ring.
    """
    values: dict[str, Rows] = {name: [list(row) for row in rows] for name, rows in leaves.items()}
    choose: Gauges = gauge if not isinstance(gauge, Gauge) else lambda normalization: gauge
    for step in chain.steps:
        inputs = [values[name] for name in step.inputs]
        values[step.output] = step.op.exact(choose, *inputs, *statics_of(step, batch))
    return values
