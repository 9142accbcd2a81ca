"""``nbody-ref predict``, ``relax``, ``md``, ``vib`` and ``select``: what comes after a fit.

Each writes a folder of its own, in it ``COMMAND.json`` with the keys that the documentation lists, and ends by naming
the command that is usually next. Exit status 1: a relaxation did not converge, a molecule is outside the training data,
a structure is no minimum.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbody_ref
from nbody_ref.errors import ArgumentError, DataError
from nbody_ref.fit.command import ask_to_overwrite, whole, write_json

if TYPE_CHECKING:
    from nbody_ref.fit.run_folder import OutputFolder

__all__ = ["SCHEMA", "add_folder_arguments", "add_parsers", "finish", "in_folder"]

SCHEMA = "nbody_ref.after/1"  # of the JSON of all these commands
Command = Callable[[str, Callable[[argparse.Namespace], int], str], Any]
Work = Callable[[argparse.Namespace, "OutputFolder"], tuple[int, dict[str, Any], str]]


def add_parsers(command: Command) -> None:
    """The five commands; `command` makes a parser of a name, what it runs and what it does."""
    for name, work, text in (
        ("predict", _predict, "Energies and forces of geometries."),
        ("relax", _relax, "Relax a molecule to a minimum."),
        ("md", _md, "Let a molecule move at a mean temperature."),
        ("vib", _vib, "Harmonic frequencies, zero-point energy, thermochemistry."),
    ):
        parser = command(name, in_folder(work, resumes=name == "md"), text)
        parser.add_argument("model", type=Path, metavar="MODEL")
        many = {"nargs": "+", "help": "geometries, or patterns of names"} if name == "predict" else {}
        parser.add_argument("file", metavar="FILE", **many)
        if name != "predict":
            parser.add_argument("--frame", type=whole, metavar="N", help="from 0 (default: the first molecule)")
        add_folder_arguments(parser, name)
        {"relax": _relax_arguments, "md": _md_arguments, "vib": _vib_arguments}.get(name, lambda _: None)(parser)
    parser = command("select", in_folder(_select), "The most informative geometries of a pool, to be labelled next.")
    parser.add_argument("file", nargs="+", metavar="POOL", help="geometries, or patterns of names")
    parser.add_argument("-n", type=whole, required=True, metavar="N", help="how many")
    parser.add_argument("--known", action="append", metavar="FILE", help="geometries that have labels already")
    parser.add_argument("--cutoff", type=float, default=5.0, metavar="A", help="of the fit, Angstrom (default: 5)")
    parser.add_argument("--seed", type=whole, default=0, metavar="N", help="(default: 0)")
    add_folder_arguments(parser, "select")


def add_folder_arguments(parser: Any, name: str) -> None:
    """Where the results go."""
    text = f"receives the results (default: {name})"
    parser.add_argument("-o", "--output", type=Path, default=Path(name), metavar="DIR", help=text)
    parser.add_argument("--overwrite", action="store_true", help="replace earlier results in DIR")
    parser.add_argument("--json", action="store_true", help="print the result as JSON, all else on the error output")


def _relax_arguments(parser: Any) -> None:
    text = "largest force, eV/A (default: 0.01)"
    parser.add_argument("--max-force", type=float, default=0.01, metavar="F", help=text)
    parser.add_argument("--steps", type=whole, default=300, metavar="N", help="at most (default: 300)")


def _md_arguments(parser: Any) -> None:
    parser.add_argument("--temperature", type=float, default=300.0, metavar="K", help="mean (default: 300)")
    parser.add_argument("--ps", type=float, default=10.0, metavar="T", help="length, ps (default: 10)")
    parser.add_argument("--ensemble", choices=["nve", "langevin"], default="nve", help="(default: nve)")
    parser.add_argument("--time-step", type=float, default=0.5, metavar="FS", help="fs (default: 0.5)")
    parser.add_argument("--friction", type=float, default=10.0, metavar="G", help="of langevin, 1/ps (default: 10)")
    text = "steps between frames of the trajectory (default: 20)"
    parser.add_argument("--every", type=whole, default=20, metavar="N", help=text)
    parser.add_argument("--replicas", type=whole, default=1, metavar="N", help="independent runs (default: 1)")
    parser.add_argument("--seed", type=whole, default=0, metavar="N", help="(default: 0)")


def _vib_arguments(parser: Any) -> None:
    text = "take the structure as it is, a transition state for instance; else it is relaxed to 0.001 eV/A"
    parser.add_argument("--as-is", action="store_true", help=text)
    parser.add_argument("--temperature", type=float, default=298.15, metavar="K", help="(default: 298.15)")
    parser.add_argument("--pressure", type=float, default=101325.0, metavar="PA", help="(default: 101325)")
    text = "rotations that leave the molecule as it is: ethanol 1, water 2, methane 12 (default: 1)"
    parser.add_argument("--symmetry-number", type=whole, default=1, metavar="N", help=text)
    parser.add_argument("--multiplicity", type=whole, default=1, metavar="M", help="2 S + 1 (default: 1)")


def in_folder(work: Work, resumes: bool = False) -> Callable[[argparse.Namespace], int]:
    """A command that works in its folder; `resumes`: what is there is gone on with, not overwritten."""

    def run(options: argparse.Namespace) -> int:
        from nbody_ref.fit.run_folder import OutputFolder

        name = f"{options.command}.json"
        quiet = contextlib.redirect_stdout(sys.stderr) if options.json else contextlib.nullcontext()
        with quiet:
            if not resumes:
                ask_to_overwrite(options.output, name, options.overwrite, "earlier results")
            with OutputFolder(options.output, log="log.txt", continues=name if resumes else None) as folder:
                begun = time.perf_counter()
                try:
                    status, found, following = work(options, folder)
                except ArgumentError as error:
                    options.parser.error(str(error))
                found = finish(options, found, time.perf_counter() - begun)
                write_json(folder / name, found)
                folder.say(f"results: {folder.path}/\nnext:    {following}")
        if options.json:
            print(json.dumps(found, indent=1))
        return status

    return run


def finish(options: argparse.Namespace, found: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The result with what all results have."""
    head = {"schema": SCHEMA, "command": options.command, "package": nbody_ref.__version__}
    return {**head, **found, "seconds": round(seconds, 2)}


