"""The steps of a fit: the hold-out is honest, the choices are those of every solver, Ctrl-C never spoils one."""

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from nbody_ref.errors import DataError
from nbody_ref.fit import fit, solver
from nbody_ref.fit.data import FitData
from nbody_ref.fit.frames import Frames
from nbody_ref.fit.narrator import Narrator
from nbody_ref.fit.options import Options
from nbody_ref.fit.ridge import ENERGY_WEIGHT, Equations
from nbody_ref.fit.solver import Task
from nbody_ref.fit.splits import Split, split

FAST = {"size": "small", "smoothness": 1.5, "progress": False, "curve": False}


def test_hold_out_errors_are_those_of_a_fit_without_the_hold_out(potential, frames):
    """What the record calls hold-out errors is repeated by fitting the training part alone with the choice made."""
    part = potential.metadata["split"]
    data = FitData(frames[:40], potential.baseline, Split(tuple(part["train"]), tuple(part["test"]), 0))
    task = Task(data, Options.build(FAST), Narrator(lambda line: None))
    network = task.network(1.5)
    system = solver.equations(data, network, "dual")
    held = solver.design(data, network, part["test"])
    with threadpool_limits(limits=1, user_api="blas"):
        assert solver.take_in(task, network, [system], lambda done: None) == (part["train"], False)
        solution = next(system.solve([potential.metadata["regularisation"]]))
    found = solver.errors(solution, held, data, part["test"])
    assert found == potential.metadata["holdout_errors"]  # the same operations


@pytest.mark.parametrize("name", ["primal", "qr"])
def test_the_choice_of_regularisation_does_not_depend_on_the_solver(frames, name):
    """Six frames: the Gram matrix of the primal form has lost the small regularisations that the dual form compares."""
    usual, other = (fit(frames[:6], **{**FAST, "solver": how}).metadata for how in ("auto", name))
    assert (usual["solver"], other["solver"]) == ("dual", name)
    for key in ("regularisation", "holdout_errors"):
        assert usual[key] == other[key]


def test_a_regularisation_without_a_solution_in_float64_grows_until_there_is_one(frames, monkeypatch):
    true_solve, tried = Equations.solve, []

    def solve(self, values):
        for value, solution in zip(values, true_solve(self, values)):
            tried.append(value)
            yield solution if len(tried) == 1 or value > 9e-5 else replace(solution, weights=solution.weights * np.nan)

    monkeypatch.setattr(Equations, "solve", solve)
    potential = fit(frames[:6], regularisation=1e-6, **FAST)
    assert potential.metadata["regularisation"] == pytest.approx(1e-4) and len(tried) == 4


class Scripted:
    """Equations whose solutions have the errors that a test wants."""

    def __init__(self, scores):
        self.scores = scores

    def solve(self, regularisations):
        for value in regularisations:
            yield value, self.scores[value]


def choose(scores, monkeypatch):
    ones = (np.ones(1), np.ones(1))
    found = lambda solution, held, data, indices: ((np.zeros(1), np.array([solution[1]])), ones)  # noqa: E731
    monkeypatch.setattr(solver, "residuals", found)
    return solver.best(Scripted(scores), None, None, [0], list(scores))[1][0]


def test_the_smallest_error_is_found_behind_a_hill_and_ties_go_to_the_largest(monkeypatch):
    assert choose({1e-2: 3.0, 1e-3: 4.0, 1e-4: 5.0, 1e-5: 6.0, 1e-6: 1.0}, monkeypatch) == 1e-6
    assert choose({1e-2: 3.0, 1e-3: 1.0004, 1e-4: 1.0002, 1e-5: 1.0, 1e-6: 2.0}, monkeypatch) == 1e-3
    assert choose({1e-2: 3.0, 1e-3: 1.01, 1e-4: 1.0}, monkeypatch) == 1e-4
    assert choose({1e-2: 3.0, 1e-3: np.nan, 1e-4: 2.0}, monkeypatch) == 1e-4
    with pytest.raises(DataError, match="no regularisation in the list"):
        choose({1e-2: np.nan, 1e-3: np.inf}, monkeypatch)


def test_an_energy_counts_as_much_in_the_choice_as_in_the_fit(monkeypatch):
    """Errors of 1 eV and 29 eV/A, or of 0 eV and 31 eV/A: the weight of an energy, 30/A, decides between them."""
    errors = {1e-2: (1.0, 29.0), 1e-3: (0.0, 31.0)}

    def found(solution, held, data, indices):
        return tuple(np.array([x]) for x in errors[solution[0]]), (np.ones(1), np.ones(1))

    monkeypatch.setattr(solver, "residuals", found)
    system = Scripted(dict.fromkeys(errors))
    assert solver.best(system, None, None, [0], list(errors))[1][0] == 1e-3  # without the weight: 1e-2
    assert 31.0**2 - 29.0**2 < ENERGY_WEIGHT**2


