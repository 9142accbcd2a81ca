"""Programs of networks: covariant over Gaussian rationals with residual zero; floats against 40 digits."""

from fractions import Fraction
from functools import cache

import mpmath
import numpy as np
import pytest

from nbody_ref.errors import GeometryError, NBodyRefError
from nbody_ref.exact.cg import cg_table
from nbody_ref.exact.gauges import MONOMIAL, Gauge, real_gauge
from nbody_ref.exact.network import flatten, rational_points, rotate, transform, unflatten
from nbody_ref.exact.ring import Gauss
from nbody_ref.exact.wigner import monomial_D
from nbody_ref.gates import Aggregation, Bare, Directed, Gate, Pairs, Product, first_order, relative, zeroth_order
from nbody_ref.gates.over_ring import run
from nbody_ref.network import Network, Schemes, Spec
from nbody_ref.ops.radial import Bessel, InversePowers
from nbody_ref.scheme import Node, Scheme

U = {"float64": 2.0**-53, "float32": 2.0**-24, "complex128": 2.0**-53, "complex64": 2.0**-24}
NUMBERS = np.array([8, 1, 1])
LEG = Directed(InversePowers((1, 2)), 1, mul=2, mixed_lmax=1)
# Roundings of one step, largest over the program: 3 edges x 9 terms of a product, 100 rows of a mixing in blocks of 4
# plus their ends, complex products counted by components.
K = 2 * (27 + 40)


def networks(dtype="float64", basis="real"):
    """Every gate once: on neighbourhoods (10) and products of three legs, then (12); on a scheme (6), then (11)."""
    first = Gate((*zeroth_order("").terms, Bare("centre"), Product((LEG,) * 3, ("0e", "1o"))), "2x0e + 2x1o")
    second = Gate(
        (*relative("1x0e + 1x1o + 1x2e", (0, 3)).terms, Pairs(InversePowers((2,)), 2, keep=("1o",))),
        "1x0e + 1x1o + 1x2e",
    )
    spec = Spec((1, 8), np.inf, (first, second, Gate((Bare(),))), dtype, basis=basis)
    pair = Gate((Aggregation(1, 1, 0, 2, keep=("0e", "1o", "2e")),), "1x0e + 1x1o + 1x2e")
    out = "1x0e + 2x1o + 1x1e"
    top = Gate(first_order(out, (0, 2)).terms, out)
    schemes = Spec((1, 8), 4.0, (pair, top), dtype, Schemes.like([scheme()]), basis)
    return {"neighbourhoods": Network(spec, seed=1), "scheme": Network(schemes, seed=2)}


def scheme():
    atoms = [Node([i], kind=int(z)) for i, z in enumerate(NUMBERS)]
    return Scheme([*atoms, Node([0, 1], [0, 1], "a"), Node([0, 2], [0, 2], "b"), Node(range(3), [3, 4], "all")])


def graph_of(net, positions):
    return net.graph([(positions, NUMBERS)], [scheme()] if net.spec.schemes else None)


def inputs(net, positions):
    """Leaves and batch of a run; edges from floats, positions to be replaced."""
    leaves, batch = net.leaves(graph_of(net, positions))
    return leaves, batch


def exact_run(net, points, gauge, rng):
    leaves, batch = inputs(net, np.array([[float(x) for x in r] for r in points]))
    ring = {"r": points, "psi0": [[int(x) for x in row] for row in leaves["psi0"]]}
    for name, array in net.parameters.items():
        weights = rng.integers(-2, 3, (*array.shape, 2))
        ring[name] = [[Gauss(int(a), int(b)) for a, b in row] for row in weights]
    return run(net.chain, ring, batch, gauge)


