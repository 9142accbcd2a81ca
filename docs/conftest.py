"""Every ``>>>`` on a page of the documentation is a test; pages of the built site are tried in one browser."""

import sys
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

sys.path.insert(0, str(Path(__file__).parent))
from browser import chromium, listen

pytest_collect_file = Sybil(parsers=[PythonCodeBlockParser()], patterns=["*.md"]).pytest()


@pytest.fixture(scope="session")
def browser():
    """One browser for all tests."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def window(browser):
    """One page for all tests of a module."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(10_000)
    yield page
    page.close()


@pytest.fixture
def tab(window):
    """The page, which must make no error and send no request."""
    wrong = listen(window)
    yield window
    assert not wrong
