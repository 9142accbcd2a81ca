"""Fits that are killed, interrupted or run out of disk at random moments, and the same command once more.

    python validation/faults.py --count 100 --seed 0 --json validation/faults.json

Frames are few and the network is tiny, and each command runs in a fork of one process that has loaded everything, so
that a fit takes a few seconds. Each line: the fault, when it came, the exit status, the files left, and whether the
command once more gives the arrays of an undisturbed fit to the bit. Exit status 1 if one does not, if a model that is
there cannot be loaded, or if a temporary file outlives the second run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from nbody_ref import cli
from nbody_ref.errors import NBodyRefError
from nbody_ref.files import load_model
from nbody_ref.network.default import SIZES

ROOT = Path(__file__).resolve().parents[1]
SIGNALS = {"kill -9": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}
KINDS: dict[str, tuple[str, ...]] = {"fit": (), "fit --train all": ("--train", "all", "--steps", "3")}
FRAMES = 11
TINY = (3, 2, 1)


def command(folder: Path, more: tuple[str, ...]) -> list[str]:
    """Arguments of the command in a folder."""
    fixed = ["--size", "small", "--smoothness", "1", "--regularisation", "1e-4", "--cutoff", "4"]
    return ["fit", str(folder / "frames.xyz"), *fixed, "-o", str(folder / "run"), *more]


def start(folder: Path, more: tuple[str, ...], limit: int | None = None) -> int:
    """The command in a process of its own, whose number is returned; no file may grow beyond `limit` bytes."""
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1), os.dup2(nowhere, 2)
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        status = cli.main(command(folder, more))
    finally:
        os._exit(status)


def ended(process: int) -> int:
    """Exit status of a process, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def prepared(folder: Path) -> Path:
    """A folder with the isolated atoms and the first molecules of the shipped file."""
    lines = (ROOT / "nbody_ref" / "fit" / "data" / "ethanol.xyz").read_text().splitlines(keepends=True)
    at = 0
    for _ in range(FRAMES):
        at += int(lines[at]) + 2
    (folder / "frames.xyz").write_text("".join(lines[:at]))
    return folder


def models(folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """The arrays of every model file of a run."""
    return {path.name: dict(load_model(path).arrays) for path in sorted((folder / "run").glob("*.safetensors"))}


def same(one: dict[str, dict[str, np.ndarray]], two: dict[str, dict[str, np.ndarray]]) -> bool:
    """Whether files, names and bits agree."""
    return one.keys() == two.keys() and all(
        one[f].keys() == two[f].keys() and all(np.array_equal(one[f][k], two[f][k]) for k in one[f]) for f in one
    )


def trial(kind: str, fault: str, rng: random.Random, seconds: float, wanted: Any) -> dict[str, Any]:
    """One fault and the same command once more."""
    with tempfile.TemporaryDirectory() as name:
        folder, wrong = prepared(Path(name)), []
        limit = rng.randrange(500, 60_000) if fault == "full disk" else None
        moment = rng.uniform(0.0, 1.0) * seconds
        process = start(folder, KINDS[kind], limit)
        if limit is None:
            time.sleep(moment)
            os.kill(process, SIGNALS[fault])
        status = ended(process)
        left = sorted(path.name for path in (folder / "run").glob("*")) if (folder / "run").exists() else []
        try:
            models(folder)
        except NBodyRefError as error:
            wrong.append(f"a model that cannot be loaded: {error}")
        done = status == 0 or (folder / "run" / "potential.safetensors").exists()
        again = ended(start(folder, (*KINDS[kind], "--overwrite") if done else KINDS[kind]))
        if again != 0 or not same(models(folder), wanted):
            wrong.append(f"once more: status {again}, other arrays")
        rest = [path.name for path in (folder / "run").glob("*") if ".tmp" in path.name or "checkpoint" in path.name]
        wrong += [f"{path} is left" for path in rest]
        when = f"{moment:.2f} s" if limit is None else f"{limit} B"
        shown = ["a temporary file" if ".tmp" in path else path for path in left]
        return {"command": kind, "fault": fault, "when": when, "status": status, "left": shown, "wrong": wrong}


def main() -> int:
    """Count and seed from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=list(KINDS), help="only this one")
    parser.add_argument("--json", type=Path, metavar="FILE", help="receives the table")
    options = parser.parse_args()
    rng, undisturbed = random.Random(options.seed), {}
    table: list[dict[str, Any]] = []
    kinds = [options.kind] if options.kind else list(KINDS)
    SIZES["small"] = TINY
    for kind in kinds:
        with tempfile.TemporaryDirectory() as name:
            folder = prepared(Path(name))
            status = cli.main(command(folder, KINDS[kind]))  # here, so that every fork finds the kernels loaded
            began = time.monotonic()
            status += ended(start(folder, (*KINDS[kind], "--overwrite")))
            undisturbed[kind] = time.monotonic() - began, models(folder)
            if status:
                print(f"{kind}: an undisturbed fit ended with status {status}", file=sys.stderr)
                return 2
            print(f"{kind:<16} undisturbed: {undisturbed[kind][0]:.1f} s", flush=True)
    for number in range(options.count):
        kind, fault = kinds[number % len(kinds)], rng.choice([*SIGNALS, "full disk"])
        row = trial(kind, fault, rng, *undisturbed[kind])
        table.append(row)
        print(f"{kind:<16} {fault:<10} {row['when']:>8}  status {row['status']:>4}  ", end="")
        print(
            f"left: {', '.join(row['left']) or 'nothing'}  -> {'; '.join(row['wrong']) or 'the same bits'}", flush=True
        )
        if options.json is not None:
            write(options.json, table, options.seed)
    good = sum(not row["wrong"] for row in table)
    print(f"{good} of {options.count} ended with the arrays of the undisturbed fit, seed {options.seed}")
    return 0 if good == options.count else 1


def write(path: Path, table: list[dict[str, Any]], seed: int) -> None:
    """What was tried so far, counted and line by line."""
    found = Counter(f"{row['command']}, {row['fault']}, status {row['status']}" for row in table)
    good = sum(not row["wrong"] for row in table)
    head = json.dumps({"seed": seed, "good": good, "count": len(table), "kinds": dict(sorted(found.items()))}, indent=1)
    rows = ",\n  ".join(json.dumps(row) for row in table)
    path.write_text(f'{head[:-2]},\n "trials": [\n  {rows}\n ]\n}}\n')


if __name__ == "__main__":
    sys.exit(main())
