"""For pytest: ``pytest --pyargs nbody_ref.conformance --nbody-backend my_module:MyBackend``.

Loaded by pytest at every start where the package is installed, so that it imports nothing.
"""

from __future__ import annotations

from typing import Any

import pytest

__all__ = ["conformant", "pytest_addoption", "pytest_collect_file"]


@pytest.fixture
def conformant() -> Any:
    """``conformant(function, inputs, order=2)`` in a test fails with the answer of `nbody_ref.conformance.check`."""

    def judged(function: Any, inputs: Any, order: int = 2, **more: Any) -> None:
        from nbody_ref.conformance import check

        found = check(function, inputs, order, **more)
        if not found.ok:
            pytest.fail(found.text, pytrace=False)

    return judged


def pytest_addoption(parser: Any) -> None:
    """Add the option."""
    parser.addoption("--nbody-backend", metavar="MODULE:NAME", default=None, help="backend for nbody_ref.conformance")


def pytest_collect_file(file_path: Any, parent: Any) -> Any:
    """The suite is among the files of its package, if a backend is named; its own name given, pytest finds it alone."""
    if file_path.name != "pytest_suite.py" or file_path.parent.name != "conformance":
        return None
    if parent.config.getoption("--nbody-backend") is None or parent.session.isinitpath(file_path):
        return None
    return pytest.Module.from_parent(parent, path=file_path)
