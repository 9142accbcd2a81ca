"""Path sets of published models: numbers of paths, orders, and that a run on them finds what others miss."""

from dataclasses import replace

import pytest

from nbody_ref import cli
from nbody_ref.conformance import Capabilities, run
from nbody_ref.conformance.backend import call
from nbody_ref.conformance.operations.path_sets import (
    arrangements,
    path_set,
    path_sets,
    published_products,
    reduced,
)
from nbody_ref.conformance.planted.model import Model
from nbody_ref.conformance.suite import judge
from nbody_ref.errors import DataError

COUNTS = {
    "nequip-S-last": 2,
    "nequip-M-middle": 11,
    "nequip-L-middle": 23,
    "nequip-XL-middle": 42,
    "nequip-L-first": 4,
    "nequip-parity": 30,
    "mace-small-first": 4,
    "mace-medium-second": 10,
    "mace-large-second": 17,
    "allegro-L-middle": 23,
    "allegro-L-last": 4,
    "allegro-parity": 30,
}


def triples(*bounds, natural=True):
    """Paths by the triangle rule, counted independently."""
    l1, l2, l = bounds
    return sum(
        abs(a - b) <= c <= a + b and (not natural or (a + b + c) % 2 == 0)
        for a in range(l1 + 1)
        for b in range(l2 + 1)
        for c in range(l + 1)
    )


def test_numbers_of_paths():
    for name, count in COUNTS.items():
        assert len(path_set(name).product.instructions) == count, name
    for lmax, name in enumerate(("nequip-M-middle", "nequip-L-middle", "nequip-XL-middle"), start=2):
        assert COUNTS[name] == triples(lmax, lmax, lmax)
    assert COUNTS["mace-large-second"] == triples(2, 3, 3) and COUNTS["mace-medium-second"] == triples(1, 3, 3)
    assert COUNTS["nequip-parity"] == 2 * triples(2, 2, 2, natural=False)


def test_results_are_sorted_and_mace_takes_them_in_order():
    op = path_set("nequip-L-middle").product
    types = [(part.irrep.l, part.irrep.p) for part in op.irreps_out]
    assert types == sorted(types) and [i.out for i in op.instructions] != list(range(23))
    assert [i.out for i in path_set("mace-large-second").product.instructions] == list(range(17))
    assert [part.mul for part in op.irreps_1] == [128, 64, 32, 32]


@pytest.mark.parametrize("chosen", path_sets(), ids=lambda s: s.name)
def test_reduced_sets_have_the_same_paths(chosen):
    small = reduced(chosen.product)
    assert small.instructions == chosen.product.instructions
    assert max(part.mul for part in small.irreps_1) <= 3
    wide = [part.mul for part in chosen.product.irreps_1]
    few = [part.mul for part in small.irreps_1]
    assert all((a < b) <= (x <= y) for a, x in zip(wide, few) for b, y in zip(wide, few))


def test_orders_permute_the_same_instructions():
    op = reduced(path_set("nequip-L-middle").product)
    found = dict(arrangements(op, 3))
    assert len(found) == 5 and len({o.instructions for o in found.values()}) == 5
    assert all(
        sorted(o.instructions, key=lambda i: i.out) == sorted(op.instructions, key=lambda i: i.out)
        for o in found.values()
    )
    sizes = [o.dim for o in (op.irreps_out[i.out] for i in found["widest result first"].instructions)]
    assert sizes == sorted(sizes, reverse=True)


def test_the_default_run_takes_what_is_declared():
    low = published_products("convolution", Capabilities(lmax=2), None)
    assert {s.name for s in low} == {"nequip-S-last", "nequip-M-middle", "nequip-parity"}
    assert len(published_products("convolution", Capabilities(), None)) == 7
    rows = published_products("product", Capabilities(), None)
    assert len(rows) == 9 and not any(s.product.graph for s in rows)
    assert not published_products("solid", Capabilities(), None)
    with pytest.raises(DataError, match="nequip-XL-middle"):
        path_set("nequip-XXL")


def failures(kernel, name, full=False):
    found = []
    for case in replace(path_set(name), full=full).cases("float32", (0, 1)):
        results = call(kernel, case.op, "float32", case.inputs, case.order, case.tangent)
        found += [o for o in judge(Capabilities(), case, "float32", results) if o.status == "fail"]
    return found


@pytest.mark.parametrize("name", ["mace-medium-second", "allegro-L-last"])
def test_a_correct_kernel_passes_with_published_numbers_of_channels(name):
    assert failures(Model(), name, full=True) == []


def test_the_bug_that_shipped_is_caught():
    """One of 23 instructions, 2e x 3o -> 3o, gradient in the weights only."""

    class Wrong(Model):
        def tensor(self, op, p, dtype, towards):
            bad = towards == "w" and op.degrees(p) == (2, 3, 3)
            return super().tensor(op, p, dtype, towards) * (1.53 if bad else 1)

    found = failures(Wrong(), "nequip-L-middle")
    assert found and all(o.result == "w" and "(2 x 3 -> 3)" in o.text for o in found)
    assert {o.check for o in found} == {"orders", "alone"}
    assert failures(Wrong(), "nequip-M-middle") == []


def test_a_run_takes_path_sets_by_default_or_by_name():
    kernel = Model()
    kernel.capabilities = Capabilities(operations=("product",), dtypes=("float32",), lmax=2, orders=(0,))
    notes = {o.note.partition(",")[0] for o in run(kernel, checks=("orders",)).outcomes if o.check == "orders"}
    assert notes == {"nequip-S-last", "nequip-M-middle", "nequip-parity", "allegro-parity"}
    named = run(kernel, products=("nequip-S-first",)).outcomes
    assert {o.check for o in named} == {"fingerprint", "orders", "alone"} and all(o.status == "pass" for o in named)
    kernel.capabilities = Capabilities(operations=("product",), dtypes=("float32",), modes=("uuu",))
    assert run(kernel, products=("nequip-S-first",)).exit_code == 3  # only the fingerprint


def test_the_command_lists_and_explains_path_sets(capsys):
    assert cli.main(["conform", "list"]) == 0 and cli.main(["conform", "explain", "nequip-L-middle"]) == 0
    out = capsys.readouterr().out
    assert "mace-large-second" in out and "NequIP preset L" in out and "23 paths, 128x0e + 64x1o" in out
    assert cli.main(["conform", "run", "--backend", "x:y", "--paths", "nequip-XXL"]) == 1
    assert "no path set is called 'nequip-XXL'" in capsys.readouterr().err
