"""Models trained with mace-torch, converted to model files of this package.

A model of mace-torch is a pickle: reading it runs code of whoever wrote it. `import_mace` therefore hands it to a
program of its own, `nbody_ref/models/mace_export.py`, which writes plain numbers; this process reads only those, and
checks the couplings and radial constants that the model stores against the exact ones before it uses its weights.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import pi, sqrt
from pathlib import Path
from typing import Any

import numpy as np

from nbody_ref.conventions import get
from nbody_ref.errors import FileError, NBodyRefError
from nbody_ref.fusion import FusionTable, fuse
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.models.imported import save_imported
from nbody_ref.models.mace import Mace, MaceSpec
from nbody_ref.models.mace_paths import symmetric
from nbody_ref.tables import clebsch_gordan

__all__ = ["Converted", "convert", "import_mace"]

Array = np.ndarray[Any, Any]

ROUNDED = 1e-6  # relative: constants of a model made in single precision
ROUNDED_DOUBLE = 1e-12  # relative: constants of a model made in double precision
CONVENTIONS = ("e3nn==0.4.4", "e3nn>=0.5")  # the first if both agree
SCRIPT = Path(__file__).with_name("mace_export.py")


@dataclass(frozen=True)
class Converted:
    """A converted model.

    Attributes
    ----------
    model : Mace
    deviation : float
        Largest relative difference between the constants that the model stores and the exact ones used here: about
        1e-16 if it was made in double precision, 1e-7 if in single precision.
    versions : dict
        Of the libraries that read the model.
    """

    model: Mace
    deviation: float
    versions: dict[str, str]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a model file that `nbody_ref.load` reads as a potential.

        Raises
        ------
        FileError
            If it cannot be written.
        """
        record = {"from": "mace-torch", "versions": self.versions, "deviation": self.deviation}
        save_imported(path, self.model, record)


def import_mace(model: str | os.PathLike[str], python: str | None = None) -> Converted:
    """Convert a pickled MACE or ScaleShiftMACE model. **This runs code from the file: only for files you trust.**

    Parameters
    ----------
    model : path
        As written by ``torch.save`` of mace-torch's training.
    python : str, optional
        Interpreter that has mace-torch; by default this one. It need not have nbody_ref.

    Returns
    -------
    Converted

    Raises
    ------
    FileError
        If the file cannot be read, or the model has a feature that is not supported; the message names it.
    """
    if not Path(model).is_file():
        raise FileError(f"{os.fspath(model)}: no such file")
    with tempfile.TemporaryDirectory() as folder:
        command = [python or sys.executable, str(SCRIPT), str(Path(model).resolve()), folder]
        try:
            ran = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise FileError(f"import_mace: 'python' cannot be run: {error}") from error
        refused = Path(folder) / "refused.txt"
        if refused.exists():
            raise FileError(f"{os.fspath(model)}: {refused.read_text()}")
        if ran.returncode:
            hint = _hint(ran.stderr, command[0])
            raise FileError(f"{os.fspath(model)}: cannot be read as a model of mace-torch: {hint}")
        return _read(Path(folder))


def _hint(stderr: str, python: str) -> str:
    last = stderr.strip().splitlines()[-1:] or ["no message"]
    if re.search(r"No module named '(mace|e3nn|torch)", last[0]):
        return f"{python} has no mace-torch; install the extra 'mace' or name an interpreter that has it"
    return last[0]


def _read(folder: Path) -> Converted:
    written = json.loads((folder / "config.json").read_text())
    with np.load(folder / "parameters.npz", allow_pickle=False) as file:
        parameters = dict(file)
    with np.load(folder / "constants.npz", allow_pickle=False) as file:
        constants = dict(file)
    return convert(written["config"], parameters, constants, written["versions"])


def convert(
    config: Mapping[str, Any], parameters: Mapping[str, Array], constants: Mapping[str, Array], versions: dict[str, str]
) -> Converted:
    """From what `nbody_ref.models.mace_export` writes.

    Weights of the published basis stay as they are. Those of another basis of the same functions, such as
    cuEquivariance's reduced one, are folded into ours: W' = M^T W where U = M B.

    Raises
    ------
    FileError
        If couplings, radial constants, names or shapes are not those of MACE.
    """
    dtypes = {str(array.dtype) for array in parameters.values()}
    if not dtypes <= {"float64", "float32"} or len(dtypes) != 1:
        raise FileError(f"convert: 'parameters' must be all float64 or all float32, got {sorted(dtypes)}")
    try:
        spec, arrays = MaceSpec.from_dict({**config, "dtype": dtypes.pop()}), dict(parameters)
        of_couplings = {name: _coupling_deviation(constants, name) for name in CONVENTIONS}
        of_products = {name: _product_deviation(spec, constants, name) for name in CONVENTIONS}
        spec = replace(spec, convention=min(CONVENTIONS, key=lambda name: (of_couplings[name], of_products[name])))
        deviation = of_products[spec.convention]
        if deviation > ROUNDED:
            deviation = _fold(spec, arrays, constants)
            spec = replace(spec, product="reduced")
        deviation = max(deviation, of_couplings[spec.convention], _radial_deviation(spec, constants))
        if deviation > ROUNDED:
            raise FileError(f"convert: 'constants' differ from the exact ones by {deviation:.1e}, more than rounding")
        return Converted(Mace(spec, arrays), deviation, dict(versions))
    except FileError:
        raise
    except (TypeError, ValueError, KeyError, NBodyRefError) as error:
        raise FileError(f"convert: what the model holds does not fit together: {error}") from error


