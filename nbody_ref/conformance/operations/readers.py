"""Products of other libraries, read from their own descriptions; nothing of theirs is imported.

`from_e3nn` takes the arguments of ``e3nn.o3.TensorProduct`` (or such an object) and works out the factors that its
normalisations put in front of every path. `from_segmented` takes a tensor product of cuEquivariance as plain data and
recognises in every block of coefficients a multiple of one coupling tensor. Factors come out exact, as square roots of
rationals, in our gauge, so that `TensorProduct.in_gauge` gives back theirs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from nbody_ref import conventions
from nbody_ref.conformance.operations.product import MODES, Instruction, TensorProduct
from nbody_ref.errors import IrrepsError
from nbody_ref.exact.surd import Surd
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.tables import clebsch_gordan

__all__ = ["from_e3nn", "from_segmented", "to_e3nn"]

Array = np.ndarray[Any, Any]
U = 2.0**-53
DENOMINATOR = 10**6  # of the squares of factors: products of multiplicities and of numbers of paths
COARSE = 2.0**-20  # recognises which tensor is meant; whether it is right is what the kit finds out


def from_e3nn(
    irreps_in1: Any,
    irreps_in2: Any = None,
    irreps_out: Any = None,
    instructions: Iterable[Sequence[Any]] = (),
    *,
    irrep_normalization: str | None = "component",
    path_normalization: str | None = "element",
    variances: tuple[Sequence[Any] | None, Sequence[Any] | None, Sequence[Any] | None] = (None, None, None),
    **more: Any,
) -> TensorProduct:
    """Read the arguments of ``e3nn.o3.TensorProduct``, or such an object, whose factors are final.

    Parameters
    ----------
    irreps_in1, irreps_in2, irreps_out : Irreps or str
        Types; or the object alone.
    instructions : iterable of (i_in1, i_in2, i_out, mode, has_weight) or (..., path_weight)
    irrep_normalization, path_normalization : str
    variances : tuple of three sequences or None
        ``in1_var``, ``in2_var``, ``out_var``.
    **more
        ``convention`` ("e3nn>=0.5"; MACE pins "e3nn==0.4.4"), ``graph``, ``weighted`` (only paths with, or without).

    Raises
    ------
    IrrepsError
        Of an unknown mode or normalisation, and of paths with and without weights: these are two products.
    """
    if irreps_in2 is None:
        module = irreps_in1
        types = _types_of(module.irreps_in1, module.irreps_in2, module.irreps_out)
        rows = _rows_of(tuple(i)[:6] for i in module.instructions)
        alphas = [_known(float(row[5])).square() for row in rows]
    else:
        types, rows = _types_of(irreps_in1, irreps_in2, irreps_out), _rows_of(instructions)
        alphas = _alphas(types, rows, irrep_normalization, path_normalization, variances)
    return _read(types, rows, alphas, more)


def _types_of(*types: Any) -> tuple[Irreps, Irreps, Irreps]:
    a, b, c = (Irreps(str(t)) for t in types)
    return a, b, c


def _rows_of(instructions: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Instructions with path weights, in modes that exist here."""
    rows = [(*row, 1.0) if len(row) == 5 else tuple(row) for row in instructions]
    for row in rows:
        if row[3] not in MODES:
            raise IrrepsError(f"from_e3nn: mode {row[3]!r} has no place here, modes are {', '.join(MODES)}")
    return rows


def _read(
    types: tuple[Irreps, Irreps, Irreps], rows: list[tuple[Any, ...]], alphas: list[Fraction], more: dict[str, Any]
) -> TensorProduct:
    """A product of e3nn's instructions with the squares of their factors."""
    gauge = conventions.get(more.pop("convention", "e3nn>=0.5"))
    graph, weighted = bool(more.pop("graph", False)), more.pop("weighted", None)
    if more:
        raise TypeError(f"from_e3nn: there is no argument {next(iter(more))!r}")
    chosen = _of_one_kind("from_e3nn", [bool(row[4]) for row in rows], weighted)
    roots = [Surd(int(alpha > 0), alpha.numerator, alpha.denominator) for alpha in alphas]
    found = tuple(_instruction(gauge, types, rows[p], roots[p]) for p in chosen)
    return TensorProduct(*types, found, bool(rows[chosen[0]][4]) if chosen else True, graph)


