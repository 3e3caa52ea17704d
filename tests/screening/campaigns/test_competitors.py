"""Campaigns whose candidates compete with known crystals, computed by the same engine."""

from __future__ import annotations

import pytest
from pymatgen.core import Lattice, Structure

from screening.campaigns.campaign import Campaign
from screening.campaigns.competitors import (
    competitor_sources,
    competitors_config,
    competitors_of,
    extend_competitors,
)
from screening.campaigns.config import CampaignConfig, load_campaign_config
from screening.messages.errors import ScreenError
from screening.ranking.build import ranking
from screening.ranking.cache import cached_ranking

LATTICE_A = {"Cu": 3.6, "Au": 4.08, "Ag": 4.09}


def face_centred(symbol):
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(LATTICE_A[symbol]), [symbol], [[0] * 3])


def alloy(one, three, a):
    sites = [[0, 0, 0], [0.5, 0.5, 0]]
    return Structure.from_spacegroup("Pm-3m", Lattice.cubic(a), [one, three], sites)


def l1_0():
    lattice = Lattice.tetragonal(2.8, 3.7)
    return Structure.from_spacegroup("P4/mmm", lattice, ["Cu", "Au"], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.fixture
def crystals(tmp_path):
    """Folders of CIF files: known crystals, and what may compete with them."""
    for folder in ("known", "ideas"):
        (tmp_path / folder).mkdir()
    for symbol in LATTICE_A:
        face_centred(symbol).to(str(tmp_path / "known" / f"{symbol}.cif"))
    alloy("Au", "Cu", 3.75).to(str(tmp_path / "known" / "Cu3Au.cif"))
    l1_0().to(str(tmp_path / "ideas" / "CuAu.cif"))
    alloy("Cu", "Au", 3.95).to(str(tmp_path / "ideas" / "CuAu3.cif"))


SUBMIT = ("submit", "--target", "stable-compound", "--engine", "emt", "--name", "new")


def emt_minimum(structure):
    """Return the lowest energy an atom of a cubic crystal whose lattice constant alone is free."""
    from ase.calculators.emt import EMT
    from pymatgen.io.ase import AseAtomsAdaptor
    from scipy.optimize import minimize_scalar

    atoms = AseAtomsAdaptor.get_atoms(structure)
    atoms.calc = EMT()
    cell = atoms.cell.copy()

    def energy(scale):
        atoms.set_cell(cell * scale, scale_atoms=True)
        return atoms.get_potential_energy() / len(atoms)

    return minimize_scalar(energy, bounds=(0.95, 1.05), method="bounded").fun


@pytest.mark.slow
def test_emt_s_hull_of_copper_and_gold(screen, database, work, crystals):
    submitted = screen(*SUBMIT, "--source", "ideas", "--competitors", "known", "--budget", 2)
    assert submitted.status == 0, submitted.err
    assert "beside the budget, 3 of 3 competitors have no energy yet" in submitted.err
    assert "Ag.cif: its elements are in no chemical system of the candidates" in submitted.err
    campaign = Campaign.open(database, "new")
    competing = competitors_of(campaign)
    assert (campaign.config.budget, competing.config.budget) == (2, 3)
    assert competing.recipe_hash == campaign.recipe_hash
    work(campaign)
    # Without competitors nothing is said to be stable, and what is missing has a name.
    early = {row.label: row for row in ranking(campaign)}
    assert early["CuAu"].shown_fields["stability_verdict"] == "unknown"
    assert "Cu3Au" in early["CuAu"].shown_fields["missing_competitors"]
    assert early["CuAu"].value is None
    assert "not computed: Au, Cu, " in early["CuAu"].shown_fields["missing_competitors"]
    # What failed is told apart from what was not tried, also where a ranking is kept.
    cached_ranking(campaign)
    gold_poor = database.candidates.find_one({"formula": "Cu3Au"})["_id"]
    pick = {"campaign": competing.name, "candidate_id": gold_poor}
    state = database.picks.find_one(pick)["state"]
    for shown, said in (("failed", "failed: Cu3Au"), (state, "not computed: Au, Cu, Cu3Au")):
        database.picks.update_one(pick, {"$set": {"state": shown}})
        competing.touch()
        later = {row.label: row for row in cached_ranking(campaign)[0]}
        assert said in later["CuAu"].shown_fields["missing_competitors"]
    work(competing)
    computed = campaign.whole_results(database.candidates.find({"campaigns": "new"}))
    found = {result["formula"]: result for result in computed.values()}
    known = competing.whole_results(database.candidates.find({"campaigns": "new-competitors"}))
    found |= {result["formula"]: result for result in known.values()}
    cubic = {
        "Cu": emt_minimum(face_centred("Cu")),
        "Au": emt_minimum(face_centred("Au")),
        "Cu3Au": emt_minimum(alloy("Au", "Cu", 3.75)),
        "CuAu3": emt_minimum(alloy("Cu", "Au", 3.95)),
    }
    for formula, gold in {"Cu3Au": 0.25, "CuAu3": 0.75}.items():
        by_hand = cubic[formula] - (1 - gold) * cubic["Cu"] - gold * cubic["Au"]
        formation = found[formula]["formation_energy_ev_per_atom"]
        assert formation == pytest.approx(by_hand, abs=1e-4)
    assert found["CuAu"]["formation_energy_ev_per_atom"] == pytest.approx(-0.0079, abs=2e-4)
    assert found["CuAu"]["stability_verdict"] == "no decomposition found"
    assert found["Cu3Au"]["stability_verdict"] == "no decomposition found"
    assert found["CuAu3"]["stability_verdict"] == "unstable"
    assert found["CuAu3"]["decomposes_into"] == "0.5 Au + 0.5 CuAu"
    assert found["CuAu3"]["hull_distance_ev_per_atom"] > 0.005
    assert [row.label for row in ranking(campaign)] == ["CuAu", "CuAu3"]
    shown = screen("show", "CuAu3").out
    assert "0.5 Au + 0.5 CuAu" in shown
    refused = screen("rank", "new", "--where", '{"stability_verdict": "unstable"}')
    assert refused.status == 2
    assert "stored with none" in refused.err
    plotted = screen("plot", "CuAu3", "--campaign", "new", "-o", "hull.svg")
    assert "hull of CuAu3" in plotted.err
    # Computed once: another campaign has them.
    again = ("--source", "ideas", "--competitors", "known", "--dry-run")
    assert "0 of 3 competitors have no energy yet" in screen(*SUBMIT[:-1], "more", *again).err
    # A new chemical system brings its competitors.
    alloy("Ag", "Cu", 3.75).to("AgCu3.cif")
    added = screen("add", "new", "--source", "AgCu3.cif")
    assert "1 new competitor beside the budget" in added.err
    assert competitors_of(campaign).config.budget == 4


def test_sources_are_asked_for_the_systems():
    config = load_campaign_config(
        "stable-compound",
        {
            "competitors": [
                "mp:chemsys={systems}",
                "optimade:mp?filter=elements HAS ONLY {elements}",
            ]
        },
    )
    systems = {frozenset({"Cu", "Au"}), frozenset({"S", "Cu"})}
    assert competitor_sources(config, systems) == [
        "mp:chemsys=Au,Cu,S,Au-Cu,Cu-S",
        'optimade:mp?filter=elements HAS ONLY "Au","Cu","S"',
    ]


@pytest.mark.parametrize(
    ("target", "changes", "said"),
    [
        ("low-kappa", {"competitors": ["x"]}, "depends on no other results"),
        (
            "stable-compound",
            {"competitors": ["x"], "confirm": {"engine": "sevennet-l3i5", "top": 3}},
            "competitors and confirm exclude each other",
        ),
        (
            "low-kappa",
            {
                "constraints": {"hull_distance_ev_per_atom": {"max": 0.05}},
                "confirm": {"engine": "gpaw-fast", "top": 3},
            },
            "exclude each other",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(target, changes, said):
    with pytest.raises(ScreenError, match=said):
        load_campaign_config(target, changes)


def test_competitors_do_not_change_the_recipe_hash():
    with_them = load_campaign_config("stable-compound", {"competitors": ["x"]})
    without = load_campaign_config("stable-compound", {})
    assert with_them.recipe_hash({}) == without.recipe_hash({})
    assert isinstance(without, CampaignConfig)


def test_competitors_of_any_size_are_taken():
    from screening.candidates.candidate import Origin
    from screening.candidates.crystal import crystal_from_structure

    large = face_centred("Cu")
    large.make_supercell(4)
    large.replace(0, "Au")
    crystal = crystal_from_structure(large, Origin(source="s", material_id="m"))
    config = load_campaign_config("stable-compound", {"competitors": ["x"]})
    assert crystal.n_sites > config.filters.max_sites
    assert config.filters.refusal(crystal) is not None
    competing = competitors_config(config, ["x"], 1)
    assert competing.filters.refusal(crystal) is None
    # As it is stored.
    assert CampaignConfig.model_validate(competing.model_dump(mode="json")) == competing


def test_a_submit_that_was_killed_between_two_campaigns_can_be_repeated(
    screen, database, crystals, monkeypatch, dead_process
):
    from screening.campaigns import pool as pools

    class Killed(BaseException):
        """Stands for SIGKILL."""

    store, stored = pools.store_pool, []

    def killed_at_the_second(database, name, pool):
        stored.append(name)
        if len(stored) == 2:
            raise Killed
        store(database, name, pool)

    submit = (*SUBMIT, "--source", "ideas", "--competitors", "known", "--budget", 2)
    with monkeypatch.context() as patched:
        patched.setattr(pools, "store_pool", killed_at_the_second)
        with pytest.raises(Killed):
            screen(*submit)
    assert stored == ["new-competitors", "new"]
    assert database.picks.count_documents({}) == 0
    gone = {"$set": {"submitted_by": dead_process}}
    assert database.campaigns.update_many({"status": "submitting"}, gone).matched_count == 2
    answer = screen(*submit)
    assert answer.status == 0, answer.err
    campaign = Campaign.open(database, "new")
    assert [each.status for each in (campaign, competitors_of(campaign))] == ["active"] * 2
    assert database.picks.count_documents({}) == 5


def test_an_extension_of_competitors_that_was_killed_is_completed_by_repeating(new_campaign):
    from campaign_fixtures import toy_pool

    campaign = new_campaign("new-competitors", pool=2, budget=2)
    # Killed before the budget was written.
    assert campaign.extend_pool(toy_pool(5)) == 3
    assert extend_competitors(campaign, toy_pool(5)) == 0
    assert Campaign.open(campaign.database, campaign.name).config.budget == 5
    assert extend_competitors(campaign, toy_pool(6)) == 1
    assert Campaign.open(campaign.database, campaign.name).config.budget == 6
