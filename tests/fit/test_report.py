"""The report is one file that needs nothing else, and says what was done."""

import base64
import re
from html.parser import HTMLParser

import numpy as np

from nbody_ref.fit import evaluate, write_report
from nbody_ref.fit.report import Trajectory


class Links(HTMLParser):
    """Collects whatever a page would load, and checks that every tag is closed."""

    def __init__(self):
        super().__init__()
        self.sources, self.open = [], []

    def handle_starttag(self, tag, attributes):
        self.sources += [value for name, value in attributes if name in ("src", "href", "data", "srcset")]
        if tag not in ("meta", "img", "!doctype"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_report_is_one_offline_page_with_its_pictures(potential, frames, tmp_path):
    times = np.linspace(0, 100, 201)
    trajectory = Trajectory(times, -4210 + 1e-4 * np.sin(times), np.cos(times), 9)
    potential.metadata["learning_curve"] = [
        {"frames": n, "energy_mae_meV": 9.0 / n, "forces_mae_meV_per_A": 90.0 / n} for n in (10, 20, 40)
    ]
    target = tmp_path / "report.html"
    write_report(str(target), potential, {"test <frames>": evaluate(potential, frames[100:110])}, trajectory, ["a < b"])
    text = target.read_text()
    page = Links()
    page.feed(text)
    assert not page.open and len(page.sources) == 3
    for source in page.sources:
        assert source.startswith("data:image/png;base64,")
        assert base64.b64decode(source.partition(",")[2], validate=True).startswith(b"\x89PNG")
    assert not re.search(r"https?://", text)
    for words in ("a &lt; b", "test &lt;frames&gt;", frames.origin["sha256"], "Learning curve", "drift", "&quot;seed"):
        assert words in text


def test_drift_is_the_slope_of_the_total_energy():
    times = np.arange(0.0, 1000.5, 0.5)
    trajectory = Trajectory(times, 5.0 + 2e-6 * times, times, 4)  # 2e-6 eV/fs = 2 meV/ps, over 4 atoms
    assert abs(trajectory.drift - 0.5) < 1e-9
