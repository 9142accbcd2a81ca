"""From exact coefficients to a molecule that moves, in under a minute: what ``nbody-ref quickstart`` shows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nbody_ref.fit.dynamics import nve, relax
from nbody_ref.fit.evaluation import Evaluation, evaluate
from nbody_ref.fit.fitting import fit
from nbody_ref.fit.potential import Potential
from nbody_ref.fit.reading import ethanol
from nbody_ref.fit.report import Trajectory, write_report
from nbody_ref.fit.splits import split

__all__ = ["quickstart"]

TRAIN, TEST = 80, 100
EXACT_LMAX = 4
KELVIN = 8.617333262e-5  # eV, of Boltzmann's constant


def quickstart(folder: Path, say: Callable[[str], None] = print, seed: int = 0) -> bool:
    """Verify, fit ethanol, relax it, run 1 ps of dynamics, write a report.

    Parameters
    ----------
    folder : Path
        Receives ``potential.safetensors``, ``report.html`` and ``relaxed.xyz``.
    say : function of str
        Receives lines to show.
    seed : int
        Of the split, the fit and the velocities.

    Returns
    -------
    bool
        Whether every exact check passed.
    """
    from ase.io import write

    start = time.perf_counter()
    passed = _exact(say)
    frames = ethanol()
    chosen = split(len(frames), TRAIN, seed, TEST)
    log: list[str] = []

    def tell(line: str) -> None:
        log.append(line)
        say(f"   {line}")

    say(f"2. Fit: ethanol at 500 K, MP2/6-31G*, {TRAIN} of {len(frames)} frames")
    compile_kernels(tell)
    potential = fit(frames[chosen.train], log=tell, seed=seed, progress=False)
    potential.metadata["quickstart_split"] = chosen.to_dict()
    evaluation = evaluate(potential, frames[chosen.test])
    potential.save(folder / "potential.safetensors")
    tell(f"fitted in {potential.metadata['seconds']:.1f} s; {TEST} other frames:")
    say("")
    say(evaluation.table())
    say("")
    relaxed, trajectory = _move(potential, evaluation, say, seed)
    write_report(str(folder / "report.html"), potential, {f"{TEST} other frames": evaluation}, trajectory, log)
    say(f"4. Written: {folder / 'potential.safetensors'}, {folder / 'report.html'}")
    say(f"   {time.perf_counter() - start:.1f} s in all. Your own data: nbody-ref fit FILE.xyz -o DIR")
    write(folder / "relaxed.xyz", relaxed, format="extxyz")
    say(f"   Its frequencies: nbody-ref vib {folder / 'potential.safetensors'} {folder / 'relaxed.xyz'}")
    return passed


def _exact(say: Callable[[str], None]) -> bool:
    """Exact checks of small degree; ``nbody-ref verify`` runs all."""
    from nbody_ref.exact import checks

    start = time.perf_counter()
    results = checks.run(lmax=EXACT_LMAX)
    failed = [result for result in results if not result.ok]
    say(
        f"1. Exact: {len(results) - len(failed)} of {len(results)} checks passed, degrees to {EXACT_LMAX}, in integers "
        f"({time.perf_counter() - start:.1f} s; to degree 8: nbody-ref verify)"
    )
    for result in failed:
        say(f"   FAILED: {result}")
    return not failed


def _move(
    potential: Potential, evaluation: Evaluation, say: Callable[[str], None], seed: int
) -> tuple[Any, Trajectory]:
    """Relax the first test molecule and let it move for 1 ps."""
    from ase import Atoms

    frame = evaluation.frames[0]
    start = time.perf_counter()
    relaxed = relax(potential, Atoms(frame.numbers, frame.positions))
    state = "converged" if relaxed.converged else "not converged"
    say(
        f"3. Motion: relaxed in {relaxed.steps} steps of BFGS, energy down by {relaxed.energy_drop:.3f} eV, largest "
        f"force {relaxed.max_force:.4f} eV/A ({state})"
    )
    trajectory = nve(potential, relaxed.atoms, temperature=300.0, femtoseconds=1000.0, seed=seed)
    kinetic = float((trajectory.total - trajectory.potential).mean())
    kelvin = 2 * kinetic / ((3 * trajectory.n_atoms - 6) * KELVIN)
    say(
        f"   1 ps at constant energy, mean temperature {kelvin:.0f} K: drift {trajectory.drift:.4f} meV/atom/ps, "
        f"fluctuation {trajectory.fluctuation:.4f} meV/atom ({time.perf_counter() - start:.1f} s)"
    )
    return relaxed.atoms, trajectory


def compile_kernels(say: Callable[[str], None]) -> None:
    """Run every kernel of a fit once on two molecules, and say how long compilation took."""
    frames = ethanol()[:6]
    with _compilations() as compiled:
        start = time.perf_counter()
        fast: dict[str, Any] = {"size": "small", "smoothness": 1.5, "regularisation": 1e-4, "curve": False}
        potential = fit(frames, progress=False, anyway=True, **fast)
        evaluate(potential, frames[:1])
        seconds = time.perf_counter() - start
    if compiled:
        say(f"compiled {len(set(compiled))} kernels in {seconds:.1f} s (kept for the next time)")
    else:
        say(f"kernels were compiled before ({seconds:.1f} s to load and run them once)")


@contextmanager
def _compilations() -> Iterator[list[str]]:
    """Kernels that Numba compiles within the block (without what they call); empty where there is no Numba."""
    names: list[str] = []
    try:
        from numba.core import event
    except ImportError:
        yield names
        return

    class Listener(event.Listener):
        def on_start(self, found: Any) -> None:
            function = found.data["dispatcher"].py_func
            if function.__module__.startswith("nbody_ref.") and not function.__name__.startswith("_"):
                names.append(f"{function.__module__}.{function.__name__}")

        def on_end(self, found: Any) -> None:
            pass

    with event.install_listener("numba:compile", Listener()):
        yield names
