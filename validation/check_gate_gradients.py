"""Derivatives through gates and fusion diagrams, exactly: docs/derivations/chain.md and fusion_evaluation.md.

Integers stand in for the coefficients, as in `check_gradients.py`; the judge differentiates the formulas of the steps,
or of the diagrams, in hyper-dual integers. Inverse powers and Bessel functions: claims 7.5, 7.7, 8.8.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from _claims import Cases, claim, main
from _derivatives import (
    JUDGE,
    Four,
    changed,
    derivatives,
    draw,
    drop_last,
    flip_first,
    four_cases,
    pulled,
    use_integer_couplings,
)
from _formulas import Hyper, contract, dense, mixing_of, neighbours_of, part, product_formula, stack

from nbody_ref import Irreps
from nbody_ref.fusion import FusionTable, all_terms, fuse, fuse_jvp, fuse_vjp, fuse_vjp_jvp, left_comb
from nbody_ref.gates import Aggregation, Bare, Entry, Gate, Product
from nbody_ref.gates.build import program
from nbody_ref.graphs import Edges

use_integer_couplings()
Array = np.ndarray[Any, Any]
STATES = Irreps("2x0e + 1x1o")
TWO = Gate((Bare(), Product((Bare(mul=2), Bare(mul=2)), ("0e", "1o", "1e", "2e"))), "2x0e + 1x1o + 1x2e")
POWERS = Gate((Aggregation(2, 1, 0, 2, ("0e", "1o", "1e")),), "1x0e + 1x1o + 1x1e")
SQUARES = Gate((Aggregation(1, 2, 0, 2, ("0e",)),), "1x0e")
GATES = {
    "product of legs": (TWO, STATES, Edges.build([0, 0, 1], [0, 1, 2], 2, 3), False),
    "eq. (6), P = 2, Q = 1": (POWERS, Irreps("1x0e + 1x1o"), Edges.build([0, 0], [1, 0], 1, 2), True),
    "eq. (6), P = 1, Q = 2": (SQUARES, Irreps("1x0e + 1x1o"), Edges.build([0, 0], [1, 0], 1, 2), True),
}


@cache
def compiled(name: str) -> tuple[Any, str, dict[str, Array], dict[str, Any], list[str]]:
    """Chain, output, integer leaves, batch and what is differentiated of a gate that is a polynomial in all of them."""
    gate, states, edges, places = GATES[name]
    builder, output = program(gate, states)
    rng = np.random.default_rng([50, list(GATES).index(name)])
    leaves = {"psi": draw(rng, (edges.n_senders, states.dim))}
    if places:
        leaves |= {"r_child": draw(rng, (edges.n_senders, 3)), "r_parent": draw(rng, (edges.n_receivers, 3))}
    leaves |= {key: draw(rng, p.shape) for key, p in builder.parameters.items()}
    zero = np.zeros(edges.n_receivers, np.uintp)
    batch = {"all": edges, "directed": edges, "centre": edges, "kind": zero, "shared": zero}
    return builder.chain(), output, leaves, batch, list(leaves)


def rows_of(x: Hyper) -> int:
    """How many rows a state has."""
    return int(next(iter(x.parts.values())).shape[0])


def vectors(r: Hyper, lmax: int) -> Hyper:
    """Harmonics of norm 1 to degree 1: one, and y, z, x."""
    n = rows_of(r)
    rows = []
    for e in range(n):
        one = [Hyper({0: np.ones(1, np.int64)})]
        rows.append(stack(one + [r[e, k : k + 1] for k in (1, 2, 0)] if lmax else one))
    return stack(rows).reshape(n, -1)


def relative_of(edges: Edges, a: Hyper, b: Hyper) -> Hyper:
    """Sender minus receiver."""
    minus = Hyper({0: np.int64(-1)})
    rows = [a[int(j)] + contract(",k->k", minus, b[int(i)]) for i, j in zip(edges.receivers, edges.senders)]
    return stack(rows).reshape(edges.n_edges, 3)


def harmonics_of(r: Hyper, lmax: int, normalization: str) -> Hyper:
    """Those that are known here."""
    if lmax > 1 or normalization != "norm":
        raise NotImplementedError(f"no formula for harmonics to degree {lmax}, {normalization}")
    return vectors(r, lmax)


def side_by_side_of(*states: Hyper) -> Hyper:
    """States row by row."""
    n = rows_of(states[0])
    return stack([stack([block[i] for block in states]) for i in range(n)]).reshape(n, -1)


# Steps by the formulas of their pages: variables, statics.
FORMULAS: dict[str, Callable[..., Hyper]] = {
    "neighbour_sum": lambda x, edges: neighbours_of(edges, x.parts[0].shape[1])(x),
    "mixing": lambda F, W, kind, table: mixing_of(table, np.asarray(kind, int))(F, W),
    "cg_product": lambda a, b, table: product_formula(table)(a, b),
    "relative": lambda a, b, edges: relative_of(edges, a, b),
    "solid": harmonics_of,
    "concat": side_by_side_of,
}


def gate_formula(name: str) -> Callable[..., Hyper]:
    """The program's steps by their formulas, as a function of the leaves."""
    chain, output, _, batch, names = compiled(name)

    def formula(*leaves: Hyper) -> Hyper:
        values = dict(zip(names, leaves))
        for step in chain.steps:
            statics = [s.read(batch) if isinstance(s, Entry) else s for s in step.statics]
            values[step.output] = FORMULAS[step.op.name](*(values[k] for k in step.inputs), *statics)
        return values[output]

    return formula


