"""Pictures of fusion diagrams: text for the terminal, SVG for the page, the F-move as an equation.

The SVG is written by hand, has no background and draws in ``currentColor``, so it suits light and dark pages and print.
Legs come in from the left, arrows point to the root on the right.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from html import escape
from typing import Any

from nbody_ref.checks import check_list
from nbody_ref.errors import SchemeError
from nbody_ref.exact import Surd
from nbody_ref.fusion.diagram import Diagram
from nbody_ref.fusion.label import Label, Spin, parity
from nbody_ref.fusion.recoupling import rotate
from nbody_ref.fusion.tree import Tree, leaves, vertices
from nbody_ref.ops._check import check_type

__all__ = ["f_move_svg", "f_move_text", "svg", "text"]

STEP_X, STEP_Y, FONT = 64, 40, 15  # distance of vertices and of legs, size of letters, in SVG units
HALF_WIDTH = 4.4  # of one letter, for centring and for the width of a formula


def text(diagram: Diagram) -> str:
    """Diagram as lines of text, legs on the left and the root on the right; what ``print(diagram)`` shows.

    Parameters
    ----------
    diagram : Diagram

    Returns
    -------
    str
        Two lines per leg less one, no trailing blanks.

    Raises
    ------
    DTypeError
        If it is no diagram.

    Examples
    --------
    >>> from nbody_ref.fusion import Diagram, text
    >>> print(text(Diagram((0, 1), ["1o", "1o"], ["2e"])))
    0: 1o ─┐
           ├─ 2e
    1: 1o ─┘
    """
    check_type("text", "diagram", diagram, Diagram)
    return str(diagram)


def f_move_text(legs: Sequence[Any], bond: Any, root: Any) -> str:
    """F-move of three legs, eq. (F4), with exact coefficients: ``((0 1)_1 2)_1  =  - sqrt(1/3) (0 (1 2)_0)_1 ...``.

    Parameters
    ----------
    legs : three labels
    bond, root : Irrep, Spin or str
        Labels of the inner edge and of the root on the left-hand side.

    Returns
    -------
    str

    Raises
    ------
    SchemeError, IrrepsError
        As `Diagram`.

    Examples
    --------
    >>> print(f_move_text(["1", "1", "1"], "1", "1"))
    ((0 1)_1 2)_1  =  - sqrt(1/3) (0 (1 2)_0)_1  + 1/2 (0 (1 2)_1)_1  + sqrt(5/12) (0 (1 2)_2)_1
    """
    left, terms = _f_move(legs, bond, root)
    signs = ["- " if value.sign < 0 else "+ " for value, _ in terms]
    signs[0] = signs[0].replace("+ ", "")
    parts = [f"{sign}{abs(value)} {linear(term)}" for sign, (value, term) in zip(signs, terms)]
    return f"{linear(left)}  =  " + "  ".join(parts)


def svg(diagram: Diagram, names: Sequence[str] | None = None) -> str:
    """Diagram as a stand-alone SVG picture.

    Parameters
    ----------
    diagram : Diagram
    names : sequence of str, optional
        What to write at legs 0, 1, ... instead of their numbers, for example ``["ψ", "A", "A"]``.

    Returns
    -------
    str
        SVG text: vertices as dots, an arrow and a label on every edge, a title for screen readers.

    Raises
    ------
    DTypeError
        If it is no diagram.
    SchemeError
        If `names` are not as many texts as there are legs.

    Examples
    --------
    >>> from nbody_ref.fusion import Diagram, svg
    >>> svg(Diagram((0, 1), ["1o", "1o"], ["2e"]))[:4]
    '<svg'
    """
    check_type("svg", "diagram", diagram, Diagram)
    if names is not None:
        names = check_list("svg", "names", names, "texts")
        if len(names) != len(diagram.legs):
            raise SchemeError(f"svg: 'names' must have {len(diagram.legs)} entries, got {len(names)}")
        if not all(isinstance(name, str) for name in names):
            raise SchemeError(f"svg: 'names' must be texts, got {names!r:.60}")
    body, width, height = _picture(diagram, names)
    return _document(body, width, height, linear(diagram))


def f_move_svg(legs: Sequence[Any], bond: Any, root: Any) -> str:
    """F-move of three legs, eq. (F4), drawn: the diagram on the left, the sum of exact multiples on the right.

    Parameters, raises: as `f_move_text`.

    Returns
    -------
    str
        SVG text.

    Examples
    --------
    >>> from nbody_ref.fusion import f_move_svg
    >>> f_move_svg(["1", "1", "1"], "1", "1").count("<circle")
    8
    """
    left, terms = _f_move(legs, bond, root)
    body, x, height = _picture(left, None)
    parts, middle = [body], height / 2
    for k, (value, term) in enumerate(terms):
        sign = ("= −" if value.sign < 0 else "=") if k == 0 else ("−" if value.sign < 0 else "+")
        formula, width = _coefficient(sign, abs(value), x + 10, middle)
        body, step, _ = _picture(term, None)
        parts += [formula, f'<g transform="translate({_n(x + width + 14)} 0)">{body}</g>']
        x += width + 14 + step
    return _document("".join(parts), x, height, f_move_text(legs, bond, root))


def _f_move(legs: Sequence[Any], bond: Any, root: Any) -> tuple[Diagram, list[tuple[Surd, Diagram]]]:
    left = Diagram(((0, 1), 2), legs, (bond, root))  # type: ignore[arg-type]
    found = [(value, Diagram.from_nodes(nodes, left.legs)) for nodes, value in rotate(left.nodes, left.legs)]
    return left, sorted(((v, d) for v, d in found if v), key=lambda pair: pair[1].bonds[0].dim)


def _picture(diagram: Diagram, names: Sequence[str] | None) -> tuple[str, float, float]:
    """Drawing of one diagram with its corner at the origin, its width and its height."""
    order = leaves(diagram.tree)
    written = {leaf: str(leaf) if names is None else names[leaf] for leaf in order}
    margin = 12 + 2 * HALF_WIDTH * max(len(name) for name in written.values())
    level: dict[Tree, int] = {leaf: 0 for leaf in order}
    y: dict[Tree, float] = {leaf: STEP_Y * (row + 0.62) for row, leaf in enumerate(order)}
    shapes = []
    for vertex in vertices(diagram.tree):
        level[vertex] = 1 + max(level[vertex[0]], level[vertex[1]])
        y[vertex] = (y[vertex[0]] + y[vertex[1]]) / 2
    x = {tree: margin + STEP_X * k for tree, k in level.items()}
    label = dict(zip(vertices(diagram.tree), diagram.outputs)) | {leaf: diagram.legs[leaf] for leaf in order}
    for vertex in vertices(diagram.tree):
        shapes += [_edge(x[t], y[t], x[vertex], y[vertex], label[t]) for t in vertex]
    top = diagram.tree
    shapes.append(_edge(x[top], y[top], x[top] + 0.75 * STEP_X, y[top], label[top]))
    shapes += [f'<circle cx="{_n(x[v])}" cy="{_n(y[v])}" r="3.4" stroke="none"/>' for v in vertices(top)]
    for leaf in order:
        name = f'<tspan font-style="italic">{escape(written[leaf])}</tspan>'
        shapes.append(_text(x[leaf] - 7, y[leaf] + 5, name, "end"))
    return "".join(shapes), x[top] + 0.75 * STEP_X + 4, STEP_Y * len(order) + 0.24 * STEP_Y


def _edge(x0: float, y0: float, x1: float, y1: float, label: Label) -> str:
    """Edge that leaves horizontally and bends into the next vertex, an arrowhead at its middle, the label above it."""
    bend = x1 if y0 == y1 else x1 - 0.45 * STEP_X
    ax, ay = (x0 + bend) / 2 + 3.5, y0
    path = f"M{_n(x0)} {_n(y0)}H{_n(bend)}L{_n(x1)} {_n(y1)}"
    arrow = f"M{_n(ax - 7)} {_n(ay - 3.6)}L{_n(ax)} {_n(ay)}L{_n(ax - 7)} {_n(ay + 3.6)}z"
    name = _text(ax - 3.5, ay - 8, _label(label), "middle")
    return f'<path d="{path}" fill="none"/><path d="{arrow}" stroke="none"/>{name}'


def _label(label: Label) -> str:
    if isinstance(label, Spin):
        return str(label.j)
    sign = {1: "+", -1: "−", None: ""}[parity(label)]
    raised = f'<tspan dy="-5" font-size="{FONT - 4}">{sign}</tspan>' if sign else ""
    return f"{label.l}{raised}"


def _coefficient(sign: str, value: Surd, x: float, y: float) -> tuple[str, float]:
    """Sign and positive coefficient at (x, y), and the width they take: fractions upright, roots with their bar."""
    out = [_text(x, y + 5, sign, "start")]
    x0 = x + 2 * HALF_WIDTH * len(sign) + 8
    if value == 1:
        return out[0], x0 - x
    rational = value.as_fraction()
    radicand = Fraction(value.p, value.q) if rational is None else rational
    inset = 12.0 if rational is None else 0.0
    over, under = str(radicand.numerator), str(radicand.denominator)
    width = 2 * HALF_WIDTH * max(len(over), len(under)) + 4
    middle, high = x0 + inset + width / 2, 20.0 if under != "1" else 11.0
    if under == "1":
        out.append(_text(middle, y + 5, over, "middle"))
    else:
        out += [_text(middle, y - 5, over, "middle"), _text(middle, y + 16, under, "middle")]
        out.append(f'<path d="M{_n(x0 + inset)} {_n(y)}h{_n(width)}" fill="none"/>')
    if rational is None:
        root = f"M{_n(x0)} {_n(y + 2)}l3 -2l4 {_n(high)}L{_n(x0 + inset - 1)} {_n(y - high)}h{_n(width + 3)}"
        out.append(f'<path d="{root}" fill="none"/>')
    return "".join(out), x0 + inset + width + 4 - x


def _text(x: float, y: float, content: str, anchor: str) -> str:
    return f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}" stroke="none">{content}</text>'


def _document(body: str, width: float, height: float, title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" width="{_n(width)}" '
        f'height="{_n(height)}" style="max-width:100%;height:auto" role="img" fill="currentColor" '
        f'stroke="currentColor" stroke-width="1.4" '
        f'stroke-linejoin="round" font-family="Latin Modern Math, STIX Two Text, Georgia, serif" '
        f'font-size="{FONT}"><title>{escape(title)}</title>{body}</svg>\n'
    )


def linear(diagram: Diagram) -> str:
    """Diagram on one line, ((0 1)_2e 2)_0e."""

    def show(node: Any) -> str:
        if isinstance(node, int):
            return str(node)
        return f"({show(node[1])} {show(node[2])})_{str(node[0]).removeprefix('j=')}"

    return show(diagram.nodes)


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
