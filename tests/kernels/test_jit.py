"""The cache of compiled kernels never returns yesterday's numbers, and kernels take unsigned indices only.

Numba notices a change of a kernel's own file, but not of a callee or a constant in another file. Hence the rule that a
kernel uses names of its own file only, which is read from the syntax tree; and the reason for it, which is run.
"""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nbody_ref

PACKAGE = Path(nbody_ref.__file__).parent
FROM_OUTSIDE = {"kernel", "parallel_range"}  # defined in kernels/_jit.py, constants of the package
SOURCES = [path for path in sorted(PACKAGE.rglob("*.py")) if "@kernel" in path.read_text()]


def is_kernel(node):
    names = [d.func if isinstance(d, ast.Call) else d for d in getattr(node, "decorator_list", [])]
    return any(isinstance(name, ast.Name) and name.id == "kernel" for name in names)


def foreign_names(text):
    """(kernel, name) for each name that a kernel uses and another file of the package, or plain Python, defines."""
    tree = ast.parse(text)
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("nbody_ref"))
        for alias in node.names
    }
    plain = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and not is_kernel(node)}
    forbidden = (imported | plain) - FROM_OUTSIDE
    return [
        (node.name, used.id)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and is_kernel(node)
        for statement in node.body
        for used in ast.walk(statement)
        if isinstance(used, ast.Name) and used.id in forbidden
    ]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_kernels_use_names_of_their_own_file_only(path):
    assert foreign_names(path.read_text()) == []


def test_rule_sees_a_foreign_callee():
    text = """
from nbody_ref.kernels._jit import kernel, parallel_range
from nbody_ref.kernels.other import helper, ONE

def plain(x):
    return x

@kernel(parallel=True)
def own(x):
    for i in parallel_range(3):
        x[i] = helper(x[i]) + ONE

@kernel()
def caller(x):
    return own(x) + plain(x)
"""
    assert sorted(foreign_names(text)) == [("caller", "plain"), ("own", "ONE"), ("own", "helper")]


HELPER = "@kernel()\ndef helper(x):\n    return x + {step}\n"
CALLER = "@kernel()\ndef caller(x):\n    return helper(x) * 10\n"
HEAD = "from nbody_ref.kernels._jit import kernel\n"


def fresh(folder, module):
    """What a new process gets from caller(1), compiled code of the last process at hand."""
    paths = [str(folder), str(PACKAGE.parent)]
    settings = {
        "NUMBA_CACHE_DIR": str(folder / "cache"),
        "PYTHONPATH": os.pathsep.join(paths),
        "NUMBA_DISABLE_JIT": "0",
    }
    code = f"from {module} import caller; print(caller(1), sum(caller.stats.cache_hits.values()))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **settings}
    )
    return tuple(int(word) for word in done.stdout.split())


def test_edited_callee_in_the_same_file_gives_the_new_number(tmp_path):
    (tmp_path / "together.py").write_text(HEAD + HELPER.format(step=1) + CALLER)
    assert fresh(tmp_path, "together") == (20, 0)
    assert fresh(tmp_path, "together") == (20, 1), "the cache must be on, else this test shows nothing"
    (tmp_path / "together.py").write_text(HEAD + HELPER.format(step=2) + CALLER)
    assert fresh(tmp_path, "together") == (30, 0)


def test_edited_callee_in_another_file_would_give_the_old_number(tmp_path):
    """Why the rule exists. If this fails, Numba has learned to look at callees and the rule can go."""
    (tmp_path / "other.py").write_text(HEAD + HELPER.format(step=1))
    (tmp_path / "apart.py").write_text(HEAD + "from other import helper\n" + CALLER)
    assert fresh(tmp_path, "apart") == (20, 0)
    (tmp_path / "other.py").write_text(HEAD + HELPER.format(step=2))
    assert fresh(tmp_path, "apart") == (20, 1)


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
def test_a_truncated_file_of_the_cache_is_compiled_again(tmp_path, kind):
    (tmp_path / "together.py").write_text(HEAD + HELPER.format(step=1) + CALLER)
    assert fresh(tmp_path, "together") == (20, 0)
    (found,) = tmp_path.rglob(f"*caller*.{kind}")
    found.write_bytes(found.read_bytes()[:60])
    assert fresh(tmp_path, "together") == (20, 0) and fresh(tmp_path, "together") == (20, 1)


