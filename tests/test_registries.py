"""Every registry of the package holds the same whatever was imported before it was read."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import nbody_ref

PACKAGE = Path(nbody_ref.__file__).parent
NAMES = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(PACKAGE.rglob("*.py"))
]
RUNNABLE = [name for name in NAMES if not name.endswith(("__main__", "pytest_suite", "plugin"))]
# A module alone, in a child of a process that has loaded nothing but libraries; then all registries.
SCRIPT = """
import importlib, json, os, sys
import numpy, numba, scipy.sparse, scipy.spatial.transform

def registries(name):
    from nbody_ref.ops import REGISTRY as ops
    from nbody_ref.ops.radial import radial_from_dict
    from nbody_ref.ops.radial_families import FAMILIES
    try:
        radial_from_dict({"radial": "none of them"})
    except ValueError as error:
        found = {"families as told": [str(error)], "ops": ops, "families": FAMILIES}
    if name == "nbody_ref.errors" or name.startswith("nbody_ref.conformance"):  # takes longer
        from nbody_ref.conformance.operations.registry import OPERATIONS, REGISTRY
        from nbody_ref.models.registry import MODELS
        found |= {"operations": REGISTRY, "the kit's": OPERATIONS, "models": MODELS}
    return {name: " ".join(sorted(map(str, kinds))) for name, kinds in found.items()}

for name in sys.argv[1:]:
    child = os.fork()
    if not child:
        try:
            EARLY
            importlib.import_module(name)
            print(json.dumps([name, registries(name)]), flush=True)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
"""


def read(names, early="pass"):
    """Registries after importing each module alone."""
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT.replace("EARLY", early), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(line) for line in done.stdout.splitlines())


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="children are forked")
def test_registries_are_the_same_after_importing_any_module_alone():
    """Every module of the ops, some of the kit, and the first of each other room."""
    rooms = {}
    for name in RUNNABLE:
        rooms.setdefault(name.split(".")[1] if "." in name else "", []).append(name)
    alone = {names[0] for names in rooms.values()} | set(rooms["ops"]) | {"nbody_ref.fusion.fuse"}
    alone |= {f"nbody_ref.conformance.operations.{name}" for name in ("operation", "diagrams", "networks")}
    found = read(sorted(alone))
    assert set(found) == alone
    first = found["nbody_ref.errors"]
    assert {name: kinds for name, kinds in found.items() if kinds.items() - first.items()} == {}
    assert len(first["ops"].split()) >= 31 and {"Bessel", "InversePowers"} <= set(first["families"].split())


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="children are forked")
def test_registries_are_the_same_after_importing_every_module():
    """What a module adds that no registry asks for would be seen here."""
    early = "; ".join(f"importlib.import_module({name!r})" for name in RUNNABLE)
    assert read(["nbody_ref.errors"], early) == read(["nbody_ref.errors"])


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="children are forked")
def test_a_registry_that_depends_on_imports_is_seen():
    early = "import nbody_ref.ops._op as o; o.load_ops = lambda: None"
    found = read(["nbody_ref.ops.mixing", "nbody_ref.ops.linear"], early)
    assert found["nbody_ref.ops.mixing"]["ops"] != found["nbody_ref.ops.linear"]["ops"]
