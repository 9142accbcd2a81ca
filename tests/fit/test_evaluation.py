"""Errors: recomputed by hand from predictions, with the names and units that are promised."""

import json
from dataclasses import replace

import numpy as np
import pytest

from nbody_ref.errors import DataError, GeometryError
from nbody_ref.fit import evaluate
from nbody_ref.fit.frames import Frame, Frames


def test_errors_are_the_means_that_their_names_say(potential, frames):
    chosen = frames[[100, 150]]
    found = evaluate(potential, chosen).to_dict()
    prediction = potential.predict(chosen.geometries)
    de = 1000 * (prediction.energies - chosen.energies)
    df = 1000 * (prediction.forces - np.concatenate([chosen[0].forces, chosen[1].forces]))
    assert found["energy_mae_meV"] == pytest.approx((abs(de[0]) + abs(de[1])) / 2, rel=1e-12)
    assert found["energy_rmse_meV"] == pytest.approx(np.sqrt((de[0] ** 2 + de[1] ** 2) / 2), rel=1e-12)
    assert found["energy_per_atom_mae_meV"] == pytest.approx(found["energy_mae_meV"] / 9, rel=1e-12)
    assert found["forces_mae_meV_per_A"] == pytest.approx(np.abs(df).sum() / 54, rel=1e-12)
    assert found["forces_rmse_meV_per_A"] == pytest.approx(np.sqrt((df**2).sum() / 54), rel=1e-12)
    carbon = np.concatenate([frame.numbers for frame in chosen]) == 6
    assert found["species"]["C"]["forces_mae_meV_per_A"] == pytest.approx(np.abs(df[carbon]).mean(), rel=1e-12)
    assert found["forces_max_meV_per_A"] == np.abs(df).max()
    json.dumps(found, allow_nan=False)


def test_predicting_the_mean_knows_the_composition_only(potential, frames):
    mean = evaluate(potential, frames[100:160]).mean
    assert np.allclose(mean, frames[:40].energies.mean(), rtol=1e-12)


def test_one_frame_can_be_evaluated_and_none_cannot(potential, frames):
    result = evaluate(potential, frames[:1])
    assert result.to_dict()["n_frames"] == 1 and "errors on 1 frame " in result.table()
    with pytest.raises(DataError, match="at least one frame"):
        evaluate(potential, frames[:0])


def test_table_names_units_and_the_mean(potential, frames):
    table = evaluate(potential, frames[100:110]).table()
    for words in ("energy, meV", "energy per atom, meV", "forces, meV/A", "on O, meV/A", "predict the mean: forces"):
        assert words in table


def test_unseen_element_is_named(potential):
    nitrogen = Frames((Frame(np.array([7, 7]), np.array([[0, 0, 0], [0, 0, 1.1]]), -3000.0, np.zeros((2, 3))),))
    with pytest.raises(GeometryError, match="frame 0: atom 0 is N"):
        evaluate(potential, nitrogen)


def test_columns_of_the_table_stay_apart_however_large_the_numbers(potential, frames):
    """Errors of millions: every line has its numbers apart, under the headings."""
    good = frames[100:103]
    result = evaluate(potential, Frames(tuple(f._replace(energy=f.energy + 123456.789) for f in good)))
    for table in (result.table(), evaluate(potential, good).table()):
        head, *lines, last = table.split("\n")
        assert last.startswith("largest errors: energy in frame ")
        ends = [head.index(word) + len(word) for word in ("MAE", "RMSE", "max")]
        for line in lines:
            cells = line[: ends[0]].split()[-1:] + line[ends[0] :].split()
            assert all(float(cell) >= 0 for cell in cells) and len(cells) in (2, 3)
            for cell, end in zip(cells, ends):
                assert line[end - len(cell) - 2 : end] == f"  {cell}"


def test_frames_are_named_by_their_place_in_the_file(potential, frames):
    """The file begins with three isolated atoms, so that the first molecule is frame 3."""
    assert frames.indices[0] == 3 and frames[[7, 5]].indices == (10, 8)
    spoilt = frames[100:104]
    spoilt = replace(
        spoilt, frames=(*spoilt.frames[:2], spoilt[2]._replace(energy=0.0, forces=99 + spoilt[2].forces), spoilt[3])
    )
    found = evaluate(potential, spoilt)
    assert found.to_dict()["energy_max_frame"] == found.to_dict()["forces_max_frame"] == 105
    assert "energy in frame 105, forces in frame 105 (counted from 0)" in found.table()
    with pytest.raises(DataError, match="'indices' must hold one for each frame, got 1 for 2 frames"):
        Frames(frames.frames[:2], indices=(1,))
