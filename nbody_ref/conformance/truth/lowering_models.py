"""Steps of published models written out as sums of terms: harmonics of directions, fusion blocks, maps of weights."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from nbody_ref.certified.functions import InversePowersOfRoot
from nbody_ref.certified.program import ONE, Apply
from nbody_ref.certified.terms import Leg, Terms, renamed_inputs
from nbody_ref.conformance.operations.diagrams import DiagramSum
from nbody_ref.conformance.truth import lowering_complex as complex_rules
from nbody_ref.conformance.truth.lowering import RULES, Lowered, kinds, lower, solid_terms
from nbody_ref.gates.chain import Step

__all__ = ["complex_rules", "lower"]

Array = np.ndarray[Any, Any]


def _spherical(low: Lowered, step: Step, lmax: int, normalization: str) -> None:
    """Solid harmonics over powers of the length."""
    name, rows = step.inputs[0], low.shape(step.inputs[0])[0]
    every, xyz, zero = np.arange(rows), np.arange(3), np.zeros(3, np.int64)
    legs = (Leg(name, every, xyz), Leg(name, every, xyz))
    square = low.sum(f"{step.output}/square", Terms(every, zero, (rows,), legs, zero, ONE, {name: (rows, 3)}))
    powers = low.program.add(Apply(f"{step.output}/powers", square, InversePowersOfRoot(lmax), 0, rows))
    solid = low.sum(f"{step.output}/solid", *solid_terms(name, rows, lmax, normalization))
    columns = np.arange((lmax + 1) ** 2)
    degrees = np.concatenate([np.full(2 * l + 1, l) for l in range(lmax + 1)])
    legs = (Leg(solid, every, columns), Leg(powers, every, degrees))
    shapes = {solid: low.shape(solid), powers: low.shape(powers)}
    coef = np.zeros(len(columns), np.int64)
    low.sum(step.output, Terms(every, columns, low.shape(solid), legs, coef, ONE, shapes))


def _fuse(low: Lowered, step: Step, table: Any) -> None:
    op = DiagramSum(table.irreps, table.terms, table.mode)
    rows = low.shape(step.inputs[0])[0]
    terms = op.terms({"x0": np.empty((rows, 0))})
    names = {f"x{k}": name for k, name in enumerate(step.inputs)}
    low.sum(step.output, *(renamed_inputs(part, names, op.slack(0)) for part in terms))


def _weight_map(low: Lowered, step: Step, table: Any) -> None:
    """Both arrays are read flat; the result gets its shape by a copy."""
    coo, name, zero = table.matrix.tocoo(), step.inputs[0], np.zeros(1, np.int64)
    every = np.arange(coo.nnz)
    factors, flat = low.constant(coo.data[:, None]), f"{step.output}/flat"
    sizes = prod(table.shape_out), prod(table.shape_in)
    legs = (Leg(name, coo.coords[1].astype(np.int64), zero), Leg(factors, every, zero))
    shapes = {name: (sizes[1],), factors: (coo.nnz, 1)}
    low.sum(flat, Terms(coo.coords[0].astype(np.int64), zero, (sizes[0],), legs, zero, ONE, shapes))
    first, dim = table.shape_out[0], prod(table.shape_out[1:])
    whole = (np.arange(first), np.arange(dim))
    low.sum(step.output, low.linear(whole, tuple(table.shape_out), flat, (dim * whole[0], whole[1]), slack=0.5))


def _channel_mixing(low: Lowered, step: Step, kind: Any, table: Any) -> None:
    """Every part of one irrep is a path; one weight for each path and channel."""
    found: list[list[Array]] = [[], [], []]
    start = 0
    for o, (mul, irrep) in zip(table.irreps_out.offsets, table.irreps_out):
        m, c = (x.reshape(-1) for x in np.indices((irrep.dim, mul)))
        for at, part in zip(table.irreps_in.offsets, table.irreps_in):
            if part.irrep == irrep:
                for column, values in zip(found, (o + m * mul + c, at + m * mul + c, start + c)):
                    column.append(values)
                start += mul
    out, f, w = (np.concatenate(column) for column in found)
    rows, shape = np.arange(low.shape(step.inputs[0])[0]), (low.shape(step.inputs[0])[0], table.irreps_out.dim)
    legs = (Leg(step.inputs[0], rows, f), Leg(step.inputs[1], kinds(kind), w))
    shapes = {name: low.shape(name) for name in step.inputs}
    low.sum(step.output, Terms(rows, out, shape, legs, np.zeros(len(out), np.int64), ONE, shapes))


RULES |= {"spherical": _spherical, "fuse": _fuse, "weight_map": _weight_map, "channel_mixing": _channel_mixing}
