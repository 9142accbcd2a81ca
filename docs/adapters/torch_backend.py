"""What backends in PyTorch share: autograd supplies gradients and second gradients."""

import torch

from nbody_ref.conformance import Backend


class TorchBackend(Backend):
    """Override `compute(op, inputs)`; tensors in, tensor out."""

    device = "cpu"

    def asarray(self, array):
        return torch.from_numpy(array).to(self.device)

    def compute(self, op, inputs):
        raise NotImplementedError

    def forward(self, op, inputs):
        return self.compute(op, inputs)

    def vjp(self, op, inputs, cotangent):
        x = self._leaves(op, inputs)
        out = self.compute(op, {**inputs, **x})
        return dict(zip(x, torch.autograd.grad(out, list(x.values()), cotangent, materialize_grads=True)))

    def double_vjp(self, op, inputs, cotangent, tangents):
        x, g = self._leaves(op, inputs), cotangent.clone().requires_grad_()
        out = self.compute(op, {**inputs, **x})
        first = torch.autograd.grad(out, list(x.values()), g, create_graph=True, materialize_grads=True)
        loss = sum((tangents[name] * v).sum() for name, v in zip(x, first) if name in tangents)
        grads = torch.autograd.grad(loss, [*x.values(), g], materialize_grads=True)
        return dict(zip([*x, "cotangent"], grads))

    @staticmethod
    def _leaves(op, inputs):
        return {name: x.clone().requires_grad_() for name, x in inputs.items() if name in op.differentiable}


def convolution(product, inputs):
    """A product of rows as a convolution: gather, product, sum over the edges of each receiver."""
    rows = product(inputs["x1"][inputs["senders"]], inputs["x2"], inputs.get("w"))
    out = rows.new_zeros(len(inputs["x1"]), rows.shape[1])
    return out.index_add(0, inputs["receivers"], rows)
