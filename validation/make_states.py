"""Make the excited-state data of the package: ``nbody_ref/excited/data/ethylene.npz`` and ``methaniminium.npz``.

Trajectories on SA2-CASSCF(2,2)/6-31G (`nbody_ref.excited.casscf`), two singlets: minimum and harmonic frequencies of
the ground state, Wigner sampling of both positions and momenta, start in the upper state, velocity Verlet with 0.5 fs,
hops by the Landau-Zener formula of Belyaev and Lebedev at minima of the gap, velocities rescaled. Every second step is
labelled: energies, gradients of both states, the coupling times the gap with translation factors.
A trajectory ends where its total energy is off by 0.2 eV (root flips, as the fusion paper filters) or orbitals fail.

    python validation/make_states.py [ethylene | methaniminium] --work DIR [--trajectories 12]  needs the extra ``data``
    python validation/make_states.py ... --work DIR --collect FILE [--frames 300]   writes what is there
    python validation/make_states.py ... --check FILE                               recomputes three labels of a file

A step takes about 1.5 s on one core. Every labelled step is on disk before the next: an interrupted run goes on there.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units

from nbody_ref.excited.casscf import Casscf

SEED, TIME_STEP_FS, STEPS, STRIDE, DRIFT_EV = 20261130, 0.5, 56, 2, 0.2
MOLECULES = {
    "ethylene": ("CCHHHH", 0, [[0, 0, 0.67], [0, 0, -0.67]]),
    "methaniminium": ("CNHHHH", 1, [[0, 0, 0.65], [0, 0, -0.64]]),
}
HYDROGENS = [[0, 0.92, 1.22], [0, -0.92, 1.22], [0, 0.92, -1.22], [0, -0.92, -1.22]]
EVERYTHING = ["state_energies", "state_forces", "state_couplings"]
KEYS = ("positions", "velocities", "energies", "forces", "couplings", "state", "time_fs", "total")


def minimum(name: str, work: Path) -> dict[str, np.ndarray]:
    """Minimum of the ground state and its Hessian by differences of forces, kept in the work folder."""
    from ase.optimize import BFGS

    path = work / f"{name}_minimum.npz"
    if not path.exists():
        symbols, charge, heavy = MOLECULES[name]
        atoms = Atoms(symbols, heavy + HYDROGENS)
        atoms.calc = Casscf(charge=charge)
        BFGS(atoms, logfile=None).run(fmax=0.002, steps=100)
        start, rows, h = atoms.positions.copy(), [], 0.01
        for i in range(start.size):
            forces = []
            for sign in (1, -1):
                atoms.positions = start
                atoms.positions[i // 3, i % 3] += sign * h
                forces.append(atoms.get_forces().ravel())
            rows.append((forces[1] - forces[0]) / (2 * h))
        write(path, positions=start, hessian=(np.array(rows) + np.array(rows).T) / 2)
    return dict(np.load(path))


def wigner(masses: np.ndarray, found: dict[str, np.ndarray], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Positions and velocities from the ground-state Wigner function of the harmonic modes (six lowest left out)."""
    root = np.sqrt(np.repeat(masses, 3))
    squares, modes = np.linalg.eigh(found["hessian"] / np.outer(root, root))
    omega, modes = np.sqrt(squares[6:]), modes[:, 6:]
    hbar = units._hbar * units.J * units.second
    q = np.sqrt(hbar / (2 * omega)) * rng.standard_normal(omega.size)
    p = np.sqrt(hbar * omega / 2) * rng.standard_normal(omega.size)
    return found["positions"] + (modes @ q / root).reshape(-1, 3), (modes @ p / root).reshape(-1, 3)


def landau_zener(gaps: list[float], dt: float) -> float:
    """Probability of a hop if the gap had a minimum one step ago, else 0."""
    if len(gaps) < 3 or not gaps[-3] > gaps[-2] <= gaps[-1]:
        return 0.0
    curvature = (gaps[-3] - 2 * gaps[-2] + gaps[-1]) / dt**2
    hbar = units._hbar * units.J * units.second
    return float(np.exp(-np.pi / (2 * hbar) * np.sqrt(gaps[-2] ** 3 / curvature)))


