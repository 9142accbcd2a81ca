"""Names are links: code literals that name an object of the package or a file of the repository lead to it.

Objects lead to their entry in the API; files lead to a page with their text, written beside the built site.
"""

import re
from importlib import import_module
from os.path import relpath
from pathlib import Path

from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_for_filename

ROOT = Path(__file__).parents[1]
FILE = re.compile(r"(?:nbody_ref|tests|validation|benchmarks|docs)/[\w./-]+\.(?:py|md|cfg|ini)|tox\.ini|setup\.cfg")
NAME = re.compile(r"(?:nbody_ref\.)[\w.]+|[A-Za-z_]\w{5,}")


def entry(name, objects):
    """Full name, in the API, of the object that a literal means, or None."""
    if name in objects:
        return name
    if name.startswith("nbody_ref."):
        module, _, last = name.rpartition(".")
        try:
            thing = getattr(import_module(module), last)
        except (ImportError, AttributeError):
            return None
        full = f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', '')}"
        return full if full in objects else None
    found = [full for full in objects if full.endswith("." + name) and objects[full].objtype in ("function", "class")]
    return found[0] if len(found) == 1 else None


def link(app, doctree, docname):
    """Wrap literals of one page into references."""
    objects = app.env.get_domain("py").objects
    files = app.env.__dict__.setdefault("linked_files", set())
    for literal in list(doctree.findall(nodes.literal)):
        if isinstance(literal.parent, nodes.reference):
            continue
        text = literal.astext().removesuffix("()")
        target = None
        if FILE.fullmatch(text) and (ROOT / text).is_file():
            files.add(text)
            target = relpath(f"source/{text}.html", str(Path(docname).parent))
        elif NAME.fullmatch(text) and (full := entry(text, objects)) and not docname.startswith("api/"):
            target = app.builder.get_relative_uri(docname, objects[full].docname) + "#" + objects[full].node_id
        if target:
            reference = nodes.reference("", "", internal=True, refuri=target)
            literal.replace_self(reference)
            reference += literal


def mend_backlinks(app):
    """Pages of source lead back to where an object is described, also if several modules show it."""
    objects = app.env.get_domain("py").objects
    found = {name: thing.node_id for name, thing in objects.items()}
    for module, entry in list(getattr(app.env, "_viewcode_modules", {}).items()):
        if entry:
            code, tags, used, other = entry
            names = {base: {n for n in used if found.get(f"{base}.{n}") == f"{base}.{n}"} for base in (module, other)}
            base = max(names, key=lambda key: len(names[key]))
            places = {name: objects[f"{base}.{name}"].docname for name in names[base] if name in tags}
            app.env._viewcode_modules[module] = code, tags, places, base
    return []


def write_files(app, exception):
    """Write the linked files as pages."""
    if exception or app.builder.format != "html":
        return
    style = HtmlFormatter(full=True, linenos="inline", style="default", nobackground=True)
    for name in sorted(app.env.__dict__.get("linked_files", ())):
        target = Path(app.outdir, "source", f"{name}.html")
        target.parent.mkdir(parents=True, exist_ok=True)
        style.title = name
        text = (ROOT / name).read_text(encoding="utf-8")
        target.write_text(highlight(text, get_lexer_for_filename(name), style), encoding="utf-8")


def setup(app):
    """Register the hooks."""
    app.connect("doctree-resolved", link)
    app.connect("html-collect-pages", mend_backlinks, priority=100)
    app.connect("build-finished", write_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
