"""Whether RDKit is installed, which polymers need and crystals do not."""

from __future__ import annotations

import importlib.util

from screening.sources.record import SourceError


def need_rdkit(what: str) -> None:
    """Raise `SourceError` where RDKit is not installed.

    Parameters
    ----------
    what
        Which source needs it.
    """
    if importlib.util.find_spec("rdkit") is None:
        raise SourceError(
            f"{what}: polymers need RDKit, which is not installed; "
            "pip install 'matscreen[polymers]'"
        )