def residuals(net, gauge, q, inversion):
    """Variables of the program whose turned value is not the value at turned positions."""
    points = rational_points(3)
    turned = [rotate(r, q, inversion) for r in points]
    before, after = (exact_run(net, r, gauge, np.random.default_rng(7)) for r in (points, turned))
    assert any(x for row in before[net.root] for x in row)
    bad = []
    for name, tau in net.irreps.items():
        for x, y in zip(before[name], after[name], strict=True):
            if flatten(transform(unflatten(tau, x), lambda l: monomial_D(l, q), inversion)) != y:
                bad.append(name)
                break
    return bad


@pytest.mark.parametrize(("q", "inversion"), [((2, 1, 0, 0), False), ((2, 0, 0, 1), True), ((1, -2, 3, 1), False)])
@pytest.mark.parametrize("name", ["neighbourhoods", "scheme"])
def test_every_state_of_the_program_is_covariant_over_gaussian_rationals(name, q, inversion):
    assert residuals(networks()[name], MONOMIAL, q, inversion) == []


def test_a_scaled_component_of_the_harmonics_is_caught():
    def harmonic(l, r):
        return [x * (1 + Fraction(m == l, 10**9)) for m, x in enumerate(MONOMIAL.harmonic(l, r))]

    wrong = Gauge("wrong", MONOMIAL.coupling, harmonic, MONOMIAL.vector)
    bad = residuals(networks()["neighbourhoods"], wrong, (2, 1, 0, 0), False)
    assert "root/sum/all" in bad


@cache
def gauge_of(basis, normalization):
    """The gauge of the reference with constants rounded as its tables are, over 40-digit numbers."""
    real = real_gauge(mpmath.mpf, "float64", normalization)
    if basis == "real":
        return real

    @cache
    def coupling(l1, l2, l):
        return [(m1, m2, m, mpmath.mpf(value.round())) for m1, m2, m, value in cg_table(l1, l2, l)]

    def harmonic(l, r):
        y, found = real.harmonic(l, r), [mpmath.mpc(0)] * (2 * l + 1)
        for m in range(1, l + 1):
            found[l + m] = (-1) ** m * (y[l + m] - 1j * y[l - m]) / mpmath.sqrt(2)
            found[l - m] = (y[l + m] + 1j * y[l - m]) / mpmath.sqrt(2)
        found[l] = y[l] + mpmath.mpc(0)
        return found

    return Gauge("complex", coupling, harmonic, lambda r: harmonic(1, r))


def law(net, positions):
    """Worst |computed - exact| / (u S) over the root's components; S = sum |adjoint| |value| over all variables."""
    leaves, batch = inputs(net, positions)
    number = np.vectorize(mpmath.mpc if net.spec.is_complex else mpmath.mpf, otypes=[object])
    with mpmath.workdps(40):
        ring = {name: number(array).tolist() for name, array in leaves.items()}
        ring["r"] = np.vectorize(mpmath.mpf, otypes=[object])(positions).tolist()
        exact = run(net.chain, ring, batch, lambda normalization: gauge_of(net.spec.basis, normalization))[net.root]
        values = net.chain.forward(leaves, batch)
        error = np.array(
            [
                [abs(mpmath.mpmathify(complex(a)) - b) for a, b in zip(x, y)]
                for x, y in zip(values[net.root].tolist(), exact)
            ],
            dtype=float,
        )
    worst = 0.0
    for i in range(net.irreps_out.dim):
        seed = np.zeros_like(values[net.root])
        seed[0, i] = 1
        bars = net.chain.vjp(values, batch, {net.root: seed}, ("r", "psi0", *net.parameters))
        size = sum(np.sum(np.abs(bars[n]) * np.abs(values[n])) for n in bars)
        worst = max(worst, error[0, i] / (U[net.spec.dtype] * size))
    return worst


POSITIONS = np.random.default_rng(8).standard_normal((3, 3))


@pytest.mark.parametrize(
    ("dtype", "basis"), [("float64", "real"), ("float32", "real"), ("complex128", "complex"), ("complex64", "complex")]
)
@pytest.mark.parametrize("name", ["neighbourhoods", "scheme"])
def test_network_is_within_the_accuracy_law_of_its_definition(name, dtype, basis):
    assert law(networks(dtype, basis)[name], POSITIONS) <= K


