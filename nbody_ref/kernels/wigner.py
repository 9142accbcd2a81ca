"""Wigner matrices of all degrees from quaternions, by adding one spin 1/2 at a time, and the action of generators.

    D^l_{m'm} = conj(Z1)^m' conj(Z2)^m d^l_{m'm}(c, s)

Labels are those of docs/derivations/wigner.md. `turn` (n, 6) holds c, s, Re Z1, Im Z1, Re Z2, Im Z2 of each rotation;
the weights (j, k) of a step are sqrt(k / j) (up) and sqrt((j - k) / j) (down), on the left and on the right;
`now`, `new`, zero at the start, have (2 lmax + 2)^2 entries; `phase` is (4, 2 lmax + 1); a row of D holds the matrices
of degrees lmin..lmax side by side, each row by row.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbody_ref.kernels._jit import kernel

__all__ = ["act", "pair", "wigner_complex", "wigner_real"]

_ZERO: Any = np.uintp(0)
_ONE: Any = np.uintp(1)
_TWO: Any = np.uintp(2)
_THREE: Any = np.uintp(3)


@kernel(contract=True)
def _step(now: Any, new: Any, j: Any, stride: Any, c: Any, s: Any, weights: Any) -> None:
    """new = d of spin j/2 from now = that of (j-1)/2, (W3); entry (p, q) at p * stride + 1 + q, m = index - j/2."""
    left_down, left_up, right_down, right_up = weights
    for q in range(j + _ONE):
        new[_ONE + q] = now[_ZERO]  # zero
    for p in range(j):
        i = p * stride + _ONE
        k = i + stride
        down, up = left_down[j, p], left_up[j, p + _ONE]
        for q in range(j + _ONE):
            u0, u1 = right_down[j, q] * now[i + q], right_up[j, q] * now[i + q - _ONE]
            new[i + q] = new[i + q] + down * (c * u0 + s * u1)
            new[k + q] = up * (c * u1 - s * u0)


@kernel(contract=True)
def _powers(turn: Any, e: Any, middle: Any, one: Any, phase: Any) -> None:
    """conj(Z1)^m and conj(Z2)^m at middle + m, (W2)."""
    for k in range(_TWO):
        x, y = turn[e, _TWO + k + k], turn[e, _THREE + k + k]
        re, im, a, b = one, one - one, k + k, k + k + _ONE
        for m in range(middle + _ONE):
            phase[a, middle + m], phase[b, middle + m] = re, -im
            phase[a, middle - m], phase[b, middle - m] = re, im
            re, im = re * x - im * y, re * y + im * x


@kernel(contract=True)
def wigner_complex(
    turn: Any, weights: Any, one: Any, lmin: Any, lmax: Any, now: Any, new: Any, phase: Any, D: Any
) -> None:
    """D of degrees lmin..lmax; D has real and imaginary parts alternating, (n, 2 * sum of (2l + 1)^2)."""
    stride = lmax + lmax + _TWO
    for e in range(np.uintp(D.shape[0])):
        _powers(turn, e, lmax, one, phase)
        now[_ONE], o = one, _ZERO
        for l in range(lmax + _ONE):
            if l > _ZERO:
                _step(now, new, l + l - _ONE, stride, turn[e, _ZERO], turn[e, _ONE], weights)
                _step(new, now, l + l, stride, turn[e, _ZERO], turn[e, _ONE], weights)
            if l < lmin:
                continue
            first, width = lmax - l, l + l + _ONE
            for p in range(width):
                re, im, i = phase[_ZERO, first + p], phase[_ONE, first + p], p * stride + _ONE
                for q in range(width):
                    x, y, d = phase[_TWO, first + q], phase[_THREE, first + q], now[i + q]
                    D[e, o + q + q] = (re * x - im * y) * d
                    D[e, o + q + q + _ONE] = (re * y + im * x) * d
                o += width + width


@kernel(contract=True)
def wigner_real(
    turn: Any, weights: Any, one: Any, half: Any, lmin: Any, lmax: Any, now: Any, new: Any, phase: Any, D: Any
) -> None:
    """D of degrees lmin..lmax in the real gauge, (W5); half = sqrt(1/2)."""
    stride = lmax + lmax + _TWO
    for e in range(np.uintp(D.shape[0])):
        _powers(turn, e, lmax, one, phase)
        now[_ONE], o = one, _ZERO
        for l in range(lmax + _ONE):
            if l > _ZERO:
                _step(now, new, l + l - _ONE, stride, turn[e, _ZERO], turn[e, _ONE], weights)
                _step(new, now, l + l, stride, turn[e, _ZERO], turn[e, _ONE], weights)
            if l < lmin:
                continue
            width = l + l + _ONE
            for a in range(l + _ONE):  # a = |m'|, b = |m|
                i, plus, minus = (l - a) * stride + _ONE + l, o + (l + a) * width + l, o + (l - a) * width + l
                row = one if a > _ZERO else half
                c1, s1, sign = row * phase[_ZERO, lmax - a], row * phase[_ONE, lmax - a], one
                for b in range(l + _ONE):
                    weight = one if b > _ZERO else half
                    c2, s2 = weight * phase[_TWO, lmax - b], weight * phase[_THREE, lmax - b]
                    x, y, sign = now[i - b], sign * now[i + b], -sign
                    add, sub = x + y, x - y
                    cc, ss, cs, sc = c1 * c2, s1 * s2, c1 * s2, s1 * c2
                    D[e, minus - b] = cc * sub - ss * add  # where a or b is 0 the next lines write the same place
                    D[e, minus + b] = sc * add + cs * sub
                    D[e, plus - b] = -(sc * sub + cs * add)
                    D[e, plus + b] = cc * add - ss * sub
            o += width * width


@kernel(contract=True)
def act(omega: Any, D: Any, out: Any, axis: Any, row: Any, column: Any, width: Any, value: Any) -> None:
    """out = omega . G D, (D1); out is zero at the start; row, column: where they begin in D; width: their length."""
    for e in range(np.uintp(D.shape[0])):
        for t in range(np.uintp(value.shape[0])):
            i, k, g = row[t], column[t], value[t] * omega[e, axis[t]]
            for q in range(width[t]):
                out[e, i + q] = out[e, i + q] + g * D[e, k + q]


@kernel(contract=True)
def pair(D_bar: Any, D: Any, omega_bar: Any, axis: Any, row: Any, column: Any, width: Any, value: Any) -> None:
    """omega_bar_k += sum of D_bar * (G_k D), (V1); complex in, complex out: the real part is the caller's."""
    for e in range(np.uintp(D.shape[0])):
        for t in range(np.uintp(value.shape[0])):
            i, k = row[t], column[t]
            total = D_bar[e, i] * D[e, k]
            for q in range(_ONE, width[t]):
                total += D_bar[e, i + q] * D[e, k + q]
            omega_bar[e, axis[t]] += value[t] * total
