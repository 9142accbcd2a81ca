"""The suite as tests: ``pytest --pyargs nbody_ref.conformance.pytest_suite --nbody-backend my_backend:B``.

One test for each declared operation and dtype.
"""

from __future__ import annotations

from typing import Any

from nbody_ref.conformance.doors.loading import load_backend

__all__ = ["pytest_generate_tests", "test_conformance"]


def pytest_generate_tests(metafunc: Any) -> None:
    """One test for every declared operation and dtype."""
    text = metafunc.config.getoption("--nbody-backend")
    if text is None:
        metafunc.parametrize("conformance_case", [None], ids=["no backend"])
        return
    backend = load_backend(text)
    caps = backend.capabilities
    cases = [(backend, operation, dtype) for operation in caps.operations for dtype in caps.dtypes]
    metafunc.parametrize("conformance_case", cases, ids=[f"{operation}-{dtype}" for _, operation, dtype in cases])


def test_conformance(conformance_case: Any) -> None:
    """The suite on one operation and dtype; nothing run is a failure."""
    import pytest

    from nbody_ref.conformance.doors.report import table
    from nbody_ref.conformance.suite import run

    if conformance_case is None:
        pytest.fail("name a backend: --nbody-backend my_module:MyBackend")
    backend, operation, dtype = conformance_case
    report = run(backend, (operation,), (dtype,))
    if report.exit_code:
        pytest.fail(table(report), pytrace=False)
