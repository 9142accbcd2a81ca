"""Every lesson has the form that the index promises, and the words that readers search for are on the site."""

import re
from pathlib import Path

import pytest

from nbody_ref.lessons import exercises

DOCS = Path(__file__).parents[2] / "docs"
LESSONS = sorted((DOCS / "lessons").glob("[01][0-9]_*.md"))
CELL = re.compile(r"^```\{code-cell\} ipython3\n(.*?)^```", re.MULTILINE | re.DOTALL)
PICTURE = re.compile(r"plt\.(?:subplots|figure)\(")
WORDS = (
    "equivariant covariant irreps Clebsch-Gordan Wigner gauge parity pseudoscalar fragment channel gate fusion F-move "
    "recoupling message layer surd torsion glossary Condon-Shortley"
).split()


def cells(text):
    """Tags and source of the code cells of a page."""
    for body in CELL.findall(text):
        head = body.split("---\n")[1] if body.startswith("---\n") else "".join(re.findall(r"^:.*\n", body))
        source = body.split("---\n", 2)[2] if body.startswith("---\n") else body.removeprefix(head)
        yield head, source


def faults(name, text):
    """What a lesson lacks of its form."""
    found = [
        part for part in ("{admonition} This lesson", "**Time**", "**Before**", "**Not covered**") if part not in text
    ]
    found += [part for part in ("## What could go wrong", "## Exercises", "## Where next") if part not in text]
    number = str(int(name[:2]))
    asked = [key for key in exercises() if key.split(".")[0] == number]
    found += [f"exercise {key}" for key in asked if f"**{key}**" not in text or f'check("{key}",' not in text]
    found += ["solution"] if text.count("{admonition} Solution") < len(asked) else []
    pages = list(cells(text))
    found += ["a picture first"] if not pages or not PICTURE.search(pages[0][1]) else []
    for head, source in pages:
        if PICTURE.search(source) and "alt:" not in head:
            found.append("alternative text")
        if "hide-input" not in head and len(source.strip().splitlines()) > 25:
            found.append("at most 25 lines")
        if "hide-input" not in head and max(map(len, source.splitlines())) > 103:
            found.append("lines that fit the column")
    return found


def test_there_are_twelve_lessons():
    assert [path.stem[:2] for path in LESSONS] == [f"{k:02d}" for k in range(12)]


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_has_its_form(path):
    assert faults(path.stem, path.read_text(encoding="utf-8")) == []


def test_a_lesson_without_its_form_is_noticed():
    text = LESSONS[4].read_text(encoding="utf-8")
    assert faults("04", text.replace("    alt:", "    note:")) == ["alternative text"]
    assert faults("04", text.replace('check("4.2",', "print(")) == ["exercise 4.2"]
    assert faults("04", text.replace("## What could go wrong", "##")) == ["## What could go wrong"]


@pytest.mark.parametrize("word", WORDS)
def test_words_that_readers_search_for_are_on_the_site(word):
    pages = [DOCS / "glossary.md", DOCS / "hierarchy.md", *LESSONS]
    assert any(word.lower() in page.read_text(encoding="utf-8").lower() for page in pages)


def test_no_page_is_a_stub():
    assert [
        page.name
        for page in DOCS.rglob("[!_]*.md")
        if "api" not in page.parts and len(page.read_text(encoding="utf-8")) < 150
    ] == []
