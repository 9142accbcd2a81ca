"""Notebooks to hand to students: every lesson without its answers, written beside the built pages.

A cell tagged ``answer`` keeps its check and loses its answer; a solution, an admonition of that title, is left out.
"""

import re
from pathlib import Path

import nbformat
from myst_nb.core.read import read_myst_markdown_notebook
from myst_parser.config.main import MdParserConfig

SOLUTION = re.compile(r"^:::\{admonition\} Solution\n.*?^:::\n?", re.MULTILINE | re.DOTALL)
HIDDEN = {"remove-cell", "remove-input"}


def twin(text: str) -> nbformat.NotebookNode:
    """The notebook of a lesson's source, without answers."""
    notebook = read_myst_markdown_notebook(text, MdParserConfig())
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "markdown":
            cell.source = SOLUTION.sub("", cell.source).strip()
        elif "answer" in tags:
            checks = [line for line in cell.source.splitlines() if line.startswith("check(")]
            checks = [re.sub(r", .*\)$", ", answer)", line) for line in checks]
            cell.source = "\n".join(["answer = ...  # yours", *checks])
    shown = [cell for cell in notebook.cells if not HIDDEN & set(cell.metadata.get("tags", []))]
    notebook.cells = [cell for cell in shown if cell.source]
    return notebook


def write_twins(app, exception):
    """Write one notebook for every lesson into the built site."""
    if exception or app.builder.format != "html":
        return
    folder = Path(app.outdir) / "lessons" / "notebooks"
    folder.mkdir(parents=True, exist_ok=True)
    for page in sorted(Path(app.srcdir, "lessons").glob("[01][0-9]_*.md")):
        nbformat.write(twin(page.read_text(encoding="utf-8")), folder / f"{page.stem}.ipynb")


def setup(app):
    """Register the hook."""
    app.connect("build-finished", write_twins)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
