"""Threads change no bit: the same arrays from one thread and from three."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from nbody_ref.kernels import _threads
from nbody_ref.kernels._threads import SERIAL_BELOW, run_blocks

RUN = """
import hashlib, json, os
import numpy as np
from nbody_ref.graphs import Edges
from nbody_ref.kernels._threads import n_threads
from nbody_ref.ops.message import MessageTable, message, message_jvp, message_vjp, message_vjp_jvp
rng = np.random.default_rng(0)
table, n, E = MessageTable.build("16x0e + 16x1o + 16x2e", 2), 37, 2000
edges = Edges.build(rng.integers(0, n, E), rng.integers(0, n, E), n, n)
shapes = (n, table.irreps_in.dim), (E, table.dim_y), (E, table.n_weights)
values, dots = ([rng.standard_normal(shape) for shape in shapes] for _ in range(2))
g, g_dot = (rng.standard_normal((n, table.irreps_out.dim)) for _ in range(2))
found = [message(*values, edges, table), message_jvp(*values, *dots, edges, table)]
found += message_vjp(g, *values, edges, table)
found += message_vjp_jvp(g, *values, g_dot, *dots, edges, table)
print(json.dumps([n_threads(), [hashlib.sha256(a.tobytes()).hexdigest() for a in found]]))
"""


def run(threads):
    settings = {**os.environ, "NUMBA_NUM_THREADS": str(threads)}
    done = subprocess.run([sys.executable, "-c", RUN], env=settings, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.skipif(_threads.n_threads() < 2, reason="one processor, or compilation switched off")
def test_the_number_of_threads_changes_no_bit():
    (one, alone), (many, together) = run(1), run(3)
    assert (one, many) == (1, 3)
    assert alone == together


def test_blocks_cover_every_output_once(monkeypatch):
    """Also where most outputs have no work, or where there are fewer outputs than threads."""
    monkeypatch.setattr(_threads, "n_threads", lambda: 4)
    monkeypatch.setattr(_threads, "_pool", lambda pool=ThreadPoolExecutor(4): pool)  # noqa: B008
    for counts in ([1, 1, 1, 1, 1, 1, 1], [0, 0, 9, 0, 0], [5], [0, 0, 0], []):
        ptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.uintp)
        seen = np.zeros(len(counts), int)

        def block(first, last, seen=seen):
            seen[first:last] += 1

        run_blocks(block, ptr, SERIAL_BELOW)
        assert (seen == 1).all()


def test_an_error_in_a_block_is_raised(monkeypatch):
    monkeypatch.setattr(_threads, "n_threads", lambda: 2)

    def block(first, last):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_blocks(block, np.array([0, 1, 2], np.uintp), SERIAL_BELOW)
