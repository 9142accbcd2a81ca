"""3j, 6j and 9j symbols, Gaunt coefficients and Yutsis graphs: docs/derivations/symbols.md and yutsis.md."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from fractions import Fraction
from itertools import product as cartesian
from types import SimpleNamespace
from typing import Any

from _claims import Cases, claim, main
from _judge import Squared, ladder_cg, number, of_surd, series, times, total

from nbody_ref.exact import Surd, nine_j, six_j, three_j
from nbody_ref.fusion import YutsisGraph


def halves(*doubled: int) -> list[Fraction]:
    """Spins from doubled ones."""
    return [Fraction(j, 2) for j in doubled]


def triad(a: int, b: int, c: int) -> bool:
    """Triangle rule for doubled spins."""
    return (a + b + c) % 2 == 0 and abs(a - b) <= c <= a + b


@claim("13.1", "docs/derivations/symbols.md", "3j symbols equal coupling from ladder operators, all with j <= 3",
       "ladder operators", {"three_j": three_j},
       {"phase of half-integers lost": {"three_j": lambda *v: three_j(*v) * (-1 if v[0] % 1 and v[2] % 1 else 1)},
        "root of a factor 2": {"three_j": lambda *v: three_j(*v) * Surd(1, 1, 1 + int(v[2] > 1))}})  # fmt: skip
def three(subject: SimpleNamespace, full: bool) -> Cases:
    top = 6 if full else 4
    for a, b in cartesian(range(top + 1), repeat=2):
        for c in series(a, b):
            for m, n in cartesian(range(-a, a + 1, 2), range(-b, b + 1, 2)):
                if c <= top and abs(m + n) <= c:
                    sign, square = ladder_cg(a, m, b, n, c)
                    sign *= -1 if (a - b + m + n) // 2 % 2 else 1
                    found = of_surd(subject.three_j(*halves(a, m, b, n, c, -m - n)))
                    yield (a, m, b, n, c), 0 if found == (sign if square else 0, square / (c + 1)) else 1


WRONG_6J = {
    "rows exchanged": {"six_j": lambda a, b, c, d, e, f: six_j(d, e, f, a, b, c)},
    "sign of odd sums": {"six_j": lambda a, b, c, d, e, f: six_j(a, b, c, d, e, f) * (-1) ** int(a + b + c)},
}


@claim("13.2", "docs/derivations/symbols.md", "Biedenharn-Elliott identity, random spins to j = 6", "exact sums",
       {"six_j": six_j}, WRONG_6J)  # fmt: skip
def biedenharn_elliott(subject: SimpleNamespace, full: bool) -> Cases:
    rng, seen = random.Random(1), 0
    while seen < (4000 if full else 200):
        a, b, c, d, e, f = (rng.randrange(13) for _ in range(6))
        g, h, j = (rng.choice(series(*pair)) for pair in ((a, d), (d, e), (a, f)))
        if max(g, h, j) > 12 or not (triad(b, c, g) and triad(c, f, h) and triad(e, b, j) and triad(g, h, j)):
            continue
        seen += 1

        def six(*spins: int) -> Squared:
            return of_surd(subject.six_j(*halves(*spins)))

        terms = []
        for x in series(a, b):
            if triad(c, d, x) and triad(e, f, x):
                sign = number((-1) ** ((a + b + c + d + e + f + g + h + j + x) // 2) * (x + 1))
                terms.append(times(sign, six(a, b, x, c, d, g), six(c, d, x, e, f, h), six(e, f, x, b, a, j)))
        right = times(six(g, h, j, e, a, d), six(g, h, j, f, b, c))
        yield (a, b, c, d, e, f, g, h, j), 0 if total(terms) == right else 1


WRONG_9J = {
    "two entries exchanged": {"nine_j": lambda a, b, c, d, e, f, g, h, i: nine_j(a, b, c, d, e, f, g, i, h)},
    "square root of a factor 2": {"nine_j": lambda *v: nine_j(*v) * Surd(1, 1, 1 + int(v[6] == 1))},
}


@claim("13.3", "docs/derivations/symbols.md", "9j symbols are orthogonal, random spins to j = 6", "exact sums",
       {"nine_j": nine_j}, WRONG_9J)  # fmt: skip
def nine_orthogonal(subject: SimpleNamespace, full: bool) -> Cases:
    rng = random.Random(2)
    for top in [12] * 20 + [5] * 200 if full else [5] * 12:
        a, b, d, e = (rng.randrange(top + 1) for _ in range(4))
        c, f, k, q = (rng.choice(series(*pair)) for pair in ((a, b), (d, e), (a, b), (d, e)))
        common = [i for i in series(c, f) if triad(k, q, i) and i <= top]
        if not common:
            continue
        i = rng.choice(common)
        terms = []
        for g, h in cartesian(series(a, d), series(b, e)):
            if triad(g, h, i):
                first = of_surd(subject.nine_j(*halves(a, b, c, d, e, f, g, h, i)))
                second = of_surd(subject.nine_j(*halves(a, b, k, d, e, q, g, h, i)))
                terms.append(times(number((g + 1) * (h + 1) * (c + 1) * (f + 1)), first, second))
        yield (a, b, c, d, e, f, k, q, i), 0 if total(terms) == number(int((c, f) == (k, q))) else 1


@claim("13.4", "docs/derivations/symbols.md", "a 9j symbol with a zero is a 6j symbol, all j <= 2, random to 6",
       "6j symbols", {"nine_j": nine_j}, {"two entries exchanged": WRONG_9J["two entries exchanged"]})  # fmt: skip
def nine_reduces(subject: SimpleNamespace, full: bool) -> Cases:
    rng = random.Random(3)
    small = list(cartesian(range(5 if full else 3), repeat=6))
    for a, b, c, d, e, f in small + [tuple(rng.randrange(13) for _ in range(6)) for _ in range(2000 if full else 20)]:
        if triad(a, b, c) and triad(a, e, f) and triad(d, b, f) and triad(d, e, c):
            sign = Fraction((-1) ** ((b + c + e + f) // 2))
            wanted = times(of_surd(six_j(*halves(a, b, c, d, e, f))), (int(sign), Fraction(1, (c + 1) * (f + 1))))
            yield (a, b, c, d, e, f), 0 if of_surd(subject.nine_j(*halves(a, b, c, e, d, c, f, f, 0))) == wanted else 1


def graph(rng: random.Random, n: int, top: int, opened: int) -> YutsisGraph:
    """Random graph of n vertices with admissible spins, doubled up to `top`."""
    while True:
        ends = [k for k in range(n) for _ in range(3)]
        rng.shuffle(ends)
        vertices: list[list[str]] = [[] for _ in range(n)]
        for k in range(opened):
            vertices[ends.pop()].append(rng.choice(["", "-"]) + f"o{k}")
        for k, (u, v) in enumerate(zip(ends[::2], ends[1::2])):
            vertices[u].append(f"j{k}")
            vertices[v].append(f"-j{k}")
        for vertex in vertices:
            rng.shuffle(vertex)
        spins = draw(rng, [[end.lstrip("-") for end in vertex] for vertex in vertices], top)
        if spins:
            return YutsisGraph(vertices, spins, [rng.choice([1, -1]) for _ in vertices])


def draw(rng: random.Random, vertices: Sequence[Sequence[str]], top: int) -> dict[str, Fraction]:
    """Admissible spins, or none."""
    spins: dict[str, int] = {}
    for name in dict.fromkeys(name for vertex in vertices for name in vertex):
        fitting = []
        for j in range(top + 1):
            found = spins | {name: j}
            full = [[found[x] for x in v] for v in vertices if name in v and all(x in found for x in v)]
            fitting += [j] * all(triad(*v) for v in full)
        if not fitting:
            return {}
        spins[name] = rng.choice(fitting)
    return {name: Fraction(j, 2) for name, j in spins.items()}


def simplified(whole: YutsisGraph, components: dict[str, Fraction]) -> Surd:
    """Value by the formula."""
    return whole.simplify(2).value(components)


def flipped(whole: YutsisGraph, components: dict[str, Fraction]) -> Surd:
    """Planted: the first vertex read the other way round."""
    names = [[("-" if s < 0 else "") + name for name, s in vertex] for vertex in whole.vertices]
    return simplified(YutsisGraph(names, whole.spins, [-1] + [1] * (len(names) - 1)), components)


def phase_lost(whole: YutsisGraph, components: dict[str, Fraction]) -> Surd:
    """Planted: no signs."""
    reduction = whole.simplify(2)
    reduction.factor.phase.clear()
    return reduction.value(components)


@claim("13.5", "docs/derivations/yutsis.md", "random Yutsis graphs to 8 vertices, closed and open, reduced, equal the "
       "sum over components", "sum over components", {"value": simplified},
       {"a flipped vertex": {"value": flipped}, "a lost phase": {"value": phase_lost}})  # fmt: skip
def reductions(subject: SimpleNamespace, full: bool) -> Cases:
    rng = random.Random(4)
    for k in range(10_000 if full else 150):
        n = rng.randrange(1, 9)
        opened = rng.choice([i for i in range(5) if (3 * n - i) % 2 == 0 and i <= n + 2])
        whole = graph(rng, n, rng.choice([2, 4]), opened)
        spins: dict[str, Any] = dict(whole.spins)
        components = {name: rng.randrange(int(2 * spins[name]) + 1) - spins[name] for name in whole.open_lines}
        yield k, 0 if subject.value(whole, components) == whole.value(components) else 1


if __name__ == "__main__":
    sys.exit(main())
