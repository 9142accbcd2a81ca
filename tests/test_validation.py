"""The frame of the evidence: a claim holds only if nothing fails and every planted error is caught."""

import importlib.util
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "validation"
NAMES = sorted({path.stem.removeprefix("check_") for path in FOLDER.glob("check_*.py")} - {"peers", "peers_accuracy"})
SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
from _claims import claim, main

def seven():
    return 7

@claim("1.1", "here", "seven is seven", "arithmetic", {{"f": {subject}}}, {{"eight": {{"f": {planted}}}}}, {bound!r})
def check(subject, full):
    yield "only case", {residual}

sys.exit(main())
"""


def run(tmp_path, subject="seven", planted="lambda: 8", residual="subject.f() - 7", bound="0"):
    """Status and record of a script with one claim."""
    script, record = tmp_path / "check_it.py", tmp_path / "record.json"
    text = SCRIPT.format(folder=str(FOLDER), subject=subject, planted=planted, residual=residual, bound=bound)
    script.write_text(text)
    command = [sys.executable, str(script), "--json", str(record)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(record.read_text())[0]


def test_a_true_claim_whose_planted_error_is_caught_holds(tmp_path):
    status, record = run(tmp_path)
    assert status == 0
    assert record["holds"] and record["planted"] == {"eight": "caught"} and record["cases"] == 1


def test_a_false_claim_fails(tmp_path):
    status, record = run(tmp_path, subject="lambda: 6")
    assert status == 1
    assert not record["holds"]


def test_a_check_that_misses_its_planted_error_fails(tmp_path):
    status, record = run(tmp_path, planted="seven")
    assert status == 1
    assert record["planted"] == {"eight": "missed"}


@pytest.mark.parametrize("residual", ["2.0", "float('nan')"])
def test_a_residual_beyond_its_bound_fails_and_nan_too(tmp_path, residual):
    assert run(tmp_path, residual=residual, bound="u")[0] == 1


def test_an_exact_claim_admits_no_small_residual(tmp_path):
    assert run(tmp_path, residual="1e-300")[0] == 1


CAMPAIGN = ["--quick", "--only", "errata", "--only", "proposition_1"]
CLUSTER = """
import os, signal, subprocess, sys, time
from distributed import Client, LocalCluster

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        command = [sys.executable, *sys.argv[1:], "--executor", "dask:" + cluster.scheduler_address]
        campaign = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        with Client(cluster) as client:
            at_work = []
            while not at_work and campaign.poll() is None:
                time.sleep(0.05)
                at_work = [address for address, tasks in client.processing().items() if tasks]
            pid = client.run(os.getpid, workers=at_work[:1])[at_work[0]]
            os.kill(pid, signal.SIGKILL)
            status = campaign.wait(timeout=300)
            sys.exit(status or pid in client.run(os.getpid).values())
"""


def campaign(folder, *before, executor=()):
    """Bytes of the records of a small campaign."""
    command = [sys.executable, *before, str(FOLDER / "run.py"), *CAMPAIGN, "--save", str(folder), *executor]
    subprocess.run(command, check=True, capture_output=True)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_campaign_gives_the_same_bits_serially_and_in_processes(tmp_path):
    serial = campaign(tmp_path / "serial", executor=("--executor", "serial"))
    assert len(serial) == 2
    assert campaign(tmp_path / "processes") == serial


@pytest.mark.parametrize("name", NAMES)
def test_every_planted_error_is_caught(name):
    command = [sys.executable, str(FOLDER / f"check_{name}.py"), "--planted"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "planted: " in done.stdout


def test_any_executor_serves():
    spec = importlib.util.spec_from_file_location("run_evidence", FOLDER / "run.py")
    run_evidence = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(run_evidence)
    with ThreadPoolExecutor(1) as pool:
        found, failed = run_evidence.campaign(["proposition_1"], True, pool)
    assert failed == [] and [record["holds"] for record in found["proposition_1"]] == [True] * 4


def test_a_campaign_survives_the_death_of_a_dask_worker(tmp_path):
    if importlib.util.find_spec("distributed") is None:
        pytest.skip("needs dask.distributed")
    script = tmp_path / "cluster.py"
    script.write_text(CLUSTER)
    assert campaign(tmp_path / "dask", str(script)) == campaign(tmp_path / "serial", executor=("--executor", "serial"))


def test_every_script_has_committed_results():
    names = {path.stem.removeprefix("check_") for path in FOLDER.glob("check_*.py")}
    assert names == {path.stem for path in (FOLDER / "results").glob("*.json")}
    claims = (FOLDER / "CLAIMS.md").read_text()
    for name in names:
        records = json.loads((FOLDER / "results" / f"{name}.json").read_text())
        assert records
        assert all(record["holds"] and set(record["planted"].values()) == {"caught"} for record in records)
        assert all(f"| {record['number']} | " in claims for record in records)
