"""Cormorant against its equations written out, its symmetries over a ring and in the mirror, its peculiarities."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import scipy.special

from nbody_ref import exact
from nbody_ref.errors import ArgumentError, NBodyRefError
from nbody_ref.exact.gauges import MONOMIAL, Gauge
from nbody_ref.exact.network import flatten, rational_points, rotate, transform, unflatten
from nbody_ref.exact.ring import Gauss
from nbody_ref.exact.wigner import monomial_D
from nbody_ref.fit import DescentOptions, ethanol, train
from nbody_ref.gates.over_ring import run
from nbody_ref.models.cofd import CoFD, CoFDSpec
from nbody_ref.models.cormorant import Cormorant, CormorantSpec

U = 2.0**-53
SPECIES, NUMBERS = (1, 6, 8), np.array([1, 6, 8, 1, 6])
POSITIONS = np.random.default_rng(0).standard_normal((5, 3)) * 1.2
SMALL = CormorantSpec(SPECIES, n_levels=2, lmax=2, lmax_edge=2, n_channels=2, level_gain=3.0, n_sines=1)


def coupling(l1, l2, l):
    """<l1 m1 l2 m2 | l m> from the exact definition."""
    C = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l + 1))
    for m1, m2 in product(range(-l1, l1 + 1), range(-l2, l2 + 1)):
        if abs(m1 + m2) <= l:
            C[m1 + l1, m2 + l2, m1 + m2 + l] = float(exact.clebsch_gordan(l1, m1, l2, m2, l, m1 + m2))
    return C


def harmonics(r, l):
    """conj(sqrt(4 pi / (2l + 1)) |r|^l Y_lm), with Condon and Shortley's phase, by SciPy."""
    length = np.linalg.norm(r)
    if length == 0:
        return np.full(2 * l + 1, float(l == 0), complex)
    theta, phi = np.arccos(r[2] / length), np.arctan2(r[1], r[0])
    Y = np.array([scipy.special.sph_harm_y(l, m, theta, phi) for m in range(-l, l + 1)])
    return (np.sqrt(4 * np.pi / (2 * l + 1)) * length**l * Y).conj()


def channelwise(a, b, lmax):
    """All (l1, l2) -> l of two states, l1 outer; states are lists of (l, (2l + 1, n)), results likewise."""
    return [
        (l, np.einsum("abm,an,bn->mn", coupling(l1, l2, l), x, y))
        for l1, x in a
        for l2, y in b
        for l in range(abs(l1 - l2), min(l1 + l2, lmax) + 1)
    ]


def bilinear(x, y):
    l = (len(x) - 1) // 2
    return sum((-1) ** m * x[m + l] * y[-m + l] for m in range(-l, l + 1))


def linear(W, name, x):
    return x @ W[name].reshape(x.shape[1], -1) + W[f"{name}/bias"][0]


def perceptron(W, name, x):
    x = linear(W, f"{name}/0", x)
    return linear(W, f"{name}/1", np.where(x > 0, x, 0.01 * x))


def message_input(model, a, positions):
    """The input for QM9: messages of all atoms j to i, i among them, then a perceptron."""
    spec, W, messages = model.spec, model.parameters, np.zeros_like(a)
    radius, width = (np.maximum(1e-3, abs(W[f"input/cutoff/{k}"][0])) for k in ("radius", "width"))
    for i, j in product(range(len(a)), range(len(a))):
        d = np.linalg.norm(positions[i] - positions[j])
        f = np.array([(0.0 if i == j else d**-k * np.sin(2 * np.pi * s * d + phi))
                      for s, phi in zip(W["input/frequencies"][0], W["input/phases"][0], strict=True)
                      for k in range(spec.n_powers + 1)])  # fmt: skip
        messages[i] += linear(W, "input/radial", f[None])[0] * a[j] / (1 + np.exp((d - radius) / width))
    return perceptron(W, "input", np.concatenate([messages, a], axis=1))


