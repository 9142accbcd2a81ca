"""Gaussian numbers: the axioms of the ring, for integers, rationals and floats."""

import random
from fractions import Fraction

from nbody_ref.exact.ring import Gauss, I, divide


def random_gauss(rng):
    return Gauss(*(Fraction(rng.randrange(-9, 9), rng.randrange(1, 9)) for _ in range(2)))


def test_gauss_is_a_field_over_the_rationals():
    rng = random.Random(1)
    for _ in range(200):
        a, b, c = (random_gauss(rng) for _ in range(3))
        assert a * (b + c) == a * b + a * c and (a * b) * c == a * (b * c) and a - b == -(b - a)
        assert (a * b).conjugate() == a.conjugate() * b.conjugate() and (a * b).norm() == a.norm() * b.norm()
        if b:
            assert a / b * b == a and b**-2 * b * b == 1 and 1 / b * b == 1


def test_gauss_mixes_with_scalars_and_equals_python_complex():
    assert I * I == -1 and 2 + I == Gauss(2, 1) and 2 - I == Gauss(2, -1) and 2 * I == Gauss(0, 2)
    assert complex(Gauss(Fraction(1, 2), 3)) == 0.5 + 3j and bool(Gauss(0)) is False
    assert hash(Gauss(3)) == hash(3) and Gauss(3) != Gauss(3, 1)
    a, b = Gauss(0.5, -2.0), Gauss(1.5, 0.25)
    assert complex(a * b) == complex(a) * complex(b)


def test_division_of_integers_stays_exact():
    assert divide(1, 3) == Fraction(1, 3) and Gauss(1, 2) / 3 == Gauss(Fraction(1, 3), Fraction(2, 3))
    assert divide(1.0, 4) == 0.25 and repr(Gauss(1, 2)) == "Gauss(1, 2)"
