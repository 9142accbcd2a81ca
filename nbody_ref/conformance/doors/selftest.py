"""The kit tested against itself: planted errors must be caught, the correct kernel must raise no alarm."""

from __future__ import annotations

from collections.abc import Iterator

from nbody_ref.conformance.backend import Capabilities
from nbody_ref.conformance.planted.mutants import MUTANTS, Mutant, mutant
from nbody_ref.conformance.suite import run

__all__ = ["SMALL", "catchers", "hunt"]

SMALL = Capabilities(lmax=3)


def hunt(names: tuple[str, ...] = ()) -> Iterator[tuple[Mutant, tuple[str, ...]]]:
    """Every planted error, or those named, with the checks that catch it."""
    for planted in [mutant(name) for name in names] if names else MUTANTS:
        yield planted, catchers(planted)


def catchers(planted: Mutant) -> tuple[str, ...]:
    """Names of the checks that fail on a planted error, in float32."""
    kernel = planted.kernel()
    if planted.base == "blocks":
        report = run(kernel, planted.operations, ("float32",), causes=False)
        return tuple(dict.fromkeys(outcome.check for outcome in report.failures))
    kernel.capabilities = SMALL
    where = tuple(name for name in planted.operations if name != "product")
    report = run(kernel, where, ("float32",), causes=False, products=1)
    if not report.failures and "product" in planted.operations:
        kernel.capabilities = Capabilities(lmax=3, operations=("product",), modes=("uvuv", "uvw"))
        report = run(kernel, ("product",), ("float32",), causes=False, products=1)
    if not report.failures and "convolution" in planted.operations:
        kernel.capabilities = Capabilities(lmax=3, orders=(0, 1), modes=("uvu",))
        report = run(kernel, ("convolution",), ("float32",), causes=False, checks=("orders",))
    return tuple(dict.fromkeys(outcome.check for outcome in report.failures))
