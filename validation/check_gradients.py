"""The four functions of every multilinear operation, exactly: docs/derivations.

The compiled operations run through their public doors on integer-valued float64. Couplings are replaced by integers at
the places of the nonzero coefficients, so that every sum stays far below 2^53 and a residual is zero or it is not. The
judge is the formula of each derivation page, written as loops over hyper-dual integers (`_formulas.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from _claims import Cases, claim, main
from _derivatives import (
    JUDGE,
    Four,
    changed,
    derivatives,
    differs,
    draw,
    drop_last,
    flip_first,
    floats,
    pulled,
    use_integer_couplings,
)
from _formulas import (
    CHANNELWISE,
    EDGE_KIND,
    EDGES,
    FULL,
    KIND,
    MATRIX,
    MESSAGE,
    MIXING,
    N_RADIAL,
    PSI,
    SQUARE,
    WEIGHTS,
    A,
    B,
    Hyper,
    affine_formula,
    concat_formula,
    copies_formula,
    message_formula,
    mixing_formula,
    neighbour_formula,
    product_formula,
    relative_formula,
    weights_formula,
)

from nbody_ref.ops import cg_product, distance, linear, message, mixing, neighbour_sum, radial_weights

use_integer_couplings()
Array = np.ndarray[Any, Any]


Operation = tuple[Any, str, Callable[..., Hyper], tuple[tuple[int, ...], ...], tuple[Any, ...]]
OPERATIONS: dict[str, Operation] = {
    "message": (message, "message", message_formula, ((4, PSI.dim), (6, 9), (6, MESSAGE.n_weights)), (EDGES, MESSAGE)),
    "cg_product, full": (cg_product, "cg_product", product_formula(FULL), ((2, A.dim), (2, B.dim)), (FULL,)),
    "cg_product, channelwise": (
        cg_product,
        "cg_product",
        product_formula(CHANNELWISE),
        ((2, SQUARE.dim), (2, SQUARE.dim)),
        (CHANNELWISE,),
    ),
    "mixing": (mixing, "mixing", mixing_formula, ((4, MIXING.irreps_in.dim), (2, MIXING.n_weights)), (KIND, MIXING)),
    "neighbour_sum": (neighbour_sum, "neighbour_sum", neighbour_formula, ((4, 3),), (EDGES,)),
    "relative": (distance, "relative", relative_formula, ((4, 3), (3, 3)), (EDGES,)),
    "radial_weights": (
        radial_weights,
        "radial_weights",
        weights_formula,
        ((6, 3, N_RADIAL), (2, WEIGHTS.n_parameters)),
        (EDGE_KIND, WEIGHTS),
    ),
    "radial_copies": (radial_weights, "radial_copies", copies_formula, ((6, 3, N_RADIAL),), (WEIGHTS,)),
    "affine": (linear, "affine", affine_formula, ((4, 3),), (MATRIX,)),
    "concat": (linear, "concat", concat_formula, ((3, 3), (3, 4)), ()),
}


NO_COMPLEX = ("relative", "affine")  # positions are real
Case = tuple[str, str]  # operation and kind of numbers


def functions(case: Case) -> Four:
    """f, jvp, vjp, vjp_jvp of the package."""
    module, stem = OPERATIONS[case[0]][:2]
    return tuple(getattr(module, stem + suffix) for suffix in ("", "_jvp", "_vjp", "_vjp_jvp"))


TRUTH: dict[Case, Any] = {}


def truth(case: Case) -> Any:
    """Arrays, tangents, cotangents and all derivatives of one operation, from the judge; computed once."""
    if case not in TRUTH:
        name, numbers = case
        rng = np.random.default_rng([11, list(OPERATIONS).index(name)])
        _, _, formula, shapes, _ = OPERATIONS[name]
        arrays, dots = ([draw(rng, shape, numbers) for shape in shapes] for _ in range(2))
        found = derivatives(formula, arrays, dots)
        shape = found[0].shape
        TRUTH[case] = arrays, dots, draw(rng, shape, numbers), draw(rng, shape, numbers), found
    return TRUTH[case]


def cases(full: bool) -> list[Case]:
    """Operations of the selection, on integers and on Gaussian integers."""
    quick = ["cg_product, channelwise", "mixing", "neighbour_sum", "radial_copies", "affine", "concat"]
    names = list(OPERATIONS) if full else quick
    both = [(name, numbers) for name in names for numbers in (("real", "complex") if full else ("real",))]
    return [case for case in both if case[1] == "real" or case[0] not in NO_COMPLEX]


PAGE = "docs/derivations"


def slips(place: int) -> dict[str, dict[str, Any]]:
    """Planted in one of the four functions."""
    kinds = {"a sign": flip_first, "a row dropped": drop_last}
    return {name: {"functions": changed(functions, place, change)} for name, change in kinds.items()}


@claim(
    "7.1",
    PAGE,
    "every multilinear operation, real and complex, equals the formula of its page",
    JUDGE,
    {"functions": functions},
    slips(0),
)
def values(subject: SimpleNamespace, full: bool) -> Cases:
    for case in cases(full):
        arrays, _, _, _, (value, *_) = truth(case)
        yield case, differs(subject.functions(case)[0](*floats(arrays), *OPERATIONS[case[0]][4]), value)


@claim(
    "7.2",
    PAGE,
    "jvp is the derivative along the tangents, absent tangents being zero",
    JUDGE,
    {"functions": functions},
    slips(1),
)
def tangents(subject: SimpleNamespace, full: bool) -> Cases:
    for case in cases(full):
        arrays, dots, _, _, (_, tangent, slopes, _) = truth(case)
        jvp, statics = subject.functions(case)[1], OPERATIONS[case[0]][4]
        yield (case, "all"), differs(jvp(*floats(arrays), *floats(dots), *statics), tangent)
        for k, dot in enumerate(dots):
            one = [v if i == k else None for i, v in enumerate(floats(dots))]
            alone = np.tensordot(dot, slopes[k], dot.ndim)
            yield (case, k), differs(jvp(*floats(arrays), *one, *statics), alone)


@claim(
    "7.3",
    PAGE,
    "vjp is the transpose of the derivative, entry by entry, without conjugation",
    JUDGE,
    {"functions": functions},
    slips(2),
)
def cotangents(subject: SimpleNamespace, full: bool) -> Cases:
    for case in cases(full):
        arrays, _, bar, _, (_, _, slopes, _) = truth(case)
        vjp, statics = subject.functions(case)[2], OPERATIONS[case[0]][4]
        expected = pulled(slopes, bar)
        found = vjp(*floats([bar]), *floats(arrays), *statics)
        yield (case, "number of cotangents"), len(found) - len(arrays)
        for k, (ours, theirs) in enumerate(zip(found, expected)):
            yield (case, k), differs(ours, theirs)
        for k in range(len(arrays)):
            needs = tuple(i == k for i in range(len(arrays)))
            only = vjp(*floats([bar]), *floats(arrays), *statics, needs=needs)
            yield (
                (case, k, "needs"),
                differs(only[k], expected[k]) + sum(x is not None for i, x in enumerate(only) if i != k),
            )


@claim(
    "7.4",
    PAGE,
    "vjp_jvp is the derivative of vjp along tangents and the cotangent's tangent",
    JUDGE,
    {"functions": functions},
    {
        **slips(3),
        "tangents of the arrays ignored": {
            "functions": lambda case: (
                *functions(case)[:3],
                lambda *args, **kw: functions(case)[3](*without_tangents(case[0], args), **kw),
            )
        },
    },
)
def tangents_of_cotangents(subject: SimpleNamespace, full: bool) -> Cases:
    for case in cases(full):
        arrays, dots, bar, bar_dot, (_, _, slopes, bends) = truth(case)
        both, statics = subject.functions(case)[3], OPERATIONS[case[0]][4]
        moved, turned = pulled(bends, bar), pulled(slopes, bar_dot)
        found = both(*floats([bar]), *floats(arrays), *floats([bar_dot]), *floats(dots), *statics)
        for k, ours in enumerate(found):
            yield (case, k), differs(ours, moved[k] + turned[k])
        found = both(*floats([bar]), *floats(arrays), None, *floats(dots), *statics)
        for k, ours in enumerate(found):
            yield (case, k, "constant cotangent"), differs(ours, moved[k])
        found = both(*floats([bar]), *floats(arrays), *floats([bar_dot]), *[None] * len(dots), *statics)
        for k, ours in enumerate(found):
            yield (case, k, "constant arrays"), differs(ours, turned[k])


def without_tangents(name: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Arguments with the tangents of the arrays taken out."""
    count = len(OPERATIONS[name][3])
    return (*args[: count + 2], *[None] * count, *args[2 * count + 2 :])


if __name__ == "__main__":
    sys.exit(main())
