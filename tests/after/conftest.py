"""One small potential, in a file, for all tests of this folder."""

import pytest
from ase import Atoms
from ase.io import write

from nbody_ref import cli
from nbody_ref.fit import ethanol, fit


@pytest.fixture(scope="session")
def potential():
    return fit(ethanol()[:40], size="small", smoothness=1.5, progress=False, curve=False, errors=False)


@pytest.fixture(scope="session")
def atoms():
    frame = ethanol()[0]
    return Atoms(frame.numbers, frame.positions)


@pytest.fixture(scope="session")
def files(potential, tmp_path_factory):
    """A model file and a file of two geometries."""
    folder = tmp_path_factory.mktemp("model")
    potential.save(folder / "p.safetensors")
    images = [Atoms(frame.numbers, frame.positions) for frame in ethanol()[:2]]
    write(folder / "two.xyz", images, format="extxyz")
    return folder / "p.safetensors", folder / "two.xyz"


@pytest.fixture
def run(capsys):
    """The command: exit status, output, errors; a traceback would surface as an exception."""

    def call(*arguments):
        try:
            status = cli.main([str(a) for a in arguments])
        except SystemExit as exit_:
            status = exit_.code
        return (status, *capsys.readouterr())

    return call
