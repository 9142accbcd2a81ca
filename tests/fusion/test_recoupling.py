"""Recoupling: F-moves, braids, pentagon, hexagon, any two trees; the oracle is the overlap of coupling tensors."""

from fractions import Fraction
from itertools import product as cartesian

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy.physics.wigner import wigner_9j

from nbody_ref.errors import IrrepsError
from nbody_ref.exact import Surd, surd_sum
from nbody_ref.fusion import Diagram, Spin, all_trees, coupling_tensor, f_symbol, labelings, left_comb, recoupling
from nbody_ref.fusion.evaluate import overlap
from nbody_ref.fusion.label import product, twice
from nbody_ref.fusion.recoupling import braid, braid_sign, gauge_power, rotate, rotate_back
from nbody_ref.irreps import Irrep

HALF = Spin("1/2")


def spins(*doubled):
    return tuple(Spin(Fraction(j, 2)) for j in doubled)


def overlaps(matrix, basis):
    """The same matrix from coupling tensors at one component of the root, without any 6j symbol."""

    def tensors(diagrams):
        return [
            {key: value for key, value in coupling_tensor(d, basis).items() if key[-1] == twice(d.root) / 2}
            for d in diagrams
        ]

    return tuple(tuple(overlap(a, b) for b in tensors(matrix.target)) for a in tensors(matrix.source))


@pytest.mark.parametrize(
    ("legs", "root", "basis"),
    [
        (["1o", "1o", "2e"], "2e", "complex"),
        (["1", "2", "2"], "2", "real"),
        (["1", "2", "1"], "1", "real"),
        ([HALF, Spin(1), Spin("3/2")], Spin(1), "complex"),
    ],
)
def test_recoupling_of_three_legs_is_the_overlap_of_coupling_tensors(legs, root, basis):
    trees = [*all_trees(range(3)), ((2, 1), 0), (1, (2, 0))]
    for source, target in cartesian(trees, trees):
        matrix = recoupling(source, target, legs, root, basis)
        assert matrix.entries == overlaps(matrix, basis)
        assert matrix.is_unitary()


@pytest.mark.parametrize("basis", ["complex", "real"])
def test_recoupling_of_four_legs_is_the_overlap_of_coupling_tensors(basis):
    for target in [*all_trees(range(4)), ((3, 1), (2, 0))]:
        matrix = recoupling(((0, 1), (2, 3)), target, ["1", "2", "1", "1"], "1", basis)
        assert matrix.entries == overlaps(matrix, basis)


def test_the_real_gauge_changes_signs_and_forgetting_them_is_noticed():
    arguments = ((0, 1), 2), (0, (1, 2)), ["1", "1", "1"], "1"
    plain, real = recoupling(*arguments), recoupling(*arguments, "real")
    assert plain.entries != real.entries
    assert all(abs(x) == abs(y) for a, b in zip(plain.entries, real.entries) for x, y in zip(a, b))
    assert plain.entries != overlaps(plain, "real")
    assert {gauge_power(d.nodes, d.legs) % 4 for d in plain.source} == {0, 2}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=5, max_size=5), st.data())
def test_recoupling_of_five_spins_is_unitary_and_composes_along_any_third_tree(doubled, data):
    legs = spins(*doubled)
    trees = list(all_trees(range(5)))
    a, b, c = (data.draw(st.sampled_from(trees)) for _ in range(3))
    root = Spin(Fraction(sum(doubled) % 2, 2))
    if not labelings(left_comb(5), legs, root):
        return
    direct, first, second = (recoupling(x, y, legs, root) for x, y in ((a, c), (a, b), (b, c)))
    assert direct.is_unitary()
    assert (first @ second).entries == direct.entries
    assert direct.transpose.entries == recoupling(c, a, legs, root).entries


def test_two_pairs_recouple_by_a_9j_symbol():
    js, root = (1, 2, 1, 1), 2
    matrix = recoupling(((0, 1), (2, 3)), ((0, 2), (1, 3)), [str(j) for j in js], str(root))
    for row, a in zip(matrix.entries, matrix.source):
        for value, b in zip(row, matrix.target):
            k12, k34 = (label.l for label in a.bonds)
            k13, k24 = (label.l for label in b.bonds)
            ninej = wigner_9j(js[0], js[1], k12, js[2], js[3], k34, k13, k24, root)
            square = (2 * k12 + 1) * (2 * k34 + 1) * (2 * k13 + 1) * (2 * k24 + 1) * ninej**2
            assert value.square() == Fraction(int(square.p), int(square.q))
            assert value.sign == (0 if ninej == 0 else 1 if ninej > 0 else -1)


def f_matrices_are_unitary(symbol, a, b, c, root):
    left = [k for k in product(a, b) if root in product(k, c)]
    right = [k for k in product(b, c) if root in product(a, k)]
    rows = [[symbol(a, b, k, c, root, n) for n in right] for k in left]
    return all(surd_sum([x * y for x, y in zip(p, q)]) == (p is q) for p in rows for q in rows)


