"""Function classes of published layers with random lower layers, compared in closed form: no optimiser decides.

    python benchmarks/compare_classes.py [ethanol | FRAMES.xyz] [--seeds 6] [--train 150] [--only CLASS ...]
                                         [-o RESULTS.json]
    python benchmarks/compare_classes.py --table RESULTS.json ... --picture FILE.svg RESULTS.json ...

One level of covariant states with random weights, the same for every class; above it one layer of the class, its inner
weights random too; the readout, linear in the invariants of that layer, is solved for by `nbody_ref.fit.fit`, which
chooses the regularisation on frames held out of the training set. So a figure says what functions a layer offers, and
not how well all its weights would be trained. Runs are kept as they end; the same command goes on where it was stopped.

The criterion, fixed before the runs. Class A beats class B on a molecule if, in every one of the six seeds, the force
error of A at its three widths lies below that of B read off B's curve (log error over log readout weights, straight
between its widths and beyond its ends) in the geometric mean: six of six, p = 1/32 in the two-sided sign test. Five of
six, p = 7/32, is no decision. The pairs judged: CoFD against Cormorant, MoFD (sparse, 0 to 2) against MACE nu = 2 and
nu = 3, dense against sparse. Energies are shown and not judged.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import numpy as np  # noqa: E402  after the variables that it reads

from nbody_ref.fit import ethanol, evaluate, fit, read_frames  # noqa: E402
from nbody_ref.gates import Bare, Directed, EdgeFusion, Gate, Product  # noqa: E402
from nbody_ref.models.linear_ace import linear_ace  # noqa: E402
from nbody_ref.network import Network, Spec  # noqa: E402
from nbody_ref.ops.radial import ExponentialCosine  # noqa: E402

CUTOFF, LMAX, TEST = 4.5, 2, 150
RADIAL = ExponentialCosine(6, CUTOFF, p=3, scale=1.5)
WIDTHS = (4, 8, 16)
ACE = {4: (5, 3), 8: (7, 5), 16: (9, 6, 4)}
SCALARS = ("0e",)
SQUARE = Product((Bare("centre"), Bare("centre")), SCALARS)


def block(spins: tuple[int, ...], kind: str = "sparse", tree: str = "(oj)Y") -> EdgeFusion:
    """The block of every edge, to invariants, with random combinations of the radial functions."""
    return EdgeFusion(RADIAL, LMAX, SCALARS, tree, spins, kind, weights="learned")


def legs(n: int, width: int) -> tuple[Directed, ...]:
    """Summed legs A, all the same random mixture."""
    return (Directed(RADIAL, LMAX, mul=width),) * n


CLASSES: dict[str, Callable[[int], tuple[Any, ...]]] = {
    "TFN": lambda width: (),
    "Cormorant": lambda width: (SQUARE,),
    "CoFD": lambda width: (SQUARE, block((0, 1, 2))),
    "MACE nu=2": lambda width: (Product(legs(2, width), SCALARS),),
    "MACE nu=3": lambda width: (
        Product(legs(2, width), SCALARS),
        Product(legs(3, width), SCALARS, ordered=True),
    ),
    "MoFD 0": lambda width: (block((0,)),),
    "MoFD 0-1": lambda width: (block((0, 1)),),
    "MoFD 0-2": lambda width: (block((0, 1, 2)),),
    "MoFD dense": lambda width: (block((0, 1, 2), "dense"),),
    "linear ACE": lambda width: (),
}
PAIRS = (
    ("CoFD", "Cormorant"),
    ("MoFD 0-2", "MACE nu=2"),
    ("MoFD 0-2", "MACE nu=3"),
    ("MoFD dense", "MoFD 0-2"),
)


def network(name: str, species: tuple[int, ...], width: int, seed: int) -> Network:
    """A class at a width; its first level and its inner weights are drawn from the seed."""
    if name == "linear ACE":
        return linear_ace(species, ACE[width], cutoff=CUTOFF, lmax=LMAX, radial=RADIAL)
    first = Gate((Bare("centre"), Directed(RADIAL, LMAX)), f"{width}x0e + {width}x1o + {width}x2e")
    second = Gate((Directed(RADIAL, LMAX, keep=SCALARS), *CLASSES[name](width)), "1x0e")
    return Network(Spec(species, CUTOFF, (first, second, Gate((Bare(),)))), seed=seed)


def run(name: str, width: int, seed: int, frames: Any, n_train: int) -> dict[str, Any]:
    """Fit on the frames that the seed draws, judged on others."""
    order = np.random.default_rng(seed).permutation(len(frames))
    training, test = frames[order[:n_train].tolist()], frames[order[n_train : n_train + TEST].tolist()]
    net, start = network(name, frames.species, width, seed), time.process_time()
    potential = fit(training, network=net, seed=seed)
    seconds, found = time.process_time() - start, evaluate(potential, test).to_dict()
    return {
        "class": name,
        "width": width,
        "seed": seed,
        "readout_weights": int(net.parameters[net.readout].size),
        "weights": int(net.parameters.n),
        "cpu_seconds": round(seconds, 1),
        "force_rmse": round(found["forces_rmse_meV_per_A"], 2),
        "force_mae": round(found["forces_mae_meV_per_A"], 2),
        "energy_mae": round(found["energy_mae_meV"], 2),
    }


def curve(rows: list[dict[str, Any]], name: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of readout weights and of force errors of a class over its widths."""
    mine = sorted((r["readout_weights"], r["force_rmse"]) for r in rows if r["class"] == name and r["seed"] == seed)
    return np.log([n for n, _ in mine]), np.log([error for _, error in mine])


