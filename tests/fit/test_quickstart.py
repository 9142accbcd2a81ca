"""The quickstart, with fewer frames and a shorter dynamics."""

from dataclasses import replace

import pytest

from nbody_ref.fit import load, quickstart


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(quickstart, "TRAIN", 12)
    monkeypatch.setattr(quickstart, "TEST", 5)
    monkeypatch.setattr(quickstart, "EXACT_LMAX", 1)
    true_nve = quickstart.nve
    monkeypatch.setattr(quickstart, "nve", lambda *a, **k: true_nve(*a, **{**k, "femtoseconds": 5.0}))


def test_quickstart_verifies_fits_moves_and_writes(short, tmp_path):
    lines = []
    assert quickstart.quickstart(tmp_path, lines.append)
    text = "\n".join(lines)
    for words in ("checks passed", "compiled", "predict the mean", "relaxed in", "drift", "report.html"):
        assert words in text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["potential.safetensors", "relaxed.xyz", "report.html"]
    potential = load(tmp_path / "potential.safetensors")
    assert len(potential.metadata["quickstart_split"]["train"]) == 12
    assert "Dynamics at constant energy" in (tmp_path / "report.html").read_text()


def test_quickstart_reports_a_failed_check(short, tmp_path, monkeypatch):
    from nbody_ref.exact import checks

    true_run = checks.run

    def broken(**options):
        results = true_run(**options)
        return [replace(results[0], failures=("planted",)), *results[1:]]

    monkeypatch.setattr(checks, "run", broken)
    lines = []
    assert not quickstart.quickstart(tmp_path, lines.append)
    assert any("FAILED" in line for line in lines)
