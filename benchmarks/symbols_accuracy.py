"""Units in the last place by which programs miss symbols of spins; the table of docs/spin_symbols.md.

    pip install wignernj pywigxjpf mpmath
    python benchmarks/symbols_accuracy.py [--count 400] [--seed 0]

The truth is mpmath's: Racah's sums of factorials with enough digits for their cancellations, no code of the package.
Labels are random and admissible, half-integers included, components too. A program that is not installed is left out.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import math
import random
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
from mpmath import factorial as f

from nbody_ref import exact

Labels = tuple[int, ...]  # doubled


def three(a: int, x: int, b: int, y: int, c: int, z: int) -> Any:
    """3j symbol of doubled labels."""
    k = [a + b - c, a - x, b + y, c - b + x, c - a - y]
    p, q, r, s, t = (v // 2 for v in k)
    total = mpmath.mpf(0)
    for i in range(max(0, -s, -t), min(p, q, r) + 1):
        total += (-1) ** i / (f(i) * f(p - i) * f(q - i) * f(r - i) * f(s + i) * f(t + i))
    root = delta(a, b, c) * math.prod(f((j + m) // 2) * f((j - m) // 2) for j, m in ((a, x), (b, y), (c, z)))
    return (-1) ** ((a - b - z) // 2) * total * mpmath.sqrt(root)


def delta(a: int, b: int, c: int) -> Any:
    """Triangle coefficient of doubled spins."""
    return f((a + b - c) // 2) * f((a - b + c) // 2) * f((b + c - a) // 2) / f((a + b + c) // 2 + 1)


def triangle(a: int, b: int, c: int) -> bool:
    """Triangle rule of doubled spins."""
    return (a + b + c) % 2 == 0 and abs(a - b) <= c <= a + b


def six(a: int, b: int, c: int, d: int, e: int, g: int) -> Any:
    """6j symbol of doubled spins."""
    triads = ((a, b, c), (a, e, g), (d, b, g), (d, e, c))
    low = [sum(triad) // 2 for triad in triads]
    high = [(a + b + d + e) // 2, (b + c + e + g) // 2, (a + c + d + g) // 2]
    total = mpmath.mpf(0)
    for t in range(max(low), min(high) + 1):
        total += (-1) ** t * f(t + 1) / math.prod([f(t - v) for v in low] + [f(v - t) for v in high])
    return total * mpmath.sqrt(math.prod(delta(*triad) for triad in triads))


def nine(a: int, b: int, c: int, d: int, e: int, g: int, h: int, i: int, j: int) -> Any:
    """9j symbol of doubled spins, row by row."""
    total = mpmath.mpf(0)
    for x in range(max(abs(a - j), abs(d - i), abs(b - g)), min(a + j, d + i, b + g) + 1, 2):
        total += (-1) ** x * (x + 1) * six(a, b, c, g, j, x) * six(d, e, g, b, x, i) * six(h, i, j, x, a, d)
    return total


def gaunt(a: int, x: int, b: int, y: int, c: int, z: int) -> Any:
    """Integral of three harmonics, doubled labels."""
    root = mpmath.sqrt((a + 1) * (b + 1) * (c + 1) / (4 * mpmath.pi))
    return root * three(a, 0, b, 0, c, 0) * three(a, x, b, y, c, z)


def draw(rng: random.Random, symbol: str, top: int) -> Labels:
    """Admissible doubled labels."""
    step = 2 if symbol == "gaunt" else 1
    while True:
        if symbol in ("three_j", "gaunt"):
            a, b = rng.randrange(0, top + 1, step), rng.randrange(0, top + 1, step)
            c = rng.randrange(abs(a - b), a + b + 1, 2 * step)
            x, y = rng.randrange(-a, a + 1, 2), rng.randrange(-b, b + 1, 2)
            if c <= top and abs(x + y) <= c:
                return a, x, b, y, c, -x - y
        elif symbol == "six_j":
            a, b, c, d, e, g = (rng.randrange(top + 1) for _ in range(6))
            if triangle(a, b, c) and triangle(a, e, g) and triangle(d, b, g) and triangle(d, e, c):
                return a, b, c, d, e, g
        else:
            a, b, d, e = (rng.randrange(top + 1) for _ in range(4))
            c, g, h, i = (rng.randrange(abs(p - q), p + q + 1, 2) for p, q in ((a, b), (d, e), (a, d), (b, e)))
            j = rng.randrange(abs(h - i), h + i + 1, 2)
            if triangle(c, g, j) and max(c, g, h, i, j) <= top:
                return a, b, c, d, e, g, h, i, j


def halved(labels: Labels) -> list[Any]:
    """Spins as ints and Fractions."""
    return [v // 2 if v % 2 == 0 else Fraction(v, 2) for v in labels]


def programs(top: int) -> dict[str, dict[str, Callable[[Labels], float]]]:
    """What is installed: program -> symbol -> function of doubled labels."""
    ours = {name: getattr(exact, name) for name in TRUTH}
    found = {"nbody_ref": {name: lambda v, g=g: float(g(*halved(v))) for name, g in ours.items()}}
    with contextlib.suppress(ImportError):
        w = importlib.import_module("wignernj")
        theirs = {"six_j": w.wigner6j, "nine_j": w.wigner9j, "gaunt": w.gaunt}
        theirs["three_j"] = lambda *v, g=w.wigner3j: g(*v[::2], *v[1::2])
        found["wignernj"] = {name: lambda v, g=g: g(*halved(v)) for name, g in theirs.items()}
    with contextlib.suppress(ImportError):
        w = importlib.import_module("pywigxjpf")
        w.wig_table_init(2 * top, 9)
        w.wig_temp_init(2 * top)
        found["wigxjpf"] = {
            "three_j": lambda v, g=w.wig3jj: g(*v[::2], *v[1::2]),
            "six_j": lambda v, g=w.wig6jj: g(*v),
            "nine_j": lambda v, g=w.wig9jj: g(*v),
        }
    return found


TRUTH = {"three_j": three, "six_j": six, "nine_j": nine, "gaunt": gaunt}
PLAN = [(symbol, top) for symbol in ("three_j", "six_j", "gaunt") for top in (16, 40, 200)]
PLAN += [("nine_j", 8), ("nine_j", 20)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=400, help="symbols in each row (default: 400)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    known = programs(max(top for _, top in PLAN))
    print("| symbol | spins to | nonzero | program | above 0.5 ulp | largest ulp | us per call |")
    print("|---|---|---|---|---|---|---|")
    for symbol, top in PLAN:
        rng = random.Random(options.seed)
        cases = [draw(rng, symbol, top) for _ in range(options.count)]
        with mpmath.workdps(60 + 2 * top):
            pairs = [(v, TRUTH[symbol](*v)) for v in cases]
            pairs = [(v, t) for v, t in pairs if abs(t) > mpmath.mpf(10) ** (-30 - top)]
            for name, functions in known.items():
                if symbol in functions:
                    print(row(symbol, top, name, functions[symbol], pairs), flush=True)


def row(symbol: str, top: int, name: str, function: Callable[[Labels], float], pairs: list[tuple[Labels, Any]]) -> str:
    """One line of the table."""
    start = time.process_time()
    found = [function(v) for v, _ in pairs]
    seconds = time.process_time() - start
    errors = [float(abs(mpmath.mpf(x) - t) / math.ulp(float(t))) for x, (_, t) in zip(found, pairs)]
    above, worst = sum(e > 0.5 for e in errors), max(errors)
    spins = f"{top // 2}"
    return f"| {symbol} | {spins} | {len(pairs)} | {name} | {above} | {worst:.3f} | {seconds / len(pairs) * 1e6:.1f} |"


if __name__ == "__main__":
    main()
