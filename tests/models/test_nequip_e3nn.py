"""NequIP against the same layers of e3nn: its tensor product, linear maps, gates, norms and perceptrons.

Energies, forces, and the gradient of a loss on forces with respect to every weight. The bound makes room for the
rounding of two programs; a wrong sign, constant or order of weights is wrong by order one. Runs where e3nn is there.
"""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from nbody_ref import conventions
from nbody_ref.gates import steps
from nbody_ref.models.nequip import NequIP, NequIPSpec
from nbody_ref.network.parameters import Parameters
from nbody_ref.ops.activation import Activation

pytestmark = pytest.mark.filterwarnings("ignore")
DIGITS = 1e-12
SPECIES = (1, 6, 8)
NUMBERS = np.array([1, 6, 8, 1, 6, 6, 8])
POSITIONS = np.random.default_rng(1).standard_normal((7, 3)) * 1.4


@pytest.fixture(scope="module")
def peer():
    """e3nn in double precision; its own warnings at import are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch = pytest.importorskip("torch")
        pytest.importorskip("e3nn")
        from e3nn import math, nn, o3
    old = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield SimpleNamespace(torch=torch, o3=o3, nn=nn, math=math)
    torch.set_default_dtype(old)


def factor(peer, function):
    return float(peer.math.normalize2mom(function).cst)


def spec_of(peer, **others):
    silu, tanh = peer.torch.nn.functional.silu, peer.torch.tanh
    functions = {
        "even": Activation("silu", factor(peer, silu)),
        "odd": Activation("tanh", factor(peer, tanh)),
        "radial_activation": Activation("silu", factor(peer, silu)),
    }
    fixed = {"n_layers": 2, "n_radial": 5, "radial_widths": (7,), "mean_neighbours": 3.0}
    return NequIPSpec(SPECIES, 3.5, **fixed | functions | others)


class Theirs:
    """The program of a `NequIPSpec` with e3nn's modules, loaded with our weights."""

    def __init__(self, peer, model):
        self.p, self.model, self.spec, self.weights = peer, model, model.spec, {}

    def weight(self, name):
        if name not in self.weights:
            array = np.array(self.model.parameters[name])
            self.weights[name] = self.p.torch.tensor(array, requires_grad=True)
        return self.weights[name]

    def blocks(self, name):
        """W of each irrep, (kinds, in, out)."""
        table = next(s.statics[1] for s in self.model.chain.steps if s.inputs[1:] == (f"{name}/scaled",))
        W = self.weight(name)
        return {
            str(b.irrep): W[:, b.offset : b.offset + b.mul_in * b.mul_out].reshape(len(W), b.mul_in, b.mul_out)
            for b in table.blocks
        }

    def linear(self, x, irreps, out, name):
        o3, torch = self.p.o3, self.p.torch
        module, blocks = o3.Linear(irreps, out, internal_weights=False), self.blocks(name)
        flat = [blocks[str(module.irreps_in[i.i_in].ir)][0].reshape(-1) for i in module.instructions]
        return module(x, torch.cat(flat))

    def with_species(self, x, one_hot, irreps, out, name):
        o3, torch = self.p.o3, self.p.torch
        module = o3.FullyConnectedTensorProduct(
            irreps, f"{len(SPECIES)}x0e", out, internal_weights=False, shared_weights=True
        )
        blocks = self.blocks(name)
        flat = [blocks[str(module.irreps_in1[i.i_in1].ir)].transpose(0, 1).reshape(-1) for i in module.instructions]
        return module(x, one_hot, torch.cat(flat))

    def perceptron(self, basis, name, signs):
        widths = [basis.shape[1], *self.spec.radial_widths, len(signs)]
        module = self.p.nn.FullyConnectedNet(widths, self.p.torch.nn.functional.silu)
        found = dict(module.named_parameters())
        weights = {
            f"layer{i}.weight": self.weight(f"{name}/{i}").reshape(found[f"layer{i}.weight"].shape)
            for i in range(len(widths) - 1)
        }
        return self.p.torch.func.functional_call(module, weights, (basis,)) * self.p.torch.tensor(signs)

    def layer(self, x, irreps, one_hot, y, basis, edges, t):
        p, spec, name = self.p, self.spec, f"layer{t}"
        step = next(s for s in self.model.chain.steps if s.output == f"{name}/A")
        hidden = p.o3.Irreps(spec.hidden)
        y_irreps = p.o3.Irreps.spherical_harmonics(spec.lmax)
        reached = [mi for mi in hidden if any(mi.ir in a.ir * b.ir for a in irreps for b in y_irreps)]
        scalars = p.o3.Irreps([mi for mi in reached if mi.ir.l == 0])
        gated = p.o3.Irreps([mi for mi in reached if mi.ir.l > 0])
        functions = {1: p.torch.nn.functional.silu, -1: p.torch.tanh}
        if spec.nonlinearity == "gate":
            even = any(p.o3.Irrep("0e") in a.ir * b.ir for a in irreps for b in y_irreps)
            gates = p.o3.Irreps([(mi.mul, "0e" if even else "0o") for mi in gated])
            module = p.nn.Gate(
                scalars, [functions[mi.ir.p] for mi in scalars], gates, [functions[mi.ir.p] for mi in gates], gated
            )
            inner = module.irreps_in.simplify()
        else:
            inner = (scalars + gated).simplify()
            bare = lambda v: spec.even.factor * functions[1](v)  # noqa: E731  e3nn does not normalize this one
            module = p.nn.NormActivation(inner, bare, normalize=True, epsilon=1e-8, bias=False)
        x1 = self.linear(x, irreps, irreps, f"{name}/linear_1")
        middle, instructions = [], []
        for i, (mul, ir) in enumerate(irreps):
            for j, (_, ir_y) in enumerate(y_irreps):
                for ir_out in ir * ir_y:
                    if ir_out in inner:
                        instructions.append((i, j, len(middle), "uvu", True))
                        middle.append((mul, ir_out))
        middle, order, _ = p.o3.Irreps(middle).sort()
        instructions = [(i, j, order[k], mode, True) for i, j, k, mode, _ in instructions]
        product = p.o3.TensorProduct(
            irreps, y_irreps, middle, instructions, shared_weights=False, internal_weights=False
        )
        table, signs = step.statics[1], []
        for part, l2, irrep in table.paths:
            l1 = table.irreps_in[part].irrep.l
            signs += [(-1.0) ** ((l1 + l2 - irrep.l) // 2)] * table.irreps_in[part].mul
        w = self.perceptron(basis, f"{name}/radial", signs)
        receivers, senders = edges
        messages = product(x1[senders], y, w)
        a = p.torch.zeros(len(x), messages.shape[1]).index_add(0, receivers, messages)
        new = self.linear(a / spec.mean_neighbours**0.5, middle.simplify(), inner, f"{name}/linear_2")
        if f"{name}/self_connection" in self.model.parameters:
            new = new + self.with_species(x, one_hot, irreps, inner, f"{name}/self_connection")
        return module(new), module.irreps_out.simplify()

    def energy(self, r):
        p, spec, torch = self.p, self.spec, self.p.torch
        graph = self.model.graph([(r.detach().numpy(), NUMBERS)])
        receivers, senders = (torch.tensor(graph.edges[k].astype(np.int64)) for k in (0, 1))
        one_hot = torch.tensor(np.eye(len(SPECIES))[self.model.kinds(graph).astype(int)])
        v = r[senders] - r[receivers]
        d = v.norm(dim=1, keepdim=True)
        y = p.o3.spherical_harmonics(list(range(spec.lmax + 1)), v, True, "component")
        n, x, q = torch.arange(1, spec.n_radial + 1), d / spec.cutoff, spec.cutoff_degree
        cut = 1 - (q + 1) * (q + 2) / 2 * x**q + q * (q + 2) * x ** (q + 1) - q * (q + 1) / 2 * x ** (q + 2)
        basis = 2 / spec.cutoff * torch.sin(n * np.pi * x) / d * cut
        irreps = p.o3.Irreps(f"{p.o3.Irreps(spec.hidden).count('0e')}x0e")
        h = self.linear(one_hot, p.o3.Irreps(f"{len(SPECIES)}x0e"), irreps, "embedding")
        for t in range(1, spec.n_layers + 1):
            h, irreps = self.layer(h, irreps, one_hot, y, basis, (receivers, senders), t)
        half = max(1, p.o3.Irreps(spec.hidden).count("0e") // 2)
        h = self.linear(h, irreps, p.o3.Irreps(f"{half}x0e"), "readout/hidden")
        h = self.linear(h, p.o3.Irreps(f"{half}x0e"), p.o3.Irreps("1x0e"), "readout/energy")
        return (h * spec.scale + one_hot @ self.weight("readout/shift")).sum()


CASES = {
    "scalars and vectors": {"hidden": "6x0e + 4x1o", "lmax": 1},
    "all parities": {"hidden": "4x0e + 3x0o + 3x1o + 2x1e + 2x2e", "lmax": 2},
    "no species in the self-connection": {"hidden": "4x0e + 2x1o + 2x2e", "lmax": 2, "self_connection": False},
    "norm nonlinearity": {"hidden": "4x0e + 3x1o + 2x2e", "lmax": 2, "nonlinearity": "norm"},
}


@pytest.mark.parametrize("case", CASES)
def test_energies_forces_and_weight_gradients_are_those_of_e3nn(peer, case):
    model = NequIP(spec_of(peer, **CASES[case]), seed=3)
    shift = np.random.default_rng(2).standard_normal((len(SPECIES), 1))
    model, torch = model.with_parameters({"readout/shift": shift}), peer.torch
    theirs = Theirs(peer, model)
    r = torch.tensor(POSITIONS, requires_grad=True)
    energy = theirs.energy(r)
    forces = -torch.autograd.grad(energy, r, create_graph=True)[0]
    # our axes are a relabelling of theirs, a rotation: the energy does not notice, forces turn along
    native = conventions.get("e3nn>=0.5").positions_to_native
    graph = model.graph([(native(POSITIONS), NUMBERS)])
    ours, our_forces = model.energy_and_forces(graph)
    assert abs(ours[0] - energy.item()) <= DIGITS * abs(ours[0])
    scale = np.abs(our_forces).max()
    assert np.abs(our_forces - native(forces.detach().numpy())).max() <= DIGITS * scale
    target = np.random.default_rng(4).standard_normal(POSITIONS.shape)
    loss = (energy**2 + (forces * torch.tensor(target)).sum()) / 2

    def of(e, f):
        return 0.0, e, native(target) / 2

    gradient = model.loss_gradient(graph, of)[1]
    wanted = torch.autograd.grad(loss, list(theirs.weights.values()))
    for name, g in zip(theirs.weights, wanted, strict=True):
        size = max(g.abs().max().item(), scale / len(gradient[name].ravel()))
        assert np.abs(gradient[name] - g.numpy()).max() <= 1e2 * DIGITS * size, name
    assert set(theirs.weights) == set(model.parameters)


def test_planted_errors_are_caught(peer):
    """A sign of one path, and the exact constant of silu in place of e3nn's estimate."""
    model = NequIP(spec_of(peer, **CASES["all parities"]), seed=3)
    theirs = Theirs(peer, model).energy(peer.torch.tensor(POSITIONS)).item()
    name = "layer2/radial/1"
    flipped = np.array(model.parameters[name])
    flipped.reshape(7, -1)[:, :4] *= -1
    others = [
        model.with_parameters({name: flipped}),
        NequIP(spec_of(peer, even=Activation.normalized("silu"), **CASES["all parities"]), model.parameters),
    ]
    for wrong in others:
        assert isinstance(wrong.parameters, Parameters) and any(s.op is steps.MESSAGE for s in wrong.chain.steps)
        assert abs(wrong.energy(wrong.graph([(POSITIONS, NUMBERS)]))[0] - theirs) > 1e6 * DIGITS * abs(theirs)
