"""A table of the toy engine's errors: factors of two, and three crystals it calls unstable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from screening.candidates.crystal_features import FEATURES_VERSION

VALUE = "kappa_300k_w_per_m_k"
FACTOR = 2.0
"""First principles' value over the toy engine's, but for scatter."""
EMT = {"kind": "ase", "calculator": "ase.calculators.emt.EMT", "arguments": {}}
ELECTRONEGATIVITY = "candidate.electronegativity_max"


def toy_table(**changes: Any) -> dict[str, Any]:
    """Return the content of a table of 40 crystals of 8 families, 3 of them unstable."""
    generator = np.random.default_rng(0)
    rows = []
    for i in range(40):
        value = float(10 ** generator.uniform(0, 2))
        error = float(np.log10(FACTOR) + 0.1 * generator.normal())
        rows.append(
            {
                "candidate_id": f"table-{i}",
                "material_id": f"mp-{i}",
                "formula": "AgBr",
                "family": f"family {i % 8}",
                "unstable": i < 3,
                "value": value,
                "value_error": 0.02 * value,
                "reference": value * 10**error,
                "features": {
                    ELECTRONEGATIVITY: float(generator.uniform(1.5, 4)),
                    "result.min_frequency_thz": -1.0 - i if i < 3 else 0.5,
                },
            }
        )
    return {
        "quantity": VALUE,
        "estimate": "kappa_300k_real_modes_w_per_m_k",
        "depth": "min_frequency_thz",
        "logarithmic": True,
        "engine": "emt",
        "engine_fingerprint": EMT,
        "reference": "values made up",
        "source": "a test",
        "licence": "none",
        "features_version": FEATURES_VERSION,
        "features": ["value", ELECTRONEGATIVITY],
        "likeness": [ELECTRONEGATIVITY],
        "families": "none",
        "rows": rows,
        **changes,
    }


def written_table(folder: Path, **changes: Any) -> Path:
    """Write the table into a folder, for ``SCREEN_ENGINE_ERRORS``; return the folder."""
    folder.mkdir(exist_ok=True)
    (folder / f"{VALUE}-emt.json").write_text(json.dumps(toy_table(**changes)))
    return folder
