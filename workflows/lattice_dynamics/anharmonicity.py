"""How anharmonic a crystal is at a temperature: what phonon scattering to third order may miss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workflows.lattice_dynamics.third_order import as_phonopy, compact, forces_by_order

if TYPE_CHECKING:
    from phono3py import Phono3py

    from workflows.lattice_dynamics.third_order import ThirdOrderForceConstants

THERMAL_SNAPSHOTS = 8
STRONG = 0.3
"""Third-order part of the forces from which on a crystal counts as strongly anharmonic: rock salts
such as NaCl are there at room temperature, MgO (0.18) and silicon are not."""


def cubic_anharmonicity(
    model: Phono3py, force_constants: ThirdOrderForceConstants, temperature_k: float
) -> float:
    """Return the third-order part of the forces on atoms that vibrate at a temperature.

    σ = √(⟨F₃²⟩/⟨(F₂ + F₃)²⟩), over atoms displaced as harmonic phonons displace them, with quantum
    statistics.  It is the measure of F. Knoop, T. A. R. Purcell, M. Scheffler and C. Carbogno,
    Phys. Rev. Materials 4, 083809 (2020), with forces to third order only: fourth and higher
    orders, which it does not know, come on top.

    Parameters
    ----------
    model
        Supercell of the force constants.  A crystal with imaginary modes has no such vibrations.
    """
    phonon = as_phonopy(model, symmetry=False)
    phonon.force_constants = compact(model, force_constants).second_order
    phonon.generate_displacements(
        number_of_snapshots=THERMAL_SNAPSHOTS, temperature=temperature_k, random_seed=0
    )
    dataset: Any = phonon.dataset
    drawn = np.asarray(dataset["displacements"])
    harmonic, cubic = forces_by_order(model, force_constants, drawn)
    return float(np.sqrt((cubic**2).mean() / ((harmonic + cubic) ** 2).mean()))


def beyond_three_phonons(anharmonicity: float | None, temperature_k: float) -> str | None:
    """Return in words what κ by three phonons may miss, or None where there is no sign of it."""
    if anharmonicity is None or anharmonicity < STRONG:
        return None
    return (
        f"strongly anharmonic at {temperature_k:.0f} K (third-order part of the forces "
        f"{anharmonicity:.2f}): four-phonon scattering and force constants that depend on "
        "temperature, which are not computed, may change κ by tens of per cent"
    )
