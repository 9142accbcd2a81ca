"""The four functions of every multilinear operation, exactly: docs/derivations.

The compiled operations run through their public doors on integer-valued float64. Couplings are replaced by integers at
the places of the nonzero coefficients, so that every sum stays far below 2^53 and a residual is zero or it is not. The
judge is the formula of each derivation page, written as loops over hyper-dual integers (`_formulas.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import _formulas
import numpy as np
from _claims import Cases, claim, main
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
    mixing_of,
    neighbour_formula,
    neighbours_of,
    product_formula,
    relative_formula,
    stack,
    weights_formula,
)

from nbody_ref import Irreps
from nbody_ref.gates import Bare, Entry, Gate, Product
from nbody_ref.gates.build import program
from nbody_ref.graphs import Edges
from nbody_ref.ops import cg_product, distance, linear, message, message_table, mixing, neighbour_sum, radial_weights
from nbody_ref.tables import CGTable, cg_coo

Array = np.ndarray[Any, Any]


def integer_coupling(l1: int, l2: int, l: int, basis: str = "real", dtype: Any = np.float64) -> CGTable:
    """Integers in place of the coefficients, distinct enough that no two places can be confused."""
    table = cg_coo(l1, l2, l, basis, dtype)
    values = [(3 * int(a) + 5 * int(b) + 7 * int(c) + l1) % 11 - 5 or 6 for a, b, c, _ in zip(*table)]
    return CGTable(table.m1, table.m2, table.m, np.array(values, dtype))


cg_product.cg_coo = integer_coupling
message_table.cg_coo = integer_coupling


def dense(l1: int, l2: int, l: int) -> Array:
    """The same as an array (m1, m2, m)."""
    m1, m2, m, value = integer_coupling(l1, l2, l)
    C = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l + 1), np.int64)
    C[m1, m2, m] = value.astype(np.int64)
    return C


_formulas.coupling = dense


Operation = tuple[Any, str, Callable[..., Hyper], tuple[tuple[int, ...], ...], tuple[Any, ...]]
OPERATIONS: dict[str, Operation] = {
    "message": (message, "message", message_formula, ((4, PSI.dim), (6, 9), (6, MESSAGE.n_weights)), (EDGES, MESSAGE)),
    "cg_product, full": (cg_product, "cg_product", product_formula(FULL), ((2, A.dim), (2, B.dim)), (FULL,)),
    "cg_product, channelwise": (
        cg_product, "cg_product", product_formula(CHANNELWISE), ((2, SQUARE.dim), (2, SQUARE.dim)), (CHANNELWISE,)),
    "mixing": (mixing, "mixing", mixing_formula, ((4, MIXING.irreps_in.dim), (2, MIXING.n_weights)), (KIND, MIXING)),
    "neighbour_sum": (neighbour_sum, "neighbour_sum", neighbour_formula, ((4, 3),), (EDGES,)),
    "relative": (distance, "relative", relative_formula, ((4, 3), (3, 3)), (EDGES,)),
    "radial_weights": (radial_weights, "radial_weights", weights_formula,
                       ((6, 3, N_RADIAL), (2, WEIGHTS.n_parameters)), (EDGE_KIND, WEIGHTS)),
    "radial_copies": (radial_weights, "radial_copies", copies_formula, ((6, 3, N_RADIAL),), (WEIGHTS,)),
    "affine": (linear, "affine", affine_formula, ((4, 3),), (MATRIX,)),
    "concat": (linear, "concat", concat_formula, ((3, 3), (3, 4)), ()),
}  # fmt: skip


def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Signed integers, none zero."""
    return rng.integers(1, 5, shape) * rng.choice([-1, 1], shape)


def functions(name: str) -> tuple[Callable[..., Any], ...]:
    """f, jvp, vjp, vjp_jvp of the package."""
    module, stem = OPERATIONS[name][:2]
    return tuple(getattr(module, stem + suffix) for suffix in ("", "_jvp", "_vjp", "_vjp_jvp"))


def differs(found: Any, expected: Array) -> int:
    """Number of wrong entries; None stands for zero."""
    return np.count_nonzero(expected) if found is None else int(np.count_nonzero(found != expected))


