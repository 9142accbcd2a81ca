"""Radial functions, mixing, contractions, fusion blocks, gates and models in the suite, and their inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from nbody_ref.conformance.formats import rounded, spacing
from nbody_ref.conformance.operations.cases import Case, random
from nbody_ref.conformance.operations.composite import Contraction, Fusion, Mixing, Multilinear, RadialBasis
from nbody_ref.conformance.operations.networks import GateOperation, ModelOperation, to_pairs
from nbody_ref.conformance.operations.operation import Operation
from nbody_ref.fusion import all_terms
from nbody_ref.gates import Bare, Directed, Gate
from nbody_ref.gates import Product as Legs
from nbody_ref.gates.named import first_order, relative, zeroth_order
from nbody_ref.irreps import Irreps
from nbody_ref.models.base import PublishedModel
from nbody_ref.models.mace import Mace, MaceSpec
from nbody_ref.network import Network, Spec
from nbody_ref.network.energy import EnergyModel
from nbody_ref.ops.radial import Bessel, ExponentialCosine, InversePowers

__all__ = ["COMPOSITE", "composite_cases", "composite_operations", "model_of"]

Array = np.ndarray[Any, Any]
COMPOSITE = ("radial", "mixing", "contraction", "fusion", "gate", "model")
CUTOFF = 5.0


@lru_cache(maxsize=64)
def composite_operations(name: str, lmax: int) -> tuple[Operation, ...]:
    """The operations of one name in the default suite, up to a degree."""
    state = Irreps(" + ".join(f"{mul}x{l}{'eo'[l % 2]}" for l, mul in enumerate((3, 2, 2)[: lmax + 1])))
    even = Irreps(" + ".join(f"2x{l}{'eo'[l % 2]}" for l in range(min(lmax, 2) + 1)))
    if name == "radial":
        families = (InversePowers((-1, 0, 1, 2, 3)), Bessel(4, CUTOFF, 6), ExponentialCosine(3, CUTOFF, 4, 1.5))
        return tuple(RadialBasis(family, min(lmax, 3)) for family in families)
    if name == "mixing":
        return (Mixing(Irreps([*state, *even]), Irreps([*even, *state])),)
    if name == "contraction":
        return (Contraction(even, Irreps(part for part in even if part.irrep.l < 2), 3),)
    if name == "fusion":
        few = Irreps(list(even)[:2])
        return (
            Fusion((even,), all_terms([even], ((0, 1), 2), roots=["0e", "1o"][: lmax + 1], bond_cutoff=lmax)),
            Fusion((few, few), all_terms([few, few], (0, 1)), "full"),
        )
    if name == "gate":
        return _gates(lmax)
    return (model_of(_network, "two levels of neighbourhoods"), model_of(_mace, "MACE"))


def _gates(lmax: int) -> tuple[Operation, ...]:
    state, out = Irreps("2x0e + 1x1o"), Irreps("2x0e + 2x1o")
    leg = Directed(Bessel(2, CUTOFF), min(max(lmax, 1), 2), mul=2)
    block = Gate((Bare("centre"), leg, Legs((leg, leg), ("0e", "1o"))), out)
    named = {
        "eq. (10)": zeroth_order(out),
        "eq. (11)": first_order("1x0e + 1x1e", (0, 1)),
        "eq. (12)": relative("2x0e + 1x1o", (1, 2)),
        "products of summed legs": block,
    }
    return tuple(GateOperation(gate, state, 2, label) for label, gate in named.items())


def _network(dtype: str) -> Network:
    first = Gate((Bare("centre"), Directed(Bessel(2, CUTOFF), 2)), Irreps("2x0e + 2x1o + 1x2e"))
    leg = Directed(Bessel(1, CUTOFF), 1, mul=2)
    second = Gate((Bare("centre"), Legs((leg, leg), ("0e",), bond=1)), Irreps("1x0e"))
    return Network(Spec((1, 6), CUTOFF, (first, second, Gate((Bare(),))), dtype), seed=0)


def _mace(dtype: str) -> Mace:
    few = {"n_radial": 2, "radial_mlp": (2,), "readout": 2, "energies": (-1.0, -2.0), "neighbours": 2.0}
    spec = MaceSpec((1, 6), CUTOFF, "2x0e", 1, (3,), (False,), dtype=dtype, **few)  # type: ignore[arg-type]
    return Mace(spec)


def model_of(make: Any, label: str) -> ModelOperation:
    """A model as an operation.

    Parameters
    ----------
    make : callable dtype -> EnergyModel, or EnergyModel
        A model must have a spec with a dtype; it is remade in other precisions.
    label : str
    """
    if isinstance(make, EnergyModel):
        model: Any = make

        def make(dtype: str) -> EnergyModel:
            remade: EnergyModel = type(model)(replace(model.spec, dtype=dtype), seed=0)
            return model if dtype == model.spec.dtype else remade

    made = make("float64")
    kind = "network" if isinstance(made, Network) else "published"
    described = made.spec.to_dict() if isinstance(made, Network | PublishedModel) else None
    return ModelOperation(label, make, {} if described is None else {kind: described})


def composite_cases(op: Operation, dtype: str, orders: tuple[int, ...], seed: int) -> Iterator[Case]:
    """Cases of one operation; second gradients for one tangent at a time."""
    if isinstance(op, RadialBasis):
        yield from _orders("random", op, _distances(op, dtype, seed), dtype, orders, seed)
        yield from _orders("poles", op, _edges(op, dtype), dtype, orders, seed)
    elif isinstance(op, Multilinear):
        low = tuple(order for order in orders if order < 2)
        for scale in (1.0, 2.0**-10, 2.0**10):
            chosen = orders if scale == 1.0 else low
            yield from _orders("random", op, _rows(op, dtype, seed, 5, scale), dtype, chosen, seed, f"scale {scale:g}")
        for rows in (0, 1, 2, 31, 33, 65) if isinstance(op, Mixing) else (0, 1, 33):
            yield from _orders("sizes", op, _rows(op, dtype, seed, rows), dtype, low, seed, f"{rows} rows")
    elif isinstance(op, GateOperation):
        yield from _orders("random", op, _children(op, dtype, seed), dtype, orders, seed, op.label)
    elif isinstance(op, ModelOperation):
        yield from _orders("random", op, _molecules(op, dtype, seed), dtype, orders, seed, op.label, ("r",))


def _orders(
    check: str,
    op: Operation,
    inputs: dict[str, Array],
    dtype: str,
    orders: tuple[int, ...],
    seed: int,
    note: str = "",
    tangents: tuple[str, ...] | None = None,
) -> Iterator[Case]:
    for order in orders:
        given = dict(inputs)
        if order:
            given["cotangent"] = random(op.shape(inputs), dtype, "g", seed)
        for tangent in (tangents or op.differentiable) if order == 2 else ("",):
            extra = {f"{tangent}_dot": random(inputs[tangent].shape, dtype, "v", tangent, seed)} if tangent else {}
            yield Case(check, op, given | extra, order, tangent, note=note)


def _round(x: Any, dtype: str) -> Array:
    return rounded(x, dtype)


def _distances(op: RadialBasis, dtype: str, seed: int) -> dict[str, Array]:
    return {"dist": _round(np.random.default_rng([seed, 2]).uniform(0.4, CUTOFF, 10), dtype)}


def _edges(op: RadialBasis, dtype: str) -> dict[str, Array]:
    """Short distances, the cutoff and its neighbours, beyond it, and zeros of the waves."""
    step = float(spacing(np.asarray(CUTOFF), dtype))
    near = [CUTOFF - step, CUTOFF + step]
    inside = [2.0**-6, 0.01, 1.25, 2.5 + 2.0**-20, CUTOFF * (1 - 2.0**-12)]
    return {"dist": _round([*inside, *near, CUTOFF, 6.0, 100.0], dtype)}


def _rows(op: Multilinear, dtype: str, seed: int, rows: int, scale: float = 1.0) -> dict[str, Array]:
    found = {name: random(shape, dtype, name, seed, rows, scale=scale) for name, shape in op.sizes(rows).items()}
    if isinstance(op, Mixing | Contraction):
        found["kind"] = np.random.default_rng([seed, rows, 6]).integers(0, op.n_kinds, rows)
    return found


def _children(op: GateOperation, dtype: str, seed: int) -> dict[str, Array]:
    """Three parents of unlike sizes; children on two sides, one at its parent's own position."""
    parents = random((3, 3), dtype, "parents", seed)
    senders = np.array([4, 0, 1, 5, 2, 3, 1, 5, 0, 2, 3])
    receivers = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2])
    found = {"psi": random((6, op.irreps_in.dim), dtype, "psi", seed), "r_parent": parents}
    found["r_child"] = random((6, 3), dtype, "children", seed, scale=2.0)
    found["r_child"][4] = parents[0]
    for name, shape in op.weights.items():
        found[name] = random(shape, dtype, name, seed, scale=0.5)
    return found | {"senders": senders, "receivers": receivers, "kind": np.array([0, op.n_kinds - 1, 0])}


def _molecules(op: ModelOperation, dtype: str, seed: int) -> dict[str, Array]:
    """A molecule of four atoms and one of three, in one batch."""
    shape = np.array([[0.0, 0, 0], [0.7, 0.8, 0.1], [-0.8, 0.4, 0.6], [0.2, -1.0, -0.3]])
    r = np.concatenate([shape, shape[:3] * 1.1 + 0.5]) + 0.1 * random((7, 3), "float64", "r", seed)
    known = op.model.species
    species = np.array([known[i % len(known)] for i in (1, 0, 0, 1, 1, 0, 0)])
    shapes = {name: to_pairs(x).shape for name, x in op.model.parameters.items()}
    weights = {name: random(shape, dtype, name, seed, scale=0.5) for name, shape in shapes.items()}
    return {"r": _round(r, dtype), "species": species, "frame_ptr": np.array([0, 4, 7]), **weights}
