"""The chain rule on Python integers: every identity holds with ==."""

import dataclasses

import numpy as np
import pytest

from nbody_ref.gates.chain import Chain, Entry, Op, Step


def _f(a, b, scale):
    return scale * a * b


def _jvp(a, b, a_dot, b_dot, scale):
    parts = (None if a_dot is None else a_dot * b, None if b_dot is None else a * b_dot)
    terms = [scale * x for x in parts if x is not None]
    return sum(terms) if terms else None


def _vjp(y_bar, a, b, scale, needs=(True, True)):
    return (scale * y_bar * b if needs[0] else None, scale * y_bar * a if needs[1] else None)


def _vjp_jvp(y_bar, a, b, y_bar_dot, a_dot, b_dot, scale, needs=(True, True)):
    zero = np.zeros_like(y_bar)
    y_bar_dot, a_dot, b_dot = (zero if x is None else x for x in (y_bar_dot, a_dot, b_dot))
    return (
        scale * (y_bar_dot * b + y_bar * b_dot) if needs[0] else None,
        scale * (y_bar_dot * a + y_bar * a_dot) if needs[1] else None,
    )


MULTIPLY = Op("multiply", _f, _jvp, _vjp, _vjp_jvp)
# z = 3 x (2 x y) (2 y y): x is read twice, y three times
PROGRAM = Chain(
    (
        Step(MULTIPLY, ("x", "y"), "xy", (Entry("two"),)),
        Step(MULTIPLY, ("y", "y"), "yy", (Entry("two"),)),
        Step(MULTIPLY, ("xy", "yy"), "xyyy", (1,)),
        Step(MULTIPLY, ("x", "xyyy"), "z", (3,)),
    )
)
BATCH = {"two": 2}


def integers(seed):
    rng = np.random.default_rng(seed)
    return np.array([int(i) for i in rng.integers(-9, 10, 6)], dtype=object)


def run(program):
    values = program.forward({"x": integers(0), "y": integers(1)}, BATCH)
    tangents = program.jvp(values, BATCH, {"x": integers(2), "y": integers(3)})
    bars = program.vjp(values, BATCH, {"z": integers(4)}, ("x", "y"))
    return values, tangents, bars


def test_forward_is_the_polynomial():
    values, _, _ = run(PROGRAM)
    assert np.all(values["z"] == 12 * values["x"] ** 2 * values["y"] ** 3)


def test_vjp_is_exact_adjoint_of_jvp():
    _, tangents, bars = run(PROGRAM)
    assert np.sum(bars["z"] * tangents["z"]) == np.sum(bars["x"] * tangents["x"]) + np.sum(bars["y"] * tangents["y"])


def test_vjp_jvp_is_the_symmetric_second_derivative():
    values, _, bars = run(PROGRAM)
    u, v = ({"x": integers(s), "y": integers(s + 1)} for s in (10, 20))
    forms = []
    for one, other in ((u, v), (v, u)):
        tangents = PROGRAM.jvp(values, BATCH, one)
        bars_dot = PROGRAM.vjp_jvp(values, BATCH, tangents, bars, ("x", "y"))
        forms.append(sum(np.sum(bars_dot[name] * other[name]) for name in ("x", "y")))
    x, y, g = values["x"], values["y"], bars["z"]
    mixed = u["x"] * v["y"] + u["y"] * v["x"]
    expected = np.sum(g * (24 * y**3 * u["x"] * v["x"] + 72 * x * y**2 * mixed + 72 * x**2 * y * u["y"] * v["y"]))
    assert forms[0] == forms[1] == expected


def test_a_seed_that_is_absent_is_zero():
    """Only its tangent is given, so that nothing but that goes back."""
    values, tangents, _ = run(PROGRAM)
    seed = {"z": integers(5)}
    turned, bars = (
        PROGRAM.vjp_jvp(values, BATCH, tangents, {}, ("x", "y"), seed),
        PROGRAM.vjp(values, BATCH, seed, ("x", "y")),
    )
    assert all(np.array_equal(turned[name], bars[name]) for name in ("x", "y"))


def test_a_share_counted_twice_is_caught():
    def wrong(y_bar, a, b, scale, needs=(True, True)):
        a_bar, b_bar = _vjp(y_bar, a, b, scale, needs)
        return a_bar, None if b_bar is None else 2 * b_bar

    planted = Chain(tuple(dataclasses.replace(s, op=MULTIPLY.with_functions(vjp=wrong)) for s in PROGRAM.steps))
    _, tangents, bars = run(planted)
    assert np.sum(bars["z"] * tangents["z"]) != np.sum(bars["x"] * tangents["x"]) + np.sum(bars["y"] * tangents["y"])


def test_work_that_nobody_asked_for_is_skipped():
    values = PROGRAM.forward({"x": integers(0), "y": integers(1)}, BATCH)
    bars = PROGRAM.vjp(values, BATCH, {"z": integers(4)}, ("x",))
    assert "y" not in bars and "yy" not in bars


def test_upto_keeps_only_what_the_target_needs():
    assert [step.output for step in PROGRAM.upto(("yy",)).steps] == ["yy"]


def test_a_missing_batch_entry_is_named():
    with pytest.raises(KeyError, match="two"):
        PROGRAM.forward({"x": integers(0), "y": integers(1)}, {})