def to_e3nn(
    product: TensorProduct, convention: str | None = None
) -> tuple[str, str, str, list[tuple[Any, ...]], list[int]]:
    """Arguments for ``e3nn.o3.TensorProduct(..., irrep_normalization="none", path_normalization="none")``.

    Parameters
    ----------
    product : TensorProduct
    convention : str, optional
        Gauge to translate to; None if `product` is in it already, as a backend is given it.

    Returns
    -------
    irreps_in1, irreps_in2, irreps_out : str
    instructions : list of tuple
        With the squares of the factors as path weights. Weights are asked for even if `product` has none:
    signs : list of int
        Sign of every path, which e3nn has no place for; it goes into the weights.
    """
    own = product if convention is None else product.in_gauge(conventions.get(convention))
    rows = [(i.i1, i.i2, i.out, i.mode, True, float(i.coefficient.square())) for i in own.instructions]
    types = str(own.irreps_1), str(own.irreps_2), str(own.irreps_out)
    return (*types, rows, [i.coefficient.sign for i in own.instructions])


def _alphas(
    types: tuple[Irreps, Irreps, Irreps],
    rows: Sequence[Sequence[Any]],
    irrep: str | None,
    path: str | None,
    variances: Sequence[Sequence[Any] | None],
) -> list[Fraction]:
    r"""Squares of the factors of e3nn, exactly: sqrt(alpha) stands before a tensor of Frobenius norm 1, with

    .. math:: \alpha = \frac{d\, w\, v_{out}}{\sum_{p \to out} v_1 v_2 n_p}

    d = 2l+1 ("component"), (2l1+1)(2l2+1) ("norm") or 1; w the weight of the path; v variances; n_p the number of pairs
    of channels that meet in one channel of path p. "path" replaces the sum by n_p times the number of paths.
    """
    if irrep not in ("component", "norm", "none", None) or path not in ("element", "path", "none", None):
        raise IrrepsError(f"from_e3nn: unknown normalisation {irrep!r} or {path!r}")
    given = [[1] * len(t) if v is None else list(v) for t, v in zip(types, variances)]
    v1, v2, v_out = ([_ratio(v) for v in row] for row in given)
    met = [_pairs(types, row) for row in rows]
    found = []
    for row, n in zip(rows, met):
        l1, l2, l = (t[k].irrep.l for t, k in zip(types, row[:3]))
        alpha = Fraction({"norm": (2 * l1 + 1) * (2 * l2 + 1), "none": 1}.get(irrep or "", 2 * l + 1))
        same = [k for k, other in enumerate(rows) if other[2] == row[2]]
        share = Fraction(1)
        if path == "path":
            share = v1[row[0]] * v2[row[1]] * n * len(same)
        elif path != "none":
            share = sum((v1[rows[k][0]] * v2[rows[k][1]] * met[k] for k in same), Fraction(0))
        found.append(alpha / (share or 1) * v_out[row[2]] * _ratio(row[5]))
    return found


def _pairs(types: tuple[Irreps, Irreps, Irreps], row: Sequence[Any]) -> int:
    """Pairs of channels that meet in one channel of the result."""
    a, b = types[0][row[0]].mul, types[1][row[1]].mul
    return {"uvw": a * b, "uvu": b, "uvv": a, "uuw": a, "uuu": 1, "uvuv": 1}[row[3]]


def _ratio(x: Any) -> Fraction:
    """A number as the simple ratio that it stands for, or exactly."""
    simple = Fraction(float(x)).limit_denominator(DENOMINATOR)
    return simple if float(simple) == float(x) else Fraction(float(x))


def _known(x: float) -> Surd:
    """The square root of a simple ratio that a factor stands for to two roundings, or the float itself."""
    square = Fraction(x) ** 2
    simple = square.limit_denominator(DENOMINATOR)
    near = abs(simple - square) <= 8 * U * square  # two roundings of the root are four of the square
    root = Surd(1 if x > 0 else -1, simple.numerator, simple.denominator) if simple else Surd(0, 0)
    return root if near else Surd.of(Fraction(x))


def _of_one_kind(name: str, weights: list[bool], weighted: bool | None) -> list[int]:
    if weighted is None and len(set(weights)) > 1:
        raise IrrepsError(f"{name}: paths with and without weights; read them with weighted=True and weighted=False")
    return [p for p, has in enumerate(weights) if weighted in (None, has)]


