"""A page for each module that `api.md` lists, with a table of its names; `api.md` itself becomes the table of pages.

The pages are written into ``docs/api/`` before Sphinx reads the sources; they are no part of the repository.
"""

import inspect
import re
from importlib import import_module
from pathlib import Path

ENTRY = re.compile(r"^\.\. auto(module|function):: (\S+)\n((?:   :members:\n)?)", re.MULTILINE)
BLOCK = re.compile(r"```\{eval-rst\}\n(.*?)```", re.DOTALL)


def public(module):
    """Names of a module that its page documents, in the order of its source."""
    names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
    return [
        name
        for name in names
        if getattr(getattr(module, name), "__module__", "").startswith("nbody_ref") and callable(getattr(module, name))
    ]


def first_line(thing):
    """Summary of a docstring; equations of the summary stay."""
    line = (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ")
    spans = re.split(r"(:math:`[^`]*`|`[^`]*`)", line)
    return "".join(span if k % 2 else span.replace("|", r"\|") for k, span in enumerate(spans))


def page(kind, name, members):
    """Source of the page of a module or a function; without `members` a module's names are described elsewhere."""
    if kind == "function":
        return f"# {name}\n\n```{{eval-rst}}\n.. autofunction:: {name}\n```\n"
    if not members:
        return f"# {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n```\n"
    names = public(import_module(name))
    rows = [
        f"   * - :py:obj:`~{name}.{entry}`\n     - {first_line(getattr(import_module(name), entry))}" for entry in names
    ]
    table = ".. list-table::\n   :widths: 30 70\n\n" + "\n".join(rows) + "\n\n" if rows else ""
    return f"# {name}\n\n```{{eval-rst}}\n{table}.. automodule:: {name}\n   :members:\n```\n"


def write_pages(app):
    """Write the pages of all entries of `api.md`."""
    folder = Path(app.srcdir, "api")
    folder.mkdir(exist_ok=True)
    text = Path(app.srcdir, "api.md").read_text(encoding="utf-8")
    for kind, name, members in ENTRY.findall(text):
        target, source = folder / f"{name}.md", page(kind, name, members)
        if not target.exists() or target.read_text(encoding="utf-8") != source:
            target.write_text(source, encoding="utf-8")


def list_pages(app, docname, source):
    """Show, in place of the entries of `api.md`, what each module is for, and link its page."""
    if docname != "api":
        return

    def table(match):
        entries = ENTRY.findall(match[1])
        rows = []
        for kind, name, _ in entries:
            thing = (
                import_module(name)
                if kind == "module"
                else getattr(import_module(name.rpartition(".")[0]), name.rpartition(".")[2])
            )
            summary = re.sub(r":math:`([^`]*)`", r"$\1$", first_line(thing))
            rows.append(f"| [{name}](api/{name}.md) | {summary} |")
        pages = "\n".join(f"api/{name}" for _, name, _ in entries)
        return (
            "| module | what it is for |\n|---|---|\n"
            + "\n".join(rows)
            + f"\n\n```{{toctree}}\n:hidden:\n\n{pages}\n```\n"
        )

    source[0] = BLOCK.sub(table, source[0])


def setup(app):
    """Register the hooks."""
    app.connect("builder-inited", write_pages)
    app.connect("source-read", list_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
