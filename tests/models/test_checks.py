"""Descriptions of models: any value in any field makes a model description in plain numbers, or an error in words."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from nbody_ref.errors import ArgumentError, NBodyRefError
from nbody_ref.models.cofd import CoFDSpec
from nbody_ref.models.cormorant_spec import CormorantSpec
from nbody_ref.models.mofd import MoFDSpec
from nbody_ref.models.nequip import NequIPSpec
from nbody_ref.ops.activation import Activation

SPECS = [NequIPSpec((1, 8), 4.0), CormorantSpec((1, 8)), CoFDSpec((1, 8)), MoFDSpec((1, 8))]
HOSTILE = (
    None,
    "x",
    "",
    5,
    -1,
    0,
    2.5,
    True,
    np.nan,
    np.inf,
    1j,
    [],
    (),
    {},
    [1, 1],
    (1.5,),
    ("centre",),
    object(),
    print,
    np.int8(3),
    np.float32(1.5),
    np.ones(2),
    10**30,
    [[1]],
    [[[1], [2]]],
    "2x0e + 3x0e",
    "3x1o",
    "1x0",
)


@pytest.mark.parametrize("field", range(20))
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: type(spec).__name__)
def test_whatever_is_passed_the_answer_is_a_description_or_an_error_of_the_package(spec, field):
    names = [f.name for f in fields(spec)]
    if field >= len(names):
        return
    for wrong in HOSTILE:
        try:
            made = replace(spec, **{names[field]: wrong})
        except NBodyRefError as error:
            assert ": '" in str(error) or "Irreps: " in str(error) or "Irrep: " in str(error)
        else:
            assert type(spec).from_dict(json.loads(json.dumps(made.to_dict()))) == made


def test_numbers_of_numpy_become_those_of_python():
    spec = NequIPSpec(np.array([1, 8]), np.float32(4.0), n_layers=np.int16(2), radial_widths=[np.int64(3)])
    assert json.loads(json.dumps(spec.to_dict()))["species"] == [1, 8]
    found = [type(v) for v in (spec.species, spec.cutoff, spec.n_layers, spec.radial_widths)]
    assert found == [tuple, float, int, tuple]


@pytest.mark.parametrize(
    "name", ["silu", "tanh", "leaky_relu", "shifted_softplus", "sigmoid", "softplus", "reciprocal"]
)
@pytest.mark.parametrize(("spec", "field"), [(SPECS[0], "radial_activation"), (SPECS[3], "activation")])
def test_radial_perceptrons_that_do_not_end_at_the_cutoff_are_refused(spec, field, name):
    if name in ("sigmoid", "softplus", "reciprocal"):
        with pytest.raises(ArgumentError, match=f"'{field}' must be zero at zero, or the energy jumps"):
            replace(spec, **{field: Activation(name)})
    else:
        assert getattr(replace(spec, **{field: Activation(name)}), field).name == name
