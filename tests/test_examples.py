"""Every public function and class of the rooms that readers use has an example, and what has none is counted."""

import doctest
from importlib import import_module
from inspect import getdoc
from pkgutil import walk_packages
from sys import modules

import pytest

import nbody_ref.ops
from nbody_ref.ops._op import REGISTRY, CheckedOp, load_ops

RADIAL = {
    "Bessel",
    "ExponentialCosine",
    "InversePowers",
    "Radial",
    "RadialFunction",
    "radial_from_dict",
}  # gates show them
WITHOUT = RADIAL | {
    "Check",
    "WrongDataError",
    "edge_fusion_arrays",
    "write_report",
}  # shown by `check`; need files or tables
ROOMS = ("gates", "network", "models", "fit", "fusion")


def _without(package, names):
    things = ((name, getattr(package, name)) for name in names)
    ours = [(name, thing) for name, thing in things if callable(thing) and thing.__module__.startswith("nbody_ref")]
    assert ours
    return [name for name, thing in ours if ">>>" not in (getdoc(thing) or "") and name not in WITHOUT]


@pytest.mark.parametrize("room", ROOMS)
def test_every_name_of_a_room_has_an_example(room):
    package = import_module(f"nbody_ref.{room}")
    assert not _without(package, package.__all__)


def test_every_name_of_the_ops_has_an_example():
    found = [info.name for info in walk_packages(nbody_ref.ops.__path__, "nbody_ref.ops.") if "._" not in info.name]
    assert not [
        f"{name}.{miss}" for name in found for miss in _without(import_module(name), import_module(name).__all__)
    ]


load_ops()
CHECKED = sorted(name for name, op in REGISTRY.items() if isinstance(op, CheckedOp))


@pytest.mark.parametrize("name", CHECKED)
def test_examples_of_derivatives_print_what_they_say(name):
    op = REGISTRY[name]
    runner = doctest.DocTestRunner(verbose=False)
    for function in op.derivatives():
        space = vars(modules[function.__module__])
        test = doctest.DocTestParser().get_doctest(function.__doc__, dict(space), function.__name__, None, None)
        assert test.examples and runner.run(test).failed == 0


def test_a_missing_example_is_seen():
    def bare():
        """No example."""

    bare.__module__ = "nbody_ref"
    assert _without(type("package", (), {"bare": bare, "Irreps": nbody_ref.Irreps}), ["bare", "Irreps"]) == ["bare"]
