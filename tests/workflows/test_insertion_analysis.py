"""Electrode quantities against textbook values, limits and symmetry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from workflows import insertion_analysis

TRIPHYLITE = Path(__file__).parents[2] / "configs" / "data" / "LiFePO4.cif"


@pytest.fixture(scope="module")
def olivine():
    return Structure.from_file(TRIPHYLITE)


@pytest.fixture(scope="module")
def layered():
    """LiTiS2: CdI2 layers with lithium between them."""
    return Structure(
        Lattice.hexagonal(3.41, 6.20),
        ["Li", "Ti", "S", "S"],
        [[0, 0, 0.5], [0, 0, 0], [1 / 3, 2 / 3, 0.235], [2 / 3, 1 / 3, 0.765]],
    )


def test_the_shipped_olivine_is_triphylite(olivine):
    assert olivine.reduced_formula == "LiFePO4"
    assert olivine.get_space_group_info() == ("Pnma", 62)
    iron = next(i for i, site in enumerate(olivine) if site.specie.symbol == "Fe")
    bonds = [each.nn_distance for each in olivine.get_neighbors(olivine[iron], 2.5)]
    # Six oxygens at 2.06 to 2.25 Å.
    assert len(bonds) == 6
    assert 2.0 < min(bonds) < max(bonds) < 2.3


def test_capacity_of_lithium_iron_phosphate(olivine):
    state = insertion_analysis.state_of(olivine, "Li", 0.0)
    assert state.ions == 1
    # The textbook's 170 mAh/g and 3.6 g/cm³.
    assert insertion_analysis.gravimetric_capacity_mah_per_g(state, 1.0, 1) == pytest.approx(
        169.9, abs=0.1
    )
    density = float(olivine.density)
    volumetric = insertion_analysis.volumetric_capacity_mah_per_cm3(state, 1.0, 1)
    assert volumetric == pytest.approx(169.9 * density, rel=1e-3)


def test_quantities_do_not_depend_on_the_cell(olivine):
    large = olivine * (1, 2, 1)
    for structure in (olivine, large):
        state = insertion_analysis.state_of(structure, "Li", -7.0)
        assert state.volume_a3 == pytest.approx(olivine.volume / 4)
        assert state.energy_ev == pytest.approx(-7.0 * 7)
        assert insertion_analysis.gravimetric_capacity_mah_per_g(state, 1.0, 1) == pytest.approx(
            169.9, abs=0.1
        )


@pytest.mark.parametrize("charge", [1, 2, 3])
def test_voltage_is_the_energy_of_an_electron(olivine, charge):
    def state(ions, energy):
        return insertion_analysis.State(olivine, ions, energy, 70.0)

    # 2 ions enter and the host gains 10 eV beyond their metal: 10 eV / (2 · charge · e).
    volts = insertion_analysis.voltage_v(
        state(0.0, -50.0), state(2.0, -50.0 - 10.0 - 2 * 1.9), -1.9, charge
    )
    assert volts == pytest.approx(10 / (2 * charge))


@pytest.mark.parametrize(
    ("ion", "charge"), [("Li", 1), ("Na", 1), ("Mg", 2), ("Ca", 2), ("Zn", 2), ("Al", 3), ("Y", 3)]
)
def test_ions_carry_their_charge(ion, charge):
    assert insertion_analysis.ION_CHARGES[ion] == charge


@pytest.mark.parametrize("ion", insertion_analysis.ION_CHARGES)
def test_every_working_ion_has_a_metal(ion):
    metal = insertion_analysis.metal_of(ion)
    assert {site.specie.symbol for site in metal} == {ion}


def test_strain_of_a_known_deformation(olivine):
    charged = insertion_analysis.host_of(olivine, "Li")
    stretch = np.diag([0.95, 0.97, 1.02])
    angle = 0.3
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    moved = Structure(
        Lattice(charged.lattice.matrix @ stretch @ turn), charged.species, charged.frac_coords
    )
    framework = insertion_analysis.compare_hosts(olivine, moved, "Li", same_cell=True)
    assert framework.survived
    assert framework.strain_fraction == pytest.approx((-0.05, -0.03, 0.02))
    # A rotation is no strain.
    assert framework.principal_strains_fraction == pytest.approx((-0.05, -0.03, 0.02))


def test_a_host_in_another_cell_is_recognised(olivine):
    larger = insertion_analysis.host_of(olivine, "Li") * (1, 1, 2)
    larger.apply_strain(0.02)
    framework = insertion_analysis.compare_hosts(olivine, larger, "Li", same_cell=False)
    assert framework.survived
    assert framework.strain_fraction is None


@pytest.mark.parametrize("same_cell", [True, False])
def test_a_collapsed_framework_is_noticed(olivine, same_cell):
    random = np.random.default_rng(0)
    collapsed = insertion_analysis.host_of(olivine, "Li")
    collapsed = Structure(
        collapsed.lattice, collapsed.species, random.uniform(size=(len(collapsed), 3))
    )
    framework = insertion_analysis.compare_hosts(olivine, collapsed, "Li", same_cell=same_cell)
    assert not framework.survived
    assert "FePO4 of the discharged crystal is not found" in framework.reason


def test_layers_are_told_from_frameworks(olivine, layered):
    assert insertion_analysis.dimensionality(insertion_analysis.host_of(olivine, "Li")) == 3
    assert insertion_analysis.dimensionality(insertion_analysis.host_of(layered, "Li")) == 2
    # Ions that stay hold layers together.
    assert insertion_analysis.dimensionality(layered) == 3


def test_orderings_are_distinct_and_of_the_wanted_composition(olivine):
    found = insertion_analysis.orderings(olivine, "Li", 2, 5)
    # Two of four equivalent sites: three pairs that symmetry does not map on each other.
    assert len(found) == 3
    assert {each.composition["Li"] for each in found} == {2}
    assert not any(site.species.elements[0].symbol != str(site.specie) for site in found[0])


def test_the_first_ordering_keeps_ions_apart():
    """A chain of four sites along c: the two that stay are not neighbours."""
    chain = Structure(
        Lattice.orthorhombic(8, 8, 12),
        ["Li"] * 4 + ["Ti"] * 2 + ["O"] * 5,
        [[0, 0, z / 4] for z in range(4)]
        + [[0.5, 0.5, 0.25], [0.5, 0.5, 0.75]]
        + [[0.5, 0.2, z / 5] for z in range(5)],
    )
    (best,) = insertion_analysis.orderings(chain, "Li", 2, 1)
    heights = sorted(site.frac_coords[2] for site in best if site.specie.symbol == "Li")
    assert heights[1] - heights[0] == pytest.approx(0.5)


def test_cells_grow_until_a_fraction_is_whole(olivine):
    cell = insertion_analysis.large_enough(olivine, "Li", lambda ions: ions % 3 == 0)
    assert insertion_analysis.count_of(cell, "Li") == 12
    # Along the shortest edge.
    assert cell.lattice.abc[2] == pytest.approx(3 * olivine.lattice.c)
    with pytest.raises(ValueError, match="no cell of up to 8 times its 4 Li"):
        insertion_analysis.large_enough(olivine, "Li", lambda ions: ions == 5)


def test_cells_that_cannot_be_compared_are_not_called_lost(olivine):
    """Hosts of 72 and 96 atoms: neither is a multiple of the other."""
    random = np.random.default_rng(0)
    first = olivine * (1, 1, 3)
    second = insertion_analysis.host_of(olivine * (1, 1, 4), "Li")
    # Shaken, so that neither reduces to the cell of the crystal.
    shaken = [each.copy() for each in (first, second)]
    for each in shaken:
        moves = random.normal(scale=0.5, size=(len(each), 3))
        for index, move in enumerate(moves):
            each.translate_sites([index], move, frac_coords=False)
    framework = insertion_analysis.compare_hosts(*shaken, "Li", same_cell=False)
    assert framework.survived is None
    assert "cannot be compared" in framework.reason


def test_formal_charges_balance_or_follow_electronegativity(olivine):
    assert insertion_analysis.formal_charges(olivine) == {"Li": 1, "Fe": 2, "P": 5, "O": -2}
    odd = Structure(Lattice.cubic(4), ["Ti", "S", "S", "S"], np.eye(4, 3) / 2)
    states = insertion_analysis.formal_charges(odd)
    assert states["S"] < 0 < states["Ti"]
