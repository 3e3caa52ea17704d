"""Settings of the DFT programs: k-meshes, spin, Hubbard U, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pymatgen.core import Lattice, Structure

from screening.messages.errors import ScreenError
from screening.targets.engines import parse_engine
from workflows.dft.settings import DftSettings, KMesh, k_mesh
from workflows.dft.vasp import VaspSettings

LENGTH = st.floats(2.0, 30.0)


def cell(symbols, a=4.0, b=4.0, c=4.0, gamma=90.0):
    positions = np.linspace(0, 0.5, len(symbols))[:, None] * np.ones(3)
    return Structure(Lattice.from_parameters(a, b, c, 90, 90, gamma), symbols, positions)


@given(LENGTH, LENGTH, LENGTH, st.floats(0.05, 2.0), st.sampled_from([90.0, 120.0]))
def test_points_are_never_farther_apart_than_asked(a, b, c, spacing, gamma):
    structure = cell(["Si"], a, b, c, gamma)
    mesh = k_mesh(structure, spacing)
    lengths = np.array(structure.lattice.reciprocal_lattice.abc)
    assert (lengths / mesh.divisions <= spacing * 1.01).all()
    coarser = np.array(mesh.divisions) - 1
    # And not one division more than needed.
    assert ((lengths / np.maximum(coarser, 1) > spacing * 0.999) | (coarser == 0)).all()


@given(st.tuples(*3 * [st.integers(1, 4)]), st.tuples(*3 * [st.integers(0, 1)]))
def test_points_are_distinct_and_closed_under_inversion(divisions, shift):
    points = np.array(KMesh(divisions, shift).points())
    assert len(np.unique(np.round(points % 1, 9), axis=0)) == np.prod(divisions)
    inverted = np.sort(np.round(-points % 1, 9), axis=0)
    assert np.allclose(inverted, np.sort(np.round(points % 1, 9), axis=0))


def test_even_meshes_avoid_gamma_only_where_angles_are_right():
    assert k_mesh(cell(["Si"]), 0.8).shift == (1, 1, 1)
    assert k_mesh(cell(["Si"], gamma=120.0), 0.8).shift == (0, 0, 0)
    assert k_mesh(cell(["Si"]), 0.6).shift == (0, 0, 0)


def test_spin():
    assert DftSettings().is_spin_polarised(cell(["Fe", "O"]))
    assert not DftSettings().is_spin_polarised(cell(["Na", "Cl"]))
    assert not DftSettings(spin="off").is_spin_polarised(cell(["Fe", "O"]))


def test_hubbard_u_is_for_oxides_and_fluorides():
    settings = DftSettings(hubbard_u_ev={"Fe": 5.3, "Mn": 3.9})
    assert settings.hubbard_u(cell(["Fe", "O"])) == {"Fe": 5.3}
    assert settings.hubbard_u(cell(["Fe", "S"])) == {}


@pytest.mark.parametrize("tag", [{"ADDGRID": True}, {"LREAL": "Auto"}, {"LREAL": True}])
def test_tags_that_blur_third_order_forces_are_refused(tag):
    with pytest.raises(ValidationError, match="blur third-order forces"):
        VaspSettings(incar=tag)


@pytest.mark.parametrize(
    ("tag", "remedy"),
    [("ENCUT", "cutoff_ev"), ("encut", "cutoff_ev"), ("ISPIN", "spin"), ("LDAUU", "hubbard_u_ev")],
)
def test_tags_that_have_a_setting_are_refused(tag, remedy):
    """The cut-off that the check of the stress states would not be that of the calculation."""
    with pytest.raises(ValidationError, match=f"{tag} would win .* state {remedy}"):
        VaspSettings(incar={tag: 600})
    config = {"name": "mine", "kind": "vasp", "settings": {"incar": {tag: 600}}}
    with pytest.raises(ScreenError, match=f"{tag} would win"):
        parse_engine(config, "engine 'mine'")


def test_an_unknown_setting_is_refused():
    with pytest.raises(ValidationError, match="cut_off"):
        DftSettings.model_validate({"cut_off": 500})
