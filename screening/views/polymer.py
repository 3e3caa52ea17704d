"""The drawing of a polymer: its repeat unit as chemists draw it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from screening.messages.stderr import counted
from screening.views.forms import SvgView

WIDTH_PX = 640
HEIGHT_PX = 300


def draw(stored: Mapping[str, Any], result: Mapping[str, Any]) -> SvgView:
    """Return the repeat unit of a stored polymer; a result changes nothing about it."""
    from rdkit import Chem
    from rdkit.Chem.Draw import rdMolDraw2D

    unit = Chem.MolFromSmiles(stored["smiles"])
    drawer = rdMolDraw2D.MolDraw2DSVG(WIDTH_PX, HEIGHT_PX)
    options: Any = drawer.drawOptions()
    # An attachment point is drawn as a wavy line across the bond that leads on.
    options.dummiesAreAttachments = True
    # The lines are black: pages may be dark.
    options.setBackgroundColour((1, 1, 1))
    rdMolDraw2D.PrepareAndDrawMolecule(drawer, unit)
    drawer.FinishDrawing()
    atoms = counted(stored["n_heavy_atoms"], "atom")
    return SvgView(
        caption=f"Repeat unit {stored['formula']}, {atoms} besides hydrogen; wavy lines are where "
        "the next unit begins.",
        svg=drawer.GetDrawingText(),
    )
