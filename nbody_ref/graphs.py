"""Edge lists and batches of molecules as arrays."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nbody_ref.errors import ShapeError

__all__ = ["Edges"]

IndexArray = np.ndarray[Any, np.dtype[np.uintp]]


class Edges(NamedTuple):
    """Directed edges sender -> receiver, sorted by receiver, with the transposed list beside them.

    The edges of receiver i are ``row_ptr[i]:row_ptr[i + 1]``; those of sender j are the edge numbers
    ``t_edge[t_ptr[j]:t_ptr[j + 1]]``. All arrays are ``np.uintp``.
    """

    receivers: IndexArray
    senders: IndexArray
    row_ptr: IndexArray
    t_ptr: IndexArray
    t_edge: IndexArray

    @classmethod
    def build(cls, receivers: Any, senders: Any, n_receivers: int, n_senders: int) -> Edges:
        """Sort edges by receiver (stable) and index them by sender.

        Parameters
        ----------
        receivers, senders : (E,) integers
        n_receivers, n_senders : int
            Numbers of nodes on either side; a node may have no edge.

        Raises
        ------
        ShapeError
            If the two lists differ in length or an index is out of range.
        """
        to, fro = np.asarray(receivers), np.asarray(senders)
        if to.ndim != 1 or to.shape != fro.shape:
            raise ShapeError(f"Edges: 'receivers' and 'senders' must be of one length, got {to.shape}, {fro.shape}")
        for name, index, count in (("receivers", to, n_receivers), ("senders", fro, n_senders)):
            if index.size and (index.min() < 0 or index.max() >= count):
                raise ShapeError(f"Edges: '{name}' must lie in 0..{count - 1}, got {index.min()}..{index.max()}")
        order = np.argsort(to, kind="stable")
        to, fro = to[order], fro[order]
        row_ptr = np.concatenate([[0], np.cumsum(np.bincount(to.astype(np.intp), minlength=n_receivers))])
        t_ptr = np.concatenate([[0], np.cumsum(np.bincount(fro.astype(np.intp), minlength=n_senders))])
        t_edge = np.argsort(fro, kind="stable")
        return cls(*(np.ascontiguousarray(a, dtype=np.uintp) for a in (to, fro, row_ptr, t_ptr, t_edge)))

    @property
    def n_edges(self) -> int:
        """Number of edges E."""
        return len(self.receivers)

    @property
    def n_receivers(self) -> int:
        """Number of receiving nodes, edges or not."""
        return len(self.row_ptr) - 1

    @property
    def n_senders(self) -> int:
        """Number of sending nodes, edges or not."""
        return len(self.t_ptr) - 1
