"""Notebooks of the docs, run as a reader would."""

from __future__ import annotations

from pathlib import Path

import pytest

TUTORIALS = Path(__file__).parents[1] / "docs" / "tutorials"


def said_by(name, folder, timeout_s):
    """Return what the cells of a tutorial printed that was run in a folder.

    Notebooks are stored without outputs, and each of them draws a picture.
    """
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(TUTORIALS / name, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    nbclient.NotebookClient(
        notebook, timeout=timeout_s, kernel_name="python3", resources={"metadata": {"path": folder}}
    ).execute()
    assert any("image/png" in output.get("data", {}) for cell in code for output in cell.outputs)
    return "".join(output.get("text", "") for cell in code for output in cell.outputs)
