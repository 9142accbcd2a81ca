"""Ctrl-C between steps, never within one; and the signals of batch queues and closed terminals, which mean the same."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["deferred", "signals_as_interrupts"]

NAMES = ("SIGTERM", "SIGHUP")  # of batch queues, of a terminal that closes


def _numbers(*names: str) -> list[signal.Signals]:
    return [getattr(signal, name) for name in names if hasattr(signal, name)]  # Windows has fewer


@contextmanager
def signals_as_interrupts() -> Iterator[None]:
    """SIGTERM and SIGHUP raise KeyboardInterrupt within the block, as Ctrl-C does.

    Signals that are ignored (nohup) or handled by somebody else stay so, and so they do outside the main thread.
    """
    changed: list[signal.Signals] = []
    if threading.current_thread() is threading.main_thread():
        changed = [number for number in _numbers(*NAMES) if signal.getsignal(number) is signal.SIG_DFL]
    for number in changed:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def deferred() -> Iterator[None]:
    """Hold Ctrl-C (and what is handled like it) back until the block is done, so that what the block changes is whole.

    Only the main thread receives signals; in another thread, or where Python does not handle the signal, the block runs
    as it is.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    came: list[Any] = []
    alike = [number for number in _numbers("SIGINT", *NAMES) if signal.getsignal(number) is handler]
    for number in alike:
        signal.signal(number, lambda *arguments: came.append(arguments))
    try:
        yield
    finally:
        for number in alike:
            signal.signal(number, handler)
    if came:
        handler(*came[0])
