"""The definition layer: what each quantity *is*, in Python integers and rationals.

Standard library only; importing it loads neither numpy nor Numba.
"""

from nbody_ref.exact.cg import (
    cg_integer,
    cg_table,
    cg_table_real,
    clebsch_gordan,
    clebsch_gordan_real,
    real_unitary,
    six_j,
    triples,
)
from nbody_ref.exact.surd import Surd, round_fraction, surd_sum

__all__ = [
    "Surd",
    "cg_integer",
    "cg_table",
    "cg_table_real",
    "clebsch_gordan",
    "clebsch_gordan_real",
    "real_unitary",
    "round_fraction",
    "six_j",
    "surd_sum",
    "triples",
]
