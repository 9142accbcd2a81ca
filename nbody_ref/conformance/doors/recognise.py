"""Which operation a user's function computes, from its inputs, its values and what is said about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from importlib import metadata
from math import isqrt
from typing import Any

import numpy as np

from nbody_ref import conventions
from nbody_ref.conformance.operations.harmonics import Harmonics
from nbody_ref.conformance.operations.instruction import MODES, Instruction
from nbody_ref.conformance.operations.layouts import Positions
from nbody_ref.conformance.operations.operation import Operation
from nbody_ref.conformance.operations.product import TensorProduct
from nbody_ref.conformance.operations.readers import from_e3nn
from nbody_ref.errors import IrrepsError
from nbody_ref.exact.surd import Surd
from nbody_ref.irreps import Irreps
from nbody_ref.ops.harmonics import solid_harmonics, spherical_harmonics

__all__ = ["recognise"]

Array = np.ndarray[Any, Any]
Found = tuple[Operation, tuple[str, ...], str]  # the operation, its inputs in the order of the arguments, the gauge
COARSE = 2.0**-5
LEAST = 0.5  # of the values, by which a gauge that was not asked for must be better


def recognise(
    function: Any, inputs: Mapping[str, Array], out: Array, irreps: Any = None, convention: str | None = None
) -> Found | str:
    """The operation, or a question to the user.

    Parameters
    ----------
    function : callable
    inputs : mapping of str to array
    out : array
        Its value.
    irreps : sequence of Irreps or str, optional
        Types of the states that go in, and of the result.
    convention : str, optional
    """
    arrays = [x for x in inputs.values() if x.dtype.kind == "f"]
    if hasattr(function, "irreps_in1") and hasattr(function, "instructions"):
        gauge = convention or _e3nn()
        op = from_e3nn(function, convention=gauge)
        return op, ("x1", "x2", "w")[: len(arrays)], gauge
    if irreps is not None:
        return _product([Irreps(str(t)) for t in irreps], arrays, out, convention or "nbody_ref")
    if len(arrays) == 2 and all(x.ndim == 2 for x in (*arrays, out)):
        for types in _guesses(*(x.shape[-1] for x in (*arrays, out))):
            found = _product(types, arrays, out, convention or "nbody_ref")
            if not isinstance(found, str):
                return found
    r = arrays[0] if len(arrays) == 1 else np.zeros((0, 0))
    if r.ndim == 2 and r.shape[1] == 3 and out.ndim == 2 and isqrt(out.shape[1]) ** 2 == out.shape[1]:
        return _harmonics(r, out, convention)
    return (
        "say what it computes: irreps=('types of x1', 'types of x2', 'types of the result'), or op=... of "
        f"nbody_ref.conformance; got inputs of shapes {', '.join(str(x.shape) for x in arrays)} and {out.shape}"
    )


def _guesses(a: int, b: int, c: int) -> Iterator[list[Irreps]]:
    """Types of one irrep each that two states and their product may have."""

    def single(width: int, parity: str = "") -> list[str]:
        odd = [f"1x{width // 2}{parity or 'eo'[width // 2 % 2]}"] if width % 2 and width < 16 else []
        return [*odd, f"{width}x0{parity or 'e'}"] if width > 1 else odd

    for first in single(a):
        for second in single(b):
            parity = "e" if (first[-1] == "o") == (second[-1] == "o") else "o"
            for third in single(c, parity):
                yield [Irreps(first), Irreps(second), Irreps(third)]


def _e3nn() -> str:
    """The gauge of the e3nn that is installed."""
    try:
        old = metadata.version("e3nn").split(".")[:2] < ["0", "5"]
    except metadata.PackageNotFoundError:
        old = False
    return "e3nn==0.4.4" if old else "e3nn>=0.5"


def _harmonics(r: Array, out: Array, convention: str | None) -> Found:
    """Solid or spherical, norm and gauge: those under which most of the values are right, or else most alike."""
    lmax, few = isqrt(out.shape[1]) - 1, slice(0, 50)
    found = out[few].astype(np.float64)
    names = [convention] if convention else ["nbody_ref", *conventions.names()]
    best: tuple[float, Found] | None = None
    for name in dict.fromkeys(names):
        gauge = conventions.get(name)
        if gauge.basis != "real" or gauge.storage != "complex":
            continue
        for norm in ("integral", "component", "norm"):
            for solid, values in ((True, solid_harmonics), (False, spherical_harmonics)):
                position = Positions().to_native(gauge, r[few].astype(np.float64))
                if not solid and not np.linalg.norm(position, axis=1).all():
                    continue
                expected = gauge.harmonics_to_native(values(lmax, position, norm), gauge.normalization)
                close = np.abs(found - expected) <= COARSE * np.abs(expected) + 1e-6 * np.abs(expected).max(initial=0)
                share = float(close.mean()) if close.size else 1.0
                size = np.linalg.norm(found) * np.linalg.norm(expected)
                alike = abs(float(np.sum(found * expected))) / size if size else 0.0
                foreign = LEAST if name != names[0] and share < 0.7 else 0.0  # a wrong kernel is in no gauge by chance
                score = float(share + LEAST * alike - foreign)
                if best is None or score > best[0] + 1e-9:
                    best = score, (Harmonics(lmax, norm, solid), ("r",), name)
    if best is None:
        return Harmonics(lmax), ("r",), convention or "nbody_ref"
    return best[1]


def _product(types: list[Irreps], arrays: list[Array], out: Array, convention: str) -> Found | str:
    """A product of two states: its paths and their factors from its values."""
    if len(types) != 3 or len(arrays) not in (2, 3):
        return f"irreps must name two states and the result, got {len(types)} types for {len(arrays)} inputs"
    widths = [arrays[0].shape[-1], arrays[1].shape[-1], out.shape[-1]]
    if widths != [t.dim for t in types]:
        return f"irreps say widths {[t.dim for t in types]}, the arrays have {widths}"
    weights = arrays[2].shape[-1] if len(arrays) == 3 else 0
    names = ("x1", "x2", "w")[: len(arrays)]
    for op in _candidates(types, bool(weights)):
        if op.instructions and op.n_weights == weights:
            fitted = _fitted(op, dict(zip(names, arrays)), out, convention)
            if fitted is not None:
                return fitted, names, convention
    return "no coupling of these types, channel by channel or all with all, comes near its values; say op=..."


def _candidates(types: list[Irreps], weighted: bool) -> Iterator[TensorProduct]:
    """Every coupling into every part of the result that has the channels for it, mode by mode."""
    one, two, three = types
    for mode in MODES:
        rows = []
        for i, a in enumerate(types[0]):
            for j, b in enumerate(types[1]):
                for k, c in enumerate(types[2]):
                    try:
                        row = Instruction(i, j, k, mode)
                        TensorProduct(one, two, three, (row,), weighted)
                    except IrrepsError:
                        continue
                    if weighted or mode not in ("uvw", "uuw", "uvu", "uvv") or a.mul == b.mul == c.mul == 1:
                        rows.append(row)
        yield TensorProduct(one, two, three, tuple(rows), weighted)


def _fitted(op: TensorProduct, inputs: dict[str, Array], out: Array, convention: str) -> TensorProduct | None:
    """The product with the factors that explain its values best, if they explain most of them."""
    gauge, few = conventions.get(convention), slice(0, 40)
    given = {name: np.asarray(x[few], np.float64) for name, x in inputs.items()}
    native = {n: op.layout(n).to_native(gauge, x) for n, x in given.items()}
    target = op.layout("out").to_native(gauge, np.asarray(out[few], np.float64))
    parts = []
    for p in range(len(op.instructions)):
        w = {"w": native["w"][:, slice(*op.weight_offsets[p : p + 2])]} if op.weighted else {}
        parts.append(op.only([p]).truth({**native, **w}, 0, "")["out"].value.reshape(-1))
    stack = np.stack(parts, axis=1)
    factors = np.linalg.lstsq(stack, target.reshape(-1), rcond=None)[0]
    if np.median(np.abs(stack @ factors - target.reshape(-1))) > COARSE * np.median(np.abs(target)):
        return None
    roots = [_simple(float(f)) for f in factors]
    if any(root is None for root in roots):
        return None
    kept = [(i, root) for i, root in zip(op.instructions, roots) if root is not None and (root.sign or op.weighted)]
    return replace(op, instructions=tuple(replace(i, coefficient=root) for i, root in kept))


def _simple(factor: float) -> Surd | None:
    """The square root of a simple ratio that a factor stands for; whether it is right is what the check finds out."""
    if abs(factor) < 2.0**-16:
        return Surd(0, 0)
    square = Fraction(factor * factor).limit_denominator(200)
    near = abs(float(square) - factor * factor) <= 2.0**-14 * factor * factor
    return Surd(1 if factor > 0 else -1, square.numerator, square.denominator) if near and square else None