def _start(options: argparse.Namespace, folder: OutputFolder) -> tuple[Any, Any]:
    """The potential, and one frame of the file."""
    from nbody_ref.after.geometries import read_geometries
    from nbody_ref.fit import load

    potential = load(options.model)
    images = read_geometries([options.file], potential)
    frame = options.frame
    if frame is None:  # files of labels begin with isolated atoms
        frame = next((i for i, atoms in enumerate(images) if len(atoms) > 1), 0)
    if frame >= len(images):
        raise DataError(f"{options.command}: '--frame' must be less than {len(images)}, got {frame}")
    atoms = images[frame]
    potential.check_composition(atoms.numbers, f"{options.command}: frame {frame}")
    which = f", frame {frame} of {len(images)} (others: --frame N)" if len(images) > 1 else ""
    folder.say(f"{atoms.get_chemical_formula()} from {options.file}{which}; potential {options.model}")
    return potential, atoms


def _predict(options: argparse.Namespace, folder: OutputFolder) -> tuple[int, dict[str, Any], str]:
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase.io import write
    from tqdm import tqdm

    from nbody_ref.after.geometries import outside, read_geometries
    from nbody_ref.fit import load

    potential = load(options.model)
    images = read_geometries(options.file, potential)
    calculator: Any = potential.calculator()
    single: Any = SinglePointCalculator
    beyond, forces_only = {}, 0
    for i, atoms in enumerate(tqdm(images, disable=not sys.stderr.isatty(), unit="frame")):
        whole_energy = potential.baseline.determines(atoms.numbers)
        names = ["energy", "forces"] if whole_energy else ["forces"]
        forces_only += not whole_energy
        atoms.calc = calculator
        atoms.get_forces()
        found = {name: calculator.results[name] for name in names}
        if outside(atoms):
            beyond[i] = outside(atoms)
            atoms.info["outside"] = "; ".join(beyond[i])
        atoms.calc = single(atoms, **found)
    write(folder / "predictions.xyz", images, format="extxyz")
    folder.say(f"{len(images)} frames: energies (eV) and forces (eV/A) in predictions.xyz")
    if forces_only:
        folder.say(
            f"{forces_only} of them have forces only: the training data leave the energy of such a molecule open"
        )
    for i, why in list(beyond.items())[:5]:
        folder.say(f"outside the training data: frame {i}: {'; '.join(why)}")
    if len(beyond) > 5:
        folder.say(f"... and {len(beyond) - 5} frames more")
    result = {"frames": len(images), "forces_only": forces_only, "outside": {str(i): why for i, why in beyond.items()}}
    return 1 if beyond else 0, result, f"nbody-ref relax {options.model} {options.file[0]}"


