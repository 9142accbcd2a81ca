"""Weights as vectors: complex ones as pairs of real numbers, gradients by their conjugates."""

import numpy as np
import pytest

from nbody_ref.errors import ShapeError
from nbody_ref.network.parameters import Parameters


def mixed():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((2, 3)) + 1j * rng.standard_normal((2, 3))
    return Parameters({"a": rng.standard_normal(4), "z": z, "s": np.ones((1, 2), np.complex64) * (1 - 2j)})


def test_weights_of_all_kinds_become_one_real_vector_and_back_bit_by_bit():
    weights = mixed()
    vector = weights.as_real()
    assert vector.dtype == np.float64 and len(vector) == 4 + 12 + 4
    assert vector[4] == weights["z"][0, 0].real and vector[5] == weights["z"][0, 0].imag
    back = weights.from_real(vector)
    assert all(np.array_equal(back[k], weights[k]) and back[k].dtype == weights[k].dtype for k in weights)
    with pytest.raises(ShapeError, match=r"'vector' must have shape \(20,\), got \(19,\)"):
        weights.from_real(vector[1:])
    assert len(Parameters({}).as_real()) == 0


def test_conjugate_of_the_cotangent_is_the_gradient_in_real_numbers():
    """f = Re sum c z^2 + |z|^2: the cotangent is 2 c z + 2 conj(z); slopes along real directions follow exactly."""
    weights, direction, c = mixed(), np.random.default_rng(1).integers(-3, 4, 20).astype(float), 2 - 3j
    move = weights.from_real(direction)
    bars = Parameters({k: 2 * c * v + 2 * v.conj() if k == "z" else 0 * v for k, v in weights.items()})
    slope = sum(np.sum(bars[k] * move[k]).real for k in weights)
    z, dz = weights["z"], move["z"]
    wanted = (2 * c * z * dz + 2 * z.conj() * dz).real.sum()
    size = np.abs(bars.as_real()) @ np.abs(direction)
    assert abs(slope - wanted) <= 2.0**-48 * size
    assert abs(bars.conjugate().as_real() @ direction - wanted) <= 2.0**-48 * size
    assert abs(bars.as_real() @ direction - wanted) > 2.0**-20 * size  # planted error: not conjugated
