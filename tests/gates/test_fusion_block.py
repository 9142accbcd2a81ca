"""Fusion blocks: each tying against its formula, exact covariance over a ring, derivatives, refusals."""

import json
from fractions import Fraction
from functools import cache

import mpmath
import numpy as np
import pytest

from nbody_ref import clebsch_gordan
from nbody_ref.errors import ArgumentError, IrrepsError, NBodyRefError, SchemeError
from nbody_ref.exact.gauges import MONOMIAL, Gauge, real_gauge
from nbody_ref.exact.network import flatten, rational_points, rotate, transform, unflatten
from nbody_ref.exact.ring import Gauss
from nbody_ref.exact.wigner import monomial_D
from nbody_ref.fusion import balanced, dense_tensor, left_comb, right_comb, symmetric_dimension
from nbody_ref.gates import Bare, Directed, Fusion, FusionBlock, Gate
from nbody_ref.gates.build import Builder
from nbody_ref.gates.chain import Entry
from nbody_ref.gates.fusion_block import TYINGS, fuse_legs
from nbody_ref.gates.over_ring import run
from nbody_ref.irreps import Irreps
from nbody_ref.network import Network, Spec
from nbody_ref.network.parameters import draw
from nbody_ref.ops.radial import InversePowers

U = 2.0**-53
TYPES = {"a": "2x0e + 2x1o + 2x2e", "b": "2x1o + 2x0e"}
BATCH = {"kind": np.array([1, 0, 1], np.uintp), "shared": np.zeros(3, np.uintp)}


def block_on(legs, block, seed=0):
    """A block on states a and b, with its weights and values."""
    builder, rng = Builder(), np.random.default_rng(seed)
    states = {name: builder.input(name, tau) for name, tau in TYPES.items()}
    legs = [states[name] for name in legs]
    out = fuse_legs(builder, legs, block, "block", Entry("kind"), 2)
    weights = draw(builder.parameters, 1)
    states = {name: rng.standard_normal((3, Irreps(tau).dim)) for name, tau in TYPES.items()}
    values = builder.chain().forward({**states, **weights}, BATCH)
    return builder, out, values, weights


def part(state, irreps, i):
    start, p = irreps.offsets[i], irreps[i]
    return state[:, start : start + p.dim].reshape(len(state), p.irrep.dim, p.mul)


def parts(state, irreps):
    return [(p.irrep, part(state, irreps, i)) for i, p in enumerate(irreps)]


def diagrams_by_tensors(builder, values):
    """(root, value) of every term: its coupling tensor (F1) contracted with the legs."""
    step = next(s for s in builder.chain().steps if s.op.name == "fuse")
    table, found = step.statics[0], []
    for term in table.terms:
        legs = [part(values[step.inputs[s]], builder.irreps[step.inputs[s]], p) for s, p in term.sources]
        letters = "abcdef"[: len(legs)]
        spec = ",".join(f"n{x}z" for x in letters)
        found.append((term.diagram.root, np.einsum(f"{letters}m,{spec}->nmz", dense_tensor(term.diagram), *legs)))
    return found


def close(got, wanted, legs):
    """Rounding of a product of `legs` states in two orders: 30 for each vertex, terms of size below max^legs * 50."""
    size = 50 * max(np.abs(w).max() for w in wanted)
    return all(np.abs(g - w).max() <= 60 * legs * U * size for g, w in zip(got, wanted, strict=True))


@pytest.mark.parametrize("tree", [left_comb(3), right_comb(3), ((0, 2), 1)])
def test_mixed_block_lists_the_diagrams(tree):
    builder, out, values, _ = block_on(["a", "b", "a"], FusionBlock(("1o", "0e"), tree))
    got = [x for _, x in parts(values[out], builder.irreps[out])]
    wanted = diagrams_by_tensors(builder, values)
    assert [str(root) for root, _ in wanted] == [str(p.irrep) for p in builder.irreps[out]]
    assert close(got, [x for _, x in wanted], 3)
    assert not close(got, [-x for _, x in wanted], 3)


def test_diagonal_block_weighs_labellings_channel_by_channel_for_each_kind():
    builder, out, values, weights = block_on(["a", "a", "b"], FusionBlock(("0e", "1o"), None, None, "diagonal"))
    terms, at, wanted = diagrams_by_tensors(builder, values), 0, []
    for j in ("0e", "1o"):
        of_j = np.stack([x for root, x in terms if str(root) == j])
        W = weights["block"][BATCH["kind"].astype(int), at : at + 2 * len(of_j)].reshape(3, len(of_j), 2)
        wanted.append(np.einsum("pnmz,npz->nmz", of_j, W))
        at += 2 * len(of_j)
    assert str(builder.irreps[out]) == "2x0e + 2x1o" and weights["block"].shape == (2, at)
    assert close([x for _, x in parts(values[out], builder.irreps[out])], wanted, 3)