def derivatives(f: Callable[..., Hyper], arrays: list[Array], dots: list[Array]) -> tuple[Any, Any, Any, Any]:
    """Value, tangent, and for each array the value's and the tangent's derivative by each of its entries."""
    plain = f(*(Hyper({0: a, 2: v}) for a, v in zip(arrays, dots))).parts
    slopes, bends = [], []
    for k, array in enumerate(arrays):
        first, second = [], []
        for index in np.ndindex(array.shape):
            seed = np.zeros_like(array)
            seed[index] = 1
            inputs = [
                Hyper({0: a, 2: v, **({1: seed} if i == k else {})}) for i, (a, v) in enumerate(zip(arrays, dots))
            ]
            found = f(*inputs).parts
            first.append(found.get(1, 0 * plain[0]))
            second.append(found.get(3, 0 * plain[0]))
        slopes.append(np.array(first).reshape(*array.shape, *plain[0].shape))
        bends.append(np.array(second).reshape(*array.shape, *plain[0].shape))
    return plain[0], plain.get(2, 0 * plain[0]), slopes, bends


TRUTH: dict[str, Any] = {}


def truth(name: str) -> Any:
    """Arrays, tangents, cotangents and all derivatives of one operation, from the judge; computed once."""
    if name not in TRUTH:
        rng = np.random.default_rng([11, list(OPERATIONS).index(name)])
        _, _, formula, shapes, _ = OPERATIONS[name]
        arrays, dots = ([draw(rng, shape) for shape in shapes] for _ in range(2))
        found = derivatives(formula, arrays, dots)
        TRUTH[name] = arrays, dots, draw(rng, found[0].shape), draw(rng, found[0].shape), found
    return TRUTH[name]


def pulled(slopes: list[Array], bar: Array) -> list[Array]:
    """Sum over the result of bar times the derivative."""
    return [np.tensordot(slope, bar, bar.ndim) for slope in slopes]


def names(full: bool) -> list[str]:
    """Operations of the selection."""
    return (
        list(OPERATIONS)
        if full
        else ["cg_product, channelwise", "mixing", "neighbour_sum", "radial_copies", "affine", "concat"]
    )


def floats(arrays: Sequence[Array]) -> list[Array]:
    """The same integers as float64."""
    return [np.asarray(a, np.float64) for a in arrays]


def changed(place: int, change: Callable[[Any], Any]) -> Callable[[str], tuple[Callable[..., Any], ...]]:
    """Planted: one of the four functions returns something else."""

    def planted(name: str) -> tuple[Callable[..., Any], ...]:
        four = list(functions(name))
        original = four[place]

        def wrong(*args: Any, **kwargs: Any) -> Any:
            found = original(*args, **kwargs)
            return tuple(map(change, found)) if isinstance(found, tuple) else change(found)

        four[place] = wrong
        return tuple(four)

    return planted


def flip_first(x: Any) -> Any:
    """The first number with the other sign."""
    if x is None:
        return None
    x = np.array(x)
    x.flat[0] *= -1
    return x


def drop_last(x: Any) -> Any:
    """The last row zero, as from a dropped path or edge."""
    if x is None:
        return None
    x = np.array(x)
    x[-1] = 0
    return x


PAGE = "docs/derivations"
JUDGE = "formula of the page in hyper-dual integers"


@claim(
    "7.1",
    PAGE,
    "every multilinear operation equals the formula of its page",
    JUDGE,
    {"functions": functions},
    {"a sign": {"functions": changed(0, flip_first)}, "a row dropped": {"functions": changed(0, drop_last)}},
)
def values(subject: SimpleNamespace, full: bool) -> Cases:
    for name in names(full):
        arrays, _, _, _, (value, *_) = truth(name)
        yield name, differs(subject.functions(name)[0](*floats(arrays), *OPERATIONS[name][4]), value)


