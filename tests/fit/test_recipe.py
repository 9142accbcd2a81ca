"""A fit that is started from its fit.toml has the same bits; what the file cannot mean is refused by name."""

import pytest
from ase.io import read, write

from nbody_ref import cli
from nbody_ref.fit import load
from nbody_ref.fit.reading import ETHANOL

FAST = ["--size", "small", "--smoothness", "1.5", "--regularisation", "1e-4"]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    write(folder / "a.xyz", read(ETHANOL, index="3:19"), format="extxyz")
    arguments = ["fit", str(folder / "a.xyz"), "-o", str(folder / "run"), "--n-train", "12", "--seed", "4", *FAST]
    assert cli.main(arguments) == 0
    return folder


def test_a_fit_from_its_recipe_has_the_same_bits(fitted, tmp_path):
    assert 'file = ["../a.xyz"]' in (fitted / "run" / "fit.toml").read_text()
    assert cli.main(["fit", str(fitted / "run" / "fit.toml"), "-o", str(tmp_path / "again")]) == 0
    first, again = (load(p / "potential.safetensors") for p in (fitted / "run", tmp_path / "again"))
    assert {k: v.tobytes() for k, v in first.network.parameters.items()} == {
        k: v.tobytes() for k, v in again.network.parameters.items()
    }
    text = (tmp_path / "again" / "fit.toml").read_text()
    assert text.splitlines()[2:] == (fitted / "run" / "fit.toml").read_text().splitlines()[2:]  # the path differs


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("smothness = 1.5", "no option 'smothness'; did you mean 'smoothness'?"),
        ("cutoff = true", "'cutoff' must be a text or a number"),
        ('anyway = "yes"', "'anyway' must be true or false"),
        ('size = "huge"', "invalid choice"),
    ],
)
def test_what_a_recipe_cannot_mean_is_refused_by_name(tmp_path, capsys, line, words):
    (tmp_path / "fit.toml").write_text(f'file = ["a.xyz"]\n{line}\n')
    with pytest.raises(SystemExit, match="2"):
        cli.main(["fit", str(tmp_path / "fit.toml"), "-o", str(tmp_path / "out")])
    assert words in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_recipe_that_is_no_toml_is_one_sentence(tmp_path, capsys):
    (tmp_path / "fit.toml").write_text("file = [")
    assert cli.main(["fit", str(tmp_path / "fit.toml")]) == 1
    assert "is no TOML" in capsys.readouterr().err