@pytest.fixture
def interrupted(frames, monkeypatch):
    """A fit in which Ctrl-C comes in call number `at` of `rows`, or in solution number `solve` of the equations."""

    def run(at=None, solve=None, **options):
        lines, true_rows, true_solve = [], solver.rows, Equations.solve
        calls, solved = [], []

        def counted(network, chosen):
            calls.append(len(chosen))
            if len(calls) == at:
                raise KeyboardInterrupt
            return true_rows(network, chosen)

        def solving(self, values):
            for solution in true_solve(self, values):
                solved.append(solution)
                if len(solved) == solve:
                    raise KeyboardInterrupt
                yield solution

        monkeypatch.setattr(solver, "rows", counted)
        monkeypatch.setattr(Equations, "solve", solving)
        monkeypatch.setattr(solver, "CHUNK_BYTES", 1.0)  # a frame at a time
        try:
            found = fit(frames[:40], log=lines.append, **{**FAST, "holdout": 0.05, "regularisation": 1e-4, **options})
        except KeyboardInterrupt:
            found = None
        return found, [line for line in lines if "interrupted" in line]

    return run


@pytest.mark.parametrize("read", [3, 9])
def test_interrupted_while_reading_it_ends_with_the_frames_it_has_read(interrupted, frames, read):
    """Two frames of hold-out come first; with fewer than five frames read there is nothing to keep."""
    found, lines = interrupted(at=2 + read + 1)
    if read < solver.MIN_FRAMES:
        assert found is None and lines == [f"interrupted: {read} of 38 frames are read, too few; nothing is kept"]
        return
    assert lines == ["interrupted: 9 of 38 frames are read, the fit ends with these"]
    assert found.metadata["interrupted"] and found.metadata["frames_used"] == 11
    assert found.metadata["learning_curve"][-1]["frames"] == 9


def test_interrupted_while_choosing_the_smoothness_it_keeps_nothing_and_compares_nothing(interrupted):
    """Forty calls for each exponent; an interruption in the second must not leave a choice between 38 and 9 frames."""
    found, lines = interrupted(at=40 + 10, smoothness=(1.0, 1.5, 2.0))
    assert found is None
    assert lines == ["interrupted while the smoothness was chosen: no fit is complete, nothing is kept"]


def test_interrupted_while_solving_it_ends_with_the_last_point_of_the_learning_curve(interrupted, frames):
    found, lines = interrupted(solve=3, curve=True)  # two points of the curve are solved before
    assert lines == ["interrupted while the readout was solved: this is the fit to 19 frames"]
    assert found.metadata["frames_used"] == 19 and found.metadata["interrupted"]
    assert found.metadata["holdout_errors"] == {
        k: v for k, v in found.metadata["learning_curve"][-1].items() if k != "frames"
    }
    assert np.isfinite(found.predict(frames[:2].geometries).energies).all()


def test_interrupted_while_solving_without_a_curve_it_keeps_nothing(interrupted):
    found, lines = interrupted(solve=1)
    assert found is None
    assert lines == ["interrupted while the readout was solved: no fit is complete, nothing is kept"]


def test_interrupted_in_the_last_solution_it_ends_with_the_fit_that_the_choice_was_made_with(interrupted):
    found, lines = interrupted(solve=2)
    assert lines == ["interrupted while the readout was solved: this is the fit to 38 frames"]
    assert found.metadata["frames_used"] == 38 and found.metadata["interrupted"]


def test_a_fit_that_is_not_interrupted_says_so(potential):
    assert potential.metadata["interrupted"] is False


def test_an_interrupted_fit_knows_the_compositions_that_it_has_read_only(frames, monkeypatch):
    """The last frame in the order of reading is the only one of its composition, and is not reached."""
    parts = split(12, 10, 0)
    last = parts.train[-1]
    water = frames[0]._replace(
        numbers=np.array([8, 1, 1]),
        positions=np.array([[0.0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]),
        energy=-2078.0,
        forces=np.zeros((3, 3)),
    )
    data = Frames(tuple(water if i == last else frames[i] for i in range(12)))
    true_rows = solver.rows

    def interrupted(network, chosen):
        if any(len(frame.numbers) == 3 for frame in chosen):
            raise KeyboardInterrupt
        return true_rows(network, chosen)

    options = {**FAST, "regularisation": 1e-4, "holdout": 2 / 12}
    whole = fit(data, **options)
    assert whole.baseline.determines(water.numbers)
    monkeypatch.setattr(solver, "rows", interrupted)
    monkeypatch.setattr(solver, "CHUNK_BYTES", 1.0)
    part = fit(data, **options)
    assert part.metadata["frames_used"] == 11
    assert not part.baseline.determines(water.numbers) and part.baseline.determines(frames[0].numbers)


def test_a_fit_that_learned_nothing_says_so(frames):
    """Energies in another order than the frames: they do not belong to the forces, and cannot be learned."""
    words, data = "energies of the hold-out are predicted no better than by their mean", frames[:40].frames
    for order, said in ((range(40), False), (np.random.default_rng(0).permutation(40), True)):
        lines, energies = [], [data[i].energy for i in order]
        mixed = Frames(tuple(f._replace(energy=e) for f, e in zip(data, energies)))
        fit(mixed, log=lines.append, anyway=True, **{**FAST, "regularisation": 1e-4})
        assert any(words in line for line in lines) == said
