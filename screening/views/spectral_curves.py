"""The spectral function of an alloy, from a result whose supercells were unfolded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from screening.views.conductivity_curves import symbol
from screening.views.forms import SpectralView
from screening.views.numbers import CURVE_DIGITS, in_digits, rounded, shortened

DRAWN_EVERY = 2
"""Of the frequencies that are stored: as fine as a screen needs, and half as large."""


def spectral_function(result: Mapping[str, Any]) -> list[SpectralView]:
    """Return A(q, ω) along the path through the zone of the lattice behind the supercells."""
    found = result.get("spectral_function")
    if not found:
        return []
    count = result["supercells"]
    cells = "one supercell" if count == 1 else f"the mean over {count} supercells"
    return [
        SpectralView(
            name="",
            title="Spectral function",
            caption=(
                f"How much of the vibrations has a wave vector of the lattice behind {cells}, of "
                f"{max(result['supercell_atoms'])} atoms, and a frequency.  Each mode is broadened "
                f"by {in_digits(result['broadening_thz'], 2)} THz; what is wider is disorder.  "
                "Colours go with the root of the intensity."
            ),
            distance_per_a=[
                shortened(distance, CURVE_DIGITS) for distance in found["distance_per_a"]
            ],
            labels=[(symbol(start), symbol(end)) for start, end in found["labels"]],
            frequency_thz=shortened(found["frequency_thz"][::DRAWN_EVERY], CURVE_DIGITS),
            intensity_per_thz=[
                rounded(np.round(np.array(segment)[:, ::DRAWN_EVERY], 3), 3).tolist()
                for segment in found["intensity_per_thz"]
            ],
        )
    ]
