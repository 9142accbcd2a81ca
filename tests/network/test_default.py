"""The potential that a fit starts from: what it is asked for wrongly is refused in words."""

import json

import numpy as np
import pytest

from nbody_ref.errors import ArgumentError, GeometryError, NBodyRefError
from nbody_ref.network.default import SIZES, default


@pytest.mark.parametrize("size", ["huge", "", None, 5, (1, 2), (1, 2, 3, 4), (0, 1, 1), (1.5, 2, 3), (True, 1, 1)])
def test_sizes_are_names_or_three_positive_integers(size):
    with pytest.raises(ArgumentError, match="default: 'size' must be"):
        default((1, 6), size=size)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("n_radial", (0, -1, 1.5, None, True)),
        ("seed", (-1, 1.5, None, "0")),
        ("smoothness", (np.nan, np.inf, None, "1", True)),
    ],
)
def test_numbers_are_what_they_must_be(name, values):
    for value in values:
        with pytest.raises(ArgumentError, match=f"default: '{name}' must be"):
            default((1, 6), size=(1, 1, 1), **{name: value})


def test_species_and_cutoff_are_refused_by_their_own_errors():
    for cutoff in (0.0, -1.0, np.nan, np.inf, "3", None):
        with pytest.raises(GeometryError, match="'cutoff' must be a positive length"):
            default((1, 6), cutoff, size=(1, 1, 1))
    for species in ((), (1, 1), (0,), ("H",), (1.5,)):
        with pytest.raises(NBodyRefError, match="'species' must be"):
            default(species, size=(1, 1, 1))


def test_numpy_numbers_give_the_network_of_python_numbers():
    plain = default((1, 6), 4.0, 1.5, (2, 2, 2), 3, 1)
    size = tuple(np.array([2, 2, 2], np.int8))
    other = default(np.array([1, 6], np.uint8), np.float32(4), np.float32(1.5), size, np.int8(3), np.uint8(1))
    assert other.spec == plain.spec and json.dumps(other.spec.to_dict()) == json.dumps(plain.spec.to_dict())
    assert all(np.array_equal(other.parameters[name], plain.parameters[name]) for name in plain.parameters)
    assert list(SIZES) == ["small", "medium", "large", "xlarge", "xxlarge"]
