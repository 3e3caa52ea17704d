"""What `matscreen plot` is asked for: which figure of what, and whether there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening.campaigns.campaign import SUBMITTED, Campaign
from screening.candidates.find import find_candidate, named
from screening.figures import style
from screening.figures.bands import bands_figure
from screening.figures.curve import curve_figure
from screening.figures.pool_map import pool_map_figure
from screening.figures.spectral_function import spectral_figure
from screening.messages.errors import ScreenError
from screening.messages.validation import check_choice, nearest
from screening.targets.objectives import candidate_figures
from screening.views.campaign_figures import FIGURES, figures_of
from screening.views.candidate import candidate_view
from screening.views.forms import CurveView, PhononView, PoolMapView, SpectralView
from screening.views.objective import objective_view

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from screening.store.database import Database
    from screening.views.forms import AnyPicture, ObjectiveView


@dataclass(frozen=True)
class Plotted:
    """What was drawn."""

    kind: str
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
    low, high = style.WIDTHS_MM
    if not low <= width_mm <= high:
        raise ScreenError(f"--width-mm: between {low:g} and {high:g} mm, not {width_mm:g}")
    style.checked_path(output)
    of_campaign = _is_campaign(database, target, kind, campaign_name)
    if of_campaign:
        campaign, of = Campaign.open(database, target), target
    else:
        if kind is None and campaign_name is None and not _is_candidate(database, target):
            _refuse_unknown(database, target)
        campaign, of = _campaign_and_candidate(database, target, campaign_name)
    known = [*FIGURES.names(), *candidate_figures(), *campaign.objective.curves]
    check_choice("--kind", kind, known)
    chosen, pictures = (
        _campaign_figure(campaign, kind) if of_campaign else _candidate_figure(campaign, of, kind)
    )
    title = f"{chosen} of {of}" + ("" if of == campaign.name else f", campaign {campaign.name}")
    style.save(draw(pictures, objective_view(campaign), width_mm), output, title)
    return Plotted(chosen, of, campaign.name)


def _is_campaign(
    database: Database, target: str, kind: str | None, campaign_name: str | None
) -> bool:
    """Return whether a campaign is meant; of a name that is neither, the kind says which."""
    if campaign_name is not None:
        return False
    campaign = database.campaigns.find_one({"_id": target}, {"_id": 1}) is not None
    if kind is None or campaign == (kind in FIGURES.names()):
        return campaign
    return not _is_candidate(database, target)


def _refuse_unknown(database: Database, target: str) -> None:
    """Say of a name that it is neither a candidate nor a campaign."""
    names = sorted(
        str(document["_id"]) for document in database.campaigns.find(SUBMITTED, {"_id": 1})
    )
    try:
        find_candidate(database, target)
    except ScreenError as error:
        if not names:
            raise
        raise ScreenError(f"{error}; nor is it a campaign: {nearest(target, names)}") from None


def _is_candidate(database: Database, target: str) -> bool:
    return database.candidates.find_one(named(target), {"_id": 1}) is not None


def _chosen(
    kind: str | None, there: list[str], what: str, other: str, of_other: Sequence[str]
) -> str:
    """Return the kind that is wanted, or the first that there is."""
    if kind is None or kind in there:
        return kind or there[0]
    why = f"--kind {kind} is a picture of a {other}" if kind in of_other else f"it has no {kind}"
    raise ScreenError(f"{what}: {why}; possible: {', '.join(there)}")


def _campaign_figure(campaign: Campaign, kind: str | None) -> tuple[str, list[AnyPicture]]:
    """Return a figure of a campaign; only the one that is wanted is worked out."""
    figures = {figure.name: figure for figure in figures_of(campaign)}
    what = f"campaign '{campaign.name}'"
    chosen = _chosen(kind, list(figures), what, "candidate", candidate_figures())
    view = figures[chosen].view(campaign)
    if view.absent:
        others = ", ".join(name for name in figures if name != chosen)
        raise ScreenError(f"{what} has no figure {chosen}: {view.absent} Others are: {others}")
    return chosen, [view]


def _candidate_figure(
    campaign: Campaign, candidate_id: str, kind: str | None
) -> tuple[str, list[AnyPicture]]:
    """Return a figure of a candidate."""
    view = candidate_view(campaign, candidate_id)
    what = f"candidate '{candidate_id}'"
    if not view.curves:
        if view.row.outcome in ("predicted", "failed"):
            how = {"predicted": "is not computed yet", "failed": "has failed"}[view.row.outcome]
            raise ScreenError(
                f"{what} {how} in campaign '{campaign.name}', so there is nothing to plot; "
                f"`matscreen rank {campaign.name}` lists what is computed"
            )
        raise ScreenError(
            f"{what}: a result of objective '{campaign.objective.name}' has no curves to plot; "
            f"`matscreen show {candidate_id}` prints its numbers"
        )
    names = list(dict.fromkeys(picture.name for picture in view.curves))
    chosen = _chosen(kind, names, what, "campaign", FIGURES.names())
    for picture in view.curves:
        if picture.name == chosen and picture.absent:
            raise ScreenError(f"{what} has no figure {chosen}: {picture.absent}")
    return chosen, [picture for picture in view.curves if picture.name == chosen]


def draw(pictures: Sequence[AnyPicture], objective: ObjectiveView, width_mm: float) -> Figure:
    """Return the figure of pictures that have one name; curves are panels of it."""
    first = pictures[0]
    if isinstance(first, PoolMapView):
        return pool_map_figure(first, objective, width_mm)
    if isinstance(first, PhononView):
        return bands_figure(first, width_mm)
    if isinstance(first, SpectralView):
        return spectral_figure(first, width_mm)
    return curve_figure([view for view in pictures if isinstance(view, CurveView)], width_mm)


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
        Campaign(database, document)
        for document in database.campaigns.find(query, sort=[("created_at", -1)])
    ]
    if not campaigns:
        raise ScreenError(f"candidate '{candidate_id}' is in no campaign any more")
    results = [(campaign, campaign.result(candidate_id)) for campaign in campaigns]
    found = [(campaign, result["_id"]) for campaign, result in results if result is not None]
    if len({result_id for _, result_id in found}) > 1:
        raise ScreenError(
            f"candidate '{candidate_id}' has results in several campaigns "
            f"({', '.join(campaign.name for campaign, _ in found)}); choose one with --campaign"
        )
    return found[0][0] if found else campaigns[0]
