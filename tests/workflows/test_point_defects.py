"""Neutral vacancies and antisite pairs: sites, supercells, references, limits and whole flows."""

from __future__ import annotations

import re

import numpy as np
import pytest
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from pydantic import ValidationError
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

from workflows.dft.engine import DftEngine
from workflows.errors import CannotCompute
from workflows.point_defects import cells, references
from workflows.point_defects.documents import ExchangePairDocument, VacancyDocument
from workflows.point_defects.exchange_pairs import ExchangePairInputs, ExchangePairMaker
from workflows.point_defects.recipe import ExchangePairRecipe, VacancyRecipe
from workflows.point_defects.vacancies import VacancyMaker

SMALL = {"image_distance_a": 7.0, "max_atoms": 40}
"""32 atoms of an fcc crystal, and 4 beside them."""
FACES = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]


def run(flow, document, folder, monkeypatch):
    monkeypatch.chdir(folder)
    store = JobStore(MemoryStore())
    run_locally(flow, store=store, ensure_success=True, log=False)
    content = store.get_output(flow.output.uuid, which="last")
    return document.model_validate(
        {key: value for key, value in content.items() if not key.startswith("@")}
    )


def olivine() -> Structure:
    """LiFePO4: V. A. Streltsov et al., Acta Cryst. B 49, 147 (1993), rounded."""
    sites = {
        "Li": [0, 0, 0],
        "Fe": [0.282, 0.25, 0.975],
        "P": [0.095, 0.25, 0.418],
        "O": [[0.097, 0.25, 0.743], [0.457, 0.25, 0.206], [0.166, 0.046, 0.285]],
    }
    species = ["Li", "Fe", "P", "O", "O", "O"]
    places = [sites["Li"], sites["Fe"], sites["P"], *sites["O"]]
    lattice = Lattice.orthorhombic(10.33, 6.01, 4.69)
    return Structure.from_spacegroup("Pnma", lattice, species, places)


@pytest.fixture(scope="module")
def gold_copper():
    return Structure(Lattice.cubic(3.74), ["Au", "Cu", "Cu", "Cu"], FACES)


@pytest.fixture(scope="module")
def vacancies(emt, gold_copper, tmp_path_factory):
    recipe = VacancyRecipe(**SMALL, chemical_potentials_ev={"Au": -0.25})
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("vacancies")
        flow = VacancyMaker(emt, recipe=recipe).make(gold_copper)
        return run(flow, VacancyDocument, folder, patch)


# -------------------------------------------------------------------------------- supercells


def test_supercells_are_wide_enough_and_keep_the_point_group():
    copper = Structure(Lattice.cubic(3.61), ["Cu"] * 4, FACES)
    large, small = cells.supercells(copper, 10.0, 220)
    assert (large.multiples, small.multiples) == ((3, 3, 3), (2, 2, 2))
    assert large.image_distance_a == pytest.approx(3 * 3.61)
    # Fewer atoms than that are allowed: as wide as they make it.
    assert cells.supercells(copper, 10.0, 100)[0].multiples == (2, 2, 2)
    assert [cell.multiples for cell in cells.supercells(olivine(), 10.0, 220)] == [
        (1, 2, 3),
        (1, 1, 2),
    ]


def test_images_of_a_skewed_cell_are_nearer_than_its_edges_are_long():
    """The edges of this monoclinic cell are 6 Å, and the difference of two of them is 3.1 Å."""
    skewed = Lattice.from_parameters(6, 6, 6, 90, 150, 90)
    assert cells.image_distance_a(skewed.matrix) == pytest.approx(12 * np.sin(np.radians(15)))


def test_a_crystal_with_a_large_cell_has_one_supercell():
    assert len(cells.supercells(olivine(), 10.0, 28)) == 1


def test_copies_are_where_they_are_said_to_be():
    cell = cells.supercells(olivine(), 10.0, 220)[0]
    site, offset = 5, (0, 1, 2)
    there = cell.structure[cell.copy_of(site, offset)]
    expected = olivine().lattice.get_cartesian_coords(olivine()[site].frac_coords + offset)
    assert there.coords == pytest.approx(expected)
    assert there.specie == olivine()[site].specie


