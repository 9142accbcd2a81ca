"""Writes the pictures of docs/spin_symbols.md; tests/fusion/test_yutsis_draw.py compares them with the files."""

from pathlib import Path

from nbody_ref.fusion import YutsisGraph, draw_graph, draw_reduction

HERE = Path(__file__).parent
SIX = [("a", "-e", "f"), ("b", "-f", "d"), ("c", "-d", "e"), ("-a", "-b", "-c")]


def figures() -> dict[str, str]:
    """File name -> SVG text."""
    box = YutsisGraph([("a", "e", "-f"), ("b", "f", "-g"), ("c", "g", "-h"), ("d", "h", "-e")])
    return {
        "yutsis_6j.svg": draw_graph(YutsisGraph(SIX)),
        "yutsis_9j.svg": draw_reduction(YutsisGraph.from_lcf([3], 6).simplify()),
        "yutsis_box.svg": draw_reduction(box.simplify()),
    }


if __name__ == "__main__":
    for name, picture in figures().items():
        (HERE / name).write_text(picture, encoding="utf-8")
