"""The planted errors of tables and products: name -> (the bug in words, method of `Model`, change of it)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nbody_ref.conformance.operations.product import TensorProduct

__all__ = ["PRODUCTS", "TABLES"]

Array = np.ndarray[Any, Any]
Row = tuple[str, str, Callable[[Any, Any], Any]]


def bfloat16(x: Array) -> Array:
    """Nearest numbers with 8 significant bits."""
    return _keep(x, 8)


def tf32(x: Array) -> Array:
    """Nearest numbers with 11 significant bits."""
    return _keep(x, 11)


def _keep(x: Array, bits: int) -> Array:
    with np.errstate(invalid="ignore"):
        m, e = np.frexp(x)
        return np.asarray(np.ldexp(np.round(np.ldexp(m, bits)), e - bits).astype(x.dtype))


def _table(change: Callable[[Array, int, int, int], Array]) -> Callable[[Any, Any], Any]:
    return lambda f, model: lambda l1, l2, l, dtype: change(f(l1, l2, l, dtype), l1, l2, l)


def _typo(C: Array, l1: int, l2: int, l: int) -> Array:
    C = C.copy()
    if (l1, l2, l) == (1, 1, 2):
        C[0, 2, 0] *= 1 + C.dtype.type(3e-5)
    return C


TABLES: dict[str, Row] = {
    "odd sign": (
        "opposite sign of the coupling where l1 + l2 + l is odd",
        "table",
        _table(lambda C, a, b, c: -C if (a + b + c) % 2 else C),
    ),
    "operands swapped": (
        "coupling transposed in m1, m2 where l1 = l2",
        "table",
        _table(lambda C, a, b, c: C.transpose(1, 0, 2) if a == b else C),
    ),
    "coefficient typo": ("one coupling coefficient off by 3e-5", "table", _table(_typo)),
    "bfloat16 table": ("coupling coefficients stored as bfloat16", "table", _table(lambda C, a, b, c: bfloat16(C))),
    "pruned table": ("coupling coefficients below 0.3 dropped", "table", _table(lambda C, a, b, c: C * (abs(C) > 0.3))),
    "unit norm": (
        "couplings of Frobenius norm 1: factor 1/sqrt(2l+1)",
        "table",
        _table(lambda C, a, b, c: C / C.dtype.type(np.sqrt(2 * c + 1))),
    ),
}


def _some_operands(round_: Callable[[Array], Array]) -> Callable[[Any, Any], Any]:
    def change(f: Any, model: Any) -> Any:
        return lambda op, p, C, legs, to: f(op, p, round_(C), {k: round_(x) for k, x in legs.items()}, to)

    return change


def _last_path(f: Any, model: Any) -> Any:
    def contract(op: TensorProduct, p: int, C: Array, legs: dict[str, Array], to: str) -> Array:
        dropped = len(op.instructions) > 1 and p == len(op.instructions) - 1
        return np.asarray(f(op, p, C * (0 if dropped else 1), legs, to))

    return contract


def _path_factor(f: Any, model: Any) -> Any:
    return lambda op, p, dtype, to: f(op, p, dtype, to) * np.dtype(dtype).type(3**0.5 if p == 1 else 1)


def _weight_gradient(f: Any, model: Any) -> Any:
    """One path of many, gradient in the weights only."""
    return lambda op, p, dtype, to: f(op, p, dtype, to) * (-1 if to == "w" and op.degrees(p) == (1, 1, 1) else 1)


def _half_sums(f: Any, model: Any) -> Any:
    def scatter(op: TensorProduct, name: str, rows: Array, inputs: Mapping[str, Array]) -> Array:
        if not op.graph or name in ("x2", "w"):
            return rows
        total = np.zeros((len(inputs["x1"]), rows.shape[1]), np.float16)
        with np.errstate(over="ignore", invalid="ignore"):
            np.add.at(total, inputs["senders" if name == "x1" else "receivers"], rows.astype(np.float16))
        return total.astype(rows.dtype)

    return scatter


def _scattered(change: Callable[[Array, Mapping[str, Array], str], tuple[Array, Mapping[str, Array]]]) -> Any:
    """Change rows or indices before the sum over edges."""

    def wrap(f: Any, model: Any) -> Any:
        def scatter(op: TensorProduct, name: str, rows: Array, inputs: Mapping[str, Array]) -> Array:
            if not op.graph or name in ("x2", "w"):
                return np.asarray(f(op, name, rows, inputs))
            rows, inputs = change(rows, inputs, name)
            return np.asarray(f(op, name, rows, inputs))

        return scatter

    return wrap


def _lost(rows: Array, inputs: Mapping[str, Array], name: str) -> tuple[Array, Mapping[str, Array]]:
    rows = rows.copy()
    rows[len(rows) // 2 : len(rows) // 2 + 1] = 0
    return rows, inputs


def _tail(rows: Array, inputs: Mapping[str, Array], name: str) -> tuple[Array, Mapping[str, Array]]:
    keep = len(rows) // 32 * 32 if len(rows) > 32 else len(rows)
    rows = rows.copy()
    rows[keep:] = 0
    return rows, inputs


def _wrapped(rows: Array, inputs: Mapping[str, Array], name: str) -> tuple[Array, Mapping[str, Array]]:
    rows = rows.copy()
    rows[65536:] = rows[: max(len(rows) - 65536, 0)]
    return rows, inputs


def _to_receivers(rows: Array, inputs: Mapping[str, Array], name: str) -> tuple[Array, Mapping[str, Array]]:
    return rows, ({**inputs, "senders": inputs["receivers"]} if name == "x1" else inputs)


def _sorted_receivers(rows: Array, inputs: Mapping[str, Array], name: str) -> tuple[Array, Mapping[str, Array]]:
    return rows, {**inputs, "receivers": np.sort(inputs["receivers"])}


def _self_twice(rows: Array, inputs: Mapping[str, Array], name: str) -> tuple[Array, Mapping[str, Array]]:
    loops = inputs["senders"] == inputs["receivers"]
    return rows * np.where(loops, 2, 1).astype(rows.dtype)[:, None], inputs


def _assigned(f: Any, model: Any) -> Any:
    def scatter(op: TensorProduct, name: str, rows: Array, inputs: Mapping[str, Array]) -> Array:
        if not op.graph or name in ("x2", "w"):
            return rows
        total = np.zeros((len(inputs["x1"]), rows.shape[1]), rows.dtype)
        total[inputs["senders" if name == "x1" else "receivers"]] = rows
        return total

    return scatter


def _channel_tail(f: Any, model: Any) -> Any:
    def contract(op: TensorProduct, p: int, C: Array, legs: dict[str, Array], to: str) -> Array:
        found = np.array(f(op, p, C, legs, to))
        if to == "out" and found.shape[2] > 2:
            found[:, :, found.shape[2] // 2 * 2 :] = 0
        return found

    return contract


def _stale(f: Any, model: Any) -> Any:
    kept: dict[Any, Array] = {}

    def forward(op: Any, inputs: dict[str, Any]) -> Any:
        found = f(op, inputs)
        old = kept.get((op, found.shape, found.dtype))
        kept[op, found.shape, found.dtype] = found if old is None else found + old
        return found if old is None else found + old

    return forward


def _accumulated(f: Any, model: Any) -> Any:
    kept: dict[Any, Array] = {}

    def vjp(op: Any, inputs: dict[str, Any], g: Any) -> Any:
        found = {}
        for name, x in f(op, inputs, g).items():
            key = (op, name, x.shape, x.dtype)
            found[name] = kept[key] = x + kept[key] if key in kept else x
        return found

    return vjp


def _legs(name: str, change: Callable[[TensorProduct, Array], Array]) -> Callable[[Any, Any], Any]:
    """Change one input before the product."""

    def wrap(f: Any, model: Any) -> Any:
        def run(op: TensorProduct, legs: dict[str, Array], inputs: Mapping[str, Array], to: str) -> Array:
            legs = {k: change(op, x) if k == name else x for k, x in legs.items()}
            return np.asarray(f(op, legs, inputs, to))

        return run

    return wrap


def _first_weights(op: TensorProduct, w: Array) -> Array:
    return np.broadcast_to(w[:1], w.shape) if len(w) else w


def _weight_layout(op: TensorProduct, w: Array) -> Array:
    paths = len(op.instructions)
    square = {tuple(op.weight_shape(p)) for p in range(paths)} in ({(paths, 1)}, {(paths,)})
    return w.reshape(len(w), paths, paths).transpose(0, 2, 1).reshape(w.shape) if square and paths > 1 else w


def _second_order(moved: str, dropped: str) -> Callable[[Any, Any], Any]:
    """Second gradients where one contribution is forgotten."""

    def wrap(f: Any, model: Any) -> Any:
        def double(op: Any, inputs: dict[str, Any], g: Any, tangents: dict[str, Any]) -> Any:
            found = dict(f(op, inputs, g, tangents))
            if (moved in tangents or not moved) and dropped in found:
                found[dropped] = np.zeros_like(found[dropped])
            return found

        return double

    return wrap


def _flush(f: Any, model: Any) -> Any:
    def run(op: TensorProduct, legs: dict[str, Array], inputs: Mapping[str, Array], to: str) -> Array:
        found = np.asarray(f(op, legs, inputs, to))
        return np.where(abs(found) < np.finfo(found.dtype).tiny, found.dtype.type(0), found)

    return run


def _swallow(f: Any, model: Any) -> Any:
    return lambda op, legs, inputs, to: np.nan_to_num(f(op, legs, inputs, to), posinf=0, neginf=0)


def _spread(f: Any, model: Any) -> Any:
    """Rows share a sum of which only a multiple by zero is used, as masked lanes of a block do."""

    def run(op: TensorProduct, legs: dict[str, Array], inputs: Mapping[str, Array], to: str) -> Array:
        with np.errstate(invalid="ignore", over="ignore"):
            return np.asarray(f(op, legs, inputs, to) + 0 * sum(x.sum() for x in legs.values()))

    return run


def _contiguous(f: Any, model: Any) -> Any:
    def flat(x: Array) -> Array:
        base = x.base if isinstance(x.base, np.ndarray) else x
        return np.asarray(base.reshape(-1)[: x.size].reshape(x.shape) if base.size >= x.size else x)

    return lambda op, legs, inputs, to: f(op, {k: flat(x) for k, x in legs.items()}, inputs, to)


def _in_place(f: Any, model: Any) -> Any:
    def run(op: TensorProduct, legs: dict[str, Array], inputs: Mapping[str, Array], to: str) -> Array:
        found = np.asarray(f(op, legs, inputs, to))
        inputs["x2"][...] *= 2
        return found

    return run


def _empty(f: Any, model: Any) -> Any:
    def run(op: TensorProduct, legs: dict[str, Array], inputs: Mapping[str, Array], to: str) -> Array:
        if not op.graph or len(inputs["x2"]):
            return np.asarray(f(op, legs, inputs, to))
        return np.full_like(f(op, legs, inputs, to), 1e30)

    return run


def _random_order(f: Any, model: Any) -> Any:
    draw = np.random.default_rng(0)

    def scatter(op: TensorProduct, name: str, rows: Array, inputs: Mapping[str, Array]) -> Array:
        if not op.graph or name in ("x2", "w"):
            return rows
        order = draw.permutation(len(rows))
        index = {k: inputs[k][order] for k in ("senders", "receivers")}
        return np.asarray(f(op, name, rows[order], {**inputs, **index}))

    return scatter


def _channel_order(f: Any, model: Any) -> Any:
    def contract(op: TensorProduct, p: int, C: Array, legs: dict[str, Array], to: str) -> Array:
        found = np.asarray(f(op, p, C, legs, to))
        if to == "out" and op.instructions[p].mode == "uvuv":
            return np.ascontiguousarray(found.transpose(0, 1, 3, 2)).reshape(found.shape)
        return found

    return contract


PRODUCTS: dict[str, Row] = {
    "last path dropped": ("the last path is not computed", "contract", _last_path),
    "path factor": ("factor sqrt(3) in path 1", "tensor", _path_factor),
    "weight gradient sign": ("sign of the weight gradient in path (1, 1, 1) only", "tensor", _weight_gradient),
    "tf32": ("operands rounded to TF32", "contract", _some_operands(tf32)),
    "bfloat16 operands": ("operands rounded to bfloat16", "contract", _some_operands(bfloat16)),
    "float16 sums": ("sum over edges in float16", "scatter", _half_sums),
    "lost edge": ("one edge lost (atomic add)", "scatter", _scattered(_lost)),
    "edge tail": ("last rows % 32 edges dropped", "scatter", _scattered(_tail)),
    "channel tail": ("last odd channel dropped", "contract", _channel_tail),
    "index wrap": ("edge index wraps at 65536", "scatter", _scattered(_wrapped)),
    "scatter to receivers": (
        "gradient of x1 added to receivers instead of senders",
        "scatter",
        _scattered(_to_receivers),
    ),
    "assumes sorted": ("receivers taken as sorted", "scatter", _scattered(_sorted_receivers)),
    "self-loop twice": ("self-loops counted twice", "scatter", _scattered(_self_twice)),
    "assigned": ("assignment instead of addition for repeated receivers", "scatter", _assigned),
    "random order": ("order of additions changes from call to call", "scatter", _random_order),
    "stale output": ("output not zeroed: results add up over calls", "forward", _stale),
    "accumulated gradient": ("gradients add up over calls", "vjp", _accumulated),
    "first weights": ("weights of edge 0 used for all edges", "product", _legs("w", _first_weights)),
    "weight layout": (
        "weights read as [channel][path] where both have one size",
        "product",
        _legs("w", _weight_layout),
    ),
    "second: weight": (
        "second gradient: derivative of the weight gradient in x1 forgotten",
        "double_vjp",
        _second_order("w", "x1"),
    ),
    "second: x1 constant": ("second gradient: x1 treated as a constant", "double_vjp", _second_order("x2", "x1")),
    "second: x2 dropped": ("second gradient: gradient in x2 forgotten", "double_vjp", _second_order("", "x2")),
    "second: cotangent": (
        "second gradient: gradient in the cotangent forgotten",
        "double_vjp",
        _second_order("", "cotangent"),
    ),
    "denormals flushed": ("denormal results flushed to zero", "product", _flush),
    "NaN swallowed": ("NaN and infinity replaced by zero", "product", _swallow),
    "NaN spread": ("a NaN in one row reaches all rows", "product", _spread),
    "strides ignored": ("strided arrays read as contiguous", "product", _contiguous),
    "in place": ("input x2 used as work space", "product", _in_place),
    "empty graph": ("result uninitialised when there is no edge", "product", _empty),
    "channel order": ("channels (u, v) of the result stored as (v, u)", "contract", _channel_order),
}
