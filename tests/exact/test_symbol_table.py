"""Tables hold one of each set of equal symbols; the C header gives a C program the same doubles."""

import json
import math
import shutil
import subprocess
from fractions import Fraction

import pytest

from nbody_ref.cli import main
from nbody_ref.errors import ArgumentError
from nbody_ref.exact import gaunt, nine_j, real_gaunt, six_j, symbol_table, three_j
from nbody_ref.exact.symbol_table import symbol_header, symbol_json

FUNCTIONS = {"three_j": three_j, "six_j": six_j, "nine_j": nine_j, "gaunt": gaunt, "real_gaunt": real_gaunt}


def admissible(a, b, c):
    return (a + b + c) % 2 == 0 and abs(a - b) <= c <= a + b


def test_three_j_table_has_all_up_to_symmetry():
    """Sum over all symbols of (value squared) is one per triad: so many symbols stand behind the rows."""
    rows = symbol_table.symbol_table("three_j", Fraction(3, 2))
    triads = {tuple(sorted(labels[::2])) for labels, _ in rows}
    assert triads == {(a, b, c) for a in range(4) for b in range(a, 4) for c in range(b, 4) if admissible(a, b, c)}
    for triad in triads:
        total = Fraction(0)
        for labels, value in rows:
            if tuple(sorted(labels[::2])) == triad:
                pairs = list(zip(labels[::2], labels[1::2]))
                a, b, c = pairs[0][0], pairs[1][0], pairs[2][0]
                arranged = {
                    p
                    for s in (1, -1)
                    for q in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
                    if (p := tuple((pairs[k][0], s * pairs[k][1]) for k in q)) and tuple(j for j, _ in p) == (a, b, c)
                }
                total += value.square() * len(arranged)
        assert total == 1, triad


@pytest.mark.parametrize(
    ("symbol", "largest"), [("six_j", 1), ("nine_j", Fraction(1, 2)), ("gaunt", 2), ("real_gaunt", 2)]
)
def test_rows_are_the_symbols_and_no_two_are_equal_by_symmetry(symbol, largest):
    rows = symbol_table.symbol_table(symbol, largest)
    assert rows and len({labels for labels, _ in rows}) == len(rows)
    for labels, value in rows:
        assert value == FUNCTIONS[symbol](*(Fraction(x, 2) for x in labels)) != 0
    integer = symbol_table.symbol_table(symbol, largest, integer=True)
    assert integer == [row for row in rows if all(x % 2 == 0 for x in row[0])]


def test_six_j_table_has_one_of_every_set():
    rows = {labels for labels, _ in symbol_table.symbol_table("six_j", 1)}
    found = set()
    for a, b, c, d, e, f in rows:
        for p, q, r in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
            columns = ((a, d), (b, e), (c, f))
            (u, x), (v, y), (w, z) = columns[p], columns[q], columns[r]
            found |= {(u, v, w, x, y, z), (u, y, z, x, v, w), (x, v, z, u, y, w), (x, y, w, u, v, z)}
    every = {
        (a, b, c, d, e, f)
        for a in range(3) for b in range(3) for c in range(3) for d in range(3) for e in range(3) for f in range(3)
        if six_j(*(Fraction(x, 2) for x in (a, b, c, d, e, f)))
    }  # fmt: skip
    assert found == every and len(rows) < len(every) / 4


def test_json_reads_back():
    table = json.loads(symbol_json("three_j", 1))
    for labels, sign, p, q, double in table["rows"]:
        value = three_j(*(Fraction(x, 2) for x in labels))
        assert (value.sign, value.p, value.q) == (sign, int(p), int(q)) and float(value) == float.fromhex(double)


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_c_header_gives_c_the_same_doubles(tmp_path, capsys):
    assert main(["table", "gaunt", "--largest", "2", "--form", "c"]) == 0
    (tmp_path / "gaunt.h").write_text(capsys.readouterr().out)
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "gaunt.h"\nint main(void) { for (int i = 0; i < gaunt_count; i++)'
        ' printf("%d %d %d %d %d %d %a\\n", gaunt_labels[i][0], gaunt_labels[i][1], gaunt_labels[i][2],'
        " gaunt_labels[i][3], gaunt_labels[i][4], gaunt_labels[i][5], gaunt_values[i]); return 0; }\n"
    )
    subprocess.run(["cc", "-Wall", "-Werror", "-std=c99", "-o", "out", "main.c"], cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "out"], capture_output=True, text=True, check=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) > 10
    for *labels, double in lines:
        assert float.fromhex(double) == float(gaunt(*(int(x) // 2 for x in labels)))
    assert math.isclose(float.fromhex(lines[0][-1]), 1 / math.sqrt(4 * math.pi))


def test_unknown_symbols_and_spins_are_refused(capsys):
    with pytest.raises(ArgumentError, match="symbol_table: 'symbol' must be one of three_j"):
        symbol_table.symbol_table("12j", 1)
    with pytest.raises(ArgumentError, match="symbol_table: 'largest' must not be negative"):
        symbol_header("six_j", -1)
    assert main(["table", "six_j", "--largest", "x"]) == 1 and "'largest' must be a spin" in capsys.readouterr().err
