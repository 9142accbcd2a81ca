"""Pictures of Yutsis graphs and of their reduction: SVG for the page, TikZ for the paper.

Vertices stand on a circle, along a Hamiltonian cycle where a short search finds one. The sign at a vertex says whether
its lines follow each other anticlockwise (+) or clockwise (-) in the picture, so that picture and graph are equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import atan2, cos, hypot, pi, sin
from typing import NamedTuple

from nbody_ref.checks import check_word
from nbody_ref.fusion.contraction import Slot
from nbody_ref.fusion.draw import _document, _n, _text
from nbody_ref.fusion.factor import latex_name
from nbody_ref.fusion.reduction import Reduction
from nbody_ref.fusion.yutsis import YutsisGraph
from nbody_ref.ops._check import check_type

__all__ = ["draw_graph", "draw_reduction"]

STUB, BEND, LABEL = 38.0, 30.0, 11.0  # lengths in SVG units: of open lines, of parallel lines, from line to name
Point = tuple[float, float]


class Curve(NamedTuple):
    """A line: Bezier points from the end where its arrow leaves, its name and where that stands."""

    name: str
    points: tuple[Point, Point, Point, Point]
    label: Point


class Picture(NamedTuple):
    """Curves, and for each vertex its place and sign; y upwards."""

    curves: list[Curve]
    vertices: list[tuple[Point, str]]


def draw_graph(graph: YutsisGraph, form: str = "svg") -> str:
    """Picture of a graph.

    Parameters
    ----------
    graph : YutsisGraph
    form : {"svg", "tikz"}

    Returns
    -------
    str
        SVG document, or a ``tikzpicture`` environment that needs no TikZ library.

    Raises
    ------
    DTypeError
        If it is no graph.
    ArgumentError
        If `form` is unknown.

    Examples
    --------
    >>> from nbody_ref.fusion import Diagram, draw_graph, overlap_graph
    >>> diagram = Diagram((0, 1), ["1", "1"], ["2"])
    >>> draw_graph(overlap_graph(diagram, diagram)[0])[:4]
    '<svg'
    """
    check_type("draw_graph", "graph", graph, YutsisGraph)
    vertices = {k: list(vertex) for k, vertex in enumerate(graph.vertices)}
    picture = _picture(vertices, _places(vertices))
    title = " ".join("(" + " ".join(("-" if s < 0 else "") + x for x, s in vertex) + ")" for vertex in graph.vertices)
    return _written("draw_graph", form, [("", picture)], title)


def draw_reduction(reduction: Reduction, form: str = "svg") -> str:
    """Pictures of a graph and of what each step of its reduction leaves, in a row, with the names of the steps.

    Parameters, raises: as `draw_graph`.

    Returns
    -------
    str
        One SVG document, or one ``tikzpicture`` for each graph.

    Examples
    --------
    >>> from nbody_ref.fusion import Diagram, draw_reduction, overlap_graph
    >>> diagram = Diagram((0, 1), ["1", "1"], ["2"])
    >>> draw_reduction(overlap_graph(diagram, diagram)[0].simplify())[:4]
    '<svg'
    """
    check_type("draw_reduction", "reduction", reduction, Reduction)
    vertices = {k: list(vertex) for k, vertex in enumerate(reduction.graph.vertices)}
    places = _places(vertices)
    pictures = [("", _picture(vertices, places))]
    for step in reduction.steps:
        merged = {k: [places[old] for old in step.merged.get(k, (k,))] for k in step.vertices}
        places = {k: (sum(x for x, _ in p) / len(p), sum(y for _, y in p) / len(p)) for k, p in merged.items()}
        if step.vertices:
            pictures.append((step.name, _picture(step.vertices, places)))
    last = reduction.steps[-1].name if reduction.steps and not reduction.rest else ""
    title = "reduction: " + ", ".join(step.name for step in reduction.steps)
    return _written("draw_reduction", form, pictures, title, last)


def _places(vertices: Mapping[int, list[Slot]]) -> dict[int, Point]:
    """Vertices on a circle, y upwards."""
    order, n = _hamiltonian(vertices), len(vertices)
    radius = max(62.0, 17.0 * n)
    turn = pi if n == 2 else pi / 2 + pi / max(n, 1)
    return {k: (radius * cos(turn - 2 * pi * i / n), radius * sin(turn - 2 * pi * i / n)) for i, k in enumerate(order)}


def _hamiltonian(vertices: Mapping[int, list[Slot]]) -> list[int]:
    """Vertices along a Hamiltonian path that closes if one is found in 20 000 steps, else the longest path met."""
    near: dict[int, set[int]] = {k: set() for k in vertices}
    for k, vertex in vertices.items():
        for other, further in vertices.items():
            if k != other and {name for name, _ in vertex} & {name for name, _ in further}:
                near[k].add(other)
    best: list[int] = []
    budget = 20_000
    stack = [[k] for k in list(vertices)[:1]]
    while stack and budget:
        budget -= 1
        path = stack.pop()
        if len(path) > len(best):
            best = path
        if len(path) == len(vertices) and (len(path) < 3 or path[0] in near[path[-1]]):
            return path
        stack += [[*path, k] for k in sorted(near[path[-1]], reverse=True) if k not in path]
    return best + [k for k in vertices if k not in best]


def _picture(vertices: Mapping[int, list[Slot]], places: Mapping[int, Point]) -> Picture:
    ends: dict[str, list[tuple[int, int]]] = {}  # line -> (vertex, arrow), the end where it leaves first
    for k, vertex in vertices.items():
        for name, arrow in vertex:
            ends.setdefault(name, []).append((k, arrow))
    curves, leaving = [], dict[tuple[int, str, int], Point]()
    pairs: dict[tuple[int, ...], list[str]] = {}
    for name, found in ends.items():
        pairs.setdefault(tuple(sorted(k for k, _ in found)), []).append(name)
    for group in pairs.values():
        for i, name in enumerate(group):
            found = sorted(ends[name], key=lambda end: -end[1])
            inwards = len(found) == 2 and any(len(ends[x]) == 1 for k, _ in found for x, _ in vertices[k])
            points = _points([places[k] for k, _ in found], 2 * i - len(group) + 1, -1 if inwards else 1)
            if len(found) == 1 and found[0][1] < 0:
                points = points[::-1]
                leaving[found[0][0], name, -1] = points[2]
            else:
                leaving[found[0][0], name, 1] = points[1]
                leaving[found[-1][0], name, -1] = points[2]
            curves.append(Curve(name, points, _label_place(points, len(found))))
    signs = []
    for k, vertex in vertices.items():
        x, y = places[k]
        angles = [atan2(leaving[k, name, s][1] - y, leaving[k, name, s][0] - x) for name, s in vertex]
        turns = sum((b - a) % (2 * pi) for a, b in zip(angles, angles[1:] + angles[:1]))
        signs.append(((x, y), "+" if turns < 3 * pi else "−"))
    return Picture(curves, signs)


def _points(ends: list[Point], shift: int, side: int) -> tuple[Point, Point, Point, Point]:
    """Bezier points of a line: inner, open, or a loop (outwards for side 1); `shift` keeps parallel lines apart."""
    (x, y), (u, v) = ends[0], ends[-1]
    size = hypot(x, y) or 1.0
    if len(ends) == 1:  # outwards
        angle = atan2(y, x) + 0.45 * shift if (x, y) != (0, 0) else 0.8 * shift
        far = x + STUB * cos(angle), y + STUB * sin(angle)
        middle = ((x + far[0]) / 2, (y + far[1]) / 2)
        return (x, y), middle, middle, far
    if (x, y) == (u, v):  # a loop
        a, b = side * 1.8 * STUB * x / size, side * 1.8 * STUB * y / size
        return (x, y), (x + a - b, y + b + a), (x + a + b, y + b - a), (x, y)
    length = hypot(u - x, v - y)
    p, q = -(v - y) / length * BEND * shift, (u - x) / length * BEND * shift
    if (x, y) > (u, v):  # the same side for both directions
        p, q = -p, -q
    return (x, y), (x + (u - x) / 3 + p, y + (v - y) / 3 + q), (u + (x - u) / 3 + p, v + (y - v) / 3 + q), (u, v)


def _at(points: tuple[Point, Point, Point, Point], t: float) -> tuple[Point, Point]:
    """Point and unit tangent of a Bezier curve."""
    weights = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
    slopes = -3 * (1 - t) ** 2, 3 * (1 - t) * (1 - 3 * t), 3 * t * (2 - 3 * t), 3 * t * t
    x, y = (sum(w * p[i] for w, p in zip(weights, points)) for i in (0, 1))
    a, b = (sum(w * p[i] for w, p in zip(slopes, points)) for i in (0, 1))
    size = hypot(a, b) or 1.0
    return (x, y), (a / size, b / size)


def _label_place(points: tuple[Point, Point, Point, Point], ends: int) -> Point:
    if ends == 1:  # beyond the tip, which is farther from the middle
        tip, foot = (points[0], points[3]) if hypot(*points[0]) > hypot(*points[3]) else (points[3], points[0])
        size = hypot(tip[0] - foot[0], tip[1] - foot[1])
        return tip[0] + LABEL * (tip[0] - foot[0]) / size, tip[1] + LABEL * (tip[1] - foot[1]) / size
    (x, y), (a, b) = _at(points, 0.28)
    if x * -b + y * a < 0:  # outwards
        a, b = -a, -b
    return x - LABEL * b, y + LABEL * a


def _written(function: str, form: str, pictures: list[tuple[str, Picture]], title: str, last: str = "") -> str:
    if check_word(function, "form", form, ("svg", "tikz")) == "tikz":
        return "\n".join(_tikz(name, picture) for name, picture in pictures)
    body, x, height = [], 0.0, max(_box(picture)[3] - _box(picture)[1] for _, picture in pictures) + 20
    for name, picture in pictures:
        if name:
            body.append(_text(x + 50, height / 2 - 9, name, "middle") + _arrow(x + 12, x + 88, height / 2))
            x += 100
        low, bottom, high, top = _box(picture)
        body.append(
            f'<g transform="translate({_n(x - low)} {_n(height / 2 + (top + bottom) / 2)})">{_svg(picture)}</g>'
        )
        x += high - low
    if last:
        body.append(_text(x + 50, height / 2 - 9, last, "middle") + _arrow(x + 12, x + 88, height / 2))
        body.append(_text(x + 100, height / 2 + 5, "1", "middle"))
        x += 110
    return _document("".join(body), x, height, title)


def _box(picture: Picture) -> tuple[float, float, float, float]:
    """Left, bottom, right and top of a picture, names included."""
    points = [
        p
        for curve in picture.curves
        for p in (*curve.points[::3], *(_at(curve.points, t)[0] for t in (0.25, 0.5, 0.75)), curve.label)
    ]
    xs, ys = [x for x, _ in points] or [0.0], [y for _, y in points] or [0.0]
    return min(xs) - 20, min(ys) - 14, max(xs) + 20, max(ys) + 14


def _arrow(start: float, end: float, y: float) -> str:
    return (
        f'<path d="M{_n(start)} {_n(y)}H{_n(end)}" fill="none"/>'
        f'<path d="M{_n(end - 8)} {_n(y - 4)}L{_n(end)} {_n(y)}L{_n(end - 8)} {_n(y + 4)}z" stroke="none"/>'
    )


def _svg(picture: Picture) -> str:
    out = []
    for name, points, (x, y) in picture.curves:
        p, q, r, s = (f"{_n(a)} {_n(-b)}" for a, b in points)
        out.append(f'<path d="M{p}C{q} {r} {s}" fill="none"/>')
        (a, b), (u, v) = _at(points, 0.56)
        tip, left, right = (
            (a + 4 * u, b + 4 * v),
            (a - 4 * u - 4 * v, b - 4 * v + 4 * u),
            (a - 4 * u + 4 * v, b - 4 * v - 4 * u),
        )
        out.append(f'<path d="M{"L".join(f"{_n(c)} {_n(-d)}" for c, d in (left, tip, right))}z" stroke="none"/>')
        head, _, index = latex_name(name).partition("_")
        low = f'<tspan dy="4" font-size="11">{index.strip("{}")}</tspan>' if index and "\\" not in head else ""
        letter = f'<tspan font-style="italic">{head}</tspan>' if "\\" not in head else name.replace("<", "")
        out.append(_text(x, 5 - y, letter + low, "middle"))
    for (x, y), sign in picture.vertices:
        out.append(f'<circle cx="{_n(x)}" cy="{_n(-y)}" r="7" fill="var(--paper, white)" stroke-width="1"/>')
        out.append(
            f'<text x="{_n(x)}" y="{_n(4.4 - y)}" text-anchor="middle" stroke="none" font-size="13">{sign}</text>'
        )
    return "".join(out)


def _tikz(name: str, picture: Picture) -> str:
    out = [rf"% {name}" if name else "% the graph", r"\begin{tikzpicture}[x=0.03cm, y=0.03cm]"]

    def at(point: Point) -> str:
        return f"({_n(point[0])},{_n(point[1])})"

    for line, points, label in picture.curves:
        p, q, r, s = map(at, points)
        (a, b), (u, v) = _at(points, 0.56)
        out.append(rf"  \draw {p} .. controls {q} and {r} .. {s};")
        out.append(rf"  \draw[->] {at((a - 3 * u, b - 3 * v))} -- {at((a + 3 * u, b + 3 * v))};")
        out.append(rf"  \node at {at(label)} {{${latex_name(line)}$}};")
    for point, sign in picture.vertices:
        mark = "+" if sign == "+" else "-"
        out.append(rf"  \node[circle, draw, fill=white, inner sep=0.5pt] at {at(point)} {{\scriptsize ${mark}$}};")
    return "\n".join([*out, r"\end{tikzpicture}"])