def _tensors(constants: Mapping[str, Array]) -> list[tuple[str, Array]]:
    """The tensors U by name, but for those that vanish."""
    return [(name, U) for name, U in constants.items() if ".U_matrix_" in name and U.any()]


def _place(name: str) -> tuple[int, int, int]:
    """Layer, part of the state, and nu of a tensor U."""
    numbers = [int(n) for n in re.findall(r"\d+", name)]
    return numbers[0], numbers[1], numbers[2]


def _product_deviation(spec: MaceSpec, constants: Mapping[str, Array], convention: str) -> float:
    """Largest relative difference between the stored tensors U and the published paths with the signs of a library."""
    return max(_expand(spec, convention, name, U)[0] for name, U in _tensors(constants))


def _expand(spec: MaceSpec, convention: str, name: str, U: Array) -> tuple[float, Array]:
    """Relative difference between U and the published paths, and U's values at random states and ours, stacked."""
    t, i, nu = _place(name)
    root = spec.states(t)[i].irrep
    plain = Irreps((1, part.irrep) for part in spec.messages)
    both = symmetric(plain, nu, root, convention)
    x = np.random.default_rng(7).standard_normal((both.n_independent + 6, plain.dim))
    theirs, ours = _tensor_values(U.astype(np.float64), x, nu), _our_values(x, plain, nu, root, convention)
    published = np.zeros((ours.shape[0], both.n_published))
    for k, j, value in both.expansion:
        published[:, k] += value * ours[:, j]
    if theirs.shape != published.shape:
        return np.inf, np.concatenate([ours, theirs], axis=1)
    return _relative(theirs, published), np.concatenate([ours, theirs], axis=1)


def _fold(spec: MaceSpec, arrays: dict[str, Array], constants: Mapping[str, Array]) -> float:
    """Replace weights of any basis of the symmetric functions by those of ours; returns what ours cannot say."""
    found = []
    for name, U in _tensors(constants):
        t, i, nu = _place(name)
        values = _expand(spec, spec.convention, name, U)[1]
        n = symmetric(spec.messages, nu, spec.states(t)[i].irrep, spec.convention).n_independent
        ours, theirs = values[:, :n], values[:, n:]
        M, *_ = np.linalg.lstsq(ours, theirs, rcond=None)
        found.append(_relative(theirs, ours @ M))
        below = spec.correlation[t] - nu
        weight = f"{name.rpartition('.')[0]}." + (f"weights.{below - 1}" if below else "weights_max")
        if weight in arrays:
            folded = np.einsum("ik,zkc->zic", M, arrays[weight].astype(np.float64))
            arrays[weight] = folded.astype(arrays[weight].dtype)
    return max(found)


def _tensor_values(U: Array, x: Array, nu: int) -> Array:
    """U contracted with nu copies of each state, (states * components, paths)."""
    tensor = U if U.ndim == nu + 2 else U[None]
    out = np.einsum("...dp,sd->...ps", tensor, x)
    for _ in range(nu - 1):
        out = np.einsum("...dps,sd->...ps", out, x)
    return np.asarray(out.transpose(2, 0, 1).reshape(-1, tensor.shape[-1]))


def _our_values(x: Array, irreps: Irreps, nu: int, root: Irrep, convention: str) -> Array:
    """Independent products of nu copies of each state, (states * components, paths)."""
    if nu == 1:
        part = [p.irrep for p in irreps].index(root)
        return x[:, irreps.offsets[part] : irreps.offsets[part] + root.dim].reshape(-1, 1)
    terms = symmetric(irreps, nu, root, convention).terms
    if not terms:  # paths that vanish on equal legs, such as the cross product of a vector with itself
        return np.zeros((len(x) * root.dim, 0))
    table = FusionTable.build([irreps], terms)
    return fuse(x, table).reshape(len(x), -1, root.dim).transpose(0, 2, 1).reshape(len(x) * root.dim, -1)


def _radial_deviation(spec: MaceSpec, constants: Mapping[str, Array]) -> float:
    wanted = {"bessel_weights": pi / spec.cutoff * np.arange(1, spec.n_radial + 1), "prefactor": sqrt(2 / spec.cutoff)}
    pairs = [(constants[f"radial_embedding.bessel_fn.{name}"], value) for name, value in wanted.items()]
    return max(float(np.max(abs(found / value - 1))) for found, value in pairs)


def _coupling_deviation(constants: Mapping[str, Array], convention: str) -> float:
    """Of the tensors w3j of the convolutions, with the signs of a library."""
    worst = 0.0
    for name, found in constants.items():
        match = re.search(r"_w3j_(\d+)_(\d+)_(\d+)$", name)
        if match:
            l1, l2, l = map(int, match.groups())
            sign = get(convention).coupling_sign(l1, l2, l)
            worst = max(worst, _relative(found, sign * clebsch_gordan(l1, l2, l) / sqrt(2 * l + 1)))
    return worst


def _relative(found: Array, wanted: Array) -> float:
    return float(abs(found - wanted).max() / (abs(wanted).max() or 1.0))
