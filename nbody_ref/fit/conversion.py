"""Factors of units: energy, length and perhaps a unit of force of a file become eV, Angstrom and eV/Angstrom."""

from __future__ import annotations

from typing import NamedTuple

from nbody_ref.errors import DataError

__all__ = ["Units", "energy_units", "force_units", "unit_factors"]


def energy_units() -> dict[str, float]:
    """Units of energy in eV, by name."""
    from ase import units as u

    return {
        "eV": 1.0,
        "meV": 1e-3,
        "kcal/mol": u.kcal / u.mol,
        "kJ/mol": u.kJ / u.mol,
        "Ha": u.Hartree,
        "mHa": 1e-3 * u.Hartree,
        "Ry": u.Ry,
    }


def _lengths() -> dict[str, float]:
    from ase import units as u

    return {"A": 1.0, "bohr": u.Bohr, "nm": 10.0, "pm": 0.01}


NAMES = {
    "hartree": "ha",
    "hartrees": "ha",
    "eh": "ha",
    "a.u.": "ha",
    "mhartree": "mha",
    "rydberg": "ry",
    "kcal": "kcal/mol",
    "kj": "kj/mol",
    "kcalmol": "kcal/mol",
    "kilocalorie/mol": "kcal/mol",
    "electronvolt": "ev",
    "ang": "a",
    "angstrom": "a",
    "angstroms": "a",
    "\u00e5": "a",
    "a0": "bohr",
    "au": "bohr",
    "nanometer": "nm",
}


def _factor(text: str, known: dict[str, float]) -> float | None:
    name = text.strip().lower()
    name = NAMES.get(name, name)
    return next((value for key, value in known.items() if key.lower() == name), None)


def unit_factors(units: str) -> tuple[float, float]:
    """Factors that turn energies and lengths given in `units` into eV and Angstrom.

    Parameters
    ----------
    units : str
        Energy and length, such as ``eV,A``, ``kcal/mol,A`` or ``Ha,bohr``.

    Raises
    ------
    DataError
        If `units` is none that is known.
    """
    parts = units.split(",") if isinstance(units, str) else []
    known = (energy_units(), _lengths())
    energy, length = map(_factor, parts, known) if len(parts) == 2 else (None, None)
    if energy is None or length is None:
        raise DataError(
            f"units must be an energy ({', '.join(energy_units())}) and a length ({', '.join(_lengths())}) with a "
            f"comma between them, such as 'kcal/mol,A', got {units!r}"
        )
    return energy, length


class Units(NamedTuple):
    """Factors to eV, Angstrom and eV/Angstrom.

    Parameters
    ----------
    energy, length, force : float
    """

    energy: float
    length: float
    force: float

    @classmethod
    def parse(cls, units: str, force_units: str | None = None) -> Units:
        """From ``Ha,A`` and ``Ha/bohr``; forces are energy over length if nothing else is said.

        Raises
        ------
        DataError
            If a unit is none that is known.
        """
        energy, length = unit_factors(units)
        if force_units is None:
            return cls(energy, length, energy / length)
        top, _, bottom = force_units.rpartition("/") if isinstance(force_units, str) else ("", "", "")
        factors = _factor(top, energy_units()), _factor(bottom, _lengths())
        if factors[0] is None or factors[1] is None:
            raise DataError(
                f"force units must be an energy over a length, such as 'Ha/bohr' or 'kcal/mol/A', got {force_units!r}"
            )
        return cls(energy, length, factors[0] / factors[1])


def force_units() -> dict[str, float]:
    """Units of force in eV/Angstrom, by name: every energy over every length but picometre."""
    lengths = {name: value for name, value in _lengths().items() if name != "pm"}
    return {f"{e}/{x}": a / b for e, a in energy_units().items() for x, b in lengths.items()}
