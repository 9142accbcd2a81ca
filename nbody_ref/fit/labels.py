"""Which values of a frame are its labels: names of energies, forces, weights, charges, and what is left unread."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbody_ref.errors import DataError
from nbody_ref.fit.frames import Finding

__all__ = [
    "Keys",
    "charges",
    "choose_keys",
    "energy_of",
    "forces_of",
    "ignored",
    "other_names",
    "rename",
    "some",
    "weights_of",
]

Array = np.ndarray[Any, Any]

ENERGY_KEYS = ("REF_energy", "energy")
FORCES_KEYS = ("REF_forces", "forces")
GRADIENT_KEYS = ("REF_gradient", "gradient", "gradients", "grad")
CHARGE_KEYS = ("charge", "total_charge", "charges_total", "net_charge", "REF_charge", "Charge")
SPIN_KEYS = ("spin", "multiplicity", "spin_multiplicity", "total_spin", "mult", "Multiplicity")
WEIGHT_KEYS = {
    "energy": ("energy_weight", "config_energy_weight"),
    "forces": ("forces_weight", "force_weight", "config_forces_weight", "config_force_weight"),
}
NO_LABEL = re.compile(r"weight|sigma|std|unc|error|_var|dispersion|free_energy|zero|zpe|kin|per_?atom|weights", re.I)
AN_ENERGY = re.compile(r"energy$|energies$|^e_?tot|^tot_?e|toten|^e$|^u0?$|^u_|_u$|^e_|potential$", re.I)
SOME_FORCES = re.compile(r"forces?$", re.I)
SOME_GRADIENT = re.compile(r"grad(ient)?s?$", re.I)
NO_FORCES = re.compile(r"veloc|moment|vel$|dipole|magmom|displ|mode|initial|frac|scaled|born|shield|tags?$", re.I)
UNREAD = ("positions", "numbers", "initial_charges", "initial_magmoms", "tags", "momenta", "masses", "move_mask")


@dataclass(frozen=True)
class Keys:
    """Names of the labels of a file.

    Parameters
    ----------
    energy, forces : str or None
        None: frames have none, or it is not to be read.
    sign : float
        -1 if what is read are gradients.
    findings : tuple of Finding
        How names were chosen, where that needs to be said.
    """

    energy: str | None
    forces: str | None
    sign: float = 1.0
    findings: tuple[Finding, ...] = ()


def _results(atoms: Any) -> dict[str, Any]:
    return dict(getattr(atoms.calc, "results", None) or {})


def energy_labels(atoms: Any) -> dict[str, Any]:
    """Single values of a frame by name; what stands in the file beats what a calculator holds."""
    labels = {**_results(atoms), **atoms.info}
    return {key: value for key, value in labels.items() if np.ndim(value) == 0}


def forces_labels(atoms: Any) -> dict[str, Any]:
    """Vectors for each atom of a frame by name."""
    labels = {**_results(atoms), **{k: v for k, v in atoms.arrays.items() if k not in ("positions", "numbers")}}
    return {key: value for key, value in labels.items() if np.shape(value) == (len(atoms), 3)}


def choose_keys(
    images: Sequence[Any],
    wanted: tuple[str | None, str | None] = (None, None),
    gradients: bool = False,
    ignore: Iterable[str] = (),
) -> Keys:
    """Names of energies and forces in the molecules of a file.

    Parameters
    ----------
    images : sequence of (int, ase.Atoms)
        Molecules with their places in the file.
    wanted : tuple of str or None
        Names of energies and forces, if they are given.
    gradients : bool
        Whether what is there are gradients, minus forces.
    ignore : iterable of str
        "energies" or "forces": not to be read.

    Raises
    ------
    DataError
        If a name that is given is nowhere, there are no labels at all, or there are values that may or may not be
        labels: the message names them.
    """
    left_out = tuple(ignore)
    energies, forces = _names(images, energy_labels), _names(images, forces_labels)
    found: list[Finding] = []
    gradient_names = tuple(GRADIENT_KEYS) if gradients else ()
    energy = None if "energies" in left_out else _chosen("energy", wanted[0], ENERGY_KEYS, energies, images, found)
    key = (
        None
        if "forces" in left_out
        else _chosen("forces", wanted[1], (*FORCES_KEYS, *gradient_names), forces, images, found, gradients)
    )
    if energy is None and key is None:
        index = images[0][0]
        there = {"values per frame": energies, "vectors per atom": forces}
        listed = "; ".join(f"{kind}: {_listed(names)}" for kind, names in there.items())
        raise DataError(
            f"frame {index} has no energy named {_sought(None, ENERGY_KEYS)} and no forces named "
            f"{_sought(None, FORCES_KEYS)}; {listed}. Name the right ones by energy_key, forces_key "
            f"(--energy-key, --forces-key)"
        )
    return Keys(energy, key, -1.0 if gradients else 1.0, tuple(found))


def rename(atoms: Any, old: str, new: str) -> None:
    """Give a label of a frame another name, if it has it."""
    value = _all_labels(atoms).get(old)
    if value is not None:
        for place in (atoms.info, atoms.arrays, getattr(atoms.calc, "results", None) or {}):
            place.pop(old, None)
        (atoms.arrays if np.ndim(value) == 2 else atoms.info)[new] = value


def other_names(images: Sequence[tuple[int, Any]], keys: Keys, wanted: tuple[str | None, str | None]) -> list[Finding]:
    """Frames that lack a label but have another of its usual names: is it the same?"""
    found = []
    for what, key, given, known in (
        ("energy", keys.energy, wanted[0], ENERGY_KEYS),
        ("forces", keys.forces, wanted[1], FORCES_KEYS),
    ):
        labels = [(i, energy_labels(atoms) if what == "energy" else forces_labels(atoms)) for i, atoms in images]
        other = [i for i, there in labels if key not in there and any(name in there for name in known)]
        if key is not None and given is None and other and len(other) < len(images):
            text = f"{len(other)} frames have no {key!r} but another {what}, which is not read: frames {some(other)}"
            advice = f"give them one name, or say which (--{what}-key)"
            found.append(Finding("keys", True, text, advice, tuple(other)))
    return found


def _names(images: Sequence[Any], labels: Any) -> dict[str, int]:
    """Names of values, with the number of frames that have them."""
    found: dict[str, int] = {}
    for _, atoms in images:
        for name, value in labels(atoms).items():
            if np.asarray(value).dtype.kind in "fiu" or name in (*ENERGY_KEYS, *FORCES_KEYS):
                found[name] = found.get(name, 0) + 1
    return found


def _chosen(
    what: str,
    wanted: str | None,
    known: Sequence[str],
    there: dict[str, int],
    images: Sequence[Any],
    found: list[Finding],
    gradients: bool = False,
) -> str | None:
    option = f"--{what}-key"
    if wanted is not None:
        if wanted not in there and not any(wanted in _all_labels(atoms) for _, atoms in images):
            kind = "values per frame" if what == "energy" else "vectors per atom"
            raise DataError(
                f"frame {images[0][0]} has no {what} named {wanted!r}, nor has any other; {kind} that are there: "
                f"{_listed(there)}. Name the right one by {what}_key ({option})"
            )
        return wanted
    for key in known:
        if key in there:
            return key
    pattern, never = (AN_ENERGY, NO_LABEL) if what == "energy" else (SOME_FORCES, NO_FORCES)
    if what == "forces" and gradients:
        pattern = SOME_GRADIENT
    like = [name for name in there if pattern.search(name) and not never.search(name)]
    if what == "forces":
        slopes = [name for name in there if SOME_GRADIENT.search(name)]
        like = like or [name for name in there if not never.search(name) and name not in UNREAD]
        certain = len(like) == 1 and bool(pattern.search(like[0])) and (gradients or not slopes)
    else:
        certain = len(like) == 1 and like[0].lower().endswith(("energy", "energies"))
    if not like:
        return None
    if certain:
        text = f"{what} taken from {like[0]!r}, the only name like it"
        found.append(Finding("keys", False, text, f"say {option} if that is wrong"))
        return like[0]
    kind = "values per frame" if what == "energy" else "vectors per atom"
    raise DataError(
        f"frame {images[0][0]} has no {what} named {_sought(None, known)}; {kind} that are there: {_listed(there)}. "
        f"Name the right one by {what}_key ({option}){_gradient_hint(what, like)}, or leave them out by "
        f"--ignore {'energies' if what == 'energy' else 'forces'}"
    )


def _all_labels(atoms: Any) -> dict[str, Any]:
    return {**_results(atoms), **atoms.info, **atoms.arrays}


def _gradient_hint(what: str, like: list[str]) -> str:
    slopes = [name for name in like if SOME_GRADIENT.search(name)]
    return "; gradients are forces with the other sign (--forces-are-gradients)" if what == "forces" and slopes else ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names)) or "none"


def _sought(wanted: str | None, known: Sequence[str]) -> str:
    return " or ".join(repr(key) for key in (known if wanted is None else [wanted]))


def energy_of(atoms: Any, key: str | None, index: int) -> float:
    """Energy of a frame in the unit of its file; NaN if it has none."""
    labels = energy_labels(atoms)
    if len(atoms) == 1 and (key is None or key not in labels):
        like = [k for k in labels if AN_ENERGY.search(k) and not NO_LABEL.search(k)]
        key = next((k for k in (*ENERGY_KEYS, *like) if k in labels), key)
    if key is None or (key not in labels and np.ndim(_all_labels(atoms).get(key, 0.0)) == 0):
        return float("nan")
    try:
        value = float(_all_labels(atoms)[key])
    except (TypeError, ValueError):
        raise DataError(f"frame {index}: {key!r} must be a number, got {_all_labels(atoms)[key]!r}") from None
    if not np.isfinite(value):
        raise DataError(f"frame {index}: {key!r} is {value}")
    return value


def forces_of(atoms: Any, key: str | None, index: int) -> Array:
    """Forces of a frame in the unit of its file, (n, 3); NaN if it has none."""
    if key is None or key not in _all_labels(atoms):
        return np.full((len(atoms), 3), np.nan)
    labels = _all_labels(atoms)
    if np.shape(labels[key]) != (len(atoms), 3):
        raise DataError(f"frame {index}: {key!r} must be vectors ({len(atoms)}, 3), got shape {np.shape(labels[key])}")
    try:
        forces = np.array(labels[key], dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"frame {index}: {key!r} must be numbers") from None
    finite = np.isfinite(forces).all(axis=1)
    if not finite.all():
        raise DataError(f"frame {index}, atom {int(np.argmin(finite))}: {key!r} is NaN or infinite")
    return forces


def weights_of(atoms: Any, index: int) -> tuple[float, float]:
    """Weights of energy and forces of a frame: ``config_weight`` of both, times their own."""
    labels = energy_labels(atoms)
    whole = _weight(labels, ("config_weight",), index)
    return whole * _weight(labels, WEIGHT_KEYS["energy"], index), whole * _weight(labels, WEIGHT_KEYS["forces"], index)


def _weight(labels: dict[str, Any], names: Sequence[str], index: int) -> float:
    name = next((name for name in names if name in labels), None)
    if name is None:
        return 1.0
    try:
        value = float(labels[name])
    except (TypeError, ValueError):
        value = float("nan")
    if not 0 <= value < np.inf:
        raise DataError(f"frame {index}: {name!r} must be a number that is not negative, got {labels[name]!r}")
    return value


def charges(images: Sequence[Any]) -> tuple[dict[str, Any], list[Finding]]:
    """Charge and spin of the molecules as far as the file says them, and whether they are mixed.

    One potential has one energy for a geometry: molecules of different charge, or of one composition with different
    spin, belong to different potentials.
    """
    record: dict[str, Any] = {}
    found: list[Finding] = []
    labels = [energy_labels(atoms) for _, atoms in images]
    said = any(key in found for found in labels for key in SPIN_KEYS)
    families = [atoms.get_chemical_formula() if said else "" for _, atoms in images]
    for what, names in (("charge", CHARGE_KEYS), ("spin", SPIN_KEYS)):
        groups: dict[Any, dict[Any, list[int]]] = {}
        for k, (index, _) in enumerate(images):
            value = next((v for name in names if (v := _number(labels[k].get(name))) is not None), None)
            family = families[k] if what == "spin" else ""
            groups.setdefault(family, {}).setdefault(value, []).append(index)
        values = {value for family in groups.values() for value in family} - {None}
        if values:
            record[what] = sorted(values)[0] if len(values) == 1 else sorted(values)
        for family, members in groups.items():
            silent = members.get(None)
            known = {v: m for v, m in members.items() if v is not None}
            if what == "charge" and silent and known:
                known[0.0] = sorted([*known.get(0.0, []), *silent])
            if len(known) > 1:
                listed = "; ".join(f"{what} {value:g} in frames {some(m)}" for value, m in sorted(known.items()))
                least = min(known.values(), key=len)
                text = f"molecules {f'of {family} ' if family else ''}of different {what} are mixed: {listed}"
                found.append(Finding(what, True, text, "fit each of them by itself", tuple(least)))
    return record, found


def _number(value: Any) -> float | None:
    try:
        return None if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


def ignored(images: Sequence[Any], keys: Keys) -> dict[str, int]:
    """Names of numbers in a file that are not read, with the number of frames that have them."""
    read = {keys.energy, keys.forces, "config_weight", *WEIGHT_KEYS["energy"], *WEIGHT_KEYS["forces"]}
    read |= {*CHARGE_KEYS, *SPIN_KEYS, *UNREAD}
    found: dict[str, int] = {}
    for _, atoms in images:
        for name in _all_labels(atoms):
            if name not in read:
                found[name] = found.get(name, 0) + 1
    return found


def some(indices: Iterable[int]) -> str:
    """Frames ascending, runs shortened, at most a dozen runs: ``0-3, 7, 9-12``."""
    runs: list[list[int]] = []
    for i in sorted(indices):
        if runs and i == runs[-1][1] + 1:
            runs[-1][1] = i
        else:
            runs.append([i, i])
    named = [str(a) if a == b else f"{a}-{b}" for a, b in runs]
    return ", ".join(named[:12]) + (f" and {len(named) - 12} more" if len(named) > 12 else "")
