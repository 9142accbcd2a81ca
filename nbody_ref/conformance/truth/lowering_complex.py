"""Steps of complex programs, Cormorant's among them, written out on real and imaginary parts side by side."""

from __future__ import annotations

from typing import Any

import numpy as np

from nbody_ref.certified.functions import ActivationFunction
from nbody_ref.certified.program import ONE, Apply, Sum, identity
from nbody_ref.certified.terms import Leg, Terms, width
from nbody_ref.certified.waves import Waves
from nbody_ref.conformance.truth.lowering import RULES, Lowered
from nbody_ref.errors import NBodyRefError
from nbody_ref.exact.cg import real_unitary
from nbody_ref.exact.surd import Surd
from nbody_ref.gates.chain import Step
from nbody_ref.irreps import Irreps
from nbody_ref.ops.activation import Activation
from nbody_ref.ops.radial import InversePowers
from nbody_ref.ops.radial_function import RadialFunction

__all__ = ["LEAST_WIDTH"]

Array = np.ndarray[Any, Any]
LEAST_WIDTH = 0.001  # Angstrom, of learned soft cutoffs
plain_cast, real_norms = RULES["cast"], RULES["squared_norms"]


def _copy(low: Lowered, step: Step) -> None:
    """Pairs as complex numbers, or complex numbers as pairs: the same array here."""
    name = step.inputs[0]
    low.program.add(Sum(step.output, (identity(name, low.program.shapes[name]),)))


def _from_pairs(low: Lowered, step: Step) -> None:
    _copy(low, step)
    low.complex.add(step.output)


def _cast(low: Lowered, step: Step, dtype: Any) -> None:
    name = step.inputs[0]
    if np.dtype(dtype).kind != "c" or name in low.complex:
        plain_cast(low, step)
        return
    shape = low.shape(name)
    rows, columns = np.arange(shape[0]), np.arange(width(shape))
    doubled = (*shape[:-1], 2 * shape[-1])
    low.program.add(Sum(step.output, (low.linear((rows, 2 * columns), doubled, name, (rows, columns)),)))
    low.complex.add(step.output)


def _fragments(low: Lowered, step: Step, lmax: int) -> None:
    """conj(Y_complex) = U^dagger Y_real."""
    name, out = step.inputs[0], []
    for l in range(lmax + 1):
        for m, n, k, value in real_unitary(l):  # U[m, n] = i^k value; its conjugate is i^-k value
            sign = -1 if k in (1, 2) else 1
            out.append((2 * (l * l + l + n) + k % 2, l * l + l + m, value * sign))
    rows = np.arange(low.shape(name)[0])
    to, fro = (np.array([entry[i] for entry in out]) for i in range(2))
    table = tuple(entry[2] for entry in out)
    shape, legs = (len(rows), 2 * (lmax + 1) ** 2), (Leg(name, rows, fro),)
    terms = Terms(rows, to, shape, legs, np.arange(len(out)), table, {name: low.shape(name)})
    low.program.add(Sum(step.output, (terms,)))
    low.complex.add(step.output)


def _squared_norms(low: Lowered, step: Step, irreps: Irreps) -> None:
    """re^2 + im^2, summed over components."""
    name = step.inputs[0]
    if name not in low.complex:
        real_norms(low, step, irreps)
        return
    out: list[int] = []
    places: list[int] = []
    at = 0
    for start, part in zip(irreps.offsets, irreps):
        for m in range(part.irrep.dim):
            for c in range(part.mul):
                out += [at + c] * 2
                places += [2 * (start + m * part.mul + c), 2 * (start + m * part.mul + c) + 1]
        at += part.mul
    shape = low.program.shapes[name]
    rows, columns = np.arange(shape[0]), np.array(places)
    legs, zero = (Leg(name, rows, columns),) * 2, np.zeros(len(columns), np.int64)
    low.program.add(Sum(step.output, (Terms(rows, np.array(out), (shape[0], at), legs, zero, ONE, {name: shape}),)))


def _flat(low: Lowered, out: str, legs: list[tuple[str, Array]], rows: int, n: int) -> str:
    """A long vector (rows n,) of products: entry e n + j takes entry places[e, j] of every factor, read flat."""
    long, zero = np.arange(rows * n), np.zeros(1, np.int64)
    sizes: dict[str, tuple[int, ...]] = {name: (int(np.prod(low.program.shapes[name])),) for name, _ in legs}
    made = tuple(Leg(name, places.reshape(-1), zero) for name, places in legs)
    low.program.add(Sum(out, (Terms(long, zero, (rows * n,), made, zero, ONE, sizes, slack=4.0),)))
    return out


