"""What a fit says to data as chemists have them: 46 public reports and 15 more, for docs/data_situations.md.

python benchmarks/data_situations.py [--write docs/data_situations.md] [--only 17,21]

Data are made from the ethanol frames of the package and from Morse curves. "Before" is what the first version did with
each of them. A row that ends otherwise than it should is marked, and the exit status is then 1.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms
from ase.io import read, write

from nbody_ref import cli
from nbody_ref.fit.reading import ETHANOL

HA, BOHR, KCAL, KJ = 27.211386, 0.529177, 23.0605, 96.4853
N = 40
FAST = ["--size", "small", "--smoothness", "2", "--regularisation", "1e-8"]
Change = Callable[[int, Atoms], Any]


class Row(NamedTuple):
    """A situation: where it was reported, what the first version did, the command, and how it should end."""

    number: str
    source: str
    what: str
    before: str
    command: Sequence[str]
    good: bool  # whether the exit status should be 0


def molecules() -> tuple[list[Atoms], list[Atoms]]:
    """Isolated atoms and molecules of the package's ethanol."""
    images = read(ETHANOL, index=":")
    return images[:3], images[3:]


ISOLATED, MOLECULES = molecules()


def made(name: str, change: Change | None = None, atom: Any = None, n: int = N, isolated: bool = True) -> str:
    """A file of n frames after `change` of (place, atoms); `atom` changes energies of isolated atoms."""
    out = []
    for a in ISOLATED if isolated else []:
        b = a.copy()
        b.info["REF_energy"] = a.info["REF_energy"] if atom is None else atom(a.info["REF_energy"])
        out.append(b)
    for i, a in enumerate(MOLECULES[:n]):
        b = a.copy()
        if change is not None:
            change(i, b)
        out.append(b)
    write(name, out, format="extxyz")
    return name


def scaled(e: float, f: float, r: float = 1.0, shift: float = 0.0) -> Change:
    """Energies, forces and positions in other units."""

    def change(i: int, a: Atoms) -> None:
        a.info["REF_energy"] = (a.info["REF_energy"] + shift) * e
        a.arrays["REF_forces"] = a.arrays["REF_forces"] * f
        a.positions *= r

    return change


def moved(de: Callable[[int], float]) -> Change:
    """Energies that are off by something."""
    return lambda i, a: a.info.__setitem__("REF_energy", a.info["REF_energy"] + de(i))


def renamed(energy: str | None, forces: str | None) -> Change:
    """Labels under other names; None: taken away."""

    def change(i: int, a: Atoms) -> None:
        e, f = a.info.pop("REF_energy"), a.arrays.pop("REF_forces")
        if energy:
            a.info[energy] = e
        if forces:
            a.arrays[forces] = f

    return change


def noted(**values: Any) -> Change:
    """Values of a frame beside its labels."""
    return lambda i, a: a.info.update({k: v(i) if callable(v) else v for k, v in values.items()})


def dropped(e: int, f: int) -> Change:
    """Every e-th energy and every f-th forces missing."""

    def change(i: int, a: Atoms) -> None:
        if e and i % e == 0:
            del a.info["REF_energy"]
        if f and i % f == 0:
            del a.arrays["REF_forces"]

    return change


def boxed(size: float) -> Change:
    """In a periodic cell, cut by its walls."""

    def change(i: int, a: Atoms) -> None:
        a.set_cell([size] * 3)
        a.pbc = True
        a.positions -= [0.5, 0, 0]
        a.wrap()

    return change


def curve(name: str, symbols: str, lengths: Any, rest: float, depth: float, stiff: float, zero: float) -> str:
    """A file of pairs of atoms on a Morse curve, energies and forces in eV and Angstrom."""
    out = []
    for r in lengths:
        x = np.exp(-stiff * (r - rest))
        pull = -2 * depth * stiff * (1 - x) * x
        a = Atoms(symbols, [[0, 0, 0], [0, 0, r]], info={"energy": zero + depth * ((1 - x) ** 2 - 1)})
        a.arrays["forces"] = np.array([[0, 0, -pull], [0, 0, pull]])
        out.append(a)
    write(name, out, format="extxyz")
    return name


def steps(count: int, femtoseconds: float, name: str) -> str:
    """A trajectory of the package's ethanol under a fitted potential, labelled by it."""
    from ase import units
    from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
    from ase.md.verlet import VelocityVerlet

    from nbody_ref.fit import load

    a = MOLECULES[0].copy()
    a.calc = load("model/potential.safetensors").calculator()
    MaxwellBoltzmannDistribution(a, temperature_K=400, rng=np.random.default_rng(0))
    run, out = VelocityVerlet(a, 0.5 * units.fs), []
    for _ in range(count):
        run.run(max(1, round(2 * femtoseconds)))
        b = Atoms(a.numbers, a.positions, info={"energy": a.get_potential_energy()})
        b.arrays["forces"] = a.get_forces()
        out.append(b)
    write(name, out, format="extxyz")
    return name