def _relax(options: argparse.Namespace, folder: OutputFolder) -> tuple[int, dict[str, Any], str]:
    from ase.io import write

    from nbody_ref.after.geometries import outside
    from nbody_ref.fit import relax

    potential, atoms = _start(options, folder)
    done = relax(potential, atoms, max_force=options.max_force, steps=options.steps)
    why, energy = outside(done.atoms), float(done.atoms.get_potential_energy())
    write(folder / "relaxed.xyz", done.atoms, format="extxyz")
    folder.say(
        f"{'converged' if done.converged else 'NOT converged'} in {done.steps} steps of BFGS: energy {energy:.6f} eV, "
        f"down by {done.energy_drop:.4f} eV; largest force {done.max_force:.5f} eV/A; structure in relaxed.xyz"
    )
    for line in why:
        folder.say(f"the end is outside the training data: {line}")
    result: dict[str, Any] = {
        "converged": done.converged,
        "steps": done.steps,
        "energy_eV": energy,
        "energy_drop_eV": done.energy_drop,
    }
    result |= {"max_force_eV_per_A": done.max_force, "outside": why}
    following = f"nbody-ref vib {options.model} {folder / 'relaxed.xyz'}"
    return 0 if done.converged else 1, result, following


def _md(options: argparse.Namespace, folder: OutputFolder) -> tuple[int, dict[str, Any], str]:
    from tqdm import tqdm

    from nbody_ref.after.dynamics import Settings, Walk

    names = ("temperature", "ensemble", "time_step", "friction", "every", "seed")
    settings = Settings(**{name: getattr(options, name) for name in names})
    if not 0 < options.ps < float("inf") or not options.replicas:
        raise ArgumentError("md: '--ps' and '--replicas' must be positive")
    potential, atoms = _start(options, folder)
    steps = round(1000 * options.ps / settings.time_step)
    results = []
    for k in range(options.replicas):
        walk = Walk(potential, settings, folder.path, "" if options.replicas == 1 else f"-{k}")
        if options.overwrite:
            folder.remove(walk.state.name)
        walk.begin(atoms, k)
        if walk.step:
            folder.say(f"{walk.trajectory.name}: going on from {walk.step * settings.time_step:g} fs")
        with tqdm(total=steps, initial=walk.step, disable=not sys.stderr.isatty(), unit="step") as bar:
            walk.run(steps, bar)
        found = walk.summary()
        results.append(found)
        error = found["temperature_error_K"]
        about = "" if error is None else f" +- {error:.1f}"
        folder.say(
            f"{found['trajectory']}: {found['femtoseconds']:g} fs, mean {found['temperature_K']:.1f}{about} K, "
            f"drift {found['drift_meV_per_atom_ps']:.4f} meV/atom/ps"
        )
        for line in walk.why:
            folder.say(f"ENDED at {found['femtoseconds']:g} fs, outside the training data: {line}")
    stopped = any(found["outside"] for found in results)
    first = folder / results[0]["trajectory"]
    text = f"nbody-ref select {first} -n 20 -o more   (frames to label, then fit again)"
    return int(stopped), {"ensemble": settings.ensemble, "replicas": results}, text


