"""No index reaches a kernel unchecked: tables and sparse matrices made by hand are refused as lists of edges are."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from nbody_ref.errors import NBodyRefError
from nbody_ref.fusion import FusionTable, all_terms, left_comb
from nbody_ref.graphs import Edges, Graph
from nbody_ref.irreps import Irreps
from nbody_ref.ops.arrange import bias
from nbody_ref.ops.channel_mixing import ChannelMixingTable, channel_mixing
from nbody_ref.ops.linear import affine
from nbody_ref.ops.mixing import MixingTable, mixing
from nbody_ref.ops.radial_weights import RadialTable, radial_weights
from nbody_ref.ops.weight_map import WeightMap

FAR = 10**9


def sparse(column=1, end=2, dtype=np.int32):
    """A 2 x 3 matrix whose index arrays are changed after SciPy has seen them."""
    matrix = csr_array(([1.0, 1.0], ([0, 1], [0, 1])), shape=(2, 3))
    matrix.indices, matrix.indptr = np.array([0, column], dtype), np.array([0, 1, end], dtype)
    return matrix


MIX, CHANNELS = MixingTable.build("2x0e", "1x0e"), ChannelMixingTable.build("2x0e + 2x0e", "2x0e")
FUSION = FusionTable.build(["2x0e + 2x1o"], all_terms(["2x0e + 2x1o"], left_comb(2), roots=("0e",)))
KINDS = ([0, FAR], [0, 2], [0, -1], [0, 2**63 - 1], np.array([0, 2**64 - 1], np.uintp))
DOORS = {
    "affine, column": lambda far: affine(np.zeros((3, 3)), sparse(column=FAR if far else 1)),
    "affine, negative column": lambda far: affine(np.zeros((3, 3)), sparse(column=-1 if far else 1)),
    "affine, pointer": lambda far: affine(np.zeros((3, 3)), sparse(end=4000 if far else 2)),
    "weight map, column": lambda far: WeightMap((3,), (2,), sparse(column=FAR if far else 2)),
    "weight map, shape": lambda far: WeightMap((3,), (40 if far else 2,), sparse()),
    "weight map, dense": lambda far: WeightMap((3,), (2,), np.zeros((2, 3)) if far else sparse()),
    "channels by hand": lambda far: ChannelMixingTable(Irreps("2x0e"), Irreps("64x0e" if far else "2x0e")),
    "mixing by hand": lambda far: MixingTable(Irreps("2x0e"), Irreps("2x1o" if far else "1x0e")),
    "radial functions by hand": lambda far: RadialTable(1, 2, (0, 1), (1, 1), (0, FAR if far else 1)),
    "degrees by hand": lambda far: RadialTable(1, 2, (0, FAR if far else 1), (1, 1)),
    "fusion, part": lambda far: replace(FUSION, selection=(((1, FAR if far else 0, 1),), *FUSION.selection[1:])),
    "fusion, slot": lambda far: replace(FUSION, selection=(((FAR if far else 1, 0, 1),), *FUSION.selection[1:])),
    "fusion, result": lambda far: replace(FUSION, irreps_out=Irreps("64x0e + 2x0e") if far else FUSION.irreps_out),
    "fusion, stage": lambda far: replace(FUSION, stages=(replace(FUSION.stages[0], a=FAR if far else 0),)),
}


@pytest.mark.parametrize("name", DOORS)
def test_what_reaches_beyond_its_arrays_is_refused_and_its_neighbour_is_not(name):
    DOORS[name](False)
    with pytest.raises(NBodyRefError):
        DOORS[name](True)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_kinds_beyond_the_weights_are_refused(kind):
    rows = np.zeros((2, 2))
    copies = RadialTable(0, 2, (0,), (1,))
    for run in (
        lambda k: mixing(rows, np.zeros((2, 2)), k, MIX),
        lambda k: channel_mixing(np.zeros((2, 4)), np.zeros((2, 4)), k, CHANNELS),
        lambda k: bias(rows, np.zeros((2, 2)), k),
        lambda k: radial_weights(np.zeros((2, 1, 2)), np.zeros((2, 2)), k, copies),
    ):
        run([0, 1])
        with pytest.raises(NBodyRefError, match=r"'kind' must lie in 0..1"):
            run(kind)


@pytest.mark.parametrize("ptr", [[0, 2], [0, 4], [1, 3], [3, 0], [0, 2, 1, 3], [], [0, FAR]], ids=str)
def test_pointers_of_frames_are_checked(ptr):
    edges = Edges.build([0, 1, 2], [1, 2, 0], 3, 3)
    make = lambda p: Graph(  # noqa: E731
        np.eye(3),
        np.ones(3, int),
        np.array(p, np.uintp),
        edges,
        5.0,
        np.zeros((3, 3), np.int64),
        np.zeros((len(p) - 1, 3, 3)),
    )
    make([0, 3])
    with pytest.raises(NBodyRefError):
        make(ptr) if ptr else make([0, 3]).__class__(**{**vars(make([0, 3])), "frame_ptr": np.array([], np.uintp)})
