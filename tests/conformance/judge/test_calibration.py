"""The committed calibration of the gate: no false alarm, and the script that made it sees a true one."""

import importlib.util
import json
from pathlib import Path

import pytest

from nbody_ref.conformance.planted.mutants import mutant

FOLDER = Path(__file__).resolve().parents[3] / "benchmarks"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("calibrate_gate", FOLDER / "calibrate_gate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def committed():
    return json.loads((FOLDER / "calibrate_gate.json").read_text())


def test_four_correct_backends_over_ten_seeds_raise_no_alarm(script, committed):
    assert set(committed["backends"]) == {"ours", "einsum", "e3nn", "e3nn-jax"} and committed["seeds"] == 10
    wanted = {f"degree {l}" for l in range(7)}
    wanted |= {f"{kind} terms, fan-in {n}" for n in (1, 10, 100, 1000, 10_000) for kind in script.KINDS}
    wanted |= {f"depth {d}, {what}" for d in (1, 2, 3) for what in ("stage", "chain")}
    for backend in committed["backends"].values():
        assert set(backend["families"]) == wanted
        for row in backend["families"].values():
            assert row["alarms"] == 0 and row["cases"] >= 10
            assert row["rho/gate"][0] <= row["rho/gate"][1] <= row["rho/gate"][2] <= 1


def test_a_constant_gate_on_rho_would_have_been_wrong(committed):
    """Sums of equal terms drift: rho in the thousands from correct kernels, 4 + sqrt(n) / 2 is 54."""
    for backend in committed["backends"].values():
        assert backend["families"]["equal terms, fan-in 10000"]["rho"][2] > 1000


@pytest.mark.parametrize("key", ["ours", "einsum"])
def test_the_committed_figures_are_those_of_the_script(script, committed, key):
    """One seed, a few families: within the committed maxima, which are over ten seeds."""
    backend, families = script.backends()[key], committed["backends"][key]["families"]
    for l in (0, 3, 6):
        for case in script.degree_cases(l, 4):
            rho, ratio = script.ratios(backend, case)
            assert 0 < ratio <= 1 and rho <= 2 * families[f"degree {l}"]["rho"][2]  # libraries may add in another order
    for kind in script.KINDS:
        for case in script.fan_in_cases(1000, kind, 4):
            assert 0 < script.ratios(backend, case)[1] <= 1
    assert {what for what, _, ratio in script.chain(backend, 3, 4) if 0 < ratio <= 1} == {"stage", "chain"}


def test_a_planted_precision_is_an_alarm(script):
    kernel = mutant("tf32").kernel()
    assert max(script.ratios(kernel, case)[1] for case in script.degree_cases(3, 0)) > 1
    assert {what for what, _, ratio in script.chain(kernel, 2, 0) if ratio > 1} == {"stage", "chain"}
