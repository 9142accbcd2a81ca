"""Two pages that compute in the reader's browser: templates of `explorers/`, filled with numbers of the package.

Each becomes one HTML file without outside files; the script, its style and its data stand in it.
"""

import itertools
import json
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np

import nbody_ref
from nbody_ref.exact import six_j
from nbody_ref.exact.wigner import wigner_D_real
from nbody_ref.fit.reading import ethanol
from nbody_ref.lessons import tiny

FOLDER = Path(__file__).parent / "explorers"
SPECIES = ["H", "C", "O"]
TYPES = [{1: 2}, {0: 2, 1: 1, 2: 1}]
WATER = [[0.0, 0.12, 0.0], [0.76, -0.47, 0.0], [-0.76, -0.47, 0.0]]
PEROXIDE = [[0.73, 0.0, -0.05], [-0.73, 0.0, -0.05], [0.99, 0.70, 0.59], [-0.99, -0.70, 0.59]]
ROTATIONS = [(2, 1, 0, 0), (1, -2, 3, 1), (3, 1, -1, 2)]  # quaternions
LARGEST = 6  # twice the largest spin of the table of 6j symbols


def states(x, z, weights):
    """States of both levels and of the molecule, as the page computes them: ``[{l: (atoms, 2l+1, c)}, ...]``."""
    x = np.asarray(x, dtype=float)[None]
    r, psi, out = x[:, tiny.others(len(z))] - x[:, :, None], {0: np.eye(len(SPECIES))[z][None, :, None]}, []
    for W in weights:
        psi = tiny.gate(psi, r, W, np.asarray(z))
        out.append({l: value[0] for l, value in psi.items()})
    return [*out, {l: value.sum(0, keepdims=True) for l, value in out[-1].items()}]


def lists(tree):
    """Arrays as lists, dicts of degrees with text keys."""
    if isinstance(tree, dict):
        return {str(key): lists(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [lists(value) for value in tree]
    return tree.tolist() if isinstance(tree, np.ndarray) else tree


def molecules():
    """Names, positions less their mean, places in `SPECIES`, and pairs of bonded atoms."""
    frame = ethanol()[0]
    found = {
        "water": (WATER, [2, 0, 0]),
        "hydrogen peroxide": (PEROXIDE, [2, 2, 0, 0]),
        "ethanol": (frame.positions, np.searchsorted([1, 6, 8], frame.numbers)),
    }
    out = {}
    for name, (positions, z) in found.items():
        x = np.asarray(positions, dtype=float)
        x = x - x.mean(0)
        pairs = itertools.combinations(range(len(x)), 2)
        reach = [0.45, 0.8, 0.8]
        bonds = [(i, j) for i, j in pairs if np.linalg.norm(x[i] - x[j]) < reach[z[i]] + reach[z[j]]]
        out[name] = {"x": x, "z": [int(s) for s in z], "bonds": bonds}
    return out


def network_data():
    """Coefficients, weights, molecules, and results of the package at turned positions."""
    weights, found, checks = tiny.weights(len(SPECIES), TYPES, seed=4), molecules(), []
    for name, quaternion in itertools.product(found, ROTATIONS):
        D = np.array(wigner_D_real(1, quaternion), dtype=float)
        Q = D[np.ix_([2, 0, 1], [2, 0, 1])]  # from the order y, z, x to x, y, z
        value = states(found[name]["x"] @ Q.T, found[name]["z"], weights)
        checks.append({"molecule": name, "Q": Q, "states": value})
    pairs = [(0, 1), (1, 0), (1, 1), (1, 2)]
    return {
        "species": SPECIES,
        "powers": tiny.POWERS,
        "cg": {f"{l1} {l}": nbody_ref.clebsch_gordan(l1, 1, l) for l1, l in pairs},
        "weights": weights,
        "molecules": found,
        "checks": checks,
    }


def fusion_data():
    """6j symbols of spins up to 3, each once under its symmetries: doubled spins, sign times square as text."""
    table, twice = [], range(LARGEST + 1)
    rows = [row for row in itertools.product(twice, repeat=3) if (sum(row) % 2 == 0) and 2 * max(row) <= sum(row)]
    known = set(rows)
    for (a, b, c), (d, e, f) in itertools.product(rows, itertools.product(twice, repeat=3)):
        spins, vertices = (a, b, c, d, e, f), ((a, e, f), (d, b, f), (d, e, c))
        if all(vertex in known for vertex in vertices) and symbol_key(spins) == spins:
            value = six_j(*(Fraction(j, 2) for j in spins))
            table.append(" ".join(map(str, (*spins, value.sign, value.p, value.q))))
    return {"largest": LARGEST, "six_j": table}


def symbol_key(spins):
    """Least of the 24 forms of a 6j symbol: columns change places, two columns may be turned upside down."""
    columns = list(zip(spins[:3], spins[3:]))
    forms = []
    for order in itertools.permutations(columns):
        for flips in ((), (0, 1), (0, 2), (1, 2)):
            turned = [column[::-1] if k in flips else column for k, column in enumerate(order)]
            forms.append(tuple(top for top, _ in turned) + tuple(bottom for _, bottom in turned))
    return min(forms)


def page(name, data):
    """HTML of one explorer: the template with its style and its data."""
    text = (FOLDER / f"{name}.html").read_text(encoding="utf-8")
    style = (FOLDER / "explorer.css").read_text(encoding="utf-8")
    numbers = json.dumps(lists(data), separators=(",", ":")).replace("</", "<\\/")
    return text.replace("/*STYLE*/", style).replace("/*DATA*/null", numbers)


def write(folder):
    """Write both explorers into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in (("network", network_data()), ("fusion", fusion_data())):
        (folder / f"{name}.html").write_text(page(name, data), encoding="utf-8")


def write_explorers(app, exception):
    """Write the explorers into the built site."""
    if not exception and app.builder.format == "html":
        write(Path(app.outdir, "explorers"))


def setup(app):
    """Register the hook."""
    app.connect("build-finished", write_explorers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    write(Path(sys.argv[1]))
