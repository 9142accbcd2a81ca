"""Marks that depend on how Numba runs."""

import os

import pytest


def pytest_collection_modifyitems(config, items):
    """Kernels that call kernels run on Python integers only with the JIT off; those tests wait for that environment."""
    if os.environ.get("NUMBA_DISABLE_JIT", "0") == "1":
        return
    skip = pytest.mark.skip(reason="runs with NUMBA_DISABLE_JIT=1 (tox -e nojit)")
    for item in items:
        if "nojit" in item.keywords:
            item.add_marker(skip)
