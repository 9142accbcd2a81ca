"""The explorers in a browser: their numbers are the package's, what must be equal is, what is broken is seen."""

import json
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import explorers

from nbody_ref.exact import Surd
from nbody_ref.exact.wigner import wigner_D_real
from nbody_ref.fusion import Diagram, Spin, recoupling
from nbody_ref.fusion.recoupling import f_symbol


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("explorers")
    explorers.write(target)
    return target


@pytest.fixture
def network(tab, folder):
    tab.goto((folder / "network.html").as_uri())
    return tab


@pytest.fixture
def fusion(tab, folder):
    tab.goto((folder / "fusion.html").as_uri())
    return tab


def gap(page):
    return page.evaluate("explorer.gap")


@pytest.mark.parametrize("quaternion", [(1, 1, 0, 0), (5, -3, 2, 1)])
@pytest.mark.parametrize("name", ["water", "hydrogen peroxide", "ethanol"])
def test_page_computes_the_network_and_the_wigner_matrices_of_the_package(network, name, quaternion):
    data = explorers.network_data()
    D = [np.array(wigner_D_real(l, quaternion), dtype=float) for l in range(3)]
    Q = D[1][np.ix_([2, 0, 1], [2, 0, 1])]
    molecule = data["molecules"][name]
    x = molecule["x"] @ Q.T
    here = network.evaluate("([x, z]) => explorer.network(x, z)", [x.tolist(), molecule["z"]])
    for ours, theirs in zip(explorers.states(x, molecule["z"], data["weights"]), here):
        for l, value in ours.items():
            assert np.abs(np.array(theirs[str(l)]) - value).max() <= 1e-10 * np.abs(value).max() + 1e-14
            turned = network.evaluate("([l, Q]) => explorer.wigner(l, Q)", [l, Q.tolist()])
            assert np.abs(np.array(turned) - D[l]).max() < 1e-14
    assert network.evaluate("explorer.agree") < 1e-12


def test_numbers_are_turned_by_drag_and_keys_and_stay_equal(network):
    start = network.evaluate("explorer.page.Q")
    box = network.locator("#molecule").bounding_box()
    network.mouse.move(box["x"] + 100, box["y"] + 100)
    network.mouse.down()
    network.mouse.move(box["x"] + 160, box["y"] + 130, steps=3)
    network.mouse.up()
    dragged = network.evaluate("explorer.page.Q")
    for key in ("ArrowLeft", "ArrowUp", "["):
        network.press("#molecule", key)
    pressed = network.evaluate("explorer.page.Q")
    assert np.abs(np.array(dragged) - start).max() > 0.3 and np.abs(np.array(pressed) - dragged).max() > 0.1
    network.click("#mirror")
    network.click("#permute")
    assert gap(network) < 1e-12 and "Equal" in network.inner_text("#verdict")


@pytest.mark.parametrize(
    ("breaker", "seen_by"),
    [("tanh", "left"), ("mix", "left"), ("axial", "mirror"), ("order", "permute")],
)
def test_a_broken_network_is_seen_by_the_test_that_belongs_to_it(network, breaker, seen_by):
    network.select_option("#which", "hydrogen peroxide")
    network.select_option("#breaker", breaker)
    assert gap(network) < 1e-12
    for button in ("left", "mirror", "permute"):
        network.click("#start")
        network.click(f"#{button}")
        if button == seen_by:
            assert gap(network) > 1e-3 and "NOT" in network.inner_text("#verdict")
        elif breaker in ("axial", "order"):
            assert gap(network) < 1e-12


def test_nodes_are_chosen_by_key_and_say_what_they_hold(network):
    node = network.locator("[id='node 1 1']")
    node.focus()
    node.press("Enter")
    assert "neighbourhood of H2" in network.inner_text("#title")
    assert network.locator("#numbers tr").count() == 6
    assert network.evaluate("document.activeElement.id") == "node 1 1"
    assert all(
        "degree" in label
        for label in network.locator("[id^='node 2']").evaluate_all("all => all.map(n => n.ariaLabel)")
    )


