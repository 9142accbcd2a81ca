"""Evaluation on states: against exact coupling tensors, with exact adjoints, whatever the plan."""

import numpy as np
import pytest

from nbody_ref.errors import DTypeError, ShapeError
from nbody_ref.fusion import (
    FusionTable,
    all_terms,
    balanced,
    dense_tensor,
    fuse,
    fuse_jvp,
    fuse_vjp,
    fuse_vjp_jvp,
    left_comb,
)
from nbody_ref.fusion import fuse as fuse_function
from nbody_ref.fusion.fuse import _add
from nbody_ref.tables import cg_coo, clebsch_gordan

U = 2.0**-53
PROBLEMS = {
    "power": (["2x0e+2x1o+2x2e"], left_comb(3), None, ["0e", "1o"], "channelwise"),
    "fourth power": (["1x0e+1x1o+1x2e"], left_comb(4), None, ["0e"], "channelwise"),
    "mixed": (["2x0e+2x1o", "2x1o+2x2e"], ((0, 1), 2), (0, 1, 1), ["1o", "1e"], "channelwise"),
    "distinct": (["1o", "1o+2e", "1o"], ((0, 2), 1), None, ["0o", "1o"], "channelwise"),
    "full": (["2x1o", "3x0e+1x2e"], (0, (1, 2)), (0, 1, 1), ["1o"], "full"),
    "one leg": (["2x0e+3x1o"], 0, None, ["1o"], "full"),
}


def problem(name, order="cheapest", basis="real"):
    irreps, tree, states, roots, mode = PROBLEMS[name]
    return FusionTable.build(irreps, all_terms(irreps, tree, states, roots), mode, order, basis)


def random_states(table, seed, rows=3):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((rows, kind.dim)) for kind in table.irreps]


def by_tensors(states, table, wrap=lambda x: x, dots=None, leg=None):
    """Every term by its correctly rounded coupling tensor; `wrap` = np.abs gives the gauge of this sum.

    With `dots`, number `leg` of every term takes its tangent: one summand of the product rule.
    """
    out = []
    for term in table.terms:
        tensor, args = wrap(dense_tensor(term.diagram, table.basis)), []
        for a, (s, p) in enumerate(term.sources):
            part, start = table.irreps[s][p], table.irreps[s].offsets[p]
            x = (dots if a == leg else states)[s][:, start : start + part.dim].reshape(-1, part.irrep.dim, part.mul)
            args += [wrap(x), [42, a, 41 if table.mode == "channelwise" else 20 + a]]
        n = len(term.sources)
        order = leaf_order(term.diagram.tree)
        channels = [41] if table.mode == "channelwise" else [20 + a for a in order]
        if n == 1:
            tensor = np.eye(term.diagram.root.dim)
        y = np.einsum(tensor, [*range(n), 40], *args, [42, 40, *channels])
        out.append(y.reshape(len(y), -1))
    return np.concatenate(out, axis=1)


def leaf_order(tree):
    return [tree] if isinstance(tree, int) else leaf_order(tree[0]) + leaf_order(tree[1])


