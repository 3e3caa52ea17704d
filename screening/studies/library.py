"""A whole library ranked by a model that was fitted to a table of known values.

As A. Seko et al., Phys. Rev. Lett. 115, 205901 (2015), did with 101 first-principles
conductivities and 54,779 crystals: nothing is computed, and every number comes with how sure the
model is of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.candidates.candidate import SHOWN_FACTS, twin, with_free_id
from screening.choosing.acquisitions import chance_below
from screening.choosing.calibration import Calibration, leave_one_out
from screening.choosing.config import SurrogateConfig
from screening.choosing.feature_scaling import FeatureScaling, nearest
from screening.choosing.observations import Observations
from screening.choosing.prediction import fit_predict
from screening.intake.ingest import PackedCandidates
from screening.intake.refusal_groups import LeftOut, summed_up
from screening.messages.refusal import Refusal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from screening.candidates.kinds import CandidateKind
    from screening.intake.parsed_entries import ParsedEntry
    from screening.studies.known_values import KnownValues


@dataclass(frozen=True)
class Library:
    """Candidates to be ranked.

    Attributes
    ----------
    facts : list of dict, length m
        What a ranking shows of each, beside the prediction.
    features : ndarray, shape (m, d)
    refused : list of LeftOut
        Entries that were left out.
    duplicates : int
        Entries that were another entry's candidate.
    remarks : list of str
        What the source left out before it was an entry.
    """

    facts: list[dict[str, Any]]
    features: NDArray[np.float64]
    refused: list[LeftOut]
    duplicates: int
    remarks: list[str] = field(default_factory=list)


def read_library(
    entries: Iterable[ParsedEntry],
    kind: CandidateKind,
    on_entry: Callable[[], None] = lambda: None,
) -> Library:
    """Collect candidates and features; the same one is taken once, as its source has it first.

    Parameters
    ----------
    entries
        As `screening.intake.parsed_entries.parsed_entries` gives them.
    kind
        Of the candidates.
    """
    facts: dict[str, dict[str, Any]] = {}
    rows: list[list[float]] = []
    refused: list[tuple[str, Refusal]] = []
    duplicates = 0
    taken = PackedCandidates(kind.model)
    groups: dict[tuple[Any, ...], list[str]] = {}
    for entry in entries:
        on_entry()
        candidate = entry.candidate
        if entry.refusal is not None:
            refused.append((entry.location or entry.material_id, entry.refusal))
            continue
        assert candidate is not None
        assert candidate.features is not None
        described_by = candidate.features
        group = groups.setdefault(candidate.group(), [])
        if twin(candidate, (taken[key] for key in group)) is not None:
            duplicates += 1
            continue
        candidate = with_free_id(candidate, taken)
        taken[candidate.candidate_id] = candidate
        group.append(candidate.candidate_id)
        stated = candidate.origins[0].properties
        facts[candidate.candidate_id] = {
            "candidate_id": candidate.candidate_id,
            "material_id": entry.material_id,
            **{fact.field: getattr(candidate, fact.field) for fact in kind.facts},
            **{name: stated[name] for name in SHOWN_FACTS if name in stated},
        }
        rows.append(described_by)
    return Library(
        list(facts.values()), np.array(rows, dtype=float), summed_up(refused), duplicates
    )


def rank_library(
    table: KnownValues,
    library: Library,
    config: SurrogateConfig,
    *,
    bound: float | None,
    seed: int = 0,
) -> tuple[list[dict[str, Any]], Calibration]:
    """Rank a library, best first: by the prediction, or by the chance to beat a bound.

    Parameters
    ----------
    table
        What the model is fitted to.
    bound
        On the model's scale, where lower is better.

    Returns
    -------
    rows : list of dict
        Facts with ``predicted_mean`` and ``predicted_std`` on the model's scale, the ``nearest``
        one of the table, its ``distance`` (√2 between two random ones) and, with a bound,
        ``chance``.
    calibration : Calibration
        Of the model on the table.
    """
    seen = Observations(table.labels, table.features, table.values)
    ids = [row["candidate_id"] for row in library.facts]
    mean, std = fit_predict(config, seen, ids, library.features, seed)
    scaling = FeatureScaling.of(np.vstack([table.features, library.features]))
    rows_of_table, distances = nearest(scaling(library.features), scaling(table.features))
    chance = np.zeros(len(mean))
    if bound is not None:
        pairs = zip(mean.tolist(), std.tolist(), strict=True)
        chance = np.array([chance_below(bound, *prediction) for prediction in pairs])
    order = np.lexsort((mean, -chance))
    rows = [
        {
            "rank": rank,
            **library.facts[i],
            "predicted_mean": float(mean[i]),
            "predicted_std": float(std[i]),
            **({} if bound is None else {"chance": float(chance[i])}),
            "nearest": table.labels[rows_of_table[i, 0]],
            "distance": float(distances[i, 0]),
        }
        for rank, i in enumerate(order, start=1)
    ]
    calibration = leave_one_out(config, seen, ids, library.features, seed)
    return rows, calibration
