"""``nbody-ref check``, ``fit`` and ``evaluate``: data checked, fitted to, and compared with."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbody_ref.errors import ArgumentError, DataError, FileError

if TYPE_CHECKING:
    from nbody_ref.fit.run_folder import OutputFolder

__all__ = ["add_parsers", "add_reading_arguments", "ask_to_overwrite", "reading", "whole", "write_json"]

MODEL = "potential.safetensors"
CHECKPOINT = "training.checkpoint"
WRONG_DATA = 2  # exit status of a fit that is refused
Command = Callable[[str, Callable[[argparse.Namespace], int], str], Any]


def whole(text: str) -> int:
    """A whole number that is not negative."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"must be a whole number, not negative, got {text!r}")
    return int(text)


def add_parsers(command: Command) -> None:
    """The three commands; `command` makes a parser of a name, what it runs and what it does."""
    _check_arguments(command("check", _check, "Find what is wrong with labelled geometries, before a fit."))
    _fit_arguments(command("fit", _fit, "Fit a potential to energies and forces."))
    judge = command("evaluate", _evaluate, "Errors of a potential on labelled frames.")
    judge.add_argument("model", type=Path, metavar="MODEL")
    judge.add_argument("file", nargs="+", metavar="FILE")
    judge.add_argument("--json", type=Path, metavar="OUT", help="write the errors as JSON")
    judge.add_argument("--report", type=Path, metavar="HTML", help="write a report with parity plots")
    add_reading_arguments(judge)


def _check_arguments(parser: Any) -> None:
    parser.add_argument("file", nargs="+", metavar="FILE", help="labelled geometries, or patterns of names")
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="OUT", help="the result as JSON (default: on the screen)"
    )
    parser.add_argument("--cutoff", type=float, default=5.0, metavar="A", help="of the fit, Angstrom (default: 5)")
    add_reading_arguments(parser)


def _fit_arguments(parser: Any) -> None:
    text = (
        "labelled geometries: extxyz, what ASE reads, npz, folders of DeePMD; several, patterns such as 'runs/*.out', "
        "or the fit.toml of an earlier fit"
    )
    parser.add_argument("file", nargs="+", metavar="FILE", help=text)
    folder = f"receives {MODEL}, report.html and log.txt (default: fit)"
    parser.add_argument("-o", "--output", type=Path, default=Path("fit"), metavar="DIR", help=folder)
    parser.add_argument("--overwrite", action="store_true", help="replace what an earlier fit left in DIR")
    parser.add_argument("--anyway", action="store_true", help="fit even if the data are found to be wrong")
    parser.add_argument("--n-train", type=whole, metavar="N", help="fit to N random frames, test on the others")
    parser.add_argument("--test", action="append", metavar="FILE", help="frames to test on")
    parser.add_argument("--seed", type=whole, metavar="N", help="of splits and random weights (default: 0)")
    add_reading_arguments(parser)
    model = parser.add_argument_group("what is fitted")
    model.add_argument("--cutoff", type=float, metavar="A", help="radius of neighbourhoods, Angstrom (default: 5)")
    sizes = ["auto", "small", "medium", "large", "xlarge", "xxlarge"]
    model.add_argument("--size", choices=sizes, help="how many features (default: auto, by the number of labels)")
    solvers = ["auto", "primal", "dual", "qr"]
    model.add_argument("--solver", choices=solvers, help="of the equations (default: auto; qr: twice the digits)")
    model.add_argument("--smoothness", type=float, metavar="S", help="fix the exponent instead of choosing it")
    model.add_argument("--regularisation", type=float, metavar="L", help="fix lambda instead of choosing it")
    model.add_argument("--holdout", type=float, metavar="PART", help="part of the frames for choices (default: 0.2)")
    weight = "an error of 1 eV counts as much as one of W eV/A in a component of a force (default: 30)"
    model.add_argument("--energy-weight", type=float, metavar="W", help=weight)
    train = "all: train the covariant weights as well, and keep them if the hold-out says so (default: readout)"
    model.add_argument("--train", choices=["readout", "all"], help=train)
    minutes = "of the whole fit with --train all, which stops in time with the best kept (default: 20)"
    model.add_argument("--max-minutes", type=float, metavar="N", help=minutes)
    steps = "of that training, whatever the time they take (default: as many as there is time for)"
    model.add_argument("--steps", type=whole, metavar="N", help=steps)
    model.add_argument("--memory", type=float, metavar="GB", help="most memory to use (default: what is free)")


