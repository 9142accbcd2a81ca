"""A gauge as a set of switches, and translations to and from ours.

Two libraries that agree on the mathematics still differ in axes, component order, signs, norms and storage. A
`Convention` lists these as independent switches, and its methods carry harmonics, D matrices, Clebsch-Gordan tensors
and states across. They permute, change signs, conjugate and scale, nothing else, so that no digits are lost.

"Native" is our gauge of the same kind: the real one for a library with real harmonics, the complex one otherwise
(docs/conventions.md); `nbody_ref.tables.real_to_complex` leads from one to the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt, pi, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from nbody_ref.errors import IrrepsError, ShapeError
from nbody_ref.exact.wigner import wigner_D_real
from nbody_ref.irreps import Irrep, Irreps

if TYPE_CHECKING:
    from scipy.spatial.transform import Rotation

__all__ = ["Convention"]

Array = np.ndarray[Any, Any]

# Sorted triples of degrees at which e3nn 0.4.4 has the opposite sign of e3nn >= 0.5, by their largest degree; read from
# the tables that e3nn 0.4.4 ships, which end at degree 11. All sums are odd.
_E3NN_04_PAIRS = {
    2: "1 2",
    3: "1 3",
    4: "1 4",
    5: "1 5, 4 4, 5 5",
    6: "1 6, 3 4, 4 5, 5 6",
    7: "1 7, 3 5, 4 6, 5 7",
    8: "1 8, 3 6, 4 7, 5 8",
    9: "1 9, 3 7, 4 8, 5 9, 6 6, 7 7, 8 8, 9 9",
    10: "1 10, 3 8, 4 9, 5 6, 5 10, 6 7, 7 8, 8 9, 9 10",
    11: "1 11, 3 9, 4 10, 5 7, 5 11, 6 8, 7 9, 8 10, 9 11",
}
_E3NN_04_FLIPPED = frozenset(
    (*map(int, pair.split()), l) for l, pairs in _E3NN_04_PAIRS.items() for pair in pairs.split(", ")
)
_E3NN_04_LMAX = 11
_QUATERNIONS = {(0, 1, 2): (1, 0, 0, 0), (2, 0, 1): (1, 1, 1, 1), (1, 2, 0): (1, -1, -1, -1)}


@dataclass(frozen=True, kw_only=True)
class Convention:
    """The switches in which a library may differ from this one; the defaults are our own.

    Parameters
    ----------
    name : str
    basis : {"real", "complex"}
        Components belong to real harmonics, or to |l m> with Condon-Shortley phases.
    axes : tuple of int
        Its harmonics at r are ours at ``r[..., axes]``.
    descending : bool
        Arrays over m run from l down to -l.
    odd_sign : bool
        Components carry an extra (-1)^m: real harmonics that keep the Condon-Shortley phase.
    conjugate : bool
        Harmonics and states are those of Y, not of conj(Y), and transform with conj(D).
    conjugate_D : bool
        The D matrices it hands out are conj(<l m'|R|l m>).
    normalization : {"integral", "component", "norm"}
        Norm of its harmonics if none is asked for.
    cg_sign : {"native", "e3nn>=0.5", "e3nn==0.4.4"}
        Sign of its couplings relative to ours, per triple of degrees.
    cg_norm : {"columns", "unit"}
        Orthonormal columns, or the whole tensor of Frobenius norm 1.
    layout : {"ir_mul", "mul_ir"}
        Fragments of a part: (2l + 1, mul) or (mul, 2l + 1), the last axis fastest.
    irreps_order : {"written", "odd first", "natural first"}
        Order in which it sorts the parts of a type, as for the result of a full product: as written, or by degree and
        within a degree p = -1 before p = 1, or p = (-1)^l before the other.
    quaternion : {"xyzw", "wxyz"}
    euler : {"ZYZ", "YXY"}
        Axes of its Euler angles (a, b, g); the rotation by g comes first.
    euler_sign : {1, -1}
        -1: it means the angles -a, -b, -g.
    storage : {"complex", "re_im"}
        Complex numbers are a dtype, or a last axis of length 2.
    conjugate_gradient : bool
        Gradients in complex arguments are conjugate to the transpose convention, dE = Re sum(x_bar * x_dot).
    """

    name: str
    basis: str = "real"
    axes: tuple[int, int, int] = (0, 1, 2)
    descending: bool = False
    odd_sign: bool = False
    conjugate: bool = False
    conjugate_D: bool = False
    normalization: str = "integral"
    cg_sign: str = "native"
    cg_norm: str = "columns"
    layout: str = "ir_mul"
    irreps_order: str = "written"
    quaternion: str = "xyzw"
    euler: str = "ZYZ"
    euler_sign: int = 1
    storage: str = "complex"
    conjugate_gradient: bool = False

    def positions_to_native(self, r: Any) -> Array:
        """Positions (..., 3) at which our harmonics are its harmonics at `r`."""
        return np.asarray(r)[..., list(self.axes)]

    def positions_from_native(self, r: Any) -> Array:
        """Inverse of `positions_to_native`."""
        return np.asarray(r)[..., np.argsort(self.axes)]

    def rotation_to_native(self, rotation: Rotation) -> Rotation:
        """The rotation as it acts on relabelled axes: our D of it is its D of `rotation`."""
        relabel = self._relabel()
        return relabel * rotation * relabel.inv()

    def rotation_from_native(self, rotation: Rotation) -> Rotation:
        """Inverse of `rotation_to_native`."""
        relabel = self._relabel()
        return relabel.inv() * rotation * relabel

    def rotation_from_euler(self, a: float, b: float, g: float) -> Rotation:
        """The rotation, in its own axes, that it means by three Euler angles (radians)."""
        from scipy.spatial.transform import Rotation

        return Rotation.from_euler(self.euler, self.euler_sign * np.array([a, b, g]))

    def rotation_from_quaternion(self, q: Any) -> Rotation:
        """The rotation, in its own axes, that it means by four numbers (..., 4)."""
        from scipy.spatial.transform import Rotation

        q = np.asarray(q)
        return Rotation.from_quat(q if self.quaternion == "xyzw" else q[..., [1, 2, 3, 0]])

    def frame(self, l: int) -> Array:
        """Orthogonal matrix B with (its fragment) = B (our real fragment) for unmoved axes, correctly rounded.

        Needed only by those who cannot relabel positions; real gauge, before `descending` and `odd_sign`.
        """
        D = wigner_D_real(l, _QUATERNIONS[self.axes])
        return np.array([[entry.round("float64") for entry in row] for row in D])

    def harmonics_to_native(self, Y: Any, normalization: str = "integral") -> Array:
        """Our fragments of directions `positions_to_native(r)` from its harmonics of r.

        Parameters
        ----------
        Y : (..., (lmax + 1)**2) real or complex
            Degrees 0..lmax side by side, in its normalization.
        normalization : {"integral", "component", "norm"}
            That of the result.

        Returns
        -------
        (..., (lmax + 1)**2)
            In the complex gauge these are conj(Y), the covariant vectors.
        """
        return self._harmonics(self._read(Y), self.normalization, normalization)

    def harmonics_from_native(self, Y: Any, normalization: str = "integral") -> Array:
        """Inverse of `harmonics_to_native`; `normalization` is that of the argument."""
        return self._write(self._harmonics(np.asarray(Y), normalization, self.normalization))

    def D_to_native(self, l: int, D: Any) -> Array:
        """Our D^l(rotation_to_native(R)) from its D^l(R); (..., 2l + 1, 2l + 1), rows and columns alike."""
        return self._matrix(l, self._read(D))

    def D_from_native(self, l: int, D: Any) -> Array:
        """Inverse of `D_to_native`."""
        return self._write(self._matrix(l, np.asarray(D)))

    def cg_to_native(self, l1: int, l2: int, l: int, C: Any) -> Array:
        """Our coupling C[m1, m2, m] from its; exact but for the factor sqrt(2l + 1) of ``cg_norm="unit"``.

        Raises
        ------
        ShapeError
            If `C` is not (2*l1 + 1, 2*l2 + 1, 2*l + 1).
        IrrepsError
            If the signs of e3nn 0.4.4 are asked for beyond degree 11, where its tables end.
        """
        return self._coupling(l1, l2, l, C, sqrt(2 * l + 1))

    def cg_from_native(self, l1: int, l2: int, l: int, C: Any) -> Array:
        """Inverse of `cg_to_native`."""
        return self._coupling(l1, l2, l, C, 1.0 / sqrt(2 * l + 1))

    def coupling_sign(self, l1: int, l2: int, l: int) -> int:
        """Sign of its coupling relative to ours, 1 or -1, apart from order and signs of components."""
        return _cg_sign(self.cg_sign, l1, l2, l)

    def state_to_native(self, irreps: Irreps | str, x: Any, arranged: bool = False) -> Array:
        """Our state (..., irreps.dim) from its; parts in the written order of `irreps`.

        With `arranged`, the parts of `x` are in the order of `arranged(irreps)`; those of the result as written.
        """
        written = Irreps(irreps)
        tau, places = self.arranged(written) if arranged else (written, tuple(range(len(written))))
        found = self._state(tau, self._read(x), self.layout == "mul_ir", False)
        return found if tau == written else _rearranged(found, tau, np.argsort(places))

    def state_from_native(self, irreps: Irreps | str, x: Any, arranged: bool = False) -> Array:
        """Inverse of `state_to_native`."""
        written, x = Irreps(irreps), np.asarray(x)
        tau, places = self.arranged(written) if arranged else (written, tuple(range(len(written))))
        if tau != written and x.shape[-1:] == (written.dim,):
            x = _rearranged(x, written, places)
        return self._write(self._state(tau, x, False, self.layout == "mul_ir"))

    def arranged(self, irreps: Irreps | str) -> tuple[Irreps, tuple[int, ...]]:
        """A type with its parts in the order in which it sorts them, and the place of each in the written type.

        Examples
        --------
        >>> from nbody_ref import conventions
        >>> conventions.get("e3nn>=0.5").arranged("1x1e + 2x0e + 1x1o")
        (Irreps('2x0e + 1x1o + 1x1e'), (1, 2, 0))
        """
        tau = Irreps(irreps)
        places = tuple(sorted(range(len(tau)), key=lambda i: self._rank(tau[i].irrep)))  # stable
        return Irreps(tau[i] for i in places), places

    def _rank(self, irrep: Irrep) -> tuple[int, int]:
        if self.irreps_order == "written":
            return 0, 0
        p = irrep.p or 0
        return irrep.l, p if self.irreps_order == "odd first" else -p * (-1) ** irrep.l

    def gradient_to_native(self, x_bar: Any) -> Array:
        """Our cotangent of a complex argument from its gradient; an involution, so also the way back."""
        return np.conj(x_bar) if self.conjugate_gradient else np.asarray(x_bar)

    def _relabel(self) -> Rotation:
        from scipy.spatial.transform import Rotation

        w, *vector = _QUATERNIONS[self.axes]
        return Rotation.from_quat([*vector, w])

    def _vector(self, l: int, v: Array, axis: int) -> Array:
        """Component order and sign along one axis; an involution."""
        if self.descending:
            v = np.flip(v, axis)
        if self.odd_sign:
            shape = [1] * v.ndim
            shape[axis] = 2 * l + 1
            v = v * np.array([1 - 2 * (m % 2) for m in range(-l, l + 1)]).astype(v.real.dtype).reshape(shape)
        return v

    def _harmonics(self, Y: Array, old: str, new: str) -> Array:
        lmax = isqrt(Y.shape[-1] if Y.ndim else 0) - 1
        if lmax < 0 or Y.shape[-1] != (lmax + 1) ** 2:
            raise ShapeError(f"{self.name}: 'Y' must have (lmax + 1)**2 components, got shape {Y.shape}")
        parts = []
        for l in range(lmax + 1):
            part = self._vector(l, Y[..., l * l : (l + 1) ** 2], -1)
            parts.append(part if old == new else part * (_norm(new, l) / _norm(old, l)))
        joined = np.concatenate(parts, axis=-1)
        return np.conj(joined) if self.conjugate else joined

    def _matrix(self, l: int, D: Array) -> Array:
        if D.shape[-2:] != (2 * l + 1, 2 * l + 1):
            raise ShapeError(f"{self.name}: 'D' must have shape (..., {2 * l + 1}, {2 * l + 1}), got {D.shape}")
        D = self._vector(l, self._vector(l, D, -1), -2)
        return np.conj(D) if self.conjugate_D else D

    def _coupling(self, l1: int, l2: int, l: int, C: Any, scale: float) -> Array:
        C, degrees = np.asarray(C), (l1, l2, l)
        if C.shape != tuple(2 * degree + 1 for degree in degrees):
            raise ShapeError(f"{self.name}: 'C' must have shape (2l1 + 1, 2l2 + 1, 2l + 1), got {C.shape}")
        for axis, degree in enumerate(degrees):
            C = self._vector(degree, C, axis)
        sign = _cg_sign(self.cg_sign, l1, l2, l)
        return np.asarray(C * (sign * scale if self.cg_norm == "unit" else sign))

    def _state(self, irreps: Irreps, x: Array, transposed: bool, transpose: bool) -> Array:
        if x.ndim == 0 or x.shape[-1] != irreps.dim:
            raise ShapeError(f"{self.name}: a state of type {irreps} has {irreps.dim} components, got shape {x.shape}")
        parts = [x[..., :0]]
        for start, (mul, irrep) in zip(irreps.offsets, irreps):
            shape = (mul, irrep.dim) if transposed else (irrep.dim, mul)
            part = x[..., start : start + mul * irrep.dim].reshape(*x.shape[:-1], *shape)
            part = self._vector(irrep.l, np.swapaxes(part, -1, -2) if transposed else part, -2)
            part = np.swapaxes(part, -1, -2) if transpose else part
            parts.append(part.reshape(*x.shape[:-1], mul * irrep.dim))
        joined = np.concatenate(parts, axis=-1)
        return np.conj(joined) if self.conjugate else joined

    def _read(self, array: Any) -> Array:
        a = np.asarray(array)
        if self.storage == "complex":
            return a
        if a.ndim == 0 or a.shape[-1] != 2:
            raise ShapeError(f"{self.name}: the last axis must be (re, im), got shape {a.shape}")
        return np.asarray(a[..., 0] + 1j * a[..., 1])

    def _write(self, a: Array) -> Array:
        return a if self.storage == "complex" else np.stack([a.real, a.imag], axis=-1)


def _rearranged(x: Array, irreps: Irreps, places: Any) -> Array:
    """The parts of a state in another order."""
    blocks = [x[..., irreps.offsets[i] : irreps.offsets[i] + irreps[i].dim] for i in places]
    return np.concatenate(blocks, axis=-1)


def _norm(normalization: str, l: int) -> float:
    if normalization not in ("integral", "component", "norm"):
        raise IrrepsError(f"conventions: 'normalization' must be integral, component or norm, got {normalization!r}")
    return {"integral": 1.0, "component": sqrt(4 * pi), "norm": sqrt(4 * pi / (2 * l + 1))}[normalization]


def _cg_sign(rule: str, l1: int, l2: int, l: int) -> int:
    """Sign of its coupling relative to ours."""
    if rule == "native":
        return 1
    sign = -1 if (l1 + l2 - l) // 2 % 2 else 1
    if rule == "e3nn==0.4.4":
        if max(l1, l2, l) > _E3NN_04_LMAX:
            raise IrrepsError(f"conventions: the tables of e3nn 0.4.4 end at degree 11, got ({l1}, {l2}, {l})")
        sign *= -1 if tuple(sorted((l1, l2, l))) in _E3NN_04_FLIPPED else 1
    return sign
