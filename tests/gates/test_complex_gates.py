"""The four derivative functions of every named gate, in both gauges: real part of the pairing, no conjugation."""

import numpy as np
import pytest

from nbody_ref.gates import Aggregation, Directed, Gate, Product, first_order, relative, zeroth_order
from nbody_ref.gates.build import program
from nbody_ref.graphs import Edges
from nbody_ref.irreps import Irreps
from nbody_ref.network.parameters import draw
from nbody_ref.ops.radial import InversePowers

U = 2.0**-53
PSI, N = Irreps("2x0e + 1x1o"), 2
K = 2 * 80  # one step: 40 rounded products, complex ones by components, and the pairing itself
LEG = Directed(InversePowers((0, 1)), 1, mul=2)
GATES = {
    "zeroth": zeroth_order("1x0e + 2x1o + 1x2e"),
    "first": first_order("1x0e + 1x1o", (0, 3)),
    "relative": relative("1x0e + 1x1o", (1, 2)),
    "aggregation": Gate((Aggregation(1, 1, 1, N, keep=("0e", "1o")),), "1x0e + 1x1o"),
    "legs": Gate((Product((LEG, LEG, LEG), ("0e",), bond=1),), "2x0e"),
}


def random_like(x, rng):
    y = rng.standard_normal(x.shape)
    return y + 1j * rng.standard_normal(x.shape) if x.dtype.kind == "c" else y


def setting(gate, dtype, basis):
    builder, output = program(gate, PSI, 1, dtype, basis)
    rng = np.random.default_rng(3)
    edges, zero = Edges.build(np.zeros(N, int), np.arange(N), 1, N), np.zeros(1, dtype=np.uintp)
    batch = {"all": edges, "directed": edges, "centre": edges, "kind": zero, "shared": zero}
    leaves = {
        "psi": random_like(np.zeros((N, PSI.dim), dtype), rng),
        "r_child": rng.standard_normal((N, 3)),
        "r_parent": np.zeros((1, 3)),
        **draw(builder.parameters, 5, dtype),
    }
    chain = builder.chain()
    return chain, output, chain.forward(leaves, batch), batch, [n for n in leaves if n != "r_parent"], rng


def paired(a, b):
    names = a.keys() & b.keys()
    return sum(np.sum(np.abs(a[n]) * np.abs(b[n])) for n in names)


@pytest.mark.parametrize(("dtype", "basis"), [("complex128", "complex"), ("complex128", "real"), ("float64", "real")])
@pytest.mark.parametrize("name", GATES)
def test_gate_derivatives_are_adjoint_and_symmetric(name, dtype, basis):
    chain, output, values, batch, leaves, rng = setting(GATES[name], dtype, basis)
    u, v = ({n: random_like(values[n], rng) for n in leaves} for _ in range(2))
    tangents = chain.jvp(values, batch, u)
    bars = chain.vjp(values, batch, {output: random_like(values[output], rng)}, leaves)
    assert bars["r_child"].dtype == np.float64
    left = np.sum(bars[output] * tangents[output]).real
    right = sum(np.sum(bars[n] * u[n]).real for n in leaves)
    assert abs(left - right) <= K * U * paired(bars, tangents)
    if dtype == "complex128":
        conjugated = sum(np.sum(bars[n].conj() * u[n]).real for n in leaves)
        assert abs(left - conjugated) > K * U * paired(bars, tangents)
    forms, size = [], 0.0
    for one, other in ((u, v), (v, u)):
        dots = chain.vjp_jvp(values, batch, chain.jvp(values, batch, one), bars, leaves)
        forms.append(sum(np.sum(dots[n] * other[n]).real for n in leaves))
        size += paired(dots, chain.jvp(values, batch, other)) + paired(bars, chain.jvp(values, batch, other))
    assert abs(forms[0] - forms[1]) <= K * U * size


@pytest.mark.parametrize("name", GATES)
def test_second_derivative_is_the_slope_of_the_first(name):
    """Tangent of the cotangents against central differences of the cotangents at two steps: the error falls as h^2."""
    chain, output, values, batch, leaves, rng = setting(GATES[name], "complex128", "complex")
    u = {n: random_like(values[n], rng) for n in leaves}
    seed = {output: random_like(values[output], rng)}
    bars = chain.vjp(values, batch, seed, leaves)
    dots = chain.vjp_jvp(values, batch, chain.jvp(values, batch, u), bars, leaves)
    errors = []
    for h in (2e-4, 1e-4):
        sides = []
        for sign in (1, -1):
            moved = {n: values[n] + sign * h * u.get(n, 0) for n in (*leaves, "r_parent")}
            sides.append(chain.vjp(chain.forward(moved, batch), batch, seed, leaves))
        errors.append(sum(np.abs((sides[0][n] - sides[1][n]) / (2 * h) - dots[n]).max() for n in leaves))
    assert errors[1] < errors[0] / 3
    assert errors[1] < 1e-4 * max(np.abs(dots[n]).max() for n in leaves)
