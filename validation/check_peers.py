"""Other libraries as second witnesses, through the named gauges of `nbody_ref.conventions`; tox environment `peers`.

Only the libraries that are installed are asked; E3NN_044 names a folder with the wheel of e3nn 0.4.4, whose couplings
are a file in it (that version itself does not run beside a recent torch).
Their own errors are not ours to bound, so the claim is a number of digits: at least 12 in double precision.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_ENABLE_X64", "1")

import numpy as np
from _claims import Cases, claim, main
from scipy.spatial.transform import Rotation
from scipy.special import sph_harm_y

import nbody_ref
from nbody_ref import conventions, exact

warnings.simplefilter("ignore")
Array = np.ndarray[Any, Any]
LMAX = 8
ANGLES = ((0.7, 1.9, -2.3), (-0.4, 0.3, 3.0), (0.1, 3.1, -1.2))
POINTS = np.random.default_rng(30).standard_normal((20, 3))
FLIPPED = Path(__file__).resolve().parent.parent / "tests" / "data" / "e3nn_0.4.4_flipped_triples.json"
TWELVE = 1e-12


def installed(*modules: str) -> bool:
    """Whether all of them can be imported."""
    return all(importlib.util.find_spec(module) for module in modules)


def triples(full: bool) -> Iterator[tuple[int, int, int]]:
    """Admissible degrees."""
    return exact.triples(LMAX if full else 3)


def native_cg(l1: int, l2: int, l: int, basis: str) -> Array:
    """Ours, correctly rounded from the exact definition."""
    return nbody_ref.clebsch_gordan(l1, l2, l, basis)


def translated(name: str) -> SimpleNamespace:
    """The named gauge, as the function on trial."""
    return conventions.get(name)


def cg_cases(
    theirs: Callable[[int, int, int], Any], subject: SimpleNamespace, full: bool, digits: float = TWELVE
) -> Cases:
    """Their coupling, translated, against ours."""
    gauge = subject.gauge
    for l1, l2, l in triples(full):
        error = np.max(np.abs(gauge.cg_to_native(l1, l2, l, theirs(l1, l2, l)) - native_cg(l1, l2, l, gauge.basis)))
        yield (l1, l2, l), error / digits


def harmonic_cases(theirs: Array, r: Array, subject: SimpleNamespace, lmax: int, digits: float = TWELVE) -> Cases:
    """Their harmonics of directions r, translated, against ours at the translated positions."""
    gauge = subject.gauge
    ours = nbody_ref.spherical_harmonics(lmax, gauge.positions_to_native(r), "integral", gauge.basis)
    error = np.abs(gauge.harmonics_to_native(theirs) - ours)
    for k, row in enumerate(error):
        yield k, np.max(row) / digits


def wrong(name: str, **changes: Any) -> Any:
    """Planted: the gauge with switches changed."""
    import dataclasses

    return dataclasses.replace(conventions.get(name), **changes)


if installed("torch", "e3nn"):
    import torch
    from e3nn import o3

    E3NN = {"gauge": translated("e3nn>=0.5")}

    @claim(
        "10.1",
        "e3nn",
        "couplings of e3nn >= 0.5, l <= 8",
        "e3nn.o3.wigner_3j",
        E3NN,
        {"our signs": {"gauge": wrong("e3nn>=0.5", cg_sign="native")}},
        "10^-12",
    )
    def e3nn_couplings(subject: SimpleNamespace, full: bool) -> Cases:
        yield from cg_cases(lambda *l: o3.wigner_3j(*l, dtype=torch.float64).numpy(), subject, full)

    @claim(
        "10.2",
        "e3nn",
        "harmonics of e3nn >= 0.5, l <= 8",
        "e3nn.o3.spherical_harmonics",
        E3NN,
        {"axes not relabelled": {"gauge": wrong("e3nn>=0.5", axes=(0, 1, 2))}},
        "10^-12",
    )
    def e3nn_harmonics(subject: SimpleNamespace, full: bool) -> Cases:
        r = torch.tensor(POINTS)
        Y = o3.spherical_harmonics(list(range(LMAX + 1)), r, normalize=True, normalization="integral")
        yield from harmonic_cases(Y.numpy(), POINTS, subject, LMAX)

    @claim(
        "10.3",
        "e3nn",
        "Wigner matrices of e3nn >= 0.5, l <= 8, default dtype float64",
        "e3nn.o3.wigner_D",
        E3NN,
        {"ZYZ angles": {"gauge": wrong("e3nn>=0.5", euler="ZYZ")}},
        "10^-12",
    )
    def e3nn_matrices(subject: SimpleNamespace, full: bool) -> Cases:
        # Its generators have the precision of torch's default dtype: with float32, D in float64 has 7 digits (2e-7).
        torch.set_default_dtype(torch.float64)
        gauge = subject.gauge
        for angles in ANGLES:
            rotation = gauge.rotation_to_native(gauge.rotation_from_euler(*angles))
            for l in range(LMAX + 1):
                D = o3.wigner_D(l, *(torch.tensor(a, dtype=torch.float64) for a in angles)).numpy()
                yield (angles, l), np.max(np.abs(gauge.D_to_native(l, D) - nbody_ref.wigner_D(l, rotation))) / TWELVE

    WHEELS = sorted(Path(os.environ.get("E3NN_044", "/nowhere")).glob("e3nn-0.4.4-*.whl"))
    if WHEELS:

        @claim(
            "10.4",
            "e3nn",
            "e3nn 0.4.4 (pinned by MACE): the table it ships, l <= 8, and the list of flipped signs",
            "constants.pt of the wheel of 0.4.4",
            {"gauge": translated("e3nn-0.4")},
            {"signs of e3nn >= 0.5": {"gauge": wrong("e3nn-0.4", cg_sign="e3nn>=0.5")}},
            "10^-12",
        )
        def e3nn_044(subject: SimpleNamespace, full: bool) -> Cases:
            with zipfile.ZipFile(WHEELS[0]) as wheel:
                _, flat, places = torch.load(io.BytesIO(wheel.read("e3nn/o3/constants.pt")), weights_only=False)
            listed = {tuple(degrees) for degrees in json.loads(FLIPPED.read_text())}
            for l1, l2, l in triples(full):
                order = tuple(sorted((l1, l2, l)))
                C = flat[places[order]].to(torch.float64).numpy().reshape([2 * k + 1 for k in order])
                flipped = np.sum(C * o3.wigner_3j(*order, dtype=torch.float64).numpy()) < 0
                yield (order, "listed"), 0.0 if flipped == (order in listed) else 2.0
                C = np.transpose(C, permutation(order, (l1, l2, l)))
                if sum(order) % 2 and parity(order, (l1, l2, l)):
                    C = -C
                ours = native_cg(l1, l2, l, "real")
                yield (l1, l2, l), np.max(np.abs(subject.gauge.cg_to_native(l1, l2, l, C) - ours)) / TWELVE

    def permutation(order: tuple[int, ...], wanted: tuple[int, ...]) -> tuple[int, ...]:
        """Axes that take a tensor of degrees `order` to degrees `wanted`."""
        free = list(range(3))
        axes = []
        for l in wanted:
            axes.append(next(k for k in free if order[k] == l))
            free.remove(axes[-1])
        return tuple(axes)

    def parity(order: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
        """Whether that permutation is odd."""
        axes = permutation(order, wanted)
        return sum(axes[a] > axes[b] for a in range(3) for b in range(a + 1, 3)) % 2 == 1


if installed("jax", "e3nn_jax"):
    import e3nn_jax

    JAX = {"gauge": translated("e3nn-jax")}

    @claim(
        "10.5",
        "e3nn-jax",
        "couplings of e3nn-jax, l <= 8",
        "e3nn_jax.clebsch_gordan",
        JAX,
        {"our signs": {"gauge": wrong("e3nn-jax", cg_sign="native")}},
        "10^-12",
    )
    def jax_couplings(subject: SimpleNamespace, full: bool) -> Cases:
        yield from cg_cases(lambda *l: np.asarray(e3nn_jax.clebsch_gordan(*l), np.float64), subject, full)

    @claim(
        "10.6",
        "e3nn-jax",
        "harmonics of e3nn-jax, l <= 8",
        "e3nn_jax.spherical_harmonics",
        JAX,
        {"integral normalization": {"gauge": wrong("e3nn-jax", normalization="integral")}},
        "10^-12",
    )
    def jax_harmonics(subject: SimpleNamespace, full: bool) -> Cases:
        irreps = e3nn_jax.Irreps([(1, (l, (-1) ** l)) for l in range(LMAX + 1)])
        r = e3nn_jax.IrrepsArray("1o", POINTS)
        Y = e3nn_jax.spherical_harmonics(irreps, r, normalize=True, normalization="component").array
        yield from harmonic_cases(np.asarray(Y), POINTS, subject, LMAX)


if installed("sphericart"):
    import sphericart

    @claim(
        "10.7",
        "sphericart",
        "harmonics of sphericart, l <= 8",
        "sphericart.SphericalHarmonics",
        {"gauge": translated("sphericart")},
        {"polar axis y": {"gauge": wrong("sphericart", axes=(2, 0, 1))}},
        "10^-12",
    )
    def sphericart_harmonics(subject: SimpleNamespace, full: bool) -> Cases:
        yield from harmonic_cases(sphericart.SphericalHarmonics(LMAX).compute(POINTS), POINTS, subject, LMAX)


@claim(
    "10.8",
    "SciPy",
    "harmonics of SciPy, l <= 8",
    "scipy.special.sph_harm_y",
    {"gauge": translated("scipy")},
    {"not conjugated": {"gauge": wrong("scipy", conjugate=False)}},
    "10^-12",
)
def scipy_harmonics(subject: SimpleNamespace, full: bool) -> Cases:
    dist = np.linalg.norm(POINTS, axis=1)
    theta, phi = np.arccos(POINTS[:, 2] / dist), np.arctan2(POINTS[:, 1], POINTS[:, 0])
    Y = np.stack([sph_harm_y(l, m, theta, phi) for l in range(LMAX + 1) for m in range(-l, l + 1)], 1)
    yield from harmonic_cases(Y, POINTS, subject, LMAX)


if installed("wigners"):
    import wigners

    @claim(
        "10.9",
        "wigners",
        "couplings of wigners, l <= 8",
        "wigners.clebsch_gordan_array",
        {"gauge": translated("wigners")},
        {"a sign": {"gauge": wrong("wigners", cg_sign="e3nn>=0.5")}},
        "10^-12",
    )
    def wigners_couplings(subject: SimpleNamespace, full: bool) -> Cases:
        yield from cg_cases(wigners.clebsch_gordan_array, subject, full)


if installed("spherical", "quaternionic"):
    import quaternionic
    import spherical

    @claim(
        "10.10",
        "spherical",
        "Wigner matrices of spherical, l <= 8",
        "spherical.Wigner.D",
        {"gauge": translated("spherical")},
        {"not conjugated": {"gauge": wrong("spherical", conjugate_D=False)}},
        "10^-12",
    )
    def spherical_matrices(subject: SimpleNamespace, full: bool) -> Cases:
        table = spherical.Wigner(LMAX)
        for angles in ANGLES:
            rotation = Rotation.from_euler("ZYZ", angles)
            x, y, z, w = rotation.as_quat()
            found = table.D(quaternionic.array(w, x, y, z))
            for l in range(LMAX + 1):
                rows = range(-l, l + 1)
                D = np.array([[found[table.Dindex(l, a, b)] for b in rows] for a in rows])
                ours = nbody_ref.wigner_D(l, rotation, "complex")
                yield (angles, l), np.max(np.abs(subject.gauge.D_to_native(l, D) - ours)) / TWELVE


if installed("cuequivariance"):
    import cuequivariance

    @claim(
        "10.11",
        "cuEquivariance",
        "couplings of cuEquivariance, l <= 8",
        "cuequivariance.SO3.clebsch_gordan",
        {"gauge": translated("cuequivariance")},
        {"our signs": {"gauge": wrong("cuequivariance", cg_sign="native")}},
        "10^-12",
    )
    def cue_couplings(subject: SimpleNamespace, full: bool) -> Cases:
        irrep = cuequivariance.SO3
        yield from cg_cases(lambda a, b, c: irrep.clebsch_gordan(irrep(a), irrep(b), irrep(c))[0], subject, full)


if __name__ == "__main__":
    sys.exit(main())
