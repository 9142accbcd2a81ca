"""The vectors that come with the package, re-certified in mpmath: docs/conformance.md.

Files are read here, couplings come from the ladder operators and the definition of real harmonics, sums are carried
out term by term at 60 digits. Nothing of the kit that made the vectors is used.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np
from _claims import Cases, claim, main
from _gauge import TRUTH, binary
from _judge import ladder_cg
from _programs import interpret
from _radials import function

from nbody_ref import Irreps
from nbody_ref.network import Network, Spec
from nbody_ref.ops.radial import radial_from_dict

Array = np.ndarray[Any, Any]
FOLDER = Path(__file__).resolve().parents[1] / "nbody_ref" / "conformance" / "data" / "core"
TYPES = {"F64": np.float64, "F32": np.float32, "I64": np.int64}
DIGITS = 60
LETTERS = {
    "uvw": ("u", "v", "uvw", "w"),
    "uvu": ("u", "v", "uv", "u"),
    "uvuv": ("u", "v", "uv", "uv"),
    "uuu": ("u", "u", "u", "u"),
}


def tensors(path: Path) -> dict[str, Array]:
    """A safetensors file by its format: length, JSON, numbers."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    found = {}
    for name, entry in json.loads(content[8:start]).items():
        a, b = entry["data_offsets"]
        flat = np.frombuffer(content[start + a : start + b], TYPES[entry["dtype"]])
        found[name] = flat.reshape(entry["shape"])
    return found


def cases(operation: str, full: bool) -> Iterator[tuple[str, dict[str, Any], dict[str, Any], dict[str, Array]]]:
    """Name, case, description of the operation, and arrays of every vector of an operation."""
    for dtype in ("float64", "float32") if full else ("float64",):
        listed = json.loads((FOLDER / f"{operation}-{dtype}.json").read_text())
        arrays = tensors(FOLDER / f"{operation}-{dtype}.safetensors")
        for row in listed["cases"]:
            own = {key.partition("/")[2]: x for key, x in arrays.items() if key.startswith(row["id"] + "/")}
            yield f"{operation}-{dtype}/{row['id']}", row, listed["operations"][row["operation"]], own


def sampled(x: Array, seed: str, full: bool) -> list[tuple[int, ...]]:
    """A few entries of an array."""
    flat = np.random.default_rng(len(seed) + x.size).permutation(x.size)[: 8 if full else 2]
    return [tuple(int(i) for i in np.unravel_index(k, x.shape)) for k in flat]


def exactly(value: float) -> Any:
    return mpmath.mpf(float(value))


def wrong(stored: Mapping[str, Any], exact: Any, size: Any) -> int:
    """0 if a stored entry is the exact value correctly rounded, its remainder and a size that is barely larger."""
    if abs(exact) <= mpmath.mpf(10) ** (8 - DIGITS) * size:
        exact = mpmath.mpf(0)
    rounded = float(binary(exact))
    rest = abs(exact - exactly(stored["value"]) - exactly(stored["low"]))
    fits = size <= exactly(stored["S"]) * (1 + mpmath.mpf(2) ** -50)
    room = mpmath.mpf(2) ** -90 * size + mpmath.mpf(2) ** -1074
    return 0 if rounded == stored["value"] and rest <= room and fits and stored["S"] <= 1.01 * float(size) else 1


@cache
def change(l: int) -> Any:
    """U_l with Y_real = U_l conj(Y_complex), from cosines and sines."""
    U = mpmath.zeros(2 * l + 1)
    U[l, l] = 1
    for m in range(1, l + 1):
        U[l + m, l - m], U[l + m, l + m] = mpmath.sqrt(0.5), (-1) ** m * mpmath.sqrt(0.5)
        U[l - m, l - m], U[l - m, l + m] = -1j * mpmath.sqrt(0.5), 1j * (-1) ** m * mpmath.sqrt(0.5)
    return U