@claim(
    "7.2",
    PAGE,
    "jvp is the derivative along the tangents, absent tangents being zero",
    JUDGE,
    {"functions": functions},
    {"a sign": {"functions": changed(1, flip_first)}, "a row dropped": {"functions": changed(1, drop_last)}},
)
def tangents(subject: SimpleNamespace, full: bool) -> Cases:
    for name in names(full):
        arrays, dots, _, _, (_, tangent, slopes, _) = truth(name)
        jvp, statics = subject.functions(name)[1], OPERATIONS[name][4]
        yield (name, "all"), differs(jvp(*floats(arrays), *floats(dots), *statics), tangent)
        for k, dot in enumerate(dots):
            one = [np.asarray(v, np.float64) if i == k else None for i, v in enumerate(dots)]
            alone = np.tensordot(dot, slopes[k], dot.ndim)
            yield (name, k), differs(jvp(*floats(arrays), *one, *statics), alone)


@claim(
    "7.3",
    PAGE,
    "vjp is the transpose of the derivative, entry by entry, without conjugation",
    JUDGE,
    {"functions": functions},
    {"a sign": {"functions": changed(2, flip_first)}, "a row dropped": {"functions": changed(2, drop_last)}},
)
def cotangents(subject: SimpleNamespace, full: bool) -> Cases:
    for name in names(full):
        arrays, _, bar, _, (_, _, slopes, _) = truth(name)
        vjp, statics = subject.functions(name)[2], OPERATIONS[name][4]
        expected = pulled(slopes, bar)
        found = vjp(*floats([bar]), *floats(arrays), *statics)
        yield (name, "number of cotangents"), len(found) - len(arrays)
        for k, (ours, theirs) in enumerate(zip(found, expected)):
            yield (name, k), differs(ours, theirs)
        for k in range(len(arrays)):
            needs = tuple(i == k for i in range(len(arrays)))
            only = vjp(*floats([bar]), *floats(arrays), *statics, needs=needs)
            yield (
                (name, k, "needs"),
                differs(only[k], expected[k]) + sum(x is not None for i, x in enumerate(only) if i != k),
            )


@claim(
    "7.4",
    PAGE,
    "vjp_jvp is the derivative of vjp along tangents and the cotangent's tangent",
    JUDGE,
    {"functions": functions},
    {
        "a sign": {"functions": changed(3, flip_first)},
        "a row dropped": {"functions": changed(3, drop_last)},
        "tangents of the arrays ignored": {
            "functions": lambda name: (
                *functions(name)[:3],
                lambda *args, **kw: functions(name)[3](*without_tangents(name, args), **kw),
            )
        },
    },
)
def tangents_of_cotangents(subject: SimpleNamespace, full: bool) -> Cases:
    for name in names(full):
        arrays, dots, bar, bar_dot, (_, _, slopes, bends) = truth(name)
        both, statics = subject.functions(name)[3], OPERATIONS[name][4]
        moved, turned = pulled(bends, bar), pulled(slopes, bar_dot)
        found = both(*floats([bar]), *floats(arrays), *floats([bar_dot]), *floats(dots), *statics)
        for k, ours in enumerate(found):
            yield (name, k), differs(ours, moved[k] + turned[k])
        found = both(*floats([bar]), *floats(arrays), None, *floats(dots), *statics)
        for k, ours in enumerate(found):
            yield (name, k, "constant cotangent"), differs(ours, moved[k])
        found = both(*floats([bar]), *floats(arrays), *floats([bar_dot]), *[None] * len(dots), *statics)
        for k, ours in enumerate(found):
            yield (name, k, "constant arrays"), differs(ours, turned[k])


