"""One path of a product, and the rules for its channels."""

from __future__ import annotations

from dataclasses import dataclass

from nbody_ref.exact.surd import Surd

__all__ = ["MODES", "Instruction"]

ONE = Surd(1, 1)
# mode: channel letters of (part 1, part 2, weight, result)
MODES = {
    "uvw": ("u", "v", "uvw", "w"),
    "uvu": ("u", "v", "uv", "u"),
    "uvv": ("u", "v", "uv", "v"),
    "uuw": ("u", "u", "uw", "w"),
    "uuu": ("u", "u", "u", "u"),
    "uvuv": ("u", "v", "uv", "uv"),
}


@dataclass(frozen=True)
class Instruction:
    """One path: parts `i1` and `i2` are coupled into part `out`.

    Parameters
    ----------
    i1, i2, out : int
        Numbers of parts.
    mode : str
        One of `MODES`: which channels meet, as in "uvu": result u = sum over v of w[u, v] a[u] b[v].
    coefficient : Surd
        Exact factor of the path.
    """

    i1: int
    i2: int
    out: int
    mode: str = "uvu"
    coefficient: Surd = ONE
