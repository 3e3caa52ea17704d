"""What stands in the pages of docs/: fenced blocks and tables, for the tests that check them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
AT_THE_ROOT = ("README.md", "CHANGELOG.md", "SECURITY.md")
PAGES = sorted([*(ROOT / name for name in AT_THE_ROOT), *(ROOT / "docs").rglob("*.md")])


@dataclass(frozen=True)
class Fence:
    """A fenced block of a page."""

    page: Path
    language: str
    text: str

    @property
    def label(self) -> str:
        """What its first line says: ``# file: name``, ``# row: name`` or ``# query: name``."""
        return self.text.partition("\n")[0].removeprefix("#").strip()


def fences(*languages: str, page: str | None = None) -> list[Fence]:
    """Return the blocks of some languages, of one page or of all."""
    return [
        Fence(path, match[1], match[2])
        for path in (PAGES if page is None else [ROOT / page])
        for match in re.finditer(r"^```(\w+)\n(.*?)^```$", path.read_text("utf-8"), re.M | re.S)
        if match[1] in languages
    ]


def rows_after(page: str, marker: str) -> list[list[str]]:
    """Return the cells of the table that follows a marker comment, header left out."""
    text = (ROOT / page).read_text("utf-8")
    assert marker in text, f"{page} lacks {marker}"
    table = []
    for line in text.split(marker, 1)[1].strip().splitlines():
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    assert len(table) > 2, f"{page}: no table after {marker}"
    return table[2:]


def names_in(cell: str) -> list[str]:
    """Return what stands between backticks."""
    return re.findall(r"`([^`]+)`", cell)
