"""Energies are continuous where neighbours come and go: what would jump at the cutoff is refused."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import nbody_ref
from nbody_ref.errors import FileError, NBodyRefError
from nbody_ref.files import load_model, save_model
from nbody_ref.fit.baseline import Baseline
from nbody_ref.fit.potential import Potential
from nbody_ref.gates import Aggregation, Bare, Directed, Fusion, FusionBlock, Gate, Pairs, Product, Term, zeroth_order
from nbody_ref.gates.correlations import Correlations
from nbody_ref.models.cormorant import CormorantSpec
from nbody_ref.network import Network, Schemes, Spec
from nbody_ref.ops.radial import Bessel, InversePowers
from nbody_ref.scheme import groups

CUTOFF, END = 4.0, Gate((Bare(),))
NEAR, FAR, POWERS = Directed(Bessel(2, 4.0), 0), Directed(Bessel(2, 6.0), 0), Directed(InversePowers((1,)), 0)
JUMPING = {
    "a radial function that reaches farther": FAR,
    "an inverse power": POWERS,
    "a sum of states": Bare(),
    "a product with one leg that jumps": Product((replace(NEAR, mul=1), replace(FAR, mul=1)), ("0e",)),
    "a fusion block with one": Fusion((replace(NEAR, mul=1), replace(FAR, mul=1)), FusionBlock(("0e",))),
    "correlations of one": Correlations(FAR, 2, 1),
    "pairs": Pairs(Bessel(2, 1.0), 0),
    "eq. (6)": Aggregation(1, 1, 1, 2),
    "eq. (10)": zeroth_order("1x0e").terms[0],
}


def spec_of(term, cutoff=CUTOFF):
    return Spec((1, 8), cutoff, (Gate((Bare("centre"), term), "1x0e"), END))


def step_at(network, cutoff):
    """How much the energy of two atoms changes from a neighbour just inside `cutoff` to one just outside."""
    distances = (cutoff * (1 - 1e-9), cutoff * (1 + 1e-9))
    one, two = (network.energy(network.graph([([[0, 0, 0], [0, 0, d]], [8, 1])]))[0] for d in distances)
    return abs(one - two)


@pytest.mark.parametrize("name", JUMPING)
def test_what_does_not_vanish_at_the_cutoff_is_refused(name):
    with pytest.raises(NBodyRefError, match=r"Spec: 'gates' must hold terms that vanish at the 'cutoff' of 4 Angstrom"):
        spec_of(JUMPING[name])
    spec_of(JUMPING[name], np.inf)


def test_an_accepted_energy_is_continuous_at_the_cutoff_and_a_refused_one_is_not():
    network = Network(spec_of(NEAR), seed=0)
    # f_p falls with the third power of 1 - d / r_c: 1e-27 of its size; what is left is rounding of a few operations
    assert step_at(network, CUTOFF) <= 16 * 2.0**-53 * abs(network.energy(network.graph([([[0, 0, 0]], [8])]))[0])
    planted = spec_of(FAR, 6.0)
    object.__setattr__(planted, "cutoff", CUTOFF)  # round the check
    assert step_at(Network(planted, seed=0), CUTOFF) > 1e-6


def test_who_is_in_a_scheme_does_not_depend_on_distances():
    scheme = groups([8, 1, 1], {})
    Spec((1, 8), 1.0, (Gate((POWERS, Bare()), "1x0e"),), schemes=Schemes.like([scheme]))


def test_a_term_of_ones_own_reaches_as_far_as_what_it_is_made_of():
    class Own(Term, named=False):
        def __init__(self, *parts):
            self.parts = parts

        def emit(self, builder, place, name):
            raise NotImplementedError

    assert [Own(*parts).reach for parts in ((), (NEAR,), (NEAR, (FAR,)), (POWERS, NEAR))] == [0.0, 4.0, 6.0, np.inf]


def test_an_infinite_cutoff_is_written_as_null_and_read_again():
    spec = spec_of(POWERS, np.inf)
    text = json.dumps(spec.to_dict(), allow_nan=False)
    assert '"cutoff": null' in text and Spec.from_dict(json.loads(text)) == spec
    network = Network(spec, seed=0)
    graph = network.graph([(np.array([[0, 0, 0], [0, 0, 1.0], [0, 70.0, 0]]), [8, 1, 1])])
    assert graph.edges.n_edges == 6 and np.isfinite(network.energy(graph)).all()


def test_an_edited_file_is_refused_by_name(tmp_path):
    path = tmp_path / "potential.safetensors"
    zero = {1: 0.0, 8: 0.0}
    Potential(Network(spec_of(NEAR), seed=0), Baseline(zero, "isolated"), zero).save(path)
    found = load_model(path)
    found.config["network"]["cutoff"] = 3.0
    save_model(path, found.config, found.arrays, found.metadata)
    with pytest.raises(FileError, match=rf"{path.name}.*vanish at the 'cutoff' of 3 Angstrom"):
        nbody_ref.load(path)


def test_masks_that_do_not_vanish_need_an_infinite_cutoff_or_leave_to_jump():
    with pytest.raises(NBodyRefError, match="CormorantSpec: 'cutoff' must be infinite"):
        CormorantSpec((1, 8), 5.0)
    spec = CormorantSpec((1, 8), 5.0, jumps=True)
    assert CormorantSpec.from_dict(spec.to_dict()) == spec
    older = {key: value for key, value in CormorantSpec((1, 8)).to_dict().items() if key != "jumps"}
    assert CormorantSpec.from_dict(older) == CormorantSpec((1, 8))
    for inner, outer in pairwise((3.0, np.inf)):
        with pytest.raises(NBodyRefError, match="'cutoff'"):
            CormorantSpec.from_dict(CormorantSpec((1, 8), outer).to_dict() | {"cutoff": inner})
