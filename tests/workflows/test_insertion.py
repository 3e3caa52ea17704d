"""The insertion flow from end to end, on alloys that effective-medium theory knows."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from pymatgen.core import Lattice, Structure

from screening.running.harvest import FINAL_ERRORS
from workflows import insertion, insertion_analysis
from workflows.documents import InsertionDocument
from workflows.engines import AseEngine
from workflows.errors import CannotCompute
from workflows.insertion import InsertionInputs, InsertionMaker
from workflows.recipes import InsertionRecipe, WorkingIon


@pytest.fixture(scope="module")
def emt():
    elements = ["Al", "Cu", "Ag", "Au", "Ni", "Pd", "Pt"]
    return AseEngine("emt", "ase.calculators.emt.EMT", {"asap_cutoff": True}, elements=elements)


@pytest.fixture(scope="module")
def discharged():
    """AlCu3, ordered as Cu3Au: aluminium plays the working ion."""
    return Structure(
        Lattice.cubic(3.7),
        ["Al", "Cu", "Cu", "Cu"],
        [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
    )


def run(flow, folder, monkeypatch):
    monkeypatch.chdir(folder)
    store = JobStore(MemoryStore())
    run_locally(flow, store=store, ensure_success=True, log=False)
    content = store.get_output(flow.output.uuid, which="last")
    return InsertionDocument.model_validate(
        {key: value for key, value in content.items() if not key.startswith("@")}
    )


@pytest.fixture(scope="module")
def document(emt, discharged, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        flow = InsertionMaker(emt).make(discharged, InsertionInputs(working_ion="Al"))
        return run(flow, tmp_path_factory.mktemp("insertion"), patch)


def test_the_document_says_what_left(document):
    assert (document.formula, document.charged_formula) == ("AlCu3", "Cu")
    assert (document.working_ion, document.host_formula) == ("Al", "Cu")
    assert document.provenance.engine == "emt"
    assert [cost.step for cost in document.costs] == ["discharged", "charged", "Al metal"]
    assert document.cost == sum(step.cost for step in document.costs)


def test_volumes_strains_and_their_signs_agree(document):
    ratio = document.charged_structure.volume / document.structure.volume
    assert document.signed_delta_volume_fraction == pytest.approx(ratio - 1)
    assert document.delta_volume_fraction == pytest.approx(max(ratio, 1 / ratio) - 1)
    edge = ratio ** (1 / 3) - 1
    for strain in ("a", "b", "c"):
        assert getattr(document, f"strain_{strain}_fraction") == pytest.approx(edge, abs=1e-4)
    assert document.max_principal_strain_fraction == pytest.approx(edge, abs=1e-4)


def test_the_voltage_is_that_of_the_energies(document):
    charged, full = document.path
    ions = full.working_ions - charged.working_ions
    gained = full.energy_ev - charged.energy_ev - ions * document.metal_energy_ev_per_atom
    assert document.average_voltage_v == pytest.approx(-gained / (3 * ions))
    assert document.specific_energy_wh_per_kg == pytest.approx(
        document.average_voltage_v * document.gravimetric_capacity_mah_per_g
    )


def test_a_result_has_path_and_crystals(document):
    from monty.json import jsanitize

    from screening.messages.errors import ScreenError
    from screening.results.result import Result
    from screening.targets.objectives import OBJECTIVES

    stored = jsanitize(document, strict=True)
    identity = {"candidate_id": "AlCu3", "campaign": "c", "engine": "emt"}
    result = Result(None, OBJECTIVES.load("electrode-volume-change"), {**stored, **identity})
    assert (result.unit, result.error) == ("", document.delta_volume_error_fraction)
    # For a formula unit of the host, copper.
    assert list(result.path["working_ions"]) == pytest.approx([0, 1 / 3])
    change = result.path["volume_a3"].max() / result.path["volume_a3"].min() - 1
    assert result.value == pytest.approx(change)
    assert [each.reduced_formula for each in result.path_structures] == ["Cu", "AlCu3"]
    assert result.charged_structure.reduced_formula == "Cu"
    assert result.structure.reduced_formula == "AlCu3"
    with pytest.raises(ScreenError, match="that has no spectrum"):
        _ = result.spectrum


def test_a_known_charged_crystal_is_used_and_both_ways_agree(
    emt, discharged, document, tmp_path, monkeypatch
):
    charged = discharged.copy()
    charged.remove_species(["Al"])
    charged.apply_strain(0.03)
    flow = InsertionMaker(emt).make(
        discharged, InsertionInputs(charged=charged * (1, 1, 2), working_ion="Al")
    )
    found = run(flow, tmp_path, monkeypatch)
    assert found.delta_volume_fraction == pytest.approx(document.delta_volume_fraction, abs=1e-3)
    assert found.average_voltage_v == pytest.approx(document.average_voltage_v, abs=1e-3)
    assert found.topotactic
    # Cells given by a source do not correspond edge by edge.
    assert found.strain_a_fraction is None


def test_steps_between_the_ends_have_voltages_of_their_own(
    emt, discharged, document, tmp_path, monkeypatch
):
    # One ion a cell: the Maker doubles it.
    recipe = InsertionRecipe(working_ion="Al", intermediate_steps=1, max_orderings=2)
    found = run(InsertionMaker(emt, recipe=recipe).make(discharged), tmp_path, monkeypatch)
    assert [state.working_ions for state in found.path] == pytest.approx([0, 1 / 6, 1 / 3])
    # Capacity-weighted, the steps make the average.
    mean = sum(step.voltage_v for step in found.voltages) / 2
    assert mean == pytest.approx(found.average_voltage_v)
    assert found.average_voltage_v == pytest.approx(document.average_voltage_v, abs=1e-3)


@pytest.mark.parametrize(
    ("species", "charged", "ion", "reason"),
    [
        (["Au", "Cu", "Cu", "Cu"], None, None, "it holds no working ion (Li, Na, K"),
        (["Au", "Cu", "Cu", "Cu"], None, "Na", "it holds no Na that could leave"),
        (["Al", "Al", "Al", "Al"], None, "Al", "nothing is left of it when the Al leaves"),
        (["Al", "O", "O", "O"], None, "Al", "only O2 is left of it when the Al leaves"),
        (["Li", "Cu", "Cu", "Cu"], None, "Li", "engine 'emt' does not know Li"),
        (["Al", "Cu", "Cu", "Cu"], ["Au"], "Al", "its charged crystal has the host Au, not Cu"),
        (["Al", "Cu", "Cu", "Cu"], ["Al", "Cu"], "Al", "holds no less Al than the discharged one"),
    ],
)
def test_what_is_no_electrode_is_refused(emt, discharged, species, charged, ion, reason):
    structure = Structure(discharged.lattice, species, discharged.frac_coords)
    other = None
    if charged is not None:
        positions = [[0, 0, 0], [0.5, 0.5, 0.5]][: len(charged)]
        other = Structure(Lattice.cubic(3), charged, positions)
    maker = InsertionMaker(emt)
    said = maker.refusal(structure, InsertionInputs(charged=other, working_ion=ion))
    assert said is not None
    assert reason in said
    with pytest.raises(ValueError, match=re.escape(said)):
        maker.make(structure, InsertionInputs(charged=other, working_ion=ion))


def test_a_fraction_that_stays_is_whole_in_a_larger_cell(emt, discharged):
    flow = InsertionMaker(emt).make(
        discharged, InsertionInputs(working_ion="Al", remaining_fraction=1 / 3)
    )
    full, part = (job.function_args[0] for job in flow.jobs[:2])
    assert (full.composition["Al"], part.composition["Al"]) == (3, 1)
    assert part.composition["Cu"] == full.composition["Cu"]


@pytest.mark.parametrize(
    ("recipe", "inputs", "reason"),
    [
        ({}, {"working_ion": "Cu"}, "Cu is not among the working ions: Li, Na, K"),
        ({}, {"working_ion": "Al", "remaining_fraction": 0.999}, "no cell of up to 8 times its 1"),
        (
            {"intermediate_steps": 1},
            {"working_ion": "Al", "charged": True},
            "intermediate_steps needs one made from it",
        ),
    ],
)
def test_what_make_could_not_do_is_refused_before(emt, discharged, recipe, inputs, reason):
    if "charged" in inputs:
        inputs = {**inputs, "charged": discharged.copy().remove_species(["Al"])}
    maker = InsertionMaker(emt, recipe=InsertionRecipe(**recipe))
    assert reason in maker.refusal(discharged, InsertionInputs(**inputs))


def test_recipes_name_the_working_ions_that_have_a_charge():
    assert get_args(WorkingIon) == tuple(insertion_analysis.ION_CHARGES)


def test_the_recipes_working_ion_wins(emt, discharged):
    maker = InsertionMaker(emt, recipe=InsertionRecipe(working_ion="Al"))
    assert maker.refusal(discharged, InsertionInputs(working_ion="Li")) is None
    assert "holds no Li" in InsertionMaker(emt).refusal(
        discharged, InsertionInputs(working_ion="Li")
    )


def test_one_relaxation_field_changes_no_other():
    recipe = InsertionRecipe.model_validate({"relaxation": {"max_steps": 7}})
    assert recipe.relaxation.force_tolerance_ev_per_a == 0.02


@pytest.mark.parametrize("ions", [4, 5, 7])
def test_steps_are_distinct_compositions(emt, discharged, ions):
    recipe = InsertionRecipe(working_ion="Al", intermediate_steps=ions - 1, max_orderings=1)
    flow = InsertionMaker(emt, recipe=recipe).make(discharged)
    counts = [job.function_args[0].composition["Al"] for job in flow.jobs[:-2]]
    assert len(set(counts)) == len(counts) == ions + 1


def test_the_error_bar_of_the_change_is_that_of_both_volumes(document):
    ratio = 1 + document.delta_volume_fraction
    first, second = (state.volume_error_fraction for state in document.path)
    expected = ratio * (first**2 + second**2) ** 0.5
    assert document.delta_volume_error_fraction == pytest.approx(expected)
    assert 0 < document.delta_volume_error_fraction < 1e-3


def test_an_electrode_whose_charged_crystal_flies_apart_is_unstable(
    emt, discharged, tmp_path, monkeypatch
):
    """It used to be computed, with a volume change that meant nothing."""
    squeezed = Structure.from_spacegroup("Fm-3m", Lattice.cubic(2.3), ["Cu"], [[0, 0, 0]])
    flow = InsertionMaker(emt).make(discharged, InsertionInputs(charged=squeezed, working_ion="Al"))
    found = run(flow, tmp_path, monkeypatch)
    assert found.outcome == "unstable"
    assert re.match(r"Cu: lost in relaxation, step \d+: the cell grew to [23]\.\d", found.reason)
    assert found.delta_volume_fraction is None
    assert found.average_voltage_v is None
    assert found.gravimetric_capacity_mah_per_g > 0
    assert found.path == []


def test_molecules_have_no_volume_change(emt, discharged):
    """A framework that falls into molecules is unstable even where no cell grows much."""
    relaxation = emt.relax(discharged, InsertionRecipe().relaxation)
    pair = Structure(Lattice.cubic(8), ["Cu"] * 2, [[0.2, 0, 0], [0.47, 0, 0]])
    molecules = relaxation.model_copy(update={"structure": pair})
    assert insertion_analysis.dimensionality(pair) == 0
    metal = emt.relax(insertion_analysis.metal_of("Al"), InsertionRecipe().relaxation)
    document = insertion.insertion_document.original(
        [relaxation, molecules], metal, "Al", same_cell=False
    )
    assert document.outcome == "unstable"
    assert "fell apart into molecules" in document.reason
    assert document.delta_volume_fraction is None


def test_an_ordering_that_is_lost_is_told_where_another_one_is_on_the_path(emt, discharged):
    relaxation = emt.relax(discharged, InsertionRecipe().relaxation)
    charged = relaxation.model_copy(
        update={"structure": insertion_analysis.host_of(relaxation.structure, "Al")}
    )
    half = relaxation.structure * (2, 1, 1)
    half.remove_sites([0])
    survived = relaxation.model_copy(update={"structure": half})
    lost = survived.model_copy(update={"lost": "lost in relaxation, step 3: the cell grew"})
    assemble = insertion.insertion_document.original
    document = assemble([relaxation, charged, survived, lost], relaxation, "Al", same_cell=True)
    assert document.outcome == "computed"
    assert document.lost_orderings == "AlCu6: lost in relaxation, step 3: the cell grew"
    assert [state.formula for state in document.path] == ["Cu", "AlCu6", "AlCu3"]
    document = assemble([relaxation, charged, lost], relaxation, "Al", same_cell=True)
    assert document.outcome == "unstable"
    assert "AlCu6: lost" in document.reason


def test_a_lost_metal_is_no_reason_for_a_second_try(emt, discharged):
    """Whoever retries gets the same metal again, after the same cost."""
    relaxation = emt.relax(discharged, InsertionRecipe().relaxation)
    lost = relaxation.model_copy(update={"lost": "the cell collapsed"})
    with pytest.raises(CannotCompute, match="Al metal: the cell collapsed; no voltage") as raised:
        insertion.insertion_document.original([relaxation, relaxation], lost, "Al", same_cell=False)
    assert raised.type.__name__ in FINAL_ERRORS


@pytest.mark.parametrize("ion", insertion_analysis.ION_CHARGES)
def test_every_working_ion_has_its_metal(ion):
    """Density at room temperature; ASE has alkali metals as cold as they were measured."""
    metal = insertion_analysis.metal_of(ion)
    known_g_per_cm3 = float(metal[0].specie.density_of_solid) / 1000
    assert metal.density == pytest.approx(known_g_per_cm3, rel=0.07)
    assert {site.specie.symbol for site in metal} == {ion}


def test_caesium_is_an_ion_like_others():
    cell = Structure.from_spacegroup(
        "Pm-3m", Lattice.cubic(4.1), ["Cs", "Ni"], [[0] * 3, [0.5] * 3]
    )
    assert insertion_analysis.working_ion_of(cell, None) == "Cs"
    # Barium is not looked for, but can be named.
    cell.replace_species({"Cs": "Ba"})
    assert insertion_analysis.working_ion_of(cell, None) is None
    assert insertion_analysis.working_ion_of(cell, "Ba") == "Ba"
