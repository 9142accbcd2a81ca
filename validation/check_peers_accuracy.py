"""How many digits other libraries keep at high degree and next to the poles; tox environment `peers`.

Where a library loses digits, the loss is documented with numbers (docs/evidence.md), and the claim is that the numbers
are right within a factor of ten: a library that has been repaired since shows here as a failure.
"""

from __future__ import annotations

import importlib.util
import math
import os
import sys
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_ENABLE_X64", "1")

import numpy as np
from _claims import Cases, claim, main

import nbody_ref
from nbody_ref import conventions
from nbody_ref.errors import GeometryError

warnings.simplefilter("ignore")
Array = np.ndarray[Any, Any]
ANGLES = (0.7, 1.9, -2.3)
POINTS = np.random.default_rng(30).standard_normal((20, 3))
TWELVE = 1e-12
WITHIN_TEN = "a factor 10 of the documented error"


def installed(*modules: str) -> bool:
    """Whether all of them can be imported."""
    return all(importlib.util.find_spec(module) for module in modules)


def decades(error: float, documented: float) -> float:
    """How many powers of ten an error is away from the documented one; infinite if there is none."""
    return abs(math.log10(error / documented)) if error > 0 else math.inf


def native_cg(*l: int) -> Array:
    """Ours, correctly rounded."""
    return nbody_ref.clebsch_gordan(*l, "real")


def cg_error(name: str, theirs: Callable[..., Any], *l: int) -> float:
    """Largest error of a coupling after translation."""
    gauge = conventions.get(name)
    found = gauge.cg_to_native(*l, np.asarray(theirs(*l), np.float64))
    return float(np.max(np.abs(found - nbody_ref.clebsch_gordan(*l, gauge.basis))))


def harmonics_error(name: str, Y: Any, r: Array, lmax: int) -> float:
    """Largest error of harmonics after translation."""
    gauge = conventions.get(name)
    ours = nbody_ref.spherical_harmonics(lmax, gauge.positions_to_native(r), "integral", gauge.basis)
    return float(np.max(np.abs(gauge.harmonics_to_native(np.asarray(Y, np.float64)) - ours)))


def single(f: Callable[..., Any]) -> Callable[..., Any]:
    """Planted: results stored in float32."""
    return lambda *a: (np.complex64 if np.iscomplexobj(f(*a)) else np.float32)(f(*a))


if installed("wigners"):
    import wigners

    @claim(
        "10.12",
        "wigners",
        "couplings to (16, 16, 32) and Wigner matrices to l = 64 keep their digits",
        "wigners",
        {"cg": wigners.clebsch_gordan_array, "D": lambda l: np.asarray(wigners.wigner_D_array(l, *ANGLES)[l])},
        {"stored in float32": {"cg": single(wigners.clebsch_gordan_array)}},
        "10^-12",
    )
    def wigners_digits(subject: SimpleNamespace, full: bool) -> Cases:
        for l in (4, 8, 12, 16) if full else (4,):
            for triple in ((l, l, l), (l, l, 2 * l)):
                yield triple, cg_error("wigners", subject.cg, *triple) / TWELVE
        gauge = conventions.get("wigners")
        for l in (16, 32, 64) if full else (16,):
            ours = nbody_ref.wigner_D(l, gauge.rotation_from_euler(*ANGLES), "complex")
            yield ("D", l), np.max(np.abs(gauge.D_to_native(l, subject.D(l)) - ours)) / TWELVE


if installed("spherical", "quaternionic"):
    import quaternionic
    import spherical

    def spherical_D(l: int) -> Array:
        """D^l of the angles."""
        table = spherical.Wigner(l)
        flat = table.D(quaternionic.array.from_euler_angles(*ANGLES))
        rows = range(-l, l + 1)
        return np.array([[flat[table.Dindex(l, a, b)] for b in rows] for a in rows])

    @claim(
        "10.13",
        "spherical",
        "Wigner matrices to l = 64 keep their digits",
        "spherical.Wigner.D",
        {"D": spherical_D},
        {"stored in float32": {"D": single(spherical_D)}},
        "10^-12",
    )
    def spherical_digits(subject: SimpleNamespace, full: bool) -> Cases:
        gauge = conventions.get("spherical")
        for l in (16, 32, 64) if full else (16,):
            ours = nbody_ref.wigner_D(l, gauge.rotation_from_euler(*ANGLES), "complex")
            yield l, np.max(np.abs(gauge.D_to_native(l, subject.D(l)) - ours)) / TWELVE


if installed("sphericart"):
    import sphericart

    def sphericart_Y(lmax: int, r: Array) -> Array:
        """Its harmonics."""
        return sphericart.SphericalHarmonics(lmax).compute(r)

    @claim(
        "10.14",
        "sphericart",
        "harmonics to l = 32 keep their digits; NaN at r = 0 for l >= 1, ours refuse",
        "sphericart.SphericalHarmonics",
        {"Y": sphericart_Y},
        {"stored in float32": {"Y": single(sphericart_Y)}},
        "10^-12",
    )
    def sphericart_digits(subject: SimpleNamespace, full: bool) -> Cases:
        for lmax in (8, 16, 32) if full else (8,):
            yield lmax, harmonics_error("sphericart", subject.Y(lmax, POINTS), POINTS, lmax) / TWELVE
        zero = np.zeros((1, 3))
        yield "r = 0", 0.0 if np.isnan(subject.Y(2, zero)[0, 1:]).all() else 2.0
        try:
            nbody_ref.spherical_harmonics(2, zero)
            yield "r = 0, ours", 2.0
        except GeometryError:
            yield "r = 0, ours", 0.0


