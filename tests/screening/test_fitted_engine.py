"""A potential is fitted, is an engine like any other, and keeps the cells that it refused."""

from __future__ import annotations

import json

import pytest

from screening.machine.settings import Settings
from screening.messages.errors import ScreenError
from screening.potentials.paid_labels import labels_of
from screening.store.database import open_database
from screening.targets.engines import build_engine, engine_config

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


@pytest.mark.slow
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
        *("--elements", "Cu", "--labels-of", "emt", "--dry-run"),
    )
    assert answer.status == 0, answer.err
    assert "that it refused will be labelled" in answer.err
    assert "taken over from campaigns (1 relaxed crystals, " in answer.err


def test_labels_of_campaigns_are_those_that_the_engine_gives(screen, copper):
    answer = screen(
        *("submit", "--target", "low-kappa-slack", "--engine", "emt", "--source", "fcc.cif"),
        *("--name", "moduli", "--wait", "--workers", 1),
    )
    assert answer.status == 0, answer.err
    with open_database(Settings(), must_exist=True) as database:
        emt = engine_config("emt")
        found = labels_of(database, ["moduli"], emt, frozenset({"Cu"}))
        others = labels_of(database, ["moduli"], emt, frozenset({"Au"}))
        for engine, said in (
            (emt.model_copy(update={"arguments": {"asap_cutoff": True}}), "computed with 'emt'"),
            (engine_config("gfn-ff"), "--labels-of moduli: it was computed with 'emt'"),
        ):
            with pytest.raises(ScreenError, match=said):
                labels_of(database, ["moduli"], engine, frozenset())
    assert found.taken["relaxed crystals"] == 1
    assert found.taken["strained cells"] == len(found.frames) - 1 > 1
    for frame, point in zip(
        found.frames,
        build_engine(emt).single_points([frame.structure for frame in found.frames]),
        strict=True,
    ):
        assert frame.energy_ev == pytest.approx(point.energy_ev, abs=1e-6)
        assert frame.forces == pytest.approx(point.forces_ev_per_a, abs=1e-3)
        assert frame.stress_ev_per_a3 == pytest.approx(point.stress_ev_per_a3, abs=1e-6)
    assert not others.frames
    assert others.said().endswith("left out: 1 results with other elements")


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
