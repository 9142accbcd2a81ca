"""Three states of cis-2-butene: energies, forces and couplings by a diabatic matrix and by a network for each state.

    python benchmarks/excited_cis_butene.py FILE.npz [--folds 5]

FILE: 101 geometries, SA3-CASSCF(2,2)/cc-pVDZ, from the tutorial data of SPaiNN (arrays Z, R_bohr, E_hartree,
F_hartree_bohr, NAC; bohr and Hartree). Five-fold over its frames. Couplings carry no translation factors there; what
is learned and compared is the part that adds up to zero over the atoms. Results: excited_cis_butene.json.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from nbody_ref.excited.labels import read_states, without_translation
from nbody_ref.excited.states import fit_states

HERE = Path(__file__).resolve().parent


def cosines(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """|cos| of couplings (F, P, N, 3), (F, P)."""
    flat, other = found.reshape(*found.shape[:2], -1), wanted.reshape(*wanted.shape[:2], -1)
    along = np.abs(np.einsum("fpx,fpx->fp", flat, other))
    return along / (np.linalg.norm(flat, axis=2) * np.linalg.norm(other, axis=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--folds", type=int, default=5)
    given = parser.parse_args()
    frames = read_states(given.file, energy="Hartree", length="Bohr", atoms_first=True)
    raw = frames.couplings
    frames = replace(frames, couplings=without_translation(raw))
    ceiling = cosines(frames.couplings, raw).mean(axis=0)
    order = np.random.default_rng(0).permutation(len(frames))
    rows: dict[str, list[list[float]]] = {}
    options = {"specific": {"curve": False}, "diabatic": {"labelled": False, "size": (48, 48, 16), "cutoff": 5.0}}
    for approach, chosen in options.items():
        for fold in range(given.folds):
            held = np.sort(order[fold::5])
            train = np.setdiff1d(order, held)
            start = time.process_time()
            model = fit_states(frames[train], approach, **chosen)
            seconds = time.process_time() - start
            found, wanted = model.surfaces(frames.positions[held]), frames[held]
            energy = 1e3 * np.abs(found.energies - wanted.energies).mean(axis=0)
            force = 1e3 * np.abs(found.forces - wanted.forces).mean(axis=(0, 2, 3))
            row = [*energy, *force, seconds]
            if found.couplings is not None:
                row += list(cosines(found.couplings, wanted.couplings).mean(axis=0))
            rows.setdefault(approach, []).append([round(float(x), 3) for x in row])
            print(approach, fold, rows[approach][-1], flush=True)
            names = "E0 E1 E2 (meV) F0 F1 F2 (meV/A) seconds |cos| 01 02 12"
            means = {k: np.mean(v, axis=0).round(3).tolist() for k, v in rows.items()}
            ends = "cos of the raw couplings with their translation-free part"
            found_json = {"columns": names, "folds": rows, "mean": means, ends: ceiling.round(3).tolist()}
            (HERE / "excited_cis_butene.json").write_text(json.dumps(found_json, indent=1) + "\n")


if __name__ == "__main__":
    main()
