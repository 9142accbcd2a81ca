"""The command ``nbody-ref``.

Exit status: 0 done; 1 a check failed, or files and data cannot be what they are said to be; 2 the command line is
wrong; 130 interrupted (a fit writes what is complete); 141 whoever read the output went away. Everything heavy is
imported by the command that needs it.
"""

from __future__ import annotations

import argparse
import difflib
import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

import nbody_ref
from nbody_ref.conformance.doors import command as conformance
from nbody_ref.errors import ArgumentError, NBodyRefError
from nbody_ref.exact import command as tables
from nbody_ref.excited import command as excited
from nbody_ref.fit.interrupt import signals_as_interrupts
from nbody_ref.fit.run_folder import silence_output
from nbody_ref.models import command as imports

if TYPE_CHECKING:
    from nbody_ref.fit.run_folder import OutputFolder

__all__ = ["main"]

MODEL = "potential.safetensors"
CHECKPOINT = "training.checkpoint"


class Parser(argparse.ArgumentParser):
    """Arguments, where a name that does not exist is answered with the nearest that does."""

    def error(self, message: str) -> NoReturn:
        words = message.split("'")
        if "invalid choice" in message and len(words) > 3:
            message += self._nearest(words[1], words[3::2])
        self.exit(2, f"{self.prog}: error: {message}\n")

    def unknown(self, arguments: Sequence[str]) -> NoReturn:
        """Refuse arguments that nothing is called."""
        names = [name for action in self._actions for name in action.option_strings]
        self.error(f"unknown argument {arguments[0]}" + self._nearest(arguments[0].split("=")[0], names))

    @staticmethod
    def _nearest(word: str, names: Sequence[str]) -> str:
        near = difflib.get_close_matches(word, names, 1, 0.5)
        return f"; did you mean {near[0]}?" if near else ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser, commands = _parser()
    options, rest = parser.parse_known_args(arguments)
    if options.command is None:
        parser.print_help()
        return 2
    if rest:
        commands[options.command].unknown(rest)
    try:
        with signals_as_interrupts():
            status: int = options.run(options)
            sys.stdout.flush()
    except NBodyRefError as error:
        print(f"nbody-ref: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("nbody-ref: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # nbody-ref info MODEL | head -1
        silence_output()
        return 141
    except OSError as error:  # nbody-ref info MODEL > /dev/full
        silence_output()
        print(f"nbody-ref: error: cannot write the output: {error.strerror or error}", file=sys.stderr)
        return 1
    return status


def _whole(text: str) -> int:
    """A whole number that is not negative."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"must be a whole number, not negative, got {text!r}")
    return int(text)


def _parser() -> tuple[Parser, dict[str, Parser]]:
    text = "N-body networks: exact checks, fits, evaluation."
    parser = Parser(prog="nbody-ref", description=text, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"nbody-ref {nbody_ref.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    made: dict[str, Parser] = {}

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> Parser:
        made[name] = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        made[name].set_defaults(run=run, parser=made[name])
        return made[name]

    quick = command("quickstart", _quickstart, "Verify, fit ethanol, relax it and let it move: under a minute.")
    quick.add_argument("-o", "--output", type=Path, default=Path("quickstart"), metavar="DIR")
    quick.add_argument("--seed", type=_whole, default=0, help="of split, weights and velocities (default: 0)")
    _fit_arguments(command("fit", _fit, "Fit a potential to energies and forces."))
    judge = command("evaluate", _evaluate, "Errors of a potential on labelled frames.")
    judge.add_argument("model", type=Path, metavar="MODEL")
    judge.add_argument("file", type=Path, metavar="FILE")
    judge.add_argument("--json", type=Path, metavar="OUT", help="write the errors as JSON")
    judge.add_argument("--report", type=Path, metavar="HTML", help="write a report with parity plots")
    _data_arguments(judge)
    check = command("verify", _verify, "Run the exact checks of coefficients, rotations, harmonics and gates.")
    check.add_argument("--lmax", type=_whole, default=8, help="largest degree (default: 8)")
    made["conform"] = cast(Parser, conformance.add_parser(commands))
    made["equivariance"] = cast(Parser, conformance.add_equivariance(commands))
    made["import"] = cast(Parser, imports.add_parser(commands))
    made["hop"] = cast(Parser, excited.add_parser(commands))
    made["table"] = cast(Parser, tables.add_parser(commands))
    about = command("info", _info, "Versions, or what is in a model file.")
    about.add_argument("model", type=Path, nargs="?", metavar="MODEL")
    about.add_argument("--record", action="store_true", help="all that the file says about its fit, as JSON")
    command("doctor", _doctor, "Look at the installation: each line is OK, or says what to do.")
    return parser, made


def _fit_arguments(parser: Parser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="labelled geometries: extxyz, or what ASE reads")
    folder = f"receives {MODEL}, report.html and log.txt (default: fit)"
    parser.add_argument("-o", "--output", type=Path, default=Path("fit"), metavar="DIR", help=folder)
    parser.add_argument("--n-train", type=_whole, metavar="N", help="fit to N random frames, test on the others")
    parser.add_argument("--test", type=Path, metavar="FILE", help="frames to test on")
    parser.add_argument("--seed", type=_whole, metavar="N", help="of splits and random weights (default: 0)")
    _data_arguments(parser)
    model = parser.add_argument_group("what is fitted")
    model.add_argument("--cutoff", type=float, metavar="A", help="radius of neighbourhoods, Angstrom (default: 5)")
    sizes = ["auto", "small", "medium", "large"]
    model.add_argument("--size", choices=sizes, help="how many features (default: auto, by the number of labels)")
    solvers = ["auto", "primal", "dual", "qr"]
    model.add_argument("--solver", choices=solvers, help="of the equations (default: auto; qr: twice the digits)")
    model.add_argument("--smoothness", type=float, metavar="S", help="fix the exponent instead of choosing it")
    model.add_argument("--regularisation", type=float, metavar="L", help="fix lambda instead of choosing it")
    model.add_argument("--holdout", type=float, metavar="PART", help="part of the frames for choices (default: 0.2)")
    train = "all: train the covariant weights as well, and keep them if the hold-out says so (default: readout)"
    model.add_argument("--train", choices=["readout", "all"], help=train)
    minutes = "of the whole fit with --train all, which stops in time with the best kept (default: 20)"
    model.add_argument("--max-minutes", type=float, metavar="N", help=minutes)
    steps = "of that training, whatever the time they take (default: as many as there is time for)"
    model.add_argument("--steps", type=_whole, metavar="N", help=steps)
    model.add_argument("--memory", type=float, metavar="GB", help="most memory to use (default: what is free)")


def _data_arguments(parser: Parser) -> None:
    data = parser.add_argument_group("how the file is read")
    units = "energy and length of the file: eV, meV, kcal/mol, kJ/mol, Ha or Ry; A, bohr or nm (default: eV,A)"
    data.add_argument("--units", default="eV,A", metavar="E,L", help=units)
    data.add_argument("--energy-key", metavar="KEY", help="name of the energies (default: REF_energy, else energy)")
    data.add_argument("--forces-key", metavar="KEY", help="name of the forces (default: REF_forces, else forces)")
    trust = "skip the checks of magnitudes, bond lengths and the sign of forces"
    data.add_argument("--trust-units", action="store_true", help=trust)


def _read(options: argparse.Namespace, path: Path) -> Any:
    from nbody_ref.fit import read_frames

    return read_frames(
        path,
        units=options.units,
        energy_key=options.energy_key,
        forces_key=options.forces_key,
        trust_units=options.trust_units,
    )


def _quickstart(options: argparse.Namespace) -> int:
    from nbody_ref.fit.quickstart import quickstart
    from nbody_ref.fit.run_folder import OutputFolder

    with OutputFolder(options.output) as folder:
        return 0 if quickstart(folder.path, seed=options.seed) else 1


def _fit(options: argparse.Namespace) -> int:
    from nbody_ref.fit import fit, prepare
    from nbody_ref.fit.run_folder import OutputFolder

    chosen = _choices(options)
    frames, test = _read(options, options.file), None if options.test is None else _read(options, options.test)
    frames, test, record, notes = prepare(frames, test, options.n_train, options.seed or 0)
    with OutputFolder(options.output, log="log.txt", continues=CHECKPOINT) as folder:
        origin = frames.origin
        folder.say(
            f"{options.file}: energies from {origin['energy_key']!r}, forces from {origin['forces_key']!r}, "
            f"units {origin['units']}"
        )
        for line in notes:
            folder.say(line)
        if chosen.get("train") == "all":
            chosen["checkpoint"] = folder / CHECKPOINT
        potential = fit(frames, log=folder.say, progress=sys.stderr.isatty(), **chosen)
        potential.metadata.update(record)
        folder.say(f"fitted in {potential.metadata['seconds']:.1f} s")
        _write_results(folder, potential, frames, test)
    return 130 if potential.metadata["interrupted"] else 0


def _choices(options: argparse.Namespace) -> dict[str, Any]:
    """Options of the fit that were given; values that cannot be are a wrong command line."""
    from nbody_ref.fit import Options

    names = ("cutoff", "size", "solver", "smoothness", "regularisation", "holdout", "memory", "seed")
    training = ("train", "max_minutes", "steps")
    chosen = {name: getattr(options, name) for name in (*names, *training) if getattr(options, name) is not None}
    try:
        Options.build(chosen)
    except ArgumentError as error:
        options.parser.error(str(error))
    return chosen


def _write_results(folder: OutputFolder, potential: Any, frames: Any, test: Any) -> None:
    """Model file first, then errors and report."""
    from nbody_ref.fit import evaluate
    from nbody_ref.fit.report import write_report

    potential.save(folder / MODEL)
    results = {"training frames (errors on others are larger, see the hold-out)": evaluate(potential, frames)}
    folder.remove("errors.json")
    if test is not None and len(test):
        results = {"test frames": evaluate(potential, test), **results}
        potential.metadata["test_errors"] = results["test frames"].to_dict()
        potential.save(folder / MODEL)
        _write_json(folder / "errors.json", potential.metadata["test_errors"])
    name, first = next(iter(results.items()))
    folder.say(f"\n{name}:\n{first.table()}\n")
    write_report(str(folder / "report.html"), potential, results, log=folder.lines)
    folder.say(f"potential: {folder / MODEL}\nreport:    {folder / 'report.html'}")


def _write_json(path: Path, content: Any) -> None:
    from nbody_ref.files import write_atomically

    write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())


def _evaluate(options: argparse.Namespace) -> int:
    from nbody_ref.fit import evaluate, load
    from nbody_ref.fit.report import write_report

    potential = load(options.model)
    result = evaluate(potential, _read(options, options.file))
    print(result.table())
    if options.json is not None:
        _write_json(options.json, result.to_dict())
    if options.report is not None:
        write_report(str(options.report), potential, {options.file.name: result})
    return 0


def _verify(options: argparse.Namespace) -> int:
    from nbody_ref.exact import checks

    start = time.perf_counter()
    results = checks.run(lmax=options.lmax, progress=lambda result: print(result, flush=True))
    failed = sum(not result.ok for result in results)
    print(f"{len(results) - failed} of {len(results)} checks passed in {time.perf_counter() - start:.1f} s")
    return 1 if failed else 0


def _doctor(options: argparse.Namespace) -> int:
    from nbody_ref.doctor import examine

    findings = []
    for finding in examine():
        findings.append(finding)
        print(finding, flush=True)
    return 0 if all(finding.ok for finding in findings) else 1


def _info(options: argparse.Namespace) -> int:
    if options.model is None:
        from importlib.metadata import version

        print(f"nbody_ref {nbody_ref.__version__} in {Path(nbody_ref.__file__).parent}")
        print(f"Python {platform.python_version()} on {platform.platform()}")
        print(", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "numba", "ase", "safetensors")))
        return 0
    from nbody_ref.fit import load

    potential = load(options.model)
    print(json.dumps(potential.metadata, indent=1) if options.record else f"{options.model}: {potential.summary()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
