"""What the reduction of a Yutsis graph leaves behind: signs, dimensions, 6j symbols, sums over new spins."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from nbody_ref.exact import Surd, six_j
from nbody_ref.fusion.contraction import couples

__all__ = ["Factor", "latex_name"]

Names = tuple[str, ...]


@dataclass
class Factor:
    """Sum over new spins of signs, powers of dimensions, 6j symbols and conditions, in names of lines.

    Parameters
    ----------
    sums : dict of str -> two pairs of str
        New spins x, each running over what both pairs of lines can couple to, in this order.
    phase : dict of str -> int
        (-1)^(sum of coefficient times spin), coefficients modulo 4.
    dims : dict of str -> int
        Twice the power of 2j + 1.
    six : list of six names
        6j symbols, first row then second.
    triads : list of three names
        1 if they fulfil the triangle rule, else 0.
    equal : list of pairs of names
        1 if both spins are equal, else 0; the second may be "0".
    """

    sums: dict[str, tuple[Names, Names]] = field(default_factory=dict)
    phase: dict[str, int] = field(default_factory=dict)
    dims: dict[str, int] = field(default_factory=dict)
    six: list[Names] = field(default_factory=list)
    triads: list[Names] = field(default_factory=list)
    equal: list[tuple[str, str]] = field(default_factory=list)

    def sign(self, **powers: int) -> None:
        """Multiply by (-1)^(power times spin) for each name."""
        for name, power in powers.items():
            self.phase[name] = (self.phase.get(name, 0) + power) % 4

    def dim(self, name: str, power: int) -> None:
        """Multiply by (2j + 1)^(power / 2)."""
        self.dims[name] = self.dims.get(name, 0) + power

    def times(self, other: Factor) -> Factor:
        """Product; the sums of `other` run inside."""
        found = Factor(self.sums | other.sums, dict(self.phase), dict(self.dims))
        found.sign(**other.phase)
        for name, power in other.dims.items():
            found.dim(name, power)
        found.six, found.triads = self.six + other.six, self.triads + other.triads
        found.equal = self.equal + other.equal
        return found

    def drop_implied(self) -> None:
        """Drop triads that a 6j symbol contains: it is zero without them."""
        implied = {frozenset(t) for a, b, c, d, e, f in self.six for t in ((a, b, c), (a, e, f), (d, b, f), (d, e, c))}
        self.triads = [triad for triad in self.triads if frozenset(triad) not in implied]

    def with_name(self, old: str, new: str) -> Factor:
        """The factor with a summed spin `old` put equal to `new`: its sum is gone."""

        def put(names: Names) -> Names:
            return tuple(new if name == old else name for name in names)

        sums = {x: (put(a), put(b)) for x, (a, b) in self.sums.items() if x != old}
        found = Factor(sums, six=[put(x) for x in self.six], triads=[put(x) for x in self.triads])
        found.equal = [(a, b) for a, b in (put(pair) for pair in self.equal) if a != b]
        for name, power in self.phase.items():
            found.sign(**{new if name == old else name: power})
        for name, power in self.dims.items():
            found.dim(new if name == old else name, power)
        return found

    def terms(self, spins: Mapping[str, Fraction]) -> Iterator[tuple[Surd, dict[str, Fraction]]]:
        """Nonzero terms of the sum: value, and the spins of all lines."""
        known = {**spins, "0": Fraction(0)}
        ready: list[list[Names]] = [[] for _ in range(len(self.sums) + 1)]  # which 6j are known after how many sums
        order = list(self.sums)
        for names in self.six:
            ready[max((order.index(x) + 1 for x in names if x in self.sums), default=0)].append(names)

        def descend(depth: int, value: Surd) -> Iterator[tuple[Surd, dict[str, Fraction]]]:
            for names in ready[depth]:
                value = value * six_j(*(known[name] for name in names))
                if not value:
                    return
            if depth == len(order):
                rest = self._prefactor(known)
                if rest:
                    yield value * rest, dict(known)
                return
            (a, b), (c, d) = self.sums[order[depth]]
            low = max(abs(known[a] - known[b]), abs(known[c] - known[d]))
            high = min(known[a] + known[b], known[c] + known[d])
            if (known[a] + known[b] + known[c] + known[d]).denominator == 1:
                for k in range(int(high - low) + 1 if high >= low else 0):
                    known[order[depth]] = low + k
                    yield from descend(depth + 1, value)

        yield from descend(0, Surd(1, 1))

    def _prefactor(self, known: Mapping[str, Fraction]) -> Surd:
        for a, b in self.equal:
            if known[a] != known[b]:
                return Surd(0, 0)
        if not all(couples(*(known[name] for name in triad)) for triad in self.triads):
            return Surd(0, 0)
        square = Fraction(1)
        for name, power in self.dims.items():
            square *= (2 * known[name] + 1) ** power
        exponent = sum((power * known[name] for name, power in self.phase.items()), Fraction(0))
        if exponent.denominator != 1:  # a triangle rule is violated somewhere
            return Surd(0, 0)
        return Surd(-1 if exponent % 2 else 1, square.numerator, square.denominator)

    def latex(self, name: Callable[[str], str] | None = None) -> str:
        """The factor as LaTeX, an empty text for 1."""
        show = name or latex_name
        parts = [rf"\sum_{{{', '.join(show(x) for x in self.sums)}}}"] if self.sums else []
        exponent = ""
        for line, power in self.phase.items():
            if power:
                exponent += "-" if power == 3 else "+" if exponent else ""
                exponent += f"{2 if power == 2 else ''}{show(line)}"
        parts += [f"(-1)^{{{exponent}}}"] if exponent else []
        over, under = "", ""
        for line, power in sorted(self.dims.items()):
            text = f"(2{show(line)}+1)" + (f"^{{{Fraction(abs(power), 2)}}}" if abs(power) != 2 else "")
            over, under = (over + text, under) if power > 0 else (over, under + text) if power < 0 else (over, under)
        delta = "".join(rf"\delta_{{{show(a)}{show(b)}}}" for a, b in self.equal)
        delta += "".join(rf"\{{{' '.join(map(show, triad))}\}}" for triad in self.triads)
        parts += [rf"\frac{{{over + delta or '1'}}}{{{under}}}"] if under else [over + delta] if over + delta else []
        for a, b, c, d, e, f in (tuple(map(show, names)) for names in self.six):
            parts.append(rf"\begin{{Bmatrix}} {a} & {b} & {c} \\ {d} & {e} & {f} \end{{Bmatrix}}")
        return r" \, ".join(parts)


def latex_name(name: str) -> str:
    """Name of a line in LaTeX: letters, then digits as an index; anything else upright."""
    if name == "0":
        return name
    found = re.fullmatch(r"([A-Za-z])_?(\w*)", name)
    if found is None:
        return rf"\mathrm{{{re.sub(r'[^A-Za-z0-9 .,/]', '', name)}}}"
    letter, index = found.groups()
    return f"{letter}_{{{index}}}" if index else letter
