"""The general aggregation rule, eq. (6), straight from the equation, over any ring; children in a given order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product as tuples
from typing import NamedTuple

from nbody_ref.exact.definition import Child, Keep, State, inverse_power, product, scale
from nbody_ref.exact.gauges import Gauge
from nbody_ref.irreps import Irrep

__all__ = ["Term", "aggregation"]


class Term(NamedTuple):
    """One summand of eq. (6): its exponents, one of each for every child, and its state."""

    p: tuple[int, ...]
    q: tuple[int, ...]
    s: tuple[int, ...]
    state: State


def aggregation(children: Sequence[Child], gauge: Gauge, P: int, Q: int, S: int, keep: Keep = None) -> Iterator[Term]:
    r"""Summands of the argument of L in the (P, Q, S)-order aggregation, eq. (6).

    .. math:: \bigoplus_{p, q, s} \bigotimes_i r_i^{\otimes p_i} \otimes \bigotimes_i \psi_i^{\otimes q_i}
              \prod_i |r_i|^{-s_i}, \qquad 0 \le p_i \le P,\; 0 \le q_i \le Q,\; 0 \le s_i \le S

    Parameters
    ----------
    children : sequence of Child
        In order; the result depends on the order.
    gauge : Gauge
    P, Q, S : int
        Largest exponents. The paper says positive; zero must be allowed, or no term would have low degree.
    keep : collection of Irrep, optional
        Irreps of the last product to keep.

    Yields
    ------
    Term
        For every choice of exponents, the children's factors coupled from the left, ((leg1 x leg2) x leg3) ..., each
        leg being (r x r ...) x (psi x psi ...).

    Raises
    ------
    GeometryError
        As `inverse_power`.
    """
    count = len(children)
    for p, q, s in tuples(*(list(tuples(range(n + 1), repeat=count)) for n in (P, Q, S))):
        legs = [_leg(child, p_i, q_i, gauge) for child, p_i, q_i in zip(children, p, q)]
        total = legs[0]
        for leg in legs[1:]:
            total = product(total, leg, gauge)
        if keep is not None:
            total = [(irrep, fragments) for irrep, fragments in total if irrep in keep]
        for child, s_i in zip(children, s):
            if s_i:
                total = scale(total, inverse_power(s_i)(child.r_rel))
        yield Term(p, q, s, total)


def _leg(child: Child, p: int, q: int, gauge: Gauge) -> State:
    parity = bool(child.psi) and child.psi[0][0].p is not None
    vector: State = [(Irrep(1, -1 if parity else None), [gauge.vector(child.r_rel)])]
    return product(_power(vector, p, parity, gauge), _power(child.psi, q, parity, gauge), gauge)


def _power(state: State, exponent: int, parity: bool, gauge: Gauge) -> State:
    if exponent == 0:
        return [(Irrep(0, 1 if parity else None), [[1]])]
    total = state
    for _ in range(exponent - 1):
        total = product(total, state, gauge)
    return total
