"""Steps of toy campaigns: jobs begun and run in this process, and kills at chosen lines."""

from __future__ import annotations

import itertools
import os

from screening.machine.process_names import this_process


def states(campaign):
    return [pick["state"] for pick in campaign.picks()]


def picked(campaign):
    return [pick["candidate_id"] for pick in campaign.picks()]


def workflows(campaign):
    return campaign.database.launchpad.workflows.count_documents(
        {"metadata.campaign": campaign.name}
    )


def fireworks(campaign, **query):
    query |= {"spec.campaign": campaign.name}
    return list(campaign.database.launchpad.fireworks.find(query))


def start_job(campaign, worker):
    """Take the first job off the queue as a worker does, and do not run it."""
    from fireworks import FWorker

    fworker = FWorker(worker, query={"spec.campaign": campaign.name})
    firework, launch_id = campaign.database.launchpad.checkout_fw(fworker, os.getcwd())
    return firework.fw_id, launch_id


def run_job(campaign):
    """Run one job; return whether there was one."""
    from fireworks import FWorker
    from fireworks.core.rocket_launcher import launch_rocket
    from jobflow import SETTINGS

    SETTINGS.JOB_STORE = campaign.database.job_store
    fworker = FWorker(this_process(), query={"spec.campaign": campaign.name})
    return launch_rocket(campaign.database.launchpad, fworker, strm_lvl="ERROR")


class Killed(BaseException):
    """Stands for SIGKILL at one line."""


def killed_at(monkeypatch, owner, name, skip=0):
    """Die at one call of `owner.name`: the next one, or `skip` calls later."""
    original = getattr(owner, name)
    calls = itertools.count()

    def die(*args, **kwargs):
        if next(calls) == skip:
            raise Killed
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, die)


def shorten_lock_wait(monkeypatch):
    """FireWorks waits for the lock of a workflow, also of one that does not exist."""
    from fireworks.core.launchpad import WFLock

    monkeypatch.setattr(WFLock.__init__, "__defaults__", (0.2, True))
