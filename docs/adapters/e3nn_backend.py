"""e3nn on a CPU. Run in this folder:  nbody-ref conform run --backend e3nn_backend:E3nn --expect e3nn.expected"""

import functools

import e3nn
import torch
from e3nn import o3
from torch_backend import TorchBackend, convolution

from nbody_ref.conformance import Capabilities, Coupling, Harmonics, Rotation
from nbody_ref.conformance.operations.readers import to_e3nn


class E3nn(TorchBackend):
    name = f"e3nn {e3nn.__version__}, torch {torch.__version__}"
    convention = "e3nn>=0.5"
    capabilities = Capabilities(lmax=4)

    def compute(self, op, inputs):
        if isinstance(op, Coupling):
            return o3.wigner_3j(op.l1, op.l2, op.l, dtype=torch.float64)
        if isinstance(op, Rotation):
            q = inputs["quaternion"]
            return o3.Irrep(op.l, 1).D_from_quaternion(q / q.norm(dim=1, keepdim=True))
        if isinstance(op, Harmonics):
            return o3.spherical_harmonics(list(range(op.lmax + 1)), inputs["r"], not op.solid, op.normalization)
        apply = module(op, inputs["x1"].dtype, self.device)
        return convolution(apply, inputs) if op.graph else apply(inputs["x1"], inputs["x2"], inputs.get("w"))


@functools.cache
def module(op, dtype, device):
    """o3.TensorProduct with exactly the factors of the instructions; signs travel in the weights."""
    kept = torch.get_default_dtype()
    torch.set_default_dtype(dtype)  # e3nn takes the dtype of its constants from here
    *types, rows, signs = to_e3nn(op)
    none = {"irrep_normalization": "none", "path_normalization": "none"}
    product = o3.TensorProduct(*types, rows, shared_weights=False, **none).to(device)
    sizes = [int(torch.tensor(op.weight_shape(p)).prod()) for p in range(len(rows))]
    sign = torch.cat([torch.full((n,), float(s), dtype=dtype) for n, s in zip(sizes, signs)]).to(device)
    torch.set_default_dtype(kept)

    def apply(x1, x2, w):
        return product(x1, x2, sign.expand(len(x2), -1) if w is None else w * sign)

    return apply
