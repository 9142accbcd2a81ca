"""A report on a potential: one HTML file with its pictures inside, readable without a network."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nbody_ref.files import write_atomically
from nbody_ref.fit.evaluation import Evaluation
from nbody_ref.fit.frames import symbols
from nbody_ref.fit.potential import Potential

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Trajectory", "write_report"]

Array = np.ndarray[Any, Any]

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font-family: system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }}
img {{ max-width: 100% }} pre {{ background: #f4f4f4; padding: 1rem; white-space: pre-wrap }}
details {{ margin: 1rem 0 }} figcaption {{ color: #555 }}
</style></head><body><h1>{title}</h1>
{body}
</body></html>
"""


@dataclass(frozen=True)
class Trajectory:
    """Energies along a dynamics at constant energy.

    Parameters
    ----------
    times : (T,) float64
        fs.
    total, potential : (T,) float64
        eV.
    n_atoms : int
    """

    times: Array
    total: Array
    potential: Array
    n_atoms: int

    @property
    def drift(self) -> float:
        """Slope of the total energy, meV per atom and ps."""
        return float(np.polyfit(self.times, self.total, 1)[0] * 1e6 / self.n_atoms)

    @property
    def fluctuation(self) -> float:
        """Standard deviation of the total energy, meV per atom."""
        return float(np.std(self.total) * 1e3 / self.n_atoms)


def write_report(
    path: str,
    potential: Potential,
    evaluations: dict[str, Evaluation],
    trajectory: Trajectory | None = None,
    log: Sequence[str] = (),
) -> None:
    """Write the report.

    Parameters
    ----------
    path : str
        Of the HTML file.
    potential : Potential
    evaluations : dict of str to Evaluation
        By the name of the data, such as ``test frames``.
    trajectory : Trajectory, optional
    log : sequence of str
        Lines that the fit printed.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    parts = [f"<pre>{html.escape(potential.summary())}</pre>"]
    for name, evaluation in evaluations.items():
        parts.append(f"<h2>Errors on {html.escape(name)}</h2><pre>{html.escape(evaluation.table())}</pre>")
        parts.append(_image(_parity(evaluation), f"Predicted against labelled energies and forces, {name}."))
    curve = potential.metadata.get("learning_curve", [])
    if len(curve) > 1:
        caption = "Errors on the hold-out of fits to fewer frames. Where they still fall, more frames help."
        parts.append("<h2>Learning curve</h2>" + _image(_learning_curve(curve), caption))
    if trajectory is not None:
        caption = (
            f"Potential and total energy. The total one should be constant: drift {trajectory.drift:.2g} meV/atom/ps, "
            f"fluctuation {trajectory.fluctuation:.2g} meV/atom."
        )
        parts.append("<h2>Dynamics at constant energy</h2>" + _image(_drift(trajectory), caption))
    parts.append(_record(potential, log))
    formulas = sorted({formula for evaluation in evaluations.values() for formula in evaluation.frames.formulas})
    title = "Potential for " + ", ".join(formulas if 0 < len(formulas) < 4 else symbols(potential.network.species))
    write_atomically(path, PAGE.format(title=html.escape(title), body="\n".join(parts)).encode())


def _record(potential: Potential, log: Sequence[str]) -> str:
    """Everything that is needed to repeat the fit."""
    data = potential.metadata.get("data", {})
    lines = [f"{key}: {value}" for key, value in data.items()]
    text = json.dumps(potential.metadata, indent=1)
    return (
        f"<h2>Data</h2><pre>{html.escape(chr(10).join(lines))}</pre>"
        f"<h2>Log of the fit</h2><pre>{html.escape(chr(10).join(log))}</pre>"
        "<details><summary>Full record: split indices, choices, errors</summary>"
        f"<pre>{html.escape(text)}</pre></details>"
    )


def _image(figure: Figure, caption: str) -> str:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)  # type: ignore[no-untyped-call]
    data = base64.b64encode(buffer.getvalue()).decode()
    text = html.escape(caption)
    return f'<figure><img alt="{text}" src="data:image/png;base64,{data}"><figcaption>{text}</figcaption></figure>'


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=110, layout="constrained")


def _parity(evaluation: Evaluation) -> Figure:
    figure = _figure(9, 4)
    left, right = figure.subplots(1, 2)
    frames, prediction = evaluation.frames, evaluation.prediction
    known = np.isfinite(evaluation.energy_errors)
    if known.any():
        offset = frames.energies[known].mean()
        _scatter(left, frames.energies[known] - offset, prediction.energies[known] - offset, "energy - mean, eV")
    known = np.isfinite(evaluation.force_errors)
    if known.any():
        _scatter(right, frames.forces[known], prediction.forces[known], "force component, eV/Å")
    return figure


def _scatter(axes: Any, labels: Array, predictions: Array, name: str) -> None:
    ends = [min(labels.min(), predictions.min()), max(labels.max(), predictions.max())]
    axes.plot(ends, ends, color="0.7", lw=1)
    axes.plot(labels, predictions, ".", ms=3, alpha=0.5)
    axes.set_xlabel(f"labelled {name}")
    axes.set_ylabel(f"predicted {name}")


def _learning_curve(curve: Sequence[dict[str, float]]) -> Figure:
    figure = _figure(9, 3.5)
    frames = [point["frames"] for point in curve]
    for axes, key, name in zip(
        figure.subplots(1, 2),
        ("energy_mae_meV", "forces_mae_meV_per_A"),
        ("energy MAE, meV", "forces MAE, meV/Å"),
        strict=True,
    ):
        if not all(key in point for point in curve):
            continue
        axes.loglog(frames, [point[key] for point in curve], "o-")
        axes.set_xlabel("training frames")
        axes.set_ylabel(name)
        _plain_ticks(axes.xaxis, frames)
        _plain_ticks(axes.yaxis, [point[key] for point in curve])
        axes.grid(alpha=0.3)
    return figure


def _plain_ticks(axis: Any, values: Sequence[float]) -> None:
    """Ticks at the values themselves, as plain numbers: three points on a logarithmic axis need no powers of ten."""
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator, StrMethodFormatter

    kept: list[float] = []
    for value in sorted(values):
        if not kept or value > 1.15 * kept[-1]:  # else their labels would touch
            kept.append(value)
    axis.set_major_locator(FixedLocator(kept))
    axis.set_major_formatter(StrMethodFormatter("{x:.3g}"))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def _drift(trajectory: Trajectory) -> Figure:
    figure = _figure(9, 3.5)
    axes = figure.subplots()
    axes.plot(trajectory.times, 1e3 * (trajectory.potential - trajectory.potential[0]), lw=0.8, label="potential")
    axes.plot(trajectory.times, 1e3 * (trajectory.total - trajectory.potential[0]), lw=1.2, label="total")
    axes.set_xlabel("time, fs")
    axes.set_ylabel("energy above the start, meV")
    axes.legend()
    return figure
