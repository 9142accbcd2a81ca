"""What a run finds: judged results, one by one, and the report that holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nbody_ref.conformance.judge.verdict import Measure

__all__ = ["Outcome", "Report"]


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
    """

    backend: str
    convention: str
    outcomes: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0
    seed: int = 0
    source: str = "--backend MODULE:NAME"
    selection: str = ""

    def count(self, status: str) -> int:
        """How many outcomes have a status."""
        return sum(outcome.status == status for outcome in self.outcomes)

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
