"""Our own blocks, gates and models are conformant; errors planted in them are caught; other gauges are translated."""

from dataclasses import replace

import numpy as np
import pytest

from nbody_ref import conventions
from nbody_ref.certified.sums import evaluate_exactly
from nbody_ref.conformance import Backend, Capabilities, run
from nbody_ref.conformance.operations.blocks import LinearMix, RadialBasis
from nbody_ref.conformance.operations.diagrams import DiagramSum, SymmetricPower
from nbody_ref.conformance.operations.networks import GateOperation, ModelOperation, model_of
from nbody_ref.conformance.operations.registry import REGISTRY
from nbody_ref.conformance.reference_blocks import Blocks
from nbody_ref.errors import IrrepsError
from nbody_ref.fusion import symmetric_basis
from nbody_ref.irreps import Irreps
from nbody_ref.models.cofd import CoFD, CoFDSpec
from nbody_ref.models.cormorant import Cormorant
from nbody_ref.models.cormorant_spec import CormorantSpec
from nbody_ref.models.mofd import MoFD, MoFDSpec
from nbody_ref.models.nequip import NequIP, NequIPSpec
from nbody_ref.network.gauges import to_complex
from nbody_ref.tables import clebsch_gordan

COMPOSITE = ("radial", "mixing", "contraction", "fusion", "gate", "model")


def composite_operations(name, lmax):
    return REGISTRY[name].suite(name, Capabilities(lmax=lmax))


@pytest.mark.parametrize("name", COMPOSITE)
def test_own_blocks_are_conformant(name):
    report = run(Blocks(), (name,), ("float32",))
    assert report.failures == [] and report.count("pass") > 15
    if name in ("mixing", "contraction", "fusion"):
        assert run(Blocks(), (name,), ("float64",), seed=1).failures == []


def changed(operation, order, change):
    """Our blocks with one operation's results changed."""

    class Wrong(Blocks):
        capabilities = Capabilities(operations=(operation,), lmax=2, propagates_nan=False)

        def forward(self, op, inputs):
            out = Blocks.forward(self, op, inputs)
            return out if order else change({"out": out}, op, inputs)["out"]

        def vjp(self, op, inputs, cotangent):
            found = Blocks.vjp(self, op, inputs, cotangent)
            return change(dict(found), op, inputs) if order == 1 else found

        def double_vjp(self, op, inputs, cotangent, tangents):
            found = Blocks.double_vjp(self, op, inputs, cotangent, tangents)
            return change(dict(found), op, inputs) if order == 2 else found

    return Wrong()


def scaled(name, factor, columns=slice(None)):
    def change(found, op, inputs):
        if name in found:
            found[name] = found[name].copy()
            found[name][..., columns] *= found[name].dtype.type(factor)
        return found

    return change


def swapped_kinds(found, op, inputs):
    return found | ({"W": found["W"][::-1].copy()} if "W" in found else {})


def no_cutoff(found, op, inputs):
    dist = inputs["dist"]
    return {"out": np.where((dist >= 5.0)[:, None, None], np.finfo(dist.dtype).eps, found["out"])}


PLANTED = {
    "force sign": ("model", 1, scaled("r", -1)),
    "force loss: one weight forgotten": ("model", 2, scaled("level1/mixing", 0, slice(0, 1))),
    "energy: half": ("model", 0, scaled("out", 0.5)),
    "gate: state gradient without one channel": ("gate", 1, scaled("psi", 0, slice(0, 1))),
    "gate: H not symmetric": ("gate", 2, scaled("r_child", 2)),
    "contraction: factor 2! in a weight gradient": ("contraction", 1, scaled("w", 2, slice(-1, None))),
    "contraction: second gradient of x dropped": ("contraction", 2, scaled("x", 0)),
    "fusion: sign of one term": ("fusion", 0, scaled("out", -1, slice(-1, None))),
    "fusion: coefficient off by 3e-5": ("fusion", 0, scaled("out", 1 + 3e-5, slice(0, 1))),
    "mixing: weight gradients of kinds swapped": ("mixing", 1, swapped_kinds),
    "radial: not zero beyond the cutoff": ("radial", 0, no_cutoff),
    "radial: slope of the last function": ("radial", 1, scaled("dist", 1 + 1e-4)),
}


