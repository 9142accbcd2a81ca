"""Writes the picture of docs/universality.md; tests/exact/test_cyclotomic.py compares it with the file."""

from math import cos, pi, sin
from pathlib import Path

HERE = Path(__file__).parent
PAIRS = {
    2: (8, (0, 1), (0, 2)),
    3: (8, (0, 1, 2, 5), (0, 1, 3, 4)),
    4: (18, (0, 1, 2, 3, 4, 6, 8, 14, 15), (0, 1, 2, 3, 5, 6, 7, 9, 13)),
}
RADIUS, WIDTH, HEIGHT = 70, 420, 200


def circle(n: int, corners: tuple[int, ...], x: float, y: float) -> list[str]:
    """The centre, all corners of the polygon, and the neighbours at some of them."""
    drawn = [f'<circle cx="{x:g}" cy="{y:g}" r="{RADIUS}" fill="none" stroke="#bbb"/>']
    for k in range(n):
        a, b = x + RADIUS * cos(2 * pi * k / n), y - RADIUS * sin(2 * pi * k / n)
        full = k in corners
        drawn += [f'<line x1="{x:g}" y1="{y:g}" x2="{a:.2f}" y2="{b:.2f}" stroke="#ddd"/>'] * full
        size, colour = (6, "#c8553d") if full else (2, "#888")
        drawn.append(f'<circle cx="{a:.2f}" cy="{b:.2f}" r="{size}" fill="{colour}"/>')
    return [*drawn, f'<circle cx="{x:g}" cy="{y:g}" r="5" fill="#1b4965"/>']


def figures() -> dict[str, str]:
    """File name -> SVG text."""
    lines = []
    for row, (legs, (n, one, two)) in enumerate(PAIRS.items()):
        y = HEIGHT * row + 110
        words = f"equal for {legs - 1} leg{'s' * (legs > 2)}, different for {legs}"
        lines.append(f'<text x="{WIDTH / 2:g}" y="{y - 88}" text-anchor="middle">{words}</text>')
        lines += circle(n, one, 115, y) + circle(n, two, 305, y)
    size = f'width="{WIDTH}" height="{HEIGHT * len(PAIRS)}" viewBox="0 0 {WIDTH} {HEIGHT * len(PAIRS)}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="14">'
    back = '<rect width="100%" height="100%" fill="white"/>'
    return {"universality.svg": "\n".join([head, back, *lines, "</svg>"]) + "\n"}


if __name__ == "__main__":
    for name, picture in figures().items():
        (HERE / name).write_text(picture, encoding="utf-8")
