"""The examination of an installation names what is wrong and what to do, and does not break on a broken one."""

import builtins
import os

import pytest

from nbody_ref import doctor
from nbody_ref.cli import main


def test_every_line_is_ok_or_says_what_to_do(capsys):
    status = main(["doctor"])
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith(("OK    ", "LOOK  ", "      -> ")) for line in lines) and len(lines) >= 9
    assert status == (1 if any(line.startswith("LOOK") for line in lines) else 0)


def found(look):
    return [(finding.ok, str(finding)) for finding in look()]


def test_an_old_and_a_missing_package_are_named(monkeypatch):
    def version(name):
        if name == "ase":
            raise doctor.PackageNotFoundError(name)
        return "1.2.3" if name == "numpy" else "99.0"

    monkeypatch.setattr(doctor, "version", version)
    named = dict(zip(doctor.LEAST, found(doctor._versions)))
    assert [name for name, (ok, _) in named.items() if not ok] == ["numpy", "ase"]
    assert "pip install -U 'numpy>=1.26'" in named["numpy"][1] and "pip install 'ase>=" in named["ase"][1]


def test_a_cache_that_cannot_be_written_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert found(doctor._cache)[0][0]
    (tmp_path / "kernel.nbi").write_bytes(b"")
    assert "remove that folder" in found(doctor._cache)[0][1]
    monkeypatch.setattr(os, "access", lambda *arguments: False)
    assert (
        found(doctor._cache) == [(False, found(doctor._cache)[0][1])]
        and "NUMBA_CACHE_DIR" in found(doctor._cache)[0][1]
    )


def test_a_numba_that_refuses_this_numpy_is_quoted(monkeypatch):
    def refuse(name, *arguments):
        raise ImportError("Numba needs NumPy 2.4 or less. Got NumPy 2.9.")

    monkeypatch.setattr(doctor, "import_module", refuse)
    ((ok, line),) = found(doctor._numba)
    assert not ok and "Numba needs NumPy 2.4 or less" in line and "pip install 'numpy" in line


def test_more_threads_than_processors_are_said(monkeypatch):
    from nbody_ref.kernels import _threads

    monkeypatch.setattr(_threads, "n_threads", lambda: 10**6)
    assert not found(doctor._threads)[0][0]


def test_a_look_that_fails_is_a_finding(monkeypatch):
    monkeypatch.setattr(builtins, "open", lambda *a, **k: (_ for _ in ()).throw(RuntimeError("planted")))
    assert any("RuntimeError: planted" in str(finding) and not finding.ok for finding in doctor.examine())


@pytest.mark.parametrize("kind", doctor.SHARE_OF_BLAS)
def test_a_slow_kernel_is_said(monkeypatch, kind):
    seconds = iter([1.0, 0.001] * 100)
    monkeypatch.setattr(doctor, "_seconds", lambda call: next(seconds))
    monkeypatch.setattr(doctor, "_vectors", lambda: kind)
    monkeypatch.setattr(doctor.Path, "rglob", lambda self, pattern: iter([self]))
    ((ok, line),) = found(doctor._speed)
    assert not ok and "is other work running" in line