def gauge(states, table):
    """S: the program of the table on absolute values, and k: its longest rounding chain."""
    slots, ks = [np.abs(x) for x in states], [0] * len(states)
    for stage in table.stages:
        a, b, mode = slots[stage.a], slots[stage.b], stage.table.mode
        kinds = stage.table.irreps_a, stage.table.irreps_b
        out, longest = [], 0
        for i, j, label in stage.table.paths:
            x, y = (
                z[:, t.offsets[p] : t.offsets[p] + t[p].dim].reshape(len(z), t[p].irrep.dim, t[p].mul)
                for z, t, p in zip((a, b), kinds, (i, j))
            )
            C = np.abs(clebsch_gordan(x.shape[1] // 2, y.shape[1] // 2, label.l, table.basis))
            spec = "abm,nac,nbc->nmc" if mode == "channelwise" else "abm,nau,nbv->nmuv"
            out.append(np.einsum(spec, C, x, y).reshape(len(x), -1))
            terms = np.bincount(cg_coo(x.shape[1] // 2, y.shape[1] // 2, label.l, table.basis).m).max()
            longest = max(longest, (terms + 1) // 2 + 5)
        slots.append(np.concatenate(out, axis=1))
        ks.append(ks[stage.a] + ks[stage.b] + longest)
    total = np.zeros((len(states[0]), table.irreps_out.dim))
    for at, part, row in zip(table.irreps_out.offsets, table.irreps_out, table.selection):
        for slot, p, value in row:
            kind = table.irreps[slot] if slot < len(states) else table.stages[slot - len(states)].table.irreps_out
            total[:, at : at + part.dim] += abs(float(value)) * slots[slot][:, kind.offsets[p] :][:, : part.dim]
    return total, max(ks) + 2 + max(len(row) for row in table.selection)


@pytest.mark.parametrize("order", ["drawn", "cheapest"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_fuse_is_the_contraction_with_the_exact_coupling_tensors(name, order):
    table = problem(name, order)
    states = random_states(table, 1)
    y, (total, k) = fuse(*states, table), gauge(states, table)
    terms = max(np.prod([leg.dim for leg in term.diagram.legs]) for term in table.terms) + 5  # sum, product, rounded C
    bound = U * (k * total + terms * by_tensors(states, table, np.abs))
    assert y.shape == (3, table.irreps_out.dim)
    assert np.all(np.abs(y - by_tensors(states, table)) <= bound)
    states[0][0] *= 1 + 1e-9
    assert np.any(np.abs(y - by_tensors(states, table)) > bound)


def law(size, table, u, chains=1):
    """k u S for states of such absolute components, and the same for the sum over tensors in double precision.

    `chains` multiplies k: a complex product adds a sum to each product, a tangent a sum to each vertex.
    """
    total, k = gauge(size, table)
    terms = max(np.prod([leg.dim for leg in term.diagram.legs]) for term in table.terms) + 5  # sum, product, rounded C
    return chains * (u * k * total + U * terms * by_tensors(size, table, np.abs))


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.complex128])
def test_complex_gauge_agrees_with_its_tensors_in_every_precision(dtype):
    table = problem("mixed", basis="complex")
    real, imag = random_states(table, 2), random_states(table, 3)
    both = [x + 1j * y for x, y in zip(real, imag)]
    states = [(x if np.dtype(dtype).kind == "c" else x.real).astype(dtype) for x in both]
    u = 2.0**-24 if np.finfo(dtype).bits == 32 else U
    found = fuse(*states, table)
    assert found.dtype == dtype
    wide = [x.astype(np.complex128 if np.dtype(dtype).kind == "c" else np.float64) for x in states]
    bound = law([np.abs(x.real) + np.abs(x.imag) for x in wide], table, u, 2)
    assert np.all(np.abs(found - by_tensors(wide, table)) <= bound)
    wide[0][0] *= 1 + 2**13 * u
    assert np.any(np.abs(found - by_tensors(wide, table)) > bound)


@pytest.mark.parametrize("name", PROBLEMS)
def test_fuse_jvp_is_the_derivative_of_the_polynomial(name):
    """The product rule on the coupling tensors: each leg in turn takes its tangent."""
    table = problem(name)
    states, dots = random_states(table, 4), random_states(table, 5)
    legs = range(len(table.terms[0].sources))
    exact = sum(by_tensors(states, table, dots=dots, leg=leg) for leg in legs)
    found = fuse_jvp(*states, *dots, table)
    bound = law([np.abs(x) + np.abs(v) for x, v in zip(states, dots)], table, U, 2)
    assert np.all(np.abs(found - exact) <= bound)
    one_forgotten = exact - by_tensors(states, table, dots=dots, leg=0)
    assert np.any(np.abs(found - one_forgotten) > bound)
    assert fuse_jvp(*states, *[None] * len(states), table) is None


def integer_problem():
    """Scalars only: every coefficient is one, so every step is exact on integers held in floats."""
    irreps = ["2x0e+2x0e+2x0e", "2x0e+2x0e"]
    terms = all_terms(irreps, balanced(4), (0, 1, 0, 0))
    table = FusionTable.build(irreps, terms, order="drawn")
    rng = np.random.default_rng(6)
    draw = lambda kind: rng.integers(-5, 6, (2, kind.dim)).astype(float)  # noqa: E731
    return table, [draw(k) for k in table.irreps], [draw(k) for k in table.irreps], draw(table.irreps_out), draw


def test_fuse_vjp_is_exact_adjoint():
    table, states, dots, g, _ = integer_problem()
    pairing = np.sum(g * fuse_jvp(*states, *dots, table))
    assert pairing == sum(np.sum(bar * dot) for bar, dot in zip(fuse_vjp(g, *states, table), dots))


def test_a_share_of_the_adjoint_that_is_lost_is_noticed(monkeypatch):
    table, states, dots, g, _ = integer_problem()

    def overwrite(bars, a, b, both):
        for slot, bar in zip((a, b), both):
            bars[slot] = bar

    module = __import__("sys").modules[_add.__module__]
    monkeypatch.setattr(module, "_add", overwrite)
    pairing = np.sum(g * fuse_jvp(*states, *dots, table))
    assert pairing != sum(np.sum(bar * dot) for bar, dot in zip(fuse_vjp(g, *states, table), dots))


def test_fuse_vjp_jvp_is_the_exact_tangent_of_the_adjoint():
    """Second derivatives commute: <v, H(g) w> is symmetric, and the part along g_dot is the adjoint of g_dot."""
    table, states, v, g, draw = integer_problem()
    w, g_dot = [draw(kind) for kind in table.irreps], draw(table.irreps_out)
    along = lambda dots: fuse_vjp_jvp(g, *states, None, *dots, table)  # noqa: E731
    left = sum(np.sum(a * b) for a, b in zip(along(v), w))
    assert left == sum(np.sum(a * b) for a, b in zip(along(w), v)) != 0
    both = fuse_vjp_jvp(g, *states, g_dot, *v, table)
    separate = [a + b for a, b in zip(along(v), fuse_vjp(g_dot, *states, table))]
    assert all(np.array_equal(a, b) for a, b in zip(both, separate))
    assert fuse_vjp_jvp(g, *states, None, None, None, table) == (None, None)


@pytest.mark.parametrize("order", ["drawn", "cheapest"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_derivatives_pair_for_every_problem_within_the_law(name, order):
    table = problem(name, order)
    states, v, w = (random_states(table, seed) for seed in (7, 8, 9))
    g = np.random.default_rng(10).standard_normal((3, table.irreps_out.dim))
    size = [np.abs(x) + np.abs(y) + np.abs(z) for x, y, z in zip(states, v, w)]
    total, k = gauge(size, table)
    bound = 4 * k * U * np.sum(np.abs(g) * total)  # every pairing below is a part of the polynomial at `size`
    pair = lambda xs, ys: sum(np.sum(a * b) for a, b in zip(xs, ys) if a is not None)  # noqa: E731
    forward = np.sum(g * fuse_jvp(*states, *v, table))
    assert abs(forward - pair(fuse_vjp(g, *states, table), v)) <= bound
    left = pair(fuse_vjp_jvp(g, *states, None, *v, table), w)
    assert abs(left - pair(fuse_vjp_jvp(g, *states, None, *w, table), v)) <= bound
    assert name == "one leg" or abs(forward - pair(fuse_vjp(g, *v, table), v)) > bound


def test_needs_and_absent_tangents_skip_work_without_changing_results():
    table, states, dots, g, _ = integer_problem()
    both = fuse_vjp(g, *states, table)
    first, nothing = fuse_vjp(g, *states, table, needs=(True, False))
    assert nothing is None and np.array_equal(first, both[0])
    zero = np.zeros_like(dots[1])
    assert np.array_equal(fuse_jvp(*states, dots[0], None, table), fuse_jvp(*states, dots[0], zero, table))
    a, b = (fuse_vjp_jvp(g, *states, None, dots[0], x, table) for x in (None, zero))
    assert all(np.array_equal(x, y) for x, y in zip(a, b))
    one, none = fuse_vjp_jvp(g, *states, None, *dots, table, needs=(False, True))
    assert one is None and none is not None


def test_errors_name_what_is_wrong():
    table = problem("mixed")
    x, y = random_states(table, 11)
    with pytest.raises(ShapeError, match="needs 2 arrays, got 1"):
        fuse(x, table)
    with pytest.raises(ShapeError, match="must be a FusionTable, got ndarray"):
        fuse(x, y)
    with pytest.raises(ShapeError, match=r"fuse: 'x_1' must have shape \(3, 16\)"):
        fuse(x, y[:2], table)
    with pytest.raises(DTypeError, match="share one dtype"):
        fuse(x, y.astype(np.float32), table)
    with pytest.raises(ShapeError, match="'y_bar'"):
        fuse_vjp(np.zeros((3, 2)), x, y, table)
    with pytest.raises(ShapeError, match="'x_0_dot'"):
        fuse_jvp(x, y, y, None, table)
    assert fuse_function is fuse
