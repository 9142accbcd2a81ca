"""The suite by pytest, in a process of its own."""

import os
import subprocess
import sys

import nbody_ref

ROOT = os.path.dirname(os.path.dirname(nbody_ref.__file__))
MINE = """
import numpy as np
from nbody_ref.conformance import Capabilities
from nbody_ref.conformance.planted.model import Model
from nbody_ref.conformance.planted.mutants import mutant
class Good(Model):
    capabilities = Capabilities(operations=("coupling", "rotation"), dtypes=("float64",), lmax=2)
def bad():
    kernel = mutant("coefficient typo").kernel()
    kernel.capabilities = Good.capabilities
    return kernel
"""


def installed():
    from importlib.metadata import entry_points

    return any(point.value == "nbody_ref.conformance.doors.plugin" for point in entry_points(group="pytest11"))


PLUGIN = [] if installed() else ["-p", "nbody_ref.conformance.doors.plugin"]


def pytest_run(folder, *arguments, where="nbody_ref.conformance.pytest_suite"):
    (folder / "mine.py").write_text(MINE)
    path = os.pathsep.join([ROOT, str(folder)])
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *PLUGIN, "--pyargs", where, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_backends_are_judged_by_pytest(tmp_path):
    good = pytest_run(tmp_path, "--nbody-backend", "mine:Good")
    assert good.returncode == 0 and "2 passed" in good.stdout, good.stdout
    bad = pytest_run(tmp_path, "--nbody-backend", "mine:bad")
    assert bad.returncode == 1 and "1 failed, 1 passed" in bad.stdout and "NOT CONFORMANT" in bad.stdout, bad.stdout


def test_the_name_of_the_package_is_enough(tmp_path):
    good = pytest_run(tmp_path, "--nbody-backend", "mine:Good", where="nbody_ref.conformance")
    assert good.returncode == 0 and "2 passed" in good.stdout, good.stdout + good.stderr
    nothing = pytest_run(tmp_path, where="nbody_ref.conformance")
    assert nothing.returncode == 5, nothing.stdout  # pytest's word for "no tests ran"


def test_no_backend_is_a_failure(tmp_path):
    found = pytest_run(tmp_path)
    assert found.returncode == 1 and "name a backend" in found.stdout, found.stdout + found.stderr


def test_the_plugin_imports_nothing_heavy():
    code = "import sys, nbody_ref.conformance.doors.plugin; print([m for m in ('numpy', 'numba') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": ROOT}
    )
    assert done.stdout.strip() == "[]"


def test_the_fixture_fails_with_the_answer_of_a_check(tmp_path):
    (tmp_path / "test_mine.py").write_text(
        "import numpy as np, nbody_ref\n"
        "R = np.random.default_rng(0).normal(size=(4, 3))\n"
        "def test_right(conformant):\n"
        "    conformant(lambda r: nbody_ref.solid_harmonics(1, r), R, order=0, seconds=0.1)\n"
        "def test_wrong(conformant):\n"
        "    conformant(lambda r: -nbody_ref.solid_harmonics(1, r), R, order=0, seconds=0.1)\n"
    )
    env = {**os.environ, "PYTHONPATH": ROOT}
    plugins = [*PLUGIN, "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", *plugins]
    found = subprocess.run(
        [*command, str(tmp_path)], capture_output=True, text=True, check=False, env=env, cwd=tmp_path
    )
    assert "1 failed, 1 passed" in found.stdout and "everything has the opposite sign" in found.stdout, found.stdout
