"""A campaign's jobs on FireWorks' LaunchPad: all that is asked of it and written to it.

A pick has one workflow there, of one job or more, each tagged with the campaign, the pick and the
engine (``spec.campaign`` …).  No other file queries FireWorks' collections.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from screening.machine.clock import as_utc

if TYPE_CHECKING:
    from fireworks import LaunchPad, Workflow

    from screening.store.database import Database
    from screening.store.safe_launchpad import SafeLaunchPad

CAN_RUN = ("READY", "RESERVED", "RUNNING")
"""States of jobs that run, or that a worker may take."""
ANY_HEARTBEAT_S = 3600.0
"""Time by which no heartbeat lies in the future (s)."""


@dataclass(frozen=True)
class StoredFlow:
    """The workflow of a pick and its jobs; without a state where the pick has none.

    Parameters
    ----------
    output_uuid
        Of the job that delivers the result.
    fw_ids
        FireWorks' numbers of the jobs.
    job_states, changed_at
        States of the jobs, and when one of them changed last, where they were read.
    """

    pick_id: str
    state: str | None = None
    output_uuid: str | None = None
    fw_ids: tuple[int, ...] = ()
    job_states: frozenset[str] = frozenset()
    changed_at: datetime.datetime | None = None

    @classmethod
    def of(cls, workflow: Mapping[str, Any]) -> StoredFlow:
        """Return the flow of a document in ``workflows``."""
        tags = workflow["metadata"]
        uuid = tags.get("output_uuid")
        return cls(tags["pick"], workflow["state"], uuid, tuple(workflow["nodes"]))


class JobQueue:
    """The jobs of one campaign.

    Parameters
    ----------
    campaign
        Its name.
    """

    def __init__(self, database: Database, campaign: str) -> None:
        self._database = database
        self.campaign = campaign
        self._jobs = {"spec.campaign": campaign}

    @property
    def _launchpad(self) -> SafeLaunchPad:
        return self._database.launchpad

    # ------------------------------------------------------------ asked without importing FireWorks

    def running_picks(self) -> set[str]:
        """Return the picks of which a job runs now."""
        fireworks = self._database.collection("fireworks")
        return set(fireworks.distinct("spec.pick", {**self._jobs, "state": "RUNNING"}))

    def runs(self) -> list[tuple[str, datetime.datetime]]:
        """Return the workers that run jobs now, and when each was last heard of."""
        fireworks = self._database.collection("fireworks")
        running = fireworks.find({**self._jobs, "state": "RUNNING"}, {"fw_id": 1})
        query = {"fw_id": {"$in": [job["fw_id"] for job in running]}, "state": "RUNNING"}
        return [
            (
                str(launch["fworker"]["name"]),
                as_utc(max(entry["updated_on"] for entry in launch["state_history"])),
            )
            for launch in self._database.collection("launches").find(query)
        ]

    def count_runnable(self, engines: Collection[str]) -> int:
        """Return how many jobs of some engines run or could."""
        query = {"spec.engine": {"$in": list(engines)}, "state": {"$in": list(CAN_RUN)}}
        return self._database.collection("fireworks").count_documents({**self._jobs, **query})

    # --------------------------------------------------------------------------------- workflows

    def flows(self, pick_ids: Iterable[str]) -> list[StoredFlow]:
        """Return the workflows of some picks, with the states of their jobs."""
        fields = {"metadata": 1, "nodes": 1, "state": 1}
        workflows = self._launchpad.workflows.find({"metadata.campaign": self.campaign}, fields)
        stored = {flow.pick_id: flow for flow in map(StoredFlow.of, workflows)}
        fields = {"spec.pick": 1, "fw_id": 1, "state": 1, "updated_on": 1}
        jobs_of: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for job in self._launchpad.fireworks.find(self._jobs, fields):
            jobs_of[job["spec"].get("pick", "")].append(job)
        flows = []
        for pick_id in pick_ids:
            flow = stored.get(pick_id, StoredFlow(pick_id))
            jobs = [job for job in jobs_of[pick_id] if job["fw_id"] in flow.fw_ids]
            changed_at = max((as_utc(job["updated_on"]) for job in jobs), default=None)
            states = frozenset(job["state"] for job in jobs)
            flows.append(replace(flow, job_states=states, changed_at=changed_at))
        return flows

    def finished(self) -> list[StoredFlow]:
        """Return the workflows that are complete or have a job that raised an error."""
        query = {"metadata.campaign": self.campaign, "state": {"$in": ["COMPLETED", "FIZZLED"]}}
        fields = {"metadata": 1, "state": 1, "nodes": 1}
        return list(map(StoredFlow.of, self._launchpad.workflows.find(query, fields)))

    def picks_with_workflow(self) -> set[str]:
        """Return the picks of the campaign that have a workflow."""
        query = {"metadata.campaign": self.campaign}
        workflows = self._launchpad.workflows.find(query, {"metadata.pick": 1})
        return {str(workflow["metadata"]["pick"]) for workflow in workflows}

    def submit(self, workflows: Sequence[Workflow]) -> None:
        """Store workflows whose jobs workers may then take."""
        if workflows:
            self._launchpad.add_wfs(workflows)

    def withdraw(self, pick_id: str) -> None:
        """Delete a pick's workflow with its jobs: the LaunchPad is a queue and no archive."""
        self._launchpad.delete_jobs({"spec.pick": pick_id}, {"metadata.pick": pick_id})

    def drop_orphans(self, pick_ids: Iterable[str]) -> None:
        """Delete jobs of picks without a workflow, which cannot run.

        A program killed while it stores workflows leaves such jobs.
        """
        stored = self._launchpad.fireworks.find(self._jobs, {"spec.pick": 1})
        for pick_id in {job["spec"].get("pick") for job in stored} & set(pick_ids):
            self._launchpad.fireworks.delete_many({"spec.pick": pick_id})

    # ---------------------------------------------------------------------------- jobs that raised

    def broken(self, flow: StoredFlow) -> list[int]:
        """Return the jobs of a workflow that raised an error, by FireWorks' numbers."""
        query = {"fw_id": {"$in": list(flow.fw_ids)}, "state": "FIZZLED"}
        return [job["fw_id"] for job in self._launchpad.fireworks.find(query, {"fw_id": 1})]

    def last_traceback(self, fw_ids: Sequence[int]) -> str:
        """Return the traceback of the run of some jobs that failed last.

        Empty when the job itself raised nothing: FireWorks keeps what a job raised.
        """
        query = {"fw_id": {"$in": list(fw_ids)}, "state": "FIZZLED"}
        launch = self._launchpad.launches.find_one(query, sort=[("launch_id", -1)])
        stored = ((launch or {}).get("action") or {}).get("stored_data") or {}
        return str((stored.get("_exception") or {}).get("_stacktrace") or "").strip()

    def rerun(self, fw_id: int) -> None:
        """Make a job run again."""
        self._launchpad.rerun_fw(fw_id)

    def rerun_broken(self, pick_id: str) -> None:
        """Make those jobs of a pick run again that raised an error."""
        query = {"spec.pick": pick_id, "state": "FIZZLED"}
        for job in list(self._launchpad.fireworks.find(query, {"fw_id": 1})):
            self.rerun(job["fw_id"])

    # ----------------------------------------------------------------------------------- lost runs

    def running_workers(self) -> list[str]:
        """Return the names of the workers that have begun runs of the campaign's jobs."""
        fw_ids = [job["fw_id"] for job in self._launchpad.fireworks.find(self._jobs, {"fw_id": 1})]
        return self._workers({"fw_id": {"$in": fw_ids}, "state": "RUNNING"})

    def workers_of(self, flow: StoredFlow) -> list[str]:
        """Return the names of all workers that ever ran a job of a workflow."""
        return self._workers({"fw_id": {"$in": list(flow.fw_ids)}})

    def _workers(self, query: dict[str, Any]) -> list[str]:
        names: list[str] = self._launchpad.launches.distinct("fworker.name", query)
        return names

    def put_back_runs_of(self, dead: Sequence[str]) -> list[int]:
        """Make jobs run again whose workers are dead; return FireWorks' numbers of the jobs."""
        return self._put_back(0, {"fworker.name": {"$in": list(dead)}})

    def put_back_silent(self, silent_s: float, alive: Sequence[str]) -> list[int]:
        """Make jobs run again that have sent no heartbeat; return FireWorks' numbers of them.

        Jobs that have ended without their workflow knowing are repaired in any case.

        Parameters
        ----------
        silent_s
            Time without a heartbeat after which a job counts as lost (s).
        alive
            Workers known to live, however long they have been silent.
        """
        return self._put_back(silent_s, {"fworker.name": {"$nin": list(alive)}})

    def _put_back(self, silent_s: float, launch_query: dict[str, Any]) -> list[int]:
        _, fw_ids, _ = self._launchpad.detect_lostruns(
            expiration_secs=silent_s,
            rerun=True,
            refresh=True,
            query=self._jobs,
            launch_query=launch_query,
        )
        lost: list[int] = fw_ids
        return lost

    def picks_of(self, fw_ids: Iterable[int]) -> list[str]:
        """Return the pick of each of some jobs."""
        query = {"fw_id": {"$in": sorted(fw_ids)}}
        jobs = self._launchpad.fireworks.find(query, {"spec.pick": 1})
        return [job["spec"]["pick"] for job in jobs]

    def release_reserved(self, before: datetime.datetime) -> None:
        """Free jobs that a worker claimed before a moment and never began."""
        query = {**self._jobs, "state": "RESERVED"}
        for job in self._launchpad.fireworks.find(query, {"fw_id": 1, "updated_on": 1}):
            if as_utc(job["updated_on"]) < before:
                self.rerun(job["fw_id"])

    # ------------------------------------------------------------------------- of a worker's own

    def query_for(self, engines: Collection[str]) -> dict[str, Any]:
        """Return what a worker asks FireWorks for: jobs of this campaign and of some engines."""
        return {**self._jobs, "spec.engine": {"$in": list(engines)}}

    def awaits(self, job_uuid: str) -> bool:
        """Return whether a job of jobflow is still to be completed."""
        query = {"spec._tasks.job.uuid": job_uuid}
        return self._launchpad.fireworks.find_one(query, {"fw_id": 1}) is not None

    def states_of_runs(self, workers: Sequence[str]) -> set[str]:
        """Return the states of all runs that workers ever began, of whatever campaign."""
        query = {"fworker.name": {"$in": list(workers)}}
        return set(self._launchpad.launches.distinct("state", query))


def give_back(launchpad: LaunchPad, worker: str) -> list[str]:
    """Make jobs run again that a worker has claimed, which runs nothing now.

    Returns
    -------
    list of str
        The picks whose jobs were put back.
    """
    # The thread that sends a job's heartbeats sends a last one when the job has ended, maybe while
    # FireWorks looks: the run counts as lost however fresh its last heartbeat is.
    _, fw_ids, _ = launchpad.detect_lostruns(
        expiration_secs=-ANY_HEARTBEAT_S,
        rerun=True,
        refresh=True,
        launch_query={"fworker.name": worker},
    )
    picks: list[str] = launchpad.fireworks.distinct("spec.pick", {"fw_id": {"$in": fw_ids}})
    return picks
