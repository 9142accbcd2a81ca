"""Pictures of the lessons: molecules with arrows, composition schemes, types in memory, fusion trees. Matplotlib.

Drawn on a transparent ground, so that they read on light and dark pages alike.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from nbody_ref.fusion.diagram import Diagram
from nbody_ref.irreps import Irreps

__all__ = ["BLUE", "COLOURS", "GREEN", "GREY", "ORANGE", "RED", "dag", "fusion_tree", "molecule", "strip", "style"]

BLUE, ORANGE, GREEN, RED, GREY = "#2a78c8", "#d97706", "#2f9e44", "#d6336c", "#808080"
COLOURS = {1: "#d0d0d0", 6: "#707070", 7: BLUE, 8: RED}
SIZES = {1: 120, 6: 240, 7: 240, 8: 260}


def style(vector: bool = True) -> Any:
    """Matplotlib's pyplot, set up for a page: transparent, and vector graphics in notebooks (`vector`)."""
    import matplotlib.pyplot as plt

    plt.rcParams.update(
        {
            "figure.facecolor": "none",
            "axes.facecolor": "none",
            "savefig.facecolor": "none",
            "svg.fonttype": "none",
            "font.size": 11,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "figure.figsize": (7, 3.4),
            "figure.dpi": 110,
        }
    )
    if "IPython" in sys.modules and (shell := sys.modules["IPython"].get_ipython()) is not None:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        shell.run_line_magic("matplotlib", "inline")  # shows figures also where MPLBACKEND names another backend
        set_matplotlib_formats("svg" if vector else "png", facecolor="none")
    return plt


def molecule(ax: Any, positions: Any, numbers: Sequence[int], arrows: Any = None, scale: float = 1.0) -> None:
    """Atoms seen along z, with an arrow each if given; `scale` is Angstrom per unit of an arrow."""
    colours, sizes = [COLOURS[int(z)] for z in numbers], [SIZES[int(z)] for z in numbers]
    ax.scatter(positions[:, 0], positions[:, 1], s=sizes, c=colours, edgecolors="black", zorder=3)
    if arrows is not None:
        for start, arrow in zip(positions, arrows):
            end = start + scale * arrow
            ax.annotate("", end[:2], start[:2], arrowprops={"arrowstyle": "-|>", "color": BLUE, "lw": 2}, zorder=4)
    ax.set_aspect("equal")
    ax.margins(0.35)
    ax.set_axis_off()


def dag(
    ax: Any, places: Sequence[tuple[float, float]], children: Sequence[Sequence[int]], labels: Sequence[str],
    colours: Sequence[str] | str = GREY,
) -> None:  # fmt: skip
    """A directed graph: nodes as labelled boxes at `places`, an arrow from every child to its parent."""
    palette = [colours] * len(places) if isinstance(colours, str) else colours
    for parent, below in enumerate(children):
        for child in below:
            arrow = {"arrowstyle": "-|>", "color": GREY, "lw": 1.3, "shrinkA": 14, "shrinkB": 14}
            ax.annotate("", places[parent], places[child], arrowprops=arrow)
    for place, label, colour in zip(places, labels, palette):
        box = {"boxstyle": "round,pad=0.35", "fc": "white", "ec": colour, "lw": 2}
        ax.text(*place, label, ha="center", va="center", bbox=box, zorder=3)
    xs, ys = zip(*places)
    ax.set(xlim=(min(xs) - 0.7, max(xs) + 0.7), ylim=(min(ys) - 0.4, max(ys) + 0.4))
    ax.set_axis_off()


def strip(ax: Any, irreps: Irreps | str) -> None:
    """The memory of a state of this type: one cell for each number, coloured by part, channels shaded."""
    tau = Irreps(irreps)
    for colour, start, part in zip((BLUE, ORANGE, GREEN, RED) * 3, tau.offsets, tau):
        for k in range(part.irrep.dim * part.mul):
            m, c = divmod(k, part.mul)
            alpha = 0.25 + 0.5 * (c + 1) / part.mul
            ax.bar(start + k + 0.5, 1, 1, color=colour, alpha=alpha, edgecolor="black")
            ax.text(start + k + 0.5, 0.5, f"{m - part.irrep.l},{c}", ha="center", va="center", fontsize=9)
        ax.text(start + part.irrep.dim * part.mul / 2, 1.12, str(part), ha="center")
    ax.set(xlim=(0, tau.dim), ylim=(0, 1.5))
    ax.set_axis_off()


def fusion_tree(ax: Any, diagram: Diagram, names: Sequence[str] = (), x: float = 0.0) -> None:
    """A fusion diagram: legs on the left, the root on the right, the irrep of every edge beside it."""
    counter = iter(range(len(diagram.legs)))

    def draw(node: Any) -> tuple[float, float]:
        if isinstance(node, int):
            y = -float(next(counter))
            label = f"{names[node]}: {diagram.legs[node]}" if names else str(diagram.legs[node])
            ax.text(x - 0.08, y, label, ha="right", va="center")
            return x, y
        label, left, right = node
        (xa, ya), (xb, yb) = draw(left), draw(right)
        here = max(xa, xb) + 1.0, (ya + yb) / 2
        for end in ((xa, ya), (xb, yb)):
            ax.plot([end[0], here[0]], [end[1], here[1]], color=BLUE, lw=2)
        ax.plot(*here, "o", color=ORANGE, ms=7, zorder=3)
        ax.text(here[0] + 0.06, here[1] + 0.12, str(label), color=ORANGE)
        return here

    end = draw(diagram.nodes)
    ax.plot([end[0], end[0] + 0.7], [end[1], end[1]], color=BLUE, lw=2)
    ax.set_axis_off()