def without_tangents(name: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Arguments with the tangents of the arrays taken out."""
    count = len(OPERATIONS[name][3])
    return (*args[: count + 2], *[None] * count, *args[2 * count + 2 :])


STATES = Irreps("2x0e + 1x1o")
GATE = Gate((Bare(), Product((Bare(mul=2), Bare(mul=2)), ("0e", "1o", "1e", "2e"))), "2x0e + 1x1o + 1x2e")
CHILDREN = Edges.build([0, 0, 1], [0, 1, 2], 2, 3)


def gate_program() -> tuple[Any, str, dict[str, Array], dict[str, Any]]:
    """A gate without directions, polynomial in states and weights: its chain, output, integer leaves and batch."""
    builder, output = program(GATE, STATES)
    rng = np.random.default_rng(50)
    leaves = {"psi": draw(rng, (3, STATES.dim)), **{name: draw(rng, p.shape) for name, p in builder.parameters.items()}}
    zero = np.zeros(2, np.uintp)
    batch = {"all": CHILDREN, "directed": CHILDREN, "centre": CHILDREN, "kind": zero, "shared": zero}
    return builder.chain(), output, leaves, batch


def gate_formula(names: Sequence[str]) -> Callable[..., Hyper]:
    """The program's steps by their formulas, as a function of the leaves."""
    chain, output, _, batch = gate_program()

    def formula(*leaves: Hyper) -> Hyper:
        values = dict(zip(names, leaves))
        for step in chain.steps:
            x, statics = (
                [values[k] for k in step.inputs],
                [s.read(batch) if isinstance(s, Entry) else s for s in step.statics],
            )
            if step.op.name == "neighbour_sum":
                values[step.output] = neighbours_of(statics[0], STATES.dim)(*x)
            elif step.op.name == "mixing":
                values[step.output] = mixing_of(statics[1], np.asarray(statics[0], int))(*x)
            elif step.op.name == "cg_product":
                values[step.output] = product_formula(statics[0])(*x)
            elif step.op.name == "concat":
                rows = [stack([block[n] for block in x]) for n in range(2)]
                values[step.output] = stack(rows).reshape(2, -1)
            else:
                raise NotImplementedError(f"no formula for {step.op.name}")
        return values[output]

    return formula


def package_chain(leaves: Any, dots: Any, bar: Any, bar_dot: Any) -> tuple[Any, Any, Any, Any]:
    """Value, tangent, cotangents and their tangents of the gate, from the package."""
    chain, output, _, batch = gate_program()
    values = chain.forward(leaves, batch)
    tangents = chain.jvp(values, batch, dots)
    bars = chain.vjp(values, batch, {output: bar}, list(leaves))
    second = chain.vjp_jvp(values, batch, tangents, bars, list(leaves), {output: bar_dot})
    return values[output], tangents[output], [bars[k] for k in leaves], [second[k] for k in leaves]


def without_reuse(*arguments: Any) -> Any:
    """Planted: cotangents of the first leaf halved, as when a variable that is read twice is counted once."""
    value, tangent, bars, second = package_chain(*arguments)
    return value, tangent, [bars[0] // 2, *bars[1:]], second


@claim(
    "7.8",
    "docs/derivations/chain.md",
    "chain rule: the four functions of a gate with a product of legs",
    JUDGE,
    {"chain": package_chain},
    {
        "a variable read twice counted once": {"chain": without_reuse},
        "tangents of cotangents exchanged": {"chain": lambda *a: (*package_chain(*a)[:3], package_chain(*a)[2])},
    },
)
def chain_rule(subject: SimpleNamespace, full: bool) -> Cases:
    _, _, leaves, _ = gate_program()
    rng = np.random.default_rng(51)
    arrays, dots = list(leaves.values()), [draw(rng, a.shape) for a in leaves.values()]
    value, tangent, slopes, bends = derivatives(gate_formula(list(leaves)), arrays, dots)
    bar, bar_dot = draw(rng, value.shape), draw(rng, value.shape)
    as_float = lambda found: {k: np.asarray(a, np.float64) for k, a in zip(leaves, found)}  # noqa: E731
    ours = subject.chain(as_float(arrays), as_float(dots), *floats([bar, bar_dot]))
    yield "f", differs(ours[0], value)
    yield "jvp", differs(ours[1], tangent)
    moved, turned, pull = pulled(bends, bar), pulled(slopes, bar_dot), pulled(slopes, bar)
    for k, name in enumerate(leaves):
        yield ("vjp", name), differs(ours[2][k], pull[k])
        yield ("vjp_jvp", name), differs(ours[3][k], moved[k] + turned[k])


if __name__ == "__main__":
    sys.exit(main())
