"""Fusion tables: terms, sharing, and the plan that costs least."""

import pytest

from nbody_ref.errors import ArgumentError, IrrepsError, SchemeError
from nbody_ref.fusion import Diagram, FusionTable, Spin, Term, all_terms, balanced, left_comb
from nbody_ref.irreps import Irreps


def test_terms_of_a_power_are_the_comb_paths():
    for root, count in (("0e", 23), ("1o", 51), ("2e", 65)):
        assert len(all_terms([Irreps.harmonics(3)], left_comb(3), roots=[root])) == count
    assert len(all_terms([Irreps.harmonics(3)], left_comb(3), roots=["0e"], bond_cutoff=1)) == 10


def test_terms_follow_the_documented_order():
    terms = all_terms(["0e+1o", "1o+2e"], left_comb(3), states=(1, 0, 1), roots=["1o", "0e"])
    keys = [(t.sources, ["1o", "0e"].index(str(t.diagram.root)), t.diagram.bonds[0].l) for t in terms]
    assert keys == sorted(keys)
    assert {tuple(s for s, _ in t.sources) for t in terms} == {(1, 0, 1)}


def test_equal_subdiagrams_are_computed_once_and_braided_ones_too():
    state = Irreps.harmonics(3)
    terms = all_terms([state], left_comb(3), roots=["0e"])
    table = FusionTable.build([state], terms, order="drawn")
    assert [len(stage.table.paths) for stage in table.stages] == [15, 15]
    distinct = {(term.sources[:2], term.diagram.bonds) for term in terms}
    assert len(distinct) == 23  # without the braid sign every term has a pair of its own


def test_costs_descend_and_are_the_stated_integers():
    state = Irreps.harmonics(3)
    table = FusionTable.build([state], all_terms([state], left_comb(3), roots=["0e"]))
    assert table.plan == "reduced ((0, 1), 2)"
    assert (table.cost.separate, table.cost.shared, table.cost.chosen) == (904, 564, 308)
    assert table.cost.tensor == 1059


def test_scalars_of_four_legs_are_evaluated_on_the_balanced_tree():
    state = Irreps.harmonics(2)
    table = FusionTable.build([state], all_terms([state], left_comb(4), roots=["0e"]))
    assert table.plan == "reduced ((0, 1), (2, 3))"
    assert table.cost.chosen * 10 < table.cost.separate
    drawn = FusionTable.build([state], table.terms, order="drawn")
    assert drawn.plan == "drawn" and drawn.cost.chosen == drawn.cost.shared == table.cost.shared


def test_antisymmetric_squares_vanish_without_being_computed():
    table = FusionTable.build(["3x1o"], all_terms(["3x1o"], (0, 1)), order="drawn")
    assert [str(part.irrep) for part in table.irreps_out] == ["0e", "1e", "2e"]
    assert table.selection[1] == () and len(table.stages[0].table.paths) == 2
    full = FusionTable.build(["3x1o"], all_terms(["3x1o"], (0, 1)), mode="full")
    assert full.selection[1] and str(full.irreps_out) == "9x0e + 9x1e + 9x2e"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((["1o"], []), SchemeError, "at least one term"),
        ((["1o"], [Term(Diagram((0, 1), ["1o", "1o"], ["0e"]), ((0, 0), (0, 1)))]), SchemeError, "part 1 of state 0"),
        ((["1o"], [Term(Diagram((0, 1), ["1o", "1o"], ["0e"]), ((0, 0), (1, 0)))]), SchemeError, "part 0 of state 1"),
        ((["1e"], [Term(Diagram((0, 1), ["1o", "1o"], ["0e"]), ((0, 0), (0, 0)))]), IrrepsError, "has label 1o, but"),
        ((["1o"], [Term(Diagram((0, 1), ["1o", "1o"], ["0e"]), ((0, 0),))]), SchemeError, "same number of legs"),
        (
            (["2x1o+3x1o"], [Term(Diagram((0, 1), ["1o", "1o"], ["0e"]), ((0, 0), (0, 1)))]),
            IrrepsError,
            r"equal multiplicities, got \[2, 3\]",
        ),
        (
            (["1"], [Term(Diagram((0, 1), [Spin(1), Spin(1)], [Spin(0)]), ((0, 0), (0, 0)))]),
            IrrepsError,
            "has label j=1",
        ),
    ],
)
def test_terms_that_do_not_fit_the_states_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        FusionTable.build(*arguments)


def test_unknown_words_and_too_many_terms_are_refused():
    terms = all_terms(["1o"], (0, 1))
    for name in ("mode", "order", "basis"):
        with pytest.raises(ArgumentError, match=f"'{name}' must be one of"):
            FusionTable.build(["1o"], terms, **{name: "fast"})
    with pytest.raises(SchemeError, match="'states' must name 2 of the 3 states"):
        all_terms(["1o"] * 3, (0, 1), states=(0, 1, 2))
    with pytest.raises(SchemeError, match=r"'limit' is 1000000 terms, but there are \d{7,}"):
        all_terms([Irreps.harmonics(3)], balanced(9))
