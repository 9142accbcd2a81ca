"""Fingerprints: a few numbers of every named gauge, and the names that fit the numbers of a library of unknown gauge.

Gauges differ by signs, permutations and factors of order one, so a few values tell them apart; the comparison is
coarse on purpose, since rounding is another matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from nbody_ref.conventions.convention import Convention
from nbody_ref.conventions.named import get, names
from nbody_ref.errors import IrrepsError
from nbody_ref.exact.harmonics import solid_harmonic
from nbody_ref.exact.wigner import wigner_D, wigner_D_real
from nbody_ref.tables import clebsch_gordan, real_to_complex

__all__ = ["DIRECTIONS", "QUATERNION", "STATE", "TRIPLES", "TYPE", "fingerprint", "identify"]

Array = np.ndarray[Any, Any]

DIRECTIONS = np.array([[2.0, -1.0, 2.0], [6.0, 2.0, -3.0]]) / np.array([[3.0], [7.0]])
QUATERNION = np.array([1.0, 2.0, 3.0, 4.0]) / np.sqrt(30)
TRIPLES = ((1, 1, 0), (1, 1, 1), (1, 1, 2), (1, 2, 2), (2, 1, 1), (2, 2, 3))
TYPE = "1x1e + 2x0e + 1x0o + 2x1o"
STATE = np.arange(12.0)
COARSE = 2.0**-7


def fingerprint(name: str) -> dict[str, Array]:
    """What a library of a named gauge answers to a few questions.

    Parameters
    ----------
    name : str
        One of `names()`.

    Returns
    -------
    dict of str to array
        harmonics : (2, 9), degrees 0 to 2 of `DIRECTIONS`, in its normalization;
        D : (34,), the entries of D^1 and then D^2, row by row, for the rotation that it means by the four numbers
        `QUATERNION`;
        couplings : the entries of its tensors C[m1, m2, m] for `TRIPLES`, one after the other;
        state : (12,), the state of type `TYPE` whose native components are `STATE`, parts as it sorts them;
        gradient : (), that of Re(w z) by z for w = 0.5 - 0.25i.
        Complex numbers as in its storage.

    Raises
    ------
    IrrepsError
        If the name is unknown.
    """
    return dict(_fingerprint(get(name).name))


def identify(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the gauges that fit the answers of a library.

    Parameters
    ----------
    values : mapping of str to array
        Any of the entries of `fingerprint`, computed with the library.

    Returns
    -------
    tuple of str
        In the order of `names()`; more than one where the answers do not tell them apart, none if no gauge fits.

    Raises
    ------
    IrrepsError
        If an entry is unknown or there is none.

    Examples
    --------
    >>> from nbody_ref import conventions
    >>> conventions.identify({"gradient": 0.5 + 0.25j})
    ('gelib', 'torch')
    """
    known = set(_fingerprint("nbody_ref"))
    if not values or not known.issuperset(values):
        raise IrrepsError(f"identify: 'values' must have some of {', '.join(sorted(known))}, got {sorted(values)}")
    return tuple(name for name in names() if all(_fits(_fingerprint(name)[key], v) for key, v in values.items()))


def _fits(expected: Array, found: Any) -> bool:
    a = np.asarray(found)
    return a.shape == expected.shape and bool(np.all(np.abs(a - expected) <= COARSE * np.abs(expected).max()))


@cache
def _fingerprint(name: str) -> dict[str, Array]:
    gauge = get(name)
    couplings = [gauge.cg_from_native(*t, clebsch_gordan(*t, basis=gauge.basis)).reshape(-1) for t in TRIPLES]
    D = [gauge.D_from_native(l, _matrix(l, gauge)) for l in (1, 2)]
    tail = (2,) if gauge.storage == "re_im" else ()
    return {
        "harmonics": gauge.harmonics_from_native(_fragments(gauge)),
        "D": np.concatenate([block.reshape(-1, *tail) for block in D]),
        "couplings": np.concatenate(couplings),
        "state": gauge.state_from_native(TYPE, STATE, arranged=True),
        "gradient": gauge.gradient_to_native(np.complex128(0.5 - 0.25j)),
    }


def _fragments(gauge: Convention) -> Array:
    """Native fragments of the directions it sees, degrees 0 to 2."""
    rows = [[Fraction(round(x * n), n) for x in r] for r, n in zip(gauge.positions_to_native(DIRECTIONS), (3, 7))]
    parts = []
    for l in range(3):
        norm = np.sqrt((2 * l + 1) / (4 * np.pi))
        real = [[float(solid_harmonic(l, m, "norm").value(r)) for m in range(-l, l + 1)] for r in rows]
        part = norm * np.array(real)
        parts.append(part if gauge.basis == "real" else part @ real_to_complex(l).conj())
    return np.concatenate(parts, axis=-1)


def _matrix(l: int, gauge: Convention) -> Array:
    """Our D^l of the rotation that it means by the numbers 1, 2, 3, 4."""
    w, *v = (1, 2, 3, 4) if gauge.quaternion == "wxyz" else (4, 1, 2, 3)
    q = (w, *(v[axis] for axis in gauge.axes))
    if gauge.basis == "real":
        return np.array([[entry.round() for entry in row] for row in wigner_D_real(l, q)])
    return np.array([[complex(re.round(), im.round()) for re, im in row] for row in wigner_D(l, q)])
