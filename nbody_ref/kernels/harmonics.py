"""Solid harmonics by recursion in the degree, one column m at a time, with tangents and adjoints.

    Y_{l, +m} = Q_l^m(z, s) c_m(x, y),   Y_{l, -m} = Q_l^m(z, s) v_m(x, y),   s = |r|^2,   c_m + i v_m = (x + i y)^m

Four points travel together as tuples, so that table entries and loop counters serve four; the last block repeats its
last point. Labels are those of docs/derivations/harmonics.md. r and r_bar are flat (n * 3), Y and Y_bar
flat (n * (lmax + 1)^2).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbody_ref.kernels._jit import kernel

__all__ = ["LANES", "solid", "solid_jvp", "solid_vjp", "solid_vjp_jvp"]

_ZERO: Any = np.uintp(0)
_ONE: Any = np.uintp(1)
_TWO: Any = np.uintp(2)
_THREE: Any = np.uintp(3)
_FOUR: Any = np.uintp(4)
LANES = 4


@kernel()
def _rows(start: Any, n: Any, width: Any) -> Any:
    """Offsets of four rows of an array of n rows; beyond the end, of the last row."""
    last = n - _ONE
    return (
        start * width,
        min(start + _ONE, last) * width,
        min(start + _TWO, last) * width,
        min(start + _THREE, last) * width,
    )


@kernel()
def _load(a: Any, i: Any, k: Any) -> Any:
    return a[i[0] + k], a[i[1] + k], a[i[2] + k], a[i[3] + k]


@kernel()
def _store(a: Any, i: Any, k: Any, x: Any) -> None:
    a[i[0] + k] = x[0]
    a[i[1] + k] = x[1]
    a[i[2] + k] = x[2]
    a[i[3] + k] = x[3]


@kernel()
def _fill(c: Any) -> Any:
    return c, c, c, c


@kernel(contract=True)
def _add(x: Any, y: Any) -> Any:
    return x[0] + y[0], x[1] + y[1], x[2] + y[2], x[3] + y[3]


@kernel(contract=True)
def _mul(x: Any, y: Any) -> Any:
    return x[0] * y[0], x[1] * y[1], x[2] * y[2], x[3] * y[3]


@kernel(contract=True)
def _scale(c: Any, x: Any) -> Any:
    return c * x[0], c * x[1], c * x[2], c * x[3]


@kernel(contract=True)
def _scale_mul_add(c: Any, x: Any, y: Any, z: Any) -> Any:
    """c x y + z, with one number c."""
    return c * x[0] * y[0] + z[0], c * x[1] * y[1] + z[1], c * x[2] * y[2] + z[2], c * x[3] * y[3] + z[3]


@kernel(contract=True)
def _mul_add(x: Any, y: Any, z: Any) -> Any:
    return x[0] * y[0] + z[0], x[1] * y[1] + z[1], x[2] * y[2] + z[2], x[3] * y[3] + z[3]


@kernel(contract=True)
def _sum2(x: Any, y: Any, z: Any, w: Any) -> Any:
    """x y + z w."""
    return (
        x[0] * y[0] + z[0] * w[0],
        x[1] * y[1] + z[1] * w[1],
        x[2] * y[2] + z[2] * w[2],
        x[3] * y[3] + z[3] * w[3],
    )


@kernel(contract=True)
def _diff2(x: Any, y: Any, z: Any, w: Any) -> Any:
    """x y - z w."""
    return (
        x[0] * y[0] - z[0] * w[0],
        x[1] * y[1] - z[1] * w[1],
        x[2] * y[2] - z[2] * w[2],
        x[3] * y[3] - z[3] * w[3],
    )


@kernel(contract=True)
def _up(a: Any, z: Any, q1: Any, b: Any, s: Any, q2: Any) -> Any:
    """Next degree of a column, (B): a z q1 + b s q2 with numbers a, b."""
    return (
        a * z[0] * q1[0] + b * s[0] * q2[0],
        a * z[1] * q1[1] + b * s[1] * q2[1],
        a * z[2] * q1[2] + b * s[2] * q2[2],
        a * z[3] * q1[3] + b * s[3] * q2[3],
    )


@kernel(contract=True)
def _scale_mul2(a: Any, z: Any, q1: Any, b: Any, s: Any) -> Any:
    """a z q1 + b s with numbers a, b."""
    return (
        a * z[0] * q1[0] + b * s[0],
        a * z[1] * q1[1] + b * s[1],
        a * z[2] * q1[2] + b * s[2],
        a * z[3] * q1[3] + b * s[3],
    )


@kernel(contract=True)
def _put(Y: Any, o: Any, k: Any, m: Any, q: Any, c: Any, v: Any) -> None:
    """Store the components -m and m of one degree, k = l(l+1); (A)."""
    if m == _ZERO:
        _store(Y, o, k, q)
    else:
        _store(Y, o, k - m, _mul(q, v))
        _store(Y, o, k + m, _mul(q, c))


@kernel(contract=True)
def solid(r: Any, table: Any, Y: Any) -> None:
    """Y[e, l(l+1)+m] of all points, (A) and (B); writes every entry of Y."""
    n, lmax = np.uintp(r.shape[0]) // _THREE, np.uintp(table.diagonal.shape[0]) - _ONE
    a, b, diagonal = table.a, table.b, table.diagonal
    for start in range(_ZERO, n, _FOUR):
        i, o = _rows(start, n, _THREE), _rows(start, n, (lmax + _ONE) * (lmax + _ONE))
        x, y, z = _load(r, i, _ZERO), _load(r, i, _ONE), _load(r, i, _TWO)
        s = _mul_add(x, x, _sum2(y, y, z, z))
        c, v, t = x, y, _ZERO
        for m in range(lmax + _ONE):
            if m > _ONE:
                c, v = _diff2(x, c, y, v), _sum2(x, v, y, c)
            first, k = diagonal[m], m * m + m
            if m == _ZERO:
                _store(Y, o, _ZERO, _fill(first))
            else:
                _store(Y, o, k - m, _scale(first, v))
                _store(Y, o, k + m, _scale(first, c))
            if m == lmax:
                break
            q2, q1 = z, _scale(a[t] * first, z)
            t, k = t + _ONE, k + m + m + _TWO
            _put(Y, o, k, m, q1, c, v)
            if m + _ONE == lmax:
                continue
            q2, q1 = q1, _scale_mul2(a[t], z, q1, b[t] * first, s)
            t, k = t + _ONE, k + m + m + _FOUR
            _put(Y, o, k, m, q1, c, v)
            for l in range(m + _THREE, lmax + _ONE):
                q = _up(a[t], z, q1, b[t], s, q2)
                q2, q1 = q1, q
                t, k = t + _ONE, k + l + l
                _put(Y, o, k, m, q, c, v)


@kernel(contract=True)
def solid_jvp(r: Any, r_dot: Any, table: Any, Y_dot: Any) -> None:
    """Y_dot = (r_dot . grad) Y: the recursion differentiated, (D1)-(D4); writes every entry."""
    n, lmax = np.uintp(r.shape[0]) // _THREE, np.uintp(table.diagonal.shape[0]) - _ONE
    zero = _fill(table.unit[0])
    for start in range(_ZERO, n, _FOUR):
        i, o = _rows(start, n, _THREE), _rows(start, n, (lmax + _ONE) * (lmax + _ONE))
        x, y, z = _load(r, i, _ZERO), _load(r, i, _ONE), _load(r, i, _TWO)
        xd, yd, zd = _load(r_dot, i, _ZERO), _load(r_dot, i, _ONE), _load(r_dot, i, _TWO)
        s, sd = _mul_add(x, x, _sum2(y, y, z, z)), _mul_add(x, xd, _sum2(y, yd, z, zd))
        sd = _add(sd, sd)
        c, v, cd, vd, t = _fill(table.unit[1]), zero, zero, zero, _ZERO
        for m in range(lmax + _ONE):
            q2, q1, q2d, q1d, k = zero, _fill(table.diagonal[m]), zero, zero, m * m + m
            _store(Y_dot, o, k - m, _mul(q1, vd))
            _store(Y_dot, o, k + m, _mul(q1, cd))
            for l in range(m + _ONE, lmax + _ONE):
                a, b = table.a[t], table.b[t]
                q = _up(a, z, q1, b, s, q2)
                qd = _add(_up(a, z, q1d, b, s, q2d), _up(a, zd, q1, b, sd, q2))
                q2, q1, q2d, q1d, t, k = q1, q, q1d, qd, t + _ONE, k + l + l
                _store(Y_dot, o, k - m, _sum2(qd, v, q, vd))
                _store(Y_dot, o, k + m, _sum2(qd, c, q, cd))
            cd, vd = (
                _add(_diff2(x, cd, y, vd), _diff2(xd, c, yd, v)),
                _add(_sum2(x, vd, y, cd), _sum2(xd, v, yd, c)),
            )
            c, v = _diff2(x, c, y, v), _sum2(x, v, y, c)


@kernel(contract=True)
def solid_vjp(Y_bar: Any, r: Any, table: Any, column: Any, r_bar: Any) -> None:
    """r_bar = sum Y_bar grad Y, (V1)-(V7); column, (lmax + 1) * 4, holds Q_bar of the column before."""
    n, lmax = np.uintp(r.shape[0]) // _THREE, np.uintp(table.diagonal.shape[0]) - _ONE
    zero, own = _fill(table.unit[0]), (_ZERO, _ONE, _TWO, _THREE)
    for start in range(_ZERO, n, _FOUR):
        i, o = _rows(start, n, _THREE), _rows(start, n, (lmax + _ONE) * (lmax + _ONE))
        x, y, z = _load(r, i, _ZERO), _load(r, i, _ONE), _load(r, i, _TWO)
        s = _mul_add(x, x, _sum2(y, y, z, z))
        x_bar, y_bar, z_bar, s_bar = zero, zero, zero, zero
        q2, q1, t, k = zero, _fill(table.diagonal[_ZERO]), _ZERO, _ZERO
        for l in range(_ONE, lmax + _ONE):
            k += l + l
            q_bar = _load(Y_bar, o, k)  # V1 at m = 0
            z_bar = _scale_mul_add(table.along_z[t], q_bar, q1, z_bar)  # V3
            _store(column, own, l * _FOUR, q_bar)
            q2, q1, t = q1, _up(table.a[t], z, q1, table.b[t], s, q2), t + _ONE
        c1, v1, order = _fill(table.unit[1]), zero, table.unit[1]
        for m in range(_ONE, lmax + _ONE):
            c, v = _diff2(x, c1, y, v1), _sum2(x, v1, y, c1)
            q2, q1, k = zero, _fill(table.diagonal[m]), m * m + m
            c_bar, v_bar = _mul(_load(Y_bar, o, k + m), q1), _mul(_load(Y_bar, o, k - m), q1)  # V2 at l = m
            for l in range(m + _ONE, lmax + _ONE):
                k += l + l
                g, h = _load(Y_bar, o, k + m), _load(Y_bar, o, k - m)
                q_bar = _sum2(g, c, h, v)  # V1
                z_bar = _scale_mul_add(table.along_z[t], q_bar, q1, z_bar)  # V3
                s_bar = _scale_mul_add(table.along_s[t], _load(column, own, l * _FOUR), q1, s_bar)  # V4
                _store(column, own, l * _FOUR, q_bar)
                q2, q1, t = q1, _up(table.a[t], z, q1, table.b[t], s, q2), t + _ONE
                c_bar, v_bar = _mul_add(g, q1, c_bar), _mul_add(h, q1, v_bar)  # V2
            x_bar = _add(x_bar, _scale(order, _sum2(c_bar, c1, v_bar, v1)))  # V5
            y_bar = _add(y_bar, _scale(order, _diff2(v_bar, c1, c_bar, v1)))  # V6
            c1, v1, order = c, v, order + table.unit[1]
        _store(r_bar, i, _ZERO, _mul_add(x, s_bar, x_bar))  # V7
        _store(r_bar, i, _ONE, _mul_add(y, s_bar, y_bar))  # V7
        _store(r_bar, i, _TWO, z_bar)


@kernel(contract=True)
def solid_vjp_jvp(
    Y_bar: Any, r: Any, Y_bar_dot: Any, r_dot: Any, table: Any, column: Any, column_dot: Any, r_bar_dot: Any
) -> None:
    """Tangent of `solid_vjp`: each of its lines with the product rule; no Hessian is formed."""
    n, lmax = np.uintp(r.shape[0]) // _THREE, np.uintp(table.diagonal.shape[0]) - _ONE
    zero, own = _fill(table.unit[0]), (_ZERO, _ONE, _TWO, _THREE)
    for start in range(_ZERO, n, _FOUR):
        i, o = _rows(start, n, _THREE), _rows(start, n, (lmax + _ONE) * (lmax + _ONE))
        x, y, z = _load(r, i, _ZERO), _load(r, i, _ONE), _load(r, i, _TWO)
        xd, yd, zd = _load(r_dot, i, _ZERO), _load(r_dot, i, _ONE), _load(r_dot, i, _TWO)
        s, sd = _mul_add(x, x, _sum2(y, y, z, z)), _mul_add(x, xd, _sum2(y, yd, z, zd))
        sd = _add(sd, sd)
        x_dot, y_dot, z_dot, s_bar, s_bar_dot = zero, zero, zero, zero, zero
        q2, q1, q2d, q1d, t, k = zero, _fill(table.diagonal[_ZERO]), zero, zero, _ZERO, _ZERO
        for l in range(_ONE, lmax + _ONE):
            k += l + l
            g, gd, a, b = _load(Y_bar, o, k), _load(Y_bar_dot, o, k), table.a[t], table.b[t]  # V1 at m = 0
            z_dot = _add(z_dot, _scale(table.along_z[t], _sum2(gd, q1, g, q1d)))  # V3
            _store(column, own, l * _FOUR, g)
            _store(column_dot, own, l * _FOUR, gd)
            qd = _add(_up(a, z, q1d, b, s, q2d), _up(a, zd, q1, b, sd, q2))
            q2, q1, q2d, q1d, t = q1, _up(a, z, q1, b, s, q2), q1d, qd, t + _ONE
        c1, v1, c1d, v1d, order = _fill(table.unit[1]), zero, zero, zero, table.unit[1]
        for m in range(_ONE, lmax + _ONE):
            c, v = _diff2(x, c1, y, v1), _sum2(x, v1, y, c1)
            cd = _add(_diff2(x, c1d, y, v1d), _diff2(xd, c1, yd, v1))
            vd = _add(_sum2(x, v1d, y, c1d), _sum2(xd, v1, yd, c1))
            q2, q1, q2d, q1d, k = zero, _fill(table.diagonal[m]), zero, zero, m * m + m
            c_bar, v_bar = _mul(_load(Y_bar, o, k + m), q1), _mul(_load(Y_bar, o, k - m), q1)  # V2 at l = m
            c_bar_dot, v_bar_dot = _mul(_load(Y_bar_dot, o, k + m), q1), _mul(_load(Y_bar_dot, o, k - m), q1)  # V2
            for l in range(m + _ONE, lmax + _ONE):
                k += l + l
                g, h, gd, hd = (
                    _load(Y_bar, o, k + m),
                    _load(Y_bar, o, k - m),
                    _load(Y_bar_dot, o, k + m),
                    _load(Y_bar_dot, o, k - m),
                )
                p, pd = _load(column, own, l * _FOUR), _load(column_dot, own, l * _FOUR)
                q_bar, q_bar_dot = _sum2(g, c, h, v), _add(_sum2(gd, c, hd, v), _sum2(g, cd, h, vd))  # V1
                z_dot = _add(z_dot, _scale(table.along_z[t], _sum2(q_bar_dot, q1, q_bar, q1d)))  # V3
                s_bar = _scale_mul_add(table.along_s[t], p, q1, s_bar)  # V4
                s_bar_dot = _add(s_bar_dot, _scale(table.along_s[t], _sum2(pd, q1, p, q1d)))  # V4
                _store(column, own, l * _FOUR, q_bar)
                _store(column_dot, own, l * _FOUR, q_bar_dot)
                a, b = table.a[t], table.b[t]
                qd = _add(_up(a, z, q1d, b, s, q2d), _up(a, zd, q1, b, sd, q2))
                q2, q1, q2d, q1d, t = q1, _up(a, z, q1, b, s, q2), q1d, qd, t + _ONE
                c_bar, v_bar = _mul_add(g, q1, c_bar), _mul_add(h, q1, v_bar)  # V2
                c_bar_dot = _add(c_bar_dot, _sum2(gd, q1, g, q1d))  # V2
                v_bar_dot = _add(v_bar_dot, _sum2(hd, q1, h, q1d))  # V2
            turn = _add(_sum2(c_bar_dot, c1, v_bar_dot, v1), _sum2(c_bar, c1d, v_bar, v1d))
            x_dot = _add(x_dot, _scale(order, turn))  # V5
            turn = _add(_diff2(v_bar_dot, c1, c_bar_dot, v1), _diff2(v_bar, c1d, c_bar, v1d))
            y_dot = _add(y_dot, _scale(order, turn))  # V6
            c1, v1, c1d, v1d, order = c, v, cd, vd, order + table.unit[1]
        _store(r_bar_dot, i, _ZERO, _add(x_dot, _sum2(x, s_bar_dot, xd, s_bar)))  # V7
        _store(r_bar_dot, i, _ONE, _add(y_dot, _sum2(y, s_bar_dot, yd, s_bar)))  # V7
        _store(r_bar_dot, i, _TWO, z_dot)
