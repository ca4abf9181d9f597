"""The repository's documents, taken apart: code blocks, tables, headings, links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    @cached_property
    def text(self) -> str:
        """The whole file."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def prose(self) -> str:
        """The file without its code blocks."""
        return _FENCE.sub("", self.text)

    @property
    def name(self) -> str:
        """Its path in the repository."""
        return str(self.path.relative_to(ROOT))

    def blocks(self, *languages: str) -> list[str]:
        """Return the code blocks in these languages, without their indentation in lists."""
        return [
            re.sub(f"^{match[1]}", "", match[3], flags=re.MULTILINE)
            for match in _FENCE.finditer(self.text)
            if match[2] in languages
        ]

    def yaml_objects(self) -> list[dict[str, Any]]:
        """Return the objects of its YAML blocks."""
        found: list[dict[str, Any]] = []
        for block in self.blocks("yaml"):
            found += [item for item in yaml.safe_load_all(block) if item]
        return found

    def first_column(self, heading: str) -> list[str]:
        """Return the code spans in the first column of the tables below a heading, in order."""
        section = re.split(r"^#+ ", self.text.partition(f"\n{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[
            0
        ]
        cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
        return [code for cell in cells for code in re.findall(r"`([^`]+)`", cell)]

    def links(self) -> list[str]:
        """Return the targets of its links."""
        return _LINK.findall(self.prose)

    def anchors(self) -> set[str]:
        """Return the anchors that GitHub makes of its headings."""
        headings = re.findall(r"^#+ (.+)$", self.prose, re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def page(name: str) -> Page:
    """Return a page by its path in the repository."""
    return Page(ROOT / name)


def pages() -> list[Page]:
    """Return README, CHANGELOG and everything below docs/."""
    files = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [Page(file) for file in files]