def energy_by_equations(model, positions, numbers):
    """(C0) to (C5) with loops over pairs i, j, the pair (i, i) included or not."""
    spec, W, N, n = model.spec, model.parameters, len(numbers), model.spec.n_channels
    z = np.array(spec.species, float)
    a = np.zeros((N, len(z), spec.charge_power + 1))
    for i, number in enumerate(numbers):
        a[i, spec.species.index(number)] = (number / spec.unit_charge) ** np.arange(spec.charge_power + 1.0)
    a, psi = a.reshape(N, -1), []
    for x in message_input(model, a, positions) if spec.input == "messages" else linear(W, "input", a):
        psi.append([(0, (x[::2] + 1j * x[1::2]).reshape(1, n))])
    g, scalars = {}, [[] for _ in range(N)]
    for s in range(spec.n_levels):
        name, new_g = f"level{s}", {}
        s_n, phi = W[f"{name}/frequencies"][0], W[f"{name}/phases"][0]
        a, b = (np.maximum(1e-3, abs(W[f"{name}/cutoff/{k}"][0])) for k in ("radius", "width"))
        for i, j in product(range(N), range(N)):
            if i == j and not spec.self_edge:
                continue
            r = np.linalg.norm(positions[i] - positions[j])
            mask = 1 / (1 + np.exp(-(a - r) / b))
            f = [
                (r**-k * np.sin(2 * np.pi * s_n[q] * r + phi[q]) if i != j else 0.0)
                for q in range(len(s_n))
                for k in range(spec.n_powers + 1)
            ]
            R = np.array(f[::2]) + 1j * np.array(f[1::2])
            d = np.concatenate([bilinear(x, y) for (_, x), (_, y) in zip(psi[i], psi[j], strict=True)])
            for l in range(spec.lmax_edge + 1):
                F = np.concatenate([*([g[i, j, l]] if s else []), *([d] if l < len(psi[i]) else []), R])
                new_g[i, j, l] = mask * (F @ W[f"{name}/edge{l}"].reshape(len(F), n))
        g, new_psi = new_g, []
        for i in range(N):
            ag = {}
            for j in range(N):
                if (i, j, 0) not in g:
                    continue
                G = [
                    (l, np.outer(harmonics(positions[i] - positions[j], l), g[i, j, l]))
                    for l in range(spec.lmax_edge + 1)
                ]
                for k, (l, x) in enumerate(channelwise(G, psi[j], spec.lmax)):
                    ag[k] = (l, ag[k][1] + x if k in ag else x)
            stacked = [*ag.values(), *psi[i], *channelwise(psi[i], psi[i], spec.lmax)]
            state, at, flat = [], 0, W[f"{name}/atoms"][0]
            for l in sorted({l for l, _ in stacked}):
                F = np.concatenate([x for k, x in stacked if k == l], axis=1)
                state.append((l, F @ flat[at : at + F.shape[1] * n].reshape(-1, n)))
                at += F.shape[1] * n
            new_psi.append(state)
        psi = new_psi
        for i in range(N):
            scalars[i] += [value for c in range(n) for value in (psi[i][0][1][0, c].real, psi[i][0][1][0, c].imag)]
            scalars[i] += [
                value
                for _, x in psi[i]
                for c in range(n)
                for value in (bilinear(x, x)[c].real, (abs(x[:, c]) ** 2).sum())
            ]
    if spec.readout == "perceptrons":
        x = perceptron(W, "readout/atoms", np.array(scalars)).sum(axis=0, keepdims=True)
        return spec.scale * perceptron(W, "readout/molecule", x)[0, 0]
    rows = [0] if spec.constant == "molecule" else [spec.species.index(number) for number in numbers]
    shift = W["shift"][rows].sum()
    return spec.scale * sum(np.dot(x, W["readout"][0]) for x in scalars) + shift


