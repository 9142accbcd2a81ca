"""The gates of the N-body paper, straight from its equations, over any ring: slow and obvious.

Eq. (13) the Clebsch-Gordan product, eq. (9) the mixing, eq. (10) the zeroth-order gate, eq. (11) the first-order gate,
eq. (12) the relative gate, and eq. (6) in the form of products of summed legs. Each gate function returns the argument
of the linear map L; `mixing` is L.

A state is a list of parts ``(Irrep, fragments)``; a fragment is a list of 2l + 1 ring elements, m ascending. Ints,
Fractions, `Gauss`, floats, or anything else with + and * will do; NumPy's integers wrap around and are no exact ring.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from nbody_ref.errors import ArgumentError, GeometryError, IrrepsError, ShapeError
from nbody_ref.exact.gauges import Gauge
from nbody_ref.exact.ring import plain
from nbody_ref.irreps import Irrep

__all__ = [
    "Child",
    "Leg",
    "add",
    "first_order",
    "fragment_product",
    "inverse_power",
    "legs_product",
    "mixing",
    "pair_term",
    "product",
    "relative",
    "summed_leg",
    "zeroth_order",
]

Fragment = list[Any]
State = list[tuple[Irrep, list[Fragment]]]
Vector = Sequence[Any]
Keep = Collection[Irrep] | None
Radial = Callable[[Vector], Any]


class Child(NamedTuple):
    """One child of a gate: its position relative to the parent, its state, and whether it sits there by declaration.

    A child with `own` set, such as the central atom of its own neighbourhood, has no direction from its parent: it
    contributes to terms without direction and without inverse power only.
    """

    r_rel: Vector
    psi: State
    own: bool = False


class Leg(NamedTuple):
    """One summed leg, sum over children of radial(r_rel) psi x Y_l(r_rel), of a term of a gate.

    Parameters
    ----------
    degrees : tuple of int
        Degrees l of the harmonics; empty for bare psi.
    radial : callable r_rel -> ring element, or None
        Scalar factor, such as ``inverse_power(2)``; None for 1.
    state : bool
        False leaves psi out: the harmonics alone, a density.
    """

    degrees: tuple[int, ...] = ()
    radial: Radial | None = None
    state: bool = True


def fragment_product(x: Fragment, y: Fragment, l: int, gauge: Gauge) -> Fragment:
    """Component l of the product of two fragments, sum over m1, m2 of C[m1, m2, m] x[m1] y[m2], sec. 4.1."""
    l1, l2 = (len(x) - 1) // 2, (len(y) - 1) // 2
    result: Fragment = [0] * (2 * l + 1)
    for m1, m2, m, coefficient in gauge.coupling(l1, l2, l):
        result[m + l] = result[m + l] + x[m1 + l1] * y[m2 + l2] * coefficient
    return result


def product(a: State, b: State, gauge: Gauge, keep: Keep = None) -> State:
    r"""Clebsch-Gordan product of two states, eq. (13) and sec. 4.1.

    .. math:: \psi_1 \otimes \psi_2 = \bigoplus_{l} \overline\psi^{l}, \qquad
              \overline\psi^l = C_{l_1, l_2, l} (\psi_1 \otimes \psi_2)

    Parameters
    ----------
    a, b : state
    gauge : Gauge
    keep : collection of Irrep, optional
        Irreps to form; all by default.

    Returns
    -------
    state
        One part per path: parts of `a`, then parts of `b`, then l ascending; channel u * mul_b + v.

    Raises
    ------
    IrrepsError
        If one state has parities and the other has none.
    """
    result: State = []
    for irrep_a, fragments_a in a:
        for irrep_b, fragments_b in b:
            for irrep in irrep_a * irrep_b:
                if keep is None or irrep in keep:
                    pairs = ((x, y) for x in fragments_a for y in fragments_b)
                    result.append((irrep, [fragment_product(x, y, irrep.l, gauge) for x, y in pairs]))
    return result


def mixing(F: State, W: Iterable[tuple[Irrep, Sequence[Sequence[Any]]]]) -> State:
    r"""Linear map L of Proposition 1, eq. (9): L(F) = (F^0 W^0, F^1 W^1, ...).

    .. math:: \psi^l_{m, c} = \sum_{c'} F^l_{m, c'} W^l_{c', c}

    Parameters
    ----------
    F : state
        Parts of equal irrep are put side by side in written order.
    W : iterable of (Irrep, matrix)
        One part of the output each, in order; the matrix has a row for every fragment of that irrep in `F`.

    Returns
    -------
    state

    Raises
    ------
    IrrepsError
        If an irrep of `W` does not occur in `F`.
    ShapeError
        If a matrix has not one row per fragment.
    """
    result: State = []
    for irrep, matrix in W:
        columns = [fragment for part, fragments in F if part == irrep for fragment in fragments]
        if not columns:
            raise IrrepsError(f"mixing: 'F' has no fragment of irrep {irrep}")
        if len(matrix) != len(columns):
            raise ShapeError(f"mixing: 'W' must have {len(columns)} rows for irrep {irrep}, got {len(matrix)}")
        outputs = range(len(matrix[0]))
        mixed = [[sum(f[k] * row[c] for f, row in zip(columns, matrix)) for k in range(irrep.dim)] for c in outputs]
        result.append((irrep, mixed))
    return result


def inverse_power(s: int) -> Radial:
    """Radial r -> |r|^-s, eqs. (6), (10)-(12).

    Over ints and Fractions the result is exact: always for even `s`, for odd `s` where the length is rational.

    Raises
    ------
    GeometryError
        When called: at r = 0 with s > 0, or where an exact odd power of an irrational length is asked for.
    IrrepsError
        If `s` is no integer.
    """
    s = plain(s)
    if not isinstance(s, int):
        raise ArgumentError(f"inverse_power: 's' must be an integer, got {s!r}")

    def radial(r: Vector) -> Any:
        x, y, z = map(plain, r)
        square = x * x + y * y + z * z
        if s and square == 0:
            raise GeometryError(f"inverse_power: |r|^-{s} does not exist at r = 0")
        if isinstance(square, (int, Fraction)):
            square = Fraction(square)
            if s % 2 == 0:
                return 1 / square ** (s // 2)
            length = Fraction(math.isqrt(square.numerator), math.isqrt(square.denominator))
            if length * length != square:
                raise GeometryError(f"inverse_power: |r|^-{s} is irrational for r^2 = {square}")
            return 1 / length**s
        return 1 / square ** (s // 2) if s % 2 == 0 else 1 / (square ** (s // 2) * square**0.5)

    return radial


def zeroth_order(
    children: Sequence[Child], gauge: Gauge, powers: Sequence[int] = (0, 1, 2), keep: Keep = None
) -> State:
    r"""Argument of L in the zeroth-order gate, eq. (10).

    .. math:: \sum_i |r_i|^{-s} (\psi_i \otimes r_i), \qquad s = 0, 1, 2

    Parameters
    ----------
    children : sequence of Child
    gauge : Gauge
    powers : sequence of int
        The exponents s, one term each, side by side in this order.
    keep : collection of Irrep, optional

    Returns
    -------
    state

    Raises
    ------
    GeometryError
        If a child other than an `own` one sits at the parent and s > 0, or |r_i| is irrational over an exact ring.
    """
    terms: State = []
    for s in powers:
        radial = inverse_power(s)
        terms += add(
            scale(product(child.psi, _vector(child.psi, child.r_rel, gauge), gauge, keep), radial(child.r_rel))
            for child in children
            if not child.own
        )
    return terms


def first_order(
    children: Sequence[Child], gauge: Gauge, powers: Sequence[int] = (0, 1, 2, 3), keep: Keep = None
) -> State:
    r"""Argument of L in the first-order gate, eq. (11) with its misprints corrected; k^2 terms.

    .. math:: \sum_{i, j} |r_i|^{-s} |r_j|^{-s} (((\psi_i \otimes \psi_j) \otimes r_i) \otimes r_j), \qquad s = 0..3

    Parameters, returns, raises: as `zeroth_order`. The sum includes i = j, as printed. `keep` applies to the last
    product only.

    Notes
    -----
    The paper prints r_i x r_i in the first term and drops one factor in the last; r_i x r_j is meant.
    """
    terms: State = []
    directed = [child for child in children if not child.own]
    for s in powers:
        radial = inverse_power(s)
        pairs = []
        for a in directed:
            for b in directed:
                states = product(product(a.psi, b.psi, gauge), _vector(a.psi, a.r_rel, gauge), gauge)
                full = product(states, _vector(a.psi, b.r_rel, gauge), gauge, keep)
                pairs.append(scale(full, radial(a.r_rel) * radial(b.r_rel)))
        terms += add(pairs)
    return terms


def relative(children: Sequence[Child], gauge: Gauge, powers: Sequence[int] = (0, 1, 2, 3), keep: Keep = None) -> State:
    r"""Argument of L in the relative gate, eq. (12), the sum taken over i != j.

    .. math:: \sum_{i \ne j} |r_{ij}|^{-s} ((\psi_i \otimes \psi_j) \otimes r_{ij}), \qquad r_{ij} = r_i - r_j

    One term for each s = 0..3. Parameters, returns, raises: as `zeroth_order`; coincident children raise
    GeometryError. `keep` applies to the last product only.

    Notes
    -----
    The terms i = j of the printed sum are 0 times infinity and are left out.
    """
    terms: State = []
    for s in powers:
        terms += pair_term(children, gauge, None, inverse_power(s), keep)
    return terms


def pair_term(
    children: Sequence[Child],
    gauge: Gauge,
    degrees: Sequence[int] | None = None,
    radial: Radial | None = None,
    keep: Keep = None,
) -> State:
    """Sum over i != j of radial(r_ij) (psi_i x psi_j) x Y_l(r_ij), the l side by side; None stands for r_ij itself."""
    pairs = []
    for i, a in enumerate(children):
        for j, b in enumerate(children):
            if i == j:
                continue
            r_ij = [x - y for x, y in zip(a.r_rel, b.r_rel)]
            if not any(r_ij):
                raise GeometryError(f"pair_term: children {i} and {j} are at the same position")
            direction = _vector(a.psi, r_ij, gauge) if degrees is None else _harmonics(a.psi, degrees, r_ij, gauge)
            states = product(product(a.psi, b.psi, gauge), direction, gauge, keep)
            pairs.append(scale(states, 1 if radial is None else radial(r_ij)))
    return add(pairs)


def summed_leg(children: Sequence[Child], leg: Leg, gauge: Gauge, keep: Keep = None) -> State:
    r"""One leg of a term, summed over the children: the factor from which eq. (6) is built.

    .. math:: A = \sum_i g(r_i)\; \psi_i \otimes Y_l(r_i)

    Parameters
    ----------
    children : sequence of Child
    leg : Leg
    gauge : Gauge
    keep : collection of Irrep, optional

    Returns
    -------
    state
        Parts in the order of `product`, psi first, then the degrees in the order of the leg.

    Raises
    ------
    GeometryError
        As `inverse_power`.
    """
    bare = not leg.degrees and leg.radial is None
    summands = []
    for child in children:
        if child.own and not bare:
            continue
        state = child.psi if leg.state else [(_like(child.psi, 0), [[1]])]
        if leg.degrees:
            state = product(state, _harmonics(child.psi, leg.degrees, child.r_rel, gauge), gauge, keep)
        summands.append(scale(state, 1 if leg.radial is None else leg.radial(child.r_rel)))
    return add(summands)


def legs_product(children: Sequence[Child], legs: Sequence[Leg], gauge: Gauge, keep: Keep = None) -> State:
    """Product of summed legs ((A1 x A2) x A3) x ..., a term of eq. (6) summed over all tuples of children.

    Every intermediate irrep is formed; `keep` applies to the last product, or to the leg if there is only one.
    """
    states = [summed_leg(children, leg, gauge, keep if len(legs) == 1 else None) for leg in legs]
    total = states[0]
    for k, state in enumerate(states[1:], start=2):
        total = product(total, state, gauge, keep if k == len(legs) else None)
    return total


def add(states: Iterable[State]) -> State:
    """Sum of states of one type; the empty sum is the empty state."""
    total: State = []
    for state in states:
        if not total:
            total = state
            continue
        if [(irrep, len(f)) for irrep, f in total] != [(irrep, len(f)) for irrep, f in state]:
            raise IrrepsError("add: all states of one sum must have the same type")
        total = [
            (irrep, [[x + y for x, y in zip(f, g)] for f, g in zip(left, right)])
            for (irrep, left), (_, right) in zip(total, state)
        ]
    return total


def scale(state: State, factor: Any) -> State:
    """State times a scalar."""
    return [(irrep, [[x * factor for x in fragment] for fragment in fragments]) for irrep, fragments in state]


def _like(psi: State, l: int) -> Irrep:
    """Irrep of the harmonics of degree l, with a parity exactly if `psi` has parities."""
    return Irrep(l, None if not psi or psi[0][0].p is None else (-1) ** l)


def _vector(psi: State, r: Vector, gauge: Gauge) -> State:
    return [(_like(psi, 1), [gauge.vector(r)])]


def _harmonics(psi: State, degrees: Sequence[int], r: Vector, gauge: Gauge) -> State:
    return [(_like(psi, l), [gauge.harmonic(l, r)]) for l in degrees]
