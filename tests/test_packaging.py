"""What is in the wheel and in the sdist. Builds both from a copy of the source tree, without network."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LITTER = shutil.ignore_patterns(
    ".git",
    ".tox",
    ".*_cache",
    ".hypothesis",
    "__pycache__",
    "build",
    "dist",
    "*.egg-info",
    "_build",
    "*.nb[ic]",
    ".venv",
)
pytestmark = pytest.mark.package


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Folder with the source copy, the wheel and the sdist, made by the build backend that pyproject.toml names."""
    folder = tmp_path_factory.mktemp("package")
    shutil.copytree(ROOT, folder / "source", ignore=LITTER)
    stale = folder / "source" / "build" / "lib" / "nbody_ref" / "deleted_long_ago.py"
    stale.parent.mkdir(parents=True)
    stale.write_text("")
    code = f"import setuptools.build_meta as b; b.build_sdist({str(folder)!r}); b.build_wheel({str(folder)!r})"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=folder / "source", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(built):
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def sdist(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def files(folder):
    """Files of the source below a folder, relative to the root."""
    found = (path.relative_to(ROOT) for path in sorted((ROOT / folder).rglob("*")) if path.is_file())
    made = ("docs", "api")  # pages that the build of the site writes
    kept = (path for path in found if path.parts[:2] != made)
    return {str(path) for path in kept if not any(LITTER(None, [part]) for part in path.parts)}


def test_wheel_installs_nbody_ref_and_nothing_else(wheel):
    tops = {name.split("/")[0] for name in wheel}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"nbody_ref"}


def test_wheel_holds_every_module_its_types_and_its_data(wheel):
    wanted = {name for name in files("nbody_ref") if name.endswith((".py", "py.typed")) or "/data/" in name}
    assert "nbody_ref/py.typed" in wanted
    assert wanted <= set(wheel), sorted(wanted - set(wheel))


def test_wheel_offers_the_command(wheel):
    (points,) = (text for name, text in wheel.items() if name.endswith("entry_points.txt"))
    assert b"nbody-ref = nbody_ref.cli:main" in points


def test_sdist_holds_evidence_documentation_and_tests(sdist):
    for folder in ("nbody_ref", "validation", "docs", "tests", "benchmarks"):
        missing = files(folder) - sdist
        assert not missing, sorted(missing)
    assert {"README.md", "LICENSE", "setup.cfg", "tox.ini", "pyproject.toml"} <= sdist
    assert any(name.startswith("validation/") for name in sdist)


def test_installed_wheel_works_outside_the_source(built, tmp_path):
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    code = "import nbody_ref; print(nbody_ref.__file__); print(nbody_ref.clebsch_gordan(1, 1, 0).shape)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == [str(tmp_path / "nbody_ref" / "__init__.py"), "(3, 3, 1)"], done.stderr


def test_modules_of_an_older_checkout_are_not_packed(wheel):
    assert "nbody_ref/doctor.py" in wheel and not [name for name in wheel if "deleted_long_ago" in name]