def gauge_of_energy(model, graph):
    values, batch = model.forward(graph)
    bars = model.chain.vjp(values, batch, {model.root: np.ones_like(values[model.root])}, ("r", *model.parameters))
    return sum(np.sum(np.abs(x) * np.abs(values[n])) for n, x in bars.items())


K = 600  # roundings of two levels: radial features 11, 4 neighbours x 5 terms x 2, 60 rows of a mixing, both programs


QM9 = {"input": "messages", "readout": "perceptrons", "hidden": 7, "mixed": 3}
EQUATIONS = {"MD17": {}, "otherwise": {"self_edge": False, "constant": "species"}, "QM9": QM9}


@pytest.mark.parametrize("name", EQUATIONS)
def test_energy_is_that_of_the_published_equations(name):
    self_edge = EQUATIONS[name].get("self_edge", True)
    model = Cormorant(replace(SMALL, scale=0.5, **EQUATIONS[name]), seed=4)
    rng = np.random.default_rng(1)
    changed = ("shift", "level1/phases", "input/phases")
    model = model.with_parameters(
        {k: rng.standard_normal(model.parameters[k].shape) for k in changed if k in model.parameters}
    )
    graph = model.graph([(POSITIONS, NUMBERS)])
    bound = K * U * gauge_of_energy(model, graph)
    wanted = energy_by_equations(model, POSITIONS, NUMBERS)
    assert abs(model.energy(graph)[0] - wanted) <= bound
    other = Cormorant(replace(model.spec, self_edge=not self_edge), model.parameters)
    assert abs(other.energy(graph)[0] - wanted) > bound  # planted error: the edge to itself


def mirror_gap(model, positions):
    """Difference of the energies of mirror images, over its rounding bound."""
    graphs = [model.graph([(positions * s, NUMBERS)]) for s in ([1, 1, 1], [1, 1, -1])]
    one, two = (model.energy(graph)[0] for graph in graphs)
    return abs(one - two) / (K * U * gauge_of_energy(model, graphs[0]))


def test_mirror_images_differ_where_parity_is_not_tracked():
    assert mirror_gap(Cormorant(SMALL, seed=3), POSITIONS) > 1e6


def test_mirror_images_are_equal_where_theory_says():
    """With parities; at one level, whose products are all of harmonics and scalars; for planar molecules."""
    assert mirror_gap(Cormorant(replace(SMALL, group="O(3)"), seed=3), POSITIONS) <= 1
    assert mirror_gap(Cormorant(replace(SMALL, n_levels=1), seed=3), POSITIONS) <= 1
    rotation = np.linalg.qr(np.random.default_rng(5).standard_normal((3, 3)))[0]
    assert mirror_gap(Cormorant(SMALL, seed=3), (POSITIONS * [1, 1, 0]) @ rotation) <= 1


def test_parities_double_the_types_of_states():
    types = {group: Cormorant(replace(SMALL, group=group, n_levels=3)).irreps for group in ("SO(3)", "O(3)")}
    last = {group: str(irreps["level2/atoms/mixed"]) for group, irreps in types.items()}
    assert last["SO(3)"] == "2x0 + 2x1 + 2x2"
    assert last["O(3)"] == "2x0e + 2x0o + 2x1e + 2x1o + 2x2e + 2x2o"


POLYNOMIAL = {"radial": "even powers", "mask": "none", "n_sines": 0, "n_powers": 1, "n_levels": 2}


def cofd(**others):
    """A CoFD of polynomials."""
    return CoFDSpec(**{**vars(SMALL), **POLYNOMIAL, "lmax": 1, "lmax_edge": 1, **others})


