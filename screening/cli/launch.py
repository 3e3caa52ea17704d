"""`matscreen launch`: workers in jobs of a cluster."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from screening.cli.options import CampaignOrNewest
from screening.cli.work import say_finished
from screening.messages.errors import ScreenError
from screening.messages.stderr import counted, say

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.machine.settings import Settings
    from screening.queues.config import QueueConfig

EMBEDDED_WARNING = (
    "--embedded: the database is in this program and listens to this machine only; every node "
    "must be this machine, and this program must stay"
)


def launch(
    name: CampaignOrNewest = None,
    queue: Annotated[
        Optional[str],
        typer.Option(help="slurm, pbs, sge or a queue's YAML. [default: as launched before]"),
    ] = None,
    daemon: Annotated[
        bool, typer.Option("--daemon", help="Stay, and keep up the number of jobs from here.")
    ] = False,
    poll_s: Annotated[
        float, typer.Option("--poll-s", min=1, help="With --daemon: seconds between two looks.")
    ] = 60,
    embedded: Annotated[
        bool,
        typer.Option("--embedded", help="The embedded database: every node is this machine."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the job script, submit nothing.")
    ] = False,
) -> None:
    """Queue jobs on a cluster; they run workers, and queue their successors."""
    from screening.campaigns.campaign import Campaign
    from screening.campaigns.competitors import in_turn
    from screening.machine import shipped_configs
    from screening.machine.settings import Settings
    from screening.queues.config import load_queue_config
    from screening.queues.job_records import store_queue, stored_queue
    from screening.queues.planning import top_up
    from screening.store.database import open_database

    settings = Settings()
    with open_database(settings, must_exist=True) as database:
        campaign = Campaign.open(database, name)
        campaign.check_active()
        config = load_queue_config(queue) if queue is not None else stored_queue(campaign)
        if config is None:
            raise ScreenError(
                f"campaign '{campaign.name}' was not launched yet: name its queue with --queue, as "
                f"{', '.join(shipped_configs.names('queues'))}, or the path of a YAML"
            )
        try:
            _require_credentials(config, settings, embedded=embedded)
        except ScreenError as error:
            if not dry_run:
                raise
            say(f"warning: as things are, these jobs would fail: {error}")
        if settings.mongodb_uri is None and embedded:
            say(EMBEDDED_WARNING)
            # The server ends with its last client, and the first job must not be it.
            daemon = True
        turns = in_turn(campaign)
        if dry_run:
            for each in turns:
                _show(each, config, settings)
            return
        from screening.running.advance import advance

        for each in turns:
            store_queue(each, config)
            advance(each)
        if campaign.is_exhausted():
            say(f"campaign '{campaign.name}' is finished; next: matscreen rank")
            return
        if len(turns) > 1:
            say(f"its competitors come first: campaign '{turns[0].name}'")
        submitted = top_up(turns[0], settings)
        _say_submitted(turns[0], submitted)
        if daemon:
            for each in turns:
                _keep_up(each, settings, poll_s)
        elif submitted:
            say(
                f"they queue their successors until the campaign is finished; you may log out; "
                f"next: matscreen status {campaign.name}"
            )


def _require_credentials(config: QueueConfig, settings: Settings, *, embedded: bool) -> None:
    from screening.queues.script import UnreachableError, require_credentials

    try:
        require_credentials(config, settings, embedded=embedded)
    except UnreachableError as error:
        raise ScreenError(f"{error}; where every node is this machine, give --embedded") from None


def _say_submitted(campaign: Campaign, numbers: list[str]) -> None:
    from screening.queues.job_records import queue_state

    state = queue_state(campaign)
    if numbers:
        say(f"{counted(len(numbers), 'job')} queued: {', '.join(numbers)}")
    elif state is not None and state.nothing_left():
        say(
            f"no job queued: your other jobs are as many as max_jobs allows ({state.max_jobs}); "
            "wait for them, allow more, or stay with --daemon"
        )
    else:
        say("no job queued: there are as many as there is work and room for")


def _keep_up(campaign: Campaign, settings: Settings, poll_s: float) -> None:
    """Keep up the number of queue jobs from here, to the campaign's end."""
    from screening.queues.planning import KeepFailingError, top_up
    from screening.running.advance import advance
    from screening.store.database_retry import with_retry

    say(f"keeping up the number of jobs, every {poll_s:g} s; Ctrl-C ends only this")
    try:
        while with_retry(lambda: campaign.status == "active" and not campaign.is_exhausted()):
            time.sleep(poll_s)
            with_retry(advance, campaign)
            try:
                numbers = with_retry(top_up, campaign, settings)
            except KeepFailingError:
                raise
            except ScreenError as error:
                # A scheduler that is busy or restarted answers later.
                say(f"{error}; trying again in {poll_s:g} s")
                continue
            if numbers:
                _say_submitted(campaign, numbers)
    except KeyboardInterrupt:
        say(f"\nstopped; queue jobs go on; again with: matscreen launch {campaign.name}")
        sys.exit(130)
    say_finished(campaign, campaign.progress())


def _show(campaign: Campaign, config: QueueConfig, settings: Settings) -> None:
    """Print the scripts that would be submitted."""
    from screening.queues.planning import jobs_needed
    from screening.queues.script import job_script

    profiles = config.profiles(stage.engine.name for stage in campaign.stages)
    needed = jobs_needed(campaign, profiles)
    for engines, shape in profiles.items():
        count = counted(needed[engines], "job")
        say(f"{', '.join(engines)}: there is work for {count}; nothing was submitted")
        module = ["screening.queues.driver", campaign.name, "TICKET"]
        name = f"screen-{campaign.name}"
        script = job_script(config, shape, name, f"{campaign.name}-TICKET", module, settings)
        print(script)
