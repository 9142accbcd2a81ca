"""Notebooks for students hold the questions and the checks, and no answer."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from twins import twin

LESSONS = sorted(Path(__file__).parent.glob("lessons/[01][0-9]_*.md"))


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_twin_asks_and_does_not_answer(path):
    cells = twin(path.read_text(encoding="utf-8")).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    blanks = [source for source in code if source.startswith("answer = ...")]
    assert len(blanks) >= 3 and all(", answer)" in source for source in blanks)
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert "Solution" not in text and "## Exercises" in text
