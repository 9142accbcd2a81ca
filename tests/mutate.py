"""Random mutations of the package, each held to the tests that mirror its file: what survives needs a test.

    python tests/mutate.py --seed 0 --count 40 --rooms ops gates fit files conformance

One operator, constant, condition or returned value is changed in one place, in a copy of the tree; the tests of the
mirrored file, or of the room where there is none, must fail. Prints a line for each mutation, the survivors at the end.
"""

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMPARISONS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult}


def places(tree):
    """Nodes that can be changed: (node, how); docstrings, annotations and messages of errors are left alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise):
            continue
        if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
            yield node, "comparison"
        elif isinstance(node, ast.BinOp) and type(node.op) in OPERATORS and not isinstance(node.left, ast.Constant):
            yield node, "operator"
        elif isinstance(node, ast.BoolOp):
            yield node, "and/or"
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            yield node, "sign"
        elif isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.value not in (0, 1):
            yield node, "constant"
        elif isinstance(node, ast.If | ast.IfExp):
            yield node, "condition"


def change(node, how):
    """Change one node in place."""
    if how == "comparison":
        node.ops[0] = COMPARISONS[type(node.ops[0])]()
    elif how == "operator":
        node.op = OPERATORS[type(node.op)]()
    elif how == "and/or":
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    elif how == "sign":
        node.op = ast.UAdd()
    elif how == "constant":
        node.value = node.value + 1 if isinstance(node.value, int) else node.value * 1.5
    else:
        node.test = ast.UnaryOp(ast.Not(), node.test)


def mutated(text, choose):
    """The file with one change, and where it is."""
    tree = ast.parse(text)
    skipped = {
        id(n) for r in ast.walk(tree) if isinstance(r, ast.Raise | ast.AnnAssign | ast.arguments) for n in ast.walk(r)
    }
    found = [(node, how) for node, how in places(tree) if id(node) not in skipped]
    if not found:
        return None
    node, how = choose(found)
    before = ast.unparse(node)
    change(node, how)
    return ast.unparse(ast.fix_missing_locations(tree)), f"line {node.lineno}, {how}: {before[:60]}"


def tests_of(path):
    """The mirrored test file, else the tests of the folder."""
    inner = path.relative_to("nbody_ref")
    mirror = Path("tests") / inner.parent / f"test_{inner.stem.lstrip('_')}.py"
    if (ROOT / mirror).exists():
        return mirror
    while not (ROOT / "tests" / inner.parent).exists():
        inner = inner.parent
    return Path("tests") / inner.parent


def main(arguments=None):
    """Run the mutations; the number of survivors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--rooms", nargs="+", default=["ops", "gates", "fit", "files", "conformance"])
    parser.add_argument("--timeout", type=float, default=600, help="seconds for the tests of one mutation")
    options = parser.parse_args(arguments)
    choose = random.Random(options.seed)
    files = sorted(
        path.relative_to(ROOT)
        for room in options.rooms
        for path in [*(ROOT / "nbody_ref" / room).rglob("*.py"), ROOT / "nbody_ref" / f"{room}.py"]
        if path.exists() and path.name != "__init__.py"
    )
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", ".tox", "*.pyc", "*.nbi", "*.nbc"))
        for number in range(options.count):
            path = choose.choice(files)
            text = (ROOT / path).read_text()
            result = mutated(text, choose.choice)
            if result is None:
                continue
            (copy / path).write_text(result[0])
            command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", str(tests_of(path))]
            environment = os.environ | {"PYTHONPATH": str(copy), "NUMBA_CACHE_DIR": str(Path(folder) / "numba")}
            try:
                done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, timeout=options.timeout)
                killed = done.returncode != 0
            except subprocess.TimeoutExpired:
                killed = True
            (copy / path).write_text(text)
            line = f"{path} {result[1]} [{tests_of(path)}]"
            print(f"{number:3d} {'killed  ' if killed else 'SURVIVES'} {line}", flush=True)
            survivors += [] if killed else [line]
    print(f"{len(survivors)} of {options.count} survive", *survivors, sep="\n  ")
    return len(survivors)


if __name__ == "__main__":
    sys.exit(main())
