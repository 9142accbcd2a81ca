"""Every published model is found again by the name that its description carries."""

import json

import numpy as np
import pytest

import nbody_ref
from nbody_ref.errors import FileError
from nbody_ref.fit.baseline import Baseline
from nbody_ref.fit.potential import Potential
from nbody_ref.models import CoFD, CoFDSpec, MoFD, MoFDSpec
from nbody_ref.models.cormorant import Cormorant, CormorantSpec
from nbody_ref.models.mace import Mace, MaceSpec
from nbody_ref.models.nequip import NequIP, NequIPSpec
from nbody_ref.models.registry import MODELS, model_from_dict

SPECIES, CUTOFF = (1, 8), 3.0
MADE = {
    "Cormorant": lambda: Cormorant(CormorantSpec(SPECIES, CUTOFF, 1, 1, 1, n_channels=2, jumps=True)),
    "MACE": lambda: Mace(MaceSpec(SPECIES, CUTOFF, hidden="2x0e + 2x1o", lmax=1, correlation=(2, 2))),
    "CoFD": lambda: CoFD(CoFDSpec(SPECIES, CUTOFF, n_levels=1, lmax=1, n_channels=2, jumps=True)),
    "MoFD": lambda: MoFD(MoFDSpec(SPECIES, CUTOFF, hidden="2x0e + 2x1o")),
    "NequIP": lambda: NequIP(NequIPSpec(SPECIES, CUTOFF, hidden="2x0e + 2x1o", n_layers=1)),
}
WATER = [(np.array([[0.0, 0.0, 0.1], [0.0, 0.8, -0.5], [0.0, -0.8, -0.5]]), np.array([8, 1, 1]))]


def test_every_model_is_tried_here():
    assert set(MADE) == set(MODELS)


@pytest.mark.parametrize("name", MADE)
def test_a_model_is_found_by_its_name(name):
    model = MADE[name]()
    again = model_from_dict(json.loads(json.dumps(model.spec.to_dict())), dict(model.parameters))
    assert type(again) is type(model) and again.spec == model.spec
    assert again.energy(again.graph(WATER)) == model.energy(model.graph(WATER))


@pytest.mark.parametrize("name", MADE)
def test_a_potential_of_any_model_is_saved_and_loaded(name, tmp_path):
    model = MADE[name]()
    zero = dict.fromkeys(SPECIES, 0.0)
    potential = Potential(model, Baseline(zero, "isolated"), zero)
    potential.save(tmp_path / "model.safetensors")
    again = nbody_ref.load(tmp_path / "model.safetensors")
    assert np.array_equal(again.predict(WATER).forces, potential.predict(WATER).forces)
    assert name in again.summary()


def test_unknown_names_are_refused():
    with pytest.raises(FileError, match="'model' must be one of CoFD, Cormorant, MACE, MoFD, NequIP, got 'SchNet'"):
        model_from_dict({"model": "SchNet"}, {})