@cache
def coupling(l1: int, l2: int, l: int) -> dict[tuple[int, int, int], Any]:
    """Real coupling i^s U C (U^+ x U^+), s = (l1 + l2 + l) mod 2, from ladder operators."""
    found: dict[tuple[int, int, int], Any] = {}
    A, B, D = change(l1), change(l2), change(l)
    for n1 in range(-l1, l1 + 1):
        for n2 in range(-l2, l2 + 1):
            if abs(n1 + n2) > l:
                continue
            sign, square = ladder_cg(2 * l1, 2 * n1, 2 * l2, 2 * n2, 2 * l)
            c = sign * mpmath.sqrt(mpmath.mpf(square.numerator) / square.denominator)
            for m1 in {n1, -n1}:
                for m2 in {n2, -n2}:
                    for m in {n1 + n2, -n1 - n2}:
                        factor = D[l + m, l + n1 + n2] * mpmath.conj(A[l1 + m1, l1 + n1] * B[l2 + m2, l2 + n2])
                        key = m1, m2, m
                        found[key] = found.get(key, 0) + 1j ** ((l1 + l2 + l) % 2) * c * factor
    small = mpmath.mpf(10) ** (4 - DIGITS)
    return {key: value.real for key, value in found.items() if abs(value) > small}


def product_terms(op: Mapping[str, Any]) -> list[tuple[int, int, int, int, Any]]:
    """Columns of result, x1, x2, w and the coefficient of every term of a row, from the instructions."""
    types = [Irreps(op[key]) for key in ("irreps_1", "irreps_2", "irreps_out")]
    found, start = [], 0
    for i1, i2, out, mode, (sign, square) in op["instructions"]:
        parts = [irreps[k] for irreps, k in zip(types, (i1, i2, out))]
        at = [irreps.offsets[k] for irreps, k in zip(types, (i1, i2, out))]
        a, b, w, c = LETTERS[mode]
        sizes = {b: parts[1].mul, a: parts[0].mul} | ({c: parts[2].mul} if len(c) == 1 and c not in (a, b) else {})
        ratio = Fraction(square)
        factor = sign * mpmath.sqrt(mpmath.mpf(ratio.numerator) / ratio.denominator)
        degrees = [part.irrep.l for part in parts]
        for index in np.ndindex(*(sizes[letter] for letter in sorted(sizes))):
            place = dict(zip(sorted(sizes), index))

            def flat(letters: str, place: dict[str, int] = place, sizes: dict[str, int] = sizes) -> int:
                total = 0
                for letter in letters:
                    total = total * sizes[letter] + place[letter]
                return total

            for (m1, m2, m), value in coupling(*degrees).items():
                columns = [
                    o + (l + k) * part.mul + flat(letters)
                    for o, l, k, part, letters in zip(at, degrees, (m1, m2, m), parts, (a, b, c))
                ]
                found.append((columns[2], columns[0], columns[1], start + flat(w), value * factor))
        start += int(np.prod([sizes[letter] for letter in w]))
    return found


def entry(row: Mapping[str, Any], terms: Any, x: Mapping[str, Array], graph: bool, name: str, at: Any) -> Any:
    """One entry of a result, and the sum of the sizes of its terms: the expression read towards that entry."""
    legs = ("out", "x1", "x2", "w") if "in/w" in x else ("out", "x1", "x2")
    arrays = {leg: x.get(f"in/{leg}") for leg in legs} | {"out": x.get("in/cotangent")}
    if row["order"] == 2:
        arrays[row["tangent"]] = x[f"in/{row['tangent']}_dot"]
    target = "out" if name in ("out", "cotangent") else name
    total = size = mpmath.mpf(0)
    for e in range(len(x["in/x2"])):
        rows = {"out": e, "x1": e, "x2": e, "w": e}
        if graph:
            rows |= {"out": int(x["in/receivers"][e]), "x1": int(x["in/senders"][e])}
        if rows[target] != at[0]:
            continue
        for term in terms:
            columns = dict(zip(("out", "x1", "x2", "w"), term))
            if columns[target] == at[1]:
                value = term[4]
                for leg in legs:
                    if leg != target:
                        value = value * exactly(arrays[leg][rows[leg], columns[leg]])
                total, size = total + value, size + abs(value)
    return total, size


def stored(name: str, x: Mapping[str, Array], result: str, at: Any) -> dict[str, float]:
    """What the package ships for one entry."""
    return {part: float(x[f"out/{result}/{part}"][at]) for part in ("value", "low", "S")}


def last_bit(*arguments: Any) -> dict[str, float]:
    """Planted: the last bit of every value."""
    found = stored(*arguments)
    return found | {"value": float(np.nextafter(found["value"], 2.0 * abs(found["value"]) + 1))}


