"""Marks that depend on how Numba runs, and the quick selection."""

import os
from pathlib import Path

import pytest

QUICK = """
test_checks test_irreps test_scheme test_tables test_files scheme conventions kernels/test_jit
exact/test_surd exact/test_ring exact/test_definition fusion/test_tree fusion/test_label fusion/test_diagram
ops/test_cg_product ops/test_mixing ops/test_neighbour_sum gates/test_chain network/test_parameters
fit/test_options fit/test_splits fit/test_copies fit/test_units fit/test_baseline
conformance/test_readers conformance/test_formats
""".split()  # one or two of every room, under a minute with compiled kernels at hand


def is_quick(path, root=Path(__file__).parent):
    """Whether a test file belongs to `pytest -m quick`: named above, or in a folder that is."""
    place = path.relative_to(root).with_suffix("") if path.is_relative_to(root) else Path("elsewhere")
    return any(str(place) == name or place.is_relative_to(name) for name in QUICK)


def pytest_collection_modifyitems(config, items):
    """Kernels that call kernels run on Python integers only with the JIT off; those tests wait for that environment."""
    for item in items:
        if is_quick(item.path):
            item.add_marker(pytest.mark.quick)
    if os.environ.get("NUMBA_DISABLE_JIT", "0") == "1":
        return
    skip = pytest.mark.skip(reason="runs with NUMBA_DISABLE_JIT=1 (tox -e nojit)")
    for item in items:
        if "nojit" in item.keywords:
            item.add_marker(skip)
