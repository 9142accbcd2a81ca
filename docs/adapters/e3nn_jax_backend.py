"""e3nn-jax on a CPU. Run in this folder:  nbody-ref conform run --backend e3nn_jax_backend:E3nnJax"""

import functools

import e3nn_jax as e3nn
import jax
import jax.numpy as jnp
import numpy as np
from e3nn_jax.legacy import FunctionalTensorProduct

from nbody_ref.conformance import Backend, Capabilities, Coupling, Harmonics, Rotation
from nbody_ref.conformance.operations.readers import to_e3nn

jax.config.update("jax_enable_x64", True)


class E3nnJax(Backend):
    name = f"e3nn-jax {e3nn.__version__}, jax {jax.__version__}"
    convention = "e3nn-jax"
    # JAX on a CPU flushes denormals
    capabilities = Capabilities(lmax=4, flushes_denormals=True)

    def asarray(self, array):
        return jnp.asarray(array)

    def to_numpy(self, array):
        return np.asarray(array)

    def compute(self, op, inputs):
        if isinstance(op, Coupling):
            return e3nn.clebsch_gordan(op.l1, op.l2, op.l)
        if isinstance(op, Rotation):
            q = inputs["quaternion"]
            return e3nn.Irrep(op.l, 1).D_from_quaternion(q / jnp.linalg.norm(q, axis=1, keepdims=True))
        if isinstance(op, Harmonics):
            irreps = e3nn.Irreps([(1, (l, (-1) ** l)) for l in range(op.lmax + 1)])
            return e3nn.spherical_harmonics(irreps, inputs["r"], not op.solid, normalization=op.normalization).array
        apply = module(op)
        if not op.graph:
            return apply(inputs["x1"], inputs["x2"], inputs.get("w"))
        rows = apply(inputs["x1"][inputs["senders"]], inputs["x2"], inputs.get("w"))
        return jnp.zeros((len(inputs["x1"]), rows.shape[1]), rows.dtype).at[inputs["receivers"]].add(rows)

    def forward(self, op, inputs):
        return self.compute(op, inputs)

    def _split(self, op, inputs):
        x = {name: inputs[name] for name in op.differentiable}
        return x, lambda x: self.compute(op, {**inputs, **x})

    def vjp(self, op, inputs, cotangent):
        x, value = self._split(op, inputs)
        return jax.vjp(value, x)[1](cotangent)[0]

    def double_vjp(self, op, inputs, cotangent, tangents):
        x, value = self._split(op, inputs)

        def along(x, g):
            first = jax.vjp(value, x)[1](g)[0]
            return sum(jnp.sum(tangents[name] * first[name]) for name in tangents)

        gradient, g_bar = jax.grad(along, argnums=(0, 1))(x, cotangent)
        return {**gradient, "cotangent": g_bar}


@functools.cache
def module(op):
    """FunctionalTensorProduct with exactly the factors of the instructions."""
    *types, rows, _ = to_e3nn(op)
    product = FunctionalTensorProduct(*types, rows)
    product.instructions = [
        made.replace(path_weight=float(i.coefficient)) for made, i in zip(product.instructions, op.instructions)
    ]
    shapes = [op.weight_shape(p) for p in range(len(rows))]
    ends = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])

    def one(x1, x2, w):
        weights = [w[a:b].reshape(shape) for a, b, shape in zip(ends, ends[1:], shapes)]
        a, b = e3nn.IrrepsArray(product.irreps_in1, x1), e3nn.IrrepsArray(product.irreps_in2, x2)
        return product.left_right(weights, a, b).array

    def apply(x1, x2, w):
        w = jnp.ones((len(x2), ends[-1]), x1.dtype) if w is None else w
        return jax.vmap(one)(x1, x2, w)

    return apply
