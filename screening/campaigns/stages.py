"""The engines of a campaign: the first explores the pool, better ones confirm its best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from screening.messages.errors import ScreenError
from screening.targets.engines import EngineConfig, parse_engine

if TYPE_CHECKING:
    from screening.campaigns.config import CampaignConfig


@dataclass(frozen=True)
class EngineStage:
    """One engine of a campaign, and the recipe hash under which its results are stored."""

    engine: EngineConfig
    recipe_hash: str


def stage_document(config: CampaignConfig, engine: EngineConfig) -> dict[str, Any]:
    """Return a stage as it is stored in the document of a campaign."""
    return {
        "engine": engine.model_dump(mode="json"),
        "recipe_hash": config.recipe_hash(engine.fingerprint()),
    }


def stages_of(document: Mapping[str, Any], where: str) -> list[EngineStage]:
    """Return the stages that the document of a campaign names, the exploring one first.

    Parameters
    ----------
    where
        What an error calls the document.
    """
    return [
        EngineStage(parse_engine(stored["engine"], where), str(stored["recipe_hash"]))
        for stored in [document, *document.get("confirming", [])]
    ]


def check_confirming(exploring: EngineConfig, confirming: EngineConfig) -> None:
    """Raise `ScreenError` unless the second engine is better than the first."""
    if confirming.fidelity <= exploring.fidelity:
        raise ScreenError(
            f"engine '{confirming.name}' (fidelity {confirming.fidelity}) cannot confirm results "
            f"of '{exploring.name}' (fidelity {exploring.fidelity}); choose a better one"
        )
