"""The plug-in table of DFT programs and what one has to do."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy as np
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from workflows.dft.settings import DftSettings, KMesh, Purpose
    from workflows.single_point import SinglePoint


@dataclass(frozen=True)
class Dielectric:
    """Born effective charges and electronic dielectric tensor.

    Parameters
    ----------
    born_charges
        Shape (atoms, 3, 3), in e: first index the polarisation, second the displacement.
    dielectric_tensor
        Shape (3, 3), ε∞.
    """

    born_charges: NDArray[np.float64]
    dielectric_tensor: NDArray[np.float64]


class Metal(Exception):  # noqa: N818 - a finding, not a failure
    """A crystal without a gap has no Born charges."""


class Program(Protocol):
    """What a DFT program must do; each is a module with these functions and this model.

    Attributes
    ----------
    Settings
        Pydantic model of what a user may set.
    """

    Settings: type[DftSettings]

    def missing(self) -> str | None:
        """Return what must be installed or set before it can run, or None."""

    def known_elements(self, settings: Any) -> set[str]:
        """Return the elements with a pseudopotential and a stated cut-off."""

    def fingerprint(self, settings: Any) -> str:
        """Return what identifies the potentials and cut-offs that the settings leave open."""

    def cutoff_ev(self, structure: Structure, settings: Any, purpose: Purpose) -> float:
        """Return the plane-wave cut-off that a crystal gets, whatever it comes from."""

    def relaxation_basis(self, symbols: Collection[str], settings: Any) -> dict[str, float]:
        """Return the settings that give any crystal the basis of relaxations of some elements.

        Energies of two crystals can be subtracted where it is the same; empty where no setting
        states it, and all crystals have one.
        """

    def versions(self) -> dict[str, str]:
        """Return name and version of the program and its pseudopotentials."""

    def single_point(
        self,
        structure: Structure,
        settings: Any,
        purpose: Purpose,
        folder: Path,
        timeout_s: float,
        mesh: KMesh | None = None,
    ) -> SinglePoint:
        """Return energy and forces; a `ProgramFailure` says what went wrong.

        On the k-mesh that `settings` and `purpose` give the cell, unless another one is stated.
        """

    def relax(
        self,
        structure: Structure,
        settings: Any,
        folder: Path,
        timeout_s: float,
        *,
        force_tolerance_ev_per_a: float,
    ) -> tuple[Structure, int]:
        """Return the cell as the program itself relaxes it, and how many ionic steps it took."""

    def dielectric(
        self, structure: Structure, settings: Any, folder: Path, timeout_s: float
    ) -> Dielectric:
        """Return Born charges and ε∞; raise `Metal` where there is no gap."""


def relaxed_from_outside(
    structure: Structure,
    settings: Any,
    folder: Path,
    timeout_s: float,
    *,
    force_tolerance_ev_per_a: float,
) -> tuple[Structure, int]:
    """Return the cell as it is: the `relax` of programs that are better relaxed step by step."""
    return structure, 0


PROGRAMS: dict[str, str] = {
    "gpaw": "workflows.dft.gpaw",
    "espresso": "workflows.dft.espresso",
    "vasp": "workflows.dft.vasp",
}
"""Kind of engine → module that is its `Program`: all that a new program needs beside its module."""


def load_program(name: str) -> Program:
    """Return the program of that name.

    Raises
    ------
    ValueError
        When there is none.
    """
    if name not in PROGRAMS:
        raise ValueError(f"DFT program '{name}' unknown; known: {', '.join(sorted(PROGRAMS))}")
    program: Any = importlib.import_module(PROGRAMS[name])
    return program  # type: ignore[no-any-return]  # a module with a Program's functions
