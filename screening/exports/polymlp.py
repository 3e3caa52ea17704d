"""A fitted potential as pypolymlp's own file, which its LAMMPS module and phonopy read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from screening.exports import ExportForm
from screening.messages.errors import ScreenError
from screening.store.fitted_potentials import large_value

if TYPE_CHECKING:
    from screening.exports.selection import Selection


def write(selection: Selection, folder: Path, name: str) -> None:
    """Write the potential.

    Raises
    ------
    ScreenError
        When the selection holds none, or several: a file holds one.
    """
    from workflows.potentials.potential import Potential, PotentialNumbers

    if len(selection.rows) != 1:
        raise ScreenError(
            f"campaign '{selection.campaign.name}': has {len(selection.rows)} fitted potentials, "
            "and a file holds one; name its candidate"
        )
    result = selection.item(selection.rows[0]).result
    if result is None:
        raise ScreenError(f"campaign '{selection.campaign.name}': its potential is not finished")
    stored = large_value(selection.campaign.database, result.document, "numbers")
    potential = Potential(PotentialNumbers.model_validate(stored))
    (folder / name).write_text(potential.as_yaml(), "utf-8")
    selection.tell(
        "pypolymlp and LAMMPS know nothing of the domain: nothing stops a run that leaves it"
    )


FORM = ExportForm(
    name="polymlp",
    help="A fitted potential as pypolymlp's file, for LAMMPS and phonopy.",
    place="file",
    content="structure",
    write=write,
    kinds=("family",),
)
