"""Fusion diagrams: trees of Clebsch-Gordan vertices, their exact algebra, their evaluation and their pictures.

Background, and what is the paper's and what is ours: docs/fusion.md.
"""

from nbody_ref.fusion.diagram import Diagram, count_labelings, labelings
from nbody_ref.fusion.draw import f_move_svg, f_move_text, svg, text
from nbody_ref.fusion.evaluate import coupling_norm, coupling_tensor, dense_tensor, evaluate_monomial, integer_tensor
from nbody_ref.fusion.fuse import fuse, fuse_jvp, fuse_vjp, fuse_vjp_jvp
from nbody_ref.fusion.independent import CouplingTable, independent_couplings
from nbody_ref.fusion.label import Spin
from nbody_ref.fusion.recoupling import Recoupling, braid_sign, f_symbol, recoupling
from nbody_ref.fusion.reduction import Reduction
from nbody_ref.fusion.rewriting import Step
from nbody_ref.fusion.symmetric import CombPath, SymmetricBasis, symmetric_basis, symmetric_dimension
from nbody_ref.fusion.table import Cost, FusionTable, Term, all_terms
from nbody_ref.fusion.tree import all_trees, balanced, left_comb, right_comb
from nbody_ref.fusion.yutsis import YutsisGraph, overlap_graph
from nbody_ref.fusion.yutsis_draw import draw_graph, draw_reduction

__all__ = [
    "CombPath",
    "Cost",
    "CouplingTable",
    "Diagram",
    "FusionTable",
    "Recoupling",
    "Reduction",
    "Spin",
    "Step",
    "SymmetricBasis",
    "Term",
    "YutsisGraph",
    "all_terms",
    "all_trees",
    "balanced",
    "braid_sign",
    "count_labelings",
    "coupling_norm",
    "coupling_tensor",
    "dense_tensor",
    "draw_graph",
    "draw_reduction",
    "evaluate_monomial",
    "f_move_svg",
    "f_move_text",
    "f_symbol",
    "fuse",
    "fuse_jvp",
    "fuse_vjp",
    "fuse_vjp_jvp",
    "independent_couplings",
    "integer_tensor",
    "labelings",
    "left_comb",
    "overlap_graph",
    "recoupling",
    "right_comb",
    "svg",
    "symmetric_basis",
    "symmetric_dimension",
    "text",
]
