"""What is computed once: in the database by fingerprint, in memory by one thread of many."""

from __future__ import annotations

import threading
import time
import zlib

import pytest

from screening.store.cache import Cache, SingleFlight


def test_a_text_is_there_for_its_fingerprint_only(database):
    cache = Cache(database.predictions)
    assert cache.read("a", "1") is None
    cache.write({})
    cache.write({"a": "κ", "b": "x"}, "1", calibration=0.5)
    assert cache.read("a", "1").decode() == "κ"
    assert cache.read("a", "2") is None
    cache.write({"a": "new"}, "2")
    assert (cache.read("a", "1"), cache.read("a", "2")) == (None, b"new")
    assert database.predictions.find_one({"_id": "b"})["calibration"] == 0.5
    for keys, texts in ((None, {"a": b"new", "b": b"x"}), (["b", "c"], {"b": b"x"}), ([], {})):
        stored = cache.read_compressed(keys)
        assert {key: zlib.decompress(packed) for key, packed in stored.items()} == texts


def test_of_many_threads_one_computes():
    memory: SingleFlight[str] = SingleFlight(2)
    computed, answers = [], []

    def compute(tag):
        computed.append(tag)
        time.sleep(0.05)
        return f"value of {tag}"

    def ask():
        answers.append(memory.get(("key",), lambda: "1", compute))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert computed == ["1"]
    assert answers == ["value of 1"] * 8


def test_a_value_is_computed_again_for_a_new_tag_or_when_it_falls_short():
    memory: SingleFlight[list[int]] = SingleFlight(2)
    computed = []

    def ask(tag, length):
        def compute(tag):
            computed.append((tag, length))
            return list(range(length))

        return memory.get(("key",), lambda: tag, compute, lambda rows: len(rows) >= length)

    assert len(ask("1", 3)) == 3
    assert len(ask("1", 2)) == 3
    assert len(ask("1", 4)) == 4
    assert len(ask("2", 1)) == 1
    assert computed == [("1", 3), ("1", 4), ("2", 1)]


def test_the_values_asked_for_last_are_kept():
    memory: SingleFlight[str] = SingleFlight(2)
    computed = []

    def ask(key):
        memory.get((key,), lambda: "1", lambda _: computed.append(key) or key)

    for key in ("a", "b", "a", "c", "a", "b"):
        ask(key)
    assert computed == ["a", "b", "c", "b"]


def test_an_error_is_raised_to_each_who_asks_and_nothing_is_kept():
    memory: SingleFlight[str] = SingleFlight(1)

    def broken(_):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        memory.get(("key",), lambda: "1", broken)
    assert memory.get(("key",), lambda: "1", lambda _: "fine") == "fine"