def test_vertex_mixing_mixes_after_every_vertex():
    """(F6) with low-rank tied weights: at each vertex all labellings and channels of an irrep, then the next leg."""
    builder, out, values, weights = block_on(["a", "b", "a"], FusionBlock(("0e", "1o"), None, 1, "vertices"))

    def vertex(left, right, W, keep):
        fragments = {str(k): [] for k in keep}
        for ka, a in left:
            for kb, b in right:
                for k in ka * kb:
                    if str(k) in fragments:
                        C = clebsch_gordan(ka.l, kb.l, k.l)
                        fragments[str(k)].append((k, np.einsum("abm,naz,nbz->nmz", C, a, b)))
        found, at = [], 0
        for k in keep:
            F = np.concatenate([x for _, x in fragments[k]], axis=2)
            found.append((fragments[k][0][0], F @ W[at : at + 2 * F.shape[2]].reshape(-1, 2)))
            at += 2 * F.shape[2]
        assert at == len(W)
        return found

    x = {name: parts(values[name], builder.irreps[name]) for name in TYPES}
    inner = [str(p.irrep) for p in builder.irreps["block/vertex1/mixed"]]
    assert inner == ["0e", "1e", "1o"]
    first = vertex(x["a"], x["b"], weights["block/vertex1"][0], inner)
    wanted = vertex(first, x["a"], weights["block/vertex2"][0], ["0e", "1o"])
    assert close([x for _, x in parts(values[out], builder.irreps[out])], [x for _, x in wanted], 3)


def test_bond_cutoff_keeps_low_bonds_only():
    builder, out, values, _ = block_on(["a"] * 4, FusionBlock(("0e",), balanced(4), 1))
    step = next(s for s in builder.chain().steps if s.op.name == "fuse")
    assert {k.l for term in step.statics[0].terms for k in term.diagram.bonds} == {0, 1}
    assert len(step.statics[0].terms) < len(block_on(["a"] * 4, FusionBlock(("0e",), balanced(4)))[0].irreps[out])
    assert np.isfinite(values[out]).all()


def test_reduced_block_has_the_symmetric_dimension_and_the_same_span():
    full, out, values, _ = block_on(["a"] * 3, FusionBlock(("0e", "1o")))
    small, other, others, _ = block_on(["a"] * 3, FusionBlock(("0e", "1o"), reduced=True))
    assert len(small.irreps[other]) == sum(symmetric_dimension(TYPES["a"], 3, j) for j in ("0e", "1o"))
    # on one row there are two channels, values of the same functions: stack rows, channels and components
    for j in ("0e", "1o"):
        every, kept = (
            np.stack([x.reshape(-1) for irrep, x in parts(v[o], b.irreps[o]) if str(irrep) == j])
            for b, o, v in ((full, out, values), (small, other, others))
        )
        coefficients = np.linalg.lstsq(kept.T, every.T, rcond=None)[0]
        assert np.abs(kept.T @ coefficients - every.T).max() < 2.0**-40


LEG = Directed(InversePowers((1, 2)), 1, mul=2, mixed_lmax=1)
CENTRE = Bare("centre", mul=2)


def network(tying, dtype="float64"):
    first = Gate((Fusion((LEG, LEG, CENTRE), FusionBlock(("0e", "1o"), ((0, 2), 1), 1, tying), True),), "2x0e + 2x1o")
    second = Gate((Fusion((LEG, CENTRE), FusionBlock(("1o", "0e", "2e"), None, None, tying)),), "1x0e + 1x1o + 1x2e")
    return Network(Spec((1, 8), np.inf, (first, second, Gate((Bare(),))), dtype), seed=1)


NUMBERS = np.array([8, 1, 1])
POSITIONS = np.random.default_rng(8).standard_normal((3, 3))


def exact_run(net, points, gauge):
    rng = np.random.default_rng(7)
    leaves, batch = net.leaves(net.graph([(np.array([[float(x) for x in r] for r in points]), NUMBERS)]))
    ring = {"r": points, "psi0": [[int(x) for x in row] for row in leaves["psi0"]]}
    for name, array in net.parameters.items():
        weights = rng.integers(-2, 3, (*array.shape, 2))
        ring[name] = [[Gauss(int(a), int(b)) for a, b in row] for row in weights]
    return run(net.chain, ring, batch, gauge)


def residuals(net, gauge, q, inversion):
    """Variables of the program whose turned value is not the value at turned positions."""
    points = rational_points(3)
    before, after = (exact_run(net, r, gauge) for r in (points, [rotate(r, q, inversion) for r in points]))
    assert any(x for row in before[net.root] for x in row)
    return [
        name
        for name, tau in net.irreps.items()
        if any(
            flatten(transform(unflatten(tau, x), lambda l: monomial_D(l, q), inversion)) != y
            for x, y in zip(before[name], after[name], strict=True)
        )
    ]


