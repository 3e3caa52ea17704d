"""A potential is fitted, is an engine like any other, and keeps the cells that it refused."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("pypolymlp")

COPPER = """data_Cu
_cell_length_a {a}
_cell_length_b {a}
_cell_length_c {a}
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M '{group}'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Cu1 Cu 0 0 0
"""


@pytest.fixture
def copper(tmp_path):
    (tmp_path / "fcc.cif").write_text(COPPER.format(a=3.61, group="F m -3 m"))
    (tmp_path / "bcc.cif").write_text(COPPER.format(a=2.2, group="I m -3 m"))


def test_a_potential_is_fitted_and_used(screen, copper, tmp_path):
    answer = screen(
        *("fit", "copper", "--label", "emt", "--source", "fcc.cif", "--elements", "Cu"),
        *("--budget", 5, "--wait", "--workers", 1),
    )
    assert answer.status == 0, answer.err
    assert "--engine fitted:copper" in answer.err
    (row,) = json.loads(screen("rank", "copper", "--format", "json").out)
    assert row["force_error_ev_per_a"] < 0.05
    for name in ("copper-learning.png", "copper-indicator.png"):
        kind = name.partition("-")[2].removesuffix(".png")
        drawn = screen(
            "plot", row["candidate_id"], "--campaign", "copper", "--kind", kind, "-o", name
        )
        assert drawn.status == 0, drawn.err
    values = {}
    for engine in ("emt", "fitted:copper"):
        name = engine.replace(":", "-")
        answer = screen(
            *("submit", "--target", "low-kappa-slack", "--engine", engine, "--source", "fcc.cif"),
            *("--source", "bcc.cif", "--name", name, "--wait", "--workers", 1),
        )
        assert answer.status == 0, answer.err
        rows = json.loads(screen("rank", name, "--format", "json").out)
        values[engine] = {each["material_id"]: each for each in rows}
    fitted, exact = values["fitted:copper"]["fcc.cif"], values["emt"]["fcc.cif"]
    for field in ("bulk_modulus_gpa", "shear_modulus_gpa"):
        assert fitted[field] == pytest.approx(exact[field], rel=0.05)
    refused = values["fitted:copper"]["bcc.cif"]
    assert refused["outcome"] == "failed"
    shown = screen("show", refused["candidate_id"]).out
    assert "outside the domain of the fitted potential" in " ".join(shown.split())
    answer = screen(
        *("fit", "better", "--after", "copper", "--label", "emt", "--source", "fcc.cif"),
        *("--elements", "Cu", "--budget", 5, "--wait", "--workers", 1),
    )
    assert answer.status == 0, answer.err
    assert "that it refused will be labelled" in answer.err
    (better,) = json.loads(screen("rank", "better", "--format", "json").out)
    assert better["n_labels"] > row["n_labels"]
    answer = screen("promote", "fitted-copper", "--engine", "fitted:better", "--top", 2)
    assert answer.status == 0, answer.err


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ("fitted:nothing", "campaign 'nothing': unknown"),
        ("fitted:", "with the name that `matscreen fit NAME` was given"),
    ],
)
def test_a_potential_that_is_not_there_is_named(screen, copper, engine, said):
    screen("submit", "--target", "low-kappa", "--engine", "emt", "--source", "fcc.cif")
    answer = screen("submit", "--target", "low-kappa", "--engine", engine, "--source", "fcc.cif")
    assert answer.status == 2
    assert said in answer.err


@pytest.mark.parametrize(
    ("elements", "said"),
    [
        ("Cu,Xq", "'Xq' is not the symbol of an element"),
        ("Cu,Au", "no crystal of 'fcc.cif' with Au is in the family"),
        ("Au", "holds no crystal of Au alone (1 of other elements, 0 not readable)"),
    ],
)
def test_a_family_that_cannot_be_is_named(screen, copper, elements, said):
    answer = screen(
        "fit", "x", "--label", "emt", "--source", "fcc.cif", "--elements", elements, "--dry-run"
    )
    assert answer.status == 2
    assert said in answer.err
