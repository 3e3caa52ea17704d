"""Fitted potentials in the database, found by the campaign that made them or by their content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from screening.campaigns.campaign import Campaign
from screening.messages.errors import ScreenError

if TYPE_CHECKING:
    from screening.store.database import Database
    from screening.targets.engines import EngineConfig

OBJECTIVE = "fitted-potential"
USAGE = "fitted:NAME, with the name that `matscreen fit NAME` was given"


def potential_of(database: Database, name: str) -> dict[str, Any]:
    """Return the result of the fit of a name.

    Parameters
    ----------
    name
        Of a campaign, or ``CAMPAIGN/CANDIDATE`` where it has fitted several.

    Raises
    ------
    ScreenError
        When there is no such campaign, it is no fit, or it is not finished.
    """
    campaign_name, _, wanted = name.partition("/")
    if not campaign_name:
        raise ScreenError(f"engine 'fitted:': write {USAGE}")
    campaign = Campaign.open(database, campaign_name)
    what = f"engine 'fitted:{name}'"
    if campaign.objective.maker != "workflows.potentials.fitting.FittedPotentialMaker":
        raise ScreenError(
            f"{what}: campaign '{campaign_name}' is for {campaign.objective.name} and has fitted "
            f"no potential; write {USAGE}"
        )
    snapshot = campaign.snapshot(features=False)
    found = [
        key
        for results in snapshot.results.values()
        for key, result in results.items()
        # Results are shared: others of the same recipe belong to other campaigns.
        if key in snapshot.pool and result.get("outcome") == "computed" and wanted in ("", key)
    ]
    if not found:
        raise ScreenError(
            f"{what}: no potential is finished yet; see matscreen status {campaign_name}"
        )
    if len(found) > 1:
        raise ScreenError(
            f"{what}: the campaign has fitted {len(found)} potentials; name one, as "
            f"fitted:{campaign_name}/{found[0]}"
        )
    stored = database.candidates.find({"_id": found[0]}, {"features": 0})
    return dict(campaign.whole_results(stored)[found[0]])


def label_engine_of(database: Database, name: str) -> EngineConfig:
    """Return the engine whose labels the fit of a name learns, as its campaign has kept it."""
    return Campaign.open(database, name.partition("/")[0]).engine
