"""What GPAW is asked for; GPAW itself runs in tests/integration."""

from __future__ import annotations

import pytest
from pymatgen.core import Element

from workflows.dft import gpaw
from workflows.dft.engine import DftEngine
from workflows.dft.gpaw import GpawSettings


def test_every_element_has_a_stated_cutoff_or_is_refused():
    table = gpaw.recommended_cutoffs_ev()
    known = DftEngine("gpaw", "gpaw").supported_elements()
    for element in Element:
        assert (element.symbol in known) == (element.symbol in table)
        assert 200 <= table.get(element.symbol, 300) <= 1500
    assert {"H", "Li", "O", "Na", "Si", "Cl", "Fe", "Cu", "Te", "Pb", "Bi"} <= set(table)
    assert {"Tc", "Po", "At", "U"}.isdisjoint(table)


def test_the_hardest_element_sets_the_cutoff(sodium_chloride):
    table = gpaw.recommended_cutoffs_ev()
    highest = max(table["Na"], table["Cl"])
    assert gpaw.cutoff_ev(sodium_chloride, GpawSettings(), "forces") == highest
    scaled = GpawSettings(cutoff_scale=1.5)
    assert gpaw.cutoff_ev(sodium_chloride, scaled, "forces") == 1.5 * highest
    assert gpaw.cutoff_ev(sodium_chloride, GpawSettings(), "relaxation") > highest
    stated = GpawSettings(cutoff_ev=444, relaxation_cutoff_ev=777)
    assert gpaw.cutoff_ev(sodium_chloride, stated, "forces") == 444
    assert gpaw.cutoff_ev(sodium_chloride, stated, "relaxation") == 777


def test_forces_and_relaxation_get_meshes_of_their_own(sodium_chloride):
    settings = GpawSettings(k_spacing_per_a=0.6, relaxation_k_spacing_per_a=0.3)
    forces = gpaw.parameters(sodium_chloride, settings, "forces")
    relaxation = gpaw.parameters(sodium_chloride, settings, "relaxation")
    assert forces["kpts"] == {"size": (2, 2, 2), "gamma": False}
    assert relaxation["kpts"] == {"size": (4, 4, 4), "gamma": False}
    assert forces["spinpol"] is False


def test_relaxations_of_some_elements_have_the_basis_of_the_hardest():
    basis = gpaw.relaxation_basis(["Na", "Cl", "F"], GpawSettings())
    assert basis == {"relaxation_cutoff_ev": pytest.approx(1.3 * 900)}
    stated = GpawSettings(relaxation_cutoff_ev=444)
    assert gpaw.relaxation_basis(["Na", "F"], stated) == {"relaxation_cutoff_ev": 444}


def test_spin_begins_with_a_moment(iron_oxide):
    """GPAW finds O2's 2 μB and 1.1 eV (400 eV, 4.5×5×5.5 Å) from 0.6 μB an atom, and not from 0."""
    assert gpaw._cell(iron_oxide, GpawSettings())["magnetic_moments_mu_b"] == [5.0] * 4 + [0.0] * 4
    moments = gpaw._cell(iron_oxide, GpawSettings(spin="on"))["magnetic_moments_mu_b"]
    assert moments == [5.0] * 4 + [0.6] * 4


def test_spin_and_hubbard_u(iron_oxide):
    settings = GpawSettings(hubbard_u_ev={"Fe": 5.3})
    parameters = gpaw.parameters(iron_oxide, settings, "forces")
    assert parameters["spinpol"] is True
    assert parameters["setups"] == {"Fe": ":d,5.3"}


def test_cells_with_one_even_division_are_shifted_along_it_only(sodium_chloride):
    sodium_chloride.lattice = sodium_chloride.lattice.from_parameters(5.7, 5.7, 11.0, 90, 90, 90)
    parameters = gpaw.parameters(sodium_chloride, GpawSettings(k_spacing_per_a=0.6), "forces")
    points = parameters["kpts"]["kpts"]
    assert len(points) == 4
    assert {point[2] for point in points} == {0.0}
    assert {abs(point[0]) for point in points} == {0.25}


def test_what_is_missing_comes_with_its_remedy(monkeypatch):
    monkeypatch.delenv(gpaw.COMMAND_VARIABLE, raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install" in gpaw.missing()
    monkeypatch.setenv(gpaw.COMMAND_VARIABLE, "mpiexec -n 4 gpaw python")
    assert gpaw.missing() is None


@pytest.mark.parametrize("field", ["mixer_beta", "eigensolver"])
def test_retries_change_what_they_name(sodium_chloride, field):
    value = {"mixer_beta": 0.05, "eigensolver": "dav"}[field]
    plain = gpaw.parameters(sodium_chloride, GpawSettings(), "forces")
    changed = gpaw.parameters(sodium_chloride, GpawSettings(**{field: value}), "forces")
    assert set(changed) - set(plain) == {"mixer" if field == "mixer_beta" else "eigensolver"}