def _sine_powers(low: Lowered, step: Step, degree: int) -> None:
    """sin(2 pi s d + phi) = sin(2 pi s d) cos(phi) + cos(2 pi s d) sin(phi), over powers of d."""
    d, s, phi = step.inputs
    E, n = low.shape(d)[0], low.shape(s)[1]
    e, j = np.indices((E, n))
    turns = _flat(low, f"{step.output}/turns", [(d, e), (s, j)], E, n)
    waves = low.program.add(Apply(f"{step.output}/waves", turns, Waves(True), 0, E * n))
    phases = _flat(low, f"{step.output}/phases", [(phi, j[:1])], 1, n)
    phase = low.program.add(Apply(f"{step.output}/phase", phases, Waves(False), 0, n))
    powers = RadialFunction(InversePowers(tuple(range(degree + 1))), 0)
    inverse = low.program.add(Apply(f"{step.output}/powers", d, powers, 0, E))
    found: list[Terms] = []
    every = np.arange(E)
    for a, b in ((0, 1), (1, 0)):
        i, k = (x.reshape(-1) for x in np.indices((n, degree + 1)))
        legs = (Leg(waves, 2 * n * every, 2 * i + a), Leg(phase, 0 * every, 2 * i + b), Leg(inverse, every, k))
        shapes: dict[str, tuple[int, ...]] = {waves: (E * n * 2,), phase: (2 * n,), inverse: (E, degree + 1)}
        coef = np.zeros(len(i), np.int64)
        found.append(Terms(every, i * (degree + 1) + k, (E, len(i)), legs, coef, ONE, shapes))
    low.program.add(Sum(step.output, tuple(found)))


def _soft_cutoff(low: Lowered, step: Step) -> None:
    """sigma((|a| - d) / |b|) for learned a, b of either sign, both beyond the least width."""
    d, a, b = step.inputs
    E, n = low.shape(d)[0], low.shape(a)[1]
    e, j = np.indices((E, n))
    signs = [np.sign(np.ravel(low.values[name])) for name in (a, b)]
    if any((np.abs(np.ravel(low.values[name])) <= LEAST_WIDTH).any() for name in (a, b)):
        raise NBodyRefError(f"conformance: a learned cutoff of {LEAST_WIDTH} or less has no derivative in its weight")
    turned = [low.constant(sign[None]) for sign in signs]
    width_ = _flat(low, f"{step.output}/width", [(b, j[:1]), (turned[1], j[:1])], 1, n)
    inverse = low.program.add(Apply(f"{step.output}/inverse", width_, RadialFunction(InversePowers((1,)), 0), 0, n))
    long, zero, rows = np.arange(E * n), np.zeros(1, np.int64), E * n
    sizes: dict[str, tuple[int, ...]] = {a: (n,), d: (E,), inverse: (n,), turned[0]: (n,)}
    first = (Leg(a, j.reshape(-1), zero), Leg(turned[0], j.reshape(-1), zero), Leg(inverse, j.reshape(-1), zero))
    second = (Leg(d, e.reshape(-1), zero), Leg(inverse, j.reshape(-1), zero))
    parts = tuple(
        Terms(long, zero, (rows,), legs, zero, (Surd(sign, 1),), sizes) for legs, sign in ((first, 1), (second, -1))
    )
    argument = low.program.add(Sum(f"{step.output}/argument", parts))
    sigma = ActivationFunction(Activation("sigmoid"))
    values = low.program.add(Apply(f"{step.output}/values", argument, sigma, 0, rows))
    back = (n * np.arange(E), np.arange(n))
    low.program.add(Sum(step.output, (low.linear((np.arange(E), np.arange(n)), (E, n), values, back),)))


RULES |= {
    "complex_from_pairs": _from_pairs,
    "pairs_from_complex": _copy,
    "fragments": _fragments,
    "cast": _cast,
    "squared_norms": _squared_norms,
    "sine_powers": _sine_powers,
    "soft_cutoff": _soft_cutoff,
}
