"""cuEquivariance without a GPU: its descriptors, evaluated by the method "naive" of its PyTorch front end.

Run in this folder:  nbody-ref conform run --backend cuequivariance_backend:CuEquivariance

The CUDA kernels (methods "uniform_1d", "fused_tp") are another program: set `method` and `device` and run again.
"""

import functools

import cuequivariance as cue
import cuequivariance_torch as cuet
import numpy as np
import torch
from torch_backend import TorchBackend, convolution

from nbody_ref.conformance import Capabilities, Coupling, Harmonics, Rotation

SUBSCRIPTS = {
    "uvw": "uvw,iu,jv,kw",
    "uvu": "uv,iu,jv,ku",
    "uvv": "uv,iu,jv,kv",
    "uuw": "uw,iu,ju,kw",
    "uuu": "u,iu,ju,ku",
    "uvuv": "uv,iu,jv,kuv",
}


class CuEquivariance(TorchBackend):
    name = f"cuequivariance {cue.__version__}, method naive, torch {torch.__version__}"
    convention = "cuequivariance"
    method = "naive"
    capabilities = Capabilities(lmax=3)

    def compute(self, op, inputs):
        if isinstance(op, Coupling):
            return torch.from_numpy(cue.SO3.clebsch_gordan(*map(cue.SO3, (op.l1, op.l2, op.l)))[0].copy())
        if isinstance(op, Rotation):
            return rotations(op.l, inputs["quaternion"])
        if isinstance(op, Harmonics):
            return self.harmonics(op, inputs["r"])
        return convolution(self.rows(op), inputs) if op.graph else self.rows(op)(*map(inputs.get, ("x1", "x2", "w")))

    def harmonics(self, op, r):
        degrees = list(range(op.lmax + 1))
        Y = calculator(op.lmax, op.solid, self.method, r.dtype)(r)
        l = torch.tensor([l for l in degrees for _ in range(2 * l + 1)], dtype=r.dtype)
        factor = {"component": 1 + 0 * l, "norm": (2 * l + 1) ** -0.5, "integral": (4 * torch.pi) ** -0.5 + 0 * l}
        return Y * factor[op.normalization]  # it has "component" only

    def rows(self, op):
        evaluators = prepared(op, self.method)

        def apply(x1, x2, w):
            inputs = [x1, x2] if w is None else [w, x1, x2]
            return sum(evaluate(inputs)[0] for evaluate in evaluators)

        return apply


@functools.cache
def calculator(lmax, solid, method, dtype):
    return cuet.SphericalHarmonics(list(range(lmax + 1)), normalize=not solid, method=method, math_dtype=dtype)


@functools.cache
def prepared(op, method):
    return [cuet.SegmentedPolynomial(polynomial, method=method) for polynomial in polynomials(op)]


def rotations(l, q):
    """Matrices from axis and angle, one by one, as it offers them."""
    found = []
    for w, *axis in q.double().numpy():
        size = np.linalg.norm(axis)
        angle = 2 * np.arctan2(size, w)
        found.append(cue.SO3(l).rotation(np.array(axis if size else [0.0, 0.0, 1.0]), angle))
    return torch.from_numpy(np.stack(found)).to(q.dtype)


def polynomials(op):
    """One segmented polynomial for each mode: instructions become paths, with the coefficients of its own couplings."""
    found = []
    for mode in sorted(op.modes):
        text = SUBSCRIPTS[mode] if op.weighted else SUBSCRIPTS[mode].partition(",")[2]
        product = cue.SegmentedTensorProduct.from_subscripts(text + "+ijk")
        first = int(op.weighted)
        for n, types in enumerate((op.irreps_1, op.irreps_2, op.irreps_out), start=first):
            letters = text.split(",")[n]
            for part in types:
                product.add_segment(n, segment(op, mode, n - first, letters, part, types))
        for p, i in enumerate(op.instructions):
            weights = [product.add_segment(0, op.weight_shape(p))] if op.weighted else []
            if i.mode == mode:
                l1, l2, l = op.degrees(p)
                C = cue.SO3.clebsch_gordan(*map(cue.SO3, (l1, l2, l)))[0] * float(i.coefficient)
                product.add_path(*weights, i.i1, i.i2, i.out, c=C)
        found.append(cue.SegmentedPolynomial.eval_last_operand(product))
    return found


def segment(op, mode, state, letters, part, types):
    """Extents of a part; for "uvuv" those of its two channels."""
    if letters != "kuv":
        return (part.irrep.dim, part.mul)
    number = next(k for k, other in enumerate(types) if other is part)
    pair = next((i for i in op.instructions if i.out == number), None)
    u = 1 if pair is None else op.irreps_1[pair.i1].mul
    return (part.irrep.dim, u, part.mul // u)
