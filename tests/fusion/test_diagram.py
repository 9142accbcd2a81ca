"""Diagrams and their labelings: counts as exact integers, errors by name."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbody_ref.errors import IrrepsError, SchemeError
from nbody_ref.fusion import Diagram, Spin, all_trees, balanced, count_labelings, labelings, left_comb, right_comb
from nbody_ref.irreps import Irrep


def character_count(legs, root):
    """Multiplicity of the root by weights alone: number of ways to reach M = J less that of M = J + 1."""
    weights = Counter({Fraction(0): 1})
    for leg in legs:
        weights = sum(
            (Counter({w + m: n for w, n in weights.items()}) for m in (leg - k for k in range(int(2 * leg) + 1))),
            Counter(),
        )
    return weights[root] - weights[root + 1]


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=5), st.integers(0, 8))
def test_number_of_labelings_is_the_multiplicity_of_the_root_for_every_tree(doubled, root):
    legs = [Fraction(j, 2) for j in doubled]
    wanted = character_count(legs, Fraction(root, 2))
    for build in (left_comb, right_comb, balanced):
        spins = [Spin(j) for j in legs]
        assert count_labelings(build(len(legs)), spins, Spin(Fraction(root, 2))) == wanted


def test_all_trees_have_equally_many_labelings_and_a_cutoff_breaks_that():
    legs = ["1o", "2e", "1o", "2e"]
    counts = {count_labelings(tree, legs, "1e") for tree in all_trees(range(4))}
    assert counts == {len(labelings(left_comb(4), legs, "1e"))}
    assert len({count_labelings(tree, legs, "1e", bond_cutoff=1) for tree in all_trees(range(4))}) > 1


def test_labelings_are_listed_without_repeats_in_the_documented_order():
    for tree in all_trees(range(4)):
        found = labelings(tree, ["1", "2", "1", "1"])
        keys = [tuple(label.l for label in reversed(diagram.outputs)) for diagram in found]
        assert len(found) == count_labelings(tree, ["1", "2", "1", "1"])
        assert keys == sorted(set(keys))


def test_bond_cutoff_limits_bonds_and_leaves_legs_and_root_alone():
    found = labelings(left_comb(3), ["2e", "2e", "2e"], bond_cutoff=1)
    assert max(diagram.root.l for diagram in found) == 3
    assert max(diagram.bonds[0].l for diagram in found) == 1
    everything = labelings(left_comb(3), ["2e", "2e", "2e"])
    assert set(found) == {diagram for diagram in everything if diagram.bonds[0].l <= 1}
    assert count_labelings(left_comb(3), ["2e", "2e", "2e"], bond_cutoff=1) == len(found) < len(everything)


def test_parities_multiply_along_the_tree():
    for diagram in labelings(balanced(4), ["1o", "1e", "2o", "1o"]):
        assert diagram.root.p == -1
        assert [label.p for label in diagram.bonds] == [-1, 1]
    assert (
        count_labelings(balanced(4), ["1o", "1e", "2o", "1o"], "0e")
        == 0
        < count_labelings(balanced(4), ["1o", "1e", "2o", "1o"], "0o")
    )


def test_nodes_and_diagram_are_inverse():
    for tree in all_trees(range(4)):
        for diagram in labelings(tree, ["1", "1", "2", "1"], "2"):
            assert Diagram.from_nodes(diagram.nodes, diagram.legs) == diagram


def test_a_single_leg_is_a_diagram():
    diagram = Diagram(0, ["2e"], [])
    assert diagram.root == Irrep(2, 1) and diagram.bonds == () and str(diagram) == "0: 2e"
    assert labelings(0, ["2e"]) == (diagram,) and labelings(0, ["2e"], "1e") == ()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((((0, 1), 1), ["1"] * 3, ["1", "1"]), SchemeError, "each leaf"),
        ((((0, 1), 2), ["1"] * 2, ["1", "1"]), SchemeError, "'legs' must have 3 labels, one per leaf"),
        ((((0, 1), 2), ["1"] * 3, ["1"]), SchemeError, "'outputs' must have 2 labels, one per vertex"),
        (((0, 1), ["1", "1"], ["3"]), IrrepsError, r"vertex 0 .* couples 1 and 1: .* one of 0, 1, 2; got 3"),
        (((0, 1), ["1o", "1o"], ["1o"]), IrrepsError, "parities must multiply, one of 0e, 1e, 2e; got 1o"),
        ((((0, 1), 2), ["1", "1", "1"], ["2", "0"]), IrrepsError, "vertex 1 .* couples 2 and 1"),
        (((0, 1), ["1o", "1"], ["1"]), IrrepsError, "cannot mix"),
        (((0, 1), ["1o", "1o"], ["1"]), IrrepsError, "cannot mix"),
        (((0, 1), [Spin(1), "1"], ["1"]), IrrepsError, "cannot mix"),
        (((0, 1), [Spin("1/2"), Spin("1/2")], [Spin("1/2")]), IrrepsError, "j=0, j=1; got j=1/2"),
        (((0, 1), ["1", 1], ["1"]), IrrepsError, "must be an Irrep"),
        (((0, 1), ["1", "x"], ["1"]), IrrepsError, "expected a degree"),
    ],
)
def test_what_is_no_diagram_is_refused_with_the_reason(arguments, error, message):
    with pytest.raises(error, match=message):
        Diagram(*arguments)


def test_too_many_labelings_are_counted_and_refused_before_any_work():
    with pytest.raises(SchemeError, match=r"'limit' is 1000000 labelings, but this tree has 7737807"):
        labelings(left_comb(12), ["3"] * 12, "0")
    assert len(labelings(left_comb(12), ["3"] * 12, "0", bond_cutoff=0)) == 0
    with pytest.raises(SchemeError, match="'limit' is 2 labelings, but this tree has 3"):
        labelings(left_comb(3), ["1"] * 3, "1", limit=2)
