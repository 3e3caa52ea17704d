"""All that is told of one candidate."""

from __future__ import annotations

import json

import numpy as np
import pytest

from screening.messages.errors import ScreenError
from screening.ranking.cache import cached_ranking
from screening.targets.objectives import OBJECTIVES, load
from screening.targets.result_labels import RESULT_QUANTITIES, quantity
from screening.views.candidate import candidate_view, symbol
from screening.views.numbers import thinned


def only(campaign):
    return candidate_view(campaign, cached_ranking(campaign)[0][0].candidate_id)


def told(view):
    return {fact.label: (fact.value, fact.unit) for fact in view.facts}


def test_a_conductor(silicon_alone, silicon_document):
    view = only(silicon_alone)
    assert view.relaxed
    assert view.crystal.space_group == "Fd-3m"
    assert len(view.crystal.sites) == len(silicon_document.structure)
    facts = told(view)
    assert facts["κ(300 K)"][1] == facts["error bar of κ(300 K)"][1] == "W/m/K"
    assert facts["κ(300 K)"][0] == pytest.approx(view.row.value, rel=1e-4)
    assert facts["no correction, because"] == ("a crystal of one element", "")
    assert "κ(300 K), direct solution" not in facts
    assert view.provenance["arguments"] == "xc=PBE"
    assert view.provenance["version of ase"] == "3"
    assert view.provenance["campaign"] == "silicon"
    assert view.electrode_path is None
    json.dumps(view.model_dump(mode="json"), allow_nan=False)


def test_its_spectrum(silicon_alone, silicon_document):
    view, spectrum = only(silicon_alone), silicon_document.spectrum
    assert view.bands.labels[0] == ("Γ", "X")
    assert len(view.bands.labels) == len(spectrum.band_labels)
    for ours, theirs in zip(view.bands.frequency_thz, spectrum.band_frequency_thz, strict=True):
        assert np.array(ours) == pytest.approx(np.array(theirs), rel=6e-4, abs=6e-4)
    assert [len(each) for each in view.bands.distance_per_a] == [
        len(each) for each in spectrum.band_distance_per_a
    ]
    dos = view.dos
    assert len(dos.frequency_thz) == len(dos.dos_per_thz) <= 300
    # Two atoms: six modes.
    assert np.trapezoid(dos.dos_per_thz, dos.frequency_thz) == pytest.approx(6, rel=0.02)


@pytest.mark.parametrize(
    ("label", "plain"),
    [
        (r"$\Gamma$", "Γ"),
        (r"$\mathrm{X}$", "X"),
        (r"$\Sigma_0$", "Σ₀"),
        (r"$\mathrm{H_2}$", "H₂"),
        ("X'", "X'"),
    ],
)
def test_names_of_q_points(label, plain):
    assert symbol(label) == plain


def test_its_transport(silicon_alone, silicon_document):
    view = only(silicon_alone)
    found = view.conductivity
    assert found.mesh == (5, 5, 5)
    assert found.temperature_k == [100, 300, 900]
    assert found.kappa_w_per_m_k[0] > found.kappa_w_per_m_k[1] > found.kappa_w_per_m_k[2]
    assert found.kappa_xx_w_per_m_k == pytest.approx(found.kappa_w_per_m_k, rel=1e-3)
    meshes = view.meshes
    assert meshes.mesh == [(3, 3, 3), (5, 5, 5)]
    assert meshes.kappa_300k_w_per_m_k[-1] == pytest.approx(found.kappa_w_per_m_k[1], rel=1e-3)
    assert meshes.limit_w_per_m_k == pytest.approx(view.row.value, rel=1e-4)
    curve = view.accumulation
    assert len(curve.frequency_thz) == len(curve.mean_free_path_nm) == 300
    for end in (
        curve.kappa_of_frequency_w_per_m_k[-1],
        curve.kappa_of_mean_free_path_w_per_m_k[-1],
    ):
        assert end == pytest.approx(found.kappa_w_per_m_k[1], rel=1e-3)
    longest_nm = max(silicon_document.transport.mean_free_path_angstrom) / 10
    assert curve.mean_free_path_nm[-1] == pytest.approx(longest_nm, rel=1e-4)


def test_curves_that_somebody_removed_are_left_out(silicon_alone, monkeypatch):
    blobs = vars(silicon_alone.database.job_store)["additional_stores"]["data"]
    monkeypatch.setattr(blobs, "query_one", lambda *_: None)
    monkeypatch.setattr(silicon_alone.database, "large_values", lambda _: {})
    view = only(silicon_alone)
    assert view.bands is view.dos is view.accumulation is None
    assert view.conductivity is not None


