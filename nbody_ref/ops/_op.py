"""One operation as one object: its four functions, its exact meaning, its certified terms, its phase, its checks.

Whoever needs one of them asks the op: a program runs it, `nbody_ref.gates.over_ring` asks for its meaning over a ring,
the conformance kit for its terms, the change of gauge for its phase, the tests for an example. An op is an instance of
a subclass and registers itself when it is made, a user's too (`nbody_ref.ops.REGISTRY`).

An op that is linear in its arrays states its checks, its `forward` and its hand-derived `adjoint`; the rest follows:

.. math:: \\dot y = \\sum_k f(\\ldots, \\dot x_k, \\ldots), \\qquad
          \\dot{\\bar x}_k = A_k(\\dot{\\bar y}; x) + \\sum_{j \\ne k} A_k(\\bar y; \\ldots, \\dot x_j, \\ldots)

with A_k the adjoint towards x_k. Derivation: docs/derivations/chain.md (D6, D7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from inspect import Parameter, Signature, cleandoc
from pkgutil import iter_modules
from typing import Any, NamedTuple

import numpy as np

from nbody_ref.certified.lowering import Lowering
from nbody_ref.errors import NBodyRefError, ShapeError
from nbody_ref.exact.gauges import Gauge
from nbody_ref.ops._check import check_array, check_like, check_needs

__all__ = [
    "REGISTRY",
    "Arguments",
    "CheckedOp",
    "Example",
    "Exponents",
    "Gauges",
    "Linear",
    "Multilinear",
    "Op",
    "Rows",
    "is_odd",
    "load_ops",
]

Array = np.ndarray[Any, Any]
Rows = list[list[Any]]  # an array over any ring, row by row
Gauges = Callable[[str], Gauge]  # by normalization of the harmonics
Exponents = tuple[int, ...]  # powers of i, one for each part of a state
Example = tuple[list[Array], list[Any]]
POWERS_OF_I = np.array([1, 1j, -1, -1j])
ROOMS = ("nbody_ref.ops", "nbody_ref.fusion")  # where this package's ops are
_KNOWN: dict[str, Op] = {}


class Op:
    """The four functions of one operation, and what else there is to know about it.

    ``f(*arrays, *statics)``, ``jvp(*arrays, *dots, *statics)``, ``vjp(y_bar, *arrays, *statics, needs=None)`` and
    ``vjp_jvp(y_bar, *arrays, y_bar_dot, *dots, *statics, needs=None)``; absent tangents are None and stand for zero.

    Parameters
    ----------
    name : str
    f, jvp, vjp, vjp_jvp : callable
    """

    def __init__(
        self,
        name: str,
        f: Callable[..., Array],
        jvp: Callable[..., Array | None],
        vjp: Callable[..., tuple[Array | None, ...]],
        vjp_jvp: Callable[..., tuple[Array | None, ...]],
    ) -> None:
        self.name, self.f, self.jvp, self.vjp, self.vjp_jvp = name, f, jvp, vjp, vjp_jvp
        if type(self) is not Op:
            before = _KNOWN.setdefault(name, self)
            if type(before).__module__ != type(self).__module__:
                raise NBodyRefError(f"Op: 'name' must be new, got {name!r}, which {type(before).__module__} has")
            _KNOWN[name] = self

    def __reduce__(self) -> Any:
        """A registered op is pickled as its name and the module that it is found in."""
        if _KNOWN.get(self.name) is self:
            return _registered, (type(self).__module__, self.name)
        return super().__reduce__()

    def with_functions(self, **functions: Callable[..., Any]) -> Op:
        """The same op with some of f, jvp, vjp, vjp_jvp replaced; it is not registered."""
        other = object.__new__(type(self))  # not by `copy`, which gives a registered op back as itself
        vars(other).update(vars(self) | functions)
        return other

    def example(self, rng: np.random.Generator) -> Example:
        """Small arguments: arrays, statics."""
        raise NBodyRefError(f"Op: {self.name!r} has no example")

    def exact(self, gauges: Gauges, *arguments: Any) -> Rows:
        """The definition over any ring, of rows and statics.

        Raises
        ------
        NBodyRefError
            If there is none.
        """
        raise NBodyRefError(f"run: 'chain' has a step {self.name!r}, which has no definition over a ring")

    def lower(self, low: Lowering, inputs: tuple[str, ...], out: str, *statics: Any) -> None:
        """Append what is certified to equal a step ``out = f(*inputs, *statics)``.

        Raises
        ------
        NBodyRefError
            If nothing is.
        """
        raise NBodyRefError(f"conformance: a step {self.name!r} has no certified values")

    def phase(self, known: Sequence[Exponents], *statics: Any) -> Exponents:
        """Powers of i that parts of the result of a real network carry in the complex gauge; empty: none."""
        return ()

    def weight_phase(self, known: Sequence[Exponents], *statics: Any) -> tuple[int, Array] | None:
        """Which input is a weight, and the factor of each of its columns in the complex gauge; None: no input is."""
        return None


class Arguments(NamedTuple):
    """Arguments as an op's own methods read them; shape and dtype of the result; shapes of unlike tangents."""

    arrays: Sequence[Array]
    statics: Sequence[Any]
    shape: tuple[int, ...]
    dtype: Any
    dots: Sequence[tuple[int, ...]] | None = None


