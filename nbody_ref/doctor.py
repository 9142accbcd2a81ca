"""What may be wrong with an installation, and what to do: ``nbody-ref doctor``, in two seconds.

Each line is a finding: whether it is well, what was seen, and what to do where it is not.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, NamedTuple

import nbody_ref

__all__ = ["Finding", "examine"]

LEAST = {"numpy": "1.26", "scipy": "1.12", "numba": "0.60", "ase": "3.23", "safetensors": "0.4"}
LEAST_PYTHON, TRIED_PYTHON = (3, 11), (3, 14)
SHARE_OF_BLAS = {"512-bit vectors": 0.32, "256-bit vectors": 0.32, "128-bit vectors": 0.32}  # of `mixing`, measured
MEMORY_GB = 2.0  # free; a fit of some hundred frames needs less


class Finding(NamedTuple):
    """One line of the examination."""

    ok: bool
    what: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{'OK  ' if self.ok else 'LOOK'}  {self.what}" + (f"\n      -> {self.advice}" if self.advice else "")


def examine() -> Iterator[Finding]:
    """Look at versions, threads, linear algebra, the cache of kernels, memory, and the speed of one kernel.

    Yields
    ------
    Finding
        In this order, as they are found; none raises.
    """
    looks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _python, _versions, _numba, _threads, _blas, _cache, _memory, _speed,
    )  # fmt: skip
    for look in looks:
        try:
            yield from look()
        except Exception as error:  # the examination of a broken installation must not break
            yield Finding(False, f"{look.__name__[1:]}: {type(error).__name__}: {error}", "reinstall the package named")


def _python() -> Iterator[Finding]:
    found = sys.version_info[:2]
    what = f"Python {platform.python_version()} ({platform.platform()}), nbody_ref {nbody_ref.__version__}"
    if found < LEAST_PYTHON:
        yield Finding(False, what, "use Python 3.11 or newer")
    elif found > TRIED_PYTHON:
        yield Finding(True, what, "this Python is newer than any that the tests have run on")
    else:
        yield Finding(True, what)


def _versions() -> Iterator[Finding]:
    for name, least in LEAST.items():
        try:
            found = version(name)
        except PackageNotFoundError:
            why = "plain Python runs instead, slowly" if name == "numba" else "it is needed"
            yield Finding(False, f"{name} is not installed: {why}", f"pip install '{name}>={least}'")
            continue
        old = _numbers(found) < _numbers(least)
        yield Finding(not old, f"{name} {found}", f"pip install -U '{name}>={least}'" if old else "")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:3] if part.isdigit())


def _numba() -> Iterator[Finding]:
    """Numba says itself, when it is imported, which NumPy it cannot work with."""
    try:
        numba = import_module("numba")
    except ModuleNotFoundError as error:
        if error.name == "numba":
            return
        raise
    except Exception as error:
        wanted = next((line for line in requires("numba") or () if line.startswith("numpy")), "numpy")
        yield Finding(False, f"Numba cannot be imported: {error}", f"pip install '{wanted}'")
        return
    if numba.config.DISABLE_JIT:
        yield Finding(False, "NUMBA_DISABLE_JIT is set: kernels run as plain Python, slowly", "unset NUMBA_DISABLE_JIT")


def _threads() -> Iterator[Finding]:
    from nbody_ref.kernels._threads import n_threads

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = n_threads()
    asked = os.environ.get("NUMBA_NUM_THREADS")
    advice = f"NUMBA_NUM_THREADS={asked} is more than there are" if found > cores else ""
    yield Finding(found <= cores, f"{found} threads of {cores} processors", advice)


def _blas() -> Iterator[Finding]:
    import numpy  # noqa: F401
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_info

    for pool in threadpool_info():
        if pool["user_api"] == "blas":
            name = f"{pool['internal_api']} {pool.get('version')} ({Path(pool['filepath']).name.split('-')[0]})"
            yield Finding(True, f"linear algebra: {name}, {pool['num_threads']} threads")


def _cache_folder() -> Path:
    given = os.environ.get("NUMBA_CACHE_DIR")
    return Path(given) if given else Path(nbody_ref.__file__).parent / "kernels" / "__pycache__"


def _cache() -> Iterator[Finding]:
    folder = _cache_folder()
    there = next((parent for parent in (folder, *folder.parents) if parent.exists()), folder)
    if not os.access(there, os.W_OK):
        advice = "set NUMBA_CACHE_DIR to a folder of your own, or kernels are compiled anew by every process"
        yield Finding(False, f"compiled kernels cannot be kept in {folder}", advice)
        return
    broken = [path for path in folder.rglob("*.nbi") if path.stat().st_size == 0]
    if broken:
        yield Finding(False, f"{len(broken)} empty files in {folder}", "remove that folder: kernels are compiled again")
        return
    count = sum(1 for _ in folder.rglob("*.nbc"))
    warm = f"{count} compiled kernels in {folder}" if count else f"no compiled kernels yet in {folder}"
    yield Finding(True, warm, "" if count else "the first run of each kernel compiles it, some 20 s in all")


def _memory() -> Iterator[Finding]:
    with suppress(OSError, StopIteration, ValueError):
        with open("/proc/meminfo") as file:
            line = next(line for line in file if line.startswith("MemAvailable"))
        free = float(line.split()[1]) * 1024 / 1e9
        advice = "" if free >= MEMORY_GB else "close other programs, or give fits --memory"
        yield Finding(free >= MEMORY_GB, f"{free:.1f} GB of memory free", advice)
        return
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    yield Finding(total >= MEMORY_GB, f"{total:.1f} GB of memory in all; how much is free cannot be told here")


def _speed() -> Iterator[Finding]:
    """`mixing` beside the matrix product of the linear algebra library, both on one thread, in turns."""
    if not any(_cache_folder().rglob("mixing*.nbc")):
        yield Finding(True, "speed: not measured, the kernel is not compiled yet", "run `nbody-ref quickstart` once")
        return
    import numpy as np
    from threadpoolctl import threadpool_limits

    from nbody_ref.ops.mixing import MixingTable, mixing

    rng, n, c = np.random.default_rng(0), 2000, 32
    F, W = rng.standard_normal((n, c)), rng.standard_normal((1, c * c))
    table, kinds, square = MixingTable.build(f"{c}x0e", f"{c}x0e"), np.zeros(n, np.uintp), W.reshape(c, c)
    ours, theirs = [], []
    with threadpool_limits(limits=1):
        for _ in range(9):
            ours.append(_seconds(lambda: mixing(F, W, kinds, table)))
            theirs.append(_seconds(lambda: F @ square))
    flops, share = 2e-9 * n * c * c, min(theirs) / min(ours)
    kind = _vectors()
    usual = SHARE_OF_BLAS.get(kind)
    what = (
        f"speed: mixing {flops / min(ours):.1f} GF/s, the linear algebra {flops / min(theirs):.1f} GF/s on one thread"
    )
    if usual is None:
        yield Finding(True, f"{what}; no figure is stored for {kind}")
    else:
        slow = share < 0.5 * usual
        advice = "is other work running? compare again on a quiet machine, or remove the cache folder" if slow else ""
        yield Finding(not slow, f"{what}: a share of {share:.2f}, {usual:.2f} is usual with {kind}", advice)


def _seconds(call: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def _vectors() -> str:
    """Class of the machine: the width of its vectors."""
    try:
        features = import_module("numpy._core._multiarray_umath").__cpu_features__
    except (ImportError, AttributeError):
        return platform.machine()
    if features.get("AVX512F"):
        return "512-bit vectors"
    return "256-bit vectors" if features.get("AVX2") else "128-bit vectors"
