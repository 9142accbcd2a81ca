"""One line in a user's own tests: right functions pass, wrong ones are named, what cannot be known is asked."""

import json
from pathlib import Path

import numpy as np
import pytest

import nbody_ref
from nbody_ref import cli, conventions
from nbody_ref.conformance import Backend, Product, check
from nbody_ref.conformance.doors.equivariance import equivariance
from nbody_ref.ops import harmonics as loops
from nbody_ref.tables import clebsch_gordan

R = np.random.default_rng(0).normal(size=(6, 3))
SCHEMA = Path(nbody_ref.__file__).parent / "conformance" / "check.schema.json"


def test_right_harmonics_are_recognised_in_any_gauge_and_norm():
    gauge = conventions.get("e3nn>=0.5")

    def foreign(r):
        Y = loops.spherical(np.ascontiguousarray(gauge.positions_to_native(r)), 2, "component")
        return gauge.harmonics_from_native(Y, gauge.normalization)

    for function, words in (
        (lambda r: nbody_ref.solid_harmonics(3, r), "solid (gauge nbody_ref)"),
        (foreign, "e3nn>=0.5"),
    ):
        found = check(function, R, order=0)
        assert found.ok and found and words in found.text and not found.failures


def test_a_wrong_sign_and_a_lost_tail_are_named():
    def sign(r):
        Y = np.array(nbody_ref.spherical_harmonics(2, r))
        Y[:, 5] *= -1
        return Y

    def tail(r):
        Y = np.array(nbody_ref.spherical_harmonics(1, r))
        Y[len(r) // 32 * 32 :] *= len(r) <= 32
        return Y

    found = check(sign, (R,), order=0)
    assert not found.ok and "l=2 m=-1 has the opposite sign" in found.text
    assert "[33 rows]" in check(tail, {"r": R}, order=0).text


class Cross:
    """A product of vectors; wrong gradient in the second one if asked for."""

    C = clebsch_gordan(1, 1, 1)

    def __init__(self, sign=1):
        self.sign, self.__name__ = sign, "cross"

    def __call__(self, a, b):
        return np.einsum("ni,nj,ijk->nk", a, b, self.C.astype(a.dtype))

    def vjp(self, op, inputs, g):
        C, a, b = self.C.astype(g.dtype), inputs["x1"], inputs["x2"]
        b_bar = self.sign * np.einsum("nk,ni,ijk->nj", g, a, C)
        return {"x1": np.einsum("nk,nj,ijk->ni", g, b, C), "x2": b_bar}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_gradients_of_a_product_are_judged_on_the_users_own_inputs(dtype):
    x = (R.astype(dtype), R[::-1].astype(dtype))
    right, wrong = check(Cross(), x, order=1), check(Cross(-1), x, order=1)
    assert right.ok and "1x1o" in right.text and "second gradient" not in right.text
    assert not wrong.ok and "in the gradient in x2, everything has the opposite sign" in wrong.text
    assert {o.result for o in wrong.failures} == {"x2"}


def test_what_has_no_gradient_says_so():
    found = check(lambda a, b: Cross()(a, b), (R, R[::-1].copy()), irreps=("1o", "1o", "1e"))
    assert found.ok and "not judged: gradient, second gradient" in found.text


def test_an_operation_may_be_given():
    op = Product.full("1x1o", "1x1o", "uvuv")

    def product(op, inputs):
        parts = [np.einsum("ni,nj,ijk->nk", inputs["x1"], inputs["x2"], clebsch_gordan(1, 1, l)) for l in range(3)]
        return np.concatenate(parts, axis=1)

    assert check(product, {"x1": R, "x2": R[::-1].copy()}, order=0, op=op).ok
    assert "op=..." in check(product, {"x1": R, "x2": R}).question


def test_what_cannot_be_known_is_asked_and_what_breaks_is_told():
    asked = check(lambda a, b, c: a, (R, R[:, :2], R))
    assert not asked.ok and "irreps=" in asked.question and asked.outcomes == ()
    assert not check(lambda r: r, np.arange(3)).ok
    broken = check(lambda r: 1 / 0, R)
    assert not broken.ok and "ZeroDivisionError" in broken.text


def test_json_obeys_its_schema_and_markdown_is_a_table():
    schema = json.loads(SCHEMA.read_text())
    for found in (check(Cross(-1), (R, R[::-1].copy()), order=1), check(lambda r: r[:, :1], R)):
        text = json.loads(found.to_json())
        assert set(text) == set(schema["required"]) and text["ok"] is False and text["version"] == 1
        row = set(schema["properties"]["outcomes"]["items"]["required"])
        assert all(set(outcome) == row for outcome in text["outcomes"])
    assert "| inputs | gradient | x2 |" in check(Cross(-1), (R, R[::-1].copy()), order=1).markdown()
    assert isinstance(Backend(), Backend)


# -- equivariance


def pairs(r):
    d = r[:, None] - r[None]
    return (d * np.exp(-(d**2).sum(-1, keepdims=True))).sum(1)


MISTAKES = {
    "not rotated": (lambda r, v: r * v[:, :1], {}, "'v' takes part as plain numbers"),
    "axes of the result": (lambda r: r[:, [1, 2, 0]], {}, "axes of the result are in the order y, z, x"),
    "fixed direction": (lambda r: np.cross(r, np.array([0.0, 0, 1])), {}, "it turns about z only"),
    "pseudovector": (lambda a, b: np.cross(a, b), {"out": "vectors"}, "not under inversion"),
    "reflection": (pairs, {"rotation": np.diag([1.0, 1, -1])}, "R is no rotation: its determinant is -1"),
    "no rotation": (pairs, {"rotation": np.diag([1.0, 1, 1.1])}, "R is no rotation: R R^T differs"),
    "type of the result": (lambda r: np.linalg.norm(r, axis=1)[:, None] * np.ones(3), {}, "scalars"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_of_learners_are_named(name):
    function, more, words = MISTAKES[name]
    found = equivariance(function, **more)
    assert not found.ok and words in found.text, found.text


def test_equivariant_functions_pass():
    assert equivariance(pairs) and equivariance(lambda r: (pairs(r) ** 2).sum())
    assert equivariance(lambda a, b: np.cross(a, b), out="pseudovectors")
    assert equivariance(lambda r: nbody_ref.spherical_harmonics(2, r), out="1x0e + 1x1o + 1x2e")


def test_the_command_loads_a_function(tmp_path, monkeypatch, capsys):
    (tmp_path / "learner.py").write_text("def f(r):\n    return r[:, [2, 0, 1]]\n\ndef g(r):\n    return 2 * r\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert cli.main(["equivariance", "learner:f"]) == 1 and cli.main(["equivariance", "learner:g"]) == 0
    assert "order z, x, y" in capsys.readouterr().out
