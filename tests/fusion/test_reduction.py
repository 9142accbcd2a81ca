"""Reduced graphs have the value of the contraction; a flipped vertex or a lost phase is seen."""

import random
from fractions import Fraction

import pytest

from nbody_ref.errors import ArgumentError, IrrepsError
from nbody_ref.fusion import YutsisGraph
from nbody_ref.fusion.factor import Factor, latex_name


def disagreements(graphs, count, seed, change=lambda reduction: reduction):
    """Random graphs to eight vertices, closed and open, whose formula differs from their contraction; and nonzeros."""
    rng, wrong, nonzero = random.Random(seed), 0, 0
    for _ in range(count):
        n = rng.randrange(1, 9)
        opened = rng.choice([k for k in (0, 1, 2, 3, 4) if (3 * n - k) % 2 == 0 and k <= n + 2])
        graph = graphs.graph(rng, n, rng.choice([2, 4]), opened)
        components = graphs.components(rng, graph)
        value = graph.value(components)
        wrong += change(graph.simplify(2)).value(components) != value
        nonzero += bool(value)
    return wrong, nonzero


def test_reduction_has_the_value_of_the_contraction(graphs):
    wrong, nonzero = disagreements(graphs, 250, 1)
    assert wrong == 0 and nonzero > 60


def test_a_flipped_vertex_is_seen(graphs):
    def flip(reduction):
        graph = reduction.graph
        names = [[("-" if s < 0 else "") + name for name, s in vertex] for vertex in graph.vertices]
        return YutsisGraph(names, graph.spins, [-1] + [1] * (len(names) - 1)).simplify(2)

    assert disagreements(graphs, 60, 2, flip)[0] > 3


def test_a_lost_phase_is_seen(graphs):
    def lose(reduction):
        reduction.factor.phase.clear()
        return reduction

    assert disagreements(graphs, 60, 3, lose)[0] > 3


def test_a_lost_dimension_is_seen(graphs):
    def lose(reduction):
        reduction.factor.dims.clear()
        return reduction

    assert disagreements(graphs, 60, 4, lose)[0] > 3


@pytest.mark.parametrize(
    ("jumps", "repeats", "six"),
    [
        ([2], 4, 1),  # 6j
        ([3], 6, 3),  # 9j
        ([-3, 3], 4, 4),  # 12j of the second kind, the cube
        ([4], 8, 4),  # 12j of the first kind
        ([5], 10, 5),  # 15j of the first kind
        ([5, -5], 8, 14),  # Moebius-Kantor graph
    ],
)
def test_numbers_of_six_j_symbols(jumps, repeats, six):
    reduction = YutsisGraph.from_lcf(jumps, repeats).simplify()
    assert reduction.number_of_six_j == six and not reduction.rest


def test_steps_have_their_names_and_multiply_up():
    graph = YutsisGraph.from_lcf([3], 6)
    reduction = graph.simplify()
    assert [step.name for step in reduction.steps] == ["interchange", "triangle", "triangle", "theta"]
    bubble = YutsisGraph([("k", "b", "c"), ("-b", "-c", "-l"), ("l", "d", "e"), ("-k", "-d", "-e")])
    assert [step.name for step in bubble.simplify().steps] == ["bubble", "theta"]
    dumbbell = YutsisGraph([("a", "-a", "k"), ("-k", "b", "-b")], {"a": 1, "b": Fraction(1, 2), "k": 0})
    assert [step.name for step in dumbbell.simplify().steps] == ["tadpole"]
    assert dumbbell.simplify().value() == dumbbell.value() != 0


def test_every_step_is_an_equation(graphs):
    rng = random.Random(5)
    seen = set()
    for _ in range(30):
        graph = graphs.graph(rng, rng.choice([4, 6]), 3)
        reduction = graph.simplify(1)
        if not reduction.steps or reduction.steps[0].factor.sums or not graph.value():
            continue
        step = reduction.steps[0]
        names = [[("-" if s < 0 else "") + name for name, s in vertex] for vertex in step.vertices.values()]
        kept = {end.lstrip("-") for vertex in names for end in vertex}
        after = YutsisGraph(names, {name: graph.spins[name] for name in kept}).value()
        ((factor, _),) = step.factor.terms(graph.spins)
        assert factor * after == graph.value(), step.name
        seen.add(step.name)
    assert seen >= {"bubble", "triangle"}


def test_derivation_is_printed():
    text = YutsisGraph.from_lcf([3], 6).simplify().latex()
    assert text.startswith(r"\begin{align*}") and text.endswith(r"\end{align*}") and text.count("Bmatrix") == 12
    assert r"\text{interchange $j_{6}, x_{1}$}" in text and text.count(r"\sum_{x_{1}}") == 2
    assert r"\frac{\delta_{lk}}{(2k+1)}" in YutsisGraph(
        [("k", "b", "c"), ("-b", "-c", "-l"), ("l", "d", "e"), ("-k", "-d", "-e")]
    ).simplify().latex().replace("kl", "lk")
    names = {"j12": "j_{12}", "a": "a", "x_3": "x_{3}", "0": "0", "spin up": r"\mathrm{spin up}"}
    assert {name: latex_name(name) for name in names} == names
    assert Factor().latex() == ""


def test_arguments_are_checked():
    with pytest.raises(ArgumentError, match=r"YutsisGraph\.simplify: 'width' must be a positive integer, got 0"):
        YutsisGraph.from_lcf([3], 6).simplify(0)
    with pytest.raises(IrrepsError, match=r"Reduction\.value: 'spins' of the graph must be given"):
        YutsisGraph.from_lcf([3], 6).simplify().value()
