"""Results read back: numbers, structures, curves, force constants, and what is not there."""

from __future__ import annotations

import numpy as np
import pytest
from campaign_fixtures import toy_candidates

from screening.messages.errors import ScreenError
from screening.results.result import Result
from workflows.lattice_dynamics import transport


@pytest.fixture(scope="module")
def result(silicon):
    [key] = [key for key, each in silicon.results().items() if each["outcome"] == "computed"]
    return Result.of(silicon, key)


@pytest.fixture(scope="module")
def unstable(silicon):
    [key] = [key for key, each in silicon.results().items() if each["outcome"] == "unstable"]
    return Result.of(silicon, key)


def test_numbers_have_their_unit(result):
    assert (result.formula, result.outcome, result.engine) == ("Si", "computed", "vasp-standard")
    assert result.value == pytest.approx(result.document["kappa_300k_w_per_m_k"])
    assert result.error == pytest.approx(result.document["kappa_300k_error_w_per_m_k"])
    assert result.unit == "W/m/K"
    assert "W/m/K" in repr(result)


def test_the_structure_is_the_relaxed_one(result):
    assert result.structure.reduced_formula == "Si"
    per_atom = result.structure.volume / len(result.structure)
    assert per_atom == pytest.approx(result.document["volume_a3_per_atom"])


def test_curves_come_back_as_arrays(result):
    spectrum = result.spectrum
    integral = np.trapezoid(spectrum.dos_per_thz, spectrum.dos_frequency_thz)
    assert integral == pytest.approx(6, rel=0.05)
    for distances, bands in zip(
        spectrum.band_distance_per_a, spectrum.band_frequency_thz, strict=True
    ):
        assert bands.shape == (len(distances), 6)
    assert len(spectrum.band_labels) == len(spectrum.band_distance_per_a)
    carried = result.transport.cumulative_kappa_of_frequency_w_per_m_k
    assert carried[-1] == pytest.approx(
        result.document["meshes"][-1]["kappa_300k_w_per_m_k"], rel=1e-4
    )


def test_bands_of_the_force_constants_are_the_stored_ones(result):
    bands = result.band_structure()
    for again, stored in zip(bands.frequencies, result.spectrum.band_frequency_thz, strict=True):
        np.testing.assert_allclose(again, stored, atol=1e-4)


def test_the_fitted_model_gives_the_stored_kappa(result):
    model = result.phono3py()
    mesh = result.document["meshes"][-1]["mesh"]
    again = transport.conductivity(model, mesh, [300.0])
    stored = result.document["kappa_tensor_w_per_m_k"][1]
    np.testing.assert_allclose(again.kappa_w_per_m_k[0, :3], stored[:3], rtol=1e-3)


def test_an_unstable_crystal_has_curves_and_no_forces(unstable):
    assert unstable.value is None
    assert unstable.spectrum.dos_per_thz.max() > 0
    for absent in (unstable.phonopy, unstable.phono3py, lambda: unstable.transport):
        with pytest.raises(ScreenError, match=r"imaginary modes.* that has no \w+"):
            absent()


def test_what_was_removed_from_the_database_is_named(silicon, result):
    document = {**result.document, "transport": {"blob_uuid": "gone", "store": "data"}}
    removed = Result(silicon.database, silicon.objective, document)
    with pytest.raises(ScreenError, match="transport is no longer in the database"):
        _ = removed.transport


def test_a_candidate_that_was_not_computed_is_named(silicon):
    [key] = [each["_id"] for each in silicon.database.candidates.find({"formula": "GaAs"})]
    with pytest.raises(ScreenError, match=rf"'{key}': campaign 'recorded-1' has no result"):
        Result.of(silicon, key)


def test_the_best_engine_is_asked_first_and_others_by_name(new_campaign):
    campaign = new_campaign(
        pool=3, budget=2, confirm={"engine": "gpaw-fast", "top": 1}, batch_size=2
    )
    key = toy_candidates()[0].candidate_id
    for level, value in zip(campaign.stages, (3.0, 4.0), strict=True):
        campaign.database.results.insert_one(
            {
                **campaign.result_key(level),
                "candidate_id": key,
                "campaign": campaign.name,
                "engine": level.engine.name,
                "outcome": "computed",
                "kappa_300k_w_per_m_k": value,
            }
        )
    assert Result.of(campaign, key).value == 4.0
    assert Result.of(campaign, key, "emt").value == 3.0
    with pytest.raises(ScreenError, match="has no engine 'emtt'"):
        Result.of(campaign, key, "emtt")
