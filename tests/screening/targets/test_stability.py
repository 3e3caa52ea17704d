"""Where crystals stand on the hull of one engine's energies."""

from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Composition

from screening.campaigns.snapshot import PoolRow
from screening.messages.errors import ScreenError
from screening.targets.stability import MOST_NAMED, stability

CU_AU = {
    "cu": ("Cu", -0.01),
    "au": ("Au", 0.02),
    "cu3au": ("Cu3Au", -0.0025 - 0.0106),
    "cuau": ("CuAu", 0.005 - 0.0079),
    "cuau-b2": ("CuAu", 0.005 - 0.0030),
    "cuau-b1": ("CuAu", 0.005 + 0.3),
    "cuau3": ("CuAu3", 0.0125 + 0.02),
}
"""Formulas and energies: of compounds the elements' and a formation energy."""


def results(table):
    return {
        key: {"outcome": "computed", "formula": formula, "energy_ev_per_atom": energy}
        for key, (formula, energy) in table.items()
    }


def rows(table, **competitors):
    pool = {key: PoolRow(formula) for key, (formula, _) in table.items()}
    return pool | {key: PoolRow(name, competitor=True) for key, name in competitors.items()}


def test_a_binary_hull():
    found = stability(results(CU_AU), rows(CU_AU))
    formation = {key: fields["formation_energy_ev_per_atom"] for key, fields in found.items()}
    assert formation["cu3au"] == pytest.approx(-0.0106)
    assert formation["cuau"] == pytest.approx(-0.0079)
    distance = {key: fields["hull_distance_ev_per_atom"] for key, fields in found.items()}
    # Between Cu and CuAu at a quarter: half of -7.9 meV; between Cu3Au and Au at a half: two thirds
    # of -10.6 meV; between CuAu and Au at three quarters: half of -7.9 meV.
    assert distance["cu3au"] == pytest.approx(-0.0106 + 0.00395)
    assert distance["cuau"] == pytest.approx(-0.0079 + 0.0106 * 2 / 3)
    assert distance["cuau3"] == pytest.approx(0.02 + 0.00395)
    assert (distance["cu"], distance["au"]) == (0.0, 0.0)
    verdicts = {key: fields["stability_verdict"] for key, fields in found.items()}
    assert verdicts.pop("cuau3") == verdicts.pop("cuau-b1") == "unstable"
    assert set(verdicts.values()) == {"no decomposition found"}
    assert found["cuau3"]["decomposes_into"] == "0.5 Au + 0.5 CuAu"
    assert found["cu3au"]["decomposes_into"] == "not; first 0.5 CuAu + 0.5 Cu"


def test_energies_with_several_cutoffs_are_not_joined():
    computed = results({"Li": ("Li", 0.0), "Cl": ("Cl", 0.0), "LiCl": ("LiCl", -2.0)})
    same = {key: {**result, "energy_cutoff_ev": 1170.0} for key, result in computed.items()}
    assert stability(same, rows({"LiCl": ("LiCl", -2.0)})).keys() == {"LiCl"}
    mixed = {**same, "Li": {**same["Li"], "energy_cutoff_ev": 390.0}}
    with pytest.raises(ScreenError, match="cut-offs of 1170 eV and 390 eV cannot be joined"):
        stability(mixed, rows({"LiCl": ("LiCl", -2.0)}))
    # A crystal that relaxation lost has none.
    lost = {**same, "Li": {**same["Li"], "energy_cutoff_ev": None, "outcome": "unstable"}}
    assert stability(lost, rows({"LiCl": ("LiCl", -2.0)})).keys() == {"LiCl"}


def test_polymorphs_within_10_mev_share_the_verdict_and_are_marked():
    found = stability(results(CU_AU), rows(CU_AU))
    assert found["cuau"]["polymorphs"] == "lowest of 3, 2 within 10 meV/atom"
    assert found["cuau-b2"]["hull_distance_ev_per_atom"] == pytest.approx(0.0049)
    assert found["cuau-b2"]["polymorphs"].startswith("4.9 meV/atom above the lowest of 3")
    assert found["cuau-b1"]["decomposes_into"] == "CuAu, as cuau, 307.9 meV/atom lower"
    assert found["cuau-b1"]["hull_distance_ev_per_atom"] == pytest.approx(0.3079)
    # All of a composition that decomposes do.
    table = CU_AU | {"cuau3-b": ("CuAu3", 0.0125 + 0.024)}
    assert stability(results(table), rows(table))["cuau3-b"]["stability_verdict"] == "unstable"


