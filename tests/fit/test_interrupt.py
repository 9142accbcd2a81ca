"""Ctrl-C is held back within a block and arrives at its end."""

import signal
import threading

import pytest

from nbody_ref.fit.interrupt import deferred, signals_as_interrupts


@pytest.fixture(autouse=True)
def ctrl_c():
    """Python's own handler: a run in the background of a shell inherits an ignored signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interruption_within_the_block_arrives_after_it():
    done = []
    with pytest.raises(KeyboardInterrupt):
        with deferred():
            signal.raise_signal(signal.SIGINT)
            done.append("whole")
        done.append("never")
    assert done == ["whole"]
    # without the block it arrives at once
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_an_error_within_the_block_is_what_is_seen_and_the_handler_is_put_back():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError):
        with deferred():
            signal.raise_signal(signal.SIGINT)
            raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is before


def test_other_threads_and_ignored_signals_run_as_they_are():
    done = []

    def work():
        with deferred():
            done.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        work()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert done == [1, 1]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_signals_of_batch_queues_and_terminals_are_ctrl_c_within_the_block(name):
    number = getattr(signal, name)
    before = signal.signal(number, signal.SIG_DFL)
    done = []
    try:
        with pytest.raises(KeyboardInterrupt):
            with signals_as_interrupts():
                with deferred():
                    signal.raise_signal(number)
                    done.append("whole")
                done.append("never")
        assert done == ["whole"] and signal.getsignal(number) is signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN)  # nohup
        with signals_as_interrupts():
            signal.raise_signal(number)
            done.append("ignored")
        assert done == ["whole", "ignored"]
    finally:
        signal.signal(number, before)
