"""Expected failures: they silence what they name, and are failures themselves when they no longer hold."""

from datetime import date

import pytest

from nbody_ref import cli
from nbody_ref.conformance.doors.report import table, to_dict, verdict
from nbody_ref.conformance.judge.expectations import Expectation, expect, read_expectations
from nbody_ref.conformance.judge.outcome import Outcome, Report
from nbody_ref.errors import DataError

TODAY = date(2026, 6, 1)
LATER = date(2027, 1, 1)


def report(*statuses, selection=""):
    found = Report("b", "nbody_ref", selection=selection)
    found.outcomes = [Outcome("random", "product", "float32", k, "w", status) for k, status in enumerate(statuses)]
    return found


def one(pattern="product/float32/1/random/w", expires=LATER):
    return (Expectation(pattern, "sums in bfloat16", expires, 3),)


def test_an_expected_failure_does_not_fail_the_run_and_is_not_called_conformant():
    found = report("pass", "fail")
    expect(found, one(), TODAY)
    assert found.exit_code == 0 and found.count("xfail") == 1
    assert "but for expected failures" in verdict(found) and "sums in bfloat16" in found.outcomes[1].text
    assert to_dict(found)["counts"]["xfail"] == 1


def test_broken_calls_may_be_expected_too_and_other_failures_still_count():
    found = report("error", "fail")
    expect(found, one("product/*/0/*/w"), TODAY)
    assert found.exit_code == 1 and found.outcomes[0].status == "xfail" and len(found.failures) == 1


@pytest.mark.parametrize(
    ("statuses", "expectation", "words"),
    [
        (("pass", "fail"), one(expires=date(2026, 5, 31)), "expired on 2026-05-31"),
        (("pass", "pass"), one(), "passes; take the line out"),
        (("pass", "fail"), one("solid/float32/1/random/r"), "names nothing that ran"),
        (("pass", "skip"), one(), "names nothing that ran"),
    ],
)
def test_expectations_that_do_not_hold_are_failures(statuses, expectation, words):
    found = report(*statuses)
    expect(found, expectation, TODAY)
    assert found.exit_code == 1 and words in found.failures[-1].text and "line 3" in found.failures[-1].text
    assert words in table(found)


def test_on_its_last_day_an_expectation_holds_and_a_selection_may_miss_it():
    found = report("pass", "fail")
    expect(found, one(expires=TODAY), TODAY)
    assert found.exit_code == 0
    chosen = report("pass", selection="--op product")
    expect(chosen, one(), TODAY)
    assert chosen.exit_code == 0 and "CONFORMANT" not in verdict(chosen)


def test_files_of_expectations(tmp_path):
    path = tmp_path / "expected.txt"
    path.write_text("# known\n\nproduct/float32/1/*/w | sums in bfloat16 | 2027-01-01\n")
    (found,) = read_expectations(path)
    assert (found.pattern, found.reason, found.expires, found.line) == (
        "product/float32/1/*/w",
        "sums in bfloat16",
        LATER,
        3,
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("product/float32/1/random/w | a reason", "line 1: expected"),
        ("product/float32/1/random/w |  | 2027-01-01", "line 1: expected"),
        ("product/float32/random | a long reason | 2027-01-01", "line 1: expected"),
        ("product/float32/1/random/w | a long reason | soon", "no date"),
        ("product/float32/1/random/w | a long reason | 2027-02-30", "no date"),
        (b"\xff\xfe\x00", "cannot read"),
    ],
)
def test_lines_without_reason_or_expiry_are_refused(tmp_path, text, words):
    path = tmp_path / "expected.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=words):
        read_expectations(path)
    with pytest.raises(DataError, match="cannot read"):
        read_expectations(tmp_path)


def test_the_command_takes_a_file(tmp_path, monkeypatch, capsys):
    (tmp_path / "expecting.py").write_text(
        "from nbody_ref.conformance import Capabilities\nfrom nbody_ref.conformance.planted.mutants import mutant\n"
        "def bad():\n    kernel = mutant('coefficient typo').kernel()\n"
        "    kernel.capabilities = Capabilities(operations=('coupling',), dtypes=('float64',), lmax=2)\n"
        "    return kernel\n"
    )
    (tmp_path / "expected").write_text("coupling/float64/0/table/out | a typo in (1, 1, 2), to be cured | 2999-01-01\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    run = ["conform", "run", "--backend", "expecting:bad"]
    assert cli.main(run) == 1
    assert cli.main([*run, "--expect", "expected"]) == 0
    assert "1 xfail" in capsys.readouterr().out
    assert cli.main([*run, "--expect", "nothing"]) == 1 and "cannot read" in capsys.readouterr().err
