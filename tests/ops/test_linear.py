"""Linear maps: adjoints exact on integers."""

import numpy as np
import scipy.sparse

from nbody_ref.ops import linear


def integers(shape, seed):
    return np.random.default_rng(seed).integers(-9, 10, shape).astype(float)


def test_concat_vjp_is_exact_adjoint():
    a, b, a_dot, b_dot, g = (integers(s, i) for i, s in enumerate([(2, 3), (2, 4), (2, 3), (2, 4), (2, 7)]))
    a_bar, b_bar = linear.concat_vjp(g, a, b)
    assert np.sum(g * linear.concat_jvp(a, b, a_dot, b_dot)) == np.sum(a_bar * a_dot) + np.sum(b_bar * b_dot)
    assert linear.concat_jvp(a, b, None, None) is None
    assert np.all(linear.concat_jvp(a, b, None, b_dot)[:, :3] == 0)
    assert linear.concat_vjp(g, a, b, needs=(True, False))[1] is None


def test_concat_vjp_jvp_is_the_adjoint_of_the_seed_tangent():
    a, b, g, g_dot = (integers(s, i) for i, s in enumerate([(2, 3), (2, 4), (2, 7), (2, 7)]))
    assert linear.concat_vjp_jvp(g, a, b, None, a, b) == (None, None)
    blocks = linear.concat_vjp_jvp(g, a, b, g_dot, None, None)
    assert np.all(np.concatenate(blocks, axis=-1) == g_dot)


def test_affine_vjp_is_exact_adjoint():
    matrix = scipy.sparse.csr_array(np.array([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]))
    r, r_dot, g = integers((3, 3), 0), integers((3, 3), 1), integers((2, 3), 2)
    assert np.sum(g * linear.affine_jvp(r, r_dot, matrix)) == np.sum(linear.affine_vjp(g, r, matrix)[0] * r_dot)
    wrong = linear.affine_vjp(g, r, matrix)[0][::-1]
    assert np.sum(g * linear.affine_jvp(r, r_dot, matrix)) != np.sum(wrong * r_dot)


def test_cast_keeps_the_precision_of_its_argument_in_the_adjoint():
    x = integers(4, 0)
    y = linear.cast(x, np.dtype(np.float32))
    assert y.dtype == np.float32
    assert linear.cast_vjp(y, x, np.dtype(np.float32))[0].dtype == np.float64
    assert linear.cast_vjp_jvp(y, x, y, None, np.dtype(np.float32))[0].dtype == np.float64