if installed("cuequivariance"):
    import cuequivariance

    def cue_cg(*l: int) -> Array:
        """Its couplings."""
        return cuequivariance.SO3.clebsch_gordan(*(cuequivariance.SO3(k) for k in l))[0]

    @claim(
        "10.15",
        "cuEquivariance",
        "couplings to (8, 8, 16) keep their digits",
        "cuequivariance.SO3.clebsch_gordan",
        {"cg": cue_cg},
        {"stored in float32": {"cg": single(cue_cg)}},
        "10^-12",
    )
    def cue_digits(subject: SimpleNamespace, full: bool) -> Cases:
        for l in (2, 4, 6, 8) if full else (2,):
            for triple in ((l, l, l), (l, l, 2 * l)):
                yield triple, cg_error("cuequivariance", subject.cg, *triple) / TWELVE


if installed("jax", "e3nn_jax"):
    import e3nn_jax

    def jax_Y(lmax: int, r: Array) -> Array:
        """Its harmonics in float64, as it computes them by default."""
        irreps = e3nn_jax.Irreps([(1, (l, (-1) ** l)) for l in range(lmax + 1)])
        return np.asarray(e3nn_jax.spherical_harmonics(irreps, e3nn_jax.IrrepsArray("1o", r), True, "component").array)

    LOST = {4: 8e-15, 6: 1.4e-11, 8: 6.6e-9, 10: 1.6e-6}  # degree l: error of (l, l, 2l)
    repaired = conventions.get("e3nn-jax")

    @claim(
        "10.16",
        "e3nn-jax",
        "couplings lose digits: 8e-15, 1.4e-11, 6.6e-9, 1.6e-6 for (l, l, 2l), l = 4, 6, 8, 10",
        "e3nn_jax.clebsch_gordan",
        {"cg": e3nn_jax.clebsch_gordan},
        {"no loss": {"cg": lambda *l: repaired.cg_from_native(*l, native_cg(*l)) * (1 + 2.0**-52)}},
        WITHIN_TEN,
    )
    def jax_couplings(subject: SimpleNamespace, full: bool) -> Cases:
        for l, documented in LOST.items() if full else [(6, LOST[6])]:
            yield l, decades(cg_error("e3nn-jax", subject.cg, l, l, 2 * l), documented)

    NEAR = {1e-2: 1.4e-13, 1e-4: 2.0e-11, 1e-6: 1.7e-9}  # angle from the axis y: error at lmax 10

    def exact_Y(lmax: int, r: Array) -> Array:
        """Planted: a library without the loss."""
        native = nbody_ref.spherical_harmonics(lmax, repaired.positions_to_native(r))
        return repaired.harmonics_from_native(native) * (1 + 2.0**-52)

    @claim(
        "10.17",
        "e3nn-jax",
        "harmonics beyond l = 8 lose digits by the axis y: 1e-13, 2e-11, 2e-9 at 1e-2, -4, -6",
        "e3nn_jax.spherical_harmonics",
        {"Y": jax_Y},
        {"no loss": {"Y": exact_Y}},
        WITHIN_TEN,
    )
    def jax_poles(subject: SimpleNamespace, full: bool) -> Cases:
        for angle, documented in NEAR.items():
            r = np.array([[angle * math.cos(a), 1.0, angle * math.sin(a)] for a in (0.3, 2.0, 4.5)])
            yield angle, decades(harmonics_error("e3nn-jax", subject.Y(10, r), r, 10), documented)


if installed("torch", "e3nn"):
    import torch
    from e3nn import o3

    def e3nn_D(l: int) -> Array:
        """Its D in float64, while torch's default is float32."""
        torch.set_default_dtype(torch.float32)
        return o3.wigner_D(l, *(torch.tensor(a, dtype=torch.float64) for a in ANGLES)).numpy()

    def e3nn_D_double(l: int) -> Array:
        """Planted: the same with float64 as the default."""
        torch.set_default_dtype(torch.float64)
        return o3.wigner_D(l, *(torch.tensor(a, dtype=torch.float64) for a in ANGLES)).numpy()

    FLOAT32_DEFAULT = {1: 2e-7, 4: 6e-7, 8: 1.2e-6}

    @claim(
        "10.18",
        "e3nn",
        "float64 Wigner matrices have 7 digits unless torch's default is float64: 2e-7 at l = 1",
        "e3nn.o3.wigner_D",
        {"D": e3nn_D},
        {"no loss": {"D": e3nn_D_double}},
        WITHIN_TEN,
    )
    def e3nn_default(subject: SimpleNamespace, full: bool) -> Cases:
        gauge = conventions.get("e3nn>=0.5")
        rotation = gauge.rotation_to_native(gauge.rotation_from_euler(*ANGLES))
        for l, documented in FLOAT32_DEFAULT.items():
            error = np.max(np.abs(gauge.D_to_native(l, subject.D(l)) - nbody_ref.wigner_D(l, rotation)))
            yield l, decades(float(error), documented)


if __name__ == "__main__":
    sys.exit(main())
