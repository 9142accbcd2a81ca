"""Sphinx configuration: builds offline, with every warning an error."""

import re
import sys
from pathlib import Path

import nbody_ref

sys.path.insert(0, str(Path(__file__).parent))

project = "nbody_ref"
author = "The nbody_ref developers"
copyright = "2026, the nbody_ref developers"
version = release = nbody_ref.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "api_pages",
    "explorers",
    "links",
    "twins",
]
myst_enable_extensions = ["dollarmath", "amsmath", "deflist", "colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True
exclude_patterns = ["_build", "LICENSE.md"]
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r"(?!nbody_ref\.).*")]  # names of NumPy, SciPy and ASE are not resolved offline
suppress_warnings = ["ref.python"]  # a word in the prose of a type that several classes have: no link

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["nbody.css"]
html_title = "nbody_ref"
mathjax_path = "mathjax/tex-svg.js"  # MathJax 3.2.2, one file with its fonts; version 4 fetches fonts from a CDN

autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_param = False  # types are prose, "(N, 3) float64", not names to link
napoleon_use_ivar = True


def escape_bars(app, what, name, obj, options, lines):
    """Absolute values in prose, |x|, are no substitutions; leave mathematics and code spans alone."""
    in_math, indent = False, 0
    for i, line in enumerate(lines):
        depth = len(line) - len(line.lstrip())
        if line.strip().startswith(".. math::"):
            in_math, indent = True, depth
        elif line.strip() and depth <= indent:
            in_math = False
        if not in_math:
            spans = re.split(r"(:math:`[^`]*`|``[^`]*``|`[^`]*`)", line)
            lines[i] = "".join(s if k % 2 else s.replace("|", r"\|") for k, s in enumerate(spans))


def setup(app):
    """Register the hook."""
    app.connect("autodoc-process-docstring", escape_bars)
