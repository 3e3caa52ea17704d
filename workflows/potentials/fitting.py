"""Fit of a potential: explore → choose by leverage → label → train, until it is good enough."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jobflow import CURRENT_JOB, Flow, Job, Maker, Response, job

from workflows.document_parts import StepCost, total_cost
from workflows.errors import EngineError
from workflows.potentials.calibration import SMALLEST_FORCE_EV_PER_A
from workflows.potentials.documents import FitRound, FittedPotentialDocument
from workflows.potentials.exploration import disturbed_cells
from workflows.potentials.frames import Frame, LabelledFrame, cutoffs_ev, labelled
from workflows.potentials.molecular_dynamics import cells_from_dynamics
from workflows.potentials.polynomial import PolynomialModel
from workflows.potentials.potential import Potential, Training, train
from workflows.potentials.quality import quality_fields
from workflows.potentials.recipe import FitRecipe
from workflows.potentials.rest import at_rest
from workflows.potentials.selection import most_informative
from workflows.target import NO_INPUTS, TargetDefaults, TargetInputs
from workflows.versions import package_versions

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from workflows.engines import Engine


GENERATION_SEED = 1_000_000
"""Between the seeds of two generations, so that a later one explores cells of its own."""


@dataclass(frozen=True)
class Family:
    """What a potential is fitted for.

    Attributes
    ----------
    crystals : list of Structure
        Primitive cells.
    frames : list of LabelledFrame
        Cells that the label engine has computed already.
    wanted : list of Frame
        Cells to label first, as those that an earlier potential refused.
    generation : int
        How many potentials came before, each from the labels of the one before it.
    """

    crystals: Sequence[Structure]
    frames: Sequence[LabelledFrame] = ()
    wanted: Sequence[Frame] = ()
    generation: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the form in which monty stores objects."""
        return {
            "@module": type(self).__module__,
            "@class": type(self).__name__,
            "crystals": [crystal.as_dict() for crystal in self.crystals],
            "frames": [frame.in_json() for frame in self.frames],
            "wanted": [frame.in_json() for frame in self.wanted],
            "generation": self.generation,
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Family:
        """Return the family that `as_dict` described."""
        from pymatgen.core import Structure

        return cls(
            [Structure.from_dict(crystal) for crystal in content["crystals"]],
            [LabelledFrame.model_validate(frame) for frame in content["frames"]],
            [Frame.model_validate(frame) for frame in content["wanted"]],
            content["generation"],
        )

    @property
    def elements(self) -> list[str]:
        """Chemical symbols of all crystals, sorted."""
        return sorted({site.specie.symbol for crystal in self.crystals for site in crystal})


def has_forces(frames: Sequence[LabelledFrame]) -> bool:
    """Return whether forces of any cell do not vanish: without, no potential can be fitted."""
    return any(np.abs(frame.forces).max() > SMALLEST_FORCE_EV_PER_A for frame in frames)


def tells_enough(frames: Sequence[LabelledFrame]) -> bool:
    """Return whether labelled cells tell forces and energies: displaced supercells of phonons alone
    say nothing of the volume."""
    return has_forces(frames) and any(frame.energy_ev is not None for frame in frames)


@job(data="frames")
def label_frames(engine: Engine, frames: list[Frame], elements: list[str]) -> dict[str, Any]:
    """Compute cells with the label engine.

    Parameters
    ----------
    elements
        Of the whole family: its labels have one basis.

    Returns
    -------
    dict
        ``frames``: list of `LabelledFrame`; ``failed``: list of str, the cells that the engine
        could not compute, with the reason; ``wall_s``.
    """
    started = time.perf_counter()
    done, failed = _computed(engine, frames, elements)
    return {"frames": done, "failed": failed, "wall_s": time.perf_counter() - started}


def _computed(
    engine: Engine, frames: list[Frame], elements: list[str]
) -> tuple[list[LabelledFrame], list[str]]:
    """Return the cells that an engine computes, and why it could not compute the others.

    A self-consistent calculation that does not converge must not cost the labels of the others.
    """
    try:
        points = engine.single_points([frame.structure for frame in frames], elements)
    except EngineError as error:
        if len(frames) == 1:
            return [], [f"{frames[0].origin}: {error}"]
        each = [_computed(engine, [frame], elements) for frame in frames]
        return [frame for done, _ in each for frame in done], [why for _, no in each for why in no]
    return [labelled(*pair) for pair in zip(frames, points, strict=True)], []


@dataclass
class FitRoundMaker(Maker):
    """Maker of the job that trains, and asks for more labels or ends the fit.

    Parameters
    ----------
    engine
        What labels.
    recipe
        Polynomial, exploration, and when it is good enough.
    """

    engine: Engine
    name: str = "fit round"
    recipe: FitRecipe = field(default_factory=FitRecipe)

    @job(output_schema=FittedPotentialDocument, data=["frames", "numbers"])
    def make(
        self,
        family: Family,
        chunks: list[dict[str, Any]] | None = None,
        rounds: list[FitRound] | None = None,
    ) -> FittedPotentialDocument | Response[FittedPotentialDocument]:
        """Train with what is labelled, and ask for more or end.

        Parameters
        ----------
        family
            Crystals, and what had been labelled before.
        chunks
            Outputs of `label_frames`, in order.
        rounds
            The rounds before.

        Raises
        ------
        EngineError
            When more cells could not be labelled than could.
        """
        started = time.perf_counter()
        recipe = self.recipe
        chunks, rounds = chunks or [], list(rounds or [])
        new = [frame for chunk in chunks for frame in chunk["frames"]]
        failed = [reason for chunk in chunks for reason in chunk.get("failed", [])]
        asked = len(new) + len(failed)
        if len(failed) > len(new):
            raise EngineError(
                f"'{self.engine.name}' could not label {len(failed)} of {asked} cells; the last: "
                f"{failed[-1]}"
            )
        frames = [*family.frames, *new]
        if not new and (family.wanted or not tells_enough(frames)):
            return self._label(family, self._first_cells(family), chunks, rounds)
        training = train(frames, family.elements, recipe)
        if rounds:
            rounds[-1] = with_findings(rounds[-1], new)
        crystals = at_rest(family.crystals, Potential(training.numbers))
        proposals = self._proposals(crystals, training, len(rounds) + 1, family.generation)
        summary, finished = self._judged(training, frames, proposals)
        left = recipe.max_labels - asked
        if not finished and left <= 0:
            finished = f"{recipe.max_labels} cells are labelled, which is all that was asked"
            if failed:
                finished += f"; {len(failed)} of them could not be computed"
        chosen = []
        if not finished:
            count = min(recipe.labels_per_round, left)
            chosen = self._chosen(family, training, proposals, count, len(rounds) + 1)
        summary.wall_s = time.perf_counter() - started
        rounds.append(summary)
        if not finished:
            return self._label(family, chosen, chunks, rounds)
        costs = [
            StepCost.of_force_calls("labels", asked, sum(chunk["wall_s"] for chunk in chunks)),
            StepCost.of_force_calls("training", 0, sum(each.wall_s for each in rounds)),
        ]
        provenance = self.engine.provenance()
        provenance.versions |= package_versions(["pypolymlp"])
        return FittedPotentialDocument(
            outcome="computed",
            elements=family.elements,
            formulas=sorted({crystal.reduced_formula for crystal in family.crystals}),
            label_engine=self.engine.name,
            label_cutoff_ev=self.engine.label_cutoff_ev(family.elements),
            generation=family.generation,
            n_labels=len(frames),
            n_new_labels=len(new),
            failed_labels=failed,
            n_features=len(training.numbers.coefficients),
            **quality_fields(training, frames),
            finished=finished,
            content_hash=training.numbers.content_hash,
            rounds=rounds,
            calibration=training.numbers.calibration,
            numbers=training.numbers,
            frames=frames,
            **total_cost(costs),
            provenance=provenance,
        )

    def _first_cells(self, family: Family) -> list[Frame]:
        """Return the cells to begin with: those that are wanted, or disturbed ones.

        Leverage needs no labels, but counts those that there are.  Of the wanted, half of the
        budget at most: the other half is for cells around them.
        """
        recipe = self.recipe
        known = has_forces(family.frames)
        training = train(family.frames, family.elements, recipe) if known else None
        if family.wanted:
            count = (recipe.max_labels + 1) // 2
            return self._chosen(family, training, list(family.wanted), count, 0)
        seed = recipe.seed + GENERATION_SEED * family.generation
        cells = disturbed_cells(
            family.crystals, recipe.exploration, recipe.proposals_per_round, seed
        )
        return self._chosen(family, training, cells, recipe.first_labels, 0)

    def _proposals(
        self, crystals: Sequence[Structure], training: Training, number: int, generation: int
    ) -> list[Frame]:
        """Return disturbed cells, and from the second round on cells of molecular dynamics."""
        recipe = self.recipe
        seed = recipe.seed + 1000 * number + GENERATION_SEED * generation
        cells = disturbed_cells(crystals, recipe.exploration, recipe.proposals_per_round, seed)
        if number > 1:
            potential = Potential(training.numbers)
            cells += cells_from_dynamics(potential, crystals, recipe.exploration, seed)
        return cells

    def _judged(
        self, training: Training, frames: list[LabelledFrame], proposals: list[Frame]
    ) -> tuple[FitRound, str]:
        """Return what a potential says of new cells, and why it is good enough, or nothing."""
        recipe = self.recipe
        potential = Potential(training.numbers)
        expected = []
        for frame in proposals:
            answer = potential.ask(frame.structure, recipe.trusted_force_error_ev_per_a)
            frame.predicted_forces_ev_per_a = answer.forces_ev_per_a.tolist()
            frame.expected_force_error_ev_per_a = answer.expected_force_error_ev_per_a
            frame.leverage = answer.leverage.atom
            expected.append(answer.worst_error_ev_per_a)
        errors = np.array(expected)
        quality = quality_fields(training, frames)
        trusted = float((errors <= recipe.trusted_force_error_ev_per_a).mean())
        summary = FitRound(
            labels=len(frames),
            force_error_ev_per_a=quality["force_error_ev_per_a"],
            noise_ev_per_a=training.fitted.noise_ev_per_a,
            prior_precision=training.fitted.alpha,
            largest_expected_error_ev_per_a=float(errors.max()),
            trusted_fraction=trusted,
            outside_fraction=float((errors > recipe.largest_force_error_ev_per_a).mean()),
        )
        finished = (
            f"all {len(errors)} new cells are trusted: their forces are expected to be wrong by no "
            f"more than {recipe.trusted_force_error_ev_per_a:g} eV/Å, and their energies alike"
            if trusted == 1
            else ""
        )
        return summary, finished

    def _chosen(
        self,
        family: Family,
        training: Training | None,
        proposals: list[Frame],
        count: int,
        round_number: int,
    ) -> list[Frame]:
        """Return the cells to label next, of those proposed in a round."""
        model = PolynomialModel(tuple(family.elements), self.recipe.polynomial)
        fitted = None if training is None else training.fitted
        cells = [frame.structure for frame in proposals]
        chosen = most_informative(model, fitted, cells, count)
        return [
            proposals[number].model_copy(update={"round_number": round_number})
            for number, _ in chosen
        ]

    def _label(
        self, family: Family, chosen: list[Frame], chunks: list[Any], rounds: list[FitRound]
    ) -> Response[Any]:
        """Replace the running job by jobs that label cells and the next round."""
        size = max(1, self.engine.inline_supercells)
        done = sum(len(chunk["frames"]) + len(chunk.get("failed", [])) for chunk in chunks)
        jobs: list[Job] = []
        for first in range(0, len(chosen), size):
            labels = label_frames(self.engine, chosen[first : first + size], family.elements)
            last = min(first + size, len(chosen))
            labels.name = f"labels {done + first + 1}-{done + last}"
            jobs.append(labels)
        following = type(self)(self.engine, recipe=self.recipe).make(
            family, [*chunks, *(each.output for each in jobs)], rounds
        )
        following.name = f"fit round {len(rounds) + 1}"
        # jobflow would instead add a job that stores a reference, which fails the output schema.
        following.set_uuid(CURRENT_JOB.job.uuid)
        following.index = CURRENT_JOB.job.index + 1
        return Response(replace=Flow([*jobs, following], name=self.name))


def with_findings(before: FitRound, new: Sequence[LabelledFrame]) -> FitRound:
    """Return the last round with what came of the cells that it chose."""
    last = max((frame.round_number for frame in new), default=0)
    pairs = [
        (frame.found_force_error_ev_per_a, frame.expected_force_error_ev_per_a)
        for frame in new
        if frame.round_number == last and frame.found_force_error_ev_per_a is not None
    ]
    if not pairs:
        return before
    found, expected = np.sqrt((np.array(pairs, dtype=float) ** 2).mean(axis=0))
    changes = {
        "found_force_error_ev_per_a": float(found),
        "expected_force_error_ev_per_a": float(expected),
    }
    return before.model_copy(update=changes)


@dataclass
class FittedPotentialMaker(TargetDefaults, Maker):
    """Maker of the whole fit for one family of crystals.

    Parameters
    ----------
    engine
        What labels cells: first principles, or a potential that is to become faster.
    recipe
        Polynomial, exploration, and when it is good enough.
    """

    engine: Engine
    name: str = "fitted potential"
    recipe: FitRecipe = field(default_factory=FitRecipe)

    def refusal(self, family: Family, inputs: TargetInputs = NO_INPUTS) -> str | None:
        """Return why `make` cannot take a family, or None."""
        known = self.engine.supported_elements()
        unknown = [] if known is None else sorted(set(family.elements) - known)
        if unknown:
            return f"engine '{self.engine.name}' does not know {', '.join(unknown)}"
        wanted = self.engine.label_cutoff_ev(family.elements)
        earlier = cutoffs_ev(family.frames)
        if any(cutoff_ev != wanted for cutoff_ev in earlier):
            had, gets = (
                " and ".join("none" if each is None else f"{each:g} eV" for each in cutoffs)
                for cutoffs in (earlier, [wanted])
            )
            return (
                f"labels that it has are of a plane-wave cut-off of {had}, and new ones would get "
                f"{gets}: one fit needs one; fit it without the labels of before"
            )
        return None

    def make(self, family: Family, inputs: TargetInputs = NO_INPUTS) -> Flow:
        """Return the flow; its output is a `FittedPotentialDocument`."""
        document = FitRoundMaker(self.engine, recipe=self.recipe).make(family)
        return Flow([document], output=document.output, name=self.name)

    def estimate_cost(self, family: Family) -> float:
        """Return how many cells are labelled at most."""
        return self.recipe.max_labels
