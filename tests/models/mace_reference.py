"""Makes and checks tests/data/mace_reference.json: what mace-torch itself computes for small fixed models.

    python tests/models/mace_reference.py --write | --check

Weights are fixed patterns of rationals, so that the file needs to hold results only: energies, forces, and for each
weight array the sum of its gradient times another pattern, for the loss <a, E> + <b, F>. Runs in the tox environment
mace; `--check` computes the file again.
"""

import argparse
import json
import sys
import warnings
from pathlib import Path

import numpy as np

FILE = Path(__file__).parents[1] / "data" / "mace_reference.json"
NUMBERS = [6, 8, 1, 1, 1, 1]
METHANOL = [
    [-0.047131, 0.664389, 0.0],
    [-0.047131, -0.758551, 0.125],
    [-1.092995, 0.969785, 0.0625],
    [0.878534, -1.048458, 0.0],
    [0.437145, 1.080376, 0.891772],
    [0.437145, 1.180376, -0.891772],
]
FRAMES = [(METHANOL, NUMBERS), (METHANOL[1:4], NUMBERS[1:4])]

MODELS = {
    "defaults in small": {
        "hidden": "4x0e + 4x1o",
        "lmax": 3,
        "correlation": [3, 3],
        "residual": [False, True],
        "scale": 0.83,
        "shift": -0.31,
    },
    "three layers, degree 2, residual": {
        "hidden": "2x0e + 2x1o + 2x2e",
        "lmax": 2,
        "correlation": [2, 3, 1],
        "residual": [True, True, True],
        "scale": 1.7,
        "shift": 0.2,
    },
    "scalars, no residual, no scale": {"hidden": "3x0e", "lmax": 3, "correlation": [3, 2], "residual": [False, False]},
    "one layer": {
        "hidden": "3x0e + 3x1o",
        "lmax": 2,
        "correlation": [3],
        "residual": [False],
        "scale": 0.5,
        "shift": 1.0,
    },
}
FIXED = {
    "species": [1, 6, 8],
    "cutoff": 3.5,
    "n_radial": 5,
    "p": 5,
    "radial_mlp": [7, 6],
    "readout": 5,
    "neighbours": 3.25,
    "energies": [-1.5, -2.25, -3.0],
}
REDUCED = False  # couplings of cuEquivariance, if that is installed
MORE = {}  # further options of mace-torch


def pattern(shape, k):
    """Rationals of size up to two, the k-th array; weights of paths are smaller where there are more paths."""
    i = np.arange(int(np.prod(shape)))
    values = (((37 + 2 * k) * i + 11 * k + 5) % 101 - 50) / 25.0
    return values.reshape(shape) / (shape[1] if len(shape) == 3 else 1)


def torch_model(config):
    """A model of mace-torch, whatever weights."""
    import mace  # noqa: F401  first: e3nn 0.4.4 can be imported only after it
    import torch
    from e3nn import o3  # isort: skip
    from mace.modules import blocks, models

    torch.set_default_dtype(torch.float64)
    kinds = {False: blocks.RealAgnosticInteractionBlock, True: blocks.RealAgnosticResidualInteractionBlock}
    residual, layers = config["residual"], len(config["correlation"])
    options = {
        "r_max": config["cutoff"],
        "num_bessel": config["n_radial"],
        "num_polynomial_cutoff": config["p"],
        "max_ell": config["lmax"],
        "interaction_cls_first": kinds[residual[0]],
        "interaction_cls": kinds[residual[-1]],
        "num_interactions": layers,
        "num_elements": len(config["species"]),
        "hidden_irreps": o3.Irreps(config["hidden"]),
        "MLP_irreps": o3.Irreps(f"{config['readout']}x0e"),
        "atomic_energies": np.array(config["energies"]),
        "avg_num_neighbors": config["neighbours"],
        "atomic_numbers": config["species"],
        "correlation": config["correlation"],
        "gate": torch.nn.functional.silu,
        "radial_MLP": config["radial_mlp"],
        "use_reduced_cg": REDUCED,
    } | MORE
    if "scale" in config:
        scaled = {"atomic_inter_scale": config["scale"], "atomic_inter_shift": config["shift"]}
        return models.ScaleShiftMACE(**scaled, **options)
    return models.MACE(**options)


