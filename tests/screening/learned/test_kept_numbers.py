"""Numbers in the user's cache."""

import numpy as np

from screening.learned.kept_numbers import kept_numbers
from screening.machine.user_cache import cache_folder


def test_numbers_are_made_once_for_each_digest(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = []

    def make():
        made.append(1)
        return {"a": np.arange(3.0)}

    for digest in ("one", "one", "other"):
        assert kept_numbers("table", digest, make)["a"].tolist() == [0, 1, 2]
    assert len(made) == 2
    assert len(list(cache_folder().iterdir())) == 2
    # A damaged file is made anew.
    (cache_folder() / "table-one.npz").write_bytes(b"PK nothing")
    assert kept_numbers("table", "one", make)["a"].tolist() == [0, 1, 2]
    assert len(made) == 3


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    assert kept_numbers("table", "one", lambda: {"a": np.ones(1)})["a"].tolist() == [1]
