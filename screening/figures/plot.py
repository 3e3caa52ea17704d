"""What `screen plot` is asked for: which figure of what, and whether there is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from screening.campaigns.campaign import SUBMITTED, Campaign
from screening.candidates.find import find_candidate, named
from screening.figures import (
    bands,
    conductivity,
    parity,
    pool_map,
    progress,
    style,
    trade_off,
    volume_change,
)
from screening.figures.figure_kinds import CampaignKind, CandidateKind, Kind
from screening.messages.errors import ScreenError
from screening.messages.validation import check_choice, nearest
from screening.views.candidate import candidate_view
from screening.views.parity import parity as parity_view
from screening.views.pool_map import pool_map as pool_map_view
from screening.views.progress import progress as progress_view
from screening.views.quantities import objective_view
from screening.views.trade_off import trade_off as trade_off_view

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from screening.store.database import Database
    from screening.views.forms import CandidateView

    Drawing = Callable[[float], Figure]


@dataclass(frozen=True)
class Plotted:
    """What was drawn."""

    kind: Kind
    of: str
    campaign: str


def plot(
    database: Database,
    target: str,
    kind: str | None,
    output: Path,
    campaign_name: str | None,
    width_mm: float,
) -> Plotted:
    """Draw a figure and write it to a file, which it replaces.

    Parameters
    ----------
    target
        A campaign, or a candidate by id, material_id or formula.
    kind
        None takes the first that there is: of a candidate its bands or the path of an electrode,
        of a campaign its progress.
    campaign_name
        Campaign that the candidate is looked up in; None takes the one that has it.

    Raises
    ------
    ScreenError
        When there is no such thing to be drawn, or nowhere to write it; nothing is written then.
    """
    check_choice("--kind", kind, [*get_args(CampaignKind), *get_args(CandidateKind)])
    low, high = style.WIDTHS_MM
    if not low <= width_mm <= high:
        raise ScreenError(f"--width-mm: between {low:g} and {high:g} mm, not {width_mm:g}")
    style.checked_path(output)
    if _is_campaign(database, target, kind, campaign_name):
        campaign, of = Campaign.open(database, target), target
        drawings = _of_campaign(campaign)
        chosen = _chosen(kind, list(drawings), f"campaign '{target}'", get_args(CandidateKind))
        drawing = drawings[chosen]()
    else:
        if kind is None and campaign_name is None and not _is_candidate(database, target):
            _refuse_unknown(database, target)
        campaign, of = _campaign_and_candidate(database, target, campaign_name)
        found = _of_candidate(campaign, of)
        chosen = _chosen(kind, list(found), f"candidate '{of}'", get_args(CampaignKind))
        drawing = found[chosen]
    title = f"{chosen} of {of}" + ("" if of == campaign.name else f", campaign {campaign.name}")
    style.save(drawing(width_mm), output, title)
    return Plotted(chosen, of, campaign.name)


def _is_campaign(
    database: Database, target: str, kind: str | None, campaign_name: str | None
) -> bool:
    """Return whether a campaign is meant; of a name that is neither, the kind says which."""
    if campaign_name is not None:
        return False
    campaign = database.campaigns.find_one({"_id": target}, {"_id": 1}) is not None
    if kind is None or campaign == (kind in get_args(CampaignKind)):
        return campaign
    return not _is_candidate(database, target)


def _refuse_unknown(database: Database, target: str) -> None:
    """Say of a name that it is neither a candidate nor a campaign."""
    names = sorted(str(each["_id"]) for each in database.campaigns.find(SUBMITTED, {"_id": 1}))
    try:
        find_candidate(database, target)
    except ScreenError as error:
        if not names:
            raise
        raise ScreenError(f"{error}; nor is it a campaign: {nearest(target, names)}") from None


def _is_candidate(database: Database, target: str) -> bool:
    return database.candidates.find_one(named(target), {"_id": 1}) is not None


def _chosen(kind: str | None, there: list[Kind], what: str, others: tuple[Kind, ...]) -> Kind:
    """Return the kind that is wanted, or the first that there is."""
    if kind is None:
        return there[0]
    for each in there:
        if each == kind:
            return each
    of_what = "campaign" if others == get_args(CampaignKind) else "candidate"
    why = f"--kind {kind} is a picture of a {of_what}" if kind in others else f"it has no {kind}"
    raise ScreenError(f"{what}: {why}; possible: {', '.join(there)}")


def _of_campaign(campaign: Campaign) -> dict[Kind, Callable[[], Drawing]]:
    """Return the figures of a campaign; each is worked out only when it is wanted."""
    objective = objective_view(campaign)

    def draw_progress() -> Drawing:
        view = progress_view(campaign)
        if not any(each is not None for each in view.value):
            raise ScreenError(
                f"no candidate that campaign '{campaign.name}' chose has ended with a value yet; "
                "possible: map"
            )
        return lambda width_mm: progress.progress_figure(view, objective, width_mm)

    def draw_parity() -> Drawing:
        view = parity_view(campaign)
        if not view.computed:
            raise ScreenError(
                f"campaign '{campaign.name}' has no result that was predicted yet; possible: map, "
                "and progress once a candidate has ended"
            )
        return lambda width_mm: parity.parity_figure(view, objective, width_mm)

    def draw_map() -> Drawing:
        view = pool_map_view(campaign)
        return lambda width_mm: pool_map.pool_map_figure(view, objective, width_mm)

    def draw_trade_off() -> Drawing:
        view = trade_off_view(campaign)
        if not view.value:
            raise ScreenError(
                f"campaign '{campaign.name}' has no result with both objectives yet; possible: map"
            )
        return lambda width_mm: trade_off.trade_off_figure(view, objective, width_mm)

    found: dict[Kind, Callable[[], Drawing]] = {
        "progress": draw_progress,
        "parity": draw_parity,
        "map": draw_map,
    }
    return found if objective.also is None else {**found, "trade-off": draw_trade_off}


def _of_candidate(campaign: Campaign, candidate_id: str) -> dict[Kind, Drawing]:
    """Return the figures that there are of a candidate."""
    view = candidate_view(campaign, candidate_id)
    drawings = _curves(view)
    if drawings:
        return drawings
    if view.row.outcome in ("predicted", "failed"):
        how = {"predicted": "is not computed yet", "failed": "has failed"}[view.row.outcome]
        raise ScreenError(
            f"candidate '{candidate_id}' {how} in campaign '{campaign.name}', so there is nothing "
            f"to plot; `screen rank {campaign.name}` lists what is computed"
        )
    raise ScreenError(
        f"candidate '{candidate_id}': a result of objective '{campaign.objective.name}' has no "
        f"curves to plot; `screen show {candidate_id}` prints its numbers"
    )


def _curves(view: CandidateView) -> dict[Kind, Drawing]:
    found: dict[Kind, Drawing] = {}
    if (modes := view.bands) is not None:
        found["bands"] = lambda width_mm: bands.bands_figure(modes, view.dos, width_mm)
    if (path := view.electrode_path) is not None:
        found["volume-change"] = lambda width_mm: volume_change.volume_change_figure(path, width_mm)
    if (dos := view.dos) is not None:
        found["dos"] = lambda width_mm: bands.dos_figure(dos, width_mm)
    if (kappa := view.conductivity) is not None:
        value, error = view.row.value, view.row.value_error
        limit = None if value is None else (value, error or 0.0)
        found["kappa"] = lambda width_mm: conductivity.kappa_figure(kappa, limit, width_mm)
    if (accumulated := view.accumulation) is not None:
        found["accumulation"] = lambda width_mm: conductivity.accumulation_figure(
            accumulated, width_mm
        )
    if (meshes := view.meshes) is not None:
        found["meshes"] = lambda width_mm: conductivity.meshes_figure(meshes, width_mm)
    return found


def _campaign_and_candidate(
    database: Database, target: str, campaign_name: str | None
) -> tuple[Campaign, str]:
    if campaign_name is None:
        document = find_candidate(database, target)
        return _campaign_with_result(database, document), document["_id"]
    campaign = Campaign.open(database, campaign_name)
    members = {"campaigns": campaign.name}
    if _is_candidate(database, target) and not database.candidates.count_documents(
        {"$and": [members, named(target)]}, limit=1
    ):
        raise ScreenError(f"candidate '{target}' is not in the pool of campaign '{campaign.name}'")
    return campaign, find_candidate(database, target, members)["_id"]


def _campaign_with_result(database: Database, document: dict[str, Any]) -> Campaign:
    """Return the campaign that has a result of a candidate, else the newest that has it.

    Campaigns that share a result are as good as one.
    """
    candidate_id = document["_id"]
    query = {"$and": [SUBMITTED, {"_id": {"$in": document["campaigns"]}}]}
    campaigns = [
        Campaign(database, each)
        for each in database.campaigns.find(query, sort=[("created_at", -1)])
    ]
    if not campaigns:
        raise ScreenError(f"candidate '{candidate_id}' is in no campaign any more")
    results = [(each, each.result(candidate_id)) for each in campaigns]
    found = [(each, result["_id"]) for each, result in results if result is not None]
    if len({result_id for _, result_id in found}) > 1:
        raise ScreenError(
            f"candidate '{candidate_id}' has results in several campaigns "
            f"({', '.join(each.name for each, _ in found)}); choose one with --campaign"
        )
    return found[0][0] if found else campaigns[0]
