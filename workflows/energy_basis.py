"""Energies of relaxations that are subtracted from each other: of one basis, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workflows.documents import EnergyBasis
from workflows.errors import CannotCompute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workflows.documents import RelaxationDocument


def basis_of(relaxation: RelaxationDocument) -> dict[str, Any]:
    """Return the fields of `EnergyBasis` of a relaxation, for the document that has its energy."""
    return {name: getattr(relaxation, name) for name in EnergyBasis.model_fields}


def check_one_cutoff(relaxations: Sequence[RelaxationDocument]) -> None:
    """Raise `CannotCompute` unless the energies of relaxations have one cut-off.

    Those that were lost have no energy.
    """
    cutoffs = {each.energy_cutoff_ev for each in relaxations if not each.lost}
    if len(cutoffs) > 1:
        told = ", ".join(
            f"{each.structure.reduced_formula}: {each.energy_cutoff_ev or 0:.0f} eV"
            for each in relaxations
            if not each.lost
        )
        raise CannotCompute(f"energies with several cut-offs cannot be subtracted: {told}")
