"""Writes what a pickled mace-torch model holds as plain numbers: JSON and arrays.

Run by `nbody-ref import mace` as a program of its own, by an interpreter that has mace-torch, since reading a pickle
runs code of whoever wrote it. It needs nothing of nbody_ref:

    python mace_export.py MODEL DIRECTORY

Features that nbody_ref does not have are refused by name.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

INTERACTIONS = {"RealAgnosticInteractionBlock": False, "RealAgnosticResidualInteractionBlock": True}


class Unsupported(ValueError):
    """A feature of the model that nbody_ref does not have."""


def refuse(condition: Any, what: str) -> None:
    """Raise if the model has this feature."""
    if condition:
        raise Unsupported(f"the model has {what}, which is not supported")


def describe(model: Any) -> dict[str, Any]:
    """Configuration of a MACE or ScaleShiftMACE model in the fields of `nbody_ref.models.mace.MaceSpec`.

    Raises
    ------
    Unsupported
        Naming the feature.
    """
    kind = type(model).__name__
    if kind not in ("MACE", "ScaleShiftMACE"):
        raise Unsupported(f"the model is a {kind}; only MACE and ScaleShiftMACE are supported")
    check_features(model)
    blocks, products = list(model.interactions), list(model.products)
    config: dict[str, Any] = {
        "species": [int(z) for z in model.atomic_numbers],
        "cutoff": float(model.r_max),
        "hidden": str(blocks[-1].node_feats_irreps if len(blocks) > 1 else products[0].linear.irreps_out),
        "lmax": int(blocks[0].edge_attrs_irreps.lmax),
        "correlation": [int(p.symmetric_contractions.contractions[0].correlation) for p in products],
        "residual": [INTERACTIONS[type(block).__name__] for block in blocks],
        "n_radial": int(model.radial_embedding.out_dim),
        "p": int(model.radial_embedding.cutoff_fn.p),
        "radial_mlp": list(blocks[0].conv_tp_weights.hs[1:-1]),
        "radial_activation": activation(blocks[0].conv_tp_weights.layer0.act),
        "neighbours": float(blocks[0].avg_num_neighbors),
        "energies": [float(e) for e in model.atomic_energies_fn.atomic_energies.reshape(-1)],
    }
    if len(blocks) > 1:
        last = model.readouts[-1]
        config |= {"readout": int(last.hidden_irreps.dim), "readout_activation": activation(last.non_linearity.acts[0])}
    if kind == "ScaleShiftMACE":
        config |= {name: float(getattr(model.scale_shift, name).reshape(-1)[0]) for name in ("scale", "shift")}
    return config


def check_features(model: Any) -> None:
    """Refuse, by name, all that `describe` cannot say."""
    radial, heads = model.radial_embedding, list(getattr(model, "heads", None) or ["Default"])
    refuse(hasattr(model, "pair_repulsion_fn"), "a pair repulsion (ZBL)")
    refuse(len(heads) > 1, f"several heads ({', '.join(map(str, heads))})")
    refuse(hasattr(model, "joint_embedding"), "embeddings of further features (joint_embedding)")
    transform = getattr(radial, "distance_transform", None)
    refuse(transform is not None, f"a transform of distances ({type(transform).__name__})")
    basis = type(radial.bessel_fn).__name__
    refuse(basis != "BesselBasis", f"radial functions of the kind {basis}")
    refuse(not getattr(radial, "apply_cutoff", True), "a cutoff of messages instead of radial functions (apply_cutoff)")
    for option in ("use_so3", "use_agnostic_product", "use_last_readout_only", "lammps_mliap"):
        refuse(getattr(model, option, False), f"the option {option}")
    for block in model.interactions:
        check_interaction(block, model.interactions[0])
    for product in model.products:
        name = type(product.symmetric_contractions).__name__
        refuse(name != "SymmetricContraction", f"a product of the kind {name} (convert it to e3nn with mace first)")
        contractions = product.symmetric_contractions.contractions
        refuse(len({c.correlation for c in contractions}) > 1, "correlations that depend on the irrep")
    wanted = ["LinearReadoutBlock"] * max(len(model.interactions) - 1, 1)
    wanted += ["NonLinearReadoutBlock"] * (len(model.interactions) > 1)
    readouts = [type(readout).__name__ for readout in model.readouts]
    refuse(readouts != wanted, f"readouts of the kinds {', '.join(readouts)}")
    last = model.products[-1].linear.irreps_out
    refuse(any(ir.l > 0 for _, ir in last), f"a last layer of type {last} (keep_last_layer_irreps)")


def check_interaction(block: Any, first: Any) -> None:
    """Refuse interactions of other kinds, and parts of them that were exchanged."""
    name = type(block).__name__
    refuse(name not in INTERACTIONS, f"an interaction of the kind {name}")
    for part in ("linear_up", "linear"):
        kind = type(getattr(block, part)).__name__
        refuse(kind != "Linear", f"a linear layer of the kind {kind} (LoRA, cuEquivariance)")
    for part in ("conv_tp", "skip_tp"):
        kind = type(getattr(block, part)).__name__
        refuse(kind not in ("TensorProduct", "FullyConnectedTensorProduct"), f"a tensor product of the kind {kind}")
    refuse(hasattr(block, "conv_fusion"), "fused convolutions (convert it to e3nn with mace first)")
    edge = getattr(block, "edge_irreps", block.node_feats_irreps)
    refuse(edge != block.node_feats_irreps, f"edge irreps {edge} of their own (edge_irreps)")
    kind = type(block.conv_tp_weights).__name__
    refuse(kind != "FullyConnectedNet", f"a radial network of the kind {kind}")
    refuse(block.conv_tp_weights.hs[1:-1] != first.conv_tp_weights.hs[1:-1], "radial networks of different widths")
    refuse(float(block.avg_num_neighbors) != float(first.avg_num_neighbors), "layers with different avg_num_neighbors")


def activation(act: Any) -> dict[str, Any]:
    """Name of an activation and the constant that it is multiplied by, as the model stores it."""
    refuse(act is None, "a readout without an activation")
    name = getattr(act.f, "__name__", type(act.f).__name__)
    refuse(name not in ("silu", "tanh", "sigmoid"), f"the activation {name}")
    return {"name": name, "factor": 1.0 if act._is_id else float(act.cst)}


def constants(model: Any) -> dict[str, Any]:
    """Couplings and radial constants as the model stores them: buffers U_matrix, _w3j, bessel_weights, prefactor."""
    wanted = ("U_matrix_", "_w3j_", "bessel_weights", "prefactor")
    return {n: b.detach().cpu().numpy() for n, b in model.named_buffers() if n.rpartition(".")[2].startswith(wanted)}


def parameters(model: Any) -> dict[str, Any]:
    """Weights by their published names; those of paths that do not exist are left out."""
    found = {name: value.detach().cpu().numpy() for name, value in model.named_parameters()}
    return {name: value for name, value in found.items() if not vanishes(model, name)}


def vanishes(model: Any, name: str) -> bool:
    """Whether a weight multiplies an all-zero coupling tensor: mace-torch keeps one such path where there is none."""
    head, _, tail = name.partition(".contractions.")
    if not tail:
        return False
    index, _, weight = tail.partition(".")
    contraction = model.get_submodule(f"{head}.contractions.{index}")
    nu = contraction.correlation - (0 if weight == "weights_max" else 1 + int(weight.rpartition(".")[2]))
    return not bool(contraction.U_tensors(nu).any())


def main(arguments: list[str]) -> int:
    """Read a pickle, write config.json, parameters.npz and constants.npz; 3: refused, the reason in refused.txt."""
    import mace  # first: e3nn 0.4.4 can be imported only after it

    import e3nn  # isort: skip
    import numpy as np
    import torch

    source, out = arguments[0], Path(arguments[1])
    model = torch.load(source, map_location="cpu", weights_only=False)
    try:
        config = describe(model)
    except Unsupported as reason:
        (out / "refused.txt").write_text(str(reason))
        return 3
    versions = {"mace-torch": mace.__version__, "e3nn": e3nn.__version__, "torch": torch.__version__}
    (out / "config.json").write_text(json.dumps({"config": config, "versions": versions}))
    np.savez(out / "parameters.npz", **parameters(model))
    np.savez(out / "constants.npz", **constants(model))
    return 0


if __name__ == "__main__":
    del sys.path[0]  # the folder of this file, where mace.py is another one
    sys.exit(main(sys.argv[1:]))