def shown(page, side):
    """Terms of a side: node as text, coefficient."""
    terms = page.evaluate(
        "side => editor.sides[side].sum.terms.map(([n, v]) => [JSON.stringify(n), v.sign, `${v.p}`, `${v.q}`])", side
    )
    return {node: Surd(sign, int(p), int(q)) for node, sign, p, q in terms}


def test_symbols_of_the_page_are_the_package_s(fusion):
    right, all_of_them = fusion.evaluate("editor.agree")
    assert right == all_of_them > 200
    rng = np.random.default_rng(0)
    for _ in range(200):
        a, b, c = rng.integers(0, 7, 3)
        k = rng.choice(range(abs(a - b), a + b + 1, 2))
        J = rng.choice(range(abs(k - c), k + c + 1, 2))
        n = rng.choice(range(abs(b - c), b + c + 1, 2))
        spins = [int(j) for j in (a, b, k, c, J, n)]
        sign, p, q = fusion.evaluate(
            "s => { const v = editor.fSymbol(...s); return [v.sign, `${v.p}`, `${v.q}`]; }", spins
        )
        assert Surd(sign, int(p), int(q)) == f_symbol(*(Spin(Fraction(j, 2)) for j in spins))


def spins(text):
    return [Spin(word) for word in text.split()]


def test_moves_give_the_recoupling_matrix_of_the_package_and_keep_equality(fusion):
    fusion.select_option("#side0 [data-do=preset]", "spins 1/2, 1, 3/2, 1")
    fusion.click("#side0 [data-do=copy]")
    for move in ("[data-bond=L]", "[data-dot='']", "[data-bond=L]", "[data-dot=R]"):
        fusion.locator(f"#side0 {move}").first.press("Enter")
        assert fusion.evaluate("editor.yes")
    source = Diagram((((0, 1), 2), 3), spins("1/2 1 3/2 1"), spins("1/2 2 1"))
    terms = shown(fusion, 0)
    tree = json.loads(next(iter(terms)))

    def shape(node):
        return node if isinstance(node, int) else (shape(node[1]), shape(node[2]))

    def labels(node):
        return [] if isinstance(node, int) else [*labels(node[1]), *labels(node[2]), Fraction(node[0], 2)]

    matrix = recoupling(source.tree, shape(tree), source.legs, source.root)
    row = matrix.entries[matrix.source.index(source)]
    want = {tuple(spin.j for spin in d.outputs): value for d, value in zip(matrix.target, row) if value}
    assert {tuple(labels(json.loads(node))): value for node, value in terms.items()} == want
    fusion.click("#side1 [data-do=standard]")
    assert fusion.evaluate("editor.yes") and len(shown(fusion, 1)) == 1


def test_a_wrong_sign_is_seen_and_undone(fusion):
    fusion.locator("#side0 [data-bond]").first.press("Enter")
    assert fusion.evaluate("editor.yes")
    fusion.click("#side0 [data-do=flip]")
    assert not fusion.evaluate("editor.yes") and "≠" in fusion.inner_text("#verdict")
    fusion.click("#side0 [data-do=undo]")
    assert fusion.evaluate("editor.yes")


def test_a_diagram_is_built_and_saved(fusion):
    fusion.fill("#side0 [data-do=legs]", "1/2 1 9")
    fusion.click("#side0 [data-do=build]")
    assert "two to five spins" in fusion.inner_text("#side0 [data-error]")
    fusion.fill("#side0 [data-do=legs]", "1/2 1 1/2")
    fusion.click("#side0 [data-do=build]")
    for button in (
        "[data-loose='0']",
        "[data-loose='2']",
        "[data-spin='2']",
        "[data-loose='0']",
        "[data-loose='1']",
        "[data-spin='0']",
    ):
        fusion.click(f"#side0 {button}")
    assert shown(fusion, 0) == {"[0,1,[2,0,2]]": Surd(1, 1)}
    with fusion.expect_download() as saved:
        fusion.click("#side0 [data-do=svg]")
    text = Path(saved.value.path()).read_text(encoding="utf-8")
    assert text.startswith("<svg") and "currentColor" in text and "var(" not in text
