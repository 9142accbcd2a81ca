"""sphericart on a CPU. Run in this folder:  nbody-ref conform run --backend sphericart_backend:Sphericart"""

import functools
from importlib.metadata import version

import numpy as np
import sphericart

from nbody_ref.conformance import Backend, Capabilities


class Sphericart(Backend):
    name = f"sphericart {version('sphericart')}"
    convention = "sphericart"
    capabilities = Capabilities(operations=("solid", "spherical"), lmax=6)

    def forward(self, op, inputs):
        return calculator(op.lmax, op.solid).compute(dense(inputs["r"])) * factor(op, inputs["r"].dtype)

    def vjp(self, op, inputs, cotangent):
        g = cotangent * factor(op, cotangent.dtype)
        _, gradient = calculator(op.lmax, op.solid).compute_with_gradients(dense(inputs["r"]))
        return {"r": np.einsum("nk,nik->ni", g, gradient)}

    def double_vjp(self, op, inputs, cotangent, tangents):
        c, v = factor(op, cotangent.dtype), tangents["r"]
        _, gradient, hessian = calculator(op.lmax, op.solid).compute_with_hessians(dense(inputs["r"]))
        return {
            "r": np.einsum("nk,nijk,nj->ni", cotangent * c, hessian, v),
            "cotangent": np.einsum("nik,ni->nk", gradient, v) * c,
        }


@functools.cache
def calculator(lmax, solid):
    return (sphericart.SolidHarmonics if solid else sphericart.SphericalHarmonics)(lmax)


def dense(r):
    return np.ascontiguousarray(r)


def factor(op, dtype):
    """Its harmonics are orthonormal; the other normalisations are one more rounding."""
    l = np.array([l for l in range(op.lmax + 1) for _ in range(2 * l + 1)])
    squares = {"integral": 1.0 + 0 * l, "component": 4 * np.pi + 0 * l, "norm": 4 * np.pi / (2 * l + 1)}
    return np.sqrt(squares[op.normalization]).astype(dtype)
