"""Relaxation: the same in every cell, with an error bar that covers, and lost crystals stopped."""

from __future__ import annotations

import numpy as np
import pytest
from ase.calculators.calculator import Calculator, all_changes
from bravais_alloys import BRAVAIS, described_anew
from pymatgen.core import Lattice, Structure

from workflows.ase_relaxation import relax_with
from workflows.crystal_optimizer import inverse_hessian
from workflows.document_parts import Provenance
from workflows.engines import AseEngine
from workflows.errors import EngineError
from workflows.kept_symmetry import operations_of, space_group_number
from workflows.primitive_cells import reduction_of
from workflows.recipes import ElectrodeRelaxationRecipe, RelaxationRecipe

ELECTRODE = ElectrodeRelaxationRecipe()
TIGHT = RelaxationRecipe(
    force_tolerance_ev_per_a=1e-5, stress_tolerance_gpa=1e-4, volume_tolerance_fraction=1e-6
)


@pytest.fixture(scope="module")
def smooth_emt():
    """Effective-medium theory with a cut-off that is the same in every cell."""
    return AseEngine("emt", "ase.calculators.emt.EMT", {"asap_cutoff": True})


@pytest.fixture(scope="module", params=sorted(BRAVAIS))
def alloy(request):
    return BRAVAIS[request.param]


@pytest.fixture(scope="module")
def relaxed(smooth_emt, alloy):
    return smooth_emt.relax(alloy, ELECTRODE)


def test_the_alloys_have_the_bravais_lattices_of_their_names():
    assert {name: space_group_number(each) for name, each in BRAVAIS.items()} == {
        **{"aP": 1, "mP": 10, "mC": 12, "oP": 47, "oC": 65, "oI": 71, "oF": 69},
        **{"tP": 123, "tI": 139, "hR": 166, "hP": 194, "cP": 221, "cI": 229, "cF": 225},
    }


def test_the_error_bar_covers_the_converged_volume(smooth_emt, alloy, relaxed):
    converged = smooth_emt.relax(alloy, TIGHT)
    change = abs(relaxed.volume_a3_per_atom / converged.volume_a3_per_atom - 1)
    assert change <= relaxed.volume_error_fraction <= ELECTRODE.volume_tolerance_fraction
    assert converged.volume_error_fraction <= 1e-6


def test_the_volume_is_the_same_in_every_cell(smooth_emt, alloy, relaxed):
    other = smooth_emt.relax(described_anew(alloy, 1), ELECTRODE)
    # Far below a tenth of the error bar: the very same steps were taken.
    assert abs(other.volume_a3_per_atom / relaxed.volume_a3_per_atom - 1) < 1e-8
    assert other.steps == relaxed.steps
    assert other.volume_error_fraction == pytest.approx(relaxed.volume_error_fraction, rel=1e-3)
    assert len(other.structure) == 2 * len(alloy)


def test_a_large_cell_comes_back_site_by_site(smooth_emt, alloy, relaxed):
    """Relaxed in its primitive cell, but none of its sites moves to another copy."""
    given = described_anew(alloy, 2)
    found = smooth_emt.relax(given, ELECTRODE).structure
    assert [site.specie for site in found] == [site.specie for site in given]
    reduction = reduction_of(given)
    assert len(reduction.primitive) * 2 == len(given)
    back = reduction.expanded(reduction.primitive)
    assert back.lattice.matrix == pytest.approx(given.lattice.matrix, abs=1e-6)
    assert back.cart_coords == pytest.approx(given.cart_coords, abs=1e-6)


def test_a_cell_that_is_free_of_symmetry_is_not_reduced(smooth_emt):
    given = BRAVAIS["cF"] * (1, 1, 2)
    free = RelaxationRecipe(keep_symmetry=False)
    assert smooth_emt.relax(given, free).volume_a3_per_atom == pytest.approx(
        smooth_emt.relax(given, RelaxationRecipe()).volume_a3_per_atom, rel=1e-4
    )


def test_nickel_without_aluminium_shrinks_alike_in_four_cells(smooth_emt):
    """Volumes used to differ by 0.0015 between these cells, and by 0.004 from the converged one."""
    full = Structure(
        Lattice.cubic(3.6),
        ["Al", "Ni", "Ni", "Ni"],
        [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
    )
    empty = full.copy().remove_species(["Al"])
    cells = [empty, empty * (2, 1, 1), empty * (1, 1, 3), empty * (2, 2, 2)]
    volumes = [smooth_emt.relax(each, ELECTRODE).volume_a3_per_atom for each in cells]
    assert volumes == pytest.approx([volumes[0]] * 4, rel=1e-8)
    assert volumes[0] == pytest.approx(smooth_emt.relax(empty, TIGHT).volume_a3_per_atom, rel=1e-5)


def test_the_model_of_the_steps_is_exact_where_they_explored():
    """Of a quadratic form, the inverse Hessian maps the last change of gradient to its step."""
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, 5))
    hessian = root @ root.T + np.eye(5)
    places = rng.normal(size=(4, 5))
    path = [(place, hessian @ place) for place in places]
    inverse = inverse_hessian(path, np.full(5, 0.1))
    change = path[-1][1] - path[-2][1]
    assert inverse @ change == pytest.approx(places[-1] - places[-2])
    assert np.linalg.eigvalsh(inverse).min() > 0


