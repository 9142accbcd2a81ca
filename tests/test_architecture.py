"""Imports go one way, the definition needs the standard library only, and importing compiles nothing."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import nbody_ref

PACKAGE = Path(nbody_ref.__file__).parent
TESTS = Path(__file__).parent
ORDER = (
    "errors checks irreps scheme exact kernels certified tables conventions graphs hierarchy ops fusion gates "
    "network files models fit excited after conformance lessons doctor cli"
).split()
STDLIB_ONLY = ("errors", "checks", "irreps", "scheme", "exact")
RUNS_BACK = {("irreps", "nbody_ref.ops.wigner")}  # Irreps.D loads it when called
CIRCLES = {frozenset({"nbody_ref.irreps", "nbody_ref.ops.wigner"})}  # Irreps.D, loaded when called
HEAVY = ("ase", "sympy", "mpmath", "matplotlib", "pyscf", "tblite")
SOURCES = sorted(PACKAGE.rglob("*.py"))


def is_type_checking(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def imports(node, module, types=True):
    """Full names that a syntax tree imports; `types` includes what only type checkers read."""
    for child in ast.iter_child_nodes(node):
        if is_type_checking(child) and not types:
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            base = child.module or ""
            if child.level:
                base = ".".join([*module.split(".")[: -child.level], *filter(None, [base])])
            yield from (f"{base}.{alias.name}" for alias in child.names)
        else:
            yield from imports(child, module, types)


def module_name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts)


def room(name):
    """Which place in ORDER a full name belongs to; None for the package itself, which only re-exports."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ORDER else None


def backward(text, module):
    """Imports of the source `text` of `module` that run from left to right in ORDER."""
    here = room(module)
    return [
        name
        for name in imports(ast.parse(text), module)
        if name.startswith("nbody_ref.")
        and room(name) is not None
        and ORDER.index(room(name)) > ORDER.index(here)
        and not any(here == source and name.startswith(target) for source, target in RUNS_BACK)
    ]


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_imports_go_one_way(path):
    module = module_name(path)
    if path.parent == PACKAGE and path.stem in ("__init__", "__main__"):
        return
    assert room(module), f"{module} has no place in the order of imports"
    assert not backward(path.read_text(), module)


def test_order_check_sees_an_arrow_that_runs_back():
    assert backward("def f():\n    from nbody_ref.ops import message", "nbody_ref.graphs") == ["nbody_ref.ops.message"]
    assert backward("from ..fit import data", "nbody_ref.gates.build") == ["nbody_ref.fit.data"]
    assert backward("from nbody_ref.ops.wigner import x", "nbody_ref.scheme") == ["nbody_ref.ops.wigner.x"]
    assert not backward("from nbody_ref import errors\nimport nbody_ref.irreps", "nbody_ref.scheme")


def circles(graph):
    """Sets of modules that reach one another, by Tarjan's algorithm."""
    number, low, stack, found = {}, {}, [], []

    def visit(module):
        number[module] = low[module] = len(number)
        stack.append(module)
        for other in graph.get(module, ()):
            if other not in number:
                visit(other)
            if other in stack:
                low[module] = min(low[module], low[other])
        if low[module] == number[module]:
            cut = stack.index(module)
            found.append(frozenset(stack[cut:]))
            del stack[cut:]

    for module in graph:
        if module not in number:
            visit(module)
    return [group for group in found if len(group) > 1]


def run_time_imports(sources):
    """Modules and the modules that each loads when it runs, lazy imports too; those for type checkers do not count."""
    modules = {module_name(path): path for path in sources if path.stem not in ("__init__", "__main__")}
    graph = {}
    for module, path in modules.items():
        names = set(imports(ast.parse(path.read_text()), module, types=False))
        graph[module] = {m for name in names for m in (name, name.rpartition(".")[0]) if m in modules} - {module}
    return graph


def test_no_circle_but_the_declared_ones():
    assert {*circles(run_time_imports(SOURCES))} == CIRCLES


def test_circle_check_sees_a_circle_of_three_and_passes_over_a_line():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [frozenset("abc")]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_definition_imports_the_standard_library_only(path):
    module = module_name(path)
    if room(module) not in STDLIB_ONLY:
        return
    for name in imports(ast.parse(path.read_text()), module, types=False):
        top = name.split(".")[0]
        allowed = top in sys.stdlib_module_names or room(name) in STDLIB_ONLY
        assert allowed or (room(module), ".".join(name.split(".")[:3])) in RUNS_BACK, name


@pytest.mark.parametrize("path", [*SOURCES, *sorted(TESTS.rglob("*.py"))], ids=lambda path: path.stem)
def test_nothing_imports_the_evidence(path):
    assert not [name for name in imports(ast.parse(path.read_text()), "x") if name.split(".")[0] == "validation"]


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_modules_stay_short(path):
    assert len(path.read_text().splitlines()) <= 400


def run(code):
    """Run code in a fresh interpreter; what it prints as JSON."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_definition_loads_neither_numpy_nor_numba():
    assert (
        run(
            "import sys, json, nbody_ref.exact, nbody_ref.scheme\n"
            "print(json.dumps([m for m in ('numpy', 'numba', 'scipy') if m in sys.modules]))"
        )
        == []
    )


def test_package_imports_fast():
    code = (
        "import json, sys, time, numpy\nstart = time.process_time()\nimport nbody_ref\n"
        "print(json.dumps([time.process_time() - start, 'numba' in sys.modules]))"
    )
    seconds, numba_loaded = min(run(code) for _ in range(3))
    assert seconds < 0.35 and not numba_loaded


def test_importing_everything_compiles_nothing():
    """Every module of the package is loaded; no kernel has a compiled signature afterwards."""
    names = [module_name(path).removesuffix(".__init__") for path in SOURCES if path.stem != "__main__"]
    kernels, compiled = run(
        "import importlib, json\n"
        f"modules = [importlib.import_module(name) for name in {names}]\n"
        "kernels = {id(v): v for m in modules for v in vars(m).values() if hasattr(v, 'signatures')}\n"
        "print(json.dumps([len(kernels), [k.py_func.__name__ for k in kernels.values() if k.signatures]]))"
    )
    assert kernels > 20 and compiled == []


def test_public_names_load_nothing_heavy():
    code = f"import json, sys, nbody_ref\n[getattr(nbody_ref, name) for name in {nbody_ref.__all__}]\n"
    assert run(code + f"print(json.dumps([name for name in {HEAVY} if name in sys.modules]))") == []


def test_every_subpackage_is_a_public_name():
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")} - {"kernels", "certified"}
    assert folders <= set(nbody_ref.__all__)


@pytest.mark.parametrize("name", nbody_ref.__all__)
def test_public_names_load_when_asked_for(name):
    assert getattr(nbody_ref, name) is not None and name in dir(nbody_ref)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = nbody_ref.nonsense


@pytest.mark.parametrize("path", sorted((PACKAGE / "conformance").rglob("*.py")), ids=module_name)
def test_functions_of_the_conformance_kit_stay_short(path):
    """Docstrings do not count."""
    functions = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)]
    described = {n: n.body[0].end_lineno - n.body[0].lineno + 1 if ast.get_docstring(n) else 0 for n in functions}
    assert [n.name for n in functions if n.end_lineno - n.lineno + 1 - described[n] > 40] == []
