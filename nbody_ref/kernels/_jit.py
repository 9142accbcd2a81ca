"""The one decorator of every kernel: lazy Numba compilation, cached on disk, NumPy error model.

Where Numba cannot be imported (a browser, say) the decorator returns the plain Python function, which computes the
same thing slowly. Compiled kernels release Python's global lock, so that ordinary threads can run them side by side. A
cached kernel calls only kernels of its own file, since Numba's cache does not notice a change in a callee elsewhere and
would go on returning the old numbers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

__all__ = ["kernel", "parallel_range"]

LOG = logging.getLogger(__name__)
F = TypeVar("F", bound=Callable[..., Any])

numba: Any = None
try:
    numba = import_module("numba")
except ImportError as reason:  # lessons run without Numba; nothing but speed depends on it
    LOG.warning("kernels run as plain Python, some hundred times slower: Numba cannot be imported (%s)", reason)

parallel_range: Any = range if numba is None else numba.prange


def _distinct_arrays() -> Any:
    """Numba's compiler, told that the arrays a kernel is given do not overlap."""
    compiler: Any = import_module("numba.core.compiler")

    class Distinct(compiler.CompilerBase):  # type: ignore[misc]
        def define_pipelines(self) -> list[Any]:
            self.state.flags.noalias = True
            return [compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)]

    return Distinct


DISTINCT: Any = None if numba is None else _distinct_arrays()


def _mend_cache(compiled: Any) -> None:
    """A damaged file of the cache (a full disk, a crash) is said once, and the kernel is compiled again."""
    cache: Any = getattr(compiled, "_cache", None)
    load = getattr(cache, "load_overload", None)
    if load is None or not hasattr(cache, "flush"):  # compilation is switched off, or Numba has other insides
        return

    def load_or_compile(*arguments: Any) -> Any:
        try:
            return load(*arguments)
        except Exception as error:  # whatever unpickling half a file raises
            LOG.warning("a compiled kernel in %s is damaged and is compiled again: %r", cache.cache_path, error)
            cache.flush()
            return None

    cache.load_overload = load_or_compile


def kernel(
    *, parallel: bool = False, contract: bool = False, inline: str = "never", distinct: bool = False
) -> Callable[[F], F]:
    """Return the decorator that compiles a kernel at its first call.

    Parameters
    ----------
    parallel : bool
        Let `parallel_range` loops run on several threads. Only for loops over independent outputs, so that results
        are identical for any number of threads.
    contract : bool
        Allow the compiler to fuse a*b + c into one rounding (FMA). Never in double-double code.
    inline : {"never", "always"}
        Numba's inlining at the level of its own representation.
    distinct : bool
        The arrays the kernel writes overlap no other that it is given: the compiler need not test that before every
        loop, which for short loops costs as much as the loop. Two arguments that are only read may be the same array.
    """

    def decorate(function: F) -> F:
        if numba is None:
            return function
        fastmath: Any = {"contract"} if contract else False
        options: dict[str, Any] = {"parallel": parallel, "fastmath": fastmath, "inline": inline, "nogil": True}
        if distinct:
            options["pipeline_class"] = DISTINCT
        compiled: F = numba.njit(cache=True, error_model="numpy", **options)(function)
        _mend_cache(compiled)
        return compiled

    return decorate
