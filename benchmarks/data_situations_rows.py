"""The rows of `data_situations.py`: each makes its file when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import write
from data_situations import (
    BOHR,
    FAST,
    HA,
    ISOLATED,
    KCAL,
    KJ,
    MOLECULES,
    N,
    Row,
    along_modes,
    boxed,
    curve,
    dropped,
    labelled,
    made,
    moved,
    noted,
    npz,
    renamed,
    scaled,
    steps,
    turned,
)

HEAD = """# Data as they come

Situations from public reports of other programs, each tried on this one: what its first version did, and what it does
now. The page is made by `python benchmarks/data_situations.py --write docs/data_situations.md` from the ethanol of the
package, from Morse curves, and from labels of a fitted potential. Status 0: it is read, and nothing is wrong. Status 1
(of `check`) or 2 (of `fit`): it is refused, and the first line that was printed is shown, else the first notes.
Situations that are no matter of data (uncertainties, repulsion, dynamics, deployment) are left out."""

RNG = np.random.default_rng(1)
MODEL = "model/potential.safetensors"
AU = dict(e=1 / HA, f=BOHR / HA)


def REPORTED() -> Iterator[Row]:
    """Situations 1 to 52 of public reports."""
    c = "check"
    dft = made("dft.xyz", renamed("dft_energy", "dft_forces"))
    yield Row(
        "1", "mace 13, 17", "keys dft_energy, dft_forces", "refused, names listed", [c, dft, "--e0", "none"], True
    )
    typo = [c, dft, "--energy-key", "dft_enrgy"]
    yield Row("2", "metatrain 1159", "a mistyped key", "refused", typo, False)
    yield Row("3", "QUIP 156", "forces called force", "refused", [c, made("f.xyz", renamed("energy", "force"))], True)
    tot = made("tot.xyz", renamed("TotEnergy", "forces"))
    yield Row("4", "mace 960", "TotEnergy", "refused", [c, tot, "--e0", "none"], True)
    traj = []
    for a in MOLECULES[:N]:
        from ase.calculators.singlepoint import SinglePointCalculator

        b = Atoms(a.numbers, a.positions)
        b.calc = SinglePointCalculator(b, energy=a.info["REF_energy"], forces=a.arrays["REF_forces"])
        traj.append(b)
    write("t.traj", traj)
    yield Row("5", "mace 364, QUIP 529", "results of ASE calculators", "read", [c, "t.traj"], True)
    both = made("both.xyz", noted(energy=-1.0))
    yield Row("6", "mace 933", "REF_energy beside energy", "read, said", [c, both], True)
    yield Row("7", "psiflow 93", "a frame lacks forces", "refused", [c, made("part.xyz", dropped(0, 7))], True)
    only = made("eonly.xyz", renamed("REF_energy", None))
    yield Row("8", "metatrain 394", "energies only", "refused", ["fit", only, "-o", "eonly", *FAST], True)
    forces = made("fonly.xyz", renamed(None, "REF_forces"), isolated=False)
    yield Row("9", "mace 412", "forces only", "refused", ["fit", forces, "-o", "fonly", *FAST], True)
    zero = made("zero.xyz", scaled(0.0, 1.0))
    yield Row("10", "n2p2 162", "all energies zero", "accepted", ["fit", zero, "-o", "zero"], False)
    yield Row("10", "", "the same, forces alone", "not possible", [c, zero, "--ignore", "energies"], True)
    sgdml = npz("s.npz", KCAL, "RzEF", r_unit="Ang", e_unit="kcal/mol")
    yield Row("11", "load-atoms 78", "npz of sGDML", "unknown format", [c, sgdml], True)
    rmd17 = npz("r.npz", KCAL, ("coords", "nuclear_charges", "energies", "forces"))
    yield Row("11", "sGDML", "npz of rMD17", "unknown format", [c, rmd17], True)
    yield Row("12", "schnetpack 668", "labels in row.data", "refused", [c, _database()], True)
    yield Row("13", "deepmd-kit 203", "a folder of npy", "refused", [c, _deepmd()], True)
    made("part1.xyz", n=20)
    yield Row("14", "mlp-train", "many files, a pattern", "unknown argument", [c, "part*.xyz", "t.traj"], True)
    kcal = made("kcal.xyz", scaled(KCAL, KCAL), lambda e: e * KCAL)
    yield Row("15", "mace 630", "kcal/mol as eV", "refused", [c, kcal], False)
    yield Row("15", "", "the same, said", "read", [c, kcal, "--units", "kcal/mol,A"], True)
    nm = made("nm.xyz", scaled(KJ, 10 * KJ, 0.1), lambda e: e * KJ)
    yield Row("16", "openmm", "kJ/mol and nm as eV and Angstrom", "refused, without nm", [c, nm], False)
    yield Row("16", "", "the same, said", "read", [c, nm, "--units", "kJ/mol,nm"], True)
    ha = made("ha.xyz", scaled(**AU), lambda e: e / HA)
    hint = "refused; its hint led to another refusal"
    yield Row("17", "REANN 10", "Ha and Ha/bohr, positions in Angstrom", hint, [c, ha], False)
    yield Row(
        "17", "", "the same as --units Ha,A", "**accepted, forces wrong by 1.89**", [c, ha, "--units", "Ha,A"], False
    )
    right = [c, ha, "--units", "Ha,A", "--force-units", "Ha/bohr"]
    yield Row("17", "", "the same, said", "not possible", right, True)
    mixed = made("mix.xyz", scaled(1, BOHR / HA))
    yield Row("18", "", "eV beside Ha/bohr", "**accepted**", [c, mixed], False)
    yield Row("19", "", "forces 0.3 times too small", "**accepted**", [c, made("third.xyz", scaled(1, 0.3))], False)
    twice = made("twice.xyz", scaled(KCAL**2, KCAL**2))
    yield Row("20", "load-atoms 78", "multiplied instead of divided", "a hint in a circle", [c, twice], False)
    grad = made("grad.xyz", scaled(1, -1))
    yield Row("21", "pyscf 2844, cclib 1426", "gradients", "refused: multiply by -1", [c, grad], False)
    yield Row("21", "", "the same, said", "not possible", [c, grad, "--forces-are-gradients"], True)
    bound = made("bound.xyz", moved(lambda i: 4175.0))
    yield Row("22", "mace 581", "energies of atomisation beside total atoms", "**accepted**", [c, bound], False)
    dummy = made("dummy.xyz", atom=lambda e: 0.0)
    yield Row("23", "mace 326", "isolated atoms of energy 0", "**accepted**", [c, dummy], False)
    yield Row("23", "", "the same, without them", "not possible", [c, dummy, "--e0", "none"], True)
    write("few.xyz", [*ISOLATED[:2], *MOLECULES[:N]], format="extxyz")
    yield Row("25", "mace 276", "an isolated atom is missing", "refused", [c, "few.xyz"], False)
    e0 = [c, "few.xyz", "--e0", "H:-13.5576,C:-1026.77,O:-2037.575"]
    yield Row("26", "mace-jax 23", "energies of atoms on the command line", "not possible", e0, True)
    box = made("box.xyz", boxed(20.0), isolated=False)
    yield Row("27", "IPSuite 303, QUIP 263", "a molecule in a box", "refused, no way round", [c, box], False)
    yield Row("27", "", "the same, said", "not possible", [c, box, "--molecule"], True)
    small = made("small.xyz", boxed(7.0), isolated=False)
    yield Row("28", "mace 580", "a box that is too small", "refused", [c, small, "--molecule"], False)
    weights = made("w.xyz", noted(config_weight=lambda i: 1.0 + i % 2, stress=np.eye(3), dipole=np.ones(3)))
    yield Row("29-31", "mace 18, 1518, 12", "weights; stress, dipoles", "ignored, unsaid", [c, weights], True)
    out = made("out.xyz", moved(lambda i: 5.0 * (i == 11)))
    yield Row("33", "(SCF failure)", "one of 40 frames 5 eV off", "**accepted**", ["fit", out, "-o", "out"], False)
    order = RNG.permutation(N)
    shuffled = made("sh.xyz", lambda i, a: a.info.update(REF_energy=MOLECULES[order[i]].info["REF_energy"]))
    yield Row("34", "", "energies shuffled", "**accepted**", [c, shuffled], False)
    odd = made("odd.xyz", moved(lambda i: 2.0 * (i % 2)))
    yield Row("35", "", "two methods by turns", "**accepted**", [c, odd], False)
    test = ["fit", made("train.xyz"), "--test", made("copies.xyz", n=5), "-o", "copies", *FAST]
    yield Row("36", "GotenNet 10", "test frames in the training set", "counted", test, True)
    yield Row(
        "37", "mace 1317", "100 frames 1 fs apart", "**0.31 meV/A, true 154**", [c, steps(100, 1, "md.xyz")], True
    )
    yield Row("38", "", "two frames", "refused", ["fit", made("two.xyz", n=2), "-o", "two", *FAST], False)
    yield Row("38", "", "five frames", "read", ["fit", made("five.xyz", n=5), "-o", "five", *FAST], True)
    n2 = curve("n2.xyz", "N2", np.linspace(0.9, 1.6, 30), 1.098, 9.9, 2.69, -2970.0)
    yield Row("39", "", "a scan of N2", "refused as kcal/mol", [c, n2], True)
    text = Path("train.xyz").read_text()
    Path("cut.xyz").write_text(text[: len(text) // 2])
    yield Row("40", "", "a file that was cut", "refused", [c, "cut.xyz"], False)
    Path("stars.xyz").write_text(text.replace(text.split("\n")[-4].split()[-1], "*******"))
    yield Row("40", "", "stars for a number", "refused, no frame said", [c, "stars.xyz"], False)
    yield Row("41", "nequip 351", "two compositions, no atoms", "one error for both", [c, _two_molecules()], True)
    again = ["fit", "train.xyz", "-o", "model", *FAST]
    yield Row("52", "everyone", "a second fit into a folder", "**overwritten**", again, False)
    yield Row(
        "48", "mace 933", "--energy-weight", "not possible", [*again, "--overwrite", "--energy-weight", "10"], True
    )
    yield Row("49", "BOTNet sets", "a test set without forces", "refused", ["evaluate", MODEL, only], True)
    yield Row("49", "", "a test set without energies", "refused", ["evaluate", MODEL, forces], True)
    yield Row("51", "", "evaluate(p, list of atoms)", "AttributeError", ["evaluate", MODEL, "t.traj"], True)


def MORE() -> Iterator[Row]:
    """Situations of the same kinds that nobody reported."""
    c = "check"
    yield Row("a", "", "eV beside eV/bohr", "", [c, made("evb.xyz", scaled(1, BOHR))], False)
    yield Row("b", "", "meV throughout", "", [c, made("mev.xyz", scaled(1e3, 1e3), lambda e: 1e3 * e)], False)
    yield Row("c", "", "energies per atom", "", [c, made("pa.xyz", scaled(1 / 9, 1), isolated=False)], False)
    relative = made("rel.xyz", scaled(1, 1, shift=4202.0), isolated=False)
    yield Row("d", "", "energies above the minimum", "", [c, relative], True)
    one = made("one.xyz", lambda i, a: a.arrays["REF_forces"].__imul__(1 + (i == 11)))
    yield Row("e", "", "forces of one frame twice as large", "", [c, one], False)
    lost = made("lost.xyz", lambda i, a: a.info.update(REF_energy=0.0) if i == 11 else None)
    yield Row("f", "", "one energy is 0", "", [c, lost], False)
    fixed = made("fixed.xyz", lambda i, a: a.arrays["REF_forces"].__setitem__(0, 0.0))
    yield Row("g", "", "an atom held fixed", "", [c, fixed], False)
    swapped = made("swap.xyz", lambda i, a: a.arrays.update(REF_forces=a.arrays["REF_forces"][::-1].copy()))
    yield Row("h", "", "forces of atoms in another order", "", [c, swapped], False)
    yield Row("i", "", "two charges", "", [c, made("ion.xyz", noted(charge=lambda i: i % 2))], False)
    hcl = curve("hcl.xyz", "HCl", RNG.normal(1.27, 0.05, N), 1.27, 4.6, 1.87, -421.0)
    yield Row("j", "", "valence energies of a pseudopotential", "", [c, hcl], True)
    argon = curve("ar.xyz", "Ar2", np.linspace(3.3, 7, 30), 3.76, 0.0123, 1.7, -28680.0)
    yield Row("k", "", "a scan of an argon dimer", "", [c, argon], True)
    yield Row("l", "", "scans along modes, to 5 eV", "", [c, labelled(along_modes(), "modes.xyz")], True)
    yield Row("m", "", "a rigid turn of a group", "", [c, labelled(turned(), "turned.xyz")], True)
    delta = made("delta.xyz", scaled(0.02, 0.02), isolated=False)
    yield Row("n", "", "differences between two methods", "", [c, delta], True)
    excited = labelled(MOLECULES[:N], "s1.xyz", lambda a: 6.0)
    yield Row("o", "", "an excited state, beside atoms of the ground state", "", [c, excited, "--e0", "none"], True)


def _database() -> str:
    from ase.db import connect

    with connect("schnet.db") as database:
        database.metadata = {"_distance_unit": "Ang", "_property_unit_dict": {"energy": "eV", "forces": "eV/Ang"}}
        for a in MOLECULES[:N]:
            data = {"energy": np.array([a.info["REF_energy"]]), "forces": a.arrays["REF_forces"]}
            database.write(Atoms(a.numbers, a.positions), data=data)
    return "schnet.db"


def _deepmd() -> str:
    part = Path("dp/set.000")
    part.mkdir(parents=True)
    (part.parent / "type.raw").write_text(" ".join(str((6, 8, 1).index(int(z))) for z in MOLECULES[0].numbers))
    (part.parent / "type_map.raw").write_text("C O H")
    (part.parent / "nopbc").write_text("")
    np.save(part / "coord.npy", [a.positions.ravel() for a in MOLECULES[:N]])
    np.save(part / "energy.npy", [a.info["REF_energy"] for a in MOLECULES[:N]])
    np.save(part / "force.npy", [a.arrays["REF_forces"].ravel() for a in MOLECULES[:N]])
    return "dp"


def _two_molecules() -> str:
    """Ethanol and water on harmonic bonds."""
    rng, out = np.random.default_rng(2), []
    for _ in range(20):
        r = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]) + 0.03 * rng.standard_normal((3, 3))
        water = Atoms("OH2", r, info={"energy": -2079.0})
        f = np.zeros((3, 3))
        for i, j, rest, k in ((0, 1, 0.96, 40.0), (0, 2, 0.96, 40.0), (1, 2, 1.52, 10.0)):
            dist = np.linalg.norm(r[j] - r[i])
            water.info["energy"] += k * (dist - rest) ** 2 / 2
            pull = k * (dist - rest) * (r[j] - r[i]) / dist
            f[i] += pull
            f[j] -= pull
        water.arrays["forces"] = f
        out.append(water)
    for a in MOLECULES[:N]:
        b = Atoms(a.numbers, a.positions, info={"energy": a.info["REF_energy"]})
        b.arrays["forces"] = a.arrays["REF_forces"]
        out.append(b)
    write("both_molecules.xyz", out, format="extxyz")
    return "both_molecules.xyz"
