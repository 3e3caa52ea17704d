"""Reading sources into a pool, and saying what was taken and refused: for `submit` and `add`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from screening.cli.output import counting, say_left_out, say_remarks
from screening.messages.errors import ScreenError
from screening.messages.stderr import counted, say

if TYPE_CHECKING:
    from screening.campaigns.config import CampaignConfig
    from screening.intake.ingest import Pool
    from screening.intake.parsed_entries import EarlyRefusal
    from screening.sources import Source
    from screening.store.database import Database
    from screening.targets.engines import EngineConfig

SHOWN_ELEMENTS = 10


def read_pool(
    sources: Sequence[Source],
    config: CampaignConfig,
    engine: EngineConfig,
    database: Database,
    *,
    kept: bool,
    refuse: EarlyRefusal | None = None,
) -> Pool:
    """Read sources to their end, by the filters of a campaign; say what was refused and why.

    Parameters
    ----------
    kept
        Whether the campaign will keep the reasons.
    refuse
        Says of a candidate why it stays out; None takes all that the engine can compute.

    Raises
    ------
    ScreenError
        When no candidate is left.
    """
    from screening.campaigns import hull_constraint
    from screening.campaigns.flows import NotComputable, takes_inputs
    from screening.intake.ingest import ingest
    from screening.machine.threads import usable_cores

    with counting(f"{config.kind().plural} read") as count:
        pool = ingest(
            sources,
            config.kind(),
            config.filters,
            database,
            NotComputable(config, engine) if refuse is None else refuse,
            on_entry=count,
            workers=usable_cores(),
        )
    if hull_constraint.is_asked(config):
        hull_constraint.leave_out_unstable(database, config, engine, pool)
    if not takes_inputs(config):
        # What the flow does not take must not part results that are the same.
        pool.inputs.clear()
    say_pool(pool, engine.name, kept=kept)
    if not pool.candidates:
        read = counted(len(pool.refused), "entry", "entries")
        raise ScreenError(f"no candidate is left of {read}; see the reasons above")
    return pool


def read_competitors(
    config: CampaignConfig,
    engine: EngineConfig,
    database: Database,
    systems: set[frozenset[str]],
    *,
    kept: bool,
) -> Pool:
    """Read the competitors of a campaign within some chemical systems; say what was left out.

    Raises
    ------
    ScreenError
        When a source is wrong, or gives none.
    """
    from screening.campaigns.competitors import (
        NotCompeting,
        competitor_sources,
        competitors_config,
    )
    from screening.campaigns.flows import NotComputable
    from screening.sources import open_source

    specs = competitor_sources(config, systems)
    own = competitors_config(config, specs, 1)
    say(f"competitors in {counted(len(systems), 'chemical system')}:")
    return read_pool(
        [open_source(spec) for spec in specs],
        own,
        engine,
        database,
        kept=kept,
        refuse=NotCompeting(frozenset(systems), NotComputable(own, engine)),
    )


def say_pool(pool: Pool, engine_name: str, *, kept: bool) -> None:
    """Say what ingesting took and refused, and why; parameters are those of `read_pool`."""
    from screening.campaigns.flows import UNSUPPORTED
    from screening.intake.refusal_groups import summed_up

    taken, refused = len(pool.candidates), len(pool.refused)
    read = taken + pool.duplicates + refused
    say(
        f"{counted(read, 'entry', 'entries')} read, {counted(taken, 'candidate')}, "
        f"{counted(pool.duplicates, 'duplicate')}, {refused} refused"
    )
    if pool.noted:
        name, note = pool.noted[0]
        say(
            f"  {counted(len(pool.noted), 'entry', 'entries')} read or changed beyond the choice "
            f"of the cell, as 'matscreen show' tells; first: {name}: {note}"
        )
    rest = pool.refused
    unsupported = [entry for entry in pool.refused if entry.refusal.code == UNSUPPORTED]
    if len(unsupported) > 1:
        rest = [entry for entry in pool.refused if entry.refusal.code != UNSUPPORTED]
        names = sorted({name for entry in unsupported for name in entry.refusal.names("elements")})
        more = ", …" if len(names) > SHOWN_ELEMENTS else ""
        example = unsupported[0].location or unsupported[0].material_id
        say(
            f"  {len(unsupported)} contain elements that engine '{engine_name}' does not support "
            f"({', '.join(names[:SHOWN_ELEMENTS])}{more})" + (f"; first: {example}" * bool(example))
        )
    reasons = summed_up((entry.location or entry.material_id, entry.refusal) for entry in rest)
    say_left_out(reasons, "refused", ", kept with the campaign" if kept else "")
    say_remarks(pool.remarks)
