"""Recoupling and fusion diagrams: eqs. (F1) to (F5) of docs/fusion.md, half-integer spins included."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product as cartesian
from types import SimpleNamespace
from typing import Any

import sympy
from _claims import Cases, claim, main
from _judge import Squared, ladder_cg, number, of_surd, series, times, total
from sympy.physics.wigner import wigner_6j

from nbody_ref import fusion
from nbody_ref.exact import Surd, six_j
from nbody_ref.fusion import Spin, braid_sign, coupling_tensor, f_symbol, labelings, recoupling


def triad(a: int, b: int, c: int) -> bool:
    """Triangle rule for doubled degrees."""
    return (a + b + c) % 2 == 0 and abs(a - b) <= c <= a + b


def symbols(top: int) -> Iterator[tuple[int, ...]]:
    """Doubled arguments of the nonzero 6j symbols with every j at most top / 2."""
    for a, b, d, e in cartesian(range(top + 1), repeat=4):
        for c in series(a, b):
            if c <= top and triad(d, e, c):
                for f in series(a, e):
                    if f <= top and triad(d, b, f):
                        yield a, b, c, d, e, f


def halves(doubled: Sequence[int]) -> list[Fraction]:
    """Degrees from doubled ones."""
    return [Fraction(j, 2) for j in doubled]


def six(subject: SimpleNamespace, *doubled: int) -> Squared:
    """The package's 6j symbol for doubled arguments."""
    return of_surd(subject.six_j(*halves(doubled)))


WRONG_6J = {
    "rows exchanged": {"six_j": lambda a, b, c, d, e, f: six_j(d, e, f, a, b, c)},
    "sign of odd sums": {"six_j": lambda a, b, c, d, e, f: six_j(a, b, c, d, e, f) * (-1) ** int(a + b + c)},
    "square root of a factor 2 missing": {
        "six_j": lambda a, b, c, d, e, f: six_j(a, b, c, d, e, f) * (Surd(1, 1, 2) if f == 1 else 1)
    },
}


@claim(
    "6.1", "eq. (F4)", "6j symbols equal sympy's, all with j <= 5/2", "sympy.physics.wigner", {"six_j": six_j}, WRONG_6J
)
def against_sympy(subject: SimpleNamespace, full: bool) -> Cases:
    cases = list(symbols(5 if full else 3))
    for doubled in cases if full else cases[::3]:
        value = wigner_6j(*(sympy.Rational(j, 2) for j in doubled))
        sign, square = six(subject, *doubled)
        same = sympy.sign(value) == sign and value**2 == sympy.Rational(square.numerator, square.denominator)
        yield doubled, 0 if same else 1


def overlap(j1: int, j2: int, k12: int, j3: int, J: int, k23: int) -> Squared:
    """<(j1 (j2 j3) k23) J J | ((j1 j2) k12 j3) J J>: four ladder coefficients, summed over m."""
    terms = []
    for n1 in range(-j1, j1 + 1, 2):
        for n2 in range(-j2, j2 + 1, 2):
            n3 = J - n1 - n2
            if abs(n3) <= j3 and abs(n1 + n2) <= k12 and abs(n2 + n3) <= k23:
                terms.append(
                    times(
                        ladder_cg(j1, n1, j2, n2, k12),
                        ladder_cg(k12, n1 + n2, j3, n3, J),
                        ladder_cg(j2, n2, j3, n3, k23),
                        ladder_cg(j1, n1, k23, n2 + n3, J),
                    )
                )
    return total(terms)


def moves(top: int) -> Iterator[tuple[int, ...]]:
    """All (j1, j2, k12, j3, J, k23), doubled, leaves and root at most top / 2."""
    for j1, j2, j3 in cartesian(range(top + 1), repeat=3):
        for k12 in series(j1, j2):
            for J in series(k12, j3):
                if J <= top:
                    for k23 in series(j2, j3):
                        if triad(j1, k23, J):
                            yield j1, j2, k12, j3, J, k23


WRONG_F = {
    "bonds exchanged": {"f": lambda j1, j2, k12, j3, J, k23: f_symbol(j1, j3, k12, j2, J, k23)},
    "sign forgotten": {"f": lambda *j: abs(f_symbol(*j))},
    "factor of one bond missing": {"f": lambda *j: f_symbol(*j) * Surd(1, 1, j[5].dim)},
}


@claim(
    "6.2",
    "eq. (F4)",
    "F-moves equal the overlap of the two coupled bases, leaves and root <= 2",
    "contraction of four coefficients from ladder operators",
    {"f": f_symbol},
    WRONG_F,
)
def f_moves(subject: SimpleNamespace, full: bool) -> Cases:
    for doubled in moves(4 if full else 2):
        yield doubled, 0 if of_surd(subject.f(*(Spin(j) for j in halves(doubled)))) == overlap(*doubled) else 1