def test_sites_are_those_of_wyckoff():
    """Pnma: Li on 4a, Fe, P and two O on 4c, one O on 8d."""
    sites = cells.distinct_sites(olivine())
    found = [(olivine()[first].specie.symbol, len(same)) for first, same in sites.items()]
    assert found == [("Li", 4), ("Fe", 4), ("P", 4), ("O", 4), ("O", 4), ("O", 8)]


def test_a_crystal_without_symmetry_has_as_many_kinds_as_sites():
    rng = np.random.default_rng(0)
    triclinic = Structure(
        Lattice.from_parameters(4, 5, 6, 80, 95, 105), ["Cu", "Cu", "Au"], rng.random((3, 3))
    )
    assert len(cells.distinct_sites(triclinic)) == 3


def test_pairs_are_distinct_and_nearest_first():
    pairs = cells.distinct_pairs(olivine(), [("Fe", "Li")], 4, 7.0)
    distances = [pair.distance_a for pair in pairs]
    assert distances == sorted(distances)
    # Li has two Fe at each distance, related by its inversion.
    assert len({round(distance, 2) for distance in distances}) == 4
    for pair in pairs:
        there = olivine()[pair.second].frac_coords + pair.offset - olivine()[pair.first].frac_coords
        assert np.linalg.norm(there @ olivine().lattice.matrix) == pytest.approx(pair.distance_a)


def test_an_exchange_keeps_the_composition_and_the_distance():
    supercell = cells.supercells(olivine(), 9.0, 120)[0]
    [pair] = cells.distinct_pairs(olivine(), [("Li", "Fe")], 1, 7.0)
    exchanged = cells.with_exchange(supercell, pair)
    assert exchanged.composition == supercell.structure.composition
    changed = [
        site
        for site, (one, other) in enumerate(zip(exchanged, supercell.structure, strict=True))
        if one.specie != other.specie
    ]
    assert len(changed) == 2
    assert exchanged.get_distance(*changed) == pytest.approx(pair.distance_a)


def test_a_pair_that_is_nearer_to_an_image_is_left_out(gold_copper):
    one = cells.supercells(gold_copper, 3.0, 4)[0]
    far = cells.distinct_pairs(gold_copper, [("Au", "Cu")], 3, 7.0)[-1]
    assert far.distance_a > 5
    assert cells.with_exchange(one, far) is None


def test_a_rattle_is_the_same_each_time_and_can_be_left_out(gold_copper):
    first, second = (cells.rattled(gold_copper, 0.02, 3).cart_coords for _ in range(2))
    assert (first == second).all()
    assert cells.rattled(gold_copper, 0.0, 3).cart_coords == pytest.approx(gold_copper.cart_coords)


# -------------------------------------------------------------------------------- references


@pytest.mark.parametrize(
    ("symbol", "group", "volume_a3"),
    [
        ("Fe", 229, 11.8),
        ("Mg", 194, 23.2),
        ("Si", 227, 20.0),
        ("Mn", 217, 12.2),
        ("P", 64, 19.0),
        ("S", 70, 25.8),
        ("Te", 152, 34.0),
        ("Ga", 64, 19.6),
        ("Sn", 141, 27.0),
        ("Se", 152, 27.3),
        ("B", 166, 7.3),
        ("Sm", 166, 33.1),
        ("La", 194, 37.3),
    ],
)
def test_elements_have_the_crystal_that_they_have_in_nature(symbol, group, volume_a3):
    crystal = references.reference_structure(symbol)
    assert crystal.get_space_group_info(symprec=0.05)[1] == group
    assert crystal.volume / len(crystal) == pytest.approx(volume_a3, rel=0.02)


def test_every_element_has_a_reference_or_is_named():
    from pymatgen.core import Element

    symbols = [Element.from_Z(number).symbol for number in range(1, 95)]
    without = references.without_reference(symbols)
    assert without == ["At", "Fr", "He", "Pm", "Ra", "Rn"]
    for symbol in set(symbols) - set(without):
        assert references.reference_structure(symbol).reduced_formula.startswith(symbol)


def test_what_a_reference_does_not_say_is_said():
    assert "spin" in references.limits_of("O", anions=True)
    assert "PBE+U" in references.limits_of("Fe", anions=True)
    assert "PBE+U" not in references.limits_of("Fe", anions=False)


# ------------------------------------------------------------------------------------- flows


