"""Certified truth of programs: double-double values with running error bounds, and the first-order gauge of the law.

Every value is carried as hi + lo with a bound of its error; the bound includes what the errors of the inputs of a step
amount to. The gauge of a result is the sum over all steps of |derivative of the result| k S of the step.
docs/derivations/certified_programs.md.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from nbody_ref.certified.program import Apply, Program, Sum
from nbody_ref.certified.sums import Ball, Certified, add_up, coefficients
from nbody_ref.certified.terms import Terms, width
from nbody_ref.errors import NBodyRefError
from nbody_ref.exact.surd import round_fraction

__all__ = ["certify_program", "run_program"]

Array = np.ndarray[Any, Any]
Sizes = dict[str, tuple[Array, Array]]  # variable: k S, S


def certify_program(
    program: Program, results: Mapping[str, str], inputs: Mapping[str, Array], least: float = 0.0
) -> dict[str, Certified]:
    """Values of some variables, and S and n such that n u S is the gate of a correct kernel.

    Parameters
    ----------
    program : Program
    results : mapping of str to str
        Name of each result to its variable.
    inputs : mapping of str to array
        Floats on all leaves, taken as the dyadic rationals that they are.
    least : float
        Roundings of a conversion of a step's result (to another precision), added to every step.
    """
    needed = program.upto(results.values())
    values, sizes = run_program(needed, {name: Ball.exactly(x) for name, x in inputs.items()}, least)
    gauges = first_order_gauge(needed, values, sizes, tuple(dict.fromkeys(results.values())))
    found = {}
    for name, variable in results.items():
        gauge, S = gauges[variable]
        hi, lo, rad = values[variable]
        value = hi + lo
        n = np.ceil(np.divide(gauge, S, out=np.zeros_like(gauge), where=S > 0)).astype(np.int64)
        undecided = int((hi + (lo - rad) != hi + (lo + rad)).sum())
        found[name] = Certified(value, lo - (value - hi), S, n, radius=rad, undecided=undecided)
    return found


def run_program(program: Program, inputs: Mapping[str, Ball], least: float = 0.0) -> tuple[dict[str, Ball], Sizes]:
    """Every variable with its error bound; for every step's result k S and S."""
    values, sizes = dict(inputs), Sizes()
    for step in program.steps:
        if isinstance(step, Sum):
            values[step.out], S, n = add_up(step.terms, values)
            slack = max(terms.slack for terms in step.terms) + least
            sizes[step.out] = (n + slack) * S * (slack > 0), S
        else:
            values[step.out], S, k = _apply(step, values[step.arg])
            sizes[step.out] = (k + least) * S, S
    return values, sizes


def _apply(step: Apply, arg: Ball) -> tuple[Ball, Array, Array]:
    """A function at numbers that are known within a bound: two more derivatives bound what that amounts to."""
    hi, lo, rad, S = np.zeros((4, *step.shape))
    flat = [np.ravel(x) for x in arg]
    for e in range(step.rows):
        x = Fraction(float(flat[0][e])) + Fraction(float(flat[1][e]))
        spread = float(flat[2][e])
        if step.function.kink(x, spread):
            raise NBodyRefError(f"{step.out}: no certified value at a kink, argument {float(x):.3g} +- {spread:.1g}")
        jets = [step.function.derivative(x, step.order + i) for i in range(3 if spread else 1)]
        for j, found in enumerate(jets[0]):
            hi[e, j] = round_fraction(found.mid)
            lo[e, j] = round_fraction(found.mid - Fraction(hi[e, j]))
            rad[e, j] = float(found.rad) + abs(lo[e, j]) * 2.0**-52
            if spread:
                rad[e, j] += 2 * spread * (abs(float(jets[1][j].mid)) + spread * abs(float(jets[2][j].mid)))
        S[e] = step.function.sizes(float(x), step.order) if step.order < 3 else np.abs(hi[e])
    k = np.broadcast_to(np.asarray(step.function.roundings(step.order), float), step.shape)
    return Ball(hi, lo, rad), S, k


def first_order_gauge(
    program: Program, values: Mapping[str, Ball], sizes: Sizes, variables: tuple[str, ...]
) -> dict[str, tuple[Array, Array]]:
    """For every entry of some variables: sum over the steps of |derivative| k S, and of |derivative| S.

    One reverse pass for all: a slope has one row for each entry of its variable, one column for each entry wanted.
    """
    counts = [int(np.prod(program.shapes[name], dtype=np.int64)) for name in variables]
    ends = np.cumsum([0, *counts])
    slopes: dict[str, Array] = {}
    for name, start, count in zip(variables, ends, counts):
        slopes[name] = np.eye(count, ends[-1], start)
    gauge, total = np.zeros(ends[-1]), np.zeros(ends[-1])
    for step in reversed(program.steps):
        slope = slopes.pop(step.out, None)
        if slope is None:
            continue
        for result, size in zip((gauge, total), sizes[step.out]):
            result += size.reshape(-1) @ np.abs(slope)
        for name, jacobian in jacobians(step, values, sizes):
            added = jacobian.T @ slope
            slopes[name] = slopes[name] + added if name in slopes else added
    parts = {name: slice(start, start + count) for name, start, count in zip(variables, ends, counts)}
    return {
        name: (gauge[at].reshape(program.shapes[name]), total[at].reshape(program.shapes[name]))
        for name, at in parts.items()
    }


def jacobians(step: Sum | Apply, values: Mapping[str, Ball], wanted: Container[str]) -> list[tuple[str, Any]]:
    """Derivatives of a step's result in those of its inputs that are wanted, as sparse matrices in float64."""
    size = int(np.prod(step.shape, dtype=np.int64))
    if isinstance(step, Sum):
        return [
            (leg.name, _jacobian(terms, k, values, size))
            for terms in step.terms
            for k, leg in enumerate(terms.legs)
            if leg.name in wanted
        ]
    if step.arg not in wanted:
        return []
    arg = np.ravel(values[step.arg].hi)
    slopes = [[float(d.mid) for d in step.function.derivative(Fraction(float(x)), step.order + 1)] for x in arg]
    rows, columns = np.arange(size), np.repeat(np.arange(step.rows), step.function.columns)
    return [(step.arg, csr_array((np.ravel(slopes), (rows, columns)), (size, len(arg))))]


def _jacobian(terms: Terms, k: int, values: Mapping[str, Ball], size: int) -> Any:
    entries = np.tile(coefficients(terms)[terms.coef], len(terms.rows))
    for i, leg in enumerate(terms.legs):
        if i != k:
            entries = entries * np.ravel(values[leg.name].hi)[terms.index(i)]
    shape = terms.shapes[terms.legs[k].name]
    return csr_array((entries, (terms.out, terms.index(k))), (size, shape[0] * width(shape)))