def long_size(*arguments: Any) -> dict[str, float]:
    """Planted: S too large, so that errors would pass."""
    found = stored(*arguments)
    return found | {"S": found["S"] * 1.02 + 1e-38}


def short_size(*arguments: Any) -> dict[str, float]:
    """Planted: S too small by a part in a hundred."""
    found = stored(*arguments)
    return found | {"S": found["S"] * 0.98}


WRONG = {"last bit": {"entry": last_bit}, "S too small": {"entry": short_size}, "S too large": {"entry": long_size}}


@claim(
    "12.1",
    "docs/conformance.md",
    "every file of the core set of vectors has the sha256 that its manifest lists, and the manifest its digest",
    "hashlib",
    {"read": lambda path: path.read_bytes()},
    {"one bit": {"read": lambda path: path.read_bytes()[:-1] + b"\1"}},
)
def digests(subject: SimpleNamespace, full: bool) -> Cases:
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    lines = ""
    for name, about in sorted(manifest["files"].items()):
        found = hashlib.sha256(subject.read(FOLDER / name)).hexdigest()
        lines += f"{name} {found}\n"
        yield name, int(found != about["sha256"])
    yield "digest", int(hashlib.sha256(lines.encode()).hexdigest() != manifest["digest"])


@claim(
    "12.2",
    "docs/conformance.md",
    "products and convolutions: values, gradients and second gradients are correctly rounded, remainders and S right",
    "sums at 60 digits, couplings from ladder operators",
    {"entry": stored},
    WRONG,
)
def products(subject: SimpleNamespace, full: bool) -> Cases:
    with mpmath.workdps(DIGITS):
        terms: dict[str, Any] = {}
        for operation in ("product", "convolution"):
            for number, (name, row, op, x) in enumerate(cases(operation, full)):
                if not full and number % 7:
                    continue
                key = json.dumps(op)
                terms[key] = terms.get(key) or product_terms(op)
                for result in row["results"]:
                    for at in sampled(x[f"out/{result}/value"], name, full):
                        exact, size = entry(row, terms[key], x, operation == "convolution", result, at)
                        found = subject.entry(name, x, result, at)
                        if size or found["value"]:
                            yield (name, result, at), wrong(found, exact, size)


def real_harmonics(op: Mapping[str, Any], weights: Any) -> Callable[..., Any]:
    """Weighted sum of harmonics at (x, y, z), from mpmath's associated Legendre functions."""
    norms = {
        "integral": lambda l: 1,
        "component": lambda l: mpmath.sqrt(4 * mpmath.pi),
        "norm": lambda l: mpmath.sqrt(4 * mpmath.pi / (2 * l + 1)),
    }

    def at(x: Any, y: Any, z: Any) -> Any:
        n = mpmath.sqrt(x * x + y * y + z * z)
        theta, phi = mpmath.acos(z / n), mpmath.atan2(y, x)
        total = mpmath.mpf(0)
        for l in range(op["lmax"] + 1):
            scale = norms[op["normalization"]](l) * (n**l if op["operation"] == "solid" else 1)
            for m in range(-l, l + 1):
                if weights[l * l + l + m]:
                    Y = mpmath.spherharm(l, abs(m), theta, phi) * (-1) ** m * scale
                    part = Y.real if m == 0 else mpmath.sqrt(2) * (Y.real if m > 0 else Y.imag)
                    total += exactly(weights[l * l + l + m]) * part
        return total

    return at


@claim(
    "12.3",
    "docs/conformance.md",
    "harmonics: values and gradients correctly rounded",
    "mpmath.spherharm and mpmath.diff",
    {"entry": stored},
    {"last bit": {"entry": last_bit}},
)
def harmonics(subject: SimpleNamespace, full: bool) -> Cases:
    with mpmath.workdps(DIGITS):
        for operation in ("solid", "spherical"):
            for name, row, op, x in cases(operation, full):
                if row["order"] == 2 or row["check"] != "random":
                    continue
                result = row["results"][0]
                for at in sampled(x[f"out/{result}/value"], name, full):
                    point = [exactly(v) for v in x["in/r"][at[0]]]
                    if row["order"] == 0:
                        exact = real_harmonics(op, np.eye((op["lmax"] + 1) ** 2)[at[1]])(*point)
                    else:
                        along = tuple(int(axis == at[1]) for axis in range(3))
                        exact = mpmath.diff(real_harmonics(op, x["in/cotangent"][at[0]]), point, along)
                    found = subject.entry(name, x, result, at)
                    rest = abs(exact - exactly(found["value"]) - exactly(found["low"]))
                    yield (name, at), int(rest > mpmath.mpf(10) ** -20 * (abs(exact) + mpmath.mpf(10) ** -6))


