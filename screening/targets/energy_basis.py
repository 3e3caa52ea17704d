"""Energies that are joined on a hull: of one plane-wave cut-off, or refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from screening.messages.errors import ScreenError


def check_one_cutoff(results: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise `ScreenError` unless all computed energies have one cut-off.

    An engine's settings and potentials give it one; only a cut-off that they leave to an installed
    package, as VASP's without ``cutoff_ev``, can have changed in between.

    Parameters
    ----------
    results
        With ``outcome`` and ``energy_cutoff_ev``, null for potentials.
    """
    cutoffs = {
        result.get("energy_cutoff_ev")
        for result in results.values()
        if result.get("outcome") == "computed"
    }
    if len(cutoffs) > 1:
        told = " and ".join(sorted("none" if each is None else f"{each:g} eV" for each in cutoffs))
        raise ScreenError(
            f"energies computed with cut-offs of {told} cannot be joined; state cutoff_ev in an "
            "engine of your own, and compute them again with it"
        )