def test_a_strained_rhombohedral_cell_is_neither_refused_nor_moved(emt):
    """Spglib finds no group for some of them; that was only to be recorded."""
    relaxed = emt.relax(BRAVAIS["hR"], RelaxationRecipe()).structure
    rng = np.random.default_rng(1)
    for size in (1e-4, 1e-3, 5e-3, 2e-2):
        strain = rng.normal(size=(3, 3))
        lattice = relaxed.lattice.matrix @ (np.eye(3) + size * (strain + strain.T) / 4)
        strained = Structure(lattice, relaxed.species, relaxed.frac_coords)
        document = emt.relax(strained, RelaxationRecipe(), fixed_cell=True)
        assert document.structure.lattice.matrix == pytest.approx(lattice, abs=1e-12)
        assert document.volume_error_fraction is None


def test_symmetry_that_is_found_is_symmetry(alloy):
    operations = operations_of(alloy)
    lattice, positions = alloy.lattice.matrix, alloy.frac_coords
    for rotation, shift, images in zip(
        operations.rotations, operations.translations, operations.images, strict=True
    ):
        apart = positions @ rotation.T + shift - positions[images]
        assert np.abs(apart - np.round(apart)).max() < 1e-4
        assert rotation.T @ lattice @ lattice.T @ rotation == pytest.approx(
            lattice @ lattice.T, rel=1e-4, abs=1e-4
        )


@pytest.mark.parametrize(
    ("edge_a", "reason"),
    [
        (2.3, "the cell grew to"),
        (1.5, "atoms fell onto each other: Cu-Cu at 1.06 Å"),
        (12.0, "a Cu atom has no other within 6.5 Å"),
    ],
)
def test_a_crystal_that_is_lost_is_stopped(smooth_emt, edge_a, reason):
    lattice = Lattice.cubic(edge_a)
    structure = Structure.from_spacegroup("Fm-3m", lattice, ["Cu"], [[0, 0, 0]])
    document = smooth_emt.relax(structure, RelaxationRecipe())
    assert document.lost.startswith(f"lost in relaxation, step {document.steps}: {reason}")
    assert document.steps < 30
    assert document.volume_error_fraction is None
    assert len(document.structure) == len(structure)


class Attraction(Calculator):
    """Atoms and cell draw together for ever, or give what is no number."""

    implemented_properties = ["energy", "forces", "stress"]  # noqa: RUF012 - ASE's own attribute

    def __init__(self, energy_ev=None):
        super().__init__()
        self.energy_ev = energy_ev

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        volume = atoms.get_volume()
        self.results = {
            "energy": volume if self.energy_ev is None else self.energy_ev,
            "forces": np.zeros((len(atoms), 3)),
            "stress": np.array([1.0, 1, 1, 0, 0, 0]),
        }


@pytest.mark.parametrize(
    ("calculator", "reason"),
    [
        (Attraction(), "the cell collapsed to 0.3"),
        (Attraction(float("nan")), "the engine gives nan for its energy"),
    ],
)
def test_a_crystal_that_collapses_is_stopped(calculator, reason):
    provenance = Provenance(engine="toy", calculator="toy")
    # Large enough for the atoms not to meet first.
    structure = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.4), ["Cu"], [[0, 0, 0]])
    document = relax_with(calculator, structure, RelaxationRecipe(), provenance)
    assert reason in document.lost
    assert document.energy_ev_per_atom is None or np.isfinite(document.energy_ev_per_atom)


def test_a_crystal_lost_at_once_has_nothing_of_the_one_before():
    """Calculators are kept: the moments of the last crystal were put on the sites of the next."""

    class Magnetic(Attraction):
        implemented_properties = ("energy", "forces", "stress", "magmoms")

        def calculate(self, atoms=None, properties=None, system_changes=all_changes):
            super().calculate(atoms, properties, system_changes)
            self.results["magmoms"] = np.ones(len(atoms))

    calculator, provenance = Magnetic(), Provenance(engine="toy", calculator="toy")
    free = RelaxationRecipe(stress_tolerance_gpa=1e3, volume_tolerance_fraction=1e3)
    relax_with(calculator, BRAVAIS["cF"], free, provenance)
    squeezed = BRAVAIS["cP"].copy()
    squeezed.scale_lattice(1.0)
    document = relax_with(calculator, squeezed, free, provenance)
    assert "step 0: atoms fell onto each other" in document.lost
    assert len(document.structure) == len(squeezed)


def test_atoms_on_one_place_are_a_lost_crystal(smooth_emt):
    """spglib raises an error of its own for them, and so it does for some strained cells."""
    structure = Structure(Lattice.cubic(4.0), ["Cu", "Cu"], [[0, 0, 0], [0, 0, 1e-7]])
    document = smooth_emt.relax(structure, RelaxationRecipe())
    assert document.lost


def test_what_does_not_relax_in_time_is_an_error(smooth_emt):
    with pytest.raises(EngineError, match="not relaxed by 'emt' after 2 steps"):
        smooth_emt.relax(BRAVAIS["aP"], RelaxationRecipe(max_steps=2))
