r"""Where a potential may be used: the distances and compositions of the data that it was fitted to.

For each pair of elements the distances that occur are intervals, cut where none occurs for a while. Each end is moved
outwards by a margin: 0.05 Angstrom, or more where the data thin out slowly, since the rarest of few frames are not the
rarest there are: six mean excesses of the outermost distances, the scale of an exponential tail. A bond that is
stretched far is at distances of atoms that are not bonded, so that the distance from each atom to the nearest one has
intervals of its own, and to the nearest one of an element to which it is bonded in all data. Distances from the cutoff
on are not seen by a network and say nothing. What counts as one molecule are atoms that distances within the cutoff
connect: two molecules far apart are each what they are alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from nbody_ref.errors import GeometryError
from nbody_ref.fit.baseline import composition
from nbody_ref.fit.frames import Frames, symbols

__all__ = ["LeftDataError", "Outside", "Support", "Watch"]

Array = np.ndarray[Any, Any]
Pair = tuple[int, int]

MARGIN = 0.05  # Angstrom
GAP = 0.2  # Angstrom without a distance end an interval
TAIL = 6.0  # mean excesses added at an end
BOND = 1.3  # sums of covalent radii
LARGE = 0.3  # Angstrom outside an interval


class Outside(str):
    """What lies outside the training data, in words, and by how much.

    Attributes
    ----------
    size : float
        Angstrom from the nearest interval; 0 for a composition.
    """

    size: float

    def __new__(cls, text: str, size: float = 0.0) -> Outside:
        """Words with a size."""
        made = super().__new__(cls, text)
        made.size = size
        return made


class LeftDataError(GeometryError):
    """A relaxation or dynamics has left the training data; `last_inside` is the last geometry that was inside."""

    def __init__(self, text: str, last_inside: Any = None) -> None:
        super().__init__(text)
        self.last_inside = last_inside


@dataclass(frozen=True)
class Support:
    """Distances and compositions of training data.

    Parameters
    ----------
    species : tuple of int
        Atomic numbers, ascending.
    cutoff : float
        Angstrom.
    intervals : mapping of (int, int) to tuple of (float, float)
        Distances by pair of atomic numbers, ascending, with margins; none for a pair that was not seen.
    shortest : mapping of (int, int) to float
        Shortest distance of the data, of the pairs that were seen.
    compositions : tuple of tuple of int
        Numbers of atoms of each species.
    nearest : mapping of (int, int) to tuple of (float, float)
        Intervals of the distance from an atom of the first element to the nearest one of the second, 0 for any.
    """

    species: tuple[int, ...]
    cutoff: float
    intervals: Mapping[Pair, tuple[tuple[float, float], ...]]
    shortest: Mapping[Pair, float]
    compositions: tuple[tuple[int, ...], ...]
    nearest: Mapping[Pair, tuple[tuple[float, float], ...]]

    @classmethod
    def build(cls, frames: Frames, species: tuple[int, ...], cutoff: float) -> Support:
        """Of training frames; isolated atoms are among the compositions if their energies are known."""
        found: dict[Pair, list[Array]] = {}
        closest: dict[Pair, list[Array]] = {}
        for numbers, positions, *_ in frames:
            for pair, _, _, dist in _pairs(numbers, positions):
                found.setdefault(pair, []).append(dist)
            for pair, _, dist in _nearest(numbers, positions, cutoff):
                closest.setdefault(pair, []).append(dist)
        seen = {pair: np.sort(np.concatenate(parts)) for pair, parts in sorted(found.items())}
        shortest = {pair: float(dist[0]) for pair, dist in seen.items()}
        intervals = {pair: _intervals(dist[dist < cutoff + GAP]) for pair, dist in seen.items()}
        least = {pair: np.sort(np.concatenate(parts)) for pair, parts in sorted(closest.items())}
        nearest = {pair: _intervals(dist) for pair, dist in least.items() if dist[-1] < _bonded(pair)}
        known = {part for frame in frames for part in _parts(frame.numbers, frame.positions, species, cutoff)}
        known |= {composition(np.array([z]), species) for z in frames.atoms if z in species}
        return cls(species, cutoff, intervals, shortest, tuple(sorted(known)), nearest)

    def outside(self, numbers: Array, positions: Array) -> list[Outside]:
        """What of a molecule lies outside, worst distance of each pair of elements first; empty if nothing does."""
        found = []
        for pair, i, j, dist in _pairs(numbers, positions, self.cutoff):
            away = _away(dist, self.intervals.get(pair, ()))
            k = int(np.argmax(away))
            if away[k] > 0:
                a, b = symbols(pair)
                text = (
                    f"pair {a}-{b}: atoms {i[k]} and {j[k]} are {dist[k]:.3f} A apart, training data: {self.told(pair)}"
                )
                found.append(Outside(text, float(away[k])))
        for pair, atoms, apart in _nearest(numbers, positions, self.cutoff):
            away = _away(apart, self.nearest.get(pair, ((0.0, np.inf),)))
            worst = int(np.argmax(away))
            if away[worst] > 0:
                a, b = symbols(pair[:1])[0], symbols(pair[1:])[0] if pair[1] else "atom"
                known = _told(self.nearest[pair])
                text = f"atom {atoms[worst]} ({a}): the nearest {b} is at {apart[worst]:.3f} A, training data: {known}"
                found.append(Outside(text, float(away[worst])))
        found.sort(key=lambda one: -one.size)
        for part in sorted(_parts(numbers, positions, self.species, self.cutoff) - set(self.compositions)):
            found.append(Outside(f"composition {self.formula(part)}, training data: {self.formulas()}"))
        return found

    def told(self, pair: Pair) -> str:
        """The intervals of a pair of elements in words, Angstrom."""
        return _told(self.intervals[pair]) if pair in self.intervals else "no such pair"

    def formula(self, part: tuple[int, ...]) -> str:
        """A composition in words."""
        from ase.formula import Formula

        counts = {name: n for name, n in zip(symbols(self.species), part, strict=True) if n}
        return str(Formula.from_dict(counts).format("hill"))

    def formulas(self, most: int = 6) -> str:
        """Compositions of the data in words, isolated atoms last."""
        names = [self.formula(part) for part in sorted(self.compositions, key=lambda part: (sum(part) == 1, part))]
        return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")

    def lines(self) -> list[str]:
        """For people: compositions, and intervals of distances."""
        pairs = combinations_with_replacement(self.species, 2)
        return [
            f"trained on   {self.formulas()}; elsewhere it is an extrapolation",
            *(f"  {'-'.join(symbols(pair)):<10} {self.told(pair)}" for pair in pairs),
        ]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        intervals = {f"{a} {b}": [list(ends) for ends in found] for (a, b), found in self.intervals.items()}
        shortest = {f"{a} {b}": value for (a, b), value in self.shortest.items()}
        nearest = {f"{a} {b}": [list(ends) for ends in found] for (a, b), found in self.nearest.items()}
        compositions = [list(c) for c in self.compositions]
        return {"intervals": intervals, "nearest": nearest, "shortest": shortest, "compositions": compositions}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], species: tuple[int, ...], cutoff: float) -> Support:
        """Of `to_dict`.

        Raises
        ------
        ValueError, KeyError, TypeError, AttributeError
            If the record is none.
        """

        def pair(text: str) -> Pair:
            a, b = map(int, text.split())
            return a, b

        shortest = {pair(name): float(value) for name, value in record["shortest"].items()}
        intervals, nearest = (
            {pair(name): tuple((float(a), float(b)) for a, b in ends) for name, ends in record[key].items()}
            for key in ("intervals", "nearest")
        )
        parts = tuple(tuple(int(n) for n in part) for part in record["compositions"])
        if not all(len(part) == len(species) for part in parts) or not np.isfinite([*shortest.values()]).all():
            raise ValueError("support: compositions or distances that do not fit the species")
        return cls(species, cutoff, intervals, shortest, parts, nearest)


class Watch:
    """An observer that stops relaxations and dynamics of ASE outside their data: ``dynamics.attach(Watch(atoms))``.

    Parameters
    ----------
    atoms : ase.Atoms
        With a calculator of a potential.
    patience : int
        So many calls in a row may be outside.
    large : float
        A pair so far outside its intervals stops at once, Angstrom.

    Raises
    ------
    LeftDataError
        On a call: with the reason and the last geometry inside.
    """

    def __init__(self, atoms: Any, patience: int = 100, large: float = LARGE) -> None:
        self.atoms, self.patience, self.large = atoms, patience, large
        self.last_inside: Any = None
        self._calls = self._since = 0

    def __call__(self) -> None:
        """One step."""
        found = self.atoms.calc.results.get("outside") or []
        self._calls += 1
        if not found:
            self._since, self.last_inside = 0, self.atoms.copy()
            return
        self._since += 1
        far = max(one.size for one in found) > self.large
        if far or self._since > self.patience:
            how = f"for {self._since} steps" if not far else "far"
            raise LeftDataError(f"outside the training data {how}, at step {self._calls}: {found[0]}", self.last_inside)


def _pairs(numbers: Array, positions: Array, cutoff: float = np.inf) -> list[tuple[Pair, Array, Array, Array]]:
    """For each pair of elements: the atoms of every pair nearer than the cutoff, and their distances."""
    i, j = np.triu_indices(len(numbers), 1)
    dist = np.linalg.norm(positions[i] - positions[j], axis=1)
    near = dist < cutoff
    i, j, dist = i[near], j[near], dist[near]
    codes = 1000 * np.minimum(numbers[i], numbers[j]) + np.maximum(numbers[i], numbers[j])
    return [((int(c) // 1000, int(c) % 1000), i[codes == c], j[codes == c], dist[codes == c]) for c in np.unique(codes)]


def _told(ends: tuple[tuple[float, float], ...]) -> str:
    """Intervals in words, Angstrom."""
    return ", ".join(f"{low:.2f}-{high:.2f}" for low, high in ends) + " A"


def _away(dist: Array, ends: tuple[tuple[float, float], ...]) -> Array:
    """How far distances are from the nearest of some intervals, infinite if there is none; not positive inside."""
    if not ends:
        return np.full(len(dist), np.inf)
    low, high = np.array(ends).T
    return np.asarray(np.maximum(low - dist[:, None], dist[:, None] - high).min(axis=1))


def _bonded(pair: Pair) -> float:
    """Distance below which atoms are bonded: 1.3 of the sum of covalent radii; any, where one element is any."""
    from ase.data import covalent_radii

    return np.inf if pair[1] == 0 else float(BOND * (covalent_radii[pair[0]] + covalent_radii[pair[1]]))


def _nearest(numbers: Array, positions: Array, cutoff: float) -> list[tuple[Pair, Array, Array]]:
    """For each ordered pair of elements: atoms of the first, and their distances to the nearest of the second.

    Element 0 stands for any. Atoms that have none within the cutoff are left out.
    """
    dist = np.linalg.norm(positions[:, None] - positions, axis=2)
    np.fill_diagonal(dist, np.inf)
    found = []
    kinds = [int(z) for z in np.unique(numbers)]
    for b in (*kinds, 0):
        least = dist[:, (numbers == b) | (b == 0)].min(axis=1)
        for a in kinds:
            atoms = np.flatnonzero((numbers == a) & (least < cutoff))
            if len(atoms):
                found.append(((a, b), atoms, least[atoms]))
    return found


def _intervals(dist: Array) -> tuple[tuple[float, float], ...]:
    """Intervals of sorted distances with margins, joined where they touch."""
    if not len(dist):
        return ()
    ends: list[tuple[float, float]] = []
    for part in np.split(dist, np.flatnonzero(np.diff(dist) > GAP) + 1):
        low, high = float(part[0] - _margin(part)), float(part[-1] + _margin(-part[::-1]))
        if ends and low <= ends[-1][1]:
            low, high = ends.pop()[0], high
        ends.append((low, high))
    return tuple(ends)


def _margin(rising: Array) -> float:
    """How far the lower end of sorted distances is moved, from the mean excess of the ten outermost, or a fifth."""
    m = min(10, len(rising) // 5)
    return max(MARGIN, TAIL * float(rising[m] - rising[:m].mean())) if m else MARGIN


def _parts(numbers: Array, positions: Array, species: tuple[int, ...], cutoff: float) -> set[tuple[int, ...]]:
    """Compositions of what distances within the cutoff connect."""
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial.distance import pdist, squareform

    if len(numbers) < 2:
        return {composition(numbers, species)}
    near = pdist(positions) < cutoff
    if near.all():
        return {composition(numbers, species)}
    count, of = connected_components(squareform(near), directed=False)
    return {composition(numbers[of == k], species) for k in range(count)}
