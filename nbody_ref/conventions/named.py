"""The gauges of other libraries, by name."""

from __future__ import annotations

from typing import Any

from nbody_ref.conventions.convention import Convention
from nbody_ref.errors import IrrepsError

__all__ = ["get", "names"]


def get(name: str) -> Convention:
    """The convention of a library by its name.

    Parameters
    ----------
    name : str
        One of `names()`; "e3nn-0.4" and "spherical" (the library of M. Boyle, "moble") are understood too.

    Returns
    -------
    Convention

    Raises
    ------
    IrrepsError
        If the name is unknown.

    Examples
    --------
    >>> get("e3nn>=0.5").axes
    (2, 0, 1)
    """
    name = _ALIASES.get(name, name) if isinstance(name, str) else name
    if not isinstance(name, str) or name not in _KNOWN:
        raise IrrepsError(f"conventions.get: 'name' must be one of {', '.join(_KNOWN)}, got {name!r}")
    return _KNOWN[name]


def names() -> tuple[str, ...]:
    """All names that `get` knows."""
    return tuple(_KNOWN)


def _e3nn(name: str, **changes: Any) -> Convention:
    """Real harmonics with polar axis y: ours at (z, x, y)."""
    switches: dict[str, Any] = {
        "axes": (2, 0, 1),
        "cg_sign": "e3nn>=0.5",
        "cg_norm": "unit",
        "layout": "mul_ir",
        "irreps_order": "odd first",
        "quaternion": "wxyz",
        "euler": "YXY",
    }
    return Convention(name=name, **switches | changes)


def _complex(name: str, **changes: Any) -> Convention:
    """Condon-Shortley harmonics Y itself; the covariant fragment is its conjugate."""
    return Convention(name=name, basis="complex", **{"conjugate": True} | changes)


_KNOWN = {
    convention.name: convention
    for convention in (
        Convention(name="nbody_ref"),
        Convention(name="nbody_ref-complex", basis="complex"),
        _e3nn("e3nn>=0.5"),
        _e3nn("e3nn==0.4.4", cg_sign="e3nn==0.4.4"),
        _e3nn("mace", normalization="component", cg_sign="e3nn==0.4.4"),
        _e3nn("e3nn-jax", normalization="component", irreps_order="natural first"),
        _e3nn("openequivariance"),
        _e3nn(
            "cuequivariance",
            normalization="component",
            cg_norm="columns",
            layout="ir_mul",
            irreps_order="natural first",
        ),
        Convention(name="sphericart"),
        Convention(name="featomic"),
        _complex("scipy"),
        _complex("sympy", descending=True, euler_sign=-1),
        Convention(name="sympy-Znm", odd_sign=True),
        _complex("moble", conjugate_D=True, quaternion="wxyz"),
        _complex("wigners"),
        _complex("gelib", conjugate_D=True, conjugate_gradient=True),
        _complex("cormorant", normalization="norm", layout="mul_ir", storage="re_im"),
        _complex("torch", conjugate=False, conjugate_gradient=True),
    )
}
_ALIASES = {"e3nn-0.4": "e3nn==0.4.4", "spherical": "moble"}
