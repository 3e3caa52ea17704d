"""Random choice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from screening.choosing.config import SamplerConfig
from screening.choosing.observations import Floats, Observations, Proposal
from screening.choosing.pool import Pool


class RandomSampler:
    """Every candidate is as likely as any other: the yardstick for the rest."""

    name: ClassVar = "random"
    help: ClassVar = "Draws at random: the yardstick for the rest."
    Options: ClassVar[type[SamplerConfig]] = SamplerConfig
    reasons: ClassVar[Mapping[str, str]] = {"random": "drawn at random"}

    def __init__(self, options: SamplerConfig) -> None:
        pass

    def propose(
        self,
        observations: Observations,
        available_ids: list[str],
        available_features: Floats,
        n: int,
        seed: int,
    ) -> list[Proposal]:
        """Draw without replacement."""
        pool = Pool.of(observations, available_ids, available_features)
        drawn = pool.generator(seed).permutation(len(pool.ids))[:n]
        return [Proposal(pool.ids[i], "random") for i in drawn]
