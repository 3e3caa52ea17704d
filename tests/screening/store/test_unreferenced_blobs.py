"""Blobs that nothing refers to are found and removed; all others stay."""

from __future__ import annotations

import pytest

from screening.store.unreferenced_blobs import find_unreferenced, remove_unreferenced

OUTPUT = {"uuid": "job", "index": 1, "output": {"forces": [[0.1, 0.2]], "deep": [{"more": [1.0]}]}}


@pytest.fixture
def delivered_twice(database):
    """Two blobs of a job, each delivered twice."""
    for _ in range(2):
        database.job_store.update(OUTPUT, save={"data": ["forces", "more"]})
    return database


def test_what_was_delivered_twice_leaves_one_copy_unreferenced(delivered_twice):
    database = delivered_twice
    unreferenced = find_unreferenced(database, older_than_h=0)
    assert (len(unreferenced.ids), unreferenced.total) == (2, 4)
    assert unreferenced.size_mb > 0
    remove_unreferenced(database, unreferenced)
    assert find_unreferenced(database, older_than_h=0).ids == []
    found = database.job_store.get_output("job", load=True)
    assert found == OUTPUT["output"]
    assert database.blob_bucket.find({}).to_list() != []


def test_a_result_keeps_what_it_refers_to(delivered_twice):
    database = delivered_twice
    spared = find_unreferenced(database, older_than_h=0).ids[0]
    uuid = database.blobs.find_one({"_id": spared})["metadata"]["blob_uuid"]
    database.results.insert_one({"_id": "mine", "phonons": {"fc2": {"blob_uuid": uuid}}})
    assert spared not in find_unreferenced(database, older_than_h=0).ids


def test_what_is_young_is_left_alone(delivered_twice, screen):
    assert find_unreferenced(delivered_twice).ids == []
    assert "0 of 4 blobs (0.0 MB) removed" in screen("clean").err
    answer = screen("clean", "--older-than-h", "0", "--dry-run")
    assert "2 of 4 blobs (0.0 MB) could be removed" in answer.err
    assert len(find_unreferenced(delivered_twice, 0).ids) == 2
