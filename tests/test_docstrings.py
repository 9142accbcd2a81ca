"""Examples in docstrings are run as printed."""

import doctest
import re
from importlib import import_module
from pathlib import Path

import pytest

import nbody_ref

PACKAGE = Path(nbody_ref.__file__).parent
MODULES = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(PACKAGE.rglob("*.py"))
    if re.search(r"^\s*>>> ", path.read_text(), re.MULTILINE)
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_say(name):
    failed, attempted = doctest.testmod(import_module(name))
    assert attempted > 0 and failed == 0