def test_without_elements_there_is_no_hull_but_there_are_decompositions():
    table = {key: CU_AU[key] for key in ("cu3au", "cuau", "cuau3")}
    found = stability(results(table), rows(table))
    assert found["cu3au"]["stability_verdict"] == "unknown"
    assert found["cu3au"]["hull_distance_ev_per_atom"] is None
    assert found["cu3au"]["missing_competitors"].startswith("in no source: Au, Cu")
    assert found["cuau"]["stability_verdict"] == "no decomposition found"
    assert found["cuau"]["formation_energy_ev_per_atom"] is None
    assert found["cuau"]["hull_diagram"] is None
    # A polymorph of what is unknown is no nearer to a hull.
    table["cu3au-b"] = ("Cu3Au", 0.0)
    higher = stability(results(table), rows(table))["cu3au-b"]
    assert higher["stability_verdict"] == "unstable"
    assert higher["hull_distance_ev_per_atom"] is None
    # What computed compounds make up is unstable whatever the elements are.
    table["cuau"] = ("CuAu", 0.5)
    found = stability(results(table), rows(table))["cuau"]
    assert found["stability_verdict"] == "unstable"
    assert found["decomposes_into"] == "0.5 CuAu3 + 0.5 Cu3Au"


def test_what_is_known_and_has_no_energy_is_named():
    table = {"na": ("Na", 0.0), "cl": ("Cl2", 0.0), "mine": ("Na3Cl", -0.1)}
    pool = rows(table, listed="Na2Cl", computed="Na", other="KCl") | {"idea": PoolRow("NaCl5")}
    energies = results(table)
    energies["listed"] = {"outcome": "unstable", "formula": "Na2Cl", "energy_ev_per_atom": None}
    found = stability(energies, pool)["mine"]
    # Of the source; NaCl is on the Materials Project's hull.  A mere proposal is no competitor.
    missing = dict(part.split(": ") for part in found["missing_competitors"].split("; "))
    names = {name for part in missing.values() for name in part.split(", ")}
    assert missing["lost in relaxation"] == "Na2Cl"
    assert "NaCl" in missing["in no source"].split(", ")
    assert not {"NaCl5", "KCl", "Na", "Cl", "Cl2"} & names
    assert found["missing_competitors_count"] == len(names)
    assert found["stability_verdict"] == "no decomposition found"
    # Without competitors, all that is in the pool is.
    pool = rows(table) | {"idea": PoolRow("NaCl5")}
    missing = stability(results(table), pool)["mine"]["missing_competitors"]
    assert missing.startswith("not computed: NaCl5; in no source: ")


def test_what_failed_is_told_apart_from_what_was_not_tried():
    table = {"mine": ("NaCl", 0.0), "sodium": ("Na", 0.0), "chlorine": ("Cl", 0.0)}
    failed = PoolRow("Na3Cl", competitor=True, failed=True)
    pool = rows(table) | {"one": failed, "two": PoolRow("NaCl3", competitor=True)}
    missing = stability(results(table), pool)["mine"]["missing_competitors"]
    assert "not computed: NaCl3" in missing
    assert "failed: Na3Cl" in missing
    # Another crystal of the same composition is still to be computed.
    pool["three"] = PoolRow("Na3Cl", competitor=True)
    missing = stability(results(table), pool)["mine"]["missing_competitors"]
    assert "not computed: Na3Cl, NaCl3" in missing
    assert "failed" not in missing


def test_many_missing_ones_are_counted():
    table = {"mine": ("LiFePO4", 0.0)}
    found = stability(results(table), rows(table))["mine"]
    assert found["stability_verdict"] == "unknown"
    assert found["missing_competitors"].startswith("in no source: Fe, Li, O2, P, ")
    assert found["missing_competitors_count"] > MOST_NAMED
    more = found["missing_competitors_count"] - MOST_NAMED
    assert found["missing_competitors"].endswith(f"; and {more} more")


def test_of_elements_the_lowest_stands():
    table = {"fcc": ("Cu", 0.0), "bcc": ("Cu", 0.03)}
    found = stability(results(table), rows(table))
    assert found["fcc"]["stability_verdict"] == "no decomposition found"
    assert found["bcc"]["stability_verdict"] == "unstable"
    assert found["bcc"]["hull_distance_ev_per_atom"] == pytest.approx(0.03)


@pytest.mark.parametrize("absent", ["", "Na"])
@pytest.mark.parametrize("seed", range(3))
def test_distances_are_those_of_a_linear_programme(seed, absent):
    from scipy.optimize import linprog

    elements = ("Li", "Na", "S")
    drawn = np.random.default_rng(seed)
    formulas = {
        "".join(f"{element}{n}" for element, n in zip(elements, counts, strict=True) if n)
        for counts in drawn.integers(0, 4, (25, 3))
        if counts.any()
    }
    names = sorted({Composition(name).reduced_formula for name in (*formulas, *elements)})
    names = [name for name in names if name != absent]
    table = {name: (name, float(drawn.uniform(-1, 0) * (len(name) > 2))) for name in names}
    found = stability(results(table), rows(table))
    fractions = {
        name: [Composition(name).get_atomic_fraction(element) for element in elements]
        for name in names
    }
    checked = 0
    for name in names:
        if len(Composition(name)) == 1:
            continue
        others = [other for other in names if other != name]
        programme = linprog(
            [table[other][1] for other in others],
            A_eq=np.array([fractions[other] for other in others]).T,
            b_eq=fractions[name],
        )
        distance = found[name]["hull_distance_ev_per_atom"]
        if programme.status == 2:
            assert distance is None
            continue
        checked += 1
        assert distance == pytest.approx(table[name][1] - programme.fun, abs=1e-8)
    assert checked > 5
