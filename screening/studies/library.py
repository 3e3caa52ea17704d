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
from screening.candidates.crystal import Crystal
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

    from screening.intake.parsed_entries import ParsedEntry
    from screening.studies.known_values import KnownValues


@dataclass(frozen=True)
class Library:
    """Crystals to be ranked.

    Attributes
    ----------
    facts : list of dict, length m
        What a ranking shows of each, beside the prediction.
    features : ndarray, shape (m, d)
    refused : list of LeftOut
        Entries that were left out.
    duplicates : int
        Entries that were another entry's crystal.
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
    on_entry: Callable[[], None] = lambda: None,
) -> Library:
    """Collect crystals and features; the same crystal is taken once, as its source has it first.

    Parameters
    ----------
    entries
        Of crystals, as `screening.intake.parsed_entries.parsed_entries` gives them.
    """
    facts: dict[str, dict[str, Any]] = {}
    rows: list[list[float]] = []
    refused: list[tuple[str, Refusal]] = []
    duplicates = 0
    taken = PackedCandidates(Crystal)
    groups: dict[tuple[str, int], list[str]] = {}
    for entry in entries:
        on_entry()
        candidate = entry.candidate
        if entry.refusal is not None:
            refused.append((entry.location or entry.material_id, entry.refusal))
            continue
        assert isinstance(candidate, Crystal)
        assert candidate.features is not None
        described_by = candidate.features
        group = groups.setdefault((candidate.formula, candidate.space_group_number), [])
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
            "formula": candidate.formula,
            "space_group_number": candidate.space_group_number,
            "n_sites": candidate.n_sites,
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
        crystal of the table, its ``distance`` (√2 between two random crystals) and, with a bound,
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
