"""A campaign with real physics, small enough for a test: effective-medium theory on metals."""

from __future__ import annotations

import csv
import io
import json
import re

RECIPE = {
    "relaxation": {"force_tolerance_ev_per_a": 1e-3},
    "phonons": {
        "min_length_a": 5,
        "max_atoms": 32,
        "stability_mesh_length_a": 15,
        "spectrum_mesh_length_a": 15,
    },
    "third_order": {"min_length_a": 5, "max_atoms": 32},
    "transport": {
        "temperatures_k": [300],
        "mesh_lengths_a": [6, 9, 12],
        "gruneisen_mesh_length_a": 6,
    },
}


def test_from_files_to_a_ranking(project):
    from campaign_fixtures import write_cifs

    write_cifs(project.folder / "crystals", 4)
    project.write(
        "metals.yaml",
        objective="lattice-thermal-conductivity",
        engine="emt",
        sources=["crystals"],
        budget=2,
        batch_size=2,
        recipe=RECIPE,
    )
    out, err = project.screen(
        "submit", "--target", "metals.yaml", "--name", "metals", "--wait", "--workers", 1
    )
    assert out == ""
    assert "matscreen rank metals" in err
    # Held open: each command alone would start a server, and stop it again.
    with project.database() as database:
        check_answers(project)
        check_results(database)
        check_no_address_is_stored(database)
    # FireWorks writes no description of a job, and nothing else is left in its folder.
    [outbox] = (project.folder / ".screen" / "jobs" / "metals").iterdir()
    assert outbox.name == "outbox"
    assert list(outbox.iterdir()) == []


def check_answers(project):
    """Check that machines read results, and nothing else, on stdout."""
    ranked = project.json("rank")
    assert [row["rank"] for row in ranked] == [1, 2, 3, 4]
    assert sum(row["outcome"] == "predicted" for row in ranked) == 2
    rows = list(csv.DictReader(io.StringIO(project.here("rank", "metals", "--format", "csv"))))
    assert [row["candidate_id"] for row in rows] == [row["candidate_id"] for row in ranked]
    status = project.json("status", "metals")
    assert (status["finished"], status["picked"], status["failed"]) == (True, 2, 0)
    computed = next(row for row in ranked if row["outcome"] != "predicted")
    shown = project.json("show", computed["candidate_id"])
    assert shown["candidate"]["_id"] == computed["candidate_id"]
    assert len(shown["picks"]) == len(shown["results"]) == 1
    # A job store holds more than a result shows: large arrays stay where they are.
    assert len(json.dumps(shown)) < 200_000


def check_results(database):
    results = list(database.results.find())
    assert len(results) == 2
    for result in results:
        assert result["outcome"] in ("computed", "unstable")
        assert result["engine"] == "emt"
        assert result["cost"] > 0
        assert result["provenance"]["calculator"] == "ase.calculators.emt.EMT"
        if result["outcome"] == "computed":
            assert isinstance(result["kappa_300k_w_per_m_k"], float)
            assert len(result["meshes"]) >= 2
    assert database.launchpad.workflows.count_documents({}) == 0
    assert database.launchpad.fireworks.count_documents({}) == 0


def check_no_address_is_stored(database):
    client = database._client
    address = "{}:{}".format(*client.address)
    base = client[database.name]
    names = base.list_collection_names()
    assert {"campaigns", "candidates", "picks", "results", "job_outputs"} <= set(names)
    for name in names:
        for document in base[name].find():
            text = repr(document)
            assert address not in text, name
            assert not re.search(r"mongodb(\+srv)?://", text), name
