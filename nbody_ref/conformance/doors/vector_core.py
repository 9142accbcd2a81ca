"""Which cases make up the core set of vectors: every operation, order and check, with few channels."""

from __future__ import annotations

from collections.abc import Iterator

from nbody_ref.conformance.backend import Capabilities
from nbody_ref.conformance.operations.operation import Case
from nbody_ref.conformance.operations.product import TensorProduct
from nbody_ref.conformance.operations.registry import OPERATIONS
from nbody_ref.conformance.suite import suite_cases

__all__ = ["core_cases"]

SMALL = Capabilities(operations=OPERATIONS, lmax=2)
SKIPPED = ("large",)


def core_cases(operation: str, dtype: str) -> Iterator[Case]:
    """Cases of one operation and dtype."""
    if operation not in ("product", "convolution"):
        yield from (case for case in suite_cases(operation, SMALL, dtype, 0) if not _bulky(case))
        return
    graph = operation == "convolution"
    types = "2x0e + 1x1o"
    products = [
        TensorProduct.convolution(types, 2, graph=graph),
        TensorProduct.connected(types, "1x0e + 1x1o + 1x2e", types, graph=graph),
        TensorProduct.full(types, "1x1o", "uvuv", graph=graph),
        TensorProduct.full(types, types, "uuu", graph=graph),
    ]
    for number, op in enumerate(products if dtype == "float64" else products[:2]):
        for case in op.cases(dtype, (0, 1, 2)):
            plain = case.check == "impulse" or (case.check == "random" and case.scale == 1)
            if (plain or not number) and not _bulky(case):
                yield case


def _bulky(case: Case) -> bool:
    """Cases whose size says more about the kernel's memory than about its formulas; the full set has them."""
    rows = max((len(x) for x in case.inputs.values()), default=0)
    tail = rows > 3 and not (rows == 33 and case.order == 0)
    scaled = case.scale != 1 and case.order > 0
    return case.check in SKIPPED or (case.check == "sizes" and tail) or rows > 400 or scaled
