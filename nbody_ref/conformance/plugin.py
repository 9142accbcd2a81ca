"""For pytest: the option ``--nbody-backend`` of `nbody_ref.conformance.pytest_suite`.

Loaded by pytest at every start where the package is installed, so that it imports nothing.
"""

from __future__ import annotations

from typing import Any

__all__ = ["pytest_addoption"]


def pytest_addoption(parser: Any) -> None:
    """Add the option."""
    parser.addoption("--nbody-backend", metavar="MODULE:NAME", default=None, help="backend for nbody_ref.conformance")
