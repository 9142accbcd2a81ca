"""Operations from their JSON descriptions: the inverse of every ``to_dict``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from nbody_ref.conformance.operations.composite import Contraction, Fusion, Mixing, RadialBasis
from nbody_ref.conformance.operations.composite_cases import model_of
from nbody_ref.conformance.operations.networks import GateOperation
from nbody_ref.conformance.operations.operation import Coupling, Harmonics, Operation, Product, Rotation
from nbody_ref.errors import DataError
from nbody_ref.exact.surd import Surd
from nbody_ref.fusion import Diagram, Term
from nbody_ref.gates.terms import Gate
from nbody_ref.irreps import Irreps
from nbody_ref.models.registry import model_from_dict
from nbody_ref.network import Network, Spec
from nbody_ref.ops.radial import radial_from_dict

__all__ = ["operation_from_dict"]


def operation_from_dict(data: Mapping[str, Any]) -> Operation:
    """The operation that a description stands for.

    Raises
    ------
    DataError
        If it is none, or one of a model that is no network of this package.
    """
    name = data.get("operation")
    if name not in KINDS:
        raise DataError(f"conformance: 'operation' must be one of {', '.join(KINDS)}, got {name!r}")
    try:
        return KINDS[name](data)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"conformance: this is no description of {name}: {error}") from error


def _fusion(data: Mapping[str, Any]) -> Fusion:
    terms = [
        Term(Diagram(_tuple(row["tree"]), row["legs"], row["outputs"]), _tuple(row["sources"])) for row in data["terms"]
    ]
    coefficients = tuple(_surd(pair) for pair in data["coefficients"])
    return Fusion(tuple(Irreps(text) for text in data["irreps"]), tuple(terms), data["mode"], coefficients)


def _model(data: Mapping[str, Any]) -> Operation:
    if "published" in data["model"]:
        spec = data["model"]["published"]
        return model_of(model_from_dict(spec, None), data["label"])  # type: ignore[arg-type]  # weights are inputs
    return model_of(Network(Spec.from_dict(data["model"]["network"])), data["label"])


def _surd(pair: Any) -> Surd:
    ratio = Fraction(pair[1])
    return Surd(pair[0], ratio.numerator, ratio.denominator)


def _tuple(value: Any) -> Any:
    return tuple(_tuple(x) for x in value) if isinstance(value, list | tuple) else value


KINDS: dict[str, Callable[[Mapping[str, Any]], Operation]] = {
    "coupling": lambda d: Coupling(d["l1"], d["l2"], d["l"]),
    "rotation": lambda d: Rotation(d["l"]),
    "solid": lambda d: Harmonics(d["lmax"], d["normalization"], True),
    "spherical": lambda d: Harmonics(d["lmax"], d["normalization"], False),
    "product": Product.from_dict,
    "convolution": Product.from_dict,
    "radial": lambda d: RadialBasis(radial_from_dict(d["basis"]), d["lmax"]),
    "mixing": lambda d: Mixing(Irreps(d["irreps_in"]), Irreps(d["irreps_out"]), d["n_kinds"]),
    "contraction": lambda d: Contraction(Irreps(d["irreps"]), Irreps(d["irreps_out"]), d["order"], d["n_kinds"]),
    "fusion": _fusion,
    "gate": lambda d: GateOperation(Gate.from_dict(d["gate"]), Irreps(d["irreps_in"]), d["n_kinds"], d["label"]),
    "model": _model,
}
