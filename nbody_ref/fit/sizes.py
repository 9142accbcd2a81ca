"""How large a network a fit takes, by which solver, and what memory that needs: decided and said before work starts."""

from __future__ import annotations

from dataclasses import replace

from nbody_ref.errors import DataError
from nbody_ref.fit.options import Options, available_memory
from nbody_ref.fit.rows import bytes_per_frame
from nbody_ref.fit.solver import CHUNK_BYTES, Task, usual_solver
from nbody_ref.network import Network
from nbody_ref.network.default import SIZES

__all__ = ["planned", "sized"]

WORK = 8e12  # multiplications for a Gram matrix, from which on "auto" takes a smaller size: minutes on two cores


def sized(task: Task) -> Task:
    """The task with its size: what `Options.network_size` says, or the next smaller one that fits memory and `WORK`."""
    if task.given is not None or task.choice.size != "auto":
        return task
    data, names = task.data, list(SIZES)
    names = names[: names.index(task.choice.network_size(data.n_force_rows)) + 1]
    for name in reversed(names[1:]):
        network = task.network(task.choice.smoothness[0], name)
        sides = data.n_equations, network.parameters[network.readout].size
        fits = needed(task, network, _solver(task, network)) <= memory_limit(task.choice)
        if fits and sides[0] * sides[1] * min(sides) <= WORK:
            return replace(task, size=name)
    return replace(task, size=names[0])


def planned(task: Task, network: Network) -> str:
    """The solver. Says what memory it needs, and refuses if that is too much.

    Raises
    ------
    DataError
        If the fit would need more memory than it may use.
    """
    solver = _solver(task, network)
    need, limit = needed(task, network, solver), memory_limit(task.choice)
    task.tell.memory(network.parameters[network.readout].size, task.data.n_equations, solver, need)
    if need > limit:
        raise DataError(
            f"fit: would need {need:.1f} GB, may use {limit:.1f}: take fewer frames, a smaller size "
            f"(--size small), or allow more memory (--memory)"
        )
    return solver


def _solver(task: Task, network: Network) -> str:
    return usual_solver(task.data, network) if task.choice.solver == "auto" else task.choice.solver


def needed(task: Task, network: Network, solver: str) -> float:
    """Memory of a fit, GB."""
    data, columns, force_rows = task.data, network.parameters[network.readout].size, task.data.n_force_rows
    held = 3 * int(data.frames[data.held].n_atoms.sum()) + 3 * len(data.frames)
    core = {
        "primal": 3.0 * columns**2,
        "dual": 2.0 * force_rows * columns + 2.0 * force_rows**2,
        "qr": 6.0 * columns * min(columns, force_rows),
    }
    chunk = max(CHUNK_BYTES, float(bytes_per_frame(network, int(data.frames.n_atoms.max()))))
    return (8 * (sum(core[name] for name in {solver, usual_solver(data, network)}) + held * columns) + 2 * chunk) / 1e9


def memory_limit(choice: Options) -> float:
    """Memory that a fit may use, GB."""
    return available_memory() if choice.memory is None else choice.memory
