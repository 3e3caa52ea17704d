"""The pages of a campaign, which `matscreen report` writes and `matscreen serve` serves.

Plain HTML, CSS and JavaScript, read as they are: nothing is built, and nothing comes from the
network.
"""

from __future__ import annotations

import re
from importlib import resources

_LINK = re.compile(r'(?:href|src)="pages/([a-z_]+\.(?:css|js))"')


def page_text(name: str) -> str:
    """Return one of the files of this folder."""
    return (resources.files(__name__) / name).read_text("utf-8")


def linked_names() -> list[str]:
    """Return the style sheets and programs of the page, in the order in which it names them."""
    return _LINK.findall(page_text("index.html"))


def plotly_text() -> str:
    """Return plotly.js, which draws the pictures."""
    from plotly.offline import get_plotlyjs

    text: str = get_plotlyjs()
    return text