def read_off(x: np.ndarray, at: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Straight between the points and on beyond the ends."""
    inner = np.interp(x, at, values)
    low = values[0] + (x - at[0]) * (values[1] - values[0]) / (at[1] - at[0])
    high = values[-1] + (x - at[-1]) * (values[-1] - values[-2]) / (at[-1] - at[-2])
    return np.where(x < at[0], low, np.where(x > at[-1], high, inner))


def verdicts(rows: list[dict[str, Any]]) -> list[str]:
    """The criterion, for every pair."""
    found = []
    for ours, theirs in PAIRS:
        ratios = []
        for seed in sorted({r["seed"] for r in rows}):
            (x, y), (at, values) = curve(rows, ours, seed), curve(rows, theirs, seed)
            if len(x) == len(at) == len(WIDTHS):
                ratios.append(float(np.exp(np.mean(y - read_off(x, at, values)))))
        better = sum(r < 1 for r in ratios)
        unanimous = len(ratios) == 6 and better in (0, 6)
        word = "not decided" if not unanimous else f"{ours if better else theirs} is better"
        mean = float(np.exp(np.mean(np.log(ratios)))) if ratios else float("nan")
        found.append(f"| {ours} / {theirs} | {mean:.3f} | {better} of {len(ratios)} | {word} |")
    return found


def table(path: Path) -> None:
    """Means over seeds, and the verdicts, as Markdown."""
    rows = json.loads(path.read_text())["runs"]
    print("| class | width | readout weights | all weights | CPU s | force RMSE | force MAE | energy MAE |")
    print("|---|---|---|---|---|---|---|---|")
    for name in CLASSES:
        for width in WIDTHS:
            mine = [r for r in rows if r["class"] == name and r["width"] == width]
            if mine:
                mean = {k: float(np.mean([r[k] for r in mine])) for k in mine[0] if k not in ("class", "width", "seed")}
                spread = float(np.std([r["force_rmse"] for r in mine], ddof=1)) if len(mine) > 1 else float("nan")
                print(
                    f"| {name} | {width} | {mean['readout_weights']:.0f} | {mean['weights']:.0f} | "
                    f"{mean['cpu_seconds']:.0f} | {mean['force_rmse']:.1f} ({spread:.1f}) | {mean['force_mae']:.1f} | "
                    f"{mean['energy_mae']:.1f} |"
                )
    print("\n| pair | ratio of force errors | seeds below 1 | verdict |\n|---|---|---|---|")
    print("\n".join(verdicts(rows)))


def picture(out: Path, paths: list[Path]) -> None:
    """Force error over readout weights, a panel for each file."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "compare_classes"
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(paths), figsize=(5.2 * len(paths), 4.2), squeeze=False, layout="constrained")
    for axis, path in zip(axes[0], paths, strict=True):
        data = json.loads(path.read_text())
        for k, name in enumerate(CLASSES):
            points = []
            for width in WIDTHS:
                mine = [r for r in data["runs"] if r["class"] == name and r["width"] == width]
                if mine:
                    errors = [r["force_rmse"] for r in mine]
                    points.append((mine[0]["readout_weights"], np.mean(errors), np.std(errors)))
            if points:
                x, y, s = np.array(points).T
                axis.errorbar(x, y, s, label=name, marker="osv^D<>pXh"[k], ms=5, lw=1.2, capsize=2, color=f"C{k}")
        axis.set(xscale="log", yscale="log", xlabel="readout weights", title=data["frames"])
        limits = axis.get_ylim()
        for ticks, values in (
            (axis.set_xticks, (200, 500, 1000, 2000, 5000)),
            (axis.set_yticks, (10, 20, 40, 60, 100, 150)),
        ):
            ticks(values, [str(v) for v in values])
            ticks([], minor=True)
        axis.set_ylim(limits)
        axis.grid(alpha=0.3, which="both")
    axes[0][0].set_ylabel("force RMSE, meV/A")
    axes[0][-1].legend(fontsize=8)
    figure.savefig(out, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("frames", nargs="?", default="ethanol")
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--train", type=int, default=150)
    parser.add_argument("--only", nargs="+", choices=list(CLASSES), default=list(CLASSES))
    parser.add_argument("-o", "--output", type=Path, default=Path("compare_classes.json"))
    parser.add_argument("--table", type=Path, nargs="+")
    parser.add_argument("--picture", type=Path, nargs="+")
    options = parser.parse_args()
    if options.table or options.picture:
        for path in options.table or ():
            print(f"\n{path.stem}\n")
            table(path)
        if options.picture:
            picture(options.picture[0], options.picture[1:])
        return
    is_file = options.frames != "ethanol"
    frames = read_frames(options.frames) if is_file else ethanol()
    name = Path(options.frames).stem
    data = json.loads(options.output.read_text()) if options.output.exists() else {"frames": name, "runs": []}
    done = {(r["class"], r["width"], r["seed"]) for r in data["runs"]}
    for seed in range(options.seeds):
        for width in WIDTHS:
            for kind in options.only:
                if (kind, width, seed) not in done:
                    data["runs"].append(run(kind, width, seed, frames, options.train))
                    partial = options.output.with_suffix(".part")
                    partial.write_text(json.dumps(data, indent=1) + "\n")
                    partial.replace(options.output)
                    print(json.dumps(data["runs"][-1]), flush=True)


if __name__ == "__main__":
    main()