RING = {
    "SO(3)": replace(SMALL, **POLYNOMIAL),
    "O(3)": replace(SMALL, **POLYNOMIAL, group="O(3)", lmax=1, lmax_edge=2),
    "O(3), CoFD": cofd(tree="(oY)j", group="O(3)", both_parities=True),
    "SO(3), CoFD": cofd(),
    "SO(3), CoFD summed first": cofd(tree="o(Yj)", edge="bare"),
    "SO(3), CoFD dense": cofd(block="dense", n_levels=1, internal_spins=(0, 1)),
}


def states(model):
    """Variables of the program that hold covariant states, all before the readout."""
    steps = [step.output for step in model.chain.steps]
    ends = [name for name in steps if name.endswith("/atoms/mixed")]
    return model.chain.upto(ends), {name: model.irreps[name] for name in steps if name in model.irreps}, ends[-1]


def exact_run(model, chain, points, gauge):
    rng = np.random.default_rng(7)
    leaves, batch = model.leaves(model.graph([(np.array([[float(x) for x in r] for r in points]), NUMBERS[:3])]))
    ring = {"r": points, "atoms": [[int(x > 0.5) for x in row] for row in leaves["atoms"]]}
    for name, array in model.parameters.items():
        weights = rng.integers(-2, 3, (*array.shape, 2))
        real = array.dtype.kind == "f"
        ring[name] = [[int(a) if real else Gauss(int(a), int(b)) for a, b in row] for row in weights]
    return run(chain, ring, batch, gauge)


def residuals(spec, gauge, q, inversion):
    """Variables whose turned value is not the value at turned positions."""
    model = (CoFD if isinstance(spec, CoFDSpec) else Cormorant)(spec)
    chain, types, last = states(model)
    points = rational_points(3)
    before, after = (exact_run(model, chain, r, gauge) for r in (points, [rotate(r, q, inversion) for r in points]))
    assert any(x for row in before[last] for x in row)
    return [
        name
        for name, tau in types.items()
        if name in before
        and any(
            flatten(transform(unflatten(tau, x), lambda l: monomial_D(l, q), inversion and tau.has_parity)) != y
            for x, y in zip(before[name], after[name], strict=True)
        )
    ]


@pytest.mark.parametrize("name", RING)
def test_every_state_is_covariant_over_gaussian_rationals(name):
    assert residuals(RING[name], MONOMIAL, (2, 1, 0, -1), "O(3)" in name and "SO(3)" not in name) == []


def test_without_parities_an_inversion_does_not_act_on_states():
    """The same polynomials: at inverted positions the states of SO(3) are neither the old ones nor their negatives."""
    assert "level1/atoms/mixed" in residuals(RING["SO(3)"], MONOMIAL, (1, 0, 0, 0), True)


def test_a_scaled_component_of_the_harmonics_is_caught():
    def harmonic(l, r):
        return [x * (1 + (m == 1 == l)) for m, x in enumerate(MONOMIAL.harmonic(l, r))]

    wrong = Gauge("wrong", MONOMIAL.coupling, harmonic, MONOMIAL.vector)
    assert residuals(RING["O(3)"], wrong, (2, 1, 0, -1), False)


def test_initial_weights_have_the_published_distributions():
    model = Cormorant(CormorantSpec(SPECIES, n_levels=2), seed=0)
    assert model.parameters["level1/frequencies"][0].tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    assert np.array_equal(model.parameters["level1/phases"][0] / (np.pi / 2), [1, 0, 0, 0, 1, 1, 1, 1])
    assert (model.parameters["level0/cutoff/radius"] == 1.73).all()
    atoms = model.parameters["level0/atoms"][0, : 30 * 10]  # degree 0: rows of ag, in and sq
    assert np.abs(atoms.real).max() <= 10 / 30 and np.abs(atoms.imag).max() > 9 / 30
    edge = model.parameters["level1/edge0"]  # N(0, 1) / number of rows: 10 + 4 * 10 + 16
    assert edge.size == 66 * 10 and 0.9 < np.std(edge.real) * 66 < 1.1


