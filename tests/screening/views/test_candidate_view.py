"""All that is told of one candidate."""

from __future__ import annotations

import json

import numpy as np
import pytest

from screening.candidates.crystal_kind import CRYSTAL
from screening.machine.plugins import imported
from screening.messages.errors import ScreenError
from screening.ranking.cache import cached_ranking
from screening.targets.objectives import OBJECTIVES
from screening.targets.result_labels import RESULT_QUANTITIES, quantity
from screening.views.candidate import candidate_view
from screening.views.conductivity_curves import symbol
from screening.views.numbers import thinned


def only(campaign):
    return candidate_view(campaign, cached_ranking(campaign)[0][0].candidate_id)


def names(view):
    return [picture.name for picture in view.curves]


def curves(view, name):
    return [picture for picture in view.curves if picture.name == name]


def told(view):
    return {fact.label: (fact.value, fact.unit) for fact in view.facts}


def test_a_conductor(silicon_alone, silicon_document):
    view = only(silicon_alone)
    assert view.relaxed
    assert view.picture.space_group == "Fd-3m"
    assert len(view.picture.sites) == len(silicon_document.structure)
    facts = told(view)
    assert facts["κ(300 K)"][1] == facts["error bar of κ(300 K)"][1] == "W/m/K"
    assert facts["κ(300 K)"][0] == pytest.approx(view.row.value, rel=1e-4)
    assert facts["no correction, because"] == ("a crystal of one element", "")
    assert "κ(300 K), direct solution" not in facts
    assert view.provenance["arguments"] == "xc=PBE"
    assert view.provenance["version of ase"] == "3"
    assert view.provenance["campaign"] == "silicon"
    assert names(view) == ["bands", "dos", "kappa", "accumulation", "accumulation", "meshes"]
    json.dumps(view.model_dump(mode="json"), allow_nan=False)


def test_its_spectrum(silicon_alone, silicon_document):
    view, spectrum = only(silicon_alone), silicon_document.spectrum
    [bands] = curves(view, "bands")
    assert bands.labels[0] == ("Γ", "X")
    assert len(bands.labels) == len(spectrum.band_labels)
    for ours, theirs in zip(bands.frequency_thz, spectrum.band_frequency_thz, strict=True):
        assert np.array(ours) == pytest.approx(np.array(theirs), rel=6e-4, abs=6e-4)
    assert [len(each) for each in bands.distance_per_a] == [
        len(each) for each in spectrum.band_distance_per_a
    ]
    [dos] = curves(view, "dos")
    [line] = dos.lines
    assert line.x == bands.dos_frequency_thz
    assert line.y == bands.dos_per_thz
    assert len(line.x) == len(line.y) <= 300
    # Two atoms: six modes.
    assert np.trapezoid(line.y, line.x) == pytest.approx(6, rel=0.02)


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
    [kappa] = curves(view, "kappa")
    # Silicon is cubic: its mean is all there is to show.
    mean, value = kappa.lines
    assert mean.label == "mean, 5×5×5"
    assert mean.x == [100, 300, 900]
    assert mean.y[0] > mean.y[1] > mean.y[2]
    assert value.y == [pytest.approx(view.row.value, rel=1e-4)]
    [meshes] = curves(view, "meshes")
    assert [tick.name for tick in meshes.x.ticks] == ["∞", "3×3×3", "5×5×5"]
    assert [tick.at for tick in meshes.x.ticks] == pytest.approx([0, 1 / 9, 1 / 25], rel=1e-4)
    on_meshes, extrapolation, limit = meshes.lines
    assert on_meshes.y[-1] == pytest.approx(mean.y[1], rel=1e-3)
    assert limit.y == [pytest.approx(view.row.value, rel=1e-4)]
    assert sum(extrapolation.y) / 2 == pytest.approx(view.row.value, rel=1e-4)
    by_frequency, by_path = curves(view, "accumulation")
    for curve in (by_frequency, by_path):
        assert len(curve.lines[0].x) == 300
        assert curve.lines[0].y[-1] == pytest.approx(mean.y[1], rel=1e-3)
    longest_nm = max(silicon_document.transport.mean_free_path_angstrom) / 10
    assert by_path.lines[0].x[-1] == pytest.approx(longest_nm, rel=1e-3)


def test_curves_that_somebody_removed_are_left_out(silicon_alone, monkeypatch):
    blobs = vars(silicon_alone.database.job_store)["additional_stores"]["data"]
    monkeypatch.setattr(blobs, "query_one", lambda *_: None)
    monkeypatch.setattr(silicon_alone.database, "large_values", lambda _: {})
    view = only(silicon_alone)
    assert names(view) == ["kappa", "meshes"]


def test_an_electrode(electrode):
    view = only(electrode)
    facts = told(view)
    assert facts["ΔV/V"] == (0.05, "")
    assert facts["voltage"] == (3.5, "V")
    assert facts["volume change on charging"] == (-0.047619, "")
    assert facts["framework does not survive, because"] == ("not compared", "")
    volume, voltage = curves(view, "volume-change")
    assert names(view) == ["volume-change"] * 2
    assert volume.x.title == "Al per formula unit of the host"
    assert [note.text for note in volume.notes] == ["Cu", "AlCu₂", "AlCu"]
    assert volume.lines[-1].y == [60.0, 61.5, 63.0]
    assert voltage.lines[0].x == [0.0, 0.5, 1.0]
    assert voltage.lines[0].y == [3.6, 3.4, 3.4]


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

    facts = _stated(database.candidates.find_one({"_id": key}), CRYSTAL)
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
    *(
        "strained",
        "schema_version",
        "outcome",
        "reason",
        "formula",
        "structure",
        "charged_structure",
    ),
    *("provenance", "costs", "spectrum", "transport", "phono3py_params", "path", "voltages"),
    *("temperatures_k", "kappa_tensor_w_per_m_k", "meshes", "elastic_tensor_gpa"),
    *("third_order_supercell_matrix", "few_shot", "force_constants", "force_convergence"),
    *("effective_force_constants", "conformers", "conformers_lost", "torsions", "axes"),
    *("hull_diagram", "elements", "formulas", "rounds", "calibration", "numbers", "frames"),
    *("vacancies", "references", "pairs", "supercell_atoms", "spectral_function"),
    *("end_members", "end_member_kappas_300k_w_per_m_k", "reused_end_members"),
    *("dense_meshes", "rate_mesh"),
    "acoustic_sum_rule_violation_ev_per_a2",
}


@pytest.mark.parametrize("name", OBJECTIVES.names())
def test_every_field_of_a_result_has_a_label(name):
    objective = OBJECTIVES.load(name)
    own = {objective.value_field, *(each.field for each in objective.shown_fields)}
    known = {each.field for each in RESULT_QUANTITIES} | own | LEFT_OUT
    assert set(imported(objective.document).model_fields) <= known


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