def package_chain(name: str, leaves: Any, dots: Any, bar: Any, bar_dot: Any) -> tuple[Any, Any, Any, Any]:
    """Value, tangent, cotangents and their tangents of a gate, from the package."""
    chain, output, _, batch, names = compiled(name)
    values = chain.forward(leaves, batch)
    tangents = chain.jvp(values, batch, dots)
    bars = chain.vjp(values, batch, {output: bar}, names)
    second = chain.vjp_jvp(values, batch, tangents, bars, names, {output: bar_dot})
    return values[output], tangents[output], [bars[k] for k in names], [second[k] for k in names]


def without_reuse(*arguments: Any) -> Any:
    """Planted: cotangents of the first leaf halved, as when a variable that is read twice is counted once."""
    value, tangent, bars, second = package_chain(*arguments)
    return value, tangent, [bars[0] // 2, *bars[1:]], second


def wrong(found: Any, expected: Array) -> int:
    """Number of wrong entries."""
    return int(np.count_nonzero(found != expected))


@cache
def gate_truth(name: str) -> Any:
    """Tangents, cotangents and all derivatives of a gate, from the judge."""
    rng = np.random.default_rng([51, list(GATES).index(name)])
    arrays = list(compiled(name)[2].values())
    dots = [draw(rng, a.shape) for a in arrays]
    found = derivatives(gate_formula(name), arrays, dots)
    return arrays, dots, draw(rng, found[0].shape), draw(rng, found[0].shape), found


@claim(
    "7.8",
    "docs/derivations/chain.md",
    "chain rule: the four functions of gates, products of legs and eq. (6)",
    JUDGE,
    {"chain": package_chain},
    {
        "a variable read twice counted once": {"chain": without_reuse},
        "cotangents for their tangents": {"chain": lambda *a: (*package_chain(*a)[:3], package_chain(*a)[2])},
    },
)
def chain_rule(subject: SimpleNamespace, full: bool) -> Cases:
    for name in GATES if full else list(GATES)[:1]:
        arrays, dots, bar, bar_dot, (value, tangent, slopes, bends) = gate_truth(name)
        names = compiled(name)[4]
        as_float = lambda found, names=names: {k: np.asarray(a, np.float64) for k, a in zip(names, found)}  # noqa: E731
        ours = subject.chain(name, as_float(arrays), as_float(dots), bar.astype(float), bar_dot.astype(float))
        yield (name, "f"), wrong(ours[0], value)
        yield (name, "jvp"), wrong(ours[1], tangent)
        moved, turned, pull = pulled(bends, bar), pulled(slopes, bar_dot), pulled(slopes, bar)
        for k, leaf in enumerate(names):
            yield (name, "vjp", leaf), wrong(ours[2][k], pull[k])
            yield (name, "vjp_jvp", leaf), wrong(ours[3][k], moved[k] + turned[k])


# types, tree, state at each leaf, roots, mode
BLOCKS: dict[str, Any] = {
    "power of one state": (["2x0e + 2x1o"], left_comb(3), None, ["0e", "1o"], "channelwise"),
    "two states, braided": (["2x0e + 2x1o", "2x1o + 2x2e"], ((0, 1), 2), (1, 0, 1), ["0o", "1o"], "channelwise"),
    "balanced tree": (["1x0e + 1x1o"], ((0, 1), (2, 3)), None, ["0e"], "channelwise"),
    "every channel": (["2x1o", "1x0e + 2x1o"], (0, (1, 2)), (0, 1, 1), ["1o"], "full"),
}


@cache
def block(name: str) -> FusionTable:
    """The diagrams as they are drawn: other plans recouple, which integers in place of the coefficients do not obey."""
    irreps, tree, states, roots, mode = BLOCKS[name]
    return FusionTable.build(irreps, all_terms(irreps, tree, states, roots), mode, "drawn")


def diagram_formula(table: FusionTable) -> Callable[..., Hyper]:
    """Eq. (F6), diagram by diagram and vertex by vertex, nothing shared."""

    def branch(tree: Any, outputs: Iterator[Any], leaf: Callable[[int], tuple[Any, Hyper]]) -> tuple[Any, Hyper]:
        if isinstance(tree, int):
            return leaf(tree)
        (left, a), (right, b) = branch(tree[0], outputs, leaf), branch(tree[1], outputs, leaf)
        irrep = next(outputs)
        both = contract("ijk,iu->jku", dense(left.l, right.l, irrep.l), a)
        if table.mode == "channelwise":
            return irrep, contract("jku,ju->ku", both, b)
        joined = contract("jku,jv->kuv", both, b)
        return irrep, joined.reshape(irrep.dim, -1)

    def formula(*states: Hyper) -> Hyper:
        n, rows = rows_of(states[0]), []
        for row in range(n):
            terms = []
            for term in table.terms:

                def leaf(k: int, row: int = row, term: Any = term) -> tuple[Any, Hyper]:
                    state, p = term.sources[k]
                    return table.irreps[state][p].irrep, part(states[state][row], table.irreps[state], p)

                terms.append(branch(term.diagram.tree, iter(term.diagram.outputs), leaf)[1])
            rows.append(stack(terms))
        return stack(rows).reshape(n, table.irreps_out.dim)

    return formula


@cache
def block_truth(name: str) -> Any:
    """States, tangents, cotangents and all derivatives, from the judge."""
    rng = np.random.default_rng([52, list(BLOCKS).index(name)])
    shapes = [(2, irreps.dim) for irreps in block(name).irreps]
    arrays, dots = ([draw(rng, shape) for shape in shapes] for _ in range(2))
    found = derivatives(diagram_formula(block(name)), arrays, dots)
    return arrays, dots, [draw(rng, found[0].shape) for _ in range(2)], found


def four() -> Four:
    """The package's functions."""
    return fuse, fuse_jvp, fuse_vjp, fuse_vjp_jvp


@claim(
    "7.9",
    "eq. (F6), docs/derivations/fusion_evaluation.md",
    "fusion diagrams on states: f, jvp, vjp, vjp_jvp",
    JUDGE,
    {"four": four},
    {
        "value: a sign": {"four": changed(four, 0, flip_first)},
        "jvp: a row dropped": {"four": changed(four, 1, drop_last)},
        "vjp: a sign": {"four": changed(four, 2, flip_first)},
        "vjp_jvp: tangents of states ignored": {
            "four": lambda: (
                *four()[:3],
                lambda g, *a, needs=None: fuse_vjp_jvp(
                    g, *a[: len(a) // 2], *[None] * (len(a) // 2 - 1), a[-1], needs=needs
                ),
            )
        },
    },
)
def diagrams(subject: SimpleNamespace, full: bool) -> Cases:
    for name in BLOCKS if full else list(BLOCKS)[:1]:
        arrays, dots, bars, truth = block_truth(name)
        for what, residual in four_cases(subject.four(), (block(name),), arrays, dots, bars, truth):
            yield (name, what), residual


if __name__ == "__main__":
    sys.exit(main())