def definition(net, positions, v, h):
    """Root states at positions + h v in 40 digits."""
    leaves, batch = inputs(net, positions)
    number = np.vectorize(mpmath.mpc if net.spec.is_complex else mpmath.mpf, otypes=[object])
    ring = {name: number(array).tolist() for name, array in leaves.items()}
    ring["r"] = [[mpmath.mpf(float(x)) + h * float(d) for x, d in zip(row, slope)] for row, slope in zip(positions, v)]
    return run(net.chain, ring, batch, lambda normalization: gauge_of(net.spec.basis, normalization))[net.root][0]


@pytest.mark.parametrize(("dtype", "basis"), [("float64", "real"), ("complex128", "complex")])
@pytest.mark.parametrize("name", ["neighbourhoods", "scheme"])
def test_derivatives_with_respect_to_positions_are_within_the_law(name, dtype, basis):
    """Forward and reverse, against a central difference with h = 1e-12 in 40 digits, right to 1e-22."""
    net, v = networks(dtype, basis)[name], np.random.default_rng(9).standard_normal((3, 3))
    with mpmath.workdps(40):
        h = mpmath.mpf(10) ** -12
        plus, minus = (definition(net, POSITIONS, v, s * h) for s in (1, -1))
        exact = np.array([complex((a - b) / (2 * h)) for a, b in zip(plus, minus)])
    leaves, batch = inputs(net, POSITIONS)
    values = net.chain.forward(leaves, batch)
    dots = net.chain.jvp(values, batch, {"r": v})
    wrt = ("r", "psi0", *net.parameters)
    for i in range(net.irreps_out.dim):
        seed = np.zeros_like(values[net.root])
        seed[0, i] = 1
        bars = net.chain.vjp(values, batch, {net.root: seed}, wrt)
        bars_dot = net.chain.vjp_jvp(values, batch, dots, bars, wrt)
        size = sum(np.sum(np.abs(x) * np.abs(values[n])) for n, x in bars_dot.items())
        size += sum(np.sum(np.abs(x) * np.abs(dots[n])) for n, x in bars.items() if n in dots)
        assert abs(dots[net.root][0, i] - exact[i]) <= K * U[dtype] * size
        assert abs(np.sum(bars["r"] * v) - exact[i].real) <= K * U[dtype] * size
        assert abs(np.sum(bars["r"] * v) + exact[i].real) > K * U[dtype] * size


def test_a_weight_off_by_many_roundings_is_caught():
    net = networks()["neighbourhoods"]
    wrong = net.with_parameters({k: a * (1 + 1e-10) for k, a in net.parameters.items()})
    leaves, batch = inputs(net, POSITIONS)
    one, two = net.chain.forward(leaves, batch)[net.root], wrong.chain.forward({**leaves, **wrong.parameters}, batch)
    assert np.abs(one - two[net.root]).max() > K * U["float64"] * np.abs(one).max()


def test_an_odd_power_of_an_irrational_length_is_refused():
    gates = (Gate((Directed(InversePowers((1,)), 0),), "1x0e"), Gate((Bare(),)))
    net = Network(Spec((1, 8), np.inf, gates))
    with pytest.raises(GeometryError, match="irrational length"):
        exact_run(net, [[1, 1, 0], [0, 0, 0], [0, 1, 2]], MONOMIAL, np.random.default_rng(0))


def test_other_radial_functions_have_no_definition_over_a_ring():
    net = Network(Spec((1, 8), 4.0, (Gate((Directed(Bessel(2, 4.0), 1),), "1x0e"), Gate((Bare(),)))))
    with pytest.raises(NBodyRefError, match="inverse powers only"):
        exact_run(net, rational_points(3), MONOMIAL, np.random.default_rng(0))
