"""The two gauges carry the same information: unitary, with exact adjoints."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import nbody_ref
from nbody_ref.errors import ShapeError
from nbody_ref.irreps import Irreps
from nbody_ref.ops import gauge
from nbody_ref.ops.wigner import representation

U = {"float64": 2.0**-53, "float32": 2.0**-24}
LMAX = 4
TAU = Irreps("2x0e + 1x1o + 3x2e")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_fragments_are_conjugate_complex_harmonics(dtype):
    r = np.random.default_rng(0).standard_normal((5, 3)).astype(dtype)
    real = nbody_ref.solid_harmonics(LMAX, r, "component")
    v, wanted = gauge.fragments(real, LMAX), nbody_ref.solid_harmonics(LMAX, r, "component", basis="complex")
    assert v.dtype == wanted.dtype
    assert np.abs(v - wanted).max() <= 4 * U[dtype] * np.abs(real).max()


def test_vjp_is_the_adjoint_of_jvp():
    rng = np.random.default_rng(1)
    Y, Y_dot = rng.standard_normal((2, 3, (LMAX + 1) ** 2))
    v_bar = rng.standard_normal(Y.shape) + 1j * rng.standard_normal(Y.shape)
    left = np.sum((v_bar * gauge.fragments_jvp(Y, Y_dot, LMAX)).real)
    terms = gauge.fragments_vjp(v_bar, Y, LMAX)[0] * Y_dot
    assert abs(left - terms.sum()) <= (Y.size + 4) * U["float64"] * 2 * np.sum(np.abs(v_bar) * np.abs(Y_dot))
    assert abs(left - 2 * terms[0, 1] - terms.sum()) > (Y.size + 4) * U["float64"] * 2 * np.sum(np.abs(terms))
    assert gauge.fragments_jvp(Y, None, LMAX) is None
    assert gauge.fragments_vjp_jvp(v_bar, Y, None, Y_dot, LMAX) == (None,)
    again = gauge.fragments_vjp_jvp(v_bar, Y, 2 * v_bar, Y_dot, LMAX)[0]
    assert np.array_equal(again, 2 * gauge.fragments_vjp(v_bar, Y, LMAX)[0])


def test_gauge_of_states_commutes_with_rotations():
    rng, rotation = np.random.default_rng(2), Rotation.random(random_state=3)
    x = rng.standard_normal((4, TAU.dim))
    D, D_complex = (representation(TAU, rotation, False, basis) for basis in ("real", "complex"))
    turned = gauge.to_complex(x @ D.T, TAU)
    bound = 100 * U["float64"] * np.abs(x).sum()  # D to degree 2: 60 u, docs/derivations/wigner.md; 4 u each way
    assert np.abs(turned - gauge.to_complex(x, TAU) @ D_complex.T).max() <= bound
    assert np.abs(gauge.to_real(gauge.to_complex(x, TAU), TAU) - x).max() <= 8 * U["float64"] * 2 * np.abs(x).max()
    assert np.abs(turned - gauge.to_complex(x, TAU) @ D_complex).max() > bound


def test_wrong_shapes_are_refused():
    with pytest.raises(ShapeError, match="'state' must have shape"):
        gauge.to_complex(np.zeros(3), TAU)
    with pytest.raises(ShapeError, match="'Y' must have shape"):
        gauge.fragments(np.zeros((2, 5)), 1)
