"""Values of Yutsis graphs: known symbols, recoupling coefficients, the rules of signs and arrows."""

import random
from fractions import Fraction

import pytest

from nbody_ref.errors import ArgumentError, IrrepsError, SchemeError
from nbody_ref.exact import Surd, nine_j, six_j, surd_sum, three_j
from nbody_ref.fusion import Spin, YutsisGraph, overlap_graph, recoupling

SIX = [("a", "-e", "f"), ("b", "-f", "d"), ("c", "-d", "e"), ("-a", "-b", "-c")]
NINE = [("a", "b", "c"), ("d", "e", "f"), ("g", "h", "i"), ("-a", "-d", "-g"), ("-b", "-e", "-h"), ("-c", "-f", "-i")]


def draw(graphs, rng, vertices, top=4):
    names = list(dict.fromkeys(end.lstrip("-") for vertex in vertices for end in vertex))
    while not (spins := graphs.spins(rng, vertices, names, top)):
        pass
    return spins


@pytest.mark.parametrize(("vertices", "symbol"), [(SIX, six_j), (NINE, nine_j)])
def test_graphs_of_symbols_are_the_symbols(graphs, vertices, symbol):
    rng, nonzero = random.Random(1), 0
    for _ in range(40):
        spins = draw(graphs, rng, vertices)
        wanted = symbol(*(spins[name] for name in sorted(spins)))
        assert YutsisGraph(vertices, spins).value() == wanted
        nonzero += bool(wanted)
    assert nonzero > 20


def test_a_vertex_is_a_three_j_symbol():
    graph = YutsisGraph([("a", "b", "-c")], {"a": 1, "b": "1/2", "c": 1.5})
    value = graph.value({"a": 1, "b": Fraction(-1, 2), "c": 0.5})
    assert value == -three_j(1, 1, 0.5, -0.5, 1.5, -0.5)  # (-1)^(3/2 - 1/2)
    assert graph.value({"a": 1, "b": 0.5, "c": 0.5}) == graph.value({"a": 3, "b": -0.5, "c": 0.5}) == 0


@pytest.mark.parametrize("vertices", [SIX, NINE])
def test_reversed_vertices_and_arrows_have_their_signs(graphs, vertices):
    rng = random.Random(2)
    for _ in range(20):
        spins = draw(graphs, rng, vertices)
        value = YutsisGraph(vertices, spins).value()
        signs = [rng.choice([1, -1]) for _ in vertices]
        turned = [v for v, s in zip(vertices, signs) if s < 0]
        power = sum(int(sum(spins[end.lstrip("-")] for end in vertex)) for vertex in turned)
        assert YutsisGraph(vertices, spins, signs).value() == value * (-1) ** power
        line = rng.choice(list(spins))
        swap = {line: "-" + line, "-" + line: line}
        other = [tuple(swap.get(end, end) for end in vertex) for vertex in vertices]
        assert YutsisGraph(other, spins).value() == value * (-1) ** int(2 * spins[line])


def test_cutting_a_line_and_summing_joins_the_parts():
    spins = {"a": 1, "b": Fraction(3, 2), "c": Fraction(1, 2), "e": 1, "f": 2}
    left, right = [("a", "b", "c")], [("-c", "e", "-f")]
    for m in range(-1, 2):
        whole = YutsisGraph(left + right, {**spins, "b": Fraction(1, 2), "f": Fraction(3, 2)})
        outer = {"a": m, "b": Fraction(-1, 2), "e": 0, "f": m - Fraction(1, 2)}
        terms = [
            YutsisGraph(left, {k: whole.spins[k] for k in "abc"}).value({"a": m, "b": Fraction(-1, 2), "c": c})
            * YutsisGraph(right, {k: whole.spins[k] for k in "cef"}).value({"c": c, "e": 0, "f": outer["f"]})
            for c in (Fraction(-1, 2), Fraction(1, 2))
        ]
        assert whole.value(outer) == surd_sum(terms)


OVERLAPS = [
    (["1", "1/2", "3/2", "1"], ((0, 1), (2, 3)), ((0, 2), (1, 3)), "1"),
    (["1", "1/2", "1/2"], ((1, 0), 2), (0, (1, 2)), "1"),
    (["1/2"] * 4 + ["1"], (((0, 1), 2), (3, 4)), ((0, 4), ((1, 2), 3)), "1"),
]


@pytest.mark.parametrize(("legs", "source", "target", "root"), OVERLAPS)
def test_overlap_graphs_are_the_recoupling_coefficients(legs, source, target, root):
    matrix = recoupling(source, target, [Spin(x) for x in legs], Spin(root))
    for i, row in enumerate(matrix.entries):
        for k, entry in enumerate(row):
            graph, factor = overlap_graph(matrix.source[i], matrix.target[k])
            assert graph.value() * factor == entry
            assert graph.simplify().value() * factor == entry


def test_lcf_notation_and_its_errors():
    graph = YutsisGraph.from_lcf([3], 6)
    assert len(graph.vertices) == 6 and len(graph.lines) == 9 and not graph.open_lines
    with pytest.raises(SchemeError, match="'jumps' must lead there and back"):
        YutsisGraph.from_lcf([2, 1], 3)


@pytest.mark.parametrize(
    ("vertices", "spins", "error", "message"),
    [
        ([("a", "b")], None, SchemeError, "'vertices' must be triples"),
        ([("a", "b", "0")], None, SchemeError, "'vertices' must be triples"),
        ([("a", "b", "c"), ("a", "-b", "-c")], None, SchemeError, "line 'a' of 'vertices' must leave and arrive once"),
        ([("a", "a", "c")], None, SchemeError, "line 'a'"),
        ("abc", None, ArgumentError, "'vertices' must be a list of triples of lines"),
        ([("a", "b", "c")], {"a": 1}, IrrepsError, "'spins' must have one spin for every line; 'b' is missing"),
        ([("a", "a", "-a")], None, SchemeError, "line 'a'"),
        ([("a", "b", "c")], {"a": 1, "b": 1, "c": 1, "d": 1}, IrrepsError, "'d' is no line"),
        ([("a", "b", "c")], {"a": 1, "b": 1, "c": -1}, ValueError, "'j' must be a non-negative"),
    ],
)
def test_what_is_no_graph_is_refused(vertices, spins, error, message):
    with pytest.raises(error, match=message):
        YutsisGraph(vertices, spins)


def test_values_need_spins_and_components():
    with pytest.raises(IrrepsError, match="'spins' of the graph must be given"):
        YutsisGraph(SIX).value()
    graph = YutsisGraph([("a", "b", "c")], {"a": 1, "b": 1, "c": 1})
    with pytest.raises(
        IrrepsError, match=r"'components' must be given for the open lines \['a', 'b', 'c'\], got \['a'\]"
    ):
        graph.value({"a": 0})
    with pytest.raises(IrrepsError, match="'components' of line 'a' must differ from its spin 1 by an integer"):
        graph.simplify().value({"a": 0.5, "b": 0, "c": 0})
    with pytest.raises(SchemeError, match="'signs' must be 1 times 1 or -1"):
        YutsisGraph([("a", "b", "c")], signs=[2])
    assert YutsisGraph([]).value() == YutsisGraph([]).simplify().value() == Surd(1, 1)