def _vib(options: argparse.Namespace, folder: OutputFolder) -> tuple[int, dict[str, Any], str]:
    from ase.io import write

    from nbody_ref.after.geometries import outside
    from nbody_ref.after.vibrations import vibrations
    from nbody_ref.fit import relax

    if not options.symmetry_number or not options.multiplicity:
        raise ArgumentError("vib: '--symmetry-number' and '--multiplicity' must be positive")
    if not (0 < options.temperature < float("inf") and 0 < options.pressure < float("inf")):
        raise ArgumentError("vib: '--temperature' and '--pressure' must be positive")
    potential, atoms = _start(options, folder)
    if not options.as_is:
        done = relax(potential, atoms, max_force=0.001, steps=500)
        atoms = done.atoms
        told = "" if done.converged else ": NOT converged, frequencies are those of no minimum"
        folder.say(f"relaxed to a largest force of {done.max_force:.5f} eV/A{told}")
    found = vibrations(potential, atoms)
    largest = float(abs(found.atoms.get_forces()).max())
    images = []
    for wave, move in zip(found.wavenumbers, found.modes, strict=True):
        image = atoms.copy()
        image.info["wavenumber"], image.arrays["mode"] = float(wave), move
        images.append(image)
    write(folder / "modes.xyz", images, format="extxyz")
    waves, bad, why = found.wavenumbers, found.imaginary, outside(found.atoms)
    folder.say("frequencies, cm-1 (imaginary ones negative): " + " ".join(f"{wave:.0f}" for wave in waves))
    folder.say(f"zero-point energy {found.zero_point_energy:.4f} eV; modes in modes.xyz")
    for line in bad:
        folder.say(f"IMAGINARY: {line}")
    for line in why:
        folder.say(f"the structure is outside the training data: {line}")
    thermo = None
    if not bad:
        how = (options.temperature, options.pressure, options.symmetry_number, options.multiplicity)
        thermo = found.thermochemistry(*how)
        folder.say(
            f"ideal gas at {thermo['temperature_K']:g} K, {thermo['pressure_Pa']:g} Pa, symmetry number {how[2]}: "
            f"H {thermo['enthalpy_eV']:.4f} eV, S {1e3 * thermo['entropy_eV_per_K']:.4f} meV/K, "
            f"G {thermo['gibbs_energy_eV']:.4f} eV"
        )
    result = {"wavenumbers_per_cm": waves.tolist(), "zero_point_energy_eV": found.zero_point_energy}
    result |= {"imaginary": bad, "max_force_eV_per_A": largest, "thermochemistry": thermo, "outside": why}
    following = f"nbody-ref md {options.model} {options.file} --temperature 300"
    return 1 if why or (bad and not options.as_is) else 0, result, following


def _select(options: argparse.Namespace, folder: OutputFolder) -> tuple[int, dict[str, Any], str]:
    from ase.io import write

    from nbody_ref.after.geometries import read_geometries, unlabelled
    from nbody_ref.after.selection import select

    images = read_geometries(options.file)
    known = [atoms for atoms in read_geometries(options.known) if len(atoms) > 1] if options.known else []
    pool = [i for i, atoms in enumerate(images) if len(atoms) > 1]  # isolated atoms have no forces
    some = unlabelled([images[i] for i in pool])
    chosen = [pool[i] for i in select(some, options.n, unlabelled(known), options.cutoff, options.seed)]
    write(folder / "selected.xyz", [images[i] for i in chosen], format="extxyz")
    folder.say(f"{options.n} of {len(pool)} molecules, the most informative first, in selected.xyz: {chosen}")
    return 0, {"pool": len(pool), "selected": chosen}, f"label {folder / 'selected.xyz'}, then nbody-ref fit FILE"
