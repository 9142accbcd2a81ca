"""Writes the tables of independent couplings; tests/fusion/test_independent.py compares them with the committed files.

python docs/data/make_couplings.py
"""

from pathlib import Path

from nbody_ref.fusion import independent_couplings, left_comb

HERE = Path(__file__).parent
ONE, TWO = "0e + 1o + 2e + 3o", "0e + 0e + 1o + 1o + 2e + 2e"
PAIRS = ((0, 1), (2, 3))
TABLES = {
    # all channels alike: one part for each degree, any root
    "mace": [(ONE, n, root, left_comb(n)) for n in (1, 2, 3) for root in ("0e", "1o", "2e")]
    + [(ONE, 4, "0e", left_comb(4))],
    # channels told apart: two parts for each degree, scalars and vectors
    "ace": [(TWO, n, root, left_comb(n)) for n in (1, 2, 3) for root in ("0e", "1o")],
    # scalars, four legs coupled in two pairs
    "fitsnap": [(parts, n, "0e", PAIRS if n == 4 else left_comb(n)) for parts in (ONE, TWO) for n in (1, 2, 3, 4)],
}


def files() -> dict[str, str]:
    """File name -> JSON text."""
    return {
        f"couplings_{name}.json": "[" + ",\n".join(independent_couplings(*row).json() for row in rows) + "]\n"
        for name, rows in TABLES.items()
    }


if __name__ == "__main__":
    for name, text in files().items():
        (HERE / name).write_text(text, encoding="utf-8")
