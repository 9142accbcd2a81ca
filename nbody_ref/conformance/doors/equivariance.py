"""Does a function turn with its inputs? And if not: which input was not rotated, which axes are in another order?

``nbody-ref equivariance my:function``. The function is called on inputs and on rotated inputs; what comes out must be
what rotating the first result gives. If it is not, simple mistakes are tried until one of them explains it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, permutations
from math import isqrt
from typing import Any

import numpy as np

from nbody_ref.errors import DataError
from nbody_ref.irreps import Irreps

__all__ = ["Equivariance", "equivariance"]

Array = np.ndarray[Any, Any]
ROOM = 1e-6  # of the largest entry: mistakes of this kind are as large as the result
WORDS = ("species", "numbers", "z", "types", "kinds", "charges")
KINDS = ("vectors", "pseudovectors", "scalars", "same")


@dataclass(frozen=True)
class Equivariance:
    """What was found.

    Attributes
    ----------
    ok : bool
    text : str
        In words, with the likely mistake.
    error : float
        Largest difference over the largest entry of the result.
    """

    ok: bool
    text: str
    error: float = 0.0

    def __str__(self) -> str:
        return self.text

    def __bool__(self) -> bool:
        return self.ok


def equivariance(
    function: Callable[..., Any],
    inputs: Mapping[str, Any] | tuple[Any, ...] | None = None,
    types: Mapping[str, str] | None = None,
    out: str | None = None,
    rotation: Any = None,
    seed: int = 0,
) -> Equivariance:
    """Whether f(rotated inputs) is the rotated f(inputs), and the likely mistake if not.

    Parameters
    ----------
    function : callable
    inputs : mapping or tuple of arrays, optional
        By default random vectors (5, 3) for every argument without a default; whole numbers for ``species``.
    types : mapping of str to str, optional
        How an input turns: "vectors" or "pseudovectors" (.., 3) in the order x, y, z; "scalars", which stay as they
        are; or Irreps of states (.., dim) in this package's real gauge, whose l = 1 components are y, z, x. Annotations
        of the function that are such words are read too. By default arrays (.., 3) are vectors.
    out : str, optional
        The same for the result, and "same" for the type of the first input.
    rotation : (3, 3), optional
        A rotation of your own; it is looked at first.
    seed : int

    Examples
    --------
    >>> import numpy as np
    >>> from nbody_ref.conformance.doors.equivariance import equivariance
    >>> equivariance(lambda a, b: np.cross(a, b), out="pseudovectors").ok
    True
    >>> print(equivariance(lambda a, b: a * b[:, :1]).text.splitlines()[-1])
      likely: 'b' takes part as plain numbers: it is right only if 'b' is not rotated
    """
    given, kinds = _inputs(function, inputs, types or {}, seed)
    turn = _turn(seed)
    if rotation is not None:
        R = np.asarray(rotation() if callable(rotation) else rotation, np.float64)
        wrong = _no_rotation(R)
        if wrong:
            return Equivariance(False, f"R is no rotation: {wrong}", float("inf"))
        turn = R
    plain, again = _value(function, given), _value(function, given)
    if plain.shape != again.shape or not np.array_equal(plain, again, equal_nan=True):
        return Equivariance(False, "two calls on the same inputs differ: random numbers, or inputs that are written to")
    if not np.isfinite(plain).all() or not plain.size:
        return Equivariance(False, "the result on random inputs is empty or not finite; give inputs of your own")
    kind = _kind_of_result(function, plain, out, next(iter(kinds.values()), "vectors"))
    error = _error(function, given, kinds, plain, kind, turn)
    mirrored = _error(function, given, kinds, plain, kind, -turn)
    if error <= ROOM and (mirrored <= ROOM or not _parity_matters(kind, out)):
        return Equivariance(True, f"equivariant: the result turns as {_named(kind)}, error {error:.1e}", error)
    if error <= ROOM:
        hint = "a cross product of two vectors is a pseudovector" if kind == "vectors" else "the parity is another"
        text = f"equivariant under rotations, not under inversion (error {mirrored:.1e}); {hint}"
        return Equivariance(False, text, mirrored)
    lines = [f"NOT equivariant: taken to turn as {_named(kind)}, the result is off by {error:.2g} of its largest entry"]
    found = next(_mistakes(function, given, kinds, plain, kind, turn), "")
    lines.append(
        f"  likely: {found}" if found else "  no simple mistake explains it; types= and out= say how things turn"
    )
    return Equivariance(False, "\n".join(lines), error)


def _inputs(function: Any, inputs: Any, types: Mapping[str, str], seed: int) -> tuple[dict[str, Any], dict[str, str]]:
    """Arguments and how they turn."""
    draw = np.random.default_rng(seed)
    parameters = [
        p
        for p in inspect.signature(function).parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    said = {p.name: p.annotation for p in parameters if isinstance(p.annotation, str)} | dict(types)
    if inputs is None:
        wanted = [p.name for p in parameters if p.default is p.empty]
        given: dict[str, Any] = {}
        for name in wanted:
            word = said.get(name, "vectors")
            width = Irreps(word).dim if _is_type(word) else 3
            given[name] = np.array([6, 1, 1, 8, 7]) if name in WORDS else draw.standard_normal((5, width))
    else:
        given = dict(inputs) if isinstance(inputs, Mapping) else dict(zip([p.name for p in parameters], inputs))
    kinds = {}
    for name, x in given.items():
        array = np.asarray(x)
        vector = array.dtype.kind == "f" and array.shape[-1:] == (3,)
        word = said.get(name, "")
        kinds[name] = word if word in KINDS or _is_type(word) else "vectors" if vector else "scalars"
    if not kinds:
        raise DataError("equivariance: the function has no arguments")
    return given, kinds


def _is_type(word: str) -> bool:
    try:
        return bool(Irreps(word).dim)
    except (ValueError, TypeError):
        return False


def _turn(seed: int) -> Array:
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.random(random_state=seed + 1).as_matrix())


def _no_rotation(R: Array) -> str:
    """What is wrong with a matrix that should be a rotation; "" if nothing."""
    if R.shape != (3, 3):
        return f"it has shape {R.shape}, not (3, 3)"
    if not np.isfinite(R).all():
        return "it is not finite"
    gap = float(np.abs(R @ R.T - np.eye(3)).max())
    if gap > 1e-6:
        lengths = np.linalg.norm(R, axis=0)
        return (
            f"R R^T differs from 1 by {gap:.2g}; its columns have the lengths {', '.join(f'{x:.4g}' for x in lengths)}"
        )
    if np.linalg.det(R) < 0:
        return "its determinant is -1: it reflects"
    return ""


def _value(function: Any, given: Mapping[str, Any]) -> Array:
    from nbody_ref.conformance.doors.callables import plain

    copies = {name: x.copy() if isinstance(x, np.ndarray) else x for name, x in given.items()}
    return np.array(plain(function(*copies.values())), np.float64)


def _kind_of_result(function: Any, plain: Array, out: str | None, first: str) -> str:
    said = out or inspect.signature(function).return_annotation
    said = first if said == "same" else said
    if isinstance(said, str) and (said in KINDS or _is_type(said)):
        return said
    if said not in (None, inspect.Signature.empty) and isinstance(said, str):
        raise DataError(f"equivariance: out must be one of {', '.join(KINDS)}, or Irreps, got {said!r}")
    if plain.shape[-1:] == (3,):
        return "vectors"
    width = plain.shape[-1] if plain.ndim > 1 else 0
    return str(Irreps.harmonics(isqrt(width) - 1)) if width > 3 and isqrt(width) ** 2 == width else "scalars"


def _named(kind: str) -> str:
    return {
        "vectors": "vectors (x, y, z)",
        "pseudovectors": "pseudovectors (x, y, z)",
        "scalars": "scalars, which stay as they are",
    }.get(kind, f"a state {kind}")


def _parity_matters(kind: str, out: str | None) -> bool:
    return out is not None and kind != "scalars" and (kind in KINDS or Irreps(kind).has_parity)


def _turned(x: Any, kind: str, R: Array) -> Any:
    """Numbers of one kind after a rotation, or a rotation and the inversion."""
    if kind == "scalars":
        return x
    if kind in ("vectors", "pseudovectors"):
        return np.asarray(x) @ R.T * (np.sign(np.linalg.det(R)) if kind == "pseudovectors" else 1)
    from scipy.spatial.transform import Rotation

    inversion = bool(np.linalg.det(R) < 0)
    irreps = Irreps(kind)
    D = irreps.D(Rotation.from_matrix(-R if inversion else R), inversion and irreps.has_parity)
    return np.asarray(x) @ np.asarray(D).T


def _error(function: Any, given: dict[str, Any], kinds: dict[str, str], plain: Array, kind: str, R: Array) -> float:
    moved = {name: _turned(x, kinds[name], R) for name, x in given.items()}
    return _gap(_value(function, moved), _turned(plain, kind, R))


def _gap(found: Array, expected: Array) -> float:
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-300))


def _mistakes(
    function: Any, given: dict[str, Any], kinds: dict[str, str], plain: Array, kind: str, R: Array
) -> Iterator[str]:
    """Simple mistakes under which everything fits."""
    turning = [name for name, word in kinds.items() if word != "scalars"]
    for count in range(1, len(turning)):
        for left in combinations(turning, count):
            other = {name: "scalars" if name in left else word for name, word in kinds.items()}
            if _error(function, given, other, plain, kind, R) <= ROOM:
                names = " and ".join(repr(name) for name in left)
                yield f"{names} takes part as plain numbers: it is right only if {names} is not rotated"
    for other_kind in ("scalars", "vectors"):
        fits = other_kind == "scalars" or plain.shape[-1:] == (3,)
        if other_kind != kind and fits and _error(function, given, kinds, plain, other_kind, R) <= ROOM:
            yield f"the result turns as {_named(other_kind)}: say out={other_kind!r}"
    if plain.shape[-1:] == (3,):
        moved = _value(function, {name: _turned(x, kinds[name], R) for name, x in given.items()})
        for axes in list(permutations(range(3)))[1:]:
            if _gap(moved[..., np.argsort(axes)], plain[..., np.argsort(axes)] @ R.T) <= ROOM:
                yield f"the axes of the result are in the order {', '.join('xyz'[a] for a in axes)}"
        if _gap(moved, plain @ R) <= ROOM:
            yield "the result turns the other way round: R is transposed (rows for columns) somewhere"
    for name in turning:
        if kinds[name] == "vectors":
            for axes in list(permutations(range(3)))[1:]:
                P = np.eye(3)[list(axes)]
                moved_ = {
                    n: (np.asarray(x) @ (P @ R @ P.T).T if n == name else _turned(x, kinds[n], R))
                    for n, x in given.items()
                }
                if _gap(_value(function, moved_), _turned(plain, kind, R)) <= ROOM:
                    yield f"{name!r} is read with its axes in the order {', '.join('xyz'[a] for a in axes)}"
    yield from _origin(function, given, kinds, plain, kind, R)
    for eps in (1e-3,):
        near = {n: _turned(x, kinds[n], R) for n, x in given.items()}
        if _gap(_value(function, near), _turned(plain, kind, R)) < eps:
            yield "the difference is small: rounding to few digits, or a grid"


def _origin(
    function: Any, given: dict[str, Any], kinds: dict[str, str], plain: Array, kind: str, R: Array
) -> Iterator[str]:
    """A fixed direction or place."""
    turning = [name for name, word in kinds.items() if word == "vectors"]
    for axis in range(3):
        c, s = np.cos(0.7), np.sin(0.7)
        about = np.roll(np.roll(np.array([[1, 0, 0], [0, c, -s], [0, s, c]]), axis, 0), axis, 1)
        if turning and _error(function, given, kinds, plain, kind, about) <= ROOM:
            yield f"it turns about {'xyz'[axis]} only: a fixed direction along {'xyz'[axis]} takes part"
