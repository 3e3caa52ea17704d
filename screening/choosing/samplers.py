"""Which candidates to evaluate next: what a sampler is, and which there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from screening.machine.plugins import PlugIns

if TYPE_CHECKING:
    from pydantic import BaseModel

    from screening.choosing.observations import Floats, Observations, Proposal


class Sampler(Protocol):
    """Picks from a finite list of candidates.

    Attributes
    ----------
    name, help : str
        As it is named in a configuration, and one sentence on it.
    Options : type
        `screening.choosing.config.SamplerConfig`, or a subclass with options of its own.
    reasons : dict
        What the reasons of its proposals mean, as clauses for people.
    """

    name: ClassVar[str]
    help: ClassVar[str]
    Options: ClassVar[type[BaseModel]]
    reasons: ClassVar[Mapping[str, str]]

    def __init__(self, options: Any) -> None:
        """Take the options of a campaign, of the type `Options`."""
        ...

    def propose(
        self,
        observations: Observations,
        available_ids: list[str],
        available_features: Floats,
        n: int,
        seed: int,
    ) -> list[Proposal]:
        """Pick up to `n` distinct candidates, best first.

        Parameters
        ----------
        observations : Observations
        available_ids : list of str, length m
            Any that are evaluated, infeasible or pending are passed over.
        available_features : ndarray, shape (m, d)
            Raw; NaN is allowed.
        n : int
        seed : int
            The same arguments give the same picks, in whatever order the ids come.

        Raises
        ------
        SearchEndedError
            When it cannot pick anything, with the reason, which `matscreen status` shows.  No
            picks without one mean that it has found what it looks for.
        """
        ...


SAMPLERS: PlugIns[type[Sampler]] = PlugIns(
    "sampler",
    "matscreen.samplers",
    {
        "expected-improvement": "screening.choosing.model_samplers:ExpectedImprovement",
        "greedy": "screening.choosing.model_samplers:Greedy",
        "convex-hull": "screening.choosing.hull_sampler:HullSampler",
        "random": "screening.choosing.random_sampler:RandomSampler",
    },
)


def reason_text(kind: str, reason: str) -> str:
    """Return what the reason of a proposal means, as a clause for people.

    Parameters
    ----------
    kind
        The sampler that gave it.
    reason
        As the proposal has it; returned as it is where the sampler does not explain it.
    """
    return SAMPLERS.load(kind).reasons.get(reason, reason)
