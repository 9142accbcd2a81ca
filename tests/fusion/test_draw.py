"""Pictures: what they must contain, in text and in SVG."""

import re
import runpy
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from nbody_ref.errors import IrrepsError
from nbody_ref.fusion import Diagram, Spin, balanced, f_move_svg, f_move_text, left_comb, svg, text

SVG = "{http://www.w3.org/2000/svg}"


def test_print_of_a_balanced_tree_is_this_picture():
    diagram = Diagram(balanced(4), ["1o", "1o", "2e", "3o"], ["2e", "1o", "1o"])
    assert str(diagram) == (
        "0: 1o ─┐\n       ├─ 2e ─┐\n1: 1o ─┘      │\n              ├─ 1o\n2: 2e ─┐      │\n       ├─ 1o ─┘\n3: 3o ─┘"
    )


def test_text_puts_leaves_in_the_order_of_the_tree_and_aligns_labels_of_any_width():
    lines = text(Diagram(((2, 0), 1), [Spin("1/2"), Spin(1), Spin("3/2")], [Spin(2), Spin(1)])).splitlines()
    assert [line[:2] for line in lines[::2]] == ["2:", "0:", "1:"]
    assert all(line == line.rstrip() for line in lines)
    assert [line.index("─") for line in lines[::2]] == [9, 9, 9]


@pytest.mark.parametrize("n", range(1, 7))
@pytest.mark.parametrize("build", [left_comb, balanced])
def test_svg_is_wellformed_with_a_dot_per_vertex_and_a_label_per_edge(build, n):
    diagram = Diagram(build(n), ["1"] * n, ["1"] * (n - 1))
    root = ET.fromstring(svg(diagram))
    assert len(root.findall(f".//{SVG}circle")) == n - 1
    assert len(root.findall(f".//{SVG}text")) == (2 * n - 1) + n
    assert "currentColor" in root.attrib["fill"] and root.find(f".//{SVG}rect") is None
    assert root.find(f"{SVG}title").text
    width, height = (float(x) for x in root.attrib["viewBox"].split()[2:])
    for node in root.findall(f".//{SVG}text"):
        assert 0 < float(node.attrib["x"]) < width and 0 < float(node.attrib["y"]) < height


def test_svg_writes_names_and_escapes_them():
    diagram = Diagram((0, 1), ["1o", "1o"], ["0e"])
    picture = svg(diagram, ["ψ", "a<b"])
    assert "ψ" in picture and "a&lt;b" in picture
    with pytest.raises(ValueError, match="'names' must have 2 entries, got 1"):
        svg(diagram, ["x"])


def test_f_move_shows_every_term_with_its_exact_coefficient():
    line = f_move_text(["1", "1", "1"], "1", "1")
    assert line == "((0 1)_1 2)_1  =  - sqrt(1/3) (0 (1 2)_0)_1  + 1/2 (0 (1 2)_1)_1  + sqrt(5/12) (0 (1 2)_2)_1"
    root = ET.fromstring(f_move_svg(["1", "1", "1"], "1", "1"))
    assert len(root.findall(f"{SVG}g")) == 3
    signs = [node.text for node in root.findall(f"{SVG}text") if node.text and re.match("[=+−]", node.text)]
    assert signs == ["= −", "+", "+"]
    assert root.find(f"{SVG}title").text == line


def test_f_move_refuses_what_is_no_diagram():
    with pytest.raises(IrrepsError, match="couples 1o and 1o"):
        f_move_text(["1o", "1o", "1o"], "3e", "1o")


def test_committed_pictures_of_the_documentation_are_what_the_code_draws():
    folder = Path(__file__).parents[2] / "docs" / "figures"
    figures = runpy.run_path(str(folder / "make_fusion.py"))["figures"]()
    assert figures
    for name, picture in figures.items():
        assert (folder / name).read_text(encoding="utf-8") == picture, f"run docs/figures/make_fusion.py for {name}"