INSPECT = '''
import json, sys
import numpy as np
from numba.core import ir, types

def leaves(t):
    """Scalar types inside arrays and tuples."""
    if isinstance(t, types.BaseTuple):
        return [leaf for part in t.types for leaf in leaves(part)]
    return [t.dtype if isinstance(t, types.Array) else t]

def signed(t):
    integers = [leaf for leaf in leaves(t) if isinstance(leaf, types.Integer) and not isinstance(leaf, types.Literal)]
    return any(leaf.signed for leaf in integers)

def findings(kernel):
    """Arrays of signed integers among the arguments, and lines that index by a signed integer, in compiled versions.

    A signed scalar may be an exponent; where it is an index, the lines show it.
    """
    for signature, compiled in kernel.overloads.items():
        yield from ("signed array" for t in signature if not isinstance(t, types.Integer) and signed(t))
        for expression, call in compiled.type_annotation.calltypes.items():
            reads = getattr(expression, "op", None) == "getitem" or isinstance(expression, ir.SetItem)
            if reads and call is not None and isinstance(call.args[0], types.Array) and signed(call.args[1]):
                yield f"index in line {expression.loc.line}"

def kernels():
    modules = [m for name, m in list(sys.modules.items()) if name.startswith(("nbody_ref", "planted"))]
    found = {id(v): v for m in modules for v in vars(m).values() if hasattr(v, "overloads") and v.overloads}
    return {f"{v.py_func.__module__}.{v.py_func.__name__}": sorted(set(findings(v))) for v in found.values()}
'''
NETWORK = """
from nbody_ref import network
net = network.default((1, 8))
water = [[0.0, 0.0, 0.1], [0.0, 0.8, -0.5], [0.0, -0.8, -0.5]], [8, 1, 1]
net.energy_and_forces(net.graph([tuple(map(np.array, water))]))
"""
PLANTED = HEAD + "import numpy as np\n@kernel()\ndef read(a, i):\n    return a[i[0] + 1] + a[np.uintp(0)]\n"


def inspect(folder, code):
    """Compile afresh in a new process, since compiled code from the cache has lost its types."""
    settings = {"NUMBA_CACHE_DIR": str(folder / "cache"), "NUMBA_DISABLE_JIT": "0"}
    settings["PYTHONPATH"] = os.pathsep.join([str(folder), str(PACKAGE.parent)])
    script = f"{INSPECT}\n{code}\nprint(json.dumps(kernels()))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ, **settings}, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_kernels_of_a_network_take_and_use_unsigned_indices(tmp_path):
    """Energies and forces of water run through nearly every kernel."""
    found = inspect(tmp_path, NETWORK)
    assert any(name.endswith("message_adjoint") for name in found) and len(found) > 15
    assert {name: what for name, what in found.items() if what} == {}


def test_inspection_sees_signed_indices(tmp_path):
    (tmp_path / "planted.py").write_text(PLANTED)
    head = "import planted\nplanted.read(np.ones(3), np.ones(1, "
    assert inspect(tmp_path, head + "np.uintp))")["planted.read"] == ["index in line 5"]  # uintp + 1 is int64
    assert inspect(tmp_path, head + "np.int64))")["planted.read"] == ["index in line 5", "signed array"]


OVERLAP = """{head}
@kernel(distinct={distinct})
def add(out, x, w, n):
    for c in range(n):
        out[c] += x[c] * w[c]
"""
COUNT = "a, b = np.zeros(8), np.ones(8); planted.add(a, b, b, np.uintp(8)); print(sum(a), 'memcheck' in "
COUNT += "''.join(planted.add.inspect_llvm().values()))"


@pytest.mark.parametrize("distinct", [True, False])
def test_distinct_arrays_are_not_tested_for_overlap(tmp_path, distinct):
    """If this fails, Numba ignores what it is told, and short loops are slower; results do not depend on it."""
    (tmp_path / "planted.py").write_text(OVERLAP.format(head=HEAD, distinct=distinct))
    settings = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "NUMBA_DISABLE_JIT": "0"}
    settings["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(PACKAGE.parent)])
    script = f"import numpy as np, planted\n{COUNT}"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ, **settings}, check=True
    )
    assert done.stdout.split() == ["8.0", str(not distinct)]


@pytest.mark.plain
def test_without_numba_the_same_numbers_come_from_plain_python_and_it_is_said_once():
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(sys.argv[1:]))\n"  # an import of these fails
        "import numpy as np\n"
        "from nbody_ref import solid_harmonics\n"
        "from nbody_ref.network import Network, Spec\n"
        "from nbody_ref.network.default import default\n"
        "print(solid_harmonics(3, np.array([[0.1, -0.7, 0.4]])).tolist())\n"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code, *without], capture_output=True, text=True, check=True)
        for without in ((), ("numba", "llvmlite"))
    ]
    compiled, plain = (np.array(json.loads(run.stdout)) for run in runs)
    assert np.abs(plain - compiled).max() <= 40 * 2.0**-53 * np.abs(compiled).max()  # contraction alone differs
    assert runs[1].stderr.count("Numba cannot be imported") == 1
