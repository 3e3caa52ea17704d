"""What a campaign knows at one moment, read once, so that everything else can be computed from it.

Ranking, predictions, progress and training data are functions of a `Snapshot` alone: they neither
ask the database nor need a `Campaign`.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from screening.campaigns.config import CampaignConfig
from screening.campaigns.stages import EngineStage
from screening.targets.objectives import Objective

Status = Literal["active", "paused", "cancelled"]
Scalar = float | int | str | bool | None


@dataclass(frozen=True)
class PoolRow:
    """One candidate of the pool.

    Parameters
    ----------
    label
        Name that people know it by, as the formula of a crystal.
    facts
        The facts of its kind, by field.
    material_id
        Of its first origin.
    competitor
        Whether it is no candidate but a competitor, which values of candidates depend on.
    failed
        Whether each attempt to compute it failed; stated only where values depend on others.
    """

    label: str = ""
    facts: Mapping[str, Scalar] | None = None
    material_id: str = ""
    competitor: bool = False
    failed: bool = False


class CandidatesGoneError(KeyError):
    """Candidates that are kept as rows are in the database no longer.

    Parameters
    ----------
    ids
        Of these candidates.
    """

    def __init__(self, ids: Sequence[str]) -> None:
        super().__init__(*ids)
        self.ids = ids


class FeaturesOnDemand(Mapping[str, list[float]]):
    """Features of candidates that are read, all together, when the first is asked for.

    Parameters
    ----------
    ids
        The candidates, sorted.
    read
        Returns the features of all of them by id.
    """

    def __init__(self, ids: Sequence[str], read: Callable[[], Mapping[str, list[float]]]) -> None:
        self._ids = dict.fromkeys(ids)
        self._read = read
        self._features: Mapping[str, list[float]] | None = None

    def __getitem__(self, key: str) -> list[float]:
        if key not in self._ids:
            raise KeyError(key)
        if self._features is None:
            features = self._read()
            gone = [each for each in self._ids if each not in features]
            if gone:
                raise CandidatesGoneError(gone)
            self._features = features
        return self._features[key]

    def __contains__(self, key: object) -> bool:
        return key in self._ids

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What a campaign knows at one moment.

    Parameters
    ----------
    name, config, objective, status
        Of the campaign.
    promoted
        Whether the best candidates were sent on to the engine that the configuration names.
    stages
        Its engines, the one that explores first.
    converged
        Whether the sampler has found what it looks for and wants nothing more of the pool.
    picks, confirmation_picks
        Documents of the picks of the engine that explores, by number, and of better engines.
    running
        Candidates with a job that runs now.
    results
        By name of the engine and candidate id: results as the campaign judges them, with derived
        values.  Whoever computed them, and also of candidates outside the pool.
    pool
        The candidates by id; empty rows where only their ids were asked for.
    features
        Features of every candidate by id, sorted by id; None where they were not asked for.
    prior
        What an earlier campaign lets expect of candidates, on the model's scale, by id; None
        without such a campaign, and where features were not asked for.
    read_at
        When it was read.
    """

    name: str
    config: CampaignConfig
    objective: Objective
    status: Status
    promoted: bool
    converged: bool = False
    stages: Sequence[EngineStage]
    picks: Sequence[dict[str, Any]]
    confirmation_picks: Sequence[dict[str, Any]]
    running: int
    results: Mapping[str, Mapping[str, dict[str, Any]]]
    pool: Mapping[str, PoolRow]
    features: Mapping[str, list[float]] | None
    prior: Mapping[str, float] | None
    read_at: datetime.datetime

    @property
    def explored(self) -> Mapping[str, dict[str, Any]]:
        """Results of the engine that explores."""
        return self.results[self.stages[0].engine.name]

    @property
    def pool_features(self) -> Mapping[str, list[float]]:
        """The features, which must have been asked for."""
        if self.features is None:
            raise ValueError("this snapshot was read without features")
        return self.features

    @property
    def awaits_promotion(self) -> bool:
        """Whether the best candidates are still to be sent on, as configured."""
        return self.config.confirm is not None and not self.promoted


def best_results(snapshot: Snapshot) -> dict[str, tuple[dict[str, Any], EngineStage]]:
    """Return for each candidate the result of the engine of highest fidelity that has one."""
    confirming = sorted(snapshot.stages[1:], key=lambda stage: stage.engine.fidelity)
    return {
        candidate_id: (result, stage)
        for stage in [snapshot.stages[0], *confirming]
        for candidate_id, result in snapshot.results[stage.engine.name].items()
    }
