"""Errata of the N-body paper (docs/paper_map.md): the corrected statement holds, the printed one does not.

The planted error of every claim is the printed statement itself. E8 is about another model, which is written out here.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import sympy
from _claims import Cases, claim, main
from _judge import of_surd, turn

from nbody_ref import Irrep, Irreps
from nbody_ref.errors import GeometryError
from nbody_ref.exact import Gauss, definition, wigner_D
from nbody_ref.exact.definition import Child
from nbody_ref.exact.gauges import MONOMIAL
from nbody_ref.exact.network import affine_position, evaluate
from nbody_ref.ops.mixing import MixingTable

SO3 = tuple(Irrep(l) for l in range(9))


def multiplicities(character: Callable[[Any], Any], top: int) -> list[int]:
    """Multiplicity of each degree, from the character as a Laurent polynomial in t = exp(i angle)."""
    t = sympy.Symbol("t")
    poly = sympy.Poly(sympy.expand(character(t) * t**top), t)
    weights = {power[0] - top: int(c) for power, c in poly.terms()}
    return [weights.get(l, 0) - weights.get(l + 1, 0) for l in range(top + 1)]


def chi(l: int) -> Callable[[Any], Any]:
    """Character of degree l."""
    return lambda t: sum(t**m for m in range(-l, l + 1))


def type_of_product(L: int) -> list[int]:
    """The package's type of (1, ..., 1) x (0, 1)."""
    found = [irrep.l for l in range(L + 1) for irrep in Irrep(l) * Irrep(1)]
    return [found.count(l) for l in range(max(found) + 1)]


@claim(
    "9.1",
    "sec. 4.0.1 (E1)",
    "type of (1,..,1) x (0,1): (1,2,1), (1,3,2,1), (1,3,..,3,2,1), of length L + 2",
    "characters, sympy",
    {"type": type_of_product},
    {"printed: (1,3,2,..,2,1)": {"type": lambda L: [1, 3, *[2] * (L - 1), 1][: L + 2]}},
)
def type_of_the_product(subject: SimpleNamespace, full: bool) -> Cases:
    for L in range(1, 9 if full else 5):
        expected = multiplicities(lambda t, L=L: sum(chi(l)(t) for l in range(L + 1)) * chi(1)(t), L + 1)
        yield L, 0 if subject.type(L) == expected else 1


@claim(
    "9.2",
    "sec. 4.0.1 (E2)",
    "W^l of eq. (9) has tau'_l rows and tau_l columns",
    "shapes of F W",
    {"shape": lambda block: (block.mul_in, block.mul_out)},
    {"printed: out x in": {"shape": lambda block: (block.mul_out, block.mul_in)}},
)
def shape_of_weights(subject: SimpleNamespace, full: bool) -> Cases:
    for L in (1, 2, 3):
        fragments = Irreps([(3 * n, Irrep(l)) for l, n in enumerate(type_of_product(L))])
        out = Irreps([(2, Irrep(l)) for l in range(L + 1)])
        for block in MixingTable.build(fragments, out).blocks:
            rows, columns = subject.shape(block)
            F = sympy.ones(block.irrep.dim, fragments.count(block.irrep))
            try:
                shape = (F * sympy.ones(rows, columns)).shape
            except sympy.matrices.exceptions.ShapeError:
                shape = None
            yield (L, block.irrep), 0 if shape == (block.irrep.dim, out.count(block.irrep)) else 1


def as_sympy(D: Any) -> Any:
    """A matrix of (real, imaginary) surds."""
    number = lambda s: of_surd(s)[0] * sympy.sqrt(sympy.Rational(s.p, s.q))  # noqa: E731
    return sympy.Matrix([[number(re) + sympy.I * number(im) for re, im in row] for row in D])


