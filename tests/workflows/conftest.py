"""Toy crystals (ASE's effective-medium theory) whose force constants cost a second or two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asked_once import permute_atoms_once
from phono3py import Phono3py
from phonopy import Phonopy
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure

from workflows.engines import AseEngine
from workflows.lattice_dynamics import harmonic, third_order, transport
from workflows.lattice_dynamics.cells import conventional_cell
from workflows.lattice_dynamics.third_order import ThirdOrderForceConstants, ThirdOrderPlan
from workflows.recipes import RelaxationRecipe, ThirdOrderRecipe

permute_atoms_once()

ELEMENTS = ["Al", "Cu", "Ag", "Au", "Ni", "Pd", "Pt"]


@dataclass(frozen=True)
class ToyCrystal:
    """A relaxed crystal with its harmonic phonons in 2×2×2 conventional cells."""

    engine: AseEngine
    cell: Structure
    centring: Any
    phonon: Phonopy

    def plan(self, **recipe: Any) -> ThirdOrderPlan:
        """Return third-order displacements with their forces."""
        plan = third_order.plan_third_order(
            self.cell, self.centring, self.phonon.supercell_matrix, ThirdOrderRecipe(**recipe)
        )
        supercells = third_order.third_order_supercells(plan)
        third_order.set_third_order_forces(plan, self.engine.forces(supercells))
        return plan

    def model(self, plan: ThirdOrderPlan, force_constants: ThirdOrderForceConstants) -> Phono3py:
        return transport.transport_model(
            self.cell, self.centring, self.phonon, plan, force_constants
        )


def toy_crystal(engine: AseEngine, structure: Structure, multiple: int = 2) -> ToyCrystal:
    relaxed = engine.relax(structure, RelaxationRecipe()).structure
    cell, centring = conventional_cell(relaxed)
    phonon = harmonic.harmonic_model(cell, centring, multiple * np.eye(3, dtype=int), 0.01)
    harmonic.set_harmonic_forces(phonon, engine.forces(harmonic.harmonic_supercells(phonon)))
    return ToyCrystal(engine, cell, centring, phonon)


@pytest.fixture(scope="session")
def dft_forces() -> Path:
    """Folder of recorded first-principles forces."""
    return Path(__file__).parents[1] / "data" / "dft_forces"


@pytest.fixture(scope="session")
def emt() -> AseEngine:
    return AseEngine("emt", "ase.calculators.emt.EMT", elements=ELEMENTS)


@pytest.fixture(scope="session")
def crystal(emt: AseEngine) -> Callable[..., ToyCrystal]:
    """Maker of toy crystals: ``crystal(structure, multiple=2)``."""

    def make(structure: Structure, multiple: int = 2) -> ToyCrystal:
        return toy_crystal(emt, structure, multiple)

    return make


@pytest.fixture(scope="session")
def fcc_copper() -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.6), ["Cu"], [[0, 0, 0]])


@pytest.fixture(scope="session")
def bcc_copper() -> Structure:
    """A crystal that collapses: the {110} shear of bcc copper is soft."""
    return Structure.from_spacegroup("Im-3m", Lattice.cubic(2.88), ["Cu"], [[0, 0, 0]])


@pytest.fixture(scope="session")
def ordered_cu3au() -> Structure:
    """The L1₂ structure."""
    return Structure.from_spacegroup(
        "Pm-3m", Lattice.cubic(3.75), ["Cu", "Au"], [[0, 0.5, 0.5], [0, 0, 0]]
    )


@pytest.fixture(scope="session")
def ordered_cuau() -> Structure:
    """The L1₀ structure, tetragonal."""
    return Structure.from_spacegroup(
        "P4/mmm", Lattice.tetragonal(2.8, 3.7), ["Cu", "Au"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )


@pytest.fixture(scope="session")
def copper(emt: AseEngine, fcc_copper: Structure) -> ToyCrystal:
    return toy_crystal(emt, fcc_copper)


@pytest.fixture(scope="session")
def cu3au(emt: AseEngine, ordered_cu3au: Structure) -> ToyCrystal:
    return toy_crystal(emt, ordered_cu3au)


@pytest.fixture(scope="session")
def copper_108(emt: AseEngine, fcc_copper: Structure) -> ToyCrystal:
    """The same in 3×3×3 cells."""
    return toy_crystal(emt, fcc_copper, multiple=3)


@pytest.fixture(scope="session")
def cuau(emt: AseEngine, ordered_cuau: Structure) -> ToyCrystal:
    return toy_crystal(emt, ordered_cuau)


@pytest.fixture(scope="session")
def copper_pairs(copper: ToyCrystal) -> ThirdOrderPlan:
    return copper.plan(route="random-pairs")


@pytest.fixture(scope="session")
def copper_finite(copper: ToyCrystal) -> ThirdOrderPlan:
    return copper.plan(route="finite-displacements")


@pytest.fixture(scope="session")
def copper_fit(copper_pairs: ThirdOrderPlan) -> ThirdOrderForceConstants:
    return third_order.fit_third_order(copper_pairs)


@pytest.fixture(scope="session")
def copper_finite_fit(copper_finite: ThirdOrderPlan) -> ThirdOrderForceConstants:
    return third_order.fit_third_order(copper_finite)


@pytest.fixture(scope="session")
def cu3au_pairs(cu3au: ToyCrystal) -> ThirdOrderPlan:
    return cu3au.plan(route="random-pairs")


@pytest.fixture(scope="session")
def cu3au_fit(cu3au_pairs: ThirdOrderPlan) -> ThirdOrderForceConstants:
    return third_order.fit_third_order(cu3au_pairs)


@pytest.fixture
def copper_model(
    copper: ToyCrystal, copper_pairs: ThirdOrderPlan, copper_fit: ThirdOrderForceConstants
) -> Phono3py:
    """A fresh object for each test: solvers leave their mesh and results on it."""
    return copper.model(copper_pairs, copper_fit)
