"""Files are there whole or not at all."""

from __future__ import annotations

import os

import pytest

from screening.machine.atomic_files import write_whole


@pytest.mark.parametrize("mode", [0o600, 0o666])
def test_a_file_is_written_with_its_permissions(tmp_path, mode):
    path = tmp_path / "state.json"
    before = os.umask(0o022)
    try:
        write_whole(path, b"first", mode=mode)
        write_whole(path, b"second", mode=mode)
    finally:
        os.umask(before)
    assert path.read_bytes() == b"second"
    assert path.stat().st_mode & 0o777 == mode & ~0o022
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch, step):
    path = tmp_path / "state.json"
    write_whole(path, b"old")

    def broken(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(os, step, broken)
    with pytest.raises(OSError, match="disk full"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_unfinished_file_has_the_stem_of_the_file(tmp_path, monkeypatch):
    """By which the outbox knows the job of a file that a killed worker left."""
    renamed = []
    monkeypatch.setattr(os, "replace", lambda old, new: renamed.append(old))
    write_whole(tmp_path / "job-1.result", b"content")
    [unfinished] = renamed
    assert (unfinished.parent, unfinished.stem) == (tmp_path, "job-1")
    assert unfinished.suffix not in ("", ".result")
