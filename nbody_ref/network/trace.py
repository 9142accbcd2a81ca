"""Everything that one run of a network computed, forward and adjoint, by name.

For teaching, and for finding where the numbers of another implementation part from ours.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nbody_ref.errors import NBodyRefError, ShapeError
from nbody_ref.gates.chain import Array
from nbody_ref.graphs import Graph
from nbody_ref.irreps import Irrep, Irreps

if TYPE_CHECKING:
    from nbody_ref.network.network import Network

__all__ = ["Difference", "Record", "Trace", "trace"]


class Record(NamedTuple):
    """One fragment of one node.

    Attributes
    ----------
    variable : str
        Name in the program, ``level1/term2/leg1/mixed`` for example; its first part is the level.
    level : str
    node : int
        Row of the variable: atom, subsystem or frame; for pairs of children, the slot.
    kind : hashable or None
        Kind of the node (species of a neighbourhood's atom), where rows are nodes.
    part : int
        Place of the part in the type of the variable.
    irrep : Irrep
    channel : int
    forward, adjoint : (2l + 1,) arrays
        The fragment, and the cotangent of the traced output with respect to it.
    """

    variable: str
    level: str
    node: int
    kind: Hashable | None
    part: int
    irrep: Irrep
    channel: int
    forward: Array
    adjoint: Array

    def __str__(self) -> str:
        kind = "" if self.kind is None else f" ({self.kind})"
        where = f"{self.variable}  node {self.node}{kind}  part {self.part}: {self.irrep}  channel {self.channel}"
        return f"{where}  {_show(self.forward)}  adjoint {_show(self.adjoint)}"


class Difference(NamedTuple):
    """Where two runs first differ: variable, place in its array, the two numbers, and |a - b| / (u max|a|)."""

    variable: str
    place: tuple[int, ...]
    ours: Any
    theirs: Any
    ratio: float


@dataclass(frozen=True)
class Trace:
    """All variables of a run in the order in which they were computed.

    Attributes
    ----------
    forward, adjoint : dict of str to array
        Values, and cotangents of the traced output (zero where it does not depend on the variable).
    irreps : dict of str to Irreps
        Types of those variables that are states.
    kinds : dict of str to tuple
        Kind of every node of each level.

    Examples
    --------
    >>> from nbody_ref.network import default
    >>> network = default([1])
    >>> trace = network.trace(network.graph([([[0, 0, 0], [0, 0, 0.74]], [1, 1])]))
    >>> len(trace.forward) == len(trace.adjoint)
    True
    """

    forward: dict[str, Array]
    adjoint: dict[str, Array]
    irreps: dict[str, Irreps]
    kinds: dict[str, tuple[Hashable, ...]]

    def records(
        self, variable: str | None = None, node: int | None = None, irrep: Irrep | str | None = None
    ) -> Iterator[Record]:
        """Fragments of all states, or of one variable, node or irrep.

        Raises
        ------
        NBodyRefError
            If `variable` is no state of this run.
        """
        if variable is not None and variable not in self.irreps:
            raise NBodyRefError(f"Trace.records: 'variable' must be one of {sorted(self.irreps)}, got {variable!r}")
        wanted = None if irrep is None else Irrep.parse(irrep)
        for name in self.irreps if variable is None else (variable,):
            for row in range(len(self.forward[name])) if node is None else (node,):
                yield from (r for r in self._row(name, row) if wanted is None or r.irrep == wanted)

    def _row(self, name: str, row: int) -> Iterator[Record]:
        level = name.split("/")[0]
        kinds = self.kinds.get(level, ())
        kind = kinds[row] if len(kinds) == len(self.forward[name]) else None
        tau = self.irreps[name]
        for i, (start, part) in enumerate(zip(tau.offsets, tau, strict=True)):
            forward, adjoint = (
                x[name][row, start : start + part.dim].reshape(-1, part.mul) for x in (self.forward, self.adjoint)
            )
            for c in range(part.mul):
                yield Record(name, level, row, kind, i, part.irrep, c, forward[:, c], adjoint[:, c])

    def arrays(self) -> dict[str, Array]:
        """Everything as one dict, ``forward/NAME`` and ``adjoint/NAME``, ready for ``numpy.savez(path, **arrays)``."""
        found = {f"forward/{name}": x for name, x in self.forward.items()}
        return found | {f"adjoint/{name}": x for name, x in self.adjoint.items()}

    def first_difference(self, other: Mapping[str, Array], k: float = 1000.0) -> Difference | None:
        """The first number of another run that is further than k u max|row| from ours; None if all agree.

        Parameters
        ----------
        other : mapping
            Arrays named as those of `arrays`; what it lacks is skipped.
        k : float
            Roundings allowed at each variable. The bound only serves the search: values first in the order of the
            program, adjoints in the reverse order.

        Raises
        ------
        ShapeError
            If an array has another shape than ours.
        """
        names = [f"forward/{name}" for name in self.forward] + [f"adjoint/{name}" for name in reversed(self.adjoint)]
        mine = self.arrays()
        for name in names:
            if name not in other:
                continue
            ours, theirs = mine[name], np.asarray(other[name])
            if ours.shape != theirs.shape:
                raise ShapeError(f"first_difference: {name!r} must have shape {ours.shape}, got {theirs.shape}")
            if not ours.size:
                continue
            unit = np.finfo(ours.dtype).eps / 2
            size = np.abs(ours).reshape(len(ours), -1).max(axis=1).reshape(-1, *(1,) * (ours.ndim - 1))
            ratio = np.abs(ours - theirs) / (unit * np.maximum(size, np.finfo(ours.dtype).tiny))
            bad = ~(ratio <= k)  # NaN is bad
            if bad.any():
                place = tuple(int(i) for i in np.argwhere(bad)[0])
                return Difference(name, place, ours[place], theirs[place], float(ratio[place]))
        return None

    def __str__(self) -> str:
        width = max(len(name) for name in self.forward)
        lines = []
        for name, x in self.forward.items():
            tau = str(self.irreps.get(name, ""))
            lines.append(
                f"{name:{width}}  {x.shape!s:12}  max|x| {_size(x):.3e}  max|adj| "
                f"{_size(self.adjoint[name]):.3e}  {tau}"
            )
        return "\n".join(lines)


def trace(network: Network, graph: Graph, seed: Array | None = None) -> Trace:
    """Run a network forward and in reverse, keeping everything.

    Parameters
    ----------
    network : Network
    graph : Graph
    seed : (n_frames, irreps_out.dim), optional
        Cotangent of the root's states; None: ones, for an energy its gradient.

    Returns
    -------
    Trace

    Raises
    ------
    ShapeError
        If the seed has another shape than the root's states.
    """
    values, batch = network.forward(graph)
    root = values[network.root]
    if seed is not None and np.shape(seed) != root.shape:
        raise ShapeError(f"trace: 'seed' must have shape {root.shape}, got {np.shape(seed)}")
    start = np.ones_like(root) if seed is None else np.asarray(seed).astype(root.dtype)
    bars = network.chain.vjp(values, batch, {network.root: start}, ("r", "psi0", *network.parameters))
    adjoint = {name: bars.get(name, np.zeros_like(x)) for name, x in values.items()}
    irreps = {name: network.irreps[name] for name in values if name in network.irreps}
    return Trace(values, adjoint, irreps, _kinds(network, batch, len(root)))


def _kinds(network: Network, batch: Mapping[str, Any], n_frames: int) -> dict[str, tuple[Hashable, ...]]:
    """Kinds of the nodes of each level, the leaves' under ``psi0``."""
    leaves = tuple(network.species[int(k)] for k in batch["leaf kind"])
    found: dict[str, tuple[Hashable, ...]] = {"psi0": leaves}
    schemes = network.spec.schemes
    depth = len(network.spec.gates)
    for level in range(1, depth + 1):
        name = "root" if level == depth else f"level{level}"
        if schemes is None:
            found[name] = leaves if level < depth else ("molecule",) * n_frames
        else:
            found[name] = tuple(schemes.kinds[level - 1][int(k)] for k in batch[f"kind{level}"])
    return found


def _size(x: Array) -> float:
    return float(np.abs(x).max()) if x.size else 0.0


def _show(x: Array) -> str:
    return "[" + " ".join(f"{value:.6g}" for value in x) + "]"
