"""The notebook about fitted potentials runs, and shows what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pypolymlp")
nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")

TUTORIAL = Path(__file__).parents[3] / "docs" / "tutorials" / "potentials.ipynb"


@pytest.mark.slow
def test_the_tutorial_of_potentials_runs(tmp_path):
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(TUTORIAL, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()
    said = "".join(output.get("text", "") for cell in code for output in cell.outputs)
    assert "new cells are trusted" in said
    assert "outside the domain of the fitted potential" in said
    [line] = [line for line in said.splitlines() if line.startswith("bulk modulus")]
    fitted, exact = (
        float(part.split()[0]) for part in line.removeprefix("bulk modulus: ").split(", ")
    )
    assert fitted == pytest.approx(exact, rel=0.03)
    assert any("image/png" in output.get("data", {}) for cell in code for output in cell.outputs)