@pytest.mark.parametrize(("q", "inversion"), [((2, 1, 0, 0), False), ((1, -2, 3, 1), True)])
@pytest.mark.parametrize("tying", TYINGS)
def test_every_state_is_covariant_over_gaussian_rationals(tying, q, inversion):
    assert residuals(network(tying), MONOMIAL, q, inversion) == []


@pytest.mark.parametrize("tying", TYINGS)
def test_a_wrong_coupling_of_one_vertex_is_caught(tying):
    def coupling(l1, l2, l):
        return [
            (a, b, m, c * (1 + Fraction((l1, l2, l, m) == (1, 1, 0, 0) and a == 0, 10**9)))
            for a, b, m, c in MONOMIAL.coupling(l1, l2, l)
        ]

    wrong = Gauge("wrong", coupling, MONOMIAL.harmonic, MONOMIAL.vector)
    assert residuals(network(tying), wrong, (2, 1, 0, 0), False)


@cache
def gauge_of(normalization):
    """The real gauge of the reference, constants rounded as its tables are, over 40-digit numbers."""
    return real_gauge(mpmath.mpf, "float64", normalization)


def in_40_digits(net, positions, v, h):
    leaves, batch = net.leaves(net.graph([(positions, NUMBERS)]))
    number = np.vectorize(mpmath.mpf, otypes=[object])
    ring = {name: number(array).tolist() for name, array in leaves.items()}
    ring["r"] = [[mpmath.mpf(float(x)) + h * float(d) for x, d in zip(row, dr)] for row, dr in zip(positions, v)]
    return run(net.chain, ring, batch, gauge_of)[net.root][0]


@pytest.mark.parametrize("tying", TYINGS)
def test_values_and_derivatives_are_within_the_law_of_the_definition(tying):
    """K: two levels of 3 edges x 9 terms, 40 rows of a mixing, two vertices; central differences with h = 1e-12."""
    net, v, K = network(tying), np.random.default_rng(9).standard_normal((3, 3)), 200
    with mpmath.workdps(40):
        h = mpmath.mpf(10) ** -12
        value = in_40_digits(net, POSITIONS, v, 0)
        plus, minus = (in_40_digits(net, POSITIONS, v, s * h) for s in (1, -1))
        slope = [float((a - b) / (2 * h)) for a, b in zip(plus, minus)]
    leaves, batch = net.leaves(net.graph([(POSITIONS, NUMBERS)]))
    values = net.chain.forward(leaves, batch)
    dots, wrt = net.chain.jvp(values, batch, {"r": v}), ("r", "psi0", *net.parameters)
    for i in range(net.irreps_out.dim):
        seed = np.zeros_like(values[net.root])
        seed[0, i] = 1
        bars = net.chain.vjp(values, batch, {net.root: seed}, wrt)
        bars_dot = net.chain.vjp_jvp(values, batch, dots, bars, wrt)
        S = sum(np.sum(np.abs(x) * np.abs(values[n])) for n, x in bars.items())
        slope_S = sum(np.sum(np.abs(x) * np.abs(values[n])) for n, x in bars_dot.items())
        slope_S += sum(np.sum(np.abs(x) * np.abs(dots[n])) for n, x in bars.items() if n in dots)
        assert abs(float(value[i] - float(values[net.root][0, i]))) <= K * U * S
        assert abs(float(value[i]) - values[net.root][0, i] * (1 + 1e-6)) > K * U * S
        assert abs(dots[net.root][0, i] - slope[i]) <= K * U * slope_S
        assert abs(np.sum(bars["r"] * v) - slope[i]) <= K * U * slope_S


def scalar_network(tying):
    block = FusionBlock(("0e",), left_comb(3), 2, tying)
    leg = Directed(InversePowers((0, 1)), 2, mul=3)
    return Network(Spec((1, 8), np.inf, (Gate((Fusion((leg,) * 3, block, True),), "1x0e"), Gate((Bare(),)))), seed=1)


@pytest.mark.parametrize("tying", TYINGS)
def test_weight_gradient_of_a_force_loss_is_the_slope(tying):
    """Central differences at two steps: the error falls as the square of the step."""
    net, rng = scalar_network(tying), np.random.default_rng(6)
    graph = net.graph([(POSITIONS, NUMBERS)])
    target = rng.standard_normal(POSITIONS.shape)

    def loss(energy, forces):
        return (energy**2).sum() + ((forces - target) ** 2).sum(), 2 * energy, 2 * (forces - target)

    gradient = net.loss_gradient(graph, loss)[1]
    moves = {k: rng.standard_normal(a.shape) for k, a in net.parameters.items()}
    slope, errors = sum(np.sum(gradient[k] * moves[k]) for k in moves), []
    for h in (1e-3, 5e-4):
        ends = [
            loss(
                *net.with_parameters({k: a + s * h * moves[k] for k, a in net.parameters.items()}).energy_and_forces(
                    graph
                )
            )[0]
            for s in (1, -1)
        ]
        errors.append(abs((ends[0] - ends[1]) / (2 * h) - slope))
    assert errors[1] < errors[0] / 3.5 and errors[1] < 1e-2 * abs(slope)


