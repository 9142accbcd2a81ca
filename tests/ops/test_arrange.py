"""Linear steps: value and derivatives exact on integers."""

import numpy as np
import pytest

from nbody_ref.errors import DTypeError, ShapeError
from nbody_ref.ops import arrange as op

KIND = np.array([2, 0, 2, 2])
SPANS = ((3, 5), (0, 2), (4, 5))
RUNS = ((2.0, 1), (-0.5, 3), (4.0, 2))
OPS = {
    "take": (1, (SPANS,), lambda x: np.stack([x[:, i] for i in (3, 4, 0, 1, 4)], axis=1)),
    "add": (3, (), lambda x, y, z: z + y + x),
    "rescale": (1, (RUNS,), lambda x: x * np.array([2, -0.5, -0.5, -0.5, 4, 4])),
    "bias": (2, (KIND,), lambda x, b: np.stack([row + b[k] for row, k in zip(x, KIND, strict=True)])),
}


def drawn(name, exact):
    count = OPS[name][0]
    shapes = [(4, 6)] * count if name != "bias" else [(4, 6), (3, 6)]
    return [2 * exact.draw(shape, i) for i, shape in enumerate(shapes)]


@pytest.fixture
def ring(request):
    return request.param


@pytest.mark.parametrize("ring", [np.float64, np.complex128], indirect=True)
@pytest.mark.parametrize("name", OPS)
def test_value_and_derivatives_are_exact(name, exact):
    arrays, (_, statics, definition) = drawn(name, exact), OPS[name]
    assert (getattr(op, name)(*arrays, *statics) == definition(*arrays)).all()
    assert exact.quadruple(op, name, arrays, statics).all_hold()


@pytest.mark.parametrize("ring", [np.float64], indirect=True)
def test_planted_errors_are_caught(exact, monkeypatch):
    def wrong_order(y_bar, x, spans, needs=None):
        return right(y_bar, x, tuple(sorted(spans)), needs)

    right = op.take_vjp
    monkeypatch.setattr(op, "take_vjp", wrong_order)
    assert not exact.quadruple(op, "take", drawn("take", exact), (SPANS,)).all_hold()
    monkeypatch.setattr(op, "bias_vjp", lambda y_bar, x, b, kind, needs=None: (y_bar, y_bar[:3]))
    assert not exact.quadruple(op, "bias", drawn("bias", exact), (KIND,)).adjoint_is_exact()


def test_pairs_and_complex_numbers_are_inverse_and_adjoint():
    rng = np.random.default_rng(0)
    x, x_dot = rng.integers(-9, 10, (2, 3, 4)).astype(float)
    z = op.complex_from_pairs(x)
    assert (z == x[:, ::2] + 1j * x[:, 1::2]).all() and (op.pairs_from_complex(z) == x).all()
    g = rng.integers(-9, 10, z.shape) + 1j * rng.integers(-9, 10, z.shape)
    bar = op.complex_from_pairs_vjp(g, x)[0]
    assert (g * op.complex_from_pairs_jvp(x, x_dot)).real.sum() == (bar * x_dot).sum()
    assert (g.conj() * op.complex_from_pairs(x_dot)).real.sum() != (bar * x_dot).sum()  # planted error
    h, z_dot = rng.integers(-9, 10, x.shape).astype(float), op.complex_from_pairs(x_dot)
    bar = op.pairs_from_complex_vjp(h, z)[0]
    assert (h * op.pairs_from_complex_jvp(z, z_dot)).sum() == (bar * z_dot).real.sum()
    assert (op.pairs_from_complex_vjp_jvp(h, z, h, z)[0] == bar).all()
    assert (op.complex_from_pairs_vjp_jvp(g, x, g, x)[0] == op.complex_from_pairs_vjp(g, x)[0]).all()


def test_absent_tangents_and_unneeded_adjoints_cost_nothing():
    x = np.ones((2, 4))
    z = op.complex_from_pairs(x)
    assert op.complex_from_pairs_jvp(x, None) is None and op.pairs_from_complex_jvp(z, None) is None
    assert op.complex_from_pairs_vjp(z, x, needs=(False,)) == (None,) == op.pairs_from_complex_vjp_jvp(x, z, None, z)
    assert op.pairs_from_complex_vjp(x, z, needs=(False,)) == (None,) == op.complex_from_pairs_vjp_jvp(z, x, None, x)


def test_wrong_arguments_are_named():
    x = np.ones((2, 3))
    with pytest.raises(ShapeError, match=r"take: 'spans' must be pairs of columns in 0\.\.3, got \(\(2, 4\),\)"):
        op.take(x, ((2, 4),))
    with pytest.raises(ShapeError, match=r"add: 'x_1' must have shape \(2, 3\), got \(2, 2\)"):
        op.add(x, x[:, :2])
    with pytest.raises(ShapeError, match="rescale: 'x'"):
        op.rescale(x, ((1.0, 2),))
    with pytest.raises(ShapeError, match=r"bias: 'kind' must lie in 0\.\.0, got 0\.\.1"):
        op.bias(x, x[:1], np.array([0, 1]))
    with pytest.raises(ShapeError, match="'x' must have an even number of columns"):
        op.complex_from_pairs(x)
    with pytest.raises(DTypeError, match="pairs_from_complex: 'x' must be complex128 or complex64"):
        op.pairs_from_complex(x)
