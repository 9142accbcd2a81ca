"""Blocks of independent outputs, and independent runs, on several threads.

Kernels release Python's global lock, so ordinary threads run them side by side: no second, parallel compilation of a
kernel, and none of Numba's threading layers, of which the portable one aborts the process when two Python threads enter
it at once. Every block writes its own outputs in the serial order, so results are the same, bit by bit, for any number
of threads. That number is NUMBA_NUM_THREADS, by default the number of processors.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

__all__ = ["SERIAL_BELOW", "n_threads", "run_blocks", "side_by_side"]

Given = TypeVar("Given")
Found = TypeVar("Found")

SERIAL_BELOW = 200_000  # units of work, about one nanosecond or two each, below which threads cost more than they gain


@cache
def n_threads() -> int:
    """Number of threads that kernels may use; one where Numba is missing or its compilation is switched off."""
    try:
        config = import_module("numba").config
    except ImportError:
        return 1
    return 1 if config.DISABLE_JIT else int(config.NUMBA_NUM_THREADS)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n_threads(), thread_name_prefix="nbody_ref")


if hasattr(os, "register_at_fork"):  # threads do not survive a fork; the child starts its own
    os.register_at_fork(after_in_child=_pool.cache_clear)


def run_blocks(block: Callable[[Any, Any], None], ptr: np.ndarray[Any, Any], work: int) -> None:
    """Call ``block(first, last)`` for consecutive ranges of outputs that together are all outputs.

    Parameters
    ----------
    block : function of two numpy.uintp
        Computes outputs first..last-1 and nothing else.
    ptr : (n + 1,) uintp
        Running total of the work before each output, by which the ranges are balanced.
    work : int
        Size of the whole task; below `SERIAL_BELOW` there is one block.
    """
    threads = n_threads() if work >= SERIAL_BELOW else 1
    if threads == 1:
        block(np.uintp(0), np.uintp(len(ptr) - 1))
        return
    cuts = np.searchsorted(ptr, np.linspace(0, int(ptr[-1]), threads + 1)[1:-1])
    ends = [np.uintp(end) for end in (0, *cuts, len(ptr) - 1)]
    for done in [_pool().submit(block, first, last) for first, last in pairwise(ends)]:
        done.result()


def side_by_side(function: Callable[[Given], Found], parts: Iterable[Given]) -> list[Found]:
    """``function(part)`` of all parts, in their order: for runs of a whole network on parts of a batch.

    Its threads are others than those of `run_blocks`, which such a run may wait for.
    """
    with ThreadPoolExecutor(n_threads()) as pool:
        return list(pool.map(function, parts))