def test_shared_legs_have_one_set_of_weights():
    leg, other = Directed(InversePowers((1,)), 1, mul=2), Directed(InversePowers((2,)), 1, mul=2)
    block = FusionBlock(("0e",))
    counts = []
    for shared in (True, False):
        gate = Gate((Fusion((leg, other, leg), block, shared),), "1x0e")
        names = Network(Spec((1, 8), np.inf, (gate, Gate((Bare(),))))).parameters
        counts.append(sum("/leg" in name for name in names))
    assert counts == [2, 3]


def test_description_round_trips():
    spec = network("diagonal").spec
    assert Spec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    block = FusionBlock(("0e",), [[0, 1], [2, 3]], 2, "vertices")
    assert block.tree == ((0, 1), (2, 3)) and FusionBlock.from_dict(json.loads(json.dumps(block.to_dict()))) == block


def test_bad_trees_labels_and_sizes_are_named():
    leg = Directed(InversePowers((1,)), 1, mul=2)
    with pytest.raises(SchemeError, match="FusionBlock: 'tree' must have two branches at every vertex, got 3"):
        FusionBlock(("0e",), (0, 1, 2))
    with pytest.raises(SchemeError, match=r"FusionBlock: 'tree' must have each leaf 0\.\.2 once"):
        FusionBlock(("0e",), ((0, 1), 1))
    with pytest.raises(SchemeError, match="Fusion: 'block' must have as many leaves as there are 'legs', got 2 and 3"):
        Fusion((leg,) * 3, FusionBlock(("0e",), (0, 1)))
    with pytest.raises(ArgumentError, match="Fusion: 'legs' must be at least 2 summed terms, got 1"):
        Fusion((leg,), FusionBlock(("0e",)))
    with pytest.raises(ArgumentError, match="'weights' must be 'mixed' or 'diagonal' or 'vertices', got 'free'"):
        FusionBlock(("0e",), weights="free")
    with pytest.raises(IrrepsError, match="expected a degree and an optional letter"):
        FusionBlock(("zero",))
    with pytest.raises(ArgumentError, match="'keep' must be a tuple of irreps"):
        FusionBlock(())
    with pytest.raises(ArgumentError, match="'bond' must be a non-negative integer, got -1"):
        FusionBlock(("0e",), bond=-1)
    with pytest.raises(SchemeError, match="'reduced' needs the left comb"):
        FusionBlock(("0e",), right_comb(3), reduced=True)
    with pytest.raises(SchemeError, match="'reduced' needs the same state on all legs"):
        block_on(["a", "b"], FusionBlock(("0e",), reduced=True))
    for tying in TYINGS:
        with pytest.raises(IrrepsError, match=r"FusionBlock: no coupling of \(.*\) with 'bond' None gives 9e"):
            block_on(["a", "b"], FusionBlock(("0e", "9e"), weights=tying))
        with pytest.raises(IrrepsError, match=r"gives 0o"):  # wrong parity
            block_on(["b", "b"], FusionBlock(("0o",), weights=tying))
    with pytest.raises(IrrepsError, match="all legs must have one number of channels"):
        gate = Gate((Fusion((leg, Directed(InversePowers((1,)), 1, mul=3)), FusionBlock(("0e",))),), "1x0e")
        Network(Spec((1, 8), np.inf, (gate, Gate((Bare(),)))))
    with pytest.raises(SchemeError, match=r"'limit' is .* terms, but there are"):
        block_on(["a"] * 12, FusionBlock(("0e",), left_comb(12)))


HOSTILE = (
    None,
    "x",
    5,
    -1,
    2.5,
    True,
    [],
    (),
    {},
    ("0e", 1),
    ["0e", "0e"],
    np.nan,
    object(),
    np.int8(2),
    ((0, 1), 2),
    [[0, 1], [2]],
    ("1o",),
    "diagonal",
    10**30,
)


@pytest.mark.parametrize("field", ["keep", "tree", "bond", "weights", "reduced"])
def test_whatever_is_passed_the_answer_is_a_block_or_an_error_of_the_package(field):
    for wrong in HOSTILE:
        try:
            block = FusionBlock(**{"keep": ("0e",), field: wrong})
        except NBodyRefError as error:
            assert ": " in str(error)
        else:
            assert FusionBlock.from_dict(json.loads(json.dumps(block.to_dict()))) == block