def torch_batch(config, frames):
    """Positions, one-hot species and every pair within the cutoff, both ways."""
    import torch

    positions = np.concatenate([np.array(r) for r, _ in frames])
    numbers = np.concatenate([np.array(z) for _, z in frames])
    frame = np.repeat(np.arange(len(frames)), [len(z) for _, z in frames])
    dist = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    near = (dist < config["cutoff"]) & (frame[:, None] == frame) & ~np.eye(len(frame), dtype=bool)
    edges = np.stack(np.nonzero(near))
    species = np.array(config["species"])
    ptr = np.concatenate([[0], np.cumsum([len(z) for _, z in frames])])
    zero = torch.zeros(edges.shape[1], 3)
    return {
        "positions": torch.tensor(positions),
        "node_attrs": torch.tensor(1.0 * (numbers[:, None] == species)),
        "edge_index": torch.tensor(edges),
        "shifts": zero,
        "unit_shifts": zero,
        "cell": torch.zeros(3 * len(frames), 3),
        "batch": torch.tensor(frame),
        "ptr": torch.tensor(ptr),
    }


def torch_results(model, config, frames, a, b):
    """Energies, forces, and the gradient of <a, E> + <b, F> with respect to every weight by name."""
    import torch

    out = model(torch_batch(config, frames), training=True)
    loss = (out["energy"] * torch.tensor(a)).sum() + (out["forces"] * torch.tensor(b)).sum()
    weights = {name: w for name, w in model.named_parameters() if w.requires_grad}
    found = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
    zero = {name: torch.zeros_like(w) for name, w in weights.items()}
    gradients = {name: (zero[name] if g is None else g).numpy() for name, g in zip(weights, found, strict=True)}
    return out["energy"].detach().numpy(), out["forces"].detach().numpy(), gradients


def compute():
    """The content of the file."""
    import mace
    import torch

    import e3nn  # isort: skip

    found = {"made_by": {"mace-torch": mace.__version__, "e3nn": e3nn.__version__, "torch": torch.__version__}}
    found["frames"] = FRAMES
    found["models"] = {}
    for name, own in MODELS.items():
        config = FIXED | own
        model = torch_model(config)
        act = model.interactions[0].conv_tp_weights.layer0.act
        with torch.no_grad():
            for k, w in enumerate(model.parameters()):
                w.copy_(torch.tensor(pattern(tuple(w.shape), k)))
        a, b = pattern((2,), 1), pattern((9, 3), 2)
        energies, forces, gradients = torch_results(model, config, FRAMES, a, b)
        pairs = enumerate(gradients.items())
        found["models"][name] = {
            "config": config,
            "silu_factor": act.cst,
            "energies": energies.tolist(),
            "forces": forces.tolist(),
            "gradients": {n: float((g * pattern(g.shape, k + 3)).sum()) for k, (n, g) in pairs},
        }
    return found


def same(left, right, path=""):
    """Equal but for rounding; raises where not."""
    if isinstance(left, dict):
        assert left.keys() == right.keys(), path
        for key in left:
            same(left[key], right[key], f"{path}/{key}")
    elif isinstance(left, list | tuple) and left and not isinstance(left[0], str):
        assert np.allclose(left, right, rtol=0, atol=1e-13) if _numeric(left) else len(left) == len(right), path
        if not _numeric(left):
            for i, pair in enumerate(zip(left, right, strict=True)):
                same(*pair, f"{path}/{i}")
    elif isinstance(left, float):
        assert abs(left - right) <= 1e-11 * max(1.0, abs(right)), path
    elif "made_by" not in path:
        assert left == right, path


def _numeric(values):
    try:
        return np.asarray(values).dtype.kind in "fi"
    except ValueError:
        return False


def main(arguments=None):
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true")
    action.add_argument("--check", action="store_true")
    found = compute()
    if parser.parse_args(arguments).write:
        FILE.write_text(json.dumps(found) + "\n")
        return 0
    same(json.loads(json.dumps(found)), json.loads(FILE.read_text()))
    print("the committed file is what mace-torch computes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