def test_energies_of_vacancies_are_differences_of_total_energies(vacancies, emt):
    """By the definition, with ASE alone; the elements are relaxed there, too."""
    assert vacancies.outcome == "computed"
    assert vacancies.supercell_atoms == [32, 4]
    assert [(each.element, each.multiplicity) for each in vacancies.vacancies] == [
        ("Cu", 3),
        ("Au", 1),
    ]
    from ase.optimize import BFGS

    perfect = AseAtomsAdaptor.get_atoms(vacancies.structure).repeat(2)
    perfect.calc = emt.new_calculator()
    chemical = {each.element: each for each in vacancies.references}
    assert chemical["Au"].chemical_potential_ev == -0.25
    for each in vacancies.vacancies:
        without = perfect.copy()
        del without[each.site]
        without.rattle(0.01, seed=5)
        without.calc = emt.new_calculator()
        BFGS(without, logfile=None).run(fmax=0.005)
        reference = chemical[each.element]
        expected = (
            without.get_potential_energy()
            - perfect.get_potential_energy()
            + reference.energy_ev_per_atom
            + reference.chemical_potential_ev
        )
        assert each.formation_energy_ev == pytest.approx(expected, abs=1e-3)


def test_the_value_is_the_lowest_and_its_error_the_difference_of_two_supercells(vacancies):
    lowest = min(vacancies.vacancies, key=lambda each: each.formation_energy_ev)
    assert vacancies.vacancy_formation_energy_ev == lowest.formation_energy_ev
    assert vacancies.vacancy_element == lowest.element
    large, small = (cell.energy_ev for cell in lowest.cells)
    assert vacancies.vacancy_formation_energy_error_ev == pytest.approx(abs(large - small))
    assert {cost.step for cost in vacancies.costs} == {"crystal", "references", "supercells"}


def test_an_element_is_its_own_reference(emt, fcc_copper, tmp_path, monkeypatch):
    """In 32 atoms ASE alone gives 1.228 eV."""
    recipe = VacancyRecipe(**SMALL, rattle_a=0.0)
    copper = run(
        VacancyMaker(emt, recipe=recipe).make(fcc_copper.get_primitive_structure()),
        VacancyDocument,
        tmp_path,
        monkeypatch,
    )
    assert copper.vacancy_formation_energy_ev == pytest.approx(1.228, abs=2e-3)
    [reference] = copper.references
    assert reference.kind == "the crystal itself"


def test_a_supercell_without_a_smaller_one_says_why_there_is_no_error_bar(
    emt, gold_copper, tmp_path, monkeypatch
):
    maker = ExchangePairMaker(
        emt, recipe=ExchangePairRecipe(image_distance_a=3.0, max_atoms=4, elements=(("Cu", "Au"),))
    )
    alone = run(maker.make(gold_copper), ExchangePairDocument, tmp_path, monkeypatch)
    assert alone.outcome == "computed"
    assert alone.exchange_pair_energy_error_ev is None
    assert "one conventional cell" in alone.no_error_reason
    # An exchange in the one cell is a shift of the crystal.
    assert alone.exchange_pair_energy_ev == pytest.approx(0, abs=1e-4)


def test_a_vacancy_that_the_smaller_supercell_loses_says_why_there_is_no_error_bar(emt, fcc_copper):
    maker = VacancyMaker(emt, recipe=VacancyRecipe(**SMALL))
    crystal = emt.relax(fcc_copper.get_primitive_structure(), maker.recipe.crystal)
    perfect = [
        emt.relax(each.structure, maker.recipe.relaxation, fixed_cell=True)
        for each in maker.supercells(crystal.structure)
    ]
    vacancies = [each.model_copy(update={"structure": each.structure.copy()}) for each in perfect]
    for each in vacancies:
        each.structure.remove_sites([0])
    vacancies[1].lost = "its atoms overlap"
    found = VacancyMaker.defects.original(maker, crystal, [], [*perfect, *perfect, *vacancies])
    assert found.outcome == "computed"
    assert found.vacancy_formation_energy_error_ev is None
    assert found.no_error_reason == "relaxation lost this vacancy in the smaller supercell"
    assert "Cu 0: its atoms overlap" in found.lost_defects


