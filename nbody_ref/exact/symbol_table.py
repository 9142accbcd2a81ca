"""Tables of symbols for programs in other languages: JSON with exact values, or a C header of doubles.

Listed are the nonzero symbols up to a largest spin, one of each set that the symmetries of the symbol make equal up to
a sign: the one with the largest labels. Doubles are C99 hexadecimal constants, the nearest to the exact values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import permutations, product
from typing import Any

from nbody_ref.errors import ArgumentError
from nbody_ref.exact.cg import _degree, _triangle
from nbody_ref.exact.symbols import gaunt, nine_j, real_gaunt, six_j, three_j

__all__ = ["SYMBOLS", "symbol_header", "symbol_json", "symbol_table"]

Labels = tuple[int, ...]
SYMBOLS: dict[str, Callable[..., Any]] = {
    "three_j": three_j,
    "six_j": six_j,
    "nine_j": nine_j,
    "gaunt": gaunt,
    "real_gaunt": real_gaunt,
}


def symbol_table(symbol: str, largest: Any, integer: bool = False) -> list[tuple[Labels, Any]]:
    """Nonzero symbols with spins up to `largest`, ascending by labels.

    Parameters
    ----------
    symbol : {"three_j", "six_j", "nine_j", "gaunt", "real_gaunt"}
    largest : int, Fraction or float
        Largest spin.
    integer : bool
        Leave half-integer spins out; the Gaunt coefficients have none.

    Returns
    -------
    list of (labels, value)
        Labels **doubled**, in the order of the function's arguments.

    Raises
    ------
    ArgumentError
        If the symbol is unknown or `largest` no spin.

    Examples
    --------
    >>> symbol_table("six_j", 0.5)
    [((0, 0, 0, 0, 0, 0), Surd(1, 1, 1)), ((1, 1, 0, 0, 0, 1), Surd(-1, 1, 2)), ((1, 1, 0, 1, 1, 0), Surd(-1, 1, 4))]
    """
    if not isinstance(symbol, str) or symbol not in SYMBOLS:
        raise ArgumentError(f"symbol_table: 'symbol' must be one of {', '.join(SYMBOLS)}, got {symbol!r:.60}")
    top, step = _degree("symbol_table", "largest", largest), 2 if integer or "gaunt" in symbol else 1
    spins = range(0, top + 1, step)
    draw = {"six_j": _six, "nine_j": _nine, "real_gaunt": _real_pairs}.get(symbol, _pairs)
    rows = []
    for labels in sorted(draw(spins)):
        value = SYMBOLS[symbol](*(Fraction(x, 2) for x in labels))
        if value:
            rows.append((labels, value))
    return rows


def symbol_json(symbol: str, largest: Any, integer: bool = False) -> str:
    """`symbol_table` as JSON: rows of doubled labels, sign, p and q of sign * sqrt(p/q), and the double as hexadecimal.

    Arguments, raises: as `symbol_table`. p and q are texts, since they outgrow what readers of JSON keep; Gaunt
    coefficients are sign * sqrt(p/q) / sqrt(pi).
    """
    rows = []
    for labels, value in symbol_table(symbol, largest, integer):
        surd = getattr(value, "surd", value)
        rows.append(json.dumps([list(labels), surd.sign, str(surd.p), str(surd.q), float(value).hex()]))
    head = {"symbol": symbol, "largest": str(largest), "labels": "doubled", "over_root_pi": "gaunt" in symbol}
    return json.dumps(head)[:-1] + ', "rows": [\n' + ",\n".join(rows) + "\n]}\n"


def symbol_header(symbol: str, largest: Any, integer: bool = False) -> str:
    """`symbol_table` as a C header: NAME_count, NAME_labels (doubled) and NAME_values. Arguments, raises: as there."""
    rows = symbol_table(symbol, largest, integer)
    width = len(rows[0][0]) if rows else 6
    labels = ",\n".join("    {" + ", ".join(map(str, row)) + "}" for row, _ in rows)
    values = ",\n".join(f"    {float(value).hex()}" for _, value in rows)
    return (
        f"/* {symbol}, spins up to {largest}: doubled labels in the order of nbody_ref.exact.{symbol},\n"
        "   and the doubles nearest to the exact values. One of each set that is equal by symmetry. */\n"
        f"#ifndef NBODY_REF_{symbol.upper()}_H\n#define NBODY_REF_{symbol.upper()}_H\n\n"
        f"enum {{ {symbol}_count = {len(rows)} }};\n\n"
        f"static const int {symbol}_labels[{len(rows)}][{width}] = {{\n{labels}\n}};\n\n"
        f"static const double {symbol}_values[{len(rows)}] = {{\n{values}\n}};\n\n#endif\n"
    )


# Below, spins are doubled. The symmetries only permute labels (and reflect components).


def _pairs(spins: Sequence[int]) -> Iterator[Labels]:
    """3j symbols and Gaunt coefficients: pairs (j, m) descending, and not below their reflection."""
    for a, b, c in product(spins, repeat=3):
        if a >= b >= c and _triangle(a, b, c):
            for m, n in product(range(-a, a + 1, 2), range(-b, b + 1, 2)):
                pairs = [(a, m), (b, n), (c, -m - n)]
                mirror = sorted([(j, -k) for j, k in pairs], reverse=True)
                if abs(m + n) <= c and pairs == sorted(pairs, reverse=True) and pairs >= mirror:
                    yield a, m, b, n, c, -m - n


def _real_pairs(spins: Sequence[int]) -> Iterator[Labels]:
    """Real Gaunt coefficients: pairs (l, m) descending."""
    for a, b, c in product(spins, repeat=3):
        if a >= b >= c and _triangle(a, b, c) and (a + b + c) % 4 == 0:
            for m, n in product(range(-a, a + 1, 2), range(-b, b + 1, 2)):
                for o in sorted({abs(m) + abs(n), abs(abs(m) - abs(n))} | {-abs(m) - abs(n), -abs(abs(m) - abs(n))}):
                    if abs(o) <= c and (a, m) >= (b, n) >= (c, o):
                        yield a, m, b, n, c, o


def _six(spins: Sequence[int]) -> Iterator[Labels]:
    """6j symbols: not below what permuting columns, and exchanging rows in two of them, makes of them."""
    for a, b, c in product(spins, repeat=3):
        if _triangle(a, b, c) and a >= b >= c:
            for d, e, f in product(spins, repeat=3):
                if _triangle(a, e, f) and _triangle(d, b, f) and _triangle(d, e, c):
                    columns = ((a, d), (b, e), (c, f))
                    if (a, b, c, d, e, f) == max(_images(columns)):
                        yield a, b, c, d, e, f


def _images(columns: tuple[tuple[int, int], ...]) -> Iterator[Labels]:
    for (a, d), (b, e), (c, f) in permutations(columns):
        yield from ((a, b, c, d, e, f), (a, e, f, d, b, c), (d, b, f, a, e, c), (d, e, c, a, b, f))


def _nine(spins: Sequence[int]) -> Iterator[Labels]:
    """9j symbols: not below what permuting rows and columns, and transposing, makes of them."""
    triads = [triad for triad in product(spins, repeat=3) if _triangle(*triad)]
    for first in triads:
        for second in triads:
            for third in triads:
                rows = first, second, third
                if first >= second >= third and all(_triangle(*column) for column in zip(*rows)):
                    same = (
                        p for r in (rows, tuple(zip(*rows))) for q in permutations(r) for p in permutations(zip(*q))
                    )
                    if first + second + third == max(
                        tuple(x for row in zip(*columns) for x in row) for columns in same
                    ):
                        yield first + second + third