def trajectory(name: str, number: int, work: Path) -> None:
    """Run one trajectory to its end, or go on with it."""
    symbols, charge, _ = MOLECULES[name]
    masses, path, found = Atoms(symbols).get_masses(), work / f"{name}_{number:03d}.npz", minimum(name, work)
    calc, dt = Casscf(charge=charge), TIME_STEP_FS * units.fs
    if path.exists():
        kept = dict(np.load(path))
        if kept["ended"]:
            return
        records: dict[str, list[Any]] = {key: list(kept[key]) for key in KEYS}
        positions, velocities = kept["positions"][-1], kept["velocities"][-1]
        state, step, gaps, calc.orbitals = (
            int(kept["state"][-1]),
            int(kept["step"]),
            list(kept["gaps"]),
            kept["orbitals"],
        )
    else:
        records = {key: [] for key in KEYS}
        positions, velocities = wigner(masses, found, np.random.default_rng((SEED, number)))
        state, step, gaps = 1, 0, []
    atoms = Atoms(symbols, positions)
    forces = None
    while step <= STEPS:
        calc.state = state
        if forces is not None:
            velocities = velocities + dt / 2 * forces / masses[:, None]
            atoms.positions = atoms.positions + dt * velocities
        labelled = step % STRIDE == 0
        try:
            calc.calculate(atoms, EVERYTHING if labelled else ["forces"])
        except Exception as error:
            print(name, number, "step", step, "ends:", error, flush=True)
            break
        energies = calc.results["state_energies"]
        if forces is not None:
            velocities = velocities + dt / 2 * calc.results["forces"] / masses[:, None]
            gaps = [*gaps[-2:], energies[1] - energies[0]]
        kinetic = float((masses[:, None] * velocities**2).sum() / 2)
        if forces is not None and landau_zener(gaps, dt) > np.random.default_rng((SEED, number, step)).random():
            target, gain = 1 - state, energies[state] - energies[1 - state]
            if kinetic + gain > 0:
                velocities, state = velocities * np.sqrt(1 + gain / kinetic), target
                kinetic, gaps = kinetic + gain, []
                calc.state = state
                if not labelled:
                    calc.calculate(atoms, ["forces"])
                else:
                    calc.results["forces"] = calc.results["state_forces"][state]
                print(name, number, "hop to", state, "at step", step, "gap", energies[1] - energies[0], flush=True)
        forces = calc.results["forces"]
        total = kinetic + energies[state]
        if records["total"] and abs(total - records["total"][0]) > DRIFT_EV:
            print(name, number, "step", step, "ends: total energy off by", total - records["total"][0], flush=True)
            break
        if labelled and not (records["time_fs"] and records["time_fs"][-1] == step * TIME_STEP_FS):
            row = (atoms.positions.copy(), velocities, energies, calc.results["state_forces"],
                   calc.results["state_couplings"][0], state, step * TIME_STEP_FS, total)  # fmt: skip
            for key, value in zip(KEYS, row):
                records[key].append(value)
            write(
                path,
                **{k: np.array(v) for k, v in records.items()},
                step=step,
                gaps=gaps,
                orbitals=calc.orbitals,
                ended=False,
            )
        step += 1
    write(path, **{**dict(np.load(path)), "ended": True})
    print(name, number, len(records["total"]), "frames, drift",
          np.abs(np.array(records["total"]) - records["total"][0]).max(), flush=True)  # fmt: skip


def write(path: Path, **arrays: Any) -> None:
    """All or nothing."""
    temporary = path.with_suffix(".tmp.npz")
    np.savez(temporary, **arrays)
    os.replace(temporary, path)


def collect(name: str, work: Path, out: Path, count: int) -> None:
    """Frames of all trajectories, spread evenly, in single precision where that is far below the method's own noise."""
    files = sorted(work.glob(f"{name}_[0-9]*.npz"))
    parts = [dict(np.load(f)) for f in files if "tmp" not in f.name]
    rows = [(t, i) for t, part in enumerate(parts) for i in range(len(part["total"]))]
    rows = [rows[i] for i in np.unique(np.linspace(0, len(rows) - 1, count).astype(int))]
    picked = {
        key: np.array([parts[t][key][i] for t, i in rows])
        for key in ("positions", "energies", "forces", "couplings", "state", "time_fs")
    }
    symbols, charge, _ = MOLECULES[name]
    write(out, numbers=Atoms(symbols).numbers, R=picked["positions"], E=picked["energies"],
          F=picked["forces"].astype(np.float32), H=picked["couplings"][:, None].astype(np.float32),
          state=picked["state"].astype(np.int8), time_fs=picked["time_fs"].astype(np.float32),
          trajectory=np.array([t for t, _ in rows], dtype=np.int16), charge=charge,
          minimum=minimum(name, work)["positions"])  # fmt: skip
    print(out, len(rows), "frames of", len(parts), "trajectories,", out.stat().st_size, "bytes")


def check(name: str, path: Path) -> None:
    """Recompute three labels."""
    data, (symbols, charge, _) = np.load(path), MOLECULES[name]
    for i in np.linspace(0, len(data["R"]) - 1, 3).astype(int):
        calc = Casscf(charge=charge)
        calc.calculate(Atoms(symbols, data["R"][i]), EVERYTHING)
        found = calc.results
        pairs = [("state_energies", "E"), ("state_forces", "F"), ("state_couplings", "H")]
        errors = [np.abs(np.abs(found[a]) - np.abs(data[b][i])).max() for a, b in pairs]
        print("frame", i, "energies", errors[0], "forces", errors[1], "couplings", errors[2])
        if max(errors) > 1e-4:
            raise SystemExit("the labels are not reproduced")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("molecule", choices=MOLECULES)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--trajectories", type=int, default=12)
    parser.add_argument("--collect", type=Path)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--check", type=Path)
    given = parser.parse_args()
    if given.check:
        check(given.molecule, given.check)
    elif given.collect:
        collect(given.molecule, given.work, given.collect, given.frames)
    else:
        given.work.mkdir(parents=True, exist_ok=True)
        for number in range(given.trajectories):
            trajectory(given.molecule, number, given.work)


if __name__ == "__main__":
    main()
