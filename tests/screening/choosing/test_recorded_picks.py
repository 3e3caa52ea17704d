"""Replays whose picks were recorded: a change of the code must not change what is picked."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import numpy as np
import pytest

from screening.choosing.config import SamplerConfig, build_sampler
from screening.choosing.observations import Observations

RECORD = json.loads(
    gzip.decompress((Path(__file__).parents[2] / "data" / "replayed_picks.json.gz").read_bytes())
)
FEATURES = np.array(RECORD["features"], dtype=float)
VALUES = np.array(RECORD["values"])
IDS = [f"{i:03d}" for i in range(len(VALUES))]


@pytest.mark.parametrize("case", RECORD["cases"].values(), ids=RECORD["cases"])
def test_the_picks_of_a_replay_are_those_recorded(case):
    prior = None
    if case["prior"]:
        pairs = zip(IDS, RECORD["prior"], strict=True)
        prior = {key: value for key, value in pairs if value is not None}
    sampler = build_sampler(SamplerConfig.model_validate({"kind": case["kind"]}))
    picked, means = list(case["start"]), []
    while len(means) < len(case["picks"]):
        seen = Observations([IDS[i] for i in picked], FEATURES[picked], VALUES[picked], prior=prior)
        for proposal in sampler.propose(seen, IDS, FEATURES, case["batch_size"], 0):
            picked.append(int(proposal.candidate_id))
            means.append(math.nan if proposal.predicted_mean is None else proposal.predicted_mean)
    recorded_ids, recorded_means = zip(*case["picks"], strict=True)
    assert tuple(IDS[i] for i in picked[len(case["start"]) :]) == recorded_ids
    # To 1e-9 on one machine; libraries of linear algebra differ from each other by more.
    np.testing.assert_allclose(means, recorded_means, atol=1e-6)
