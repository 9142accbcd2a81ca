"""What a run finds: judged results, one by one, and the report that holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nbody_ref.conformance.judge.verdict import Measure

if TYPE_CHECKING:
    from nbody_ref.conformance.backend import Capabilities

__all__ = ["ORDERS", "Outcome", "Report"]

TABLES = ("coupling", "rotation")  # no derivatives
ORDERS = ("value", "gradient", "second gradient")


@dataclass
class Outcome:
    """One judged result.

    Parameters
    ----------
    check, operation, dtype : str
    order : int
    result : str
        "out", or the input whose gradient it is.
    status : {"pass", "fail", "error", "skip", "xfail"}
        "xfail": it failed, and a line of the author's expectations says why and until when.
    text : str
        What is wrong, where; or why it was skipped.
    cause : str
        Most likely cause.
    note : str
        Which case of the check, and the tangent of second gradients.
    measured : Measure or None
    describe : dict
        The operation, as data.
    extent : dict of str to int
        Rows, edges, nodes, fan, multiplicity and degree of the call.
    """

    check: str
    operation: str
    dtype: str
    order: int = 0
    result: str = "out"
    status: str = "pass"
    text: str = ""
    cause: str = ""
    note: str = ""
    measured: Measure | None = None
    describe: dict[str, Any] = field(default_factory=dict)
    extent: dict[str, int] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """Name by which expectations refer to it: operation/dtype/order/check/result."""
        return f"{self.operation}/{self.dtype}/{self.order}/{self.check}/{self.result}"


@dataclass
class Report:
    """Everything that a run found.

    Parameters
    ----------
    backend : str
    convention : str
    outcomes : list of Outcome
    seconds : float
    seed : int
    source : str
        Arguments that name the backend on the command line.
    selection : str
        What was asked for, if it was not everything that the backend declares.
    declared : Capabilities, optional
        What the backend declares.
    again : str
        The command that gives the report once more, if it is not ``nbody-ref conform run``.
    """

    backend: str
    convention: str
    outcomes: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0
    seed: int = 0
    source: str = "--backend MODULE:NAME"
    selection: str = ""
    declared: Capabilities | None = None
    again: str = ""

    def count(self, status: str) -> int:
        """How many outcomes have a status."""
        return sum(outcome.status == status for outcome in self.outcomes)

    @property
    def coverage(self) -> dict[tuple[str, str, int], dict[str, int]]:
        """The largest calls that were judged, by operation, dtype and order."""
        found: dict[tuple[str, str, int], dict[str, int]] = {}
        for o in self.outcomes:
            if o.extent and o.status in ("pass", "xfail"):
                most = found.setdefault((o.operation, o.dtype, o.order), {})
                most.update({key: max(size, most.get(key, 0)) for key, size in o.extent.items()})
        return found

    @property
    def uncovered(self) -> list[str]:
        """What the backend declares and the run has not judged, in words."""
        if self.declared is None or self.selection:
            return []
        caps, lines, seen = self.declared, [], self.coverage
        for name, dtype in ((name, dtype) for dtype in caps.dtypes for name in caps.operations):
            missing = [ORDERS[order] for order in caps.orders if (name, dtype, order) not in seen]
            if missing and name not in TABLES:
                lines.append(f"{name} {dtype}: {', '.join(missing)}")
            low = {order: seen[name, dtype, order]["degree"] for order in caps.orders if (name, dtype, order) in seen}
            lines += [
                f"{name} {dtype}, {ORDERS[order]}: degrees above {l}" for order, l in low.items() if l < caps.lmax
            ]
        most = max((sizes.get("edges", sizes.get("rows", 0)) for sizes in seen.values()), default=0)
        return (
            [*lines, f"more than {most} rows or edges, of {caps.max_edges} declared"]
            if most < caps.max_edges
            else lines
        )

    @property
    def failures(self) -> list[Outcome]:
        """What failed or broke."""
        return [outcome for outcome in self.outcomes if outcome.status in ("fail", "error")]

    @property
    def exit_code(self) -> int:
        """0 all passed; 1 something failed; 2 the backend broke; 3 nothing ran."""
        ran = any(o.status in ("pass", "xfail") and o.check != "fingerprint" for o in self.outcomes)
        if not ran and not self.failures:
            return 3
        return 2 if self.count("error") else int(bool(self.count("fail")))