def printed_matrix(l: int, q: Sequence[int]) -> Any:
    """exp(i psi m') Y^l_m(theta, phi), as printed after eq. (2), at angles with rational sines and cosines."""
    e = (3 + 4 * sympy.I) / 5
    theta = sympy.acos(sympy.Rational(5, 13))
    row = [sympy.Ynm(l, m, theta, sympy.atan(1)).expand(func=True) for m in range(-l, l + 1)]
    return sympy.Matrix([[e**m1 * y for y in row] for m1 in range(-l, l + 1)])


@claim(
    "9.3",
    "after eq. (2) (E3)",
    "rho_l is D^l: determinant 1; e^{i psi m'} Y^l_m has rank one and no inverse",
    "sympy",
    {"rho": lambda l, q: as_sympy(wigner_D(l, q))},
    {"printed: exp(i psi m') Y": {"rho": printed_matrix}},
)
def representation_matrix(subject: SimpleNamespace, full: bool) -> Cases:
    for l in (1, 2) if full else (1,):
        for q in ((1, 2, 3, 4), (2, 1, 0, 0)):
            yield (l, q), sympy.simplify(sympy.expand(subject.rho(l, q).det(method="berkowitz"))) - 1


@claim(
    "9.4",
    "Definition 2 (E4)",
    "a scalar is an irreducible vector of order 0, not of order 1",
    "invariance under a rotation, sympy",
    {"order of a scalar": 0},
    {"printed: first order": {"order of a scalar": 1}},
)
def order_of_a_scalar(subject: SimpleNamespace, full: bool) -> Cases:
    l = vars(subject)["order of a scalar"]
    yield "dimension", Irrep(l).dim - 1
    yield "action", 0 if as_sympy(wigner_D(l, (1, 2, 3, 4))) == sympy.eye(2 * l + 1) else 1


def scalars(r: Sequence[Any], value: int = 1) -> Child:
    """A child with a scalar state."""
    return Child(list(r), [(Irrep(0), [[Gauss(value, 0)]])])


def eq_11_first_term_printed(children: Sequence[Child], s: int) -> Any:
    """Eq. (11) with r_i x r_i where r_j is meant."""
    pairs = []
    for a in children:
        for b in children:
            r = [(Irrep(1), [MONOMIAL.vector(a.r_rel)])]
            state = definition.product(
                definition.product(definition.product(a.psi, b.psi, MONOMIAL), r, MONOMIAL), r, MONOMIAL
            )
            factor = definition.inverse_power(s)(a.r_rel) * definition.inverse_power(s)(b.r_rel)
            pairs.append(definition.scale(state, factor))
    return definition.add(pairs)


def eq_11_last_term_printed(children: Sequence[Child], s: int) -> Any:
    """Eq. (11) with one factor r_i dropped."""
    pairs = []
    for a in children:
        for b in children:
            r = [(Irrep(1), [MONOMIAL.vector(b.r_rel)])]
            state = definition.product(definition.product(a.psi, b.psi, MONOMIAL), r, MONOMIAL)
            factor = definition.inverse_power(s)(a.r_rel) * definition.inverse_power(s)(b.r_rel)
            pairs.append(definition.scale(state, factor))
    return definition.add(pairs)


def eq_11(children: Sequence[Child], s: int) -> Any:
    """The package's gate, one power."""
    return definition.first_order(children, MONOMIAL, (s,))


def invariants(state: Any) -> list[Any]:
    """The scalars of a state."""
    return [f[0] for irrep, fragments in state if irrep.l == 0 for f in fragments]


@claim(
    "9.5",
    "eq. (11) (E5)",
    "terms scale as |r|^(2-2s) and see the angle between two children",
    "scaling and turning one child, rationals",
    {"gate": eq_11},
    {
        "printed first term: r_i x r_i": {"gate": eq_11_first_term_printed},
        "printed last term: one r dropped": {"gate": eq_11_last_term_printed},
    },
)
def first_order_terms(subject: SimpleNamespace, full: bool) -> Cases:
    a, b = [Fraction(3), Fraction(4), Fraction(0)], [Fraction(0), Fraction(5, 13), Fraction(12, 13)]
    for s in range(4):
        small = subject.gate([scalars(a), scalars(b, 2)], s)
        large = subject.gate([scalars([2 * x for x in a]), scalars([2 * x for x in b], 2)], s)
        yield (s, "scale"), 0 if definition.scale(small, Fraction(2) ** (2 - 2 * s)) == large else 1
        turned = subject.gate([scalars(a), scalars(turn((1, 2, 0, 1), b), 2)], s)
        yield (s, "angle"), 0 if invariants(turned) != invariants(small) else 1


