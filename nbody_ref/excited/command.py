"""The command ``nbody-ref hop``: from labels of several states to a swarm of trajectories that hop."""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbody_ref.errors import DataError

if TYPE_CHECKING:
    import numpy as np

__all__ = ["add_parser"]

MODEL, SWARM = "states.safetensors", "swarm.npz"
CHUNK = 20  # steps between two writings


def add_parser(commands: Any) -> Any:
    """Add the command to the parsers of `nbody_ref.cli`."""
    text = "Fit several states, start trajectories from a Wigner distribution, let them hop."
    parser = commands.add_parser("hop", help=text, description=text, allow_abbrev=False)
    labels = "labels of several states, or a fitted states.safetensors"
    parser.add_argument("file", type=Path, metavar="FILE", help=labels)
    parser.add_argument("-o", "--output", type=Path, default=Path("hop"), metavar="DIR")
    parser.add_argument("--trajectories", type=int, default=100, metavar="N")
    parser.add_argument("--femtoseconds", type=float, default=100.0, metavar="T")
    parser.add_argument("--time-step", type=float, default=0.5, metavar="FS")
    parser.add_argument("--state", type=int, default=1, metavar="S", help="where all trajectories start (default: 1)")
    parser.add_argument("--method", choices=["fssh", "lzsh"], default="fssh")
    parser.add_argument("--rescale", choices=["velocity", "coupling"], default="velocity")
    least = "minimum of the ground state (default: the frame of least energy)"
    parser.add_argument("--start", type=Path, metavar="FILE", help=least)
    off = "error of the total energy that ends a trajectory (default: 0.2)"
    parser.add_argument("--guard", type=float, default=0.2, metavar="EV", help=off)
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="results do not depend on it")
    parser.add_argument("--energy-unit", default="eV", metavar="UNIT", help="of FILE: eV, Hartree or kcal/mol")
    parser.add_argument("--length-unit", default="A", metavar="UNIT", help="of FILE: A or Bohr")
    parser.set_defaults(run=run, parser=parser)
    return parser


def run(given: argparse.Namespace) -> int:
    """Run the command; returns the exit status."""
    import numpy as np

    from nbody_ref.excited.report import write_report
    from nbody_ref.excited.swarm import HopOptions, Swarm

    begun = time.perf_counter()
    given.output.mkdir(parents=True, exist_ok=True)
    model, minimum = _model(given)
    HopOptions(
        given.method, given.time_step, given.rescale, guard=given.guard, seed=given.seed
    )  # complains before work
    positions, velocities, masses = _starts(given, model, minimum)
    count = max(1, min(given.processes, given.trajectories))
    shares = [np.arange(given.trajectories)[i::count] for i in range(count)]
    jobs = [(given, share, positions[share], velocities[share], masses, i) for i, share in enumerate(shares)]
    if count == 1:
        parts = [_part(*jobs[0])]
    else:
        with ProcessPoolExecutor(count, get_context("spawn")) as pool:
            parts = [job.result() for job in [pool.submit(_part, *job) for job in jobs]]
    whole = parts[0] if count == 1 else Swarm.joined(parts)
    whole.save(given.output / SWARM)
    found = write_report(whole, given.output, given.time_step, model.numbers)
    seconds = time.perf_counter() - begun
    ends = ", ".join(f"{n} {why}" for why, n in found["ends"].items() if n)
    shown = ", ".join(
        f"S{s} {p:.3f} +- {e:.3f}" for s, (p, e) in enumerate(zip(found["populations"], found["standard_errors"]))
    )
    print(f"{found['trajectories']} trajectories of {found['femtoseconds']:g} fs in {seconds:.0f} s: {ends}")
    print(f"populations at the end: {shown}; {found['hops']} hops, {found['frustrated_hops']} frustrated")
    drift = 1e3 * found["largest_energy_drift_eV"]
    print(f"largest error of a total energy {drift:.1f} meV; see {given.output}/swarm.png")
    return 0


def _model(given: argparse.Namespace) -> tuple[Any, np.ndarray | None]:
    """The fitted states, and the labelled frame of least energy."""
    import numpy as np

    from nbody_ref.excited.labels import read_states
    from nbody_ref.excited.states import fit_states, load_states

    if given.file.suffix == ".safetensors":
        return load_states(given.file), None
    frames = read_states(given.file, given.energy_unit, given.length_unit)
    minimum = frames.positions[int(np.nanargmin(frames.energies[:, 0]))]
    if (given.output / MODEL).exists():
        return load_states(given.output / MODEL), minimum
    print(f"{len(frames)} frames of {len(frames.numbers)} atoms, {frames.states} states", flush=True)
    model = fit_states(frames, "diabatic", seed=given.seed, log=print)
    model.save(given.output / MODEL)
    return model, minimum


def _starts(given: argparse.Namespace, model: Any, minimum: np.ndarray | None) -> tuple[Any, Any, Any]:
    """Positions, velocities and masses from the Wigner function of the model's own ground state."""
    from ase import Atoms
    from ase.io import read
    from ase.optimize import BFGS

    from nbody_ref.excited.wigner import hessian, sample

    if given.start is not None:
        found: Any = read(given.start)
        minimum = found.positions
    if minimum is None:
        raise DataError("hop: a fitted model needs --start FILE, a geometry near the minimum of its ground state")
    atoms = Atoms(model.numbers, minimum)
    atoms.calc = model.calculator()
    search: Any = BFGS(atoms, logfile=None)
    search.run(fmax=0.005, steps=300)
    second = hessian(lambda r: model.surfaces(r).forces[:, 0], atoms.positions)
    masses = atoms.get_masses()
    positions, velocities = sample(atoms.positions, masses, second, given.trajectories, seed=given.seed)
    return positions, velocities, masses


def _part(given: argparse.Namespace, share: Any, positions: Any, velocities: Any, masses: Any, index: int) -> Any:
    """One process's trajectories; goes on with what is on disk."""
    import numpy as np

    from nbody_ref.excited.states import load_states
    from nbody_ref.excited.swarm import HopOptions, Swarm, run, start

    model = load_states(given.file if given.file.suffix == ".safetensors" else given.output / MODEL)
    options = HopOptions(given.method, given.time_step, given.rescale, guard=given.guard, seed=given.seed)
    path = given.output / f"part{index}.npz"
    if path.exists():
        swarm = Swarm.load(path)
        if not np.array_equal(swarm.number, share):
            raise DataError(f"hop: {path} belongs to another swarm: choose another --output")
    else:
        swarm = start(model.surfaces, masses, positions, velocities, given.state, share)
    steps = round(given.femtoseconds / given.time_step)
    while swarm.step < steps and (swarm.status == 0).any():
        run(swarm, model.surfaces, min(CHUNK, steps - swarm.step), options)
        swarm.save(path)
    return swarm
