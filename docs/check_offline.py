"""Fail if a built page loads anything from a network: `python docs/check_offline.py HTML_FOLDER`."""

import re
import sys
from pathlib import Path

LOADS = re.compile(
    r"""<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=["'](?:https?:)?//[^"']+["'][^>]*>""", re.IGNORECASE
)
PLAIN_LINKS = re.compile(r"""rel=["'](?:canonical|license|author|next|prev|search|index)["']""", re.IGNORECASE)


def main(folder: str) -> int:
    pages = sorted(Path(folder).rglob("*.html"))
    found = [
        (page, tag)
        for page in pages
        for tag in LOADS.findall(page.read_text(encoding="utf-8"))
        if not PLAIN_LINKS.search(tag)
    ]
    for page, tag in found:
        print(f"{page}: loads from a network: {tag}")
    print(f"{len(pages)} pages, {len(found)} loads from a network")
    return 1 if found or not pages else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