def labelled(images: Sequence[Atoms], name: str, energy: Callable[[Atoms], float] = lambda a: 0.0) -> str:
    """Geometries with the labels of the fitted potential."""
    from nbody_ref.fit import load

    calculator, out = load("model/potential.safetensors").calculator(), []
    for a in images:
        b = Atoms(a.numbers, a.positions)
        b.calc = calculator
        c = Atoms(a.numbers, a.positions, info={"energy": b.get_potential_energy() + energy(b)})
        c.arrays["forces"] = b.get_forces()
        out.append(c)
    write(name, out, format="extxyz")
    return name


def along_modes(n: int = 30) -> list[Atoms]:
    """The first frame moved in equal steps along three random directions."""
    rng, out = np.random.default_rng(0), []
    for _ in range(3):
        way = rng.standard_normal((9, 3))
        way /= np.linalg.norm(way)
        for x in np.linspace(-0.35, 0.35, n // 3):
            a = MOLECULES[0].copy()
            a.positions += x * way
            out.append(a)
    return out


def turned(n: int = 36) -> list[Atoms]:
    """A rigid rotation of the hydroxyl group."""
    out = []
    a = MOLECULES[0]
    o = a.symbols.search("O")[0]
    near = np.argsort(a.get_distances(o, range(9)))
    h = next(int(k) for k in near if a.symbols[k] == "H")
    c = next(int(k) for k in near if a.symbols[k] == "C")
    other = next(int(k) for k in np.argsort(a.get_distances(c, range(9))) if a.symbols[k] == "C" and k != c)
    for angle in np.linspace(0, 350, n):
        b = a.copy()
        b.set_dihedral(other, c, int(o), h, angle, indices=[h])
        out.append(b)
    return out


def npz(name: str, e: float, names: Sequence[str], **more: Any) -> str:
    """Arrays of the first frames, energies and forces times e."""
    m = MOLECULES[:N]
    r, z = np.array([a.positions for a in m]), m[0].numbers
    energies, forces = np.array([a.info["REF_energy"] for a in m]), np.array([a.arrays["REF_forces"] for a in m])
    np.savez(name, **dict(zip(names, (r, z, e * energies, e * forces), strict=True)), **more)
    return name


def run(*command: str) -> tuple[int, str]:
    """Exit status and all that was printed."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            status = cli.main(list(command))
        except SystemExit as stop:
            status = int(stop.code or 0)
    return status, out.getvalue()


def said(status: int, text: str) -> str:
    """The line that answers the situation."""
    lines = [line for line in text.splitlines() if line.strip()]
    wrong = [line.removeprefix("WRONG").strip() for line in lines if line.startswith("WRONG")]
    wrong += [line.partition("error:")[2].strip() for line in lines if "error:" in line]
    notes = [line.removeprefix("note").strip() for line in lines if line.startswith("note")]
    known = [line for line in lines if line.startswith("independent frames")] if not notes else []
    found = wrong[0] if wrong else "; ".join(notes[:2] or known) if status == 0 else lines[-1]
    return found.replace("|", "/")[:230]


def main() -> int:
    """Run the rows and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", type=Path)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent))
    from data_situations_rows import HEAD, MORE, REPORTED

    target = options.write and options.write.resolve()
    lines, bad = [HEAD.rstrip("\n")], 0
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        print(run("fit", made("model.xyz"), "-o", "model", *FAST)[1][-200:])
        for title, rows in (("## Situations from public reports", REPORTED()), ("## Fifteen more", MORE())):
            lines += ["", title, "", "| | reported | situation | before | command | now |", "|---|---|---|---|---|---|"]
            for row in rows:
                if options.only and row.number not in options.only.split(","):
                    continue
                status, text = run(*row.command)
                good = (status == 0) == row.good
                bad += not good
                mark = "" if good else "**NOT AS IT SHOULD BE** "
                shown = " ".join(x for x in row.command if x not in FAST)
                end = f"{mark}status {status}: {said(status, text)}"
                lines.append(f"| {row.number} | {row.source} | {row.what} | {row.before} | `{shown}` | {end} |")
                print(lines[-1], flush=True)
    if target:
        target.write_text("\n".join(lines) + "\n")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