@pytest.mark.parametrize("name", PLANTED)
def test_errors_planted_in_blocks_are_caught(name):
    operation, order, change = PLANTED[name]
    report = run(changed(operation, order, change), (operation,), ("float32",), checks=("random", "poles"))
    assert {o.order for o in report.failures} == {order}


def test_a_result_is_named_by_atom_part_and_component():
    report = run(changed("model", 1, scaled("r", -1)), ("model",), ("float64",), checks=("random",))
    assert "r at row" in report.failures[0].text and report.failures[0].text.partition(":")[0][-1] in "xyz"
    report = run(changed("fusion", 0, scaled("out", -1)), ("fusion",), ("float64",), checks=("random",))
    assert "part" in report.failures[0].text and "channel" in report.failures[0].text


def test_contraction_paths_are_the_symmetric_basis_and_sum_to_the_power():
    """With all weights equal to one, the value is the sum of the coupled powers of the state."""
    op = SymmetricPower(Irreps("1x0e + 1x1o"), Irreps("1x0e"), 3, 1)
    counts = [len(symmetric_basis("0e + 1o", n, "0e").paths) for n in (1, 2, 3)]
    assert len(op.paths) == sum(counts) == op.n_weights
    x = np.array([[2.0, 1.0, 3.0, -1.0]])
    inputs = {"x": x, "w": np.ones((1, op.n_weights)), "kind": np.zeros(1, int)}
    total = sum(
        sum(float(Q) * float(r) ** 0.5 for r, Q in evaluate_exactly(t, inputs)[0].items()) for t in op.terms(inputs)
    )
    scalar, square = 2.0, 11.0  # s + s^2 - |v|^2/sqrt3 + s^3 - s |v|^2/sqrt3, up to the choice of paths
    expected = scalar + scalar**2 - square / 3**0.5 + scalar**3 - scalar * square / 3**0.5
    assert abs(total - expected) < 1e-12 * abs(expected)


@pytest.mark.parametrize("name", ["e3nn>=0.5", "cuequivariance"])
def test_coefficients_turn_the_couplings_of_another_gauge_into_ours(name):
    gauge = conventions.get(name)
    _, op = composite_operations("fusion", 2)
    rng = np.random.default_rng(0)
    x = [rng.standard_normal(irreps.dim) for irreps in op.irreps]
    ours = Blocks().forward(op, {"x0": x[0][None], "x1": x[1][None]})[0]
    coefficients = op.in_gauge(gauge).coefficients
    assert any(c.sign < 0 for c in coefficients)
    for t, term in enumerate(op.diagrams):
        parts = [
            x[s][irreps.offsets[p] : irreps.offsets[p] + irreps[p].dim].reshape(-1, irreps[p].mul)
            for (s, p), irreps in zip(term.sources, op.irreps)
        ]
        degrees = [label.l for label in (*term.diagram.legs, term.diagram.root)]
        C = gauge.cg_from_native(*degrees, clebsch_gordan(*degrees))
        found = float(coefficients[t]) * np.einsum("ijk,iu,jv->kuv", C, *parts)
        start = op.irreps_out.offsets[t]
        assert np.allclose(found.reshape(-1), ours[start : start + found.size], rtol=0, atol=1e-14)


