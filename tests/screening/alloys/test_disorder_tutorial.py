"""The notebook about disorder runs, and its two temperatures of ordering agree."""

from __future__ import annotations

import re

import pytest
from notebooks import said_by

pytest.importorskip("icet")


@pytest.mark.slow
def test_the_tutorial_of_disorder_runs(tmp_path):
    said = said_by("disorder.ipynb", tmp_path, 900)
    assert "57 structures" in said
    assert said.count("on the hull:") >= 4
    [line] = [line for line in said.splitlines() if "orders at" in line]
    peak, crossing = (
        (int(value), int(error)) for value, error in re.findall(r"(\d+) ± (\d+) K", line)
    )
    assert abs(peak[0] - crossing[0]) < 3 * (peak[1] + crossing[1]) + 0.1 * crossing[0]
