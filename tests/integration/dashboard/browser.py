"""A page as a browser without a screen makes it: Chromium, one page, its DOM when it has settled."""

from __future__ import annotations

import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

from sluice_sandbox.dashboard.programs import locate

_SETTLED_MS: Final = 10_000
"""Virtual time: Chromium goes on as soon as nothing is under way."""


def dom(url: str, home: Path) -> str:
    """Return the document's elements once its scripts have run; `home` keeps the browser's own files."""
    done = subprocess.run(
        [
            str(locate("chromium")["chromium"]),
            "--headless=new",
            # Chromium refuses to sandbox itself as root; the page is ours.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            f"--user-data-dir={home}",
            "--window-size=1280,860",
            f"--virtual-time-budget={_SETTLED_MS}",
            "--dump-dom",
            url,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout


class Elements(HTMLParser):
    """The elements of a document: attributes, and texts by the attribute data-figure."""

    def __init__(self, text: str) -> None:
        """Read a whole document."""
        super().__init__()
        self.attributes: list[dict[str, str]] = []
        self.figures: dict[str, str] = {}
        self._figure = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element's attributes."""
        found = {name: value or "" for name, value in attrs}
        self.attributes.append(found)
        self._figure = found.get("data-figure", "")

    def handle_data(self, data: str) -> None:
        """Keep a figure's text."""
        if self._figure:
            self.figures[self._figure] = data
            self._figure = ""

    def values(self, attribute: str) -> list[str]:
        """Return the values of an attribute in order."""
        return [found[attribute] for found in self.attributes if attribute in found]
