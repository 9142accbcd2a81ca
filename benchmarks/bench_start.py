"""What starting costs: importing the package beyond numpy, and first energies and forces with compiled kernels at hand.

Each in fresh processes, in turns, best of the repeats; wall-clock seconds and, since the machine may be busy, CPU
seconds:

    python benchmarks/bench_start.py [--repeats 7]
"""

from __future__ import annotations

import argparse
import subprocess
import sys

CLOCKS = "import time; clocks = lambda: (time.perf_counter(), time.process_time()); a = clocks();"
SHOW = "b = clocks(); print(b[0] - a[0], b[1] - a[1])"
WATER = "[([[0.0, 0.0, 0.1], [0.0, 0.8, -0.5], [0.0, -0.8, -0.5]], [8, 1, 1])]"
FORCES = f"net = network.default((1, 8)); net.energy_and_forces(net.graph([tuple(map(np.array, f)) for f in {WATER}]));"
IMPORTS = "import numpy as np; from nbody_ref import network;"
TASKS = {
    "import numpy": f"{CLOCKS} import numpy; {SHOW}",
    "import nbody_ref, numpy being there": f"import numpy; {CLOCKS} import nbody_ref; {SHOW}",
    "import nbody_ref.network, likewise": f"import numpy; {CLOCKS} from nbody_ref import network; {SHOW}",
    "first energy and forces": f"{IMPORTS} {CLOCKS} {FORCES} {SHOW}",
    "all of this, from the start": f"{CLOCKS} {IMPORTS} {FORCES} {SHOW}",
}


def seconds(code: str) -> tuple[float, ...]:
    """Wall and CPU seconds that a fresh process reports."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return tuple(map(float, done.stdout.split()))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    for code in TASKS.values():  # compiles, and fills the cache of files
        seconds(code)
    found = [[seconds(code) for code in TASKS.values()] for _ in range(repeats)]
    print("seconds                                   wall    CPU")
    for i, name in enumerate(TASKS):
        wall, cpu = (min(row[i][k] for row in found) for k in range(2))
        print(f"{name:38s} {wall:7.3f} {cpu:6.3f}")


if __name__ == "__main__":
    main()
