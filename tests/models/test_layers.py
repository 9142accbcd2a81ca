"""Layers of published models: each against its definition, covariance of the nonlinearities, refusals."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from nbody_ref.errors import IrrepsError
from nbody_ref.gates.build import Builder
from nbody_ref.gates.chain import Entry
from nbody_ref.irreps import Irreps
from nbody_ref.models import layers
from nbody_ref.network.parameters import draw
from nbody_ref.ops.activation import Activation, activation

U = 2.0**-53
SILU, TANH = Activation.normalized("silu"), Activation.normalized("tanh")
ROWS = layers.Rows(Entry("kind"), 2)
BATCH = {"kind": np.array([0, 1, 1], np.uintp), "shared": np.zeros(3, np.uintp)}


def start(irreps, seed=0):
    builder = Builder()
    builder.input("x", irreps)
    return builder, np.random.default_rng(seed).standard_normal((3, Irreps(irreps).dim))


def evaluate(builder, out, x, **others):
    weights = draw(builder.parameters, 1)
    values = builder.chain().forward({"x": x, **weights, **others}, BATCH)
    return values[out], weights


def test_linear_is_its_definition_with_the_constant_outside():
    builder, x = start("2x0e + 3x1o + 1x0e")
    out, W = evaluate(builder, layers.linear(builder, builder.state("x"), "2x0e + 4x1o", "W", ROWS, 0.5), x)
    for n, k in enumerate((0, 1, 1)):
        flat = W["W"][k]
        scalars = np.concatenate([x[n, :2], x[n, 11:]]) @ flat[:6].reshape(3, 2) * 0.5 / np.sqrt(3)
        vectors = x[n, 2:11].reshape(3, 3) @ flat[6:].reshape(3, 4) * 0.5 / np.sqrt(3)
        wanted = np.concatenate([scalars, vectors.reshape(-1)])
        assert np.abs(out[n] - wanted).max() <= 16 * U * 3 * np.abs(x).max() * np.abs(W["W"]).max()
        assert np.abs(out[n] / 0.5 - wanted).max() > 1e-3


def test_radial_mlp_is_a_perceptron_without_biases():
    builder, x = start("4x0e")
    out, W = evaluate(builder, layers.radial_mlp(builder, builder.state("x"), (5, 6), 7, SILU, "mlp", layers.ATOMS), x)
    h = x
    for i, (a, b) in enumerate(((4, 5), (5, 6), (6, 7))):
        h = h @ W[f"mlp/{i}"].reshape(a, b) / np.sqrt(a)
        h = activation(h, SILU) if i < 2 else h
    assert list(W) == ["mlp/0", "mlp/1", "mlp/2"] and out.shape == (3, 7)
    assert np.abs(out - h).max() <= 200 * U * np.abs(h).max()


def test_gate_multiplies_whole_fragments_by_scalars_of_the_last_part():
    tau = "3x0o + 7x0e + 2x1o + 3x2e"
    builder, x = start(tau)
    name = layers.gate(builder, builder.state("x"), {1: SILU, -1: TANH}, {1: SILU, -1: TANH}, "gate")
    out, _ = evaluate(builder, name, x)
    assert str(builder.irreps[name]) == "3x0o + 2x0e + 2x1o + 3x2e"
    gates = activation(x[:, 5:10], SILU)
    wanted = [activation(x[:, :3], TANH), activation(x[:, 3:5], SILU)]
    wanted += [(x[:, 10:16].reshape(3, 3, 2) * gates[:, None, :2]).reshape(3, -1)]
    wanted += [(x[:, 16:].reshape(3, 5, 3) * gates[:, None, 2:]).reshape(3, -1)]
    assert (out == np.concatenate(wanted, axis=1)).all()


def test_odd_gates_turn_the_parity():
    builder, _ = start("1x0e + 2x0o + 2x1o")
    name = layers.gate(builder, builder.state("x"), {1: SILU, -1: TANH}, {1: SILU, -1: TANH}, "gate")
    assert str(builder.irreps[name]) == "1x0e + 2x1e"


@pytest.mark.parametrize("normalize", [True, False])
def test_norm_gate_acts_on_norms_only(normalize):
    builder, x = start("2x0e + 3x1o")
    name = layers.norm_gate(builder, builder.state("x"), SILU, "norm", 0.5, normalize, bias=True)
    bias = np.random.default_rng(3).standard_normal((1, 5))
    out, _ = evaluate(builder, name, x, **{"norm/bias": bias})
    norms = np.sqrt(np.concatenate([x[:, :2] ** 2, (x[:, 2:].reshape(3, 3, 3) ** 2).sum(1)], axis=1) + 0.25)
    scale = activation(norms + bias, SILU) / (norms if normalize else 1)
    vectors = (x[:, 2:].reshape(3, 3, 3) * scale[:, None, 2:]).reshape(3, 9)
    wanted = np.concatenate([x[:, :2] * scale[:, :2], vectors], axis=1)
    assert np.abs(out - wanted).max() <= 50 * U * (1 + np.abs(bias).max()) * np.abs(wanted).max()


NONLINEAR = {
    "gate": lambda b: layers.gate(b, b.state("x"), {1: SILU, -1: TANH}, {1: SILU, -1: TANH}, "y"),
    "norm": lambda b: layers.norm_gate(b, b.state("x"), SILU, "y"),
}


@pytest.mark.parametrize("inversion", [False, True])
@pytest.mark.parametrize("name", NONLINEAR)
def test_nonlinearities_commute_with_the_group(name, inversion):
    tau = Irreps("3x0o + 7x0e + 2x1o + 3x2e")
    builder, x = start(tau)
    y = NONLINEAR[name](builder)
    rotation = Rotation.random(random_state=1)
    before, after = (r.D(rotation, inversion).T for r in (tau, builder.irreps[y]))
    turned = evaluate(builder, y, x @ before)[0]
    bound = 100 * U * np.abs(x).max() ** 2
    assert np.abs(turned - evaluate(builder, y, x)[0] @ after).max() <= bound
    componentwise = activation(x, TANH)  # planted error: fine on scalars alone
    assert np.abs(activation(x @ before, TANH) - componentwise @ before).max() > 1e-3


def test_what_cannot_be_covariant_is_refused():
    builder, _ = start("2x0o + 1x1o")
    with pytest.raises(IrrepsError, match="activate: every part must be a scalar"):
        layers.activate(builder, builder.state("x"), SILU)
    with pytest.raises(IrrepsError, match="biased: every part must be a scalar"):
        layers.biased(builder, builder.state("x"), "b")
    builder, _ = start("2x0o")
    with pytest.raises(IrrepsError, match=r"pseudoscalars need an odd function \(tanh\), got 'silu'"):
        layers.activate(builder, builder.state("x"), SILU)
    builder, _ = start("2x0e + 3x1o")
    with pytest.raises(IrrepsError, match=r"gate: 'x' of type .* must end its scalars with 3 gates"):
        layers.gate(builder, builder.state("x"), {1: SILU}, {1: SILU}, "y")
    with pytest.raises(IrrepsError, match="norm_gate: 'epsilon' must be positive where fragments are normalized"):
        layers.norm_gate(builder, builder.state("x"), SILU, "y", 0.0)
    with pytest.raises(IrrepsError, match=r"taken: part 1 of .* has no channels 0\.\.2 to take"):
        layers.taken(builder, builder.state("x"), [(1, 0, 2)], "y")
