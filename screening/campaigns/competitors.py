"""Competitors: known crystals that candidates of a campaign may decompose into.

They are computed by a campaign of their own, ``NAME-competitors``, with the engine and the recipe
of the campaign that they compete with.  So they have a budget, picks, failures and a status as any
candidates have, and their results are shared by all campaigns with that engine and recipe.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from screening.campaigns import pool as pools
from screening.campaigns.config import CampaignConfig
from screening.campaigns.flows import NotComputable
from screening.campaigns.names import check_name_is_free, competed_for_name, competitors_name
from screening.intake.ingest import Pool
from screening.messages.refusal import Refusal

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.candidates.candidate import Candidate
    from screening.store.database import Database
    from screening.targets.engines import EngineConfig

System = frozenset[str]
"""The elements of a chemical system."""


def systems_of(pool: Pool) -> set[System]:
    """Return the chemical systems of the candidates of a pool."""
    return {frozenset(candidate.elements) for candidate in pool.candidates.values()}


def competitor_sources(config: CampaignConfig, systems: Iterable[System]) -> list[str]:
    """Return the sources of competitors, asked for some chemical systems.

    ``{systems}`` in a source becomes the list of these systems and all within them, as
    ``Au,Cu,Au-Cu``, and ``{elements}`` that of their elements, quoted as OPTIMADE's filters want
    them.
    """
    within = {
        "-".join(subset)
        for system in systems
        for size in range(1, len(system) + 1)
        for subset in itertools.combinations(sorted(system), size)
    }
    asked = ",".join(sorted(within, key=lambda name: (name.count("-"), name)))
    elements = ",".join(f'"{name}"' for name in sorted(set().union(*systems)))
    return [
        spec.replace("{systems}", asked).replace("{elements}", elements)
        for spec in config.competitors
    ]


def competitors_config(config: CampaignConfig, sources: list[str], count: int) -> CampaignConfig:
    """Return the configuration of the campaign that computes all competitors.

    Parameters
    ----------
    config
        Of the campaign that they compete with.
    count
        How many they are: its budget.
    """
    fields: dict[str, Any] = {
        **config.model_dump(mode="json", include=_SHARED),
        "description": f"Competitors: {config.description}" if config.description else "",
        "sources": sources,
        "sampler": {"kind": "random"},
        # What is left out of the hull could have decomposed a candidate, and nobody would know.
        "filters": {"max_sites": sys.maxsize},
        "budget": max(count, 1),
        "batch_size": max(config.batch_size, _BATCH),
    }
    return CampaignConfig.model_validate(fields)


_SHARED = {"target", "objective", "direction", "engine", "recipe", "max_attempts", "seed"}
_BATCH = 50
"""Competitors queued at once: none of them is chosen by what others gave."""


@dataclass(frozen=True)
class NotCompeting:
    """Why a crystal is no competitor that can be computed; a class, so that processes can take it.

    Parameters
    ----------
    systems
        Chemical systems of the pool.
    computable
        What the engine can compute.
    """

    systems: frozenset[System]
    computable: NotComputable

    @cached_property
    def _by_element(self) -> dict[str, list[System]]:
        return {
            element: [system for system in self.systems if element in system]
            for element in frozenset().union(*self.systems)
        }

    def __call__(self, candidate: Candidate) -> Refusal | None:
        """Return the reason, None for a competitor."""
        other = self.of_elements(frozenset(candidate.elements))
        return other or self.computable(candidate)

    def of_elements(self, elements: frozenset[str]) -> Refusal | None:
        """Return the reason where these elements make no competitor."""
        systems = self._by_element.get(next(iter(elements)), [])
        if not any(elements <= system for system in systems):
            return Refusal.of("its elements are in no chemical system of the candidates")
        return self.computable.of_elements(elements)


def create_competitors(
    database: Database,
    name: str,
    config: CampaignConfig,
    engine: EngineConfig,
    pool: Pool,
) -> Campaign:
    """Store the campaign that computes the competitors of another, which is to start it.

    Parameters
    ----------
    name, config
        Of the campaign that they compete with.
    pool
        The competitors.

    Raises
    ------
    ScreenError
        When its name is taken.
    """
    from screening.campaigns.campaign import Campaign

    own = competitors_config(config, config.competitors, len(pool.candidates))
    return Campaign.create(database, competitors_name(name), own, engine, pool, start=False)


def check_competitors_name(database: Database, name: str, config: CampaignConfig) -> None:
    """Raise `ScreenError` where the campaign of competitors cannot have its name."""
    if config.competitors:
        check_name_is_free(database, competitors_name(name))


def competitors_of(campaign: Campaign) -> Campaign | None:
    """Return the campaign that computes the competitors of another, None where there is none."""
    from screening.campaigns.campaign import SUBMITTED, Campaign

    if not campaign.config.competitors:
        return None
    query = {"_id": competitors_name(campaign.name), **SUBMITTED}
    document = campaign.database.campaigns.find_one(query)
    return None if document is None else Campaign(campaign.database, document)


def in_turn(campaign: Campaign) -> list[Campaign]:
    """Return what is to be computed, in order: unfinished competitors, and the campaign itself.

    Competitors come first, so that all values that are chosen by are those of the whole hull.
    """
    competing = competitors_of(campaign)
    if competing is None or competing.status != "active" or competing.is_exhausted():
        return [campaign]
    return [competing, campaign]


def waiting_for(competing: Campaign) -> Campaign | None:
    """Return the campaign whose turn it is when its competitors are computed, None before."""
    from screening.campaigns.campaign import SUBMITTED, Campaign

    name = competed_for_name(competing.name)
    document = name and competing.database.campaigns.find_one({"_id": name, **SUBMITTED})
    if not document:
        return None
    campaign = Campaign(competing.database, document)
    is_its_turn = bool(campaign.config.competitors) and in_turn(campaign) == [campaign]
    return campaign if is_its_turn else None


def extend_competitors(campaign: Campaign, pool: Pool) -> int:
    """Add competitors to a campaign of competitors; return how many are new.

    Its budget is the size of its pool.  Interrupted, it is to be called again.
    """
    new = campaign.extend_pool(pool)
    query = pools.members(campaign.name, campaign.extensions())
    count = len(pools.read_ids(campaign.database, query))
    campaign.database.campaigns.update_one(
        {"_id": campaign.name}, {"$max": {"config.budget": count}}
    )
    campaign.touch()
    return new
