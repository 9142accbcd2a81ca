"""The first check: does the backend mean by its numbers what it says? If not, in which convention do they make sense?

A kernel in another gauge fails every test, and none of the failures says why. Here a handful of values is compared with
all named gauges, and then with all combinations of axes, component order, signs and norms, and the mismatch is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from itertools import permutations, product
from math import pi, sqrt
from typing import Any

import numpy as np

from nbody_ref import conventions
from nbody_ref.conformance.backend import TABLES_AND_PRODUCTS, Backend, call
from nbody_ref.conformance.operations.harmonics import Harmonics
from nbody_ref.conformance.operations.layouts import Quaternions
from nbody_ref.conformance.operations.product import Instruction, TensorProduct
from nbody_ref.conformance.operations.tables import Coupling, Rotation
from nbody_ref.conventions import Convention
from nbody_ref.irreps import Irreps
from nbody_ref.ops.harmonics import solid_harmonics, spherical_harmonics
from nbody_ref.ops.wigner import wigner_D
from nbody_ref.tables import clebsch_gordan

__all__ = ["fingerprint"]

Array = np.ndarray[Any, Any]
COARSE = 2.0**-5  # gauges differ by factors; rounding and low precision belong to later checks
POINTS = np.array([[0.5, -1.25, 2.0], [1.5, 0.75, -0.5], [-1.0, 0.25, 0.375], [-0.75, -1.5, -1.0], [2.0, 1.0, 0.25]])
TURNS = np.array([[1.0, 2.0, 3.0, 4.0], [-2.0, 1.0, 0.0, 3.0], [3.0, -1.0, 2.0, 1.0]])
NORMS = ("integral", "component", "norm")
UNKNOWN = "unknown"  # wrong values, but no convention: later checks say more


def fingerprint(backend: Backend, operation: str, dtype: str, lmax: int) -> str:
    """Name of the mismatch between a backend and the gauge that it declares, "" if no convention explains its values.

    Parameters
    ----------
    backend : Backend
    operation : str
        One of the operations of `Capabilities`.
    dtype : str
    lmax : int

    Raises
    ------
    ResultError
        If the backend fails.
    """
    if operation not in TABLES_AND_PRODUCTS:
        return ""  # all of these are made of the others
    if operation in ("solid", "spherical"):
        return _harmonics(backend, operation == "solid", dtype, min(lmax, 3))
    if operation == "rotation":
        return _rotation(backend, dtype, min(lmax, 2))
    return _couplings(backend, operation, dtype, min(lmax, 2))


def _close(a: Array, b: Array) -> bool:
    return a.shape == b.shape and bool(np.all(np.abs(a - b) <= COARSE * np.abs(b).max(initial=1e-30)))


def _real_gauges() -> Iterator[Convention]:
    for name in conventions.names():
        gauge = conventions.get(name)
        if gauge.basis == "real" and gauge.storage == "complex":
            yield gauge


def _like(gauge: Convention, declared: Convention) -> str:
    """A gauge by name, and in what it differs from the one declared."""
    differs = [
        f"{f.name} {getattr(gauge, f.name)}"
        for f in fields(gauge)[1:]
        if getattr(gauge, f.name) != getattr(declared, f.name)
    ]
    return f"it behaves like {gauge.name!r} ({', '.join(differs)}); declared is {declared.name!r}"


def _harmonics(backend: Backend, solid: bool, dtype: str, lmax: int) -> str:
    declared = conventions.get(backend.convention)
    op = Harmonics(lmax, "integral", solid)
    found = call(backend, op, dtype, {"r": POINTS})["out"]
    values = solid_harmonics if solid else spherical_harmonics
    if _close(found, values(lmax, POINTS)):
        return ""
    for gauge in _real_gauges():
        for norm in dict.fromkeys(("integral", gauge.normalization)):
            r = gauge.positions_to_native(declared.positions_from_native(POINTS))
            expected = _components(declared, _components(gauge, values(lmax, r, norm)))
            if _close(found, expected):
                return f"{_like(gauge, declared)}, normalization {norm!r}"
    return _free_search(found, lmax, solid)


def _components(gauge: Convention, Y: Array) -> Array:
    return gauge.harmonics_to_native(Y, gauge.normalization)


def _free_search(found: Array, lmax: int, solid: bool) -> str:
    """All axes, orders, signs and norms at once."""
    l = np.concatenate([np.full(2 * k + 1, k) for k in range(lmax + 1)])
    m = np.concatenate([np.arange(-k, k + 1) for k in range(lmax + 1)])
    mirror = l * l + l - m
    factors = {
        "": np.ones(len(l)),
        "sqrt(2) missing for m != 0": np.where(m == 0, 1, sqrt(0.5)),
        "sqrt(2l+1) missing": 1 / np.sqrt(2 * l + 1),
        "sqrt(4 pi) too large": np.full(len(l), sqrt(4 * pi)),
        "Racah: sqrt(4 pi / (2l+1)) too large": np.sqrt(4 * pi / (2 * l + 1)),
        "4 pi too large": np.full(len(l), 4 * pi),
    }
    for kind in (solid, not solid):
        for axes, signs in product(permutations(range(3)), product((1, -1), repeat=3)):
            Y = (solid_harmonics if kind else spherical_harmonics)(lmax, POINTS[:, list(axes)] * signs)
            for name, factor in factors.items():
                for reverse, odd in product((False, True), repeat=2):
                    guess = (Y[:, mirror] if reverse else Y) * factor * np.where(odd, (-1.0) ** m, 1)
                    if _close(found, guess):
                        words = [
                            name,
                            "" if kind == solid else ("factor r^l present" if kind else "factor r^l missing"),
                            "" if (axes, signs) == ((0, 1, 2), (1, 1, 1)) else _axes(axes, signs),
                            "components descending (m = l..-l)" if reverse else "",
                            "(-1)^m present: Condon-Shortley phase in real harmonics" if odd else "",
                        ]
                        return "; ".join(word for word in words if word)
    return ""


def _axes(axes: tuple[int, ...], signs: tuple[int, ...]) -> str:
    names = [("" if s > 0 else "-") + "xyz"[a] for a, s in zip(axes, signs)]
    return f"harmonics at (x, y, z) are ours at ({', '.join(names)})"


def _rotation(backend: Backend, dtype: str, lmax: int) -> str:
    from scipy.spatial.transform import Rotation as Turn

    declared = conventions.get(backend.convention)
    found = [call(backend, Rotation(l), dtype, {"quaternion": TURNS})["out"] for l in range(lmax + 1)]
    turns = Turn.from_quat(TURNS)

    def same(change: Callable[[int, Array], Array], turn: Any) -> bool:
        return all(_close(D, change(l, wigner_D(l, turn))) for l, D in enumerate(found))

    if same(lambda l, D: D, turns):
        return ""
    for gauge in _real_gauges():
        numbers = Quaternions().from_native(declared, TURNS)
        turn = gauge.rotation_to_native(gauge.rotation_from_quaternion(numbers))
        if same(lambda l, D, g=gauge: declared.D_to_native(l, g.D_from_native(l, D)), turn):  # type: ignore[misc]
            return _like(gauge, declared)
    changes: dict[str, Callable[[int, Array], Array]] = {
        "": lambda l, D: D,
        "components descending (m = l..-l)": lambda l, D: D[:, ::-1, ::-1],
        "(-1)^m present in rows and columns": lambda l, D: D * np.outer(*2 * [(-1.0) ** np.arange(2 * l + 1)]),
    }
    readings = {
        "": turns,
        "D of the inverse rotation (transposed, or passive)": turns.inv(),
        "quaternion read in the other order": Turn.from_quat(TURNS[:, [1, 2, 3, 0]]),
        "quaternion read in another order": Turn.from_quat(TURNS[:, [3, 0, 1, 2]]),
    }
    for (name, change), (reading, turn) in product(changes.items(), readings.items()):
        if same(change, turn):
            return "; ".join(word for word in (reading, name) if word)
    return ""


def _couplings(backend: Backend, operation: str, dtype: str, lmax: int) -> str:
    triples = [(a, b, c) for a, b, c in product(range(lmax + 1), repeat=3) if abs(a - b) <= c <= a + b and max(a, b, c)]
    found = {triple: _tensor(backend, operation, dtype, triple) for triple in triples}
    native = {triple: clebsch_gordan(*triple) for triple in triples}
    if all(_close(found[t], native[t]) for t in triples):
        return "" if operation == "coupling" else _layout(backend, operation, dtype)
    declared = conventions.get(backend.convention)
    for gauge in _real_gauges():
        if all(_close(found[t], declared.cg_to_native(*t, gauge.cg_from_native(*t, native[t]))) for t in triples):
            return "couplings: " + _like(gauge, declared)
    words = {t: _coupling_word(found[t], native[t], t) for t in triples}
    wrong = {t: word for t, word in words.items() if word}
    kinds = dict.fromkeys(wrong.values())
    texts = [f"{kind} in {', '.join(str(t) for t in wrong if wrong[t] == kind)}" for kind in kinds]
    return "" if UNKNOWN in kinds else "; ".join(texts)


def _coupling_word(found: Array, C: Array, triple: tuple[int, int, int]) -> str:
    """What turns our coupling into the one found; "" if they agree."""
    l1, l2, l = triple
    forms = {"": C, "components descending": C[::-1, ::-1, ::-1]}
    odd = [(-1.0) ** np.arange(-k, k + 1) for k in triple]
    forms["(-1)^m present"] = C * odd[0][:, None, None] * odd[1][:, None] * odd[2]
    if l1 == l2:
        forms["operands swapped"] = C.transpose(1, 0, 2)
    scales = {
        "": 1.0,
        "1/sqrt(2l+1)": (2 * l + 1) ** -0.5,
        "sqrt(2l+1)": (2 * l + 1) ** 0.5,
        "sqrt((2l1+1)(2l2+1))": ((2 * l1 + 1) * (2 * l2 + 1)) ** 0.5,
        "sqrt((2l1+1)(2l2+1)/(2l+1))": ((2 * l1 + 1) * (2 * l2 + 1) / (2 * l + 1)) ** 0.5,
    }
    for (scale, factor), (form, tensor), sign in product(scales.items(), forms.items(), (1, -1)):
        if _close(found, sign * factor * tensor):
            words = ("opposite sign" if sign < 0 else "", f"factor {scale}" if scale else "", form)
            return ", ".join(word for word in words if word)
    return UNKNOWN


def _tensor(backend: Backend, operation: str, dtype: str, triple: tuple[int, int, int]) -> Array:
    """Coupling tensor, read out of a product by unit vectors where need be."""
    l1, l2, l = triple
    if operation == "coupling":
        return call(backend, Coupling(*triple), dtype, {})["out"]
    caps = backend.capabilities
    mode = next(mode for mode in ("uvu", "uuu", "uvuv", "uvw", "uvv", "uuw") if mode in caps.modes)
    a, b, c = (Irreps(f"1x{k}{'eo'[p % 2]}") for k, p in ((l1, l1), (l2, l2), (l, l1 + l2)))
    op = TensorProduct(a, b, c, (Instruction(0, 0, 0, mode),), caps.weighted, operation == "convolution")
    i, j = (index.reshape(-1) for index in np.indices((2 * l1 + 1, 2 * l2 + 1)))
    inputs: dict[str, Array] = {"x1": np.eye(2 * l1 + 1)[i], "x2": np.eye(2 * l2 + 1)[j]}
    inputs |= {"w": np.ones((len(i), 1))} if caps.weighted else {}
    inputs |= {"senders": np.arange(len(i)), "receivers": np.arange(len(i))[::-1].copy()} if op.graph else {}
    out = call(backend, op, dtype, inputs)["out"]
    return (out[::-1] if op.graph else out).reshape(2 * l1 + 1, 2 * l2 + 1, 2 * l + 1)


def _layout(backend: Backend, operation: str, dtype: str) -> str:
    """Whether components and channels are stored in the declared order."""
    caps = backend.capabilities
    mode = next((mode for mode in ("uvu", "uuu", "uvuv") if mode in caps.modes), None)
    if mode is None or not caps.lmax:
        return ""
    second = Irreps("2x0e" if mode == "uuu" else "1x0e")
    op = TensorProduct(
        Irreps("2x1o"), second, Irreps("2x1o"), (Instruction(0, 0, 0, mode),), caps.weighted, operation == "convolution"
    )
    x = np.arange(1.0, 7.0)[None]
    inputs = {"x1": x, "x2": np.ones((1, second.dim))} | ({"w": np.ones((1, op.n_weights))} if caps.weighted else {})
    inputs |= {"senders": np.zeros(1, int), "receivers": np.zeros(1, int)} if op.graph else {}
    out = call(backend, op, dtype, inputs)["out"]
    declared = conventions.get(backend.convention)
    other = replace(declared, layout="ir_mul" if declared.layout == "mul_ir" else "mul_ir")
    misread = other.state_to_native(op.irreps_1, declared.state_from_native(op.irreps_1, x))
    for gauge, name in ((declared, "result"), (other, "states")):
        guess = declared.state_to_native(op.irreps_out, gauge.state_from_native(op.irreps_out, misread))
        if not _close(out, x) and (_close(out, guess) or _close(out, misread)):
            return f"{name} stored as {other.layout!r}, declared is {declared.layout!r}"
    return ""
