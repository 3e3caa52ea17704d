"""What cannot be computed is known when a campaign is submitted."""

from __future__ import annotations

import numpy as np
import pytest
from phono3py.other.isotope import get_mass_variances
from pymatgen.analysis.molecule_structure_comparator import CovalentRadius
from pymatgen.core import Element, Lattice, Structure

from screening.campaigns.config import CampaignConfig
from screening.campaigns.flows import candidate_workflow, refusal
from screening.candidates.candidate import Candidate, Origin
from screening.candidates.crystal import crystal_from_structure
from screening.candidates.crystal_features import feature_names, features
from screening.messages.errors import ScreenError
from screening.running.harvest import would_fail_again
from screening.targets.engines import engine_config, parse_engine, require_engine
from workflows.lattice_dynamics import capability
from workflows.lattice_dynamics.cells import phonopy_cell
from workflows.recipes import ThermalConductivityRecipe

SYMBOLS = [Element.from_Z(number).symbol for number in range(1, 104)]
ENGINES = ("emt", "sevennet-0", "sevennet-l3i5", "chgnet", "gpaw-standard")
OBJECTIVES = {
    "lattice-thermal-conductivity": ({}, {"transport": {"isotopes": False}}),
    "slack-thermal-conductivity": ({},),
    "energy-above-hull": ({},),
    "electrode-volume-change": ({}, {"working_ion": "Li"}),
    "vacancy-formation-energy": ({},),
    "antisite-pair-energy": ({},),
}
TAGS = {"campaign": "c", "pick": "c/x"}


