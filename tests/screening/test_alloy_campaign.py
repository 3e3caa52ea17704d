"""Random alloys from a folder of crystals to a ranking: end members are computed once."""

from __future__ import annotations

import json

import pytest
import yaml
from pymatgen.core import Lattice, Structure

from screening.candidates.alloy import ALLOY
from screening.candidates.candidate import Origin
from screening.messages.refusal import RefusedError
from screening.sources import open_source
from screening.sources.record import SourceError
from screening.testing.candidate_kind_contract import CandidateKindContract
from screening.testing.source_contract import SourceContract
from workflows.alloy_composition import AlloyComposition

FACES = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
RECIPE = {
    "end_members": {
        "relaxation": {"force_tolerance_ev_per_a": 1e-3},
        "phonons": {
            "min_length_a": 5,
            "max_atoms": 32,
            "stability_mesh_length_a": 10,
            "spectrum_mesh_length_a": 10,
        },
        "third_order": {"min_length_a": 5, "max_atoms": 32},
        "transport": {
            "temperatures_k": [300],
            "mesh_lengths_a": [3.0, 3.1, 3.2],
            "gruneisen_mesh_length_a": 6,
        },
    },
    "dense_mesh_factors": [1.0, 1.3],
}


def metal(symbol: str, edge_a: float) -> Structure:
    return Structure(Lattice.cubic(edge_a), [symbol] * 4, FACES)


def salt(first: str, second: str, edge_a: float, *, shifted: bool = False) -> Structure:
    moved = [[0.5, 0.5, 0.5], [0, 0, 0]] if shifted else [[0, 0, 0], [0.5, 0.5, 0.5]]
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(edge_a), [first, second], moved)


@pytest.fixture
def metals(tmp_path):
    folder = tmp_path / "metals"
    folder.mkdir()
    for symbol, edge_a in {"Ni": 3.52, "Cu": 3.61}.items():
        metal(symbol, edge_a).to(str(folder / f"{symbol}.cif"))
    Structure(Lattice.cubic(2.87), ["Fe"] * 2, [[0, 0, 0], [0.5] * 3]).to(str(folder / "Fe.cif"))
    return folder


class TestAlloys(CandidateKindContract):
    @pytest.fixture
    def kind(self):
        return ALLOY

    @pytest.fixture
    def contents(self):
        salts = salt("K", "Cl", 6.3), salt("K", "Br", 6.6)
        return [
            AlloyComposition(metal("Si", 3.9), metal("Ge", 4.0), 0.3),
            AlloyComposition(*salts, 0.3),
            AlloyComposition(*salts, 0.5),
        ]

    @pytest.fixture
    def unusable(self):
        return AlloyComposition(salt("K", "Cl", 6.3), salt("Na", "Br", 6.0), 0.5)


class TestSource(SourceContract):
    @pytest.fixture
    def source(self, metals):
        return open_source(f"alloys:@{metals}#step=0.25")


def read(first, second, fraction):
    return ALLOY.read(
        AlloyComposition(first, second, fraction), Origin(source="s", material_id="m")
    )


def test_the_lighter_element_is_first_and_sites_are_in_one_order():
    """Whichever crystal comes first, and wherever its origin is."""
    chloride, bromide = salt("K", "Cl", 6.3), salt("K", "Br", 6.6, shifted=True)
    one, other = read(chloride, bromide, 0.3), read(bromide, chloride, 0.7)
    assert one.candidate_id == other.candidate_id
    assert (one.formula, one.system, one.fraction) == ("KCl0.7Br0.3", "KCl-KBr", 0.3)
    assert one.lattice_mismatch_fraction == pytest.approx(0.3 / 6.45, abs=1e-5)
    assert one.content().exchanged == ("Cl", "Br")
    assert ALLOY.describe(one) == ALLOY.describe(other)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (salt("K", "Cl", 6.3), salt("Na", "Br", 6.0), "do not differ in one element"),
        (metal("Cu", 3.6), salt("K", "Cl", 6.3), "do not differ in one element"),
        (
            metal("Cu", 3.6),
            Structure(Lattice.cubic(2.87), ["Fe"] * 2, [[0, 0, 0], [0.5] * 3]),
            "different space groups",
        ),
    ],
)
def test_crystals_that_do_not_go_together_are_refused(first, second, said):
    with pytest.raises(RefusedError, match=said):
        read(first, second, 0.5)


def test_lattices_that_are_too_unlike_stay_out():
    alloy = read(salt("Na", "Cl", 5.6), salt("Na", "I", 6.7), 0.5)
    assert "lattices of its two crystals differ by 0.179" in str(ALLOY.filters().refusal(alloy))
    assert ALLOY.filters(max_lattice_mismatch_fraction=0.2).refusal(alloy) is None


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("Si,Ge", "write alloys:ELEMENTS@SOURCE"),
        ("Si,Xx@somewhere", "'Xx' is not the symbol"),
        ("@somewhere#step=0.3", "step 0.3 does not divide 1"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_sentence(rest, said):
    with pytest.raises(SourceError, match=said):
        open_source(f"alloys:{rest}")


def test_crystals_without_a_partner_are_no_source(metals):
    with pytest.raises(SourceError, match="there is nothing to mix"):
        list(open_source(f"alloys:Ni,Fe@{metals}").records())


@pytest.mark.slow
def test_alloys_are_computed_and_ranked(screen, metals, tmp_path):
    """Of three compositions two are computed; the end members are computed for the first."""
    target = {
        "target": "alloys",
        "objective": "alloy-thermal-conductivity",
        "direction": "minimize",
        "engine": "emt",
        "sources": [f"alloys:@{metals}#step=0.25"],
        "sampler": {"kind": "random"},
        "recipe": RECIPE,
        "budget": 2,
        "batch_size": 2,
    }
    (tmp_path / "alloys.yaml").write_text(yaml.safe_dump(target))
    answer = screen("submit", "--target", "alloys.yaml", "--name", "a", "--wait", "--workers", 1)
    assert answer.status == 0, answer.err
    rows = json.loads(screen("rank", "--format", "json").out)
    assert {row["formula"] for row in rows} == {"Ni0.75Cu0.25", "Ni0.5Cu0.5", "Ni0.25Cu0.75"}
    computed = [row for row in rows if row["outcome"] == "computed"]
    assert len(computed) == 2
    results = [
        json.loads(screen("show", row["candidate_id"], "--format", "json").out)["results"][0]
        for row in computed
    ]
    results.sort(key=lambda result: -result["cost"])
    first, then = results
    assert first["reused_end_members"] == []
    assert then["reused_end_members"] == first["end_members"] == ["Ni", "Cu"]
    assert then["cost"] == 0 < first["cost"]
    assert then["end_member_kappas_300k_w_per_m_k"] == first["end_member_kappas_300k_w_per_m_k"]
    for result in results:
        parts = ("dense_mesh_error", "rate_mesh_error", "fit_error")
        errors = [result[f"{part}_w_per_m_k"] or 0.0 for part in parts]
        whole = sum(error**2 for error in errors) ** 0.5
        assert result["alloy_kappa_300k_error_w_per_m_k"] == pytest.approx(whole)
        assert result["alloy_kappa_300k_w_per_m_k"] > 0
        assert "disorder of the force constants" in result["left_out"]
    shown = " ".join(screen("show", computed[0]["candidate_id"]).out.split())
    assert "disorder of the force constants" in shown