def add_reading_arguments(parser: Any) -> None:
    """Options that say how files are read."""
    data = parser.add_argument_group("how files are read")
    units = (
        "energy and length: eV, meV, kcal/mol, kJ/mol, Ha or Ry; A, bohr, nm (default: what the file says, else eV,A)"
    )
    data.add_argument("--units", metavar="E,L", help=units)
    data.add_argument("--force-units", metavar="E/L", help="of the forces, such as Ha/bohr (default: as --units)")
    data.add_argument("--forces-are-gradients", action="store_true", help="what is read are gradients, minus forces")
    data.add_argument("--energy-key", metavar="KEY", help="name of the energies (default: REF_energy, else energy)")
    data.add_argument("--forces-key", metavar="KEY", help="name of the forces (default: REF_forces, else forces)")
    ignore = "labels that are not to be used; may be given twice"
    data.add_argument("--ignore", action="append", choices=["energies", "forces"], default=[], help=ignore)
    e0 = "energies of isolated atoms, eV; none: do not use those of the file"
    data.add_argument("--e0", metavar="H:-13.6,...", help=e0)
    box = "a periodic cell holds one molecule in a vacuum: unwrap it, and check that its images are far"
    data.add_argument("--molecule", action="store_true", help=box)
    trust = "skip the checks of magnitudes, bond lengths, the sign of forces, and energies against forces"
    data.add_argument("--trust-units", action="store_true", help=trust)


def reading(options: argparse.Namespace) -> dict[str, Any]:
    """What `nbody_ref.fit.read_frames` is told, from the options of `add_reading_arguments`."""
    names = ("units", "force_units", "energy_key", "forces_key", "e0", "molecule")
    found = {name: getattr(options, name) for name in names}
    found |= {"gradients": options.forces_are_gradients, "ignore": tuple(options.ignore)}
    if getattr(options, "cutoff", None) is not None:
        found["vacuum"] = options.cutoff
    return found


def _check(options: argparse.Namespace) -> int:
    from nbody_ref.fit import check

    result = check(options.file, cutoff=options.cutoff, trust_units=options.trust_units, **reading(options))
    if options.json == "-":
        print(json.dumps(result.to_dict(), indent=1))
    else:
        print(result)
        if options.json is not None:
            write_json(Path(options.json), result.to_dict())
    return 0 if result.ok else 1


def _fit(options: argparse.Namespace) -> int:
    from nbody_ref.fit import check, fit, prepare
    from nbody_ref.fit.reading import load_frames
    from nbody_ref.fit.recipe import NAME, read_recipe, write_recipe
    from nbody_ref.fit.run_folder import OutputFolder

    if len(options.file) == 1 and options.file[0].endswith(".toml"):
        read_recipe(options)
    chosen = _choices(options)
    frames = load_frames(options.file, **reading(options))
    test = None if options.test is None else load_frames(options.test, **reading(options))
    result = check(frames, cutoff=chosen.get("cutoff", 5.0), trust_units=options.trust_units)
    if not result.ok and not options.anyway:
        for found in result.wrong:
            print(f"nbody-ref: error: {found}", file=sys.stderr)
        print("nbody-ref: nothing was fitted; --anyway fits all the same", file=sys.stderr)
        return WRONG_DATA
    frames, test, record, notes = prepare(frames, test, options.n_train, options.seed or 0)
    if not (options.output / CHECKPOINT).exists():  # a training that was cut short goes on
        ask_to_overwrite(options.output, MODEL, options.overwrite)
    with OutputFolder(options.output, log="log.txt", continues=CHECKPOINT) as folder:
        for line in (*str(result).splitlines(), *notes):
            folder.say(line)
        write_recipe(folder / NAME, options)
        if chosen.get("train") == "all":
            chosen["checkpoint"] = folder / CHECKPOINT
        potential = fit(frames, log=folder.say, progress=sys.stderr.isatty(), anyway=True, **chosen)
        potential.metadata.update({**record, "check": result.to_dict()})
        folder.say(f"fitted in {potential.metadata['seconds']:.1f} s")
        _write_results(folder, potential, frames, test)
    return 130 if potential.metadata["interrupted"] else 0


