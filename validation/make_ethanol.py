"""Make the ethanol data that the package ships: ``nbody_ref/fit/data/ethanol.xyz``.

Geometries: Langevin dynamics at 500 K on GFN2-xTB (tblite through ASE), every 100 fs after 2 ps of equilibration.
Labels: all-electron RMP2/6-31G* energies and forces (PySCF); atoms at the same level (UMP2, ground-state multiplicity).

    python validation/make_ethanol.py [--frames 300] [--work DIR] [--out FILE]   needs the extra ``data``
    python validation/make_ethanol.py --check [--frames 3]     recomputes the first labels and compares with the file

Each label is appended to ``DIR/labels.jsonl`` as it comes, so an interrupted run goes on where it stopped; whatever is
there is written to FILE at the end (or at once with ``--collect``). One label takes about 2 s on one core.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.build import molecule
from ase.io import read

DATA = Path(__file__).resolve().parent.parent / "nbody_ref" / "fit" / "data" / "ethanol.xyz"
BASIS = "6-31g*"
SEED, TEMPERATURE, TIME_STEP_FS, FRICTION_PER_FS = 20261121, 500.0, 0.5, 0.02
EQUILIBRATION, STRIDE = 4000, 200  # steps
SPIN = {"H": 1, "C": 2, "O": 2}  # unpaired electrons of the free atoms
HARTREE, BOHR = units.Hartree, units.Bohr


def geometries(count: int) -> list[Atoms]:
    """`count` frames of the dynamics, positions rounded to the 1e-6 Angstrom that the file holds."""
    from ase.md.langevin import Langevin
    from tblite.ase import TBLite

    rng = np.random.default_rng(SEED)
    atoms = molecule("CH3CH2OH")
    atoms.calc = TBLite(method="GFN2-xTB", verbosity=0)
    thermal = np.sqrt(atoms.get_masses() * units.kB * TEMPERATURE)
    atoms.set_momenta(thermal[:, None] * rng.standard_normal((len(atoms), 3)))
    dynamics = Langevin(
        atoms,
        TIME_STEP_FS * units.fs,
        temperature_K=TEMPERATURE,
        friction=FRICTION_PER_FS / units.fs,
        fixcm=False,
        rng=rng,
    )
    dynamics.run(EQUILIBRATION)
    frames = []
    for _ in range(count):
        dynamics.run(STRIDE)
        frames.append(Atoms(atoms.symbols, positions=np.round(atoms.positions - atoms.positions.mean(axis=0), 6)))
    return frames


def label(atoms: Atoms) -> tuple[float, np.ndarray]:
    """MP2 energy (eV) and forces (eV/Angstrom) of one frame."""
    from pyscf import gto, mp, scf

    symbols = atoms.get_chemical_symbols()
    spin = SPIN[symbols[0]] if len(atoms) == 1 else 0
    mol = gto.M(atom=list(zip(symbols, atoms.positions)), basis=BASIS, spin=spin, verbose=0)
    mean_field = (scf.UHF if spin else scf.RHF)(mol)
    mean_field.conv_tol, mean_field.conv_tol_grad = 1e-11, 1e-7
    mean_field.kernel()
    if not mean_field.converged:
        raise RuntimeError("Hartree-Fock did not converge")
    post = (mp.UMP2 if spin else mp.MP2)(mean_field)
    if np.prod(post.get_nocc()) == 0 or mol.nelectron == 1:  # the hydrogen atom has no correlation energy
        return float(mean_field.e_tot * HARTREE), np.zeros((1, 3))
    post.kernel()
    if len(atoms) == 1:
        return float(post.e_tot * HARTREE), np.zeros((1, 3))
    gradient = post.nuc_grad_method().kernel()
    return float(post.e_tot * HARTREE), -np.asarray(gradient) * HARTREE / BOHR


def positions_of(path: Path, count: int) -> list[Atoms]:
    """Geometries from the work folder, made there first if they are missing or too few."""
    if path.exists():
        frames = [Atoms(entry["symbols"], entry["positions"]) for entry in json.loads(path.read_text())]
        if len(frames) >= count:
            return frames
    frames = [Atoms([s], [[0.0, 0.0, 0.0]]) for s in SPIN] + geometries(count)
    entries = [{"symbols": f.get_chemical_symbols(), "positions": f.positions.tolist()} for f in frames]
    path.write_text(json.dumps(entries))
    return frames


def read_labels(path: Path) -> dict[int, tuple[float, list[list[float]]]]:
    """Labels written so far; a last line cut off by an interruption is left out."""
    done = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            index, energy, forces = json.loads(line)
        except ValueError:
            continue
        done[index] = (energy, forces)
    return done


def write_extxyz(path: Path, frames: list[Atoms], done: dict[int, tuple[float, list[list[float]]]]) -> int:
    """Write the labelled frames, atoms first; returns how many molecules there are."""
    lines, molecules = [], 0
    for index in sorted(done):
        atoms, (energy, forces) = frames[index], done[index]
        kind = "IsolatedAtom" if len(atoms) == 1 else "ethanol"
        molecules += len(atoms) > 1
        lines += [
            str(len(atoms)),
            f'Properties=species:S:1:pos:R:3:REF_forces:R:3 REF_energy={energy:.7f} config_type={kind} pbc="F F F"',
        ]
        for symbol, r, force in zip(atoms.get_chemical_symbols(), atoms.positions, forces):
            lines.append(f"{symbol:2s}" + "".join(f" {x:10.6f}" for x in r) + "".join(f" {x:11.6f}" for x in force))
    temporary = path.with_suffix(".tmp")
    temporary.write_text("\n".join(lines) + "\n")
    temporary.replace(path)
    return molecules


def check(path: Path, count: int) -> int:
    """Recompute the labels of the first `count` molecules and of the atoms of the shipped file."""
    frames = read(path, index=f":{len(SPIN) + count}")
    worst = 0.0
    for atoms in frames:
        energy, forces = label(atoms)
        worst = max(worst, abs(energy - atoms.info["REF_energy"]), np.abs(forces - atoms.arrays["REF_forces"]).max())
    print(f"{len(frames)} frames relabelled, largest difference {worst:.2e} (eV, eV/Angstrom)")
    return int(worst > 5e-6)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, help="default: 300, with --check 3")
    parser.add_argument("--work", type=Path, default=Path("ethanol_work"))
    parser.add_argument("--out", type=Path, default=DATA)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--collect", action="store_true", help="write the file from the labels that are there")
    options = parser.parse_args()
    if options.check:
        return check(options.out, options.frames or 3)
    options.work.mkdir(parents=True, exist_ok=True)
    count = options.frames or 300
    frames = positions_of(options.work / "geometries.json", count)[: len(SPIN) + count]
    labels = options.work / "labels.jsonl"
    done = read_labels(labels)
    for index, atoms in enumerate(frames):
        if index in done or options.collect:
            continue
        energy, forces = label(atoms)
        done[index] = (energy, forces.tolist())
        with labels.open("a") as file:
            file.write(("\n" if file.tell() else "") + json.dumps([index, energy, forces.tolist()]))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    print(write_extxyz(options.out, frames, {i: v for i, v in done.items() if i < len(frames)}), "molecules written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