def test_an_exchange_costs_energy_in_an_ordered_crystal(emt, gold_copper, tmp_path, monkeypatch):
    maker = ExchangePairMaker(emt, recipe=ExchangePairRecipe(**SMALL))
    found = run(maker.make(gold_copper), ExchangePairDocument, tmp_path, monkeypatch)
    assert found.exchange_pair_energy_ev > 0.1
    assert found.exchanged_elements == "Au-Cu"
    assert found.exchange_distance_a == pytest.approx(3.71 / np.sqrt(2), abs=0.01)


@pytest.mark.parametrize("maker", [VacancyMaker, ExchangePairMaker])
def test_a_crystal_that_is_no_minimum_has_no_defects(maker, emt, tmp_path, monkeypatch):
    """EMT's simple cubic copper falls by eV when it is shaken; a vacancy in it would seem to bring
    5 eV.  Layers of Cu and Au on a simple cubic lattice fall, too."""
    if maker is VacancyMaker:
        crystal, document = Structure(Lattice.cubic(2.4), ["Cu"], [[0, 0, 0]]), VacancyDocument
        recipe = VacancyRecipe(image_distance_a=7.0, max_atoms=30)
    else:
        crystal = Structure(
            Lattice.cubic(4.8), ["Cu", "Au"] * 4, np.indices((2,) * 3).reshape(3, -1).T / 2
        )
        document = ExchangePairDocument
        recipe = ExchangePairRecipe(image_distance_a=4.0, max_atoms=30)
    found = run(maker(emt, recipe=recipe).make(crystal), document, tmp_path, monkeypatch)
    assert found.outcome == "unstable"
    assert "without a defect it falls by" in found.reason
    assert found.supercell_atoms[0] in (27, 8)


def test_a_crystal_that_is_lost_has_no_vacancies(emt, gold_copper, tmp_path, monkeypatch):
    gas = gold_copper.copy()
    gas.scale_lattice(60 * gas.volume)
    lost = run(VacancyMaker(emt).make(gas), VacancyDocument, tmp_path, monkeypatch)
    assert lost.outcome == "unstable"
    assert "lost in relaxation" in lost.reason


def test_a_reference_that_is_lost_is_named(vacancies, emt):
    maker = VacancyMaker(emt)
    crystal = emt.relax(vacancies.structure, maker.recipe.crystal)
    lost = crystal.model_copy(update={"lost": "the cell collapsed"})
    with pytest.raises(CannotCompute, match=r"reference of Au: the cell collapsed"):
        maker._references(crystal, {"Au": lost, "Cu": crystal})


# ---------------------------------------------------------------------------------- refusals


def test_charged_defects_are_refused():
    with pytest.raises(ValidationError, match="charged defects are out of scope"):
        VacancyRecipe(charge=2)


def test_chemical_potentials_above_the_reference_are_refused():
    with pytest.raises(ValidationError, match="O: above its reference"):
        VacancyRecipe(chemical_potentials_ev={"O": 0.5})


def test_what_cannot_be_computed_is_refused(emt, gold_copper, fcc_copper):
    stated = VacancyMaker(emt, recipe=VacancyRecipe(chemical_potentials_ev={"O": -1.0}))
    assert "holds no O" in stated.refusal(gold_copper)
    helium = Structure(Lattice.cubic(4), ["He", "Cu"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert "He" in VacancyMaker(emt).refusal(helium)
    assert "one element" in ExchangePairMaker(emt).refusal(fcc_copper)
    named = ExchangePairMaker(emt, recipe=ExchangePairRecipe(elements=(("Li", "Fe"),)))
    assert "holds no Fe, Li" in named.refusal(gold_copper)
    with pytest.raises(ValueError, match=re.escape("Cu3Au: it holds no Fe, Li")):
        named.make(gold_copper)


def test_first_principles_would_mix_k_points_and_spins(gold_copper):
    engine = DftEngine.__new__(DftEngine)
    engine.name = "gpaw-standard"
    assert "k-points" in VacancyMaker(engine).refusal(gold_copper)


def test_the_ion_of_an_electrode_exchanges_with_other_metals(emt):
    mixed = olivine()
    mixed[4] = "Mn"
    maker = ExchangePairMaker(emt)
    assert maker._elements(mixed, ExchangePairInputs()) == [
        ("Fe", "Li"),
        ("Fe", "Mn"),
        ("Li", "Mn"),
    ]
    assert maker._elements(mixed, ExchangePairInputs(working_ion="Li")) == [
        ("Li", "Fe"),
        ("Li", "Mn"),
    ]
