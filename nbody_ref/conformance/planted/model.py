"""A model kernel in NumPy: correct, in the shape of a real one, so that errors can be planted in it.

Products run row by row as small tensor contractions with gather and scatter; harmonics and rotations are the package's
own. Every step that a real kernel gets wrong is a method of its own, which `mutants` overrides.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from nbody_ref.conformance.backend import Backend
from nbody_ref.conformance.operations.harmonics import Harmonics
from nbody_ref.conformance.operations.product import MODES, TensorProduct
from nbody_ref.conformance.operations.tables import Rotation
from nbody_ref.ops import harmonics as loops
from nbody_ref.ops.wigner import wigner_D
from nbody_ref.tables import clebsch_gordan

__all__ = ["Model"]

Array = np.ndarray[Any, Any]
COMPONENTS = {"x1": "i", "x2": "j", "out": "k", "w": ""}


@lru_cache(maxsize=4096)
def _order(text: str, shapes: tuple[tuple[int, ...], ...]) -> list[Any]:
    return list(np.einsum_path(text, *(np.broadcast_to(0.0, shape) for shape in shapes), optimize="greedy")[0])


class Model(Backend):
    """The correct kernel."""

    name = "NumPy model kernel"

    # -- coupling tables, rotations, harmonics

    def table(self, l1: int, l2: int, l: int, dtype: Any) -> Array:
        """Coupling tensor in the working precision."""
        return clebsch_gordan(l1, l2, l, "real", dtype)

    def rotation(self, op: Rotation, q: Array) -> Array:
        """Rotation matrices of quaternions (x, y, z, w)."""
        from scipy.spatial.transform import Rotation as Turn

        return wigner_D(op.l, Turn.from_quat(q.astype(np.float64))).astype(q.dtype)

    def harmonics(self, op: Harmonics, r: Array) -> Array:
        """Values."""
        return (loops.solid if op.solid else loops.spherical)(r, op.lmax, op.normalization)

    def harmonics_vjp(self, op: Harmonics, r: Array, g: Array) -> Array:
        """Adjoint."""
        return np.asarray((loops.solid_vjp if op.solid else loops.spherical_vjp)(g, r, op.lmax, op.normalization)[0])

    def harmonics_double(self, op: Harmonics, r: Array, g: Array, v: Array) -> dict[str, Any]:
        """Second gradients along v."""
        second = loops.solid_vjp_jvp if op.solid else loops.spherical_vjp_jvp
        along = loops.solid_jvp if op.solid else loops.spherical_jvp
        r_bar = second(g, r, None, v, op.lmax, op.normalization)[0]
        return {"r": r_bar, "cotangent": along(r, v, op.lmax, op.normalization)}

    # -- products

    def tensor(self, op: TensorProduct, p: int, dtype: Any, towards: str) -> Array:
        """Coefficient of a path times its coupling tensor."""
        scale = np.dtype(dtype).type(op.instructions[p].coefficient.round("float64"))
        return np.asarray(self.table(*op.degrees(p), dtype) * scale)

    def gather(self, op: TensorProduct, name: str, x: Array, inputs: Mapping[str, Array]) -> Array:
        """Rows of edges from rows of nodes."""
        if not op.graph or name in ("x2", "w"):
            return x
        return x[inputs["senders" if name == "x1" else "receivers"]]

    def scatter(self, op: TensorProduct, name: str, rows: Array, inputs: Mapping[str, Array]) -> Array:
        """Rows of nodes from rows of edges, or the rows themselves."""
        if not op.graph or name in ("x2", "w"):
            return rows
        total = np.zeros((len(inputs["x1"]), rows.shape[1]), rows.dtype)
        np.add.at(total, inputs["senders" if name == "x1" else "receivers"], rows)
        return total

    def part(self, op: TensorProduct, p: int, name: str, x: Array) -> Array:
        """View of the part, or the weights, that path p reads or writes: (rows, component, channels...)."""
        i = op.instructions[p]
        if name == "w":
            return x[:, slice(*op.weight_offsets[p : p + 2])].reshape(len(x), *op.weight_shape(p))
        which = {"x1": (op.irreps_1, i.i1), "x2": (op.irreps_2, i.i2), "out": (op.irreps_out, i.out)}
        irreps, n = which[name]
        start, part = irreps.offsets[n], irreps[n]
        sizes = op.channels(p)
        letters = MODES[i.mode][("x1", "x2", "w", "out").index(name)]
        block = x[:, start : start + part.dim]
        return block.reshape(len(x), part.irrep.dim, *(sizes[letter] for letter in letters))

    def contract(self, op: TensorProduct, p: int, C: Array, legs: dict[str, Array], towards: str) -> Array:
        """One path of one row after another, towards one of its legs."""
        letters = dict(zip(("x1", "x2", "w", "out"), MODES[op.instructions[p].mode]))
        texts, arrays = ["ijk"], [C]
        for name, x in legs.items():
            texts.append("b" + COMPONENTS[name] + letters[name])
            arrays.append(x)
        result = "b" + COMPONENTS[towards] + letters[towards]
        text = ",".join(texts) + "->" + result
        return np.asarray(np.einsum(text, *arrays, optimize=_order(text, tuple(x.shape for x in arrays))))

    def product(self, op: TensorProduct, legs: dict[str, Array], inputs: Mapping[str, Array], towards: str) -> Array:
        """Sum over paths of the contraction towards one leg."""
        rows = {name: self.gather(op, name, x, inputs) for name, x in legs.items()}
        width = {"x1": op.irreps_1.dim, "x2": op.irreps_2.dim, "w": op.n_weights, "out": op.irreps_out.dim}[towards]
        dtype = inputs["x1"].dtype
        found = np.zeros((len(inputs["x2"]), width), dtype)
        for p in range(len(op.instructions)):
            parts = {name: self.part(op, p, name, x) for name, x in rows.items()}
            C = self.tensor(op, p, dtype, towards)
            self.part(op, p, towards, found)[...] += self.contract(op, p, C, parts, towards)
        return self.scatter(op, towards, found, inputs)

    # -- the three orders

    def forward(self, op: Any, inputs: dict[str, Any]) -> Any:
        if op.name == "coupling":
            return self.table(op.l1, op.l2, op.l, np.float64)
        if op.name == "rotation":
            return self.rotation(op, inputs["quaternion"])
        if op.name in Harmonics.names:
            return self.harmonics(op, inputs["r"])
        if op.name not in TensorProduct.names:
            raise TypeError(f"the model kernel has no {op.name}")
        return self.product(op, {name: inputs[name] for name in op.differentiable}, inputs, "out")

    def vjp(self, op: Any, inputs: dict[str, Any], cotangent: Any) -> Mapping[str, Any]:
        if op.name in Harmonics.names:
            return {"r": self.harmonics_vjp(op, inputs["r"], cotangent)}
        every = {key: inputs[key] for key in op.differentiable} | {"out": cotangent}
        return {name: self.product(op, _without(every, name), inputs, name) for name in op.differentiable}

    def double_vjp(
        self, op: Any, inputs: dict[str, Any], cotangent: Any, tangents: dict[str, Any]
    ) -> Mapping[str, Any]:
        if op.name in Harmonics.names:
            return self.harmonics_double(op, inputs["r"], cotangent, tangents["r"])
        found: dict[str, Any] = {}
        for moved, tangent in tangents.items():
            values = {key: inputs[key] for key in op.differentiable} | {moved: tangent, "out": cotangent}
            for name in (*op.differentiable, "out"):
                if name != moved:
                    key = "cotangent" if name == "out" else name
                    found[key] = found.get(key, 0) + self.product(op, _without(values, name), inputs, name)
        return found


def _without(legs: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: x for key, x in legs.items() if key != name}
