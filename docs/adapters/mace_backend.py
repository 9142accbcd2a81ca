"""The products of MACE on a CPU: its own layer over e3nn 0.4.4, whose signs differ from later versions.

MACE pins e3nn 0.4.4, so it lives in an environment of its own:  nbody-ref conform run --backend mace_backend:Mace
"""

import functools
import os

os.environ.setdefault("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")  # e3nn 0.4.4 loads its constants by pickle

import e3nn
import mace
import torch
from e3nn import o3
from mace.modules.wrapper_ops import TensorProduct
from torch_backend import TorchBackend, convolution

from nbody_ref.conformance import Capabilities, Coupling, Harmonics
from nbody_ref.conformance.operations.readers import to_e3nn


class Mace(TorchBackend):
    name = f"mace-torch {mace.__version__} (e3nn {e3nn.__version__}, torch {torch.__version__})"
    convention = "e3nn==0.4.4"
    capabilities = Capabilities(
        operations=("coupling", "solid", "spherical", "product", "convolution"), modes=("uvu",), unweighted=False
    )

    def compute(self, op, inputs):
        if isinstance(op, Coupling):
            return o3.wigner_3j(op.l1, op.l2, op.l, dtype=torch.float64)
        if isinstance(op, Harmonics):
            return o3.spherical_harmonics(list(range(op.lmax + 1)), inputs["r"], not op.solid, op.normalization)
        apply = conv_tp(op, inputs["x1"].dtype)
        return convolution(apply, inputs) if op.graph else apply(inputs["x1"], inputs["x2"], inputs["w"])


@functools.cache
def conv_tp(op, dtype):
    """``conv_tp`` of an interaction block; MACE leaves the normalisations of e3nn on, so they are divided out."""
    kept = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    *types, rows, signs = to_e3nn(op)
    product = TensorProduct(
        *map(o3.Irreps, types), instructions=[row[:5] for row in rows], shared_weights=False, internal_weights=False
    )
    factors = [s * (row[5] ** 0.5) / i.path_weight for s, row, i in zip(signs, rows, product.instructions)]
    sizes = [int(torch.tensor(op.weight_shape(p)).prod()) for p in range(len(rows))]
    scale = torch.cat([torch.full((n,), f, dtype=dtype) for n, f in zip(sizes, factors)])
    torch.set_default_dtype(kept)
    return lambda x1, x2, w: product(x1, x2, w * scale)
