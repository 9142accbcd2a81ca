r"""Parameters of a Cormorant under the names and shapes of the original program, there and back.

Complex weights there are (channels out, fragments in, 2), applied from the left; ours are (fragments in, channels out),
applied from the right, eq. (9). The invariants of all levels are concatenated there degree by degree, here level by
level.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.checks import as_number
from nbody_ref.errors import FileError, NBodyRefError
from nbody_ref.models.cormorant import Cormorant, CormorantSpec

__all__ = ["from_original", "to_original"]

Array = np.ndarray[Any, Any]

SIZES = ("n_channels", "maxl", "max_sh", "levels", "charge_power")
EDGES, ATOMS = "cormorant_cg.edge_levels", "cormorant_cg.atom_levels"


def from_original(meta: Mapping[str, Any], parameters: Mapping[str, Array]) -> Cormorant:
    """A Cormorant from sizes and parameters of the original program.

    Parameters
    ----------
    meta : mapping
        ``species``, ``n_channels``, ``maxl``, ``max_sh``, ``levels``, ``charge_power``, ``charge_scale``,
        ``basis_set``, ``cutoff_type``; ``level_gain`` and ``n_parameters`` if present.
    parameters : mapping of str to array

    Returns
    -------
    Cormorant

    Raises
    ------
    FileError
        If they do not fit together; the message names the entry.
    """
    try:
        spec = _spec(meta)
        _check_sizes(spec, parameters)
        model = Cormorant(spec)
    except (TypeError, ValueError, OverflowError, NBodyRefError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"'meta' does not describe a model: {error}") from error
    wanted = {slot.theirs: slot.shape for slot in _slots(model)}
    found = {name: _checked(name, parameters.get(name), shape) for name, shape in wanted.items()}
    if unknown := sorted(set(parameters) - set(wanted)):
        raise FileError(f"'parameter/{unknown[0]}' is not a parameter of this model")
    total = sum(array.size for array in found.values())
    if meta.get("n_parameters", total) != total:
        raise FileError(f"'meta' counts {meta['n_parameters']!r} parameters, the file holds {total}")
    return Cormorant(spec, _gathered(model, found))


def to_original(model: Cormorant) -> dict[str, Array]:
    """The parameters of a model, named and shaped as the original program has them; the inverse of `from_original`.

    Raises
    ------
    FileError
        If the model has an option that the original program has not.
    """
    spec = model.spec
    plain = (spec.radial, spec.mask, spec.group, spec.constant, spec.self_edge, spec.scale)
    if plain != ("sines", "learned", "SO(3)", "molecule", True, 1.0):
        raise FileError("to_original: 'model' must be of the published form, see CormorantSpec")
    found: dict[str, Array] = {}
    for slot in _slots(model):
        flat = model.parameters[slot.ours].reshape(-1)[slot.columns]
        if slot.paired:
            n_out, n_in, _ = slot.shape
            both = flat.reshape(n_in, n_out).T
            found[slot.theirs] = np.stack([both.real, both.imag], axis=-1)
        else:
            found[slot.theirs] = flat.reshape(slot.shape)
    return found


class _Slot(NamedTuple):
    """One array of theirs, and where its numbers stand in one of ours: `columns`, in the order (in, out) if paired."""

    theirs: str
    shape: tuple[int, ...]
    ours: str
    columns: Array
    paired: bool = False


def _slots(model: Cormorant) -> Iterator[_Slot]:
    """Every parameter of the original program, in its order of names."""
    spec, n = model.spec, model.spec.n_channels
    for s in range(spec.n_levels):
        for theirs, ours in (("scales", "frequencies"), ("phases", "phases")):
            yield _plain(f"rad_funcs.rad_funcs.{s}.{theirs}", (1, 1, 1, 2 * spec.n_sines + 2), f"level{s}/{ours}")
    n_in = len(spec.species) * (spec.charge_power + 1)
    columns = np.arange(2 * n * n_in).reshape(n_in, 2 * n).T.reshape(-1)
    yield _Slot("input_func_atom.lin.weight", (2 * n, n_in), "input", columns)
    yield _plain("input_func_atom.lin.bias", (2 * n,), "input/bias")
    for s in range(spec.n_levels):
        at, fragments = 0, model.irreps[f"level{s}/fragments"]
        for l in sorted({part.irrep.l for part in fragments}):
            rows = sum(part.mul for part in fragments if part.irrep.l == l)
            columns = np.arange(at, at + rows * n)
            yield _Slot(f"{ATOMS}.{s}.cat_mix.mix_reps.weights.{l}", (n, rows, 2), f"level{s}/atoms", columns, True)
            at += rows * n
    for s in range(spec.n_levels):
        for l in range(spec.lmax_edge + 1):
            rows = model.parameters[f"level{s}/edge{l}"].size // n
            theirs = f"{EDGES}.{s}.cat_mix.mix_reps.weights.{l}"
            yield _Slot(theirs, (n, rows, 2), f"level{s}/edge{l}", np.arange(rows * n), True)
        for kind in ("radius", "width"):
            theirs = f"{EDGES}.{s}.mask_layer.soft_cut_{kind[:3] if kind == 'radius' else kind}"
            yield _plain(theirs, (1, 1, 1, n), f"level{s}/cutoff/{kind}")
    columns = _readout_columns(model)
    yield _Slot("output_layer_atom.lin.weight", (1, len(columns)), "readout", columns)
    yield _plain("output_layer_atom.lin.bias", (1,), "shift")


def _plain(theirs: str, shape: tuple[int, ...], ours: str) -> _Slot:
    return _Slot(theirs, shape, ours, np.arange(int(np.prod(shape))))


def _readout_columns(model: Cormorant) -> Array:
    """Where invariants of theirs (degree 0; by degree, level, channel) stand in ours (by level, degree, channel)."""
    n, starts, at = model.spec.n_channels, [], 0
    for s in range(model.spec.n_levels):
        degrees = len(model.irreps[f"level{s}/atoms/mixed"])
        starts.append((at, degrees))
        at += 2 * n * (1 + degrees)
    blocks = [start for start, _ in starts]
    top = max(degrees for _, degrees in starts)
    blocks += [start + 2 * n * (1 + l) for l in range(top) for start, degrees in starts if l < degrees]
    return np.concatenate([np.arange(block, block + 2 * n) for block in blocks])


def _gathered(model: Cormorant, found: Mapping[str, Array]) -> dict[str, Array]:
    arrays = {name: np.zeros_like(array) for name, array in model.parameters.items()}
    for slot in _slots(model):
        given, flat = found[slot.theirs], arrays[slot.ours].reshape(-1)
        flat[slot.columns] = (given[..., 0] + 1j * given[..., 1]).T.reshape(-1) if slot.paired else given.reshape(-1)
    return arrays


def _spec(meta: Mapping[str, Any]) -> CormorantSpec:
    needed = ("species", *SIZES, "charge_scale", "basis_set", "cutoff_type")
    for key in needed:
        if key not in meta:
            raise FileError(f"'meta' has no entry {key!r}")
    if meta["cutoff_type"] not in ("learn", ["learn"]):
        raise FileError(f"'meta': 'cutoff_type' must be 'learn', the only one supported, got {meta['cutoff_type']!r}")
    basis = meta["basis_set"]
    if not isinstance(basis, list) or len(basis) != 2:
        raise FileError(f"'meta': 'basis_set' must be two integers, got {basis!r}")
    if meta["charge_scale"] is None:
        raise FileError("'meta': 'charge_scale' must be a number, got None")
    if not isinstance(meta["species"], list):
        raise FileError(f"'meta': 'species' must be a list of atomic numbers, got {meta['species']!r}")
    return CormorantSpec(
        tuple(meta["species"]),
        n_levels=meta["levels"],
        lmax=meta["maxl"],
        lmax_edge=meta["max_sh"],
        n_channels=meta["n_channels"],
        charge_power=meta["charge_power"],
        charge_scale=meta["charge_scale"],
        level_gain=as_number(meta.get("level_gain")) or 10.0,  # only says how weights were drawn
        n_sines=basis[0],
        n_powers=basis[1],
    )


def _check_sizes(spec: CormorantSpec, parameters: Mapping[str, Array]) -> None:
    """What `meta` says must be in the file, before anything of that size is made."""
    n, n_in = spec.n_channels, len(spec.species) * (spec.charge_power + 1)
    shapes = {
        "input_func_atom.lin.weight": (2 * n, n_in),
        f"rad_funcs.rad_funcs.{spec.n_levels - 1}.scales": (1, 1, 1, 2 * spec.n_sines + 2),
        f"{EDGES}.0.cat_mix.mix_reps.weights.0": (n, n + spec.n_radial, 2),
        f"{EDGES}.{spec.n_levels - 1}.cat_mix.mix_reps.weights.{spec.lmax_edge}": None,
    }
    for name, shape in shapes.items():
        _checked(name, parameters.get(name), shape)
    top = 0
    for _ in range(spec.n_levels):
        top = min(spec.lmax, max(top + spec.lmax_edge, 2 * top))
    pattern = re.compile(rf"{re.escape(ATOMS)}\.{spec.n_levels - 1}\.cat_mix\.mix_reps\.weights\.(\d+)")
    found = max((int(match[1]) for match in map(pattern.fullmatch, parameters) if match), default=-1)
    if found != top:
        raise FileError(f"'meta': degrees reach {top} where 'maxl' is {spec.lmax}, in the weights {found}")


def _checked(name: str, array: Array | None, shape: tuple[int, ...] | None) -> Array:
    if array is None:
        raise FileError(f"'parameter/{name}' is missing")
    if shape is not None and array.shape != shape:
        raise FileError(f"'parameter/{name}' must have shape {shape}, got {array.shape}")
    if array.dtype not in (np.float64, np.float32):
        raise FileError(f"'parameter/{name}' must be float64 or float32, got {array.dtype}")
    if not np.isfinite(array).all():
        raise FileError(f"'parameter/{name}' holds NaN or infinity")
    return array.astype(np.float64)
