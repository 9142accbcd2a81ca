"""Options: every value that cannot be meant is refused before work starts, and what is kept is plain and finite."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from nbody_ref.errors import ArgumentError
from nbody_ref.fit.options import Options, available_memory

NOT_NUMBERS = [np.nan, np.inf, -np.inf, "3", None, True, 1j, [[1.0]], {}]
WRONG = [
    *[("cutoff", x) for x in (*NOT_NUMBERS, 0.0, -1.0, [5.0])],
    *[("holdout", x) for x in (*NOT_NUMBERS, 0.0, 1.0, "a")],
    *[("memory", x) for x in NOT_NUMBERS if x is not None],
    *[("memory", x) for x in (0, -3.0)],
    *[("smoothness", x) for x in (*NOT_NUMBERS, (), [], [1.0, np.nan], (1.0, "2"), -1.0)],
    *[("regularisation", x) for x in (*NOT_NUMBERS, (), -1, [1e-3, -1e-3])],
    *[("seed", x) for x in (-1, 1.5, "1", None, True, np.nan)],
    *[("size", x) for x in ("huge", None, 3, ["small"])],
    *[("solver", x) for x in ("svd", None, ["qr"])],
    *[("progress", x) for x in (1, "no", None)],
    *[("curve", x) for x in (0, "yes")],
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_values_that_cannot_be_meant_are_refused_by_name(name, value):
    with pytest.raises(ArgumentError, match=f"fit: '{name}' must be"):
        Options.build({name: value})


def test_numbers_of_numpy_become_plain_ones():
    found = Options.build(
        {
            "cutoff": np.float32(4.5),
            "holdout": np.float64(0.25),
            "memory": np.int64(2),
            "seed": np.uint8(7),
            "smoothness": np.array([1.0, 2.0], dtype=np.float32),
            "regularisation": np.array(1e-3),
            "progress": np.bool_(False),
        }
    )
    kinds = {"cutoff": float, "holdout": float, "memory": float, "seed": int, "progress": bool}
    assert all(type(getattr(found, name)) is kind for name, kind in kinds.items())
    assert found.smoothness == (1.0, 2.0) and found.regularisation == (1e-3,)
    assert all(type(x) is float for x in (*found.smoothness, *found.regularisation))
    json.dumps(found.to_dict(), allow_nan=False)


def test_unknown_option_names_the_nearest():
    with pytest.raises(ArgumentError, match="'regularization'; did you mean 'regularisation'"):
        Options.build({"regularization": 1e-3})


def test_size_grows_with_the_number_of_labels():
    sizes = [Options().network_size(n) for n in (100, 2999, 3000, 11_999, 12_000, 10**6)]
    assert sizes == ["small", "small", "medium", "medium", "large", "large"]
    assert SimpleNamespace(**Options(size="small").to_dict()).size == "small"
    assert Options(size="small").network_size(10**6) == "small"


def test_available_memory_is_a_number_of_gigabytes():
    assert 0.05 < available_memory() < 1e5