def test_an_electrode(electrode):
    view = only(electrode)
    facts = told(view)
    assert facts["ΔV/V"] == (0.05, "")
    assert facts["voltage"] == (3.5, "V")
    assert facts["volume change on charging"] == (-0.047619, "")
    assert facts["framework does not survive, because"] == ("not compared", "")
    path = view.electrode_path
    assert (path.working_ion, path.formula) == ("Al", ["Cu", "AlCu2", "AlCu"])
    assert path.volume_a3 == [60.0, 61.5, 63.0]
    assert path.step_ions_discharged == [0.5, 1.0]
    assert path.step_voltage_v == [3.6, 3.4]
    assert view.bands is view.conductivity is view.meshes is None


def test_without_a_result_the_source_speaks(computed):
    row = next(row for row in cached_ranking(computed)[0] if row.outcome == "predicted")
    view = candidate_view(computed, row.candidate_id)
    assert not view.relaxed
    assert view.picks == view.facts == []
    assert view.provenance == {}
    assert [each.source for each in view.origins] == ["toy"]
    assert view.row.predicted_value == row.predicted_value


def test_what_a_source_states(silicon_alone):
    database, key = silicon_alone.database, cached_ranking(silicon_alone)[0][0].candidate_id
    from screening.views.candidate import _stated

    facts = _stated(database.candidates.find_one({"_id": key}))
    assert [fact.model_dump() for fact in facts] == [
        {"label": "band gap", "value": 1.25, "unit": "eV"},
        {"label": "theoretical", "value": False, "unit": ""},
        {"label": "density", "value": 2.3291, "unit": "g/cm³"},
    ]


def test_what_was_done_to_the_crystal_of_a_source(silicon_alone):
    database, key = silicon_alone.database, cached_ranking(silicon_alone)[0][0].candidate_id
    assert [each.note for each in candidate_view(silicon_alone, key).origins] == [""]
    note = "refined from P1 to Fd-3m within 0.010 Å and 0.10% strain"
    database.candidates.update_one({"_id": key}, {"$set": {"origins.0.note": note}})
    assert [each.note for each in candidate_view(silicon_alone, key).origins] == [note]
    database.candidates.update_one({"_id": key}, {"$unset": {"origins.0.note": ""}})
    assert [each.note for each in candidate_view(silicon_alone, key).origins] == [""]


def test_why_it_was_chosen(computed):
    for pick in computed.picks():
        view = candidate_view(computed, pick["candidate_id"])
        [found] = view.picks
        assert (found.number, found.state) == (pick["number"], pick["state"])
        assert found.place == pick["rank"]
        assert found.neighbours == pick["neighbours"]
        assert (found.predicted_value is None) == (pick["predicted_mean"] is None)
        if found.predicted_value is not None:
            assert found.predicted_low < found.predicted_value < found.predicted_high
        assert ("cannot be computed" in found.error) == (pick["state"] == "failed")


def test_a_stranger(computed):
    with pytest.raises(ScreenError, match="'Pb-1-0' is not in the pool of 'toy-1'"):
        candidate_view(computed, "Pb-1-0")


LEFT_OUT = {
    # Told elsewhere on the page, or no single word.
    *("schema_version", "outcome", "reason", "formula", "structure", "charged_structure"),
    *("provenance", "costs", "spectrum", "transport", "phono3py_params", "path", "voltages"),
    *("temperatures_k", "kappa_tensor_w_per_m_k", "meshes", "elastic_tensor_gpa"),
    "third_order_supercell_matrix",
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_field_of_a_result_has_a_label(name):
    objective = OBJECTIVES[name]
    own = {objective.value_field, *(each.field for each in objective.shown_fields)}
    known = {each.field for each in RESULT_QUANTITIES} | own | LEFT_OUT
    assert set(load(objective.document).model_fields) <= known


def test_labels_are_told_apart_and_units_are_those_of_the_names():
    labels = [each.label for each in RESULT_QUANTITIES]
    assert len(set(labels)) == len(labels)
    for each in RESULT_QUANTITIES:
        derived = quantity(f"x{each.field[each.field.find('_') :]}" if "_" in each.field else "x")
        if derived.unit:
            assert each.unit in (derived.unit, derived.unit.removesuffix("/atom")), each.field
    assert quantity("density_g_per_cm3").heading == "density / (g/cm³)"
    assert quantity("spin").heading == "spin"


def test_thinning_keeps_both_ends():
    assert thinned(list(range(7)), 300) == list(range(7))
    few = thinned(list(range(1001)), 11)
    assert few == list(range(0, 1001, 100))
