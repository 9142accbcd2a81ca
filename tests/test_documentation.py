"""Formulas of the pages are written so that MathJax shows them: it fails in the reader's browser, not in the build."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
SOURCES = sorted((DOCS.parent / "nbody_ref").rglob("*.py"))
# what MathJax would load when it meets it, and cannot, since the site has one file of it; the whole page then stays raw
ABSENT = re.compile(
    r"\\(boldsymbol|bra|ket|braket|Bra|Ket|Braket|ketbra|cancel|bcancel|xcancel|cancelto|color|definecolor|textcolor|"
    r"colorbox|fcolorbox|enclose|href|cssId|ce|pu|unicode|verb|toggle|mathtip|bbox)(?![a-zA-Z])"
)


def faults(text):
    """What a page has that MathJax refuses, or that would number an equation otherwise than its text does."""
    found = []
    for match in re.finditer(r"\$\$(.*?)\$\$[ ]*(\([A-Z]+\d+[a-z]?\))?", text, flags=re.DOTALL):
        formula, label = match.groups()
        if "\\tag" in formula and "\\\\" in formula:  # Sphinx puts lines into `split`, where no tag is allowed
            found.append(f"tag beside \\\\ (write \\cr): {formula.strip()[:40]}")
        if formula.count("\\tag") > 1:
            found.append(f"two tags: {formula.strip()[:40]}")
        if label:  # MyST takes it for an anchor and shows a running number
            found.append(f"{label} after the formula (write \\tag)")
    return found + [f"{match[0]}: not in the site's file of MathJax" for match in ABSENT.finditer(text)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_formulas_are_shown_under_the_names_that_the_text_uses(page):
    assert faults(page.read_text(encoding="utf-8")) == []


def test_docstrings_use_what_mathjax_has():
    assert {path.name: found for path in SOURCES if (found := ABSENT.findall(path.read_text(encoding="utf-8")))} == {}


@pytest.mark.parametrize(
    "planted",
    [
        r"$$ \begin{pmatrix} a \\ b \end{pmatrix} \tag{W1} $$",
        r"$$ a \tag{D1} \quad b \tag{D2} $$",
        "$$ a = b .$$ (D1)",
        r"$\boldsymbol{a}$",
    ],
)
def test_a_formula_that_would_not_be_shown_is_caught(planted):
    assert len(faults(planted)) == 1