def on_a_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def ask_to_overwrite(folder: Path, name: str, overwrite: bool, what: str = "an earlier fit") -> None:
    """A folder in which the file `name` says that there is something is kept, unless the user says otherwise.

    Raises
    ------
    FileError
        If it is there, and neither `overwrite` nor somebody at a terminal says that it may go.
    """
    if overwrite or not (folder / name).exists():
        return
    if on_a_terminal():
        if input(f"{folder / name} is there. Overwrite it? [y/N] ").strip().lower() in ("y", "yes"):
            return
        raise FileError(f"{folder} holds {what}, which is kept: choose another folder (-o DIR)")
    raise FileError(f"{folder} holds {what}: choose another folder (-o DIR), or replace it (--overwrite)")


def _choices(options: argparse.Namespace) -> dict[str, Any]:
    """Options of the fit that were given; values that cannot be are a wrong command line."""
    from nbody_ref.fit import Options

    names = ("cutoff", "size", "solver", "smoothness", "regularisation", "holdout", "memory", "seed", "energy_weight")
    training = ("train", "max_minutes", "steps")
    chosen = {name: getattr(options, name) for name in (*names, *training) if getattr(options, name) is not None}
    try:
        Options.build(chosen)
    except ArgumentError as error:
        options.parser.error(str(error))
    return chosen


def _write_results(folder: OutputFolder, potential: Any, frames: Any, test: Any) -> None:
    """Model file first, then errors and report: of test frames, and of all frames, each left out; never of training."""
    from nbody_ref.fit import evaluate
    from nbody_ref.fit.evaluation import evaluate_left_out
    from nbody_ref.fit.report import write_report

    potential.save(folder / MODEL)
    results = {}
    folder.remove("errors.json")
    if test is not None and len(test):
        results["test frames"] = evaluate(potential, test)
        potential.metadata["test_errors"] = results["test frames"].to_dict()
        potential.save(folder / MODEL)
        write_json(folder / "errors.json", potential.metadata["test_errors"])
    honest = evaluate_left_out(potential, frames)
    if honest is not None:
        results["frames left out (each predicted by a fit that has seen neither it nor frames like it beside it)"] = (
            honest
        )
    for name, result in results.items():
        folder.say(f"\n{name}:\n{result.table()}\n")
    write_report(str(folder / "report.html"), potential, results, log=folder.lines)
    folder.say(f"potential: {folder / MODEL}\nreport:    {folder / 'report.html'}")


def write_json(path: Path, content: Any) -> None:
    """Write a file of JSON, whole or not at all."""
    from nbody_ref.files import write_atomically

    write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())


def _evaluate(options: argparse.Namespace) -> int:
    from nbody_ref.fit import evaluate, load
    from nbody_ref.fit.reading import read_frames
    from nbody_ref.fit.report import write_report

    potential = load(options.model)
    how = reading(options)
    trained = potential.metadata.get("data", {})
    for name in ("energy_key", "forces_key"):  # labels have the names that they had in training, if they are there
        how[name] = how[name] or None
    try:
        frames = read_frames(options.file, trust_units=options.trust_units, **how)
    except DataError:
        names = {name: trained[name] for name in ("energy_key", "forces_key") if not how[name] and trained.get(name)}
        if not names:
            raise
        frames = read_frames(options.file, trust_units=options.trust_units, **{**how, **names})
    result = evaluate(potential, frames)
    print(result.table())
    if options.json is not None:
        write_json(options.json, result.to_dict())
    if options.report is not None:
        write_report(str(options.report), potential, {Path(options.file[0]).name: result})
    return 0
