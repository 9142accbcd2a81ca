"""Solid harmonics up to degree 6 and their adjoint, degree by degree, one point at a time.

The formulas of kernels/harmonics.py with the loops over (l, m) written out: the entries of a point are read and stored
in order, and only the points are looped over, which is what counts at low degrees. Labels are those of
docs/derivations/harmonics.md. r and r_bar are flat (n * 3), Y and Y_bar flat (n * (lmax + 1)^2); a, b, along_z, along_s
hold (l, m) at l(l-1)/2 + m; diagonal and order (0, 1, .. in the type of r) have lmax + 1 entries.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nbody_ref.kernels._jit import kernel

__all__ = ["LMAX", "solid", "solid_vjp"]

LMAX = 6
_I: Any = tuple(np.uintp(i) for i in range((LMAX + 1) ** 2))


@kernel(contract=True)
def _turn(x: Any, y: Any, c: Any, v: Any) -> Any:
    """c_m, v_m from those of m - 1; (A)."""
    return x * c - y * v, x * v + y * c


@kernel(contract=True)
def _scaled_turn(x: Any, y: Any, c: Any, v: Any, constant: Any) -> Any:
    """c_m, v_m, and both times the constant of the diagonal."""
    c, v = x * c - y * v, x * v + y * c
    return c, v, constant * c, constant * v


@kernel(contract=True)
def _up(a: Any, z: Any, q1: Any, b: Any, s: Any, q2: Any) -> Any:
    """Next degree of a column, (B)."""
    return a * z * q1 + b * s * q2


@kernel(contract=True)
def _put(Y: Any, k: Any, m: Any, q: Any, c: Any, v: Any) -> None:
    """Store the components -m and m of one degree, k = l(l+1); (A)."""
    Y[k - m] = q * v
    Y[k + m] = q * c


@kernel(contract=True)
def solid(r: Any, diagonal: Any, a: Any, b: Any, Y: Any) -> None:
    """Y[e, l(l+1)+m] of all points, (A) and (B), lmax <= 6; writes every entry of Y.

    u, w: c_m and v_m times the constant of the diagonal, which the columns m >= 1 therefore lack.
    """
    n, lmax = np.uintp(r.shape[0]) // _I[3], np.uintp(diagonal.shape[0]) - _I[1]
    width = (lmax + _I[1]) * (lmax + _I[1])
    q00 = diagonal[_I[0]]
    first = a[_I[0]] * q00 if lmax > _I[0] else q00
    second = b[_I[1]] * q00 if lmax > _I[1] else q00
    for e in range(_I[0], n):
        i, o = e * _I[3], e * width
        x, y, z = r[i], r[i + _I[1]], r[i + _I[2]]
        s = x * x + (y * y + z * z)
        Y[o] = q00
        if lmax == _I[0]:
            continue
        u1, w1, q10 = diagonal[_I[1]] * x, diagonal[_I[1]] * y, first * z
        k = o + _I[2]
        Y[k - _I[1]], Y[k], Y[k + _I[1]] = w1, q10, u1
        if lmax == _I[1]:
            continue
        c2, v2, u2, w2 = _scaled_turn(x, y, x, y, diagonal[_I[2]])
        q20 = a[_I[1]] * z * q10 + second * s
        q21 = a[_I[2]] * z
        k = o + _I[6]
        Y[k - _I[2]], Y[k], Y[k + _I[2]] = w2, q20, u2
        _put(Y, k, _I[1], q21, u1, w1)
        if lmax == _I[2]:
            continue
        # ---------------- written by tests/kernels/write_unrolled.py: degrees ----------------
        c3, v3, u3, w3 = _scaled_turn(x, y, c2, v2, diagonal[_I[3]])
        q30 = _up(a[_I[3]], z, q20, b[_I[3]], s, q10)
        q31 = a[_I[4]] * z * q21 + b[_I[4]] * s
        q32 = a[_I[5]] * z
        k = o + _I[12]
        Y[k - _I[3]], Y[k], Y[k + _I[3]] = w3, q30, u3
        _put(Y, k, _I[2], q32, u2, w2)
        _put(Y, k, _I[1], q31, u1, w1)
        if lmax == _I[3]:
            continue
        c4, v4, u4, w4 = _scaled_turn(x, y, c3, v3, diagonal[_I[4]])
        q40 = _up(a[_I[6]], z, q30, b[_I[6]], s, q20)
        q41 = _up(a[_I[7]], z, q31, b[_I[7]], s, q21)
        q42 = a[_I[8]] * z * q32 + b[_I[8]] * s
        q43 = a[_I[9]] * z
        k = o + _I[20]
        Y[k - _I[4]], Y[k], Y[k + _I[4]] = w4, q40, u4
        _put(Y, k, _I[3], q43, u3, w3)
        _put(Y, k, _I[2], q42, u2, w2)
        _put(Y, k, _I[1], q41, u1, w1)
        if lmax == _I[4]:
            continue
        c5, v5, u5, w5 = _scaled_turn(x, y, c4, v4, diagonal[_I[5]])
        q50 = _up(a[_I[10]], z, q40, b[_I[10]], s, q30)
        q51 = _up(a[_I[11]], z, q41, b[_I[11]], s, q31)
        q52 = _up(a[_I[12]], z, q42, b[_I[12]], s, q32)
        q53 = a[_I[13]] * z * q43 + b[_I[13]] * s
        q54 = a[_I[14]] * z
        k = o + _I[30]
        Y[k - _I[5]], Y[k], Y[k + _I[5]] = w5, q50, u5
        _put(Y, k, _I[4], q54, u4, w4)
        _put(Y, k, _I[3], q53, u3, w3)
        _put(Y, k, _I[2], q52, u2, w2)
        _put(Y, k, _I[1], q51, u1, w1)
        if lmax == _I[5]:
            continue
        _, _, u6, w6 = _scaled_turn(x, y, c5, v5, diagonal[_I[6]])
        q60 = _up(a[_I[15]], z, q50, b[_I[15]], s, q40)
        q61 = _up(a[_I[16]], z, q51, b[_I[16]], s, q41)
        q62 = _up(a[_I[17]], z, q52, b[_I[17]], s, q42)
        q63 = _up(a[_I[18]], z, q53, b[_I[18]], s, q43)
        q64 = a[_I[19]] * z * q54 + b[_I[19]] * s
        q65 = a[_I[20]] * z
        k = o + _I[42]
        Y[k - _I[6]], Y[k], Y[k + _I[6]] = w6, q60, u6
        _put(Y, k, _I[5], q65, u5, w5)
        _put(Y, k, _I[4], q64, u4, w4)
        _put(Y, k, _I[3], q63, u3, w3)
        _put(Y, k, _I[2], q62, u2, w2)
        _put(Y, k, _I[1], q61, u1, w1)
        # ---------------- end of what is written ----------------


@kernel(contract=True)
def _last(Y_bar: Any, k: Any, m: Any, cv: Any, tables: Any, t: Any, z: Any, s: Any, u: Any, z_bar: Any) -> Any:
    """Components m and -m of one degree; u = (Q of the last degree, Q of the one before, c_bar, v_bar)."""
    g, h, q = Y_bar[k + m], Y_bar[k - m], u[0]
    a, b, along_z, _ = tables
    q_bar = g * cv[0] + h * cv[1]  # V1
    up = a[t] * z * q + b[t] * s * u[1]  # (B)
    return q_bar, (up, q, g * up + u[2], h * up + u[3]), q_bar * (along_z[t] * q) + z_bar  # V2, V3


@kernel(contract=True)
def _pull(
    Y_bar: Any, k: Any, m: Any, cv: Any, tables: Any, t: Any, z: Any, s: Any, u: Any, above: Any, z_bar: Any, s_bar: Any
) -> Any:
    """`_last` and (V4), where column m + 1 has started; above = its u."""
    q_bar, u, z_bar = _last(Y_bar, k, m, cv, tables, t, z, s, u, z_bar)
    return u, z_bar, q_bar * (tables[3][t + _I[1]] * above[0]) + s_bar  # V4


@kernel(contract=True)
def _axis(Y_bar: Any, k: Any, tables: Any, t: Any, z: Any, s: Any, u: Any, above: Any, z_bar: Any, s_bar: Any) -> Any:
    """Component 0 of one degree >= 2; u = (Q of the last degree, Q of the one before)."""
    g, q = Y_bar[k], u[0]
    a, b, along_z, along_s = tables
    z_bar = g * (along_z[t] * q) + z_bar  # V3
    s_bar = g * (along_s[t + _I[1]] * above[0]) + s_bar  # V4
    return (a[t] * z * q + b[t] * s * u[1], q), z_bar, s_bar  # (B)


@kernel(contract=True)
def _start(Y_bar: Any, k: Any, m: Any, diagonal: Any, zero: Any) -> Any:
    """u of column m at its first degree; (V2)."""
    q = diagonal[m]
    return q, zero, Y_bar[k + m] * q, Y_bar[k - m] * q


@kernel(contract=True)
def _around(x_bar: Any, y_bar: Any, order: Any, u: Any, cv: Any) -> Any:
    """(V5) and (V6) of column m from c, v of m - 1."""
    return order * (u[2] * cv[0] + u[3] * cv[1]) + x_bar, order * (u[3] * cv[0] - u[2] * cv[1]) + y_bar


@kernel(contract=True)
def solid_vjp(
    Y_bar: Any, r: Any, diagonal: Any, a: Any, b: Any, along_z: Any, along_s: Any, order: Any, r_bar: Any
) -> None:
    """r_bar = sum Y_bar grad Y, (V1)-(V7), lmax <= 6."""
    n, lmax = np.uintp(r.shape[0]) // _I[3], np.uintp(diagonal.shape[0]) - _I[1]
    width, zero, tables = (lmax + _I[1]) * (lmax + _I[1]), order[_I[0]], (a, b, along_z, along_s)
    for e in range(_I[0], n):
        i, o = e * _I[3], e * width
        x, y, z = r[i], r[i + _I[1]], r[i + _I[2]]
        s = x * x + (y * y + z * z)
        x_bar, y_bar, z_bar, s_bar = zero, zero, zero, zero
        cv1 = x, y
        cv2 = cv3 = cv4 = cv5 = zero, zero
        u0 = zero, zero
        u1 = u2 = u3 = u4 = u5 = zero, zero, zero, zero
        if lmax >= _I[1]:
            k = o + _I[2]
            u0 = a[_I[0]] * diagonal[_I[0]] * z, diagonal[_I[0]]
            z_bar = Y_bar[k] * (along_z[_I[0]] * diagonal[_I[0]])  # V3
            u1 = _start(Y_bar, k, _I[1], diagonal, zero)
        if lmax >= _I[2]:
            k = o + _I[6]
            u0, z_bar, s_bar = _axis(Y_bar, k, tables, _I[1], z, s, u0, u1, z_bar, s_bar)
            _, u1, z_bar = _last(Y_bar, k, _I[1], cv1, tables, _I[2], z, s, u1, z_bar)
            cv2 = _turn(x, y, cv1[0], cv1[1])
            u2 = _start(Y_bar, k, _I[2], diagonal, zero)
        # ---------------- written by tests/kernels/write_unrolled.py: adjoint_degrees ----------------
        if lmax >= _I[3]:
            k = o + _I[12]
            u0, z_bar, s_bar = _axis(Y_bar, k, tables, _I[3], z, s, u0, u1, z_bar, s_bar)
            u1, z_bar, s_bar = _pull(Y_bar, k, _I[1], cv1, tables, _I[4], z, s, u1, u2, z_bar, s_bar)
            _, u2, z_bar = _last(Y_bar, k, _I[2], cv2, tables, _I[5], z, s, u2, z_bar)
            cv3 = _turn(x, y, cv2[0], cv2[1])
            u3 = _start(Y_bar, k, _I[3], diagonal, zero)
        if lmax >= _I[4]:
            k = o + _I[20]
            u0, z_bar, s_bar = _axis(Y_bar, k, tables, _I[6], z, s, u0, u1, z_bar, s_bar)
            u1, z_bar, s_bar = _pull(Y_bar, k, _I[1], cv1, tables, _I[7], z, s, u1, u2, z_bar, s_bar)
            u2, z_bar, s_bar = _pull(Y_bar, k, _I[2], cv2, tables, _I[8], z, s, u2, u3, z_bar, s_bar)
            _, u3, z_bar = _last(Y_bar, k, _I[3], cv3, tables, _I[9], z, s, u3, z_bar)
            cv4 = _turn(x, y, cv3[0], cv3[1])
            u4 = _start(Y_bar, k, _I[4], diagonal, zero)
        if lmax >= _I[5]:
            k = o + _I[30]
            u0, z_bar, s_bar = _axis(Y_bar, k, tables, _I[10], z, s, u0, u1, z_bar, s_bar)
            u1, z_bar, s_bar = _pull(Y_bar, k, _I[1], cv1, tables, _I[11], z, s, u1, u2, z_bar, s_bar)
            u2, z_bar, s_bar = _pull(Y_bar, k, _I[2], cv2, tables, _I[12], z, s, u2, u3, z_bar, s_bar)
            u3, z_bar, s_bar = _pull(Y_bar, k, _I[3], cv3, tables, _I[13], z, s, u3, u4, z_bar, s_bar)
            _, u4, z_bar = _last(Y_bar, k, _I[4], cv4, tables, _I[14], z, s, u4, z_bar)
            cv5 = _turn(x, y, cv4[0], cv4[1])
            u5 = _start(Y_bar, k, _I[5], diagonal, zero)
        if lmax >= _I[6]:
            k = o + _I[42]
            u0, z_bar, s_bar = _axis(Y_bar, k, tables, _I[15], z, s, u0, u1, z_bar, s_bar)
            u1, z_bar, s_bar = _pull(Y_bar, k, _I[1], cv1, tables, _I[16], z, s, u1, u2, z_bar, s_bar)
            u2, z_bar, s_bar = _pull(Y_bar, k, _I[2], cv2, tables, _I[17], z, s, u2, u3, z_bar, s_bar)
            u3, z_bar, s_bar = _pull(Y_bar, k, _I[3], cv3, tables, _I[18], z, s, u3, u4, z_bar, s_bar)
            u4, z_bar, s_bar = _pull(Y_bar, k, _I[4], cv4, tables, _I[19], z, s, u4, u5, z_bar, s_bar)
            _, u5, z_bar = _last(Y_bar, k, _I[5], cv5, tables, _I[20], z, s, u5, z_bar)
            u6 = _start(Y_bar, k, _I[6], diagonal, zero)
            x_bar, y_bar = _around(x_bar, y_bar, order[_I[6]], u6, cv5)
        if lmax >= _I[5]:
            x_bar, y_bar = _around(x_bar, y_bar, order[_I[5]], u5, cv4)
        if lmax >= _I[4]:
            x_bar, y_bar = _around(x_bar, y_bar, order[_I[4]], u4, cv3)
        if lmax >= _I[3]:
            x_bar, y_bar = _around(x_bar, y_bar, order[_I[3]], u3, cv2)
        if lmax >= _I[2]:
            x_bar, y_bar = _around(x_bar, y_bar, order[_I[2]], u2, cv1)
        # ---------------- end of what is written ----------------
        r_bar[i] = x * s_bar + (x_bar + u1[2])  # V7
        r_bar[i + _I[1]] = y * s_bar + (y_bar + u1[3])  # V7
        r_bar[i + _I[2]] = z_bar