class CheckedOp(Op):
    """An op whose functions check their arguments alike, in one place.

    A subclass says what its arguments are called, and defines `check`; `forward`, `tangent`, `cotangents` and `turning`
    read what that returns.

    Parameters
    ----------
    f : callable
        The public function, which calls `value`; the others get its name and module.
    """

    inputs: tuple[str, ...] = ("x",)  # "x_*": any number of arrays
    statics: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = {}  # of statics
    dots: tuple[str, ...] = ()  # names of tangents, if not x_dot
    likely = "*arrays"  # tangents for the example
    result = "y"

    def __init__(self, f: Callable[..., Array]) -> None:
        name, bar = f.__name__, f"{self.result}_bar"
        self.many = "*" in self.inputs[0]
        dots = self.dots = self.dots or tuple(f"{x}_dot" for x in self.inputs)
        first, moved, zero = [*self.inputs], [*dots, *self.statics], "None where all tangents are"
        bars, gap, more = cleandoc(self.cotangents.__doc__ or "").partition("\n\n")
        bars = bars.replace("\n", "\n   ") + gap + more  # further lines of the equation belong to its directive
        super().__init__(
            name,
            f,
            self._public(f, "_jvp", self._jvp, first + moved, f"Tangent of `{name}`; {zero}."),
            self._public(f, "_vjp", self._vjp, [bar, *first, *self.statics], f"Cotangents of `{name}`.\n\n{bars}"),
            self._public(
                f,
                "_vjp_jvp",
                self._vjp_jvp,
                [bar, *first, f"{bar}_dot", *moved],
                f"Tangents of the cotangents that `{name}_vjp` returns; {zero}.",
            ),
        )

    def check(self, function: str, *arguments: Any) -> Arguments:
        """Arguments as the methods below read them, or an error in the name of `function`."""
        raise NotImplementedError

    def forward(self, *arguments: Any) -> Any:
        """The value, of arrays and statics."""
        raise NotImplementedError

    def tangent(self, *arguments: Any) -> Any:
        """Its tangent, of arrays, tangents (one at least is not None) and statics."""
        raise NotImplementedError

    def cotangents(self, needs: tuple[bool, ...], y_bar: Array, *arguments: Any) -> Sequence[Any]:
        """Cotangents of the arrays; those that are not needed are not looked at."""
        raise NotImplementedError

    def turning(self, needs: tuple[bool, ...], y_bar: Array, *arguments: Any) -> Sequence[Any]:
        """Tangents of the cotangents, of arrays, y_bar_dot, tangents (one of these is not None) and statics."""
        raise NotImplementedError

    def value(self, *arguments: Any) -> Array:
        """The checked value."""
        given = self.check(self.name, *arguments)
        return np.asarray(self.forward(*given.arrays, *given.statics))

    def derivatives(self) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
        """jvp, vjp and vjp_jvp."""
        return self.jvp, self.vjp, self.vjp_jvp

    def _jvp(self, *arguments: Any) -> Array | None:
        name = f"{self.name}_jvp"
        arrays, dots, statics = self._split(name, arguments, 0)
        given = self.check(name, *arrays, *statics)
        dots = self._like(name, given, dots)
        if all(dot is None for dot in dots):
            return None
        return np.asarray(self.tangent(*given.arrays, *dots, *given.statics))

    def _vjp(self, *arguments: Any, needs: tuple[bool, ...] | None = None) -> tuple[Array | None, ...]:
        name = f"{self.name}_vjp"
        given = self.check(name, *arguments[1:])
        y_bar = check_array(name, f"{self.result}_bar", arguments[0], given.shape, (given.dtype,))
        wanted = check_needs(name, needs, len(given.arrays))
        return self._wanted(self.cotangents, wanted, y_bar, *given.arrays, *given.statics)

    def _vjp_jvp(self, *arguments: Any, needs: tuple[bool, ...] | None = None) -> tuple[Array | None, ...]:
        name, bar = f"{self.name}_vjp_jvp", f"{self.result}_bar"
        arrays, dots, statics = self._split(name, arguments[1:], 1)
        given = self.check(name, *arrays, *statics)
        y_bar = check_array(name, bar, arguments[0], given.shape, (given.dtype,))
        moved = [check_like(name, f"{bar}_dot", dots[0], y_bar), *self._like(name, given, dots[1:])]
        wanted = check_needs(name, needs, len(given.arrays))
        if all(dot is None for dot in moved):
            return (None,) * len(wanted)
        return self._wanted(self.turning, wanted, y_bar, *given.arrays, *moved, *given.statics)

    def _wanted(
        self, method: Callable[..., Sequence[Any]], needs: tuple[bool, ...], *arguments: Any
    ) -> tuple[Array | None, ...]:
        bars = method(needs, *arguments) if any(needs) else needs
        return tuple(bar if need else None for bar, need in zip(bars, needs, strict=True))

    def _split(self, function: str, arguments: Sequence[Any], extra: int) -> tuple[Any, Any, Any]:
        """Arrays; `extra` cotangents and the tangents of the arrays; statics."""
        end = len(arguments) - len(self.statics)
        count = (end - extra) // 2
        if count < 1 or 2 * count + extra != end:
            rule = "there must be a tangent for each array"
            raise ShapeError(f"{function}: {rule}, got {len(arguments)} arguments")
        return arguments[:count], arguments[count:end], arguments[end:]

    def _like(self, function: str, given: Arguments, dots: Sequence[Any]) -> list[Array | None]:
        names = [self.dots[0].replace("*", str(i)) for i in range(len(dots))] if self.many else self.dots
        if given.dots is None:
            pairs = zip(names, dots, given.arrays, strict=True)
            return [check_like(function, name, dot, x) for name, dot, x in pairs]
        found = zip(names, dots, given.dots, given.arrays, strict=True)
        return [None if v is None else check_array(function, name, v, n, (x.dtype,)) for name, v, n, x in found]

    def _public(
        self, f: Any, suffix: str, method: Callable[..., Any], names: Sequence[str], doc: str
    ) -> Callable[..., Any]:
        """A method as a function of the module of `f`: named, documented, arguments by position or keyword."""
        kind, empty = Parameter.POSITIONAL_OR_KEYWORD, Parameter.empty
        last = Parameter("needs", Parameter.KEYWORD_ONLY if self.many else kind, default=None)
        needs = [] if suffix == "_jvp" else [last]
        plain = [Parameter("arguments", Parameter.VAR_POSITIONAL)]
        if not self.many:
            plain = [Parameter(name, kind, default=self.defaults.get(name, empty)) for name in names]
        signature = Signature([*plain, *needs])

        def public(*arguments: Any, **keywords: Any) -> Any:
            if not self.many and (len(arguments) != len(plain) or keywords.keys() - {"needs"}):
                bound = signature.bind(*arguments, **keywords)
                bound.apply_defaults()
                arguments, rest = bound.args[: len(plain)], bound.args[len(plain) :]
                keywords = {"needs": rest[0]} if rest else {}
            return method(*arguments, **keywords)

        public.__name__ = public.__qualname__ = f.__name__ + suffix
        public.__module__, public.__doc__ = f.__module__, f"{doc}\n\n{_example(f, suffix, self.likely)}"
        public.__signature__ = signature  # type: ignore[attr-defined]
        return public


