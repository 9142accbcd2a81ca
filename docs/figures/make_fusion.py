"""Writes the pictures of docs/fusion.md; tests/fusion/test_draw.py compares them with the committed files."""

from pathlib import Path

from nbody_ref.fusion import Diagram, f_move_svg, svg

HERE = Path(__file__).parent


def figures() -> dict[str, str]:
    """File name -> SVG text."""
    balanced = Diagram(((0, 1), (2, 3)), ["1o", "1o", "2e", "3o"], ["2e", "1o", "1o"])
    return {
        "fusion_diagram.svg": svg(balanced, ["ψ", "A", "A", "A"]),
        "fusion_f_move.svg": f_move_svg(["1o", "1o", "2e"], "1e", "2e"),
    }


if __name__ == "__main__":
    for name, picture in figures().items():
        (HERE / name).write_text(picture, encoding="utf-8")
