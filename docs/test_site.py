"""The built site in a browser: nothing is cut off, nothing leaves the page, pictures have words, links lead somewhere.

`NBODY_REF_SITE` names the folder that Sphinx wrote.
"""

import os
import re
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest
from browser import listen, missing

SITE = os.environ.get("NBODY_REF_SITE")
GENERATED = ("_modules", "source", "genindex.html", "py-modindex.html", "search.html")
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}
LOOK = (Path(__file__).parent / "look.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def site():
    if not SITE:
        missing("A built site, named by NBODY_REF_SITE,")
    return Path(SITE)


def pages(site):
    """Written pages, and pages of the API that have formulas; without listings of source files and indices."""
    found = (path.relative_to(site) for path in sorted(site.rglob("*.html")))
    kept = [path for path in found if path.parts[0] not in GENERATED]
    return [p for p in kept if p.parts[0] != "api" or 'class="math' in (site / p).read_text(encoding="utf-8")]


def test_nothing_is_cut_off_and_nothing_leaves_the_page(site, window):
    wrong = listen(window)
    for path in pages(site):
        window.set_viewport_size(DESKTOP)
        window.goto((site / path).as_uri(), wait_until="load")
        window.evaluate("window.MathJax && MathJax.startup && MathJax.startup.promise")
        wrong += [f"{path} at 1280: {fault}" for fault in window.evaluate(LOOK)]
        window.set_viewport_size(PHONE)
        wrong += [f"{path} at 390: {fault}" for fault in window.evaluate(LOOK)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("planted", "found"),
    [
        ("<div style='width:2000px'>wide</div>", "page is wider"),
        (
            "<div style='width:100px; overflow-x:hidden'><table><tr><td style='min-width:900px'>x</table></div>",
            "cut off",
        ),
        ("<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw=' alt='_images/8f3a.png'>", "picture"),
        ("<svg width=20 height=20><circle r=9></circle></svg>", "picture"),
    ],
)
def test_the_look_at_a_page_sees_a_planted_fault(window, planted, found):
    window.set_viewport_size(DESKTOP)
    window.set_content(f"<!doctype html><article>{planted}</article>")
    assert any(found in fault for fault in window.evaluate(LOOK))


def test_pictures_can_be_read_in_the_dark(site, window):
    window.emulate_media(color_scheme="dark")
    window.goto((site / "lessons" / "02_wigner_matrices.html").as_uri())
    filters = window.evaluate("[...document.querySelectorAll('.cell_output img')].map(i => getComputedStyle(i).filter)")
    window.emulate_media(color_scheme="light")
    assert filters and all("invert" in value for value in filters)


@pytest.mark.parametrize("lesson", [f"{number:02}" for number in range(12)])
def test_every_lesson_begins_with_a_picture_in_words(site, lesson):
    (page,) = (site / "lessons").glob(f"{lesson}_*.html")
    assert re.search(r'<img[^>]* alt="[A-Z][^"]{40,}', page.read_text(encoding="utf-8"))


def test_every_internal_link_leads_to_a_page_and_its_anchor(site):
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(site.rglob("*.html"))}
    anchors = {
        path: {unescape(a) for a in re.findall(r'\s(?:id|name)="([^"]*)"', text)} for path, text in texts.items()
    }
    broken = []
    for path, text in texts.items():
        for target in map(unescape, set(re.findall(r'<a\s[^>]*?href="([^"]*)"', text))):
            place, _, anchor = target.partition("#")
            if re.match(r"\w+:|//", place):
                continue
            other = Path(os.path.normpath(path.parent / unquote(place))) if place else path
            known = other in texts or other.exists()
            if not known or (anchor and other in texts and unquote(anchor) not in anchors[other]):
                broken.append(f"{path.relative_to(site)}: {target}")
    assert not broken, "\n".join(broken)


def test_search_finds_the_words_that_readers_bring(site):
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    words = "equivari covari gaug clebsch wigner gordan mixing fragment pariti spin glossari mace e3nn harmon".split()
    words += "rotat forc recoupl kernel convent permut".split()
    missed = [word for word in words if not re.search(rf'[{{,]"?{word}', index)]
    assert len(words) == 20 and not missed
