"""DFT engines in real campaigns, with a stand-in that counts its calls in the program's place."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest
from campaign_fixtures import write_cifs
from project_folder import family, kill_family, wait_until
from test_emt_campaign import RECIPE

STAND_IN = Path(__file__).parents[1] / "stand_in.py"
SUPERCELL_ATOMS = 32


@pytest.fixture
def dft_project(project):
    """A project whose engine `slow-dft` is the stand-in behind the GPAW engine."""
    write_cifs(project.folder / "crystals", 2)
    (project.folder / "diary").touch()
    (project.folder / "scratch").mkdir()
    project.environment |= {
        "SCREEN_GPAW_COMMAND": f"{sys.executable} {STAND_IN}",
        "STAND_IN_DIARY": str(project.folder / "diary"),
        "TMPDIR": str(project.folder / "scratch"),
    }
    project.write(
        "slow-dft.yaml",
        name="slow-dft",
        kind="gpaw",
        fidelity=20,
        settings={"cutoff_ev": 300},
        elements=["Al", "Cu", "Ag", "Au", "Ni", "Pd", "Pt"],
    )
    return project


def write_target(project, **changes):
    content = {
        "objective": "lattice-thermal-conductivity",
        "engine": "slow-dft.yaml",
        "sources": ["crystals"],
        "budget": 1,
        "batch_size": 1,
        "recipe": RECIPE,
        **changes,
    }
    project.write("metals.yaml", **content)


def supercells(project) -> Counter[str]:
    """Return how often each displaced supercell was given to the program."""
    lines = [line.split() for line in (project.folder / "diary").read_text().splitlines()]
    return Counter(digest for digest, atoms, _ in lines if int(atoms) == SUPERCELL_ATOMS)


@pytest.mark.slow
def test_killed_between_supercells_only_the_missing_ones_are_computed(dft_project):
    project = dft_project
    # Never sure enough: it takes snapshots, one, two, four, six, to the eighth.
    third_order = {**RECIPE["third_order"], "max_relative_error": 0.01, "min_pairs": 4}
    write_target(project, recipe={**RECIPE, "third_order": third_order})
    project.environment["STAND_IN_FAULT"] = f"hang at 4 of {SUPERCELL_ATOMS}"
    submit = ("submit", "--target", "metals.yaml", "--name", "metals", "--wait", "--workers", 1)
    first = project.start(*submit)
    wait_until(lambda: len(supercells(project)) >= 4, first)
    programs = [each for each in family(first) if "stand_in.py" in " ".join(each.cmdline())]
    kill_family(first)
    del project.environment["STAND_IN_FAULT"]
    before = supercells(project)
    assert len(before) == 4
    assert all(not each.is_running() for each in programs)
    project.screen("work", "metals", "--workers", 1)
    after = supercells(project)
    assert len(after) > len(before)
    # The one that was being computed when the worker died is computed again, and no other.
    assert sum(after.values()) - len(after) <= 1
    [row] = [row for row in project.json("rank") if row["outcome"] != "predicted"]
    assert (row["engine"], row["fidelity"]) == ("slow-dft", 20)
    assert list((project.folder / "scratch").glob("matscreen-*")) == []


@pytest.mark.slow
def test_a_program_that_always_fails_ends_as_failed_with_its_last_words(dft_project):
    project = dft_project
    write_target(project, max_attempts=1)
    project.environment["STAND_IN_FAULT"] = "crash"
    project.start(
        "submit", "--target", "metals.yaml", "--name", "metals", "--wait", "--workers", 1
    ).communicate()
    [failed] = [row for row in project.json("rank") if row["outcome"] == "failed"]
    shown = project.json("show", failed["candidate_id"])
    [pick] = shown["picks"]
    assert "'slow-dft' failed 1 times" in pick["error"]
    assert "the last words of a program" in pick["traceback"]


@pytest.mark.slow
def test_explored_with_one_engine_confirmed_with_another(dft_project):
    project = dft_project
    write_target(
        project, engine="emt", budget=2, batch_size=2, confirm={"engine": "slow-dft.yaml", "top": 1}
    )
    project.screen("submit", "--target", "metals.yaml", "--name", "metals", "--wait")
    rows = project.json("rank")
    computed = [row for row in rows if row["outcome"] == "computed"]
    engines = {row["candidate_id"]: row["engine"] for row in computed}
    assert sorted(engines.values()) == ["emt", "slow-dft"]
    [confirmed] = [row for row in computed if row["engine"] == "slow-dft"]
    # The stand-in's forces are those of the engine that explored.
    assert confirmed["kappa_300k_w_per_m_k"] == pytest.approx(
        confirmed["exploration_kappa_300k_w_per_m_k"], rel=0.05
    )
    status = project.json("status", "metals")
    assert (status["confirmed"], status["to_confirm"], status["finished"]) == (1, 1, True)
    out, _ = project.screen("rank", "metals")
    assert "explored" in out
    _, err = project.screen("promote", "--engine", "slow-dft.yaml", "--top", 2, "metals")
    assert "1 candidate queued with slow-dft" in err
    _, err = project.screen("promote", "--engine", "emt", "metals", status=2)
    assert "cannot confirm" in err