def _instruction(gauge: Any, types: tuple[Irreps, Irreps, Irreps], row: Sequence[Any], factor: Surd) -> Instruction:
    """An instruction (i1, i2, out, mode, ...) in our gauge: the inverse of what `TensorProduct.in_gauge` does."""
    plain = Instruction(int(row[0]), int(row[1]), int(row[2]), str(row[3]))
    foreign = TensorProduct(*types, (plain,)).in_gauge(gauge).instructions[0].coefficient
    return replace(plain, coefficient=factor / foreign)


def from_segmented(
    description: Mapping[str, Any] | str,
    irreps: tuple[Any, Any, Any] | None = None,
    *,
    graph: bool = False,
    convention: str = "cuequivariance",
) -> TensorProduct:
    """Read a segmented tensor product of cuEquivariance; instructions come in the order of the weights.

    Parameters
    ----------
    description : mapping or str
        What ``SegmentedTensorProduct.to_dict()`` or ``to_json()`` gives: subscripts such as "uvw,iu,jv,kw+ijk" (weights
        first if there are any, the result last), the segments of every operand, and paths with their coefficients.
    irreps : tuple of three Irreps or str, optional
        Types with parities; without them the degrees follow from the segments and inversion does not act.
    graph : bool
    convention : str
        Gauge of the coefficients.

    Raises
    ------
    IrrepsError
        If the description is malformed, if it is no product of two states (symmetric contractions, coefficients
        flattened to scalars), or if a block of coefficients is not a multiple of a coupling tensor.
    """
    subscripts, operands, paths = _description(description)
    letters, components, mode, weighted = _subscripts(subscripts)
    if len(operands) != len(letters) or any(len(row) != len(letters) for row, _ in paths):
        raise IrrepsError("from_segmented: numbers of operands, indices and coefficients do not agree")
    types = _types(letters, components, operands, irreps, int(weighted))
    if weighted:
        _check_weights(len(operands[0]), [row[0] for row, _ in paths])
        paths = sorted(paths, key=lambda path: path[0][0])
    gauge = conventions.get(convention)
    found = tuple(_block(gauge, types, operands, row, block, mode) for row, block in paths)
    return TensorProduct(*types, found, weighted, graph)


def _description(description: Mapping[str, Any] | str) -> tuple[str, list[Any], list[tuple[tuple[int, ...], Array]]]:
    """Subscripts, segments, and pairs of indices and coefficients."""
    try:
        text = json.loads(description) if isinstance(description, str) else dict(description)
        subscripts, operands = str(text["subscripts"]), [o["segments"] for o in text["operands"]]
        indices = [tuple(int(k) for k in row) for row in text["paths"]["indices"]]
        blocks = [np.asarray(block, np.float64) for block in text["paths"]["coefficients"]]
        return subscripts, operands, list(zip(indices, blocks, strict=True))
    except (KeyError, TypeError, ValueError) as error:
        raise IrrepsError(f"from_segmented: no description of a segmented tensor product: {error!r}") from error


def _block(
    gauge: Any, types: tuple[Irreps, Irreps, Irreps], operands: list[Any], row: tuple[int, ...], block: Array, mode: str
) -> Instruction:
    """The instruction of one path."""
    if any(not 0 <= k < len(operand) for k, operand in zip(row, operands)):
        raise IrrepsError(f"from_segmented: path {row} names a segment that does not exist")
    i1, i2, out = row[-3:]
    return _instruction(gauge, types, (i1, i2, out, mode), _factor(gauge, types, (i1, i2, out), block))


