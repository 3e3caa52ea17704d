from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core.lattice import Lattice
from pymatgen.core.periodic_table import Element
from pymatgen.core.structure import Structure

from screening.candidates.crystal_features import feature_names, features


def named(structure: Structure) -> dict[str, float]:
    return dict(zip(feature_names(), features(structure), strict=True))


def test_known_numbers_of_rocksalt(rocksalt):
    values = named(rocksalt.get_primitive_structure())
    assert values["coordination_mean"] == 6
    assert np.exp(values["log_nearest_distance"]) == pytest.approx(2.82)
    assert np.exp(values["log_volume_per_atom"]) == pytest.approx(5.64**3 / 8)
    assert np.exp(values["log_symmetry_operations"]) == pytest.approx(48)
    assert values["bond_electronegativity_difference"] == pytest.approx(3.16 - 0.93)
    assert values["row_mean"] == 3
    assert values["p_electrons_mean"] == 2.5
    assert values["valence_electrons_mean"] == 4
    assert np.exp(values["log_bond_strength_mean"]) == pytest.approx(1 / 6)
    assert np.exp(values["log_bond_stiffness"]) == pytest.approx(1 / 6 / 2.82**2)
    assert np.exp(values["log_valence_density"]) == pytest.approx(8 / 5.64**3)
    # ln(g/cm³ · Å³): 29.22 u are 48.5 of these.
    assert np.exp(values["log_mean_atomic_mass"]) == pytest.approx(29.22 * 1.6605, rel=1e-3)
    assert values["group_max"] == 17
    assert np.exp(values["log_atomic_mass_max"]) == pytest.approx(35.453, rel=1e-3)


def test_names_are_unique():
    assert len(set(feature_names())) == len(feature_names())


def test_every_element_gives_finite_numbers():
    for element in Element:
        crystal = Structure(Lattice.cubic(4.0), [element], [[0, 0, 0]])
        assert np.isfinite(features(crystal)).all(), element


def test_only_what_counts_the_cell_depends_on_it(quartz):
    one, two = named(quartz), named(quartz * (2, 1, 1))
    assert two.pop("n_sites") == 2 * one.pop("n_sites")
    assert two.pop("log_symmetry_operations") < one.pop("log_symmetry_operations")
    # Slack's n, which is the number of atoms in the primitive cell.
    for name in ("log_slack_conductivity_estimate", "log_lindemann_slack_estimate"):
        assert two.pop(name) == pytest.approx(one.pop(name) - 2 / 3 * np.log(2))
    assert two == pytest.approx(one, abs=1e-9)


def test_sparse_and_skewed_cells_have_neighbours():
    for lattice in (Lattice.cubic(30.0), Lattice.tetragonal(2.5, 40.0)):
        assert np.isfinite(features(Structure(lattice, ["Ar"], [[0, 0, 0]]))).all()
