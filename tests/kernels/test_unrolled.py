"""What is unrolled in the kernels is what its templates say."""

import runpy
from pathlib import Path

WRITER = runpy.run_path(str(Path(__file__).with_name("write_unrolled.py")))
FILES = {path.name: path.read_text() for path in WRITER["KERNELS"].glob("*.py")}


def test_unrolled_kernels_are_what_their_templates_write():
    assert [name for name, text in FILES.items() if WRITER["renewed"](text) != text] == []
    found = [match[2] for text in FILES.values() for match in WRITER["REGION"].finditer(text)]
    assert sorted(found) == sorted(WRITER["TEXTS"])


def test_one_changed_sign_is_seen():
    text = FILES["message_adjoint.py"]
    changed = text.replace("u2 = c0 * y0 + c1 * y1", "u2 = c0 * y0 - c1 * y1", 1)
    assert changed != text and WRITER["renewed"](changed) == text
