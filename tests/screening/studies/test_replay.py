"""Replays: what they count, and that they see no value before it is picked."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from screening.candidates.crystal_kind import CRYSTAL
from screening.choosing.config import SamplerConfig
from screening.choosing.samplers import SAMPLERS
from screening.messages.errors import ScreenError
from screening.sources import open_source
from screening.studies.known_values import KnownValues, read_table
from screening.studies.replay import LIMIT, Summary, expected_at_random, replay, replays
from screening.targets.scale import Scale

RNG = np.random.default_rng(5)
FEATURES = RNG.normal(size=(60, 4))
CHEAP = {"kind": "screening.testing.nearest_value:NearestValue"}
DEFAULT = SamplerConfig.model_validate({})
TABLE = KnownValues([f"c{i}" for i in range(60)], FEATURES, (FEATURES**2).sum(1))


def sampler(kind, **options):
    return SamplerConfig.model_validate({"kind": kind, **options})


@pytest.fixture
def salts(tmp_path):
    """A table of rocksalts whose value is their lattice constant."""
    path = tmp_path / "salts.jsonl.gz"
    with gzip.open(path, "wt") as lines:
        for number, (cation, anion, a) in enumerate(
            [("Li", "F", 4.03), ("Na", "Cl", 5.64), ("K", "Br", 6.6), ("Mg", "O", 4.21)]
        ):
            crystal = Structure.from_spacegroup(
                "Fm-3m", Lattice.cubic(a), [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]]
            )
            entry = {"material_id": f"s-{number}", "structure": crystal.as_dict(), "a": a}
            lines.write(json.dumps({**entry, "mixed": None if number else a}) + "\n")
    return str(path)


@settings(max_examples=8, deadline=None)
@given(
    kind=st.sampled_from(SAMPLERS.names()),
    seed=st.integers(0, 100),
    batch_size=st.integers(1, 7),
    initial=st.integers(1, 60),
)
def test_every_replay_ends_with_the_best(kind, seed, batch_size, initial):
    config = sampler(kind, initial=initial, surrogate=CHEAP)
    run = replay(TABLE, config, seed=seed, batch_size=batch_size, top_fraction=0.1)
    assert 1 <= run.to_top <= run.to_best <= 60
    assert run == replay(TABLE, config, seed=seed, batch_size=batch_size, top_fraction=0.1)


def test_the_first_picks_are_the_same_for_all_samplers():
    best = int(TABLE.values.argmin())
    lucky = next(
        seed for seed in range(200) if best in np.random.default_rng([seed, 0]).permutation(60)[:5]
    )
    found = {
        replay(TABLE, SamplerConfig.model_validate({"kind": kind}), seed=lucky).to_best
        for kind in SAMPLERS.names()
    }
    assert len(found) == 1
    assert found.pop() <= 5


def test_models_beat_chance_and_chance_is_as_expected():
    options = {"seeds": 6, "batch_size": 1, "top_fraction": 0.1}
    model = Summary.of([r.to_best for r in replays(TABLE, DEFAULT, **options)])
    chance = replays(TABLE, sampler("random"), **{**options, "seeds": 2000})
    assert model.interval[1] < 30.5
    assert expected_at_random(TABLE, TABLE.values.min()) == 30.5
    assert np.mean([r.to_best for r in chance]) == pytest.approx(30.5, rel=0.05)
    expected = expected_at_random(TABLE, TABLE.goal(0.1))
    assert expected == 61 / 7
    assert np.mean([r.to_top for r in chance]) == pytest.approx(expected, rel=0.05)


def test_a_prior_needs_no_random_start():
    table = KnownValues(TABLE.labels, TABLE.features, TABLE.values, prior=TABLE.values)
    assert replay(table, DEFAULT, seed=1).to_best == 1
    blind = KnownValues(TABLE.labels, TABLE.features, TABLE.values, prior=np.full(60, np.nan))
    assert replay(blind, DEFAULT, seed=1).to_best <= 60


def test_equal_values_are_all_the_best():
    table = KnownValues(TABLE.labels, TABLE.features, np.ones(60))
    assert replay(table, DEFAULT, seed=0) == replay(table, DEFAULT, seed=7)
    assert expected_at_random(table, 1.0) == 1


def test_a_hopeless_model_goes_on_at_random(monkeypatch):
    monkeypatch.setattr("screening.studies.replay.LIMIT", 8)
    assert LIMIT > 8
    noise = KnownValues(TABLE.labels, TABLE.features, RNG.permutation(60).astype(float))
    assert (
        max(
            r.to_best
            for r in replays(
                noise, sampler("greedy", surrogate=CHEAP), seeds=8, batch_size=1, top_fraction=0.1
            )
        )
        > 8
    )


def test_tables_are_read_with_what_is_left_out(salts):
    def read(key, prior_key=None, **scale):
        records = open_source(salts).records()
        return read_table(records, key, kind=CRYSTAL, scale=Scale(**scale), prior_key=prior_key)

    table = read("a", logarithmic=True)
    assert table.best == "LiF (s-0)"
    np.testing.assert_allclose(10 ** np.sort(table.values), [4.03, 4.21, 5.64, 6.6])
    assert read("a", direction="maximize").best == "KBr (s-2)"
    assert np.isfinite(table.features).all()
    with pytest.raises(ScreenError, match="no entry has a field 'b'; fields found: a, mixed"):
        read("b")
    with pytest.raises(ScreenError, match="at least two crystals with values are needed, found 1"):
        read("mixed")
    prior = read("a", prior_key="mixed").prior
    assert np.isfinite(prior).sum() == 1


def test_the_command_prints_what_programs_read(salts, screen):
    words = ["replay", "--pool", salts, "--value-key", "a", "--seeds", "3", "--initial", "2"]
    done = screen(*words, "--format", "json")
    found = json.loads(done.out)
    assert found["sampler"] == "expected-improvement"
    assert found["seeds"] == 3
    assert len(found["evaluations_to_best"]) == 3
    assert found["mean_evaluations_to_best"] == np.mean(found["evaluations_to_best"])
    assert found["random_mean_evaluations_to_best"] == 2.5
    assert found["mean_evaluations_to_top_fraction"] >= 1
    # Three replays make no interval.
    assert found["interval_95_of_mean_evaluations_to_best"] is None
    evaluations = found["evaluations_to_best"]
    assert found["range_of_evaluations_to_best"] == [min(evaluations), max(evaluations)]
    table = " ".join(screen(*words).out.split())
    assert "the fewest and the most; an interval needs 5 replays" in table
    assert "95 %" not in table
    many = [*words[:-3], "5", *words[-2:]]
    assert "with its 95 % interval over the replays" in " ".join(screen(*many).out.split())
    shown = screen(*words, "--maximize", "--sampler", "random").out
    assert "random" in shown
    assert "largest: KBr" in shown


def test_drawing_everything_at_random_is_refused(salts, screen):
    answer = screen("replay", "--pool", salts, "--value-key", "a", "--initial", "4", "--seeds", "1")
    assert answer.status == 2
    assert "--initial 4: there are 4 crystals, and all would be drawn at random" in answer.err