def test_contractions_in_another_gauge_carry_the_same_signs():
    (op,) = composite_operations("contraction", 2)
    moved = op.in_gauge(conventions.get("e3nn>=0.5"))
    signs = [moved.factor(k).sign for k in range(len(op.paths))]
    expected = [(-1) ** sum((a.l + b.l - c.l) // 2 for a, b, c in path.diagram.triples) for _, path in op.paths]
    assert signs == expected and -1 in signs


def test_a_backend_brings_its_own_model():
    default = composite_operations("model", 2)[0]
    other = model_of(default.model, "mine")

    class Own(Blocks):
        capabilities = Capabilities(operations=("model",), dtypes=("float64",), orders=(0,), propagates_nan=False)

        def operations(self, name):
            return (other,) if name == "model" else None

    report = run(Own(), checks=("random",))
    assert report.failures == [] and "mine" in {o.note for o in report.outcomes}
    assert other.to_dict()["model"]["network"]["species"] == [1, 6]


def test_descriptions_are_json_and_wrong_types_are_refused():
    import json

    for name in COMPOSITE:
        for op in composite_operations(name, 2):
            assert json.loads(json.dumps(op.to_dict()))["operation"] == name
    with pytest.raises(IrrepsError, match="one multiplicity"):
        SymmetricPower(Irreps("2x0e + 1x1o"), Irreps("2x0e"))


def test_every_kind_of_operation_has_all_orders():
    kinds = {
        "radial": RadialBasis,
        "mixing": LinearMix,
        "contraction": SymmetricPower,
        "fusion": DiagramSum,
        "gate": GateOperation,
        "model": ModelOperation,
    }
    for name, kind in kinds.items():
        for op in composite_operations(name, 1):
            assert isinstance(op, kind)
            cases = list(op.cases("float64", (0, 1, 2), 0))
            assert {case.order for case in cases} == {0, 1, 2}
    assert isinstance(Blocks(), Backend)


CORMORANT = CormorantSpec((1, 6), n_levels=2, lmax=1, lmax_edge=1, n_channels=1, n_sines=1, n_powers=1)


def cormorant(dtype):
    return Cormorant(replace(CORMORANT, dtype={"float64": "complex128", "float32": "complex64"}[dtype]))


def test_cormorant_with_complex_weights_is_certified_as_a_whole_model():
    op = model_of(cormorant, "Cormorant")
    shapes = {name: x.shape for name, x in op.model.parameters.items()}
    assert op.model.parameters["level0/atoms"].dtype == np.complex128

    class Own(Blocks):
        capabilities = Capabilities(operations=("model",), propagates_nan=False)

        def operations(self, name):
            return (op,)

    class Conjugated(Own):
        """Torch's convention for complex gradients where ours was asked for."""

        def vjp(self, op, inputs, cotangent):
            found = dict(super().vjp(op, inputs, cotangent))
            found["level0/atoms"] = found["level0/atoms"] * np.tile([1, -1], shapes["level0/atoms"][1])
            return found

    report = run(Own(), checks=("random",))
    assert report.failures == [] and {o.order for o in report.outcomes} == {0, 1, 2}
    wrong = run(Conjugated(), dtypes=("float64",), checks=("random",)).failures
    assert {(o.order, o.result) for o in wrong} == {(1, "level0/atoms")}


def test_a_network_in_the_complex_gauge_is_certified_with_its_complex_root():
    real = composite_operations("model", 1)[0]
    op = ModelOperation("complex", lambda dtype: to_complex(real.make(dtype)))
    assert op.wide and op.layout("out").plain

    class Own(Blocks):
        capabilities = Capabilities(operations=("model",), dtypes=("float64",), propagates_nan=False)

        def operations(self, name):
            return (op,)

    report = run(Own(), checks=("random",))
    assert report.failures == [] and {o.order for o in report.outcomes} == {0, 1, 2}


FEW = {"n_layers": 1, "n_radial": 2, "radial_widths": (2,)}
PUBLISHED = {
    "NequIP": lambda: NequIP(NequIPSpec((1, 6), 5.0, hidden="1x0e + 1x1o", **FEW)),
    "CoFD": lambda: CoFD(CoFDSpec((1, 6), n_levels=1, lmax=1, lmax_edge=1, n_channels=1, n_sines=1, n_powers=1)),
    "MoFD": lambda: MoFD(MoFDSpec((1, 6), 5.0, hidden="1x0e + 1x1o", lmax=1, readout=2, internal_spins=(0, 1), **FEW)),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_models_are_certified_as_whole_models(name):
    """NequIP, whose nonlinearities are gates, and networks with a block on every edge; MACE is in the suite."""
    op = model_of(PUBLISHED[name](), name)

    class Own(Blocks):
        capabilities = Capabilities(operations=("model",), dtypes=("float64",), propagates_nan=False)

        def operations(self, name):
            return (op,)

    report = run(Own(), checks=("random",))
    assert report.failures == [] and {o.order for o in report.outcomes} == {0, 1, 2}
    assert op.to_dict()["model"]["published"]["model"] == name.split()[-1]
