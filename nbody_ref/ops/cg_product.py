r"""Clebsch-Gordan product of states, sec. 4.1 and eq. (13) of the paper.

.. math:: y_{p,m,(u v)} = \sum_{m_1 m_2} C_{m_1 m_2 m}\, a_{m_1,u}\, b_{m_2,v}
          \qquad\text{or, channel by channel,}\qquad
          y_{p,m,c} = \sum_{m_1 m_2} C_{m_1 m_2 m}\, a_{m_1,c}\, b_{m_2,c}

Bilinear: a product and its two adjoints are one trilinear form read towards its three legs.
Derivation: docs/derivations/cg_product.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np

from nbody_ref.certified.couplings import CoupledPath, coupled_columns
from nbody_ref.certified.lowering import Lowering
from nbody_ref.checks import check_integer
from nbody_ref.errors import IrrepsError
from nbody_ref.exact.definition import fragment_product
from nbody_ref.exact.network import flatten, unflatten
from nbody_ref.irreps import Irrep, Irreps
from nbody_ref.kernels.cg_product import CHANNELWISE, SUM_BOTH, SUM_LEFT, TO_BOTH, ProductArrays, cg_terms
from nbody_ref.ops._check import REAL_OR_COMPLEX, check_array, check_same_dtype, check_type
from nbody_ref.ops._op import Arguments, Example, Exponents, Gauges, Multilinear, Rows, is_odd
from nbody_ref.ops.message_table import listed_paths
from nbody_ref.tables import CGTable, cg_coo, check_basis

__all__ = ["CG_PRODUCT", "ProductTable", "cg_product", "cg_product_jvp", "cg_product_vjp", "cg_product_vjp_jvp"]

Array = np.ndarray[Any, Any]
ProductPath = tuple[int, int, Irrep]
Coupling = Callable[[int, int, int], CGTable]
Legs = tuple[ProductArrays, ProductArrays, ProductArrays]


@dataclass(frozen=True)
class ProductTable:
    """Paths of a product: part of a, part of b, irrep of the result.

    Attributes
    ----------
    irreps_a, irreps_b, irreps_out : Irreps
        The last has one part for each path, in path order.
    mode : {"full", "channelwise"}
        "full": channel (u, v) = u * mul_b + v. "channelwise": equal channel counts, c = u = v.
    paths : tuple of (int, int, Irrep)
    basis : {"real", "complex"}

    Raises
    ------
    IrrepsError
        If a path does not exist or there is none, or channel counts differ in a channelwise product.

    Examples
    --------
    >>> from nbody_ref.ops.cg_product import ProductTable
    >>> table = ProductTable.build("1x1o", "1x1o")
    >>> str(table.irreps_out)
    '1x0e + 1x1e + 1x2e'
    """

    irreps_a: Irreps
    irreps_b: Irreps
    mode: str
    paths: tuple[ProductPath, ...]
    basis: str = "real"

    def __post_init__(self) -> None:
        a, b = Irreps(self.irreps_a), Irreps(self.irreps_b)
        if not isinstance(self.mode, str) or self.mode not in ("full", "channelwise"):
            raise IrrepsError(f"ProductTable: 'mode' must be 'full' or 'channelwise', got {self.mode!r}")
        check_basis("ProductTable", self.basis)
        found = tuple(_checked_path(a, b, path) for path in self.paths)
        if not found:
            raise IrrepsError(f"ProductTable: no path from ({a}) x ({b}) to the irreps asked for")
        if self.mode == "channelwise" and any(a[i].mul != b[j].mul for i, j, _ in found):
            raise IrrepsError(f"ProductTable: a channelwise product needs equal multiplicities, got ({a}) x ({b})")
        for name, value in (("irreps_a", a), ("irreps_b", b), ("paths", found)):
            object.__setattr__(self, name, value)  # NumPy's integers would overflow

    @classmethod
    def build(
        cls,
        irreps_a: Irreps | str,
        irreps_b: Irreps | str,
        mode: str = "full",
        paths: Iterable[ProductPath] | None = None,
        out: Collection[Irrep | str] | None = None,
        basis: str = "real",
    ) -> ProductTable:
        """Check the paths, or list all admissible ones: parts of a, then parts of b, then l ascending.

        Parameters
        ----------
        irreps_a, irreps_b : Irreps or str
        mode : {"full", "channelwise"}
        paths : iterable of (part of a, part of b, Irrep), optional
        out : collection of Irrep, optional
            Irreps of the result to keep; None keeps all.
        basis : {"real", "complex"}

        Raises
        ------
        IrrepsError
            If a path does not exist, channel counts differ in a channelwise product, or no path is left.
        """
        a, b = Irreps(irreps_a), Irreps(irreps_b)
        if paths is None:
            pairs = [(i, j) for i in range(len(a)) for j in range(len(b))]
            found = tuple((i, j, irrep) for i, j in pairs for irrep in a[i].irrep * b[j].irrep)
        else:
            found = listed_paths("ProductTable", paths)
        if out is not None:
            kept = {Irrep.parse(irrep) for irrep in out}
            found = tuple(path for path in found if Irrep.parse(path[2]) in kept)
        return cls(a, b, mode, found, basis)

    @cached_property
    def irreps_out(self) -> Irreps:
        """One part for each path."""
        a, b, full = self.irreps_a, self.irreps_b, self.mode == "full"
        return Irreps((a[i].mul * (b[j].mul if full else 1), irrep) for i, j, irrep in self.paths)

    def arrays(self, dtype: Any) -> Legs:
        """The form towards the result, towards a and towards b, values in the real precision of `dtype`; shared."""
        single = np.dtype(dtype) in (np.float32, np.complex64)
        return _arrays(self, "float32" if single else "float64")


def cg_product(a: Array, b: Array, table: ProductTable) -> Array:
    r"""Clebsch-Gordan product of two states, eq. (13), sec. 4.1.

    .. math:: y_{p,m,(u v)} = \sum_{m_1 m_2} C_{m_1 m_2 m}\, a_{m_1,u} b_{m_2,v}

    Parameters
    ----------
    a : (N, table.irreps_a.dim) float64, float32, complex128 or complex64
        States, parts (2l+1, mul) side by side, m = -l..l.
    b : (N, table.irreps_b.dim) same dtype
    table : ProductTable

    Returns
    -------
    (N, table.irreps_out.dim) same dtype
        One part for each path.

    Raises
    ------
    ShapeError, DTypeError
        If a shape or dtype does not match.

    Notes
    -----
    |computed - exact| <= k u S, S = sum|C a b|, k = ceil(n/2) + 4 for n terms. Derivation:
    docs/derivations/cg_product.md; gradient `cg_product_vjp`.

    Examples
    --------
    >>> from nbody_ref.ops.cg_product import ProductTable, cg_product
    >>> import numpy as np
    >>> table = ProductTable.build("1x1o", "1x1o")
    >>> cg_product(np.eye(3)[:1], np.eye(3)[:1], table).round(3)
    array([[-0.577,  0.   ,  0.   ,  0.   ,  0.   ,  0.   , -0.408,  0.   ,
            -0.707]])
    """
    return CG_PRODUCT.value(a, b, table)


class _CGProduct(Multilinear):
    inputs, statics = ("a", "b"), ("table",)

    def check(self, function: str, a: Any, b: Any, table: Any) -> Arguments:
        check_type(function, "table", table, ProductTable)
        a = check_array(function, "a", a, (None, table.irreps_a.dim), REAL_OR_COMPLEX)
        b = check_array(function, "b", b, (len(a), table.irreps_b.dim), REAL_OR_COMPLEX)
        check_same_dtype(function, a=a, b=b)
        return Arguments((a, b), (table,), (len(a), table.irreps_out.dim), a.dtype)

    def forward(self, a: Array, b: Array, table: ProductTable, out: Array | None = None) -> Array:
        return add_form(out, a, b, table.arrays(a.dtype)[0])

    def adjoint(self, k: int, y_bar: Array, a: Array, b: Array, table: ProductTable, out: Array | None = None) -> Array:
        r""".. math:: \bar a_{m_1,u} = \sum_{p,m,m_2,v} C_{m_1 m_2 m}\, b_{m_2,v}\, \bar y_{p,m,(u v)}, \qquad
        \bar b_{m_2,v} = \sum_{p,m,m_1,u} C_{m_1 m_2 m}\, a_{m_1,u}\, \bar y_{p,m,(u v)}
        """
        _, to_a, to_b = table.arrays(a.dtype)
        if k == 0:
            return add_form(out, b, y_bar, to_a)  # D2
        return add_form(out, a, y_bar, to_b)  # D3

    def example(self, rng: np.random.Generator) -> Example:
        return [rng.normal(size=(3, 5)), rng.normal(size=(3, 3))], [ProductTable.build("2x0e + 1x1o", "1x1o")]

    def exact(self, gauges: Gauges, a: Rows, b: Rows, table: ProductTable) -> Rows:
        gauge, found = gauges("norm"), []
        for x, y in zip(a, b, strict=True):
            left, right, parts = unflatten(table.irreps_a, x), unflatten(table.irreps_b, y), []
            for i, j, irrep in table.paths:
                us, vs = left[i][1], right[j][1]
                pairs = [(u, v) for u in us for v in vs] if table.mode == "full" else zip(us, vs, strict=True)
                parts.append((irrep, [fragment_product(u, v, irrep.l, gauge) for u, v in pairs]))
            found.append(flatten(parts))
        return found

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str, table: ProductTable) -> None:
        letters = ("u", "v", "", "uv") if table.mode == "full" else ("u", "u", "", "u")
        paths = [CoupledPath(i, j, k, letters) for k, (i, j, _) in enumerate(table.paths)]
        types = table.irreps_a, table.irreps_b, table.irreps_out
        columns, rows = coupled_columns(types, paths, table.basis), np.arange(low.shape(inputs[0])[0])
        low.sum(out, columns.terms(low, inputs, rows, (len(rows), table.irreps_out.dim), (rows, rows)))

    def phase(self, known: Sequence[Exponents], table: ProductTable) -> Exponents:
        (a, b), left, right = known, table.irreps_a, table.irreps_b
        return tuple((a[i] + b[j] + is_odd(left[i], right[j], irrep)) % 4 for i, j, irrep in table.paths)


CG_PRODUCT = _CGProduct(cg_product)
cg_product_jvp, cg_product_vjp, cg_product_vjp_jvp = CG_PRODUCT.derivatives()


def add_form(out: Array | None, left: Array, right: Array, arrays: ProductArrays) -> Array:
    """Add the form to every row of `out`, or of zeros, unchecked and over any ring."""
    out = np.zeros((len(left), int(arrays.sizes[0])), left.dtype) if out is None else out
    flat = out.reshape(-1), left.reshape(-1), right.reshape(-1)
    cg_terms(*flat, np.uintp(0), np.uintp(len(left)), arrays, np.zeros(1, out.dtype)[0])
    return out


def _checked_path(a: Irreps, b: Irreps, path: ProductPath) -> ProductPath:
    given = listed_paths("ProductTable", (path,))[0]
    i, j = (check_integer("ProductTable", "paths", number) for number in given[:2])
    irrep = Irrep.parse(given[2])
    if i >= len(a) or j >= len(b) or irrep not in a[i].irrep * b[j].irrep:
        raise IrrepsError(f"ProductTable: 'paths' has ({i}, {j}, {irrep}), which ({a}) x ({b}) lacks")
    return i, j, irrep


@cache
def _arrays(table: ProductTable, dtype: str) -> Legs:
    return product_arrays(table, lambda l1, l2, l: cg_coo(l1, l2, l, table.basis, dtype), np.dtype(dtype))


def product_arrays(table: ProductTable, coupling: Coupling, dtype: Any) -> Legs:
    """Lay out the three directions of the form; any ring, since `coupling` supplies the values."""
    a, b, full = table.irreps_a, table.irreps_b, table.mode == "full"
    terms: list[tuple[Any, ...]] = []
    for p, ((i, j, irrep), o) in enumerate(zip(table.paths, table.irreps_out.offsets, strict=True)):
        mu, mv = a[i].mul, b[j].mul
        step = mu * mv if full else mu
        for m1, m2, m, value in zip(*coupling(a[i].irrep.l, b[j].irrep.l, irrep.l), strict=True):
            at = (o + int(m) * step, a.offsets[i] + int(m1) * mu, b.offsets[j] + int(m2) * mv)
            terms.append((p, mu, mv, *at, value))
    dims = table.irreps_out.dim, a.dim, b.dim
    legs = (0, 1, 2), (1, 2, 0), (2, 1, 0)
    roles = (TO_BOTH, SUM_BOTH, SUM_LEFT) if full else (CHANNELWISE,) * 3
    return tuple(_blocks(terms, leg, role, dims, dtype) for leg, role in zip(legs, roles))  # type: ignore[return-value]


def _blocks(
    terms: list[tuple[Any, ...]], legs: tuple[int, ...], role: Any, dims: tuple[int, ...], dtype: Any
) -> ProductArrays:
    """Sort terms by output row and channel counts, and pair them; an odd one is repeated with value zero."""
    groups: dict[tuple[int, ...], list[tuple[Any, ...]]] = {}
    o, left, right = (leg + 3 for leg in legs)
    for term in terms:
        groups.setdefault((term[o], term[1], term[2]), []).append((term[left], term[right], term[6]))
    blocks: list[tuple[int, ...]] = []
    values: list[Any] = []
    for key in sorted(groups):
        group = groups[key]
        for i in range(0, len(group), 2):
            count = min(2, len(group) - i)
            (a0, b0, v0), (a1, b1, v1) = group[i], group[i + count - 1]
            blocks.append((count, *key, a0, a1, b0, b1))
            values += [v0, v1 if count == 2 else v1 * 0]
    sizes = np.array([dims[leg] for leg in legs], np.uintp)
    return ProductArrays(role, np.array(blocks, np.uintp).reshape(-1), np.array(values, dtype), sizes)
