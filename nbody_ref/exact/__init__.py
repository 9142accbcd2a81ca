"""The definition layer: what each quantity *is*, in Python integers and rationals.

Standard library only; importing it loads neither numpy nor Numba. Gates and networks over any ring are in
`nbody_ref.exact.definition` and `nbody_ref.exact.network`, the installed checks in `nbody_ref.exact.checks`.
"""

from nbody_ref.exact.cg import (
    cg_integer,
    cg_table,
    cg_table_real,
    clebsch_gordan,
    clebsch_gordan_real,
    real_unitary,
    triples,
)
from nbody_ref.exact.harmonics import Harmonic, fragment_polynomial, monomial_fragments, solid_harmonic
from nbody_ref.exact.ring import Gauss
from nbody_ref.exact.surd import Surd, round_fraction, surd_sum
from nbody_ref.exact.symbols import OverRootPi, gaunt, nine_j, racah_w, real_gaunt, six_j, three_j
from nbody_ref.exact.wigner import (
    monomial_D,
    monomial_matrix,
    quaternion_product,
    rational_D,
    rotation_matrix,
    wigner_D,
    wigner_D_real,
)

__all__ = [
    "Gauss",
    "Harmonic",
    "OverRootPi",
    "Surd",
    "cg_integer",
    "cg_table",
    "cg_table_real",
    "clebsch_gordan",
    "clebsch_gordan_real",
    "fragment_polynomial",
    "gaunt",
    "monomial_D",
    "monomial_fragments",
    "monomial_matrix",
    "nine_j",
    "quaternion_product",
    "racah_w",
    "rational_D",
    "real_gaunt",
    "real_unitary",
    "rotation_matrix",
    "round_fraction",
    "six_j",
    "solid_harmonic",
    "surd_sum",
    "three_j",
    "triples",
    "wigner_D",
    "wigner_D_real",
]