RETURNS = "Returns\n-------\ntuple of array or None\n    One for each array, of its shape and dtype.\n\n"
CALLS = {
    "_jvp": "{0}_jvp(*arrays, {1}, *statics).shape == {0}(*arrays, *statics).shape",
    "_vjp": "len({0}_vjp({0}(*arrays, *statics), *arrays, *statics)) == len(arrays)",
    "_vjp_jvp": "len({0}_vjp_jvp({0}(*arrays, *statics), *arrays, None, {1}, *statics)) == len(arrays)",
}


def _example(f: Any, suffix: str, dots: str) -> str:
    """What a derivative returns, and a call of it on the op's own example, as sections of its docstring."""
    given = f"arrays, statics = REGISTRY[{f.__name__!r}].example(np.random.default_rng(0))"
    lines = ("import numpy as np", "from nbody_ref.ops import REGISTRY", given, CALLS[suffix].format(f.__name__, dots))
    examples = "Examples\n--------\n" + "\n".join(f">>> {line}" for line in lines) + "\nTrue"
    return examples if suffix == "_jvp" else RETURNS + examples


class Linear(CheckedOp):
    """An op that is linear in all its arrays together, y = sum of A_k x_k; by hand are `forward` and `adjoint`."""

    def __init__(self, f: Callable[..., Array]) -> None:
        type(self).cotangents.__doc__ = type(self).adjoint.__doc__
        super().__init__(f)

    def adjoint(self, k: int, y_bar: Array, *arguments: Any) -> Any:
        """The cotangent of array k."""
        raise NotImplementedError

    def tangent(self, *arguments: Any) -> Any:
        """The value of the tangents."""
        arrays, dots, statics = self._split(self.name, arguments, 0)
        full = [np.zeros_like(x) if dot is None else dot for x, dot in zip(arrays, dots, strict=True)]
        return self.forward(*full, *statics)

    def cotangents(self, needs: tuple[bool, ...], y_bar: Array, *arguments: Any) -> Sequence[Any]:
        """The adjoint of each array."""
        return [self.adjoint(k, y_bar, *arguments) if need else None for k, need in enumerate(needs)]

    def turning(self, needs: tuple[bool, ...], y_bar: Array, *arguments: Any) -> Sequence[Any]:
        """The cotangents for the tangent of y_bar."""
        arrays, (y_bar_dot, *_), statics = self._split(self.name, arguments, 1)
        if y_bar_dot is None:
            return [None] * len(needs)
        return self.cotangents(needs, y_bar_dot, *arrays, *statics)


