"""Products built by e3nn, cuEquivariance and MACE, read from their own objects; tox environment `conform_peers`."""

from dataclasses import replace

import numpy as np
import pytest

from nbody_ref import conventions
from nbody_ref.conformance import Capabilities
from nbody_ref.conformance.operations.operation import Case
from nbody_ref.conformance.operations.path_sets import path_set
from nbody_ref.conformance.operations.readers import from_e3nn, from_segmented
from nbody_ref.conformance.suite import judge
from nbody_ref.irreps import Irreps

pytestmark = pytest.mark.filterwarnings("ignore")
MODES = {
    "uvw": lambda m, n: 3,
    "uvu": lambda m, n: m,
    "uvv": lambda m, n: n,
    "uuw": lambda m, n: 5,
    "uuu": lambda m, n: m,
    "uvuv": lambda m, n: m * n,
}
FIRST, SECOND = "2x0e+3x1o+2x2e", "2x0e+3x1o+2x2o"


@pytest.fixture
def o3():
    torch = pytest.importorskip("torch")
    o3 = pytest.importorskip("e3nn.o3")
    kept = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # e3nn takes the dtype of its constants from here
    yield o3
    torch.set_default_dtype(kept)


def agrees(product, evaluate, convention, seed=0):
    """Whether a foreign product computes ours, by the gate of the kit."""
    gauge = conventions.get(convention)
    rng = np.random.default_rng(seed)
    x, y = (rng.standard_normal((4, t.dim)) for t in (product.irreps_1, product.irreps_2))
    inputs = {"x1": gauge.state_to_native(product.irreps_1, x), "x2": gauge.state_to_native(product.irreps_2, y)}
    arrays = [x, y]
    if product.weighted:
        inputs["w"] = rng.standard_normal((4, product.n_weights))
        arrays.append(inputs["w"])
    theirs = gauge.state_to_native(product.irreps_out, np.asarray(evaluate(*arrays)))
    (outcome,) = judge(Capabilities(), Case("random", product, inputs), "float64", {"out": theirs})
    return outcome.status == "pass"


def instructions(mode):
    a, b, out, rows = Irreps(FIRST), Irreps(SECOND), [], []
    for i, first in enumerate(a):
        for j, second in enumerate(b):
            if mode in ("uuw", "uuu") and first.mul != second.mul:
                continue
            for irrep in first.irrep * second.irrep:
                part = (MODES[mode](first.mul, second.mul), irrep)
                out += [part] if part not in out else []
                rows.append((i, j, out.index(part), mode, True, 1 + 0.5 * len(rows)))
    return rows, str(Irreps(out))


@pytest.mark.parametrize("path", ["element", "path", "none"])
@pytest.mark.parametrize("irrep", ["component", "norm", "none"])
@pytest.mark.parametrize("mode", MODES)
def test_e3nn_arguments_and_object_give_the_same_exact_product(o3, mode, irrep, path):
    import torch

    rows, out = instructions(mode)
    var = ([1.5] * 3, [0.3] * 3, [2.0] * len(Irreps(out)))
    norms = {"irrep_normalization": irrep, "path_normalization": path}
    module = o3.TensorProduct(FIRST, SECOND, out, rows, *var, shared_weights=False, **norms)
    product = from_e3nn(FIRST, SECOND, out, rows, variances=var, **norms)
    assert product == from_e3nn(module)
    assert agrees(product, lambda *a: module(*map(torch.from_numpy, a)), "e3nn>=0.5")
    first = product.instructions[0]
    wrong = (replace(first, coefficient=-first.coefficient), *product.instructions[1:])
    assert not agrees(replace(product, instructions=wrong), lambda *a: module(*map(torch.from_numpy, a)), "e3nn>=0.5")


def test_e3nn_products_without_weights(o3):
    import torch

    for module in (o3.FullTensorProduct("4x0e+2x1o", "3x0e+1x1o"), o3.ElementwiseTensorProduct("3x1o", "3x2e")):
        product = from_e3nn(module)
        assert not product.weighted
        assert agrees(product, lambda *a, m=module: m(*map(torch.from_numpy, a)), "e3nn>=0.5")


def test_cuequivariance_descriptors():
    cue = pytest.importorskip("cuequivariance")
    x, y = cue.Irreps("O3", "4x0e+3x1o"), cue.Irreps("O3", "2x0e+1x1o")
    one = cue.Irreps("O3", "1x0e+1x1o")
    made = cue.descriptors
    for polynomial in (
        made.fully_connected_tensor_product(x, y, cue.Irreps("O3", "2x0e+3x1o+1x1e")),
        made.channelwise_tensor_product(x, one, cue.Irreps("O3", "0e+1o")),
        made.full_tensor_product(x, y),
        made.elementwise_tensor_product(x, x),
    ):
        ((_, product),) = polynomial.polynomial.operations
        for description in {product.to_json(), product.squeeze_modes().to_json()}:
            ours = from_segmented(description)

            def evaluate(a, b, *w, run=polynomial.polynomial):
                return [run(*(v[k] for v in (*w, a, b)))[0] for k in range(len(a))]

            assert agrees(ours, evaluate, "cuequivariance")


@pytest.mark.parametrize("name", ["mace-small-second", "mace-medium-second", "mace-large-second", "mace-large-first"])
def test_path_sets_of_mace_are_what_mace_builds(name):
    tools = pytest.importorskip("mace.modules.irreps_tools")
    from e3nn import o3

    ours = path_set(name).product
    x = o3.Irreps(str(ours.irreps_1))
    target = o3.Irreps("128x0e + 128x1o + 128x2e + 128x3o")
    out, rows = tools.tp_out_irreps_with_instructions(x, o3.Irreps.spherical_harmonics(3), target)
    assert Irreps(str(out)) == ours.irreps_out
    assert [tuple(row[:4]) for row in rows] == [(i.i1, i.i2, i.out, i.mode) for i in ours.instructions]