def _subscripts(text: str) -> tuple[list[str], list[str], str, bool]:
    """Letters of every operand, its component letter ("" for weights), the mode, and whether there are weights."""
    left, plus, coefficients = text.partition("+")
    letters = left.split(",")
    if not plus or len(coefficients) != 3 or len(letters) not in (3, 4):
        raise IrrepsError(
            f"from_segmented: {text!r} is not of the form 'uvw,iu,jv,kw+ijk', two states with one component letter "
            f"each; symmetric contractions and polynomials with flattened coefficients cannot be read back"
        )
    weighted = len(letters) == 4
    states = letters[1:] if weighted else letters
    channels = []
    for state, component in zip(states, coefficients):
        if state.count(component) != 1:
            raise IrrepsError(f"from_segmented: {text!r}: operand {state!r} must have the component {component!r}")
        channels.append(state.replace(component, ""))
    if channels[0] and channels[1] == "" and channels[2] == channels[0]:
        return _one_channel(text, letters, coefficients, channels[0], "uvu")
    if channels[1] and channels[0] == "" and channels[2] == channels[1]:
        return _one_channel(text, letters, coefficients, channels[1], "uvv")
    names: dict[str, str] = {}
    for letter in "".join(channels):
        names.setdefault(letter, "uvw"[min(len(names), 2)])
    if len(set(channels[0] + channels[1])) == 1 and len(names) == 2:
        names[channels[2]] = "w"
    renamed = [_renamed(text, names, group) for group in channels]
    weight = _renamed(text, names, letters[0]) if weighted else None
    for mode, (a, b, w, c) in MODES.items():
        if [a, b, c] == renamed and weight in (None, w):
            return letters, ["", *coefficients] if weighted else list(coefficients), mode, weighted
    raise IrrepsError(f"from_segmented: {text!r} is none of the modes {', '.join(MODES)}")


def _one_channel(
    text: str, letters: list[str], coefficients: str, channel: str, mode: str
) -> tuple[list[str], list[str], str, bool]:
    """Modes "uvu" and "uvv" where the state with one channel has no letter for it."""
    weighted = len(letters) == 4
    if len(channel) != 1 or (weighted and letters[0] != channel):
        raise IrrepsError(f"from_segmented: {text!r} is none of the modes {', '.join(MODES)}")
    return letters, ["", *coefficients] if weighted else list(coefficients), mode, weighted


def _renamed(text: str, names: Mapping[str, str], letters: str) -> str:
    if not set(letters) <= set(names):
        raise IrrepsError(f"from_segmented: {text!r}: weights have a letter that no state has")
    return "".join(names[letter] for letter in letters)


def _types(
    letters: list[str], components: list[str], operands: list[Any], irreps: tuple[Any, Any, Any] | None, first: int
) -> tuple[Irreps, Irreps, Irreps]:
    """Types of the states, from the segments and the parities given."""
    found = []
    for n in range(first, first + 3):
        given = None if irreps is None else Irreps(str(irreps[n - first]))
        parts: list[tuple[int, Irrep]] = []
        for k, segment in enumerate(operands[n]):
            sizes = dict(zip(letters[n], (int(size) for size in segment)))
            dim = sizes.pop(components[n])
            if dim % 2 == 0 or len(sizes) + 1 != len(letters[n]):
                raise IrrepsError(f"from_segmented: segment {segment} of {letters[n]!r} has no whole degree")
            p = None if given is None or k >= len(given) else given[k].irrep.p
            parts.append((int(np.prod(list(sizes.values()))), Irrep(dim // 2, p)))
        if given is not None and [(part.mul, part.irrep) for part in given] != parts:
            raise IrrepsError(f"from_segmented: segments say {Irreps(parts)}, 'irreps' {given}")
        found.append(Irreps(parts))
    return found[0], found[1], found[2]


def _check_weights(segments: int, used: list[int]) -> None:
    if sorted(used) != list(range(segments)):
        raise IrrepsError("from_segmented: every segment of the weights must serve exactly one path")


def _factor(gauge: Any, types: tuple[Irreps, Irreps, Irreps], row: tuple[int, int, int], block: Array) -> Surd:
    """By what the coupling tensor of `gauge` is multiplied; what is nearly a simple root is taken for one."""
    l1, l2, l = (t[k].irrep.l for t, k in zip(types, row))
    if not abs(l1 - l2) <= l <= l1 + l2 or block.shape != (2 * l1 + 1, 2 * l2 + 1, 2 * l + 1):
        raise IrrepsError(f"from_segmented: path {row}: coefficients {block.shape} couple no {l1} x {l2} -> {l}")
    C = gauge.cg_from_native(l1, l2, l, clebsch_gordan(l1, l2, l))
    at = np.unravel_index(np.argmax(np.abs(C)), C.shape)
    factor = float(block[at] / C[at])
    if not np.isfinite(block).all() or np.max(np.abs(block - factor * C)) > COARSE * abs(factor):
        raise IrrepsError(f"from_segmented: path {row}: coefficients are no multiple of the coupling {l1} {l2} {l}")
    return _known(factor)
