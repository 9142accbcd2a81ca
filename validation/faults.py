"""Fits that are killed, interrupted or run out of disk at random moments, and the same command once more.

    python validation/faults.py --count 20 --seed 0

Each line: the fault, when it came, the exit status, the files left, and whether the command once more gives the arrays
of an undisturbed fit to the bit. Exit status 1 if one does not, if a model that is there cannot be loaded, or if a
temporary file outlives the second run.
"""

from __future__ import annotations

import argparse
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nbody_ref.errors import NBodyRefError
from nbody_ref.files import load_model

ROOT = Path(__file__).resolve().parents[1]
SIGNALS = {"kill -9": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}
KINDS = {"fit": (), "fit --train all": ("--train", "all", "--steps", "3")}
FRAMES = 19


def start(folder: Path, more: tuple[str, ...], limit: int | None = None) -> subprocess.Popen[bytes]:
    """The command in a folder; with `limit`, no file may grow beyond so many bytes."""
    command = [sys.executable, "-m", "nbody_ref.cli", "fit", str(folder / "frames.xyz"), "--size", "small"]
    command += ["--smoothness", "1", "-o", str(folder / "run"), *more]
    before: Callable[[], None] | None = None
    if limit is not None:

        def before() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=before)


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


def trial(kind: str, fault: str, rng: random.Random, seconds: float, wanted: dict[str, dict[str, np.ndarray]]) -> bool:
    """One fault, told in a line; False if something was lost or left."""
    with tempfile.TemporaryDirectory() as name:
        folder, wrong = prepared(Path(name)), []
        limit = rng.randrange(1000, 300_000) if fault == "full disk" else None
        moment = rng.uniform(0.1, 1.0) * seconds
        process = start(folder, KINDS[kind], limit)
        if limit is None:
            time.sleep(moment)
            process.send_signal(SIGNALS[fault])
        status = process.wait()
        left = sorted(path.name for path in (folder / "run").glob("*")) if (folder / "run").exists() else []
        try:
            models(folder)
        except NBodyRefError as error:
            wrong.append(f"a model that cannot be loaded: {error}")
        again = start(folder, KINDS[kind]).wait()
        if again != 0 or not same(models(folder), wanted):
            wrong.append(f"once more: status {again}, other arrays")
        rest = [path.name for path in (folder / "run").glob("*") if ".tmp" in path.name or "checkpoint" in path.name]
        wrong += [f"{path} is left" for path in rest]
        when = f"{moment:6.1f} s" if limit is None else f"{limit:6d} B"
        print(f"{kind:<16} {fault:<10} {when}  status {status:>4}  left: {', '.join(left) or 'nothing'}", end="")
        print(f"  -> {'; '.join(wrong) or 'the same bits'}", flush=True)
        return not wrong


def main() -> int:
    """Count and seed from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=list(KINDS), help="only this one")
    options = parser.parse_args()
    rng, good, undisturbed = random.Random(options.seed), 0, {}
    kinds = [options.kind] if options.kind else list(KINDS)
    for kind in kinds:
        with tempfile.TemporaryDirectory() as name:
            began, folder = time.monotonic(), prepared(Path(name))
            status = start(folder, KINDS[kind]).wait()
            undisturbed[kind] = time.monotonic() - began, models(folder)
            if status:
                print(f"{kind}: an undisturbed fit ended with status {status}", file=sys.stderr)
                return 2
            print(f"{kind:<16} undisturbed: status {status}, {undisturbed[kind][0]:.1f} s", flush=True)
    for number in range(options.count):
        kind = kinds[number % len(kinds)]
        good += trial(kind, rng.choice([*SIGNALS, "full disk"]), rng, *undisturbed[kind])
    print(f"{good} of {options.count} ended with the arrays of the undisturbed fit, seed {options.seed}")
    return 0 if good == options.count else 1


if __name__ == "__main__":
    sys.exit(main())
