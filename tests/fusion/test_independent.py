"""Tables of independent couplings: as many as the character formula has, the same as by exchanges, as committed."""

import json
import runpy
from pathlib import Path

import pytest

from nbody_ref.errors import SchemeError
from nbody_ref.fusion import independent, independent_couplings, labelings, symmetric_basis, symmetric_dimension

DATA = Path(__file__).parents[2] / "docs" / "data"


@pytest.mark.parametrize(("n", "root"), [(2, "0e"), (3, "0e"), (3, "1o"), (4, "0e")])
def test_comb_tables_equal_those_found_by_exchanges(n, root):
    parts = "0e + 1o + 2e"
    assert independent_couplings(parts, n, root).couplings == symmetric_basis(parts, n, root).paths


@pytest.mark.parametrize("tree", [((0, 1), (2, 3)), (0, (1, (2, 3))), ((3, 1), (2, 0))])
def test_the_number_does_not_depend_on_the_tree(tree):
    table = independent_couplings("1o + 2e", 4, "0e", tree)
    assert len(table.couplings) == symmetric_dimension("1o + 2e", 4, "0e")
    for path in table.couplings:
        assert path.diagram in labelings(tree, [table.labels[p] for p in path.parts], "0e")


def test_a_dependent_labeling_is_not_kept(monkeypatch):
    monkeypatch.setattr(independent, "_independent", lambda diagrams, *_: list(diagrams))
    with pytest.raises(ArithmeticError, match="the character formula has"):
        independent_couplings("1o", 4, "0e")


def test_trees_of_another_size_are_refused():
    with pytest.raises(SchemeError, match="independent_couplings: 'tree' must have 3 leaves, got 2"):
        independent_couplings("1o", 3, "1o", (0, 1))


def test_committed_tables_are_what_the_generator_writes():
    script = runpy.run_path(str(DATA / "make_couplings.py"))
    for name, rows in script["TABLES"].items():
        tables = json.loads((DATA / f"couplings_{name}.json").read_text(encoding="utf-8"))
        assert len(tables) == len(rows)
        for table, (parts, n, root, tree) in zip(tables, rows):
            assert table["count"] == len(table["couplings"]) == symmetric_dimension(parts, n, root)
            if n < 4:
                assert table == json.loads(independent_couplings(parts, n, root, tree).json())
