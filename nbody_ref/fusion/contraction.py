"""Value of a diagram of 3j symbols: a sum over the components of its inner lines, exactly.

The square roots of a 3j symbol are taken out (docs/derivations/symbols.md, Y2). What is summed are integers, each inner
line with its weight (j+m)! (j-m)!.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import factorial
from typing import Any

from nbody_ref.errors import IrrepsError
from nbody_ref.exact import Surd, cg_integer
from nbody_ref.exact.ring import as_rational

__all__ = ["Slot", "Vertex", "check_components", "contract", "couples", "sign_of"]

Slot = tuple[str, int]  # a line and +1 where its arrow leaves, -1 where it arrives
Vertex = tuple[Slot, Slot, Slot]
Tensor = tuple[tuple[str, ...], dict[tuple[int, ...], int]]  # names of lines, and entries by doubled components


def contract(vertices: Sequence[Vertex], exact_spins: Mapping[str, Fraction], fixed: Mapping[str, int]) -> Surd:
    """Value of a graph; its spins, and the doubled components of its open lines. Unchecked.

    Returns
    -------
    Surd
        Zero where a triangle rule is violated or an abs(m) > j.
    """
    spins = {name: int(2 * j) for name, j in exact_spins.items()}
    if any(not couples(*(exact_spins[name] for name, _ in vertex)) for vertex in vertices):
        return Surd(0, 0)
    if any(abs(m) > spins[name] for name, m in fixed.items()):
        return Surd(0, 0)
    tensors = [_tensor(vertex, spins, fixed) for vertex in vertices]
    while len(tensors) > 1:  # the two whose product has the fewest open lines
        pairs = [(i, k) for k in range(len(tensors)) for i in range(k)]
        i, k = min(pairs, key=lambda pair: len(set(tensors[pair[0]][0]) ^ set(tensors[pair[1]][0])))
        tensors.append(_joined(tensors[i], tensors.pop(k), spins))
        tensors.pop(i)
    total = tensors[0][1].get((), 0) if tensors else 1
    square = Fraction(1)
    for vertex in vertices:
        square *= _square_of_vertex(*(spins[name] for name, _ in vertex))
    for name, m in fixed.items():
        square *= _weight(spins[name], m)
    return Surd((total > 0) - (total < 0), total * total * square.numerator, square.denominator)


def couples(a: Fraction, b: Fraction, c: Fraction) -> bool:
    """Triangle rule."""
    return (a + b + c).denominator == 1 and abs(a - b) <= c <= a + b


def sign_of(power: int) -> int:
    """(-1)^power as an integer; Python's own is a float for negative powers."""
    return -1 if power % 2 else 1


def check_components(
    function: str, lines: Sequence[str], spins: Mapping[str, Fraction], components: Mapping[str, Any] | None
) -> dict[str, int]:
    """Doubled components of the open lines, one for each, or IrrepsError."""
    given = dict(components or {})
    if sorted(map(str, given)) != sorted(lines):
        got = sorted(map(str, given))
        raise IrrepsError(f"{function}: 'components' must be given for the open lines {list(lines)}, got {got}")
    found = {}
    for name, value in given.items():
        m, j = as_rational(value), spins[name]
        if m is None or (j - m).denominator != 1:
            rule = f"must differ from its spin {j} by an integer"
            raise IrrepsError(f"{function}: 'components' of line {name!r} {rule}, got {value!r}")
        found[name] = int(2 * m)
    return found


# Below, spins and components are doubled integers.


def _weight(j: int, m: int) -> int:
    return factorial((j + m) // 2) * factorial((j - m) // 2)


def _square_of_vertex(a: int, b: int, c: int) -> Fraction:
    below = factorial((a + b + c) // 2 + 1)
    for upper in (a + b - c, a - b + c, -a + b + c):
        below *= factorial(upper // 2)
    return Fraction(1, below)


def _tensor(vertex: Vertex, spins: Mapping[str, int], fixed: Mapping[str, int]) -> Tensor:
    """Integers of one vertex by the components of its lines; open lines have theirs, loops are summed."""
    (x, sx), (y, sy), (z, sz) = vertex
    a, b, c = spins[x], spins[y], spins[z]
    names = tuple(name for name in dict.fromkeys((x, y, z)) if name not in fixed and (x, y, z).count(name) == 1)
    entries: dict[tuple[int, ...], int] = {}
    for m in range(-a, a + 1, 2):
        for n in range(max(-b, -c - m), min(b, c - m) + 1, 2):
            found: dict[str, int] = dict(fixed)
            if all(found.setdefault(name, s * k) == s * k for name, s, k in ((x, sx, m), (y, sy, n), (z, sz, -m - n))):
                value = cg_integer(*(Fraction(k, 2) for k in (a, m, b, n, c))) * sign_of((a - b + m + n) // 2)
                for name, s in vertex:  # arrows that arrive: the phase of an inner or an open line
                    value *= sign_of((spins[name] - found[name]) // 2) if s < 0 else 1
                for name in {x, y, z} - set(names) - set(fixed):
                    value *= _weight(spins[name], found[name])
                key = tuple(found[name] for name in names)
                entries[key] = entries.get(key, 0) + value
    return names, {key: value for key, value in entries.items() if value}


def _joined(first: Tensor, second: Tensor, spins: Mapping[str, int]) -> Tensor:
    """Product of two tensors, summed over the lines that they share."""
    shared = [name for name in first[0] if name in second[0]]
    left, right = ([names.index(name) for name in shared] for names, _ in (first, second))
    kept = [k for k, name in enumerate(first[0]) if name not in shared]
    rest = [k for k, name in enumerate(second[0]) if name not in shared]
    groups: dict[tuple[int, ...], list[tuple[tuple[int, ...], int]]] = {}
    for key, value in second[1].items():
        groups.setdefault(tuple(key[k] for k in right), []).append((tuple(key[k] for k in rest), value))
    entries: dict[tuple[int, ...], int] = {}
    for key, value in first[1].items():
        common = tuple(key[k] for k in left)
        partners = groups.get(common)
        if partners:
            for name, m in zip(shared, common):
                value *= _weight(spins[name], m)
            start = tuple(key[k] for k in kept)
            for end, other in partners:
                entries[start + end] = entries.get(start + end, 0) + value * other
    names = tuple(first[0][k] for k in kept) + tuple(second[0][k] for k in rest)
    return names, {key: value for key, value in entries.items() if value}