class Multilinear(Linear):
    """An op that is linear in each of its arrays by itself; by hand are `forward` and `adjoint`.

    Both take `out`, None or an array that they add to and return, so that the sums of the derivatives need no arrays in
    between.
    """

    def tangent(self, *arguments: Any) -> Any:
        """The sum of the values with one array replaced by its tangent."""
        arrays, dots, statics = self._split(self.name, arguments, 0)
        total = None
        forward: Callable[..., Any] = self.forward
        for moved in _each_moved(arrays, dots):
            total = forward(*moved, *statics, out=total)
        return total

    def turning(self, needs: tuple[bool, ...], y_bar: Array, *arguments: Any) -> Sequence[Any]:
        """The product rule applied to the adjoints."""
        arrays, (y_bar_dot, *dots), statics = self._split(self.name, arguments, 1)
        found: list[Array | None] = [None] * len(needs)
        adjoint: Callable[..., Any] = self.adjoint
        for k in (k for k, need in enumerate(needs) if need):
            others = [*dots[:k], None, *dots[k + 1 :]]  # the cotangent of x_k does not depend on x_k
            terms = [(y_bar, moved) for moved in _each_moved(arrays, others)]
            terms += [] if y_bar_dot is None else [(y_bar_dot, arrays)]
            for bar, values in terms:
                found[k] = adjoint(k, bar, *values, *statics, out=found[k])
        return found


def _each_moved(arrays: Sequence[Array], dots: Sequence[Array | None]) -> Iterator[Sequence[Array]]:
    """The arrays with one replaced by its tangent, for each that has one."""
    for k, dot in enumerate(dots):
        if dot is not None:
            yield [*arrays[:k], dot, *arrays[k + 1 :]]


def is_odd(*parts: Any) -> int:
    """Whether the degrees of three parts have an odd sum, which is the power of i of their vertex; parts or irreps."""
    return int(sum(getattr(part, "irrep", part).l for part in parts) % 2)


def _registered(module: str, name: str) -> Op:
    import_module(module)
    return _KNOWN[name]


@cache
def load_ops() -> None:
    """Import all modules of this package in which there are ops or radial families; they register themselves."""
    for room in ROOMS:
        for module in iter_modules(import_module(room).__path__, f"{room}."):
            import_module(module.name)


class _Registry(Mapping[str, Op]):
    """All ops by name, those of this package and those that a user made; the same whatever was imported before."""

    def _filled(self) -> dict[str, Op]:
        load_ops()
        return _KNOWN

    def __getitem__(self, name: str) -> Op:
        return self._filled()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._filled()))

    def __len__(self) -> int:
        return len(self._filled())


REGISTRY: Mapping[str, Op] = _Registry()
