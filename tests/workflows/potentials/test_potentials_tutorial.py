"""The notebook about fitted potentials runs, and shows what it says."""

from __future__ import annotations

import pytest
from notebooks import said_by

pytest.importorskip("pypolymlp")


@pytest.mark.slow
def test_the_tutorial_of_potentials_runs(tmp_path):
    said = said_by("potentials.ipynb", tmp_path, 600)
    assert "new cells are trusted" in said
    assert "outside the domain of the fitted potential" in said
    [line] = [line for line in said.splitlines() if line.startswith("bulk modulus")]
    fitted, exact = (
        float(part.split()[0]) for part in line.removeprefix("bulk modulus: ").split(", ")
    )
    assert fitted == pytest.approx(exact, rel=0.03)
