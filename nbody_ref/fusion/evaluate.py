"""Exact evaluation of fusion diagrams, eq. (F1): coupling tensors as surds, and couplings over any ring.

In every gauge an entry is one signed square root of a rational; in the monomial gauge it is an integer. Why:
docs/derivations/fusion.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import factorial, prod
from typing import Any

import numpy as np

from nbody_ref.checks import check_integer
from nbody_ref.errors import DTypeError, SchemeError, ShapeError
from nbody_ref.exact import Surd, cg_integer, cg_table, cg_table_real, surd_sum
from nbody_ref.exact.ring import plain
from nbody_ref.fusion.diagram import LIMIT, Diagram, Node
from nbody_ref.fusion.label import Label, check_basis, components, degree, twice
from nbody_ref.ops._check import check_type
from nbody_ref.tables import check_dtype

__all__ = ["coupling_norm", "coupling_tensor", "dense_tensor", "evaluate_monomial", "integer_tensor", "overlap"]

Key = tuple[Any, ...]
Array = np.ndarray[Any, Any]


def coupling_tensor(diagram: Diagram, basis: str = "complex", limit: int = LIMIT) -> dict[Key, Surd]:
    r"""Coupling tensor of a labelled diagram, eq. (F1), entry by entry.

    .. math:: C^{k;JM}_{m_1 \ldots m_n} = \sum_{m_e} \prod_{(a,b \to c)} \langle k_a m_a\, k_b m_b | k_c m_c \rangle

    Parameters
    ----------
    diagram : Diagram
    basis : {"complex", "real"}
        Gauge of all legs and of the root; "real" needs integer degrees.
    limit : int
        Largest admitted product of the dimensions of the legs.

    Returns
    -------
    dict of (m_1, ..., m_n, M) -> Surd
        Nonzero entries only; components in the order of the leaf numbers, the root last.

    Raises
    ------
    IrrepsError
        If `basis` is unknown, or "real" is asked of half-integer spins.
    SchemeError
        If the tensor has more than `limit` combinations of leg components.

    Examples
    --------
    >>> coupling_tensor(Diagram((0, 1), ["1", "1"], ["0"]), basis="real")[0, 0, 0]
    Surd(-1, 1, 3)
    """
    _check_size("coupling_tensor", diagram, limit)
    check_basis("coupling_tensor", basis, diagram.legs)
    table = cg_table if basis == "complex" else cg_table_real
    order, tensor = _contract(diagram.nodes, diagram.legs, table)
    place = [order.index(leaf) for leaf in range(len(order))]
    return {(*(key[p] for p in place), key[-1]): value for key, value in tensor.items()}


def integer_tensor(diagram: Diagram, limit: int = LIMIT) -> dict[Key, int]:
    r"""Coupling tensor in the monomial gauge: integers.

    .. math:: C^{k;JM}_m = N_k \sqrt{(J+M)!(J-M)!}\; I_m \prod_a \big((j_a+m_a)!(j_a-m_a)!\big)^{-1/2}

    with N_k = `coupling_norm` and I the integer that this function returns.

    Parameters
    ----------
    diagram : Diagram
    limit : int
        As in `coupling_tensor`.

    Returns
    -------
    dict of (m_1, ..., m_n) -> int
        Nonzero entries only; M is the sum of the m.

    Raises
    ------
    SchemeError
        As `coupling_tensor`.

    Examples
    --------
    >>> integer_tensor(Diagram((0, 1), ["1", "1"], ["0"]))
    {(-1, 1): 4, (0, 0): -2, (1, -1): 4}
    """
    _check_size("integer_tensor", diagram, limit)
    factors = {label: [_factor(label, m) for m in components(label)] for label in diagram.legs}
    order, tensor = _integers(diagram.nodes, diagram.legs)
    place = [order.index(leaf) for leaf in range(len(order))]
    found = {}
    for key, value in tensor.items():
        ms = tuple(key[p] for p in place)
        legs = (factors[label][int(m + degree(label))] for label, m in zip(diagram.legs, ms))
        found[ms] = value * prod(legs)
    return found


def coupling_norm(diagram: Diagram) -> Surd:
    r"""Positive factor N between the orthonormal and the integer coupling tensor; it depends on the labels only.

    .. math:: N = \prod_{(a,b \to c)} \sqrt{\frac{2c+1}{(a+b+c+1)!\,(a+b-c)!\,(a-b+c)!\,(-a+b+c)!}}

    Examples
    --------
    >>> coupling_norm(Diagram((0, 1), ["1", "1"], ["0"]))
    Surd(1, 1, 12)
    """
    check_type("coupling_norm", "diagram", diagram, Diagram)
    square = Fraction(1)
    for triple in diagram.triples:
        a, b, c = (twice(label) for label in triple)
        bottom = factorial((a + b + c) // 2 + 1)
        for upper in (a + b - c, a - b + c, -a + b + c):
            bottom *= factorial(upper // 2)
        square *= Fraction(c + 1, bottom)
    return Surd(1, square.numerator, square.denominator)


def evaluate_monomial(diagram: Diagram, fragments: Sequence[Sequence[Any]]) -> list[Any]:
    """Coupling of fragments over any ring: integers, rationals, Gaussian rationals, polynomials, floats.

    Parameters
    ----------
    diagram : Diagram
    fragments : one sequence of 2j + 1 ring elements per leg
        Components ascending in the monomial gauge: the orthonormal component divided by sqrt((j+m)!(j-m)!).

    Returns
    -------
    list of 2J + 1 ring elements
        The coupled fragment in the monomial gauge, divided by `coupling_norm`.

    Raises
    ------
    ShapeError
        If the number of fragments or of their components is wrong.
    DTypeError
        If there is no diagram, or entries cannot be multiplied by integers and each other and added.

    Examples
    --------
    >>> evaluate_monomial(Diagram((0, 1), ["1", "1"], ["0"]), [[1, 2, 3], [4, 5, 6]])
    [52]
    """
    check_type("evaluate_monomial", "diagram", diagram, Diagram)
    if not _is_row(fragments):
        raise ShapeError(f"evaluate_monomial: 'fragments' must be sequences of numbers, got {fragments!r:.60}")
    if len(fragments) != len(diagram.legs):
        raise ShapeError(f"evaluate_monomial: 'fragments' must have {len(diagram.legs)} entries, got {len(fragments)}")
    for k, (leg, fragment) in enumerate(zip(diagram.legs, fragments)):
        if not _is_row(fragment) or len(fragment) != leg.dim:
            came = f"{leg.dim} components, got {len(fragment) if _is_row(fragment) else repr(fragment)}"
            raise ShapeError(f"evaluate_monomial: fragment {k} of 'fragments' must have {came}")

    def value(node: Node) -> list[Any]:
        if isinstance(node, int):
            return [plain(entry) for entry in fragments[node]]  # NumPy's integers would wrap around
        out, left, right = node
        return _couple(_label(left, diagram.legs), _label(right, diagram.legs), out, value(left), value(right))

    try:
        return value(diagram.nodes)
    except TypeError as error:
        raise DTypeError(f"evaluate_monomial: 'fragments' must hold numbers of one ring: {error}") from error


def _is_row(values: Any) -> bool:
    if isinstance(values, np.ndarray):
        return values.ndim > 0
    return isinstance(values, Sequence) and not isinstance(values, str | bytes)


def overlap(a: Mapping[Key, Surd], b: Mapping[Key, Surd]) -> Surd:
    """Inner product of two coupling tensors, sum of entry times entry; it must be a single surd (D5).

    Raises
    ------
    ValueError
        If it is not: the tensors have different legs or roots.
    """
    return surd_sum([value * b[key] for key, value in a.items() if key in b])


def dense_tensor(diagram: Diagram, basis: str = "real", dtype: Any = np.float64, limit: int = LIMIT) -> Array:
    """Coupling tensor as an array, every entry the exact surd rounded once.

    Parameters
    ----------
    diagram : Diagram
    basis : {"real", "complex"}
    dtype : numpy.float64 or numpy.float32
    limit : int
        As in `coupling_tensor`.

    Returns
    -------
    (2*j_1 + 1, ..., 2*j_n + 1, 2*J + 1) `dtype`
        Components ascending, legs in the order of the leaf numbers.

    Raises
    ------
    IrrepsError, SchemeError, DTypeError
        As `coupling_tensor`, and for other dtypes.

    Examples
    --------
    >>> from nbody_ref.fusion import Diagram, dense_tensor
    >>> dense_tensor(Diagram((0, 1), ["1o", "1o"], ["0e"]))[:, :, 0].round(3)
    array([[-0.577,  0.   ,  0.   ],
           [ 0.   , -0.577,  0.   ],
           [ 0.   ,  0.   , -0.577]])
    """
    name = check_dtype("dense_tensor", dtype)
    entries = coupling_tensor(diagram, basis, limit)
    labels = (*diagram.legs, diagram.root)
    found = np.zeros([label.dim for label in labels], name)
    for key, value in entries.items():
        found[tuple(int(m + degree(label)) for m, label in zip(key, labels))] = value.round(name)
    return found


def _contract(node: Node, legs: Sequence[Label], table: Any) -> tuple[tuple[int, ...], dict[Key, Surd]]:
    """Leaves of a subtree, and its tensor keyed by their components followed by that of the outgoing edge."""
    if isinstance(node, int):
        return (node,), {(m, m): Surd(1, 1) for m in components(legs[node])}
    out, left, right = node
    order_a, a = _contract(left, legs, table)
    order_b, b = _contract(right, legs, table)
    vertex: dict[Key, list[tuple[Any, Surd]]] = {}
    for ma, mb, m, value in table(*(degree(x) for x in (_label(left, legs), _label(right, legs), out))):
        vertex.setdefault((ma, mb), []).append((m, value))
    sums: dict[Key, list[Surd]] = {}
    for key_a, x in a.items():
        for key_b, y in b.items():
            for m, value in vertex.get((key_a[-1], key_b[-1]), ()):
                sums.setdefault((*key_a[:-1], *key_b[:-1], m), []).append(x * y * value)
    totals = {key: surd_sum(terms) if len(terms) > 1 else terms[0] for key, terms in sums.items()}
    return order_a + order_b, {key: value for key, value in totals.items() if value}


def _integers(node: Node, legs: Sequence[Label]) -> tuple[tuple[int, ...], dict[Key, int]]:
    """As `_contract` in the monomial gauge, the factorials of the legs left out; conservation fixes every inner m."""
    if isinstance(node, int):
        return (node,), {(m, m): 1 for m in components(legs[node])}
    out, left, right = node
    order_a, a = _integers(left, legs)
    order_b, b = _integers(right, legs)
    la, lb = _label(left, legs), _label(right, legs)
    found = {}
    for key_a, x in a.items():
        for key_b, y in b.items():
            ma, mb = key_a[-1], key_b[-1]
            value = x * y * cg_integer(degree(la), ma, degree(lb), mb, degree(out))
            if value:
                inner = (_factor(la, ma) if len(order_a) > 1 else 1) * (_factor(lb, mb) if len(order_b) > 1 else 1)
                found[(*key_a[:-1], *key_b[:-1], ma + mb)] = value * inner
    return order_a + order_b, found


def _couple(la: Label, lb: Label, out: Label, a: list[Any], b: list[Any]) -> list[Any]:
    """Product of two fragments in the monomial gauge: sum of S (ja+ma)!(ja-ma)!(jb+mb)!(jb-mb)! a b."""
    found: list[Any] = [0] * out.dim
    for ma, x in zip(components(la), a):
        for mb, y in zip(components(lb), b):
            s = cg_integer(degree(la), ma, degree(lb), mb, degree(out))
            if s:
                index = int(ma + mb + degree(out))
                found[index] = found[index] + (s * _factor(la, ma) * _factor(lb, mb)) * (x * y)
    return found


def _factor(label: Label, m: Any) -> int:
    return factorial(int(degree(label) + m)) * factorial(int(degree(label) - m))


def _label(node: Node, legs: Sequence[Label]) -> Label:
    return legs[node] if isinstance(node, int) else node[0]


def _check_size(function: str, diagram: Diagram, limit: int) -> None:
    check_type(function, "diagram", diagram, Diagram)
    limit = check_integer(function, "limit", limit, 0)
    size = prod(leg.dim for leg in diagram.legs)
    if size > limit:
        legs = _show(diagram.legs)
        raise SchemeError(f"{function}: 'limit' is {limit} combinations of leg components, but {legs} have {size}")


def _show(legs: Iterable[Label]) -> str:
    return " x ".join(str(leg) for leg in legs)
