"""Complex gauges: correct kernels of several conventions pass, conjugated or transposed ones do not."""

import numpy as np
import pytest

from nbody_ref import conventions
from nbody_ref.certified.sums import evaluate_exactly
from nbody_ref.certified.terms import complexified
from nbody_ref.conformance import Capabilities, Product, Rotation, run
from nbody_ref.conformance.complex_gauge import complex_from_native, complex_to_native
from nbody_ref.conformance.operations.product_cases import product_cases
from nbody_ref.conformance.planted.model import Model
from nbody_ref.ops.wigner import wigner_D
from nbody_ref.tables import clebsch_gordan


def only_terms(op, inputs):
    (terms,) = op.terms(inputs)
    return terms


GAUGES = ("nbody_ref-complex", "scipy", "sympy", "gelib", "cormorant", "torch")


class Complex(Model):
    """The model kernel on complex numbers, in any complex gauge."""

    def __init__(self, convention, **declared):
        self.name, self.convention = f"complex kernel, {convention}", convention
        self.gauge = conventions.get(convention)
        more = {"operations": ("coupling", "rotation", "product", "convolution"), "lmax": 2, "dtypes": ("float64",)}
        self.capabilities = Capabilities(**more | declared)

    def table(self, l1, l2, l, dtype):
        C = clebsch_gordan(l1, l2, l, "complex", np.float32 if np.dtype(dtype) == np.complex64 else np.float64)
        return self.gauge.cg_from_native(l1, l2, l, C).astype(C.dtype)

    def rotation(self, op, q):
        rotation = self.gauge.rotation_to_native(self.gauge.rotation_from_quaternion(q.astype(np.float64)))
        D = self.gauge.D_from_native(op.l, wigner_D(op.l, rotation, "complex"))
        return D if D.dtype.kind == "f" else D.astype(np.complex64 if q.dtype == np.float32 else np.complex128)

    def part(self, op, p, name, x):
        """Parts of (2l+1, channels) also where the gauge stores (channels, 2l+1)."""
        found = super().part(op, p, name, x)
        if name == "w" or self.gauge.layout == "ir_mul":
            return found
        flat = super().part(op, p, name, x)
        rows, dim, *channels = flat.shape
        return np.moveaxis(flat.reshape(rows, *channels, dim), -1, 1)

    def complex(self, x):
        return x if self.gauge.storage == "complex" or x.dtype.kind == "i" else x[..., 0] + 1j * x[..., 1]

    def stored(self, z):
        return z if self.gauge.storage == "complex" or z.dtype.kind != "c" else np.stack([z.real, z.imag], -1)

    def arrays(self, inputs):
        return {k: x if k == "quaternion" else self.complex(x) for k, x in inputs.items()}

    def forward(self, op, inputs):
        found = super().forward(op, self.arrays(inputs))
        return self.stored(np.asarray(found))

    def conj(self, x):
        return np.conj(x) if self.gauge.conjugate_gradient else x

    def vjp(self, op, inputs, cotangent):
        found = super().vjp(op, self.arrays(inputs), self.conj(self.complex(cotangent)))
        return {name: self.stored(self.conj(x)) for name, x in found.items()}

    def double_vjp(self, op, inputs, cotangent, tangents):
        dots = {name: self.conj(self.complex(x)) for name, x in tangents.items()}
        found = super().double_vjp(op, self.arrays(inputs), self.conj(self.complex(cotangent)), dots)
        return {name: self.stored(x if name == "cotangent" else self.conj(x)) for name, x in found.items()}


@pytest.mark.parametrize("convention", GAUGES)
def test_correct_kernels_of_complex_gauges_pass(convention):
    checks = ("table", "impulse", "random", "determinism", "untouched")
    if conventions.get(convention).layout == "mul_ir":
        checks = ("table", "determinism")  # the model kernel adds into parts in place
    report = run(Complex(convention), checks=checks, products=2)
    assert report.failures == [] and report.count("pass") > (20 if "random" in checks else 15)


def test_every_check_applies_to_the_native_complex_gauge_in_both_precisions():
    report = run(Complex("nbody_ref-complex", dtypes=("float64", "float32")), products=1)
    assert report.failures == [] and report.count("pass") > 400
    assert {"sizes", "graph", "coincidence", "integers", "large", "strides"} <= {o.check for o in report.outcomes}


def test_what_is_wrong_in_a_complex_gauge_is_caught():
    class Conjugated(Complex):
        def vjp(self, op, inputs, cotangent):
            return {name: np.conj(x) for name, x in super().vjp(op, inputs, cotangent).items()}

    class Passive(Complex):
        def rotation(self, op, q):
            return np.conj(super().rotation(op, q)).transpose(0, 2, 1)

    class Real(Complex):
        def table(self, l1, l2, l, dtype):
            return clebsch_gordan(l1, l2, l, "real", np.float64)

    report = run(Conjugated("nbody_ref-complex"), ("product",), checks=("random",), products=1)
    assert {o.order for o in report.failures} == {1} and "(imaginary)" in report.failures[0].text
    report = run(Passive("nbody_ref-complex"), products=1, checks=("table",))
    assert {o.operation for o in report.failures} == {"rotation"}
    assert run(Real("nbody_ref-complex"), ("coupling",)).failures


def test_complex_terms_are_complex_products():
    op = Product.full("1x1o", "1x1o", "uvuv", basis="complex")
    rng = np.random.default_rng(0)
    inputs = {"x1": rng.standard_normal((1, 6)), "x2": rng.standard_normal((1, 6))}
    a, b = (inputs[k][0, ::2] + 1j * inputs[k][0, 1::2] for k in ("x1", "x2"))
    found = np.zeros(18)
    for terms in complexified(only_terms(op, inputs)):
        found += [sum(float(Q) * float(r) ** 0.5 for r, Q in e.items()) for e in evaluate_exactly(terms, inputs)]
    expected = np.concatenate([np.einsum("ijk,i,j->k", clebsch_gordan(1, 1, l, "complex"), a, b) for l in range(3)])
    assert np.allclose(found[::2] + 1j * found[1::2], expected, rtol=0, atol=1e-14)
    assert len(only_terms(op, inputs).table) > 1


@pytest.mark.parametrize("convention", GAUGES)
def test_translation_there_and_back_is_exact(convention):
    gauge, rng = conventions.get(convention), np.random.default_rng(1)
    op = next(product_cases(Product.convolution("2x0e + 1x1o", 1, basis="complex"), "float64", (0,))).op
    for name, width in (("x1", 5), ("w", op.n_weights), ("out", op.irreps_out.dim)):
        x = rng.standard_normal((3, 2 * width))
        there = complex_from_native(gauge, op.layout(name), name, x, "float64")
        assert np.array_equal(_back(gauge, op, name, there), x)
    with pytest.raises(TypeError, match="expected dtype"):
        complex_to_native(gauge, op.layout("out"), "out", np.zeros((3, op.irreps_out.dim)), "float64")
    assert Rotation(1, "complex").shape({"quaternion": np.zeros((2, 4))}) == (2, 3, 6)


def _back(gauge, op, name, there):
    """A result named like an input is its gradient; undo the conjugation that gradients get."""
    found = complex_to_native(gauge, op.layout(name), name, there, "float64")
    if name != "out" and gauge.conjugate_gradient:
        found = found * np.tile([1, -1], found.shape[-1] // 2)
    return found
