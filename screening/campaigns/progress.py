"""How far a campaign is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from screening.campaigns.pick_states import IN_FLIGHT
from screening.campaigns.snapshot import Snapshot, Status


@dataclass(frozen=True)
class Progress:
    """Counts of candidates, the best value, and the mean time of a candidate.

    `already_computed` candidates need no pick: another campaign has computed them.  `converged`
    says that the sampler found what it looks for before the budget was spent.
    """

    budget: int
    pool: int
    already_computed: int
    picked: int
    computed: int
    infeasible: int
    unstable: int
    failed: int
    cancelled: int
    running: int
    queued: int
    rounds: int
    confirmed: int
    to_confirm: int
    best_value: float | None
    best_candidate: str | None
    mean_candidate_s: float | None
    status: Status
    exhausted: bool
    converged: bool

    @property
    def done(self) -> int:
        """Candidates that ended, in whatever way."""
        return self.computed + self.infeasible + self.unstable + self.failed + self.cancelled


STATUS_COUNTS = (
    *("already_computed", "budget", "rounds", "picked", "computed"),
    *("infeasible", "unstable"),
    *("failed", "cancelled", "running", "queued"),
)
"""Fields of `Progress` that a status lists, in this order."""


def progress_of(snapshot: Snapshot) -> Progress:
    """Return how far a campaign is."""
    picks, results, objective = snapshot.picks, snapshot.explored, snapshot.objective
    states = [
        "infeasible"
        if pick["state"] == "computed"
        and results.get(pick["candidate_id"], {}).get("outcome") == "infeasible"
        else pick["state"]
        for pick in picks
    ]
    values = [
        (result[objective.value_field], candidate_id)
        for candidate_id, result in results.items()
        if candidate_id in snapshot.pool and objective.is_usable(result)
    ]
    best_of = min if snapshot.config.direction == "minimize" else max
    best_value, best_candidate = best_of(values) if values else (None, None)
    confirming = [pick["state"] for pick in snapshot.confirmation_picks]
    in_flight = sum(state in IN_FLIGHT for state in [*states, *confirming])
    picked = {pick["candidate_id"] for pick in picks}
    walls_s = [pick["wall_s"] for pick in picks if pick.get("wall_s") is not None]
    nothing_left = (
        snapshot.converged
        or len(picks) >= snapshot.config.budget
        or snapshot.pool.keys() <= picked | results.keys()
    )
    return Progress(
        budget=snapshot.config.budget,
        pool=len(snapshot.pool),
        already_computed=len(snapshot.pool.keys() & results.keys() - picked),
        picked=len(picks),
        computed=states.count("computed"),
        infeasible=states.count("infeasible"),
        unstable=states.count("unstable"),
        failed=states.count("failed"),
        cancelled=states.count("cancelled"),
        running=min(snapshot.running, in_flight),
        queued=in_flight - min(snapshot.running, in_flight),
        rounds=max((pick["round"] for pick in picks), default=0),
        confirmed=sum(state in ("computed", "unstable") for state in confirming),
        to_confirm=len(confirming),
        best_value=best_value,
        best_candidate=best_candidate,
        mean_candidate_s=float(np.mean(walls_s)) if walls_s else None,
        status=snapshot.status,
        converged=snapshot.converged,
        exhausted=not in_flight and nothing_left and not snapshot.awaits_promotion,
    )