@claim(
    "6.3",
    "eq. (F4)",
    "F-moves are orthogonal, leaves and root <= 3",
    "exact sums",
    {"f": f_symbol},
    {
        "factor of one bond missing": WRONG_F["factor of one bond missing"],
        "bonds exchanged": WRONG_F["bonds exchanged"],
    },
)
def f_orthogonal(subject: SimpleNamespace, full: bool) -> Cases:
    top = 6 if full else 3
    for j1, j2, j3, J in cartesian(range(top + 1), repeat=4):
        rows = [k for k in series(j1, j2) if triad(k, j3, J)]
        columns = [k for k in series(j2, j3) if triad(j1, k, J)]
        F = {
            (a, b): of_surd(subject.f(*(Spin(j) for j in halves((j1, j2, a, j3, J, b))))) for a in rows for b in columns
        }
        for a in rows:
            for b in rows:
                if b <= a:
                    found = total(times(F[a, k], F[b, k]) for k in columns)
                    yield (j1, j2, j3, J, a, b), 0 if found == number(int(a == b)) else 1


@claim(
    "6.4",
    "docs/fusion.md",
    "pentagon (Biedenharn-Elliott): sums over x of three 6j symbols, j <= 2",
    "exact sums",
    {"six_j": six_j},
    WRONG_6J,
)
def pentagon(subject: SimpleNamespace, full: bool) -> Cases:
    top = 4 if full else 2
    for a, b, c, d, e, f in cartesian(range(top + 1), repeat=6):
        for g in range(top + 1):
            if not (triad(a, d, g) and triad(b, c, g)):
                continue
            for h in range(top + 1):
                if not (triad(c, f, h) and triad(e, d, h)):
                    continue
                for j in range(top + 1):
                    if not (triad(e, b, j) and triad(a, f, j) and triad(g, h, j)):
                        continue
                    terms = []
                    for x in range(0, 2 * top + 1):
                        if triad(a, b, x) and triad(c, d, x) and triad(e, f, x):
                            sign = number((-1) ** ((a + b + c + d + e + f + g + h + j + x) // 2) * (x + 1))
                            terms.append(
                                times(
                                    sign,
                                    six(subject, a, b, x, c, d, g),
                                    six(subject, c, d, x, e, f, h),
                                    six(subject, e, f, x, b, a, j),
                                )
                            )
                    right = times(six(subject, g, h, j, e, a, d), six(subject, g, h, j, f, b, c))
                    yield (a, b, c, d, e, f, g, h, j), 0 if total(terms) == right else 1


@claim(
    "6.5",
    "docs/fusion.md",
    "hexagon (Racah): F-moves and braids commute, j <= 5/2",
    "exact sums",
    {"six_j": six_j},
    WRONG_6J,
)
def hexagon(subject: SimpleNamespace, full: bool) -> Cases:
    top = 5 if full else 2
    for a, b, c, d in cartesian(range(top + 1), repeat=4):
        for p in series(a, d):
            if not triad(b, c, p) or p > top:
                continue
            for q in series(a, c):
                if not triad(b, d, q) or q > top:
                    continue
                terms = [
                    times(
                        number((-1) ** ((p + q + x) // 2) * (x + 1)),
                        six(subject, a, b, x, c, d, p),
                        six(subject, c, d, x, b, a, q),
                    )
                    for x in series(a, b)
                    if triad(c, d, x)
                ]
                yield (a, b, c, d, p, q), 0 if total(terms) == six(subject, a, c, q, b, d, p) else 1


TREES = {
    2: [(0, 1)],
    3: [((0, 1), 2), (0, (1, 2)), ((2, 0), 1)],
    4: [(((0, 1), 2), 3), ((0, 1), (2, 3)), (0, (1, (2, 3)))],
}
SPINS = [
    ("1/2", "1/2"),
    ("1", "1/2", "3/2"),
    (1, 2, 2),
    ("1/2", "1/2", "1/2", "1/2"),
    (1, 1, 1, 1),
    ("1", "1/2", "1", "1/2"),
]


def tensors(subject: SimpleNamespace, full: bool) -> Iterator[tuple[Any, Any, list[Any], list[dict[Any, Squared]]]]:
    """Trees and legs with all their labelings and tensors."""
    for names in SPINS if full else SPINS[:3]:
        legs = [Spin(Fraction(name)) for name in names]
        for tree in TREES[len(legs)] if full else TREES[len(legs)][:2]:
            diagrams = list(subject.labelings(tree, legs))
            found = [{key: of_surd(v) for key, v in subject.tensor(diagram).items()} for diagram in diagrams]
            yield tree, legs, diagrams, found


def columns(diagrams: list[Any], found: list[dict[Any, Squared]]) -> list[tuple[Any, Any, dict[Any, Squared]]]:
    """One column per diagram and root component: (diagram number, M, {leaf components: value})."""
    result = []
    for k, (diagram, tensor) in enumerate(zip(diagrams, found)):
        by_root: dict[Any, dict[Any, Squared]] = {}
        for key, value in tensor.items():
            by_root.setdefault(key[-1], {})[key[:-1]] = value
        result += [(k, M, column) for M, column in by_root.items()]
        assert len(by_root) == diagram.root.dim
    return result


def wrong_tensor(diagram: Any) -> Any:
    """Planted: the sign of one entry."""
    found = dict(coupling_tensor(diagram))
    key = next(iter(found))
    return {**found, key: -found[key]}


DIAGRAMS = {"labelings": labelings, "tensor": coupling_tensor}
WRONG_TREES = {
    "one sign flipped": {"tensor": wrong_tensor},
    "largest bond left out": {"labelings": lambda tree, legs: labelings(tree, legs)[:-1]},
}


@claim(
    "6.6",
    "eq. (F2)",
    "diagrams of a tree are orthonormal: up to four legs, several trees, half-integers",
    "exact sums",
    DIAGRAMS,
    {"one sign flipped": WRONG_TREES["one sign flipped"]},
)
def trees_orthonormal(subject: SimpleNamespace, full: bool) -> Cases:
    for tree, legs, diagrams, found in tensors(subject, full):
        every = columns(diagrams, found)
        for i, (k, M, a) in enumerate(every):
            for other, N, b in every[: i + 1]:
                if M == N or other == k:  # different M have no component in common
                    value = total(times(x, b[key]) for key, x in a.items() if key in b)
                    yield (tree, legs, k, M, other, N), 0 if value == number(int((k, M) == (other, N))) else 1


@claim(
    "6.7",
    "eq. (F3)",
    "diagrams of a tree are complete: as many as components, and sum C C = 1",
    "exact sums",
    DIAGRAMS,
    WRONG_TREES,
)
def trees_complete(subject: SimpleNamespace, full: bool) -> Cases:
    for tree, legs, diagrams, found in tensors(subject, full):
        every = columns(diagrams, found)
        size = 1
        for leg in legs:
            size *= leg.dim
        yield (tree, legs, "count"), len(every) - size
        rows: dict[Any, list[tuple[int, Squared]]] = {}
        for i, (_, _, column) in enumerate(every):
            for key, value in column.items():
                rows.setdefault(key, []).append((i, value))
        for key, row in rows.items():
            present = dict(row)
            for other, second in rows.items():
                if sum(key) == sum(other):
                    value = total(times(present[i], x) for i, x in second if i in present)
                    yield (tree, legs, key, other), 0 if value == number(int(key == other)) else 1


@claim(
    "6.8",
    "eqs. (F4), (F5)",
    "recoupling matrices take the tensors of one tree to another's, braids included",
    "exact sums over the tensors",
    {"recoupling": recoupling, "tensor": coupling_tensor},
    {"one sign flipped": {"recoupling": lambda a, b, legs, J: flipped(a, b, legs, J)}},
)
def recouplings(subject: SimpleNamespace, full: bool) -> Cases:
    for names, J in ((("1", "1/2", "3/2"), 1), ((1, 2, 2), 1), ((1, 1, 1, 1), 1), (("1/2",) * 4, 0)):
        legs = [Spin(Fraction(name)) for name in names]
        trees = TREES[len(legs)]
        for source, target in [(a, b) for a in trees for b in trees if a != b][: None if full else 2]:
            matrix = subject.recoupling(source, target, legs, Spin(J))
            ours = [subject.tensor(diagram) for diagram in matrix.source]
            theirs = [subject.tensor(diagram) for diagram in matrix.target]
            for i, row in enumerate(matrix.entries):
                for k, entry in enumerate(row):  # overlap of the diagrams with M = J
                    value = total(
                        times(of_surd(v), of_surd(theirs[k][key]))
                        for key, v in ours[i].items()
                        if key[-1] == J and key in theirs[k]
                    )
                    yield (source, target, i, k), 0 if value == of_surd(entry) else 1


def flipped(source: Any, target: Any, legs: Any, J: Any) -> Any:
    """Planted: the first entry with the other sign."""
    found = recoupling(source, target, legs, J)
    first, *rest = found.entries
    return fusion.Recoupling(found.source, found.target, ((-first[0], *first[1:]), *rest))


@claim(
    "6.9",
    "eq. (F5)",
    "exchanging the inputs of a vertex multiplies it by (-1)^(ja + jb - j), j <= 7/2",
    "ladder operators",
    {"sign": braid_sign},
    {"always 1": {"sign": lambda a, b, c: 1}},
)
def braids(subject: SimpleNamespace, full: bool) -> Cases:
    top = 7 if full else 3
    for j1, j2 in cartesian(range(top + 1), repeat=2):
        for j in series(j1, j2):
            if j <= top:
                sign = subject.sign(*(Spin(k) for k in halves((j1, j2, j))))
                for n1 in range(-j1, j1 + 1, 2):
                    n2 = j % 2 - n1
                    if abs(n2) <= j2 and (n2 - j2) % 2 == 0:
                        a, b = ladder_cg(j1, n1, j2, n2, j), ladder_cg(j2, n2, j1, n1, j)
                        yield (j1, j2, j, n1), 0 if a == (sign * b[0], b[1]) else 1


T, S = sympy.symbols("t s")


def reduced(expression: Any) -> Any:
    """Laurent polynomial in t with s^2 = 1, as {(m, parity): coefficient}."""
    found: dict[tuple[int, int], Fraction] = {}
    shifted = sympy.Poly(sympy.expand(expression * T**60), T, S)
    for (m, s), c in shifted.terms():
        key = m - 60, s % 2
        found[key] = found.get(key, Fraction(0)) + Fraction(int(c.p), int(c.q))
    return found


def multiplicity(character: dict[tuple[int, int], Fraction], l: int, parity: int) -> int:
    """How often (l, parity) occurs, parity 1 for odd."""
    return int(character.get((l, parity), 0) - character.get((l + 1, parity), 0))


def power_sum(lmax: int, k: int) -> Any:
    """Character of the sum of l = 0..lmax, parity (-1)^l, at the k-th power of a group element."""
    return sum(S ** (l * k) * sum(T ** (m * k) for m in range(-l, l + 1)) for l in range(lmax + 1))


def characters(lmax: int, n: int) -> tuple[Any, Any]:
    """Characters of the n-th tensor power and of the n-th symmetric power (Newton's identities)."""
    symmetric = [sympy.Integer(1)]
    for k in range(1, n + 1):
        symmetric.append(sympy.expand(sum(power_sum(lmax, i) * symmetric[k - i] for i in range(1, k + 1)) / k))
    return power_sum(lmax, 1) ** n, symmetric[n]


# lmax, legs -> (comb paths, symmetric dimension) for L = 0, 1, 2 of natural parity: MACE's counts and reduced bases
PUBLISHED = {
    (1, 2): ((2, 2), (2, 1), (1, 1)),
    (1, 3): ((4, 2), (6, 2), (3, 1)),
    (1, 4): ((10, 3), (16, 2), (12, 2)),
    (2, 2): ((3, 3), (4, 2), (4, 3)),
    (2, 3): ((11, 5), (21, 5), (23, 6)),
    (2, 4): ((55, 9), (124, 9), (148, 13)),
    (3, 2): ((4, 4), (6, 3), (7, 5)),
    (3, 3): ((23, 8), (51, 12), (65, 14)),
    (3, 4): ((204, 23), (520, 31), (720, 46)),
}


def counts(lmax: int, n: int, L: int) -> tuple[int, int]:
    """The package's number of comb paths and of symmetric couplings."""
    parts = " + ".join(f"{l}{'eo'[l % 2]}" for l in range(lmax + 1))
    wanted = f"{L}{'eo'[L % 2]}"
    basis = fusion.symmetric_basis(parts, n, wanted)
    assert len(basis.reduced) == fusion.symmetric_dimension(parts, n, wanted)
    return len(basis.full), len(basis.reduced)


@claim(
    "6.10",
    "docs/fusion.md",
    "comb paths and symmetric couplings of A = (0..lmax), natural parity",
    "characters of tensor and symmetric powers (sympy), published counts",
    {"counts": counts},
    {
        "parity ignored": {
            "counts": lambda lmax, n, L: (
                len(fusion.symmetric_basis(" + ".join(map(str, range(lmax + 1))), n, str(L)).full),
                fusion.symmetric_dimension(" + ".join(map(str, range(lmax + 1))), n, str(L)),
            )
        },
        "one path dropped": {"counts": lambda lmax, n, L: (counts(lmax, n, L)[0] - 1, counts(lmax, n, L)[1])},
    },
)
def symmetric_couplings(subject: SimpleNamespace, full: bool) -> Cases:
    for (lmax, n), row in PUBLISHED.items():
        if not full and lmax + n > 5:
            continue
        tensor, symmetric = map(reduced, characters(lmax, n))
        for L, published in enumerate(row):
            judged = multiplicity(tensor, L, L % 2), multiplicity(symmetric, L, L % 2)
            yield (lmax, n, L), 0 if subject.counts(lmax, n, L) == judged == published else 1


if __name__ == "__main__":
    sys.exit(main())
