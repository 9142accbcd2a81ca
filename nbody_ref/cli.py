"""The command ``nbody-ref``.

Exit status: 0 done; 1 a check failed, or files and data cannot be what they are said to be; 2 the command line is
wrong, or the data of a fit are; 130 interrupted (a fit writes what is complete); 141 whoever read the output went
away. Everything heavy is imported by the command that needs it.
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
from typing import NoReturn, cast

import nbody_ref
from nbody_ref.after import command as after
from nbody_ref.conformance.doors import command as conformance
from nbody_ref.errors import NBodyRefError
from nbody_ref.exact import command as tables
from nbody_ref.excited import command as excited
from nbody_ref.fit import command as fitting
from nbody_ref.fit.interrupt import signals_as_interrupts
from nbody_ref.fit.run_folder import silence_output
from nbody_ref.models import command as imports

__all__ = ["main"]


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
    quick.add_argument("--seed", type=fitting.whole, default=0, help="of split, weights and velocities (default: 0)")
    fitting.add_parsers(command)
    after.add_parsers(command)
    check = command("verify", _verify, "Run the exact checks of coefficients, rotations, harmonics and gates.")
    check.add_argument("--lmax", type=fitting.whole, default=8, help="largest degree (default: 8)")
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


def _quickstart(options: argparse.Namespace) -> int:
    from nbody_ref.fit.quickstart import quickstart
    from nbody_ref.fit.run_folder import OutputFolder

    with OutputFolder(options.output) as folder:
        return 0 if quickstart(folder.path, seed=options.seed) else 1


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
