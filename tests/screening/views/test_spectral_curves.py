"""The spectral function of a result as a picture, on screen and in print."""

from __future__ import annotations

import pytest

from screening.testing.figure_contract import PictureContract
from screening.views.spectral_curves import spectral_function

RESULT = {
    "supercells": 2,
    "supercell_atoms": [32, 32],
    "broadening_thz": 0.1,
    "spectral_function": {
        "distance_per_a": [[0.0, 0.1, 0.2], [0.2, 0.35]],
        "labels": [["$\\Gamma$", "$\\mathrm{X}$"], ["$\\mathrm{K}$", "$\\Gamma$"]],
        "frequency_thz": [0.0, 1.0, 2.0, 3.0],
        "intensity_per_thz": [
            [[0.0, 1.0, 0.5, 0.0], [0.1, 0.9, 0.5, 0.0], [0.1, 0.9, 0.5, 0.0]],
            [[0.0, 0.2, 1.1, 0.3], [0.0, 1.2345678, 0.5, 0.0]],
        ],
    },
}


class TestPicture(PictureContract):
    @pytest.fixture
    def pictures(self):
        return spectral_function(RESULT)


def test_it_has_the_path_and_every_other_frequency():
    [view] = spectral_function(RESULT)
    assert view.labels == [("Γ", "X"), ("K", "Γ")]
    assert view.frequency_thz == [0.0, 2.0]
    assert view.intensity_per_thz[1] == [[0.0, 1.1], [0.0, 0.5]]
    assert "mean over 2 supercells, of 32 atoms" in view.caption


def test_a_result_without_it_has_no_picture():
    assert spectral_function({}) == []
