"""A browser for the tests of the pages: Chromium of the system, driven by playwright.

`NBODY_REF_BROWSER=required` makes a missing browser an error; otherwise what needs it is skipped, with the reason.
"""

import os
import shutil
from contextlib import contextmanager

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def missing(what):
    """Skip what needs `what`, or fail where the browser is required."""
    message = f"{what} is missing: pages were not tried in a browser"
    if os.environ.get("NBODY_REF_BROWSER") == "required":
        pytest.fail(message)
    pytest.skip(message)


@contextmanager
def chromium():
    """A running browser."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright, of the extra `docs`,")
    path = next(filter(None, map(shutil.which, BROWSERS)), None) or missing(
        "Chromium (on Debian: apt install chromium)"
    )
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=path, args=["--no-sandbox"], ignore_default_args=["--hide-scrollbars"]
        )
        try:
            yield browser
        finally:
            browser.close()


def listen(page):
    """List of what a page should not do: errors, and requests that leave the file system."""
    found = []
    page.on("pageerror", lambda error: found.append(f"{page.url}: {error}"))
    page.on("console", lambda said: found.append(f"{page.url}: {said.text}") if said.type == "error" else None)
    page.on("request", lambda sent: found.append(sent.url) if not sent.url.startswith(("file:", "data:")) else None)
    return found