def eq_12(children: Sequence[Child], s: int) -> Any:
    """The package's gate, one power."""
    return definition.relative(children, MONOMIAL, (s,))


def eq_12_printed(children: Sequence[Child], s: int) -> Any:
    """Eq. (12) with the terms i = j."""
    pairs = []
    for a in children:
        for b in children:
            r = [x - y for x, y in zip(a.r_rel, b.r_rel)]
            state = definition.product(
                definition.product(a.psi, b.psi, MONOMIAL), [(Irrep(1), [MONOMIAL.vector(r)])], MONOMIAL
            )
            pairs.append(definition.scale(state, definition.inverse_power(s)(r)))
    return definition.add(pairs)


@claim(
    "9.6",
    "eq. (12) (E6)",
    "the sum runs over i != j; a term i = j would be 0 times infinity",
    "terms written out, rationals",
    {"gate": eq_12},
    {"printed: all i, j": {"gate": eq_12_printed}},
)
def relative_terms(subject: SimpleNamespace, full: bool) -> Cases:
    children = [scalars((3, 4, 0)), scalars((0, 0, 5), 2), scalars((0, 4, 5), 3)]
    for s in (0, 2):
        try:
            ((irrep, (fragment,)),) = subject.gate(children, s)
        except GeometryError:
            yield s, 1
            continue
        total = [Fraction(0)] * 3
        for i, a in enumerate(children):
            for j, b in enumerate(children):
                r = [x - y for x, y in zip(a.r_rel, b.r_rel)]
                if i != j:
                    size = sum(x * x for x in r)
                    weight = Fraction((i + 1) * (j + 1), size ** (s // 2))
                    total = [t + weight * x for t, x in zip(total, r)]
        yield s, 0 if fragment == MONOMIAL.vector(total) and irrep.l == 1 else 1


@claim(
    "9.7",
    "eq. (7) (E7)",
    "L acts on tau'_l fragments of degree l, the number before mixing",
    "characters, sympy",
    {"rows": lambda before, after: before},
    {"printed: tau_l": {"rows": lambda before, after: after}},
)
def number_of_fragments(subject: SimpleNamespace, full: bool) -> Cases:
    state = [(Irrep(l), [[Gauss(1, 0)] * (2 * l + 1)] * n) for l, n in ((0, 2), (1, 1), (2, 1))]
    found = definition.product(state, state, MONOMIAL)
    character = lambda t: (2 * chi(0)(t) + chi(1)(t) + chi(2)(t)) ** 2  # noqa: E731
    for l, expected in enumerate(multiplicities(character, 4)):
        before = sum(len(fragments) for irrep, fragments in found if irrep.l == l)
        yield l, subject.rows(before, sum(len(f) for irrep, f in state if irrep.l == l)) - expected


def triple_product(irreps: str, r: Sequence[Sequence[int]]) -> Any:
    """((r1 x r2) x r3), scalars only, as states of a type with or without parities."""
    vector = lambda v: [(Irreps(irreps)[0].irrep, [MONOMIAL.vector(v)])]  # noqa: E731
    pair = definition.product(vector(r[0]), vector(r[1]), MONOMIAL)
    return [(irrep, f[0][0]) for irrep, f in definition.product(pair, vector(r[2]), MONOMIAL) if irrep.l == 0]


RADIAL = (lambda s: 1 / (1 + s), lambda s: 1 / (2 + s) ** 2)  # functions of the squared distance
COUPLES = [(a, b) for a in range(2) for b in range(a, 2)]


def moment_tensor_energy(rows: Sequence[Sequence[Fraction]], xi: Sequence[Any], c: Sequence[Sequence[Any]]) -> Any:
    """Moment tensor potential of one atom: E = sum xi_a B_a, B_a contractions of M_{mu,nu} = sum_j f_mu(r_j) r_j^nu."""
    square = [sum(x * x for x in r) for r in rows]
    f = [[sum(c[mu][k] * q(s) for k, q in enumerate(RADIAL)) for s in square] for mu in range(2)]
    scalar = [sum(g) for g in f]
    vector = [[sum(g * r[a] for g, r in zip(f[mu], rows)) for a in range(3)] for mu in range(2)]
    basis = [*scalar]
    basis += [scalar[a] * scalar[b] for a, b in COUPLES]
    basis += [sum(x * y for x, y in zip(vector[a], vector[b])) for a, b in COUPLES]
    return sum(x * b for x, b in zip(xi, basis))


def without_parameters(rows: Sequence[Sequence[Fraction]], xi: Sequence[Any], c: Sequence[Sequence[Any]]) -> Any:
    """As printed: nothing to learn, whatever the coefficients."""
    return moment_tensor_energy(rows, [Fraction(1)] * len(xi), [[Fraction(1), Fraction(2)]] * 2)


@claim(
    "9.8",
    "sec. 5 (E8)",
    "moment tensor potentials learn: linear (xi) and radial (c) coefficients move the energy",
    "rank of dE / d(xi, c), rationals",
    {"energy": moment_tensor_energy},
    {"printed: no learnable parameters": {"energy": without_parameters}},
)
def moment_tensors(subject: SimpleNamespace, full: bool) -> Cases:
    rng, one, start = random.Random(90), Fraction(1), [Fraction(k + 1) for k in range(12)]
    jacobian = []
    for _ in range(14):
        rows = [[Fraction(rng.randrange(-6, 7), rng.randrange(1, 4)) for _ in range(3)] for _ in range(3)]

        def energy(p: list[Fraction], rows: Any = rows) -> Fraction:
            return subject.energy(rows, p[:8], [p[8:10], p[10:]])

        moved = [[[x + s * one * (i == k) for i, x in enumerate(start)] for s in (1, -1)] for k in range(12)]
        jacobian.append([(energy(up) - energy(down)) / 2 for up, down in moved])  # exact: no parameter beyond squares
    matrix = sympy.Matrix([[sympy.Rational(x.numerator, x.denominator) for x in row] for row in jacobian])
    yield "linear: all eight are independent", matrix[:, :8].rank() - 8
    yield "radial: all four are independent", matrix[:, 8:].rank() - 4


@claim(
    "9.9",
    "sec. 3 (E9)",
    "scalars of an O(3) energy do not change under reflection: r1.(r2 x r3) is excluded",
    "determinant, sympy",
    {"type": "1x1o"},
    {"printed: SO(3) types": {"type": "1x1"}},
)
def pseudoscalars(subject: SimpleNamespace, full: bool) -> Cases:
    r = [(1, 2, 3), (0, 1, 4), (5, 6, 0)]
    mirrored = [tuple(-x for x in v) for v in r]
    before, after = triple_product(subject.type, r), triple_product(subject.type, mirrored)
    yield "the pseudoscalar is there", 0 if any(v for _, v in before) and sympy.Matrix(r).det() else 1
    allowed = [k for k, (irrep, _) in enumerate(before) if irrep.p in (None, 1)]
    yield "reflection", sum(before[k][1] != after[k][1] for k in allowed)
    yield "it changes sign", sum(v != -w for (_, v), (_, w) in zip(before, after))


@claim(
    "9.10",
    "eq. (2) (E10)",
    "the direct sum of degree l runs over tau_l fragments: dimension sum_l tau_l (2l + 1)",
    "count",
    {"dim": lambda tau, n: Irreps(tau).dim},
    {"printed: n fragments of each degree": {"dim": lambda tau, n: sum(n * p.irrep.dim for p in Irreps(tau))}},
)
def fragments_of_a_state(subject: SimpleNamespace, full: bool) -> Cases:
    for tau, counts in (("2x0 + 3x1", (2, 3)), ("1x0 + 4x1 + 2x2", (1, 4, 2))):
        yield tau, subject.dim(tau, len(counts)) - sum(n * (2 * l + 1) for l, n in enumerate(counts))


def total_force(phi: Sequence[Any], atom: Sequence[Any], i: int) -> list[Any]:
    """F_i = - d(sum_j phi_j) / dr_i."""
    return [-sympy.diff(sum(phi), x) for x in atom]


@claim(
    "9.11",
    "sec. 1 (E11)",
    "F_i = -dE/dr_i of E = sum_j phi_j: forces sum to zero and conserve the energy",
    "sympy",
    {"force": total_force},
    {"printed: -grad phi_i": {"force": lambda phi, atom, i: [-sympy.diff(phi[i], x) for x in atom]}},
)
def forces(subject: SimpleNamespace, full: bool) -> Cases:
    atoms = [sympy.symbols(f"x{i} y{i} z{i}") for i in range(3)]
    distance2 = lambda a, b: sum((s - t) ** 2 for s, t in zip(a, b))  # noqa: E731
    phi = [sum((i + 1) * distance2(a, b) ** 2 for k, b in enumerate(atoms) if k != i) for i, a in enumerate(atoms)]
    F = [subject.force(phi, atom, i) for i, atom in enumerate(atoms)]
    for axis in range(3):
        yield ("sum", axis), sympy.expand(sum(f[axis] for f in F))
    velocity = [sympy.symbols(f"u{i} v{i} w{i}") for i in range(3)]
    power = sum(f * v for fs, vs in zip(F, velocity) for f, v in zip(fs, vs))
    change = sum(sympy.diff(sum(phi), x) * v for xs, vs in zip(atoms, velocity) for x, v in zip(xs, vs))
    yield "energy", sympy.expand(power + change)


def state_at_root(atoms: Sequence[Any], absolute: bool) -> Any:
    """One node over three atoms with gate (10), positions relative to the node or as they are."""
    leaves = {
        i: [(Irrep(0), [[Gauss(i + 1, 0)]]), (Irrep(1), [[Gauss(1, i), Gauss(0, 2), Gauss(i, 0)]])] for i in range(3)
    }
    root = [0, 0, 0] if absolute else affine_position({i: Fraction(1, 3) for i in range(3)}, atoms)
    gate = lambda children: definition.zeroth_order(children, MONOMIAL, (0, 2))  # noqa: E731
    return evaluate([(), (), (), (0, 1, 2)], [*atoms, root], leaves, {3: gate})[3]


@claim(
    "9.12",
    "eqs. (6), (7) (E12)",
    "positions are relative to the node: translations change nothing",
    "shifted positions",
    {"absolute": False},
    {"printed: absolute positions": {"absolute": True}},
)
def relative_positions(subject: SimpleNamespace, full: bool) -> Cases:
    rng = random.Random(9)
    for _ in range(5):
        atoms = [[Fraction(rng.randrange(-20, 21), 3) for _ in range(3)] for _ in range(3)]
        shifted = [[x + s for x, s in zip(r, (Fraction(1, 7), 2, -3))] for r in atoms]
        yield atoms, 0 if state_at_root(atoms, subject.absolute) == state_at_root(shifted, subject.absolute) else 1


@claim(
    "9.13",
    "eq. (6) (E13)",
    "exponents start at zero: gates (10) to (12) are instances of (6) with s = 0",
    "exponents in (10)-(12)",
    {"smallest": 0},
    {"printed: positive integers": {"smallest": 1}},
)
def exponents(subject: SimpleNamespace, full: bool) -> Cases:
    for name, gate in (
        ("(10)", definition.zeroth_order),
        ("(11)", definition.first_order),
        ("(12)", definition.relative),
    ):
        powers = gate.__defaults__[0]
        yield name, sum(s < subject.smallest for s in powers)


if __name__ == "__main__":
    sys.exit(main())