@claim(
    "12.4",
    "docs/derivations/certified_programs.md",
    "radial functions: values, slopes and second gradients",
    "published formulas and mpmath.diff",
    {"entry": stored},
    {"last bit": {"entry": last_bit}},
)
def radials(subject: SimpleNamespace, full: bool) -> Cases:
    with mpmath.workdps(DIGITS):
        for name, row, op, x in cases("radial", full):
            basis = radial_from_dict(op["basis"])
            for result in row["results"]:
                for at in sampled(x[f"out/{result}/value"], name, full):
                    d = exactly(x["in/dist"][at[0]])
                    columns = [at[1:]] if len(at) == 3 else list(np.ndindex(op["lmax"] + 1, basis.n))
                    exact = mpmath.mpf(0)
                    for l, n in columns:
                        derivative = row["order"] if result == "dist" else row["order"] - (result == "cotangent")
                        factor = exactly(x["in/cotangent"][at[0], l, n]) if result == "dist" else mpmath.mpf(1)
                        inside = d < getattr(basis, "cutoff", mpmath.inf)
                        exact += factor * mpmath.diff(function(basis, n, l), d, derivative) if inside else 0
                    exact *= exactly(x["in/dist_dot"][at[0]]) if row["order"] == 2 else 1
                    found = subject.entry(name, x, result, at)
                    rest = abs(exact - exactly(found["value"]) - exactly(found["low"]))
                    yield (name, result, at), int(rest > mpmath.mpf(10) ** -20 * max(exactly(found["S"]), abs(exact)))


@claim(
    "12.5",
    "docs/derivations/certified_programs.md",
    "energies of whole models, and their forces along a direction",
    "program carried out in mpmath with the published definitions, differences of 1e-20",
    {"entry": stored},
    {"last bit": {"entry": last_bit}},
)
def models(subject: SimpleNamespace, full: bool) -> Cases:
    number = np.vectorize(lambda a: mpmath.mpf(float(a)), otypes=[object])
    with mpmath.workdps(DIGITS):
        for name, row, op, x in cases("model", full):
            if row["order"] == 2 or "network" not in op["model"]:
                continue
            net = Network(Spec.from_dict(op["model"]["network"]))
            ends = [int(i) for i in x["in/frame_ptr"]]
            r, z = x["in/r"].astype(float), x["in/species"]
            graph = net.graph([(r[a:b], z[a:b]) for a, b in pairwise(ends)])
            floats, batch = net.leaves(graph)
            leaves = {key: number(value) for key, value in floats.items()}
            leaves |= {key: number(x[f"in/{key}"]) for key in net.parameters}

            def energy(moved: Array, net: Network = net, leaves: Any = leaves, batch: Any = batch) -> Array:
                return interpret(net.chain.steps, leaves | {"r": moved}, batch, TRUTH)[net.root]

            if row["order"] == 0:
                exact = energy(leaves["r"])
                for at in np.ndindex(*exact.shape):
                    found = subject.entry(name, x, "out", at)
                    yield (name, at), wrong(found, exact[at], exactly(found["S"]))
                continue
            direction, h = number(np.linspace(-1, 1, r.size).reshape(r.shape)), mpmath.mpf(10) ** -20
            slope = (energy(leaves["r"] + h * direction) - energy(leaves["r"] - h * direction)) / (2 * h)
            exact = sum(exactly(g) * s for g, s in zip(x["in/cotangent"].ravel(), slope.ravel()))
            total = size = mpmath.mpf(0)
            for at in np.ndindex(*r.shape):
                found = subject.entry(name, x, "r", at)
                total += direction[at] * (exactly(found["value"]) + exactly(found["low"]))
                size += abs(direction[at]) * exactly(found["S"])
            yield (name, "r"), int(abs(total - exact) > mpmath.mpf(10) ** -22 * size)


if __name__ == "__main__":
    sys.exit(main())
