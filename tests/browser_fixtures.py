"""A real chromium without a screen, whose pages must not complain."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ARTEFACTS = Path(__file__).parents[1] / "artefacts"
"""Where screenshots are kept."""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The system's chromium; it may be missing, but not in a CI that could have installed it."""
    program = shutil.which("chromium")
    missing = "chromium is missing; on Debian: apt-get install chromium" if not program else ""
    if not importlib.util.find_spec("playwright"):
        missing = "playwright is missing; it is in the extra dev"
    if missing:
        (pytest.fail if os.environ.get("CI") and os.geteuid() == 0 else pytest.skip)(missing)
    from playwright.sync_api import sync_playwright

    ARTEFACTS.mkdir(exist_ok=True)
    # WebGL without a graphics card.
    options = ["--enable-unsafe-swiftshader"]
    if os.geteuid() == 0:
        options.append("--no-sandbox")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=options)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium) -> Iterator[Callable[..., Any]]:
    """Open a page in a window of its own: ``open_page(address, width=…, dark=…)``.

    What a page has complained about is in its ``complaints``.  The window is closed after the test:
    a crystal in it would be drawn over and over, without an end.
    """
    with _windows(chromium) as open_page:
        yield open_page


@pytest.fixture(scope="module")
def open_shared_page(chromium) -> Iterator[Callable[..., Any]]:
    """Do as `open_page` does, but for all tests of a module."""
    with _windows(chromium) as open_page:
        yield open_page


@contextlib.contextmanager
def _windows(chromium: Any) -> Iterator[Callable[..., Any]]:
    windows = []

    def open_page(address: str, *, width: int = 1280, dark: bool = False, before: str = "") -> Any:
        window = chromium.new_context(
            viewport={"width": width, "height": 844},
            color_scheme="dark" if dark else "light",
            locale="en-GB",
        )
        windows.append(window)
        page = window.new_page()
        page.set_default_timeout(300_000)
        page.complaints = []
        page.on(
            "console",
            lambda said: page.complaints.append(said.text) if said.type == "error" else None,
        )
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        if before:
            page.add_init_script(before)
        page.goto(address)
        return page

    yield open_page
    for window in windows:
        window.close()
