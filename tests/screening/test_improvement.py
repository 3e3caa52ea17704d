"""A campaign improves its potential with what that refused, and computes that again."""

from __future__ import annotations

import json

import pytest
import yaml

from screening.campaigns.campaign import Campaign
from screening.machine.settings import Settings
from screening.store.database import open_database

pytest.importorskip("pypolymlp")

RECIPE = {
    "polynomial": {"radial_functions": 3, "angular_momenta": [2], "cutoff_a": 5.0},
    "exploration": {"min_length_a": 7.0, "max_atoms": 32, "dynamics_steps": 0},
    "proposals_per_round": 6,
    "first_labels": 4,
    "max_labels": 6,
    "largest_force_error_ev_per_a": 0.05,
}
FIT = {
    "target": "fit",
    "objective": "fitted-potential",
    "direction": "minimize",
    "engine": "emt",
    "sources": ["family:Cu@fcc.cif"],
    "sampler": {"kind": "random"},
    "budget": 1,
    "batch_size": 1,
    "recipe": RECIPE,
}


@pytest.fixture
def copper(tmp_path):
    """Copper as it is, and in a body-centred lattice."""
    from pymatgen.core import Lattice, Structure

    for name, group, a in (("fcc", "Fm-3m", 3.61), ("bcc", "Im-3m", 2.7)):
        crystal = Structure.from_spacegroup(group, Lattice.cubic(a), ["Cu"], [[0, 0, 0]])
        crystal.to(filename=str(tmp_path / f"{name}.cif"))
    (tmp_path / "fit.yaml").write_text(yaml.safe_dump(FIT))


@pytest.mark.slow
def test_what_was_refused_is_computed_with_the_next_version(screen, copper, work):
    def done(*arguments):
        answer = screen(*arguments)
        assert answer.status == 0, answer.err
        return answer

    def work_on(name):
        with open_database(Settings(), must_exist=True) as database:
            work(Campaign.open(database, name))

    def ranked():
        rows = json.loads(done("rank", "moduli", "--format", "json").out)
        return {row["material_id"]: row for row in rows}

    slack = ("submit", "--target", "low-kappa-slack", "--source", "fcc.cif", "--source", "bcc.cif")
    done("submit", "--target", "fit.yaml", "--name", "copper")
    work_on("copper")
    done(*slack, "--engine", "fitted:copper", "--name", "moduli")
    work_on("moduli")
    before = ranked()
    assert before["bcc.cif"]["outcome"] == "failed"
    assert before["fcc.cif"]["outcome"] == "computed"

    answer = done("improve", "moduli")
    assert "1 of 1 candidate that fitted:copper refused join the family" in answer.err
    assert "matscreen work copper-2, and matscreen improve moduli again" in answer.err
    work_on("copper-2")
    answer = done("improve", "moduli")
    assert before["bcc.cif"]["candidate_id"] in answer.err
    work_on("moduli")

    done(*slack, "--engine", "emt", "--name", "exact")
    work_on("exact")
    after = ranked()["bcc.cif"]
    assert after["engine"] == "fitted:copper-2"
    with open_database(Settings(), must_exist=True) as database:
        fits = {
            result["campaign"]: result
            for result in database.results.find({"objective": "fitted-potential"})
        }
        key = {"candidate_id": after["candidate_id"]}
        found = {result["engine"]: result for result in database.results.find(key)}
        fcc = {"candidate_id": before["fcc.cif"]["candidate_id"], "engine": "fitted:copper"}
        assert database.results.count_documents(fcc) == 1, "results of the old version stay"
    assert fits["copper-2"]["generation"] == 1
    assert fits["copper-2"]["n_labels"] > fits["copper"]["n_labels"]
    assert fits["copper-2"]["n_new_labels"] <= RECIPE["max_labels"]
    exact, improved = found["emt"], found["fitted:copper-2"]
    assert improved["outcome"] == exact["outcome"]
    assert improved["volume_a3_per_atom"] == pytest.approx(exact["volume_a3_per_atom"], rel=0.01)

    again = screen("improve", "moduli")
    assert again.status == 2
    assert "'fitted:copper-2' has refused none of its candidates" in again.err
    assert "its engine is 'emt'" in screen("improve", "exact").err
