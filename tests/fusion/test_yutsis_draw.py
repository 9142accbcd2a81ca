"""Pictures are well formed, show every line and vertex, and their signs are those of the graph."""

import random
import re
import runpy
from math import atan2
from pathlib import Path
from xml.etree import ElementTree

import pytest

from nbody_ref.errors import ArgumentError, DTypeError
from nbody_ref.fusion import YutsisGraph, draw_graph, draw_reduction, yutsis_draw


def read_back(picture):
    """The graph that a reader sees: lines at each vertex, anticlockwise by their angle, and the sign."""
    vertices, signs = [], []
    for (x, y), sign in picture.vertices:
        ends = []
        for name, points, _ in picture.curves:
            if points[0] == (x, y):
                ends.append((atan2(points[1][1] - y, points[1][0] - x), name))
            if points[3] == (x, y):
                ends.append((atan2(points[2][1] - y, points[2][0] - x), "-" + name))
        vertices.append(tuple(name for _, name in sorted(ends)))
        signs.append(1 if sign == "+" else -1)
    return vertices, signs


def test_a_picture_is_read_back_as_the_graph(graphs):
    rng = random.Random(1)
    for n, opened in [(2, 0), (2, 2), (4, 0), (4, 2), (6, 0), (3, 3), (1, 3), (1, 1), (8, 4)]:
        for _ in range(6):
            graph = graphs.graph(rng, n, 3, opened)
            vertices = {k: list(vertex) for k, vertex in enumerate(graph.vertices)}
            lines, signs = read_back(yutsis_draw._picture(vertices, yutsis_draw._places(vertices)))
            again = YutsisGraph(lines, graph.spins, signs)
            components = {name: graph.spins[name] % 1 for name in graph.open_lines}
            assert again.value(components) == graph.value(components)


@pytest.mark.parametrize("graph", [YutsisGraph.from_lcf([3], 6), YutsisGraph([("a", "b", "-b"), ("-a", "c", "d")])])
def test_svg_shows_every_line(graph):
    root = ElementTree.fromstring(draw_graph(graph))
    words = ["".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {name for name in graph.lines} <= set(words)
    assert sum(word in "+−" for word in words) == len(graph.vertices)
    assert "nan" not in draw_graph(graph)


def test_reduction_is_a_row_of_pictures_with_the_names_of_steps():
    reduction = YutsisGraph.from_lcf([3], 6).simplify()
    text = draw_reduction(reduction)
    ElementTree.fromstring(text)
    assert [re.sub("<.*", "", x) for x in re.findall(r">(interchange|triangle|theta)<", text)] == [
        "interchange",
        "triangle",
        "triangle",
        "theta",
    ]
    tikz = draw_reduction(reduction, "tikz")
    assert tikz.count(r"\begin{tikzpicture}") == tikz.count(r"\end{tikzpicture}") == 4
    assert draw_graph(reduction.graph, "tikz").count(r"\draw[->]") == 9


def test_forms_and_kinds_are_checked():
    with pytest.raises(ArgumentError, match="draw_graph: 'form' must be 'svg' or 'tikz', got 'png'"):
        draw_graph(YutsisGraph.from_lcf([3], 6), "png")
    with pytest.raises(DTypeError, match="draw_reduction: 'reduction' must be"):
        draw_reduction(YutsisGraph.from_lcf([3], 6))


def test_committed_pictures_are_what_the_script_writes():
    folder = Path(__file__).parents[2] / "docs" / "figures"
    figures = runpy.run_path(str(folder / "make_symbols.py"))["figures"]()
    assert figures
    for name, picture in figures.items():
        assert (folder / name).read_text(encoding="utf-8") == picture, f"run docs/figures/make_symbols.py for {name}"
