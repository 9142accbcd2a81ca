"""One small fit for all tests of this folder."""

import pytest

from nbody_ref.fit import ethanol, fit

FAST = {"size": "small", "smoothness": 1.5, "progress": False, "curve": False}


@pytest.fixture(scope="session")
def frames():
    return ethanol()


@pytest.fixture(scope="session")
def potential(frames):
    """Forty frames: a real potential in two seconds."""
    return fit(frames[:40], **FAST)