@pytest.mark.parametrize(("channels", "count"), [(10, 211_482), (16, 367_422)])
def test_qm9_counts_are_those_of_the_equations(channels, count):
    """5 species, 4 levels, degrees to 3: levels, sines and masks as for MD17; input and readout added up by hand."""
    spec = CormorantSpec((1, 6, 7, 8, 9), n_channels=channels, input="messages", readout="perceptrons")
    levels = {10: 61_864, 16: 153_280}[channels]  # 62 465 and 154 241 without their linear input and readout
    invariants = 2 * 4 * channels * 5
    message = 16 + 32 * 15 + 15 + 2 * 15
    ends = [(30, 256, 2 * channels), (invariants, 256, 64), (64, 256, 1)]
    assert count == levels + message + sum(a * b + b + b * c + c for a, b, c in ends)
    assert len(Cormorant(spec).parameters.as_real()) == count


def test_the_learned_cutoff_is_learned():
    model = Cormorant(SMALL, seed=1)
    graph = model.graph([(POSITIONS, NUMBERS)])
    gradient = model.weight_gradient(graph, np.ones(1), np.zeros((5, 3)))
    assert all(np.abs(gradient[f"level{s}/cutoff/{k}"]).min() > 0 for s in (0, 1) for k in ("radius", "width"))
    assert np.abs(gradient["level1/frequencies"]).min() > 0
    assert not any("cutoff" in name for name in Cormorant(replace(SMALL, mask="none")).parameters)


def test_single_precision_runs_through_the_same_program():
    double = Cormorant(SMALL, seed=1)
    weights = {k: a.astype(np.complex64) if a.dtype.kind == "c" else a for k, a in double.parameters.items()}
    single = Cormorant(replace(SMALL, dtype="complex64"), weights)
    graph = double.graph([(POSITIONS, NUMBERS)])
    assert abs(single.energy(graph) - double.energy(graph))[0] <= K * 2.0**-24 * gauge_of_energy(double, graph)


def test_wrong_descriptions_are_named():
    with pytest.raises(NBodyRefError, match="'species' must be distinct atomic numbers"):
        CormorantSpec((1, 1))
    with pytest.raises(NBodyRefError, match=r"'group' must be 'SO\(3\)' or 'O\(3\)', got 'SU\(2\)'"):
        CormorantSpec((1,), group="SU(2)")
    with pytest.raises(NBodyRefError, match="'mask' must be 'learned' or 'none', got 'hard'"):
        CormorantSpec((1,), mask="hard")
    with pytest.raises(ArgumentError, match="'cutoff' must be a positive number"):
        CormorantSpec((1,), 0.0)
    with pytest.raises(ArgumentError, match="'n_powers' must be a non-negative integer"):
        CormorantSpec((1,), n_powers=-1)
    with pytest.raises(NBodyRefError, match="'constant' must be 'molecule' or 'species'"):
        CormorantSpec((1,), constant="atom")
    with pytest.raises(ArgumentError, match="'n_levels' must be a positive integer, got 0"):
        CormorantSpec((1,), n_levels=0)
    with pytest.raises(ArgumentError, match="blocks with a bond cutoff are no more"):
        CormorantSpec.from_dict({**CormorantSpec((1,)).to_dict(), "fusion": [["centre", "neighbours"]]})


def test_training_steps_follow_complex_and_real_weights_downhill():
    frames = ethanol()
    model = Cormorant(replace(SMALL, species=frames.species, cutoff=5.0, jumps=True, level_gain=1.0), seed=0)
    options = DescentOptions(rate=0.01, batch=4, steps=8, ema=0.0, check_every=2)
    trained, run_ = train(model, frames[:24], options, holdout=0.25)
    errors = [entry["holdout"] for entry in run_.history]
    assert errors[-1] < errors[0]
    assert all(np.any(trained.parameters[k] != model.parameters[k]) for k in ("level0/atoms", "level1/phases", "input"))
