"""Gates against the definition written straight from the paper, evaluated in 40-digit arithmetic."""

import json
from dataclasses import dataclass
from typing import ClassVar

import mpmath
import numpy as np
import pytest

from nbody_ref.errors import ArgumentError, IrrepsError
from nbody_ref.exact.definition import Child, Leg, inverse_power, mixing, product, summed_leg, zeroth_order
from nbody_ref.exact.gauges import Gauge, real_gauge
from nbody_ref.exact.network import flatten, unflatten
from nbody_ref.gates import Bare, Directed, Gate, Product, Term, steps
from nbody_ref.gates import zeroth_order as zeroth_order_gate
from nbody_ref.gates.build import program
from nbody_ref.graphs import Edges
from nbody_ref.irreps import Irreps
from nbody_ref.network.parameters import draw
from nbody_ref.ops.radial import InversePowers

U = 2.0**-53
PSI = Irreps("2x0e + 1x1o + 1x2e")
N_CHILDREN = 4
# Roundings on the longest way through one leg: displacement 1, length 4, power 3, harmonics 14, copies 1, the product
# with the edge vector 5 + 3, the sum over children.
K_LEG = 31 + N_CHILDREN


def children(seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((N_CHILDREN, 3)), rng.standard_normal((N_CHILDREN, PSI.dim))


def run(gate, seed=0):
    r, psi = children(seed)
    builder, output = program(gate, PSI)
    edges = Edges.build(np.zeros(N_CHILDREN, int), np.arange(N_CHILDREN), 1, N_CHILDREN)
    none = Edges.build([], [], 1, N_CHILDREN)
    zero = np.zeros(1, dtype=np.uintp)
    batch = {"all": edges, "directed": edges, "centre": none, "kind": zero, "shared": zero}
    values = {"psi": psi, "r_child": r, "r_parent": np.zeros((1, 3)), **draw(builder.parameters, 3)}
    return builder, output, builder.chain().forward(values, batch), batch


def ring(seed, magnitude=False):
    """Children over mpmath numbers; with `magnitude`, absolute values everywhere, for the gauge S."""
    r, psi = children(seed)
    if magnitude:
        r, psi = np.abs(r), np.abs(psi)
    number = np.vectorize(mpmath.mpf, otypes=[object])
    return [Child(list(number(r[i])), unflatten(PSI, list(number(psi[i])))) for i in range(N_CHILDREN)]


def gauges(normalization):
    """The real gauge over mpmath numbers, and the same with every term replaced by its absolute value."""
    exact = real_gauge(mpmath.mpf, "float64", normalization)
    positive = real_gauge(lambda a: mpmath.mpf(abs(a)), "float64", normalization)
    return exact, Gauge("absolute", positive.coupling, positive.harmonic, positive.vector)


def as_floats(state):
    return np.array([float(x) for x in flatten(state)])


def check(computed, exact, gauge, k):
    with mpmath.workdps(40):
        exact, gauge = as_floats(exact), as_floats(gauge)
    assert computed.shape == exact.shape
    assert np.all(np.abs(computed - exact) <= (k + 1) * U * gauge)


@pytest.mark.parametrize("seed", range(3))
def test_zeroth_order_gate_is_equation_10(seed):
    """Ours runs over s fastest within each path, the paper's list has s outermost: the same fragments, reordered."""
    builder, _, values, _ = run(zeroth_order_gate("1x0e + 2x1o"), seed)
    with mpmath.workdps(40):
        exact, absolute = gauges("norm")
        terms, bounds = zeroth_order(ring(seed), exact), zeroth_order(ring(seed, True), absolute)
        paths = len(terms) // 3
        order = [s * paths + p for p in range(paths) for s in range(3)]
        check(values["gate/directed"][0], [terms[i] for i in order], [bounds[i] for i in order], K_LEG)
    assert builder.irreps["gate/directed"] == Irreps([(len(terms[i][1]), terms[i][0]) for i in order])


@pytest.mark.parametrize("legs", [2, 3, 4])
def test_product_of_legs_is_the_definition(legs):
    leg = Directed(InversePowers((2,)), 1, keep=("0e", "1o"))
    gate = Gate((Product((leg,) * legs, ("0e", "1o"), mode="full"),))
    small = Irreps("1x0e + 1x1o")
    rng = np.random.default_rng(legs)
    r, psi = rng.standard_normal((2, 3)), rng.standard_normal((2, small.dim))
    builder, output = program(gate, small)
    edges, zero = Edges.build([0, 0], [0, 1], 1, 2), np.zeros(1, dtype=np.uintp)
    batch = {"all": edges, "directed": edges, "centre": edges, "kind": zero, "shared": zero}
    computed = builder.chain().forward({"psi": psi, "r_child": r, "r_parent": np.zeros((1, 3))}, batch)[output][0]
    with mpmath.workdps(40):
        exact, absolute = gauges("component")
        found = []
        for gauge, size in ((exact, lambda a: a), (absolute, np.abs)):
            number = np.vectorize(mpmath.mpf, otypes=[object])
            each = [Child(list(number(size(r[i]))), unflatten(small, list(number(size(psi[i]))))) for i in range(2)]
            keep = [part.irrep for part in Irreps("0e + 1o")]
            found.append(_legs(each, legs, gauge, inverse_power(2), keep))
    check(computed, *found, legs * K_LEG + (legs - 1) * (3 * small.dim * 4**legs))


def _legs(each, legs, gauge, radial, keep):
    """The product over legs that carry g(d) Y_l of the unit vector: solid harmonics divided by d^l, degree by degree.

    Parts in the order of the reference: part of psi, then degree, then l ascending.
    """
    leg = []
    for i in range(len(each[0].psi)):
        one_part = [Child(child.r_rel, [child.psi[i]]) for child in each]
        for l in (0, 1):
            power = inverse_power(l)
            weighted = Leg((l,), lambda v, power=power: power(v) * radial(v))
            leg += [part for part in summed_leg(one_part, weighted, gauge) if part[0] in keep]
    total = leg
    for _ in range(legs - 1):
        total = product(total, leg, gauge)
    return [part for part in total if part[0] in keep]


def test_mixing_of_a_gate_is_equation_9():
    builder, output, values, _ = run(zeroth_order_gate("1x0e + 2x1o"))
    fragments = unflatten(builder.irreps["gate/directed"], [mpmath.mpf(x) for x in values["gate/directed"][0]])
    name = next(iter(builder.parameters))
    table, flat = builder.parameters[name].table, values[name][0]
    weights = [
        (irrep, [[mpmath.mpf(x) for x in row] for row in flat[at : at + n * m].reshape(n, m)])
        for irrep, n, m, at in table.blocks
    ]
    with mpmath.workdps(40):
        exact = mixing(fragments, weights)
        absolute = mixing(
            [(ir, [[abs(x) for x in f] for f in fs]) for ir, fs in fragments],
            [(ir, [[abs(x) for x in row] for row in rows]) for ir, rows in weights],
        )
    check(values[output][0], exact, absolute, max(n for _, n, _, _ in table.blocks))


def test_a_wrong_radial_power_is_caught():
    """Plant an error: s = 0, 1, 3 instead of 0, 1, 2."""
    with pytest.raises(AssertionError):
        _, _, values, _ = run(Gate((Directed(InversePowers((-1, 0, 2)), 1, degrees=(1,), normalization="norm"),)))
        with mpmath.workdps(40):
            exact, absolute = gauges("norm")
            terms, bounds = zeroth_order(ring(0), exact), zeroth_order(ring(0, True), absolute)
            paths = len(terms) // 3
            order = [s * paths + p for p in range(paths) for s in range(3)]
            check(values["gate/directed"][0], [terms[i] for i in order], [bounds[i] for i in order], K_LEG)


def everything():
    leg = Directed(InversePowers((1, 2)), 2, mul=2, mixed_lmax=2)
    return Gate(
        (Bare(), Directed(InversePowers((3,)), 1), Product((leg, Bare(mul=2), leg), ("0e", "1o"), bond=2)),
        Irreps("1x0e + 2x1o"),
    )


def pairing(chain, bars, tangents):
    """Sum of |bar| |dot| over every variable of the program: each step's roundings enter the pairing through them."""
    names = {name for step in chain.steps for name in (*step.inputs, step.output)}
    return sum(np.sum(np.abs(bars[n]) * np.abs(tangents[n])) for n in names if n in bars and n in tangents)


def test_jvp_and_vjp_of_a_gate_are_adjoint():
    builder, output, values, batch = run(everything())
    chain, rng = builder.chain(), np.random.default_rng(9)
    leaves = ["psi", "r_child", "r_parent", *builder.parameters]
    dots = {name: rng.standard_normal(values[name].shape) for name in leaves}
    tangents = chain.jvp(values, batch, dots)
    bars = chain.vjp(values, batch, {output: rng.standard_normal(values[output].shape)}, leaves)
    left, right = np.sum(bars[output] * tangents[output]), sum(np.sum(bars[n] * dots[n]) for n in leaves)
    assert abs(left - right) <= 2 * K_LEG * U * pairing(chain, bars, tangents)
    wrong = {**bars, "psi": bars["psi"][::-1]}
    assert abs(left - sum(np.sum(wrong[n] * dots[n]) for n in leaves)) > 2 * K_LEG * U * pairing(chain, bars, tangents)


def test_second_derivative_of_a_gate_is_symmetric():
    builder, output, values, batch = run(everything())
    chain, rng = builder.chain(), np.random.default_rng(10)
    leaves = ["psi", "r_child", "r_parent", *builder.parameters]
    bars = chain.vjp(values, batch, {output: rng.standard_normal(values[output].shape)}, leaves)
    u, v = ({name: rng.standard_normal(values[name].shape) for name in leaves} for _ in range(2))
    forms, size = [], 0.0
    for one, other in ((u, v), (v, u)):
        dots = chain.vjp_jvp(values, batch, chain.jvp(values, batch, one), bars, leaves)
        forms.append(sum(np.sum(dots[name] * other[name]) for name in leaves))
        size += pairing(chain, dots, chain.jvp(values, batch, other))
    assert abs(forms[0] - forms[1]) <= 2 * K_LEG * U * size


def test_gate_survives_json():
    gate = everything()
    assert Gate.from_dict(json.loads(json.dumps(gate.to_dict()))) == gate


def test_terms_say_what_is_wrong():
    with pytest.raises(ArgumentError, match="'children' must be 'all' or 'centre'"):
        Bare("some")
    with pytest.raises(ArgumentError, match="2 to 4"):
        Product((Bare(),), ("0e",))
    with pytest.raises(ArgumentError, match="'mode' must be"):
        Product((Bare(), Bare()), ("0e",), mode="uvw")
    with pytest.raises(ArgumentError, match="'lmax' must be a non-negative integer"):
        Directed(InversePowers(), -1)
    with pytest.raises(ArgumentError, match=r"'degrees' must lie in 0\.\.1"):
        Directed(InversePowers(), 1, degrees=(2,))
    with pytest.raises(ArgumentError, match="at least 1 terms"):
        Gate(())
    with pytest.raises(IrrepsError, match="no coupling"):
        program(Gate((Product((Bare(), Bare()), ("9e",)),)), PSI)


def test_a_term_of_the_user_s_own_is_emitted_described_and_ordered_by_its_class_alone():
    @dataclass(frozen=True)
    class Twice(Term):
        leg: Bare

        reads: ClassVar = {"leg": Term.from_dict}

        def emit(self, builder, place, name):
            one = self.leg.emit(builder, place, f"{name}/one")
            return builder.emit(steps.RESCALE, (one,), f"{name}/two", ((2.0, one.irreps.dim),), irreps=one.irreps)

    try:
        gate = Gate((Twice(Bare()), Bare()))
        builder, out = program(gate, "2x0e + 1x1o")
        assert str(out.irreps) == "2x0e + 1x1o + 2x0e + 1x1o" and gate.terms[0].n_factors == 1
        assert [step.output for step in builder.steps] == ["gate/sum/all", "gate/term1/two", "gate/fragments"]
        assert Gate.from_dict(json.loads(json.dumps(gate.to_dict()))) == gate
    finally:
        Term.kinds.pop("Twice")
