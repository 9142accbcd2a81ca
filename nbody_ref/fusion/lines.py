"""A tree with labels as lines of text, drawn with box characters."""

from __future__ import annotations

from collections.abc import Sequence

from nbody_ref.fusion.label import Label
from nbody_ref.fusion.tree import Tree, leaves, vertices

__all__ = ["draw_lines"]


def draw_lines(tree: Tree, legs: Sequence[Label], outputs: Sequence[Label]) -> str:
    """Legs on the left and the root on the right, two lines per leg less one, no trailing blanks."""
    order = leaves(tree)
    marks: dict[tuple[int, int], str] = {}
    names = {leaf: f"{leaf}: {legs[leaf]}" for leaf in order}
    width = max(len(name) for name in names.values())
    ends: dict[Tree, tuple[int, int]] = {}  # subtree -> (row, first free column)
    for row, leaf in enumerate(order):
        _write(marks, 2 * row, 0, names[leaf].ljust(width) + " ")
        ends[leaf] = (2 * row, width + 1)
    for vertex, label in zip(vertices(tree), outputs):
        (top, left), (bottom, right) = ends[vertex[0]], ends[vertex[1]]
        x, middle = max(left, right) + 1, (top + bottom + 1) // 2
        _write(marks, top, left, "─" * (x - left) + "┐")
        _write(marks, bottom, right, "─" * (x - right) + "┘")
        for row in range(top + 1, bottom):
            _write(marks, row, x, "│")
        name = f"├─ {label} "
        _write(marks, middle, x, name)
        ends[vertex] = (middle, x + len(name))
    rows = [[" "] * (1 + max(x for _, x in marks)) for _ in range(2 * len(order) - 1)]
    for (row, x), mark in marks.items():
        rows[row][x] = mark
    return "\n".join("".join(row).rstrip() for row in rows)


def _write(marks: dict[tuple[int, int], str], row: int, column: int, words: str) -> None:
    for k, mark in enumerate(words):
        marks[row, column + k] = mark