def crystal(symbol: str) -> Structure:
    """Return a rock salt with lithium, so that all targets may take it."""
    radii = (float(CovalentRadius.radius.get(each, 1.5)) for each in (symbol, "Li"))
    lattice = Lattice(1.2 * sum(radii) * (np.ones((3, 3)) - np.eye(3)))
    return Structure(lattice, [symbol, "Li"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def dense_crystal(symbol: str) -> Structure:
    """Return a crystal like CsCl with lithium: of it symmetry is found in a tenth of the time."""
    radii = (float(CovalentRadius.radius.get(each, 1.5)) for each in (symbol, "Li"))
    lattice = Lattice.cubic(1.2 * sum(radii) * 2 / np.sqrt(3))
    return Structure(lattice, [symbol, "Li"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def candidate(structure: Structure, **inputs) -> Candidate:
    return crystal_from_structure(structure, Origin(source="s", material_id="m", inputs=inputs))


def config(objective: str, recipe: dict, engine: str = "sevennet-0") -> CampaignConfig:
    return CampaignConfig(
        target="t",
        objective=objective,
        engine=engine,
        sources=["s"],
        budget=1,
        batch_size=1,
        recipe=recipe,
    )


@pytest.fixture(scope="module")
def candidates() -> dict[str, Candidate]:
    return {symbol: candidate(dense_crystal(symbol)) for symbol in SYMBOLS}


def test_every_element_has_features(candidates):
    for symbol, found in candidates.items():
        described = features(found.content())
        assert len(described) == len(feature_names())
        assert np.isfinite(described).all(), symbol


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_element_is_refused_with_a_reason_or_has_a_flow(objective, candidates):
    engine = engine_config("sevennet-0")
    for symbol, found in candidates.items():
        # The second recipe is laxer than the first: it is for what that refuses.
        for recipe in OBJECTIVES[objective]:
            settings = config(objective, recipe)
            reason = refusal(found, settings, engine)
            if reason is not None:
                assert str(reason)
                continue
            candidate_workflow(found, settings, engine, TAGS, 0)
            if objective == "lattice-thermal-conductivity" and not recipe:
                # What the last step of that flow does with the elements.
                assert np.isfinite(get_mass_variances(symbols=[symbol])).all()
            break


def test_masses_are_those_of_the_elements():
    for symbol in SYMBOLS:
        cell = phonopy_cell(crystal(symbol))
        expected = [float(Element(each).atomic_mass) for each in cell.symbols]
        # Of the radioactive the two libraries name different isotopes.
        np.testing.assert_allclose(cell.masses, expected, rtol=0.02)


@pytest.mark.parametrize("symbol", ["Tc", "Pm", "Po", "Ac", "Np", "Pu"])
def test_elements_without_isotopes_are_refused_until_the_recipe_leaves_them_out(symbol):
    found, engine = candidate(crystal(symbol)), engine_config("sevennet-0")
    objective = "lattice-thermal-conductivity"
    reason = refusal(found, config(objective, {}), engine)
    assert f"{symbol} has no natural mixture of isotopes" in str(reason)
    assert "isotopes: false" in str(reason)
    assert refusal(found, config(objective, {"transport": {"isotopes": False}}), engine) is None


@pytest.mark.parametrize("name", ENGINES)
def test_engines_name_their_elements(name):
    known = engine_config(name).supported_elements()
    assert known is not None
    assert known <= set(SYMBOLS)
    assert "Cm" not in known


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sevennet-0", "sevennet-l3i5"])
def test_elements_are_those_of_the_model(name):
    from ase.data import chemical_symbols
    from sevenn.calculator import SevenNetCalculator

    calculator = SevenNetCalculator(**engine_config(name).arguments)
    of_model = {chemical_symbols[number] for number in calculator.type_map}
    assert engine_config(name).supported_elements() == of_model


def test_a_calculator_without_stress_is_noticed_before_anything_is_queued():
    content = {"kind": "ase", "name": "mine", "calculator": "ase.calculators.tip3p.TIP3P"}
    with pytest.raises(ScreenError, match="TIP3P' computes no stress"):
        require_engine(parse_engine(content, "mine"))
    wrong = {**content, "calculator": "ase.calculators.mixing.SumCalculator"}
    with pytest.raises(ScreenError, match="its calculator cannot be made"):
        require_engine(parse_engine(wrong, "mine"))
    absent = {**content, "calculator": "ase.calculators.emt.EFT"}
    with pytest.raises(ScreenError, match="cannot be loaded"):
        require_engine(parse_engine(absent, "mine"))
    require_engine(parse_engine({**content, "calculator": "ase.calculators.emt.EMT"}, "mine"))


def refused(structure: Structure, **recipe) -> str | None:
    return capability.refusal(structure, ThermalConductivityRecipe.model_validate(recipe))


def test_supercells_without_third_order_force_constants_are_refused():
    salt = crystal("Na")
    small = {"min_length_a": 3.0, "max_atoms": 8}
    assert "supercell of 8 atoms" in refused(salt, third_order=small)
    assert "raise third_order.min_length_a" in refused(salt, third_order=small)
    assert refused(salt) is None


def test_fits_that_fill_the_memory_are_refused():
    rng = np.random.default_rng(0)
    places = (np.array(list(np.ndindex(4, 4, 4))) + 0.2 * rng.random((64, 3))) / 4
    glass = Structure(Lattice.from_parameters(11, 12, 13, 80, 95, 103), ["Si"] * 64, places)
    assert "GB of memory" in refused(glass)
    assert "lower third_order.cutoff_a" in refused(glass)
    assert refused(glass, third_order={"cutoff_a": 3.2}) is None
    dense = {"mesh_lengths_a": [60, 90, 180], "max_mesh_points": 5000}
    assert "q-mesh" in refused(glass, third_order={"cutoff_a": 3.2}, transport=dense)


def test_most_crystals_are_told_without_an_exact_count(monkeypatch):

    def counted(*arguments):
        raise AssertionError("counted")

    heusler = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(6.2), ["Cu", "Mn", "Al"], [[0.25] * 3, [0] * 3, [0.5] * 3]
    )
    monkeypatch.setattr(capability, "third_order_basis_size", counted)
    monkeypatch.setattr(capability, "vanishes_by_symmetry", counted)
    small = {"min_length_a": 6.0, "max_atoms": 16}
    assert refused(heusler.get_primitive_structure(), third_order=small) is None
    rng = np.random.default_rng(0)
    places = (np.array(list(np.ndindex(4, 4, 4))) + 0.2 * rng.random((64, 3))) / 4
    glass = Structure(Lattice.from_parameters(11, 12, 13, 80, 95, 103), ["Si"] * 64, places)
    assert "GB of memory" in refused(glass)


def test_elements_that_phonopy_cannot_name_are_refused():
    assert refused(crystal("Nh")) == "phonopy has no element Nh"


def born(structure: Structure, changes: dict) -> dict:
    signs = [1 if site.specie.symbol == "Na" else -1 for site in structure]
    return {
        "structure": structure.as_dict(),
        "born_charges_e": [(1.1 * sign * np.eye(3)).tolist() for sign in signs],
        "dielectric_tensor": (2.5 * np.eye(3)).tolist(),
        "source": "test",
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"born_charges_e": [np.eye(3).tolist()] * 2}, "do not add up to zero"),
        ({"dielectric_tensor": [[2.5, 1, 0], [0, 2.5, 0], [0, 0, 2.5]]}, "is not symmetric"),
        ({"dielectric_tensor": np.diag([2.5, 2.5, 0.4]).tolist()}, "cannot be below 1"),
        ({"dielectric_tensor": np.diag([4.0, 4.0, 6.0]).tolist()}, "equivalent directions"),
        ({"structure": crystal("K").as_dict()}, "another cell or crystal"),
    ],
)
def test_tensors_that_are_not_of_the_crystal_are_refused(changes, reason):
    salt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.7), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    ).get_primitive_structure()
    found = candidate(salt, dielectric=born(salt, changes))
    objective, engine = "lattice-thermal-conductivity", engine_config("sevennet-0")
    said = refusal(found, config(objective, {}), engine)
    assert (said is None) == (reason is None)
    assert reason is None or (reason in str(said) and "nac: off" in str(said))
    # Who leaves them out need not mend them.
    assert refusal(found, config(objective, {"nac": "off"}), engine) is None


@pytest.mark.parametrize(
    ("raised", "final"),
    [
        ("workflows.errors.CannotCompute: LiTc: no isotopes", True),
        ("ValueError: of several\nlines", True),
        ("TypeError", True),
        ("ase.calculators.calculator.PropertyNotImplementedError: stress", True),
        ("workflows.errors.EngineError: failed 3 times: ValueError: damaged output", False),
        ("MemoryError", False),
        ("OSError: [Errno 28] No space left on device", False),
        ("json.decoder.JSONDecodeError: truncated", False),
    ],
)
def test_errors_of_crystal_and_recipe_are_told_from_passing_ones(raised, final):
    frames = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\n    ^^^\n'
    earlier = f"{frames}ValueError: first\n\nDuring handling of it, another exception occurred:\n\n"
    complaint = {"error": raised.splitlines()[-1], "traceback": earlier + frames + raised}
    assert would_fail_again(complaint) is final