def test_f_moves_are_unitary_for_all_small_spins():
    for a, b, c in cartesian(spins(0, 1, 2, 3), repeat=3):
        for root in {r for k in product(a, b) for r in product(k, c)}:
            assert f_matrices_are_unitary(f_symbol, a, b, c, root)

    def without_dimension(j1, j2, k12, j3, root, k23):
        return f_symbol(j1, j2, k12, j3, root, k23) / Surd(1, twice(k23) + 1)

    assert not f_matrices_are_unitary(without_dimension, *spins(1, 1, 1, 1))


def pentagon_holds(symbol, legs, root):
    """(((1 2)p 3)q 4) to (1 (2 (3 4)s)t): two F-moves one way, three the other way, for every pair of labelings."""
    a, b, c, d = legs
    for source in labelings((((0, 1), 2), 3), legs, root):
        p, q = source.bonds
        for target in labelings((0, (1, (2, 3))), legs, root):
            s, t = target.bonds
            two = symbol(p, c, q, d, root, s) * symbol(a, b, p, s, root, t)
            three = [
                symbol(a, b, p, c, q, r) * symbol(a, r, q, d, root, t) * symbol(b, c, r, d, t, s) for r in product(b, c)
            ]
            if surd_sum(three) != two:
                return False
    return True


def hexagon_holds(symbol, sign, legs, root):
    """R F R = F R F with R the braid sign."""
    a, b, c = legs
    for k in (k for k in product(a, b) if root in product(k, c)):
        for n in (n for n in product(a, c) if root in product(b, n)):
            left = symbol(b, a, k, c, root, n) * sign(a, b, k) * sign(a, c, n)
            right = [
                symbol(a, b, k, c, root, m) * sign(a, m, root) * symbol(b, c, m, a, root, n)
                for m in product(b, c)
                if root in product(a, m)
            ]
            if surd_sum(right) != left:
                return False
    return True


COHERENCE = [(1, 1, 1, 1), (1, 2, 1, 2), (2, 2, 2, 2), (1, 3, 2, 2), (2, 4, 2, 2)]


@pytest.mark.parametrize("doubled", COHERENCE)
def test_pentagon_equation_holds_exactly(doubled):
    legs = spins(*doubled)
    for root in {d.root for d in labelings(left_comb(4), legs)}:
        assert pentagon_holds(f_symbol, legs, root)


def test_pentagon_equation_notices_a_wrong_sign():
    def unsigned(*labels):
        return abs(f_symbol(*labels))

    assert not all(pentagon_holds(unsigned, spins(1, 1, 1, 1), root) for root in spins(0, 2, 4))


@pytest.mark.parametrize("doubled", COHERENCE)
def test_hexagon_equation_holds_exactly(doubled):
    legs = spins(*doubled[:3])
    for root in {d.root for d in labelings(left_comb(3), legs)}:
        assert hexagon_holds(f_symbol, braid_sign, legs, root)


def test_hexagon_equation_notices_a_missing_braid_sign():
    assert not all(hexagon_holds(f_symbol, lambda *_: 1, spins(1, 1, 1), root) for root in spins(1, 3))


def test_moves_are_undone_by_their_inverses():
    for diagram in labelings((((0, 1), 2), 3), ["1", "1", "1", "1"], "1"):
        back = [
            (node, x * y)
            for moved, x in rotate(diagram.nodes, diagram.legs)
            for node, y in rotate_back(moved, diagram.legs)
        ]
        sums = {node: surd_sum([x for other, x in back if other == node]) for node, _ in back}
        assert {node: x for node, x in sums.items() if x} == {diagram.nodes: Surd(1, 1)}
        swapped, x = braid(diagram.nodes, diagram.legs)
        again, y = braid(swapped, diagram.legs)
        assert again == diagram.nodes and x * y == 1


def test_braid_sign_exchanges_the_legs_of_the_coupling_tensor():
    for label in product(Irrep(1), Irrep(2)):
        for basis in ("complex", "real"):
            forth = coupling_tensor(Diagram((0, 1), ["1", "2"], [label]), basis)
            back = coupling_tensor(Diagram((1, 0), ["1", "2"], [label]), basis)
            sign = braid_sign(Irrep(1), Irrep(2), label)
            assert {key: value * sign for key, value in back.items()} == forth


def test_inadmissible_f_symbols_are_zero_parities_included():
    even, odd = Irrep(1, 1), Irrep(1, -1)
    assert f_symbol(odd, odd, even, odd, odd, even) != 0
    assert f_symbol(odd, odd, odd, odd, odd, even) == 0
    assert f_symbol(*spins(1, 1, 6, 1, 1, 0)) == 0


def test_errors_name_what_is_wrong():
    with pytest.raises(IrrepsError, match="for spins"):
        recoupling(((0, 1), 2), (0, (1, 2)), [HALF] * 3, HALF, "real")
    with pytest.raises(IrrepsError, match="cannot mix"):
        f_symbol(HALF, Irrep(1), HALF, HALF, HALF, Spin(0))
