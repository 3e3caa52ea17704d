"""What a campaign asks of a target: the contract of the Maker that computes its number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from workflows.document_parts import FORCE_CALLS
from workflows.errors import CannotCompute

if TYPE_CHECKING:
    from jobflow import Flow, Job


class TargetInputs(BaseModel):
    """What the source of a candidate may state that a flow uses; here nothing.

    A target that takes more has a model of its own, with a default for every field.  The names of
    its fields are those under which sources state them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


NO_INPUTS = TargetInputs()


@runtime_checkable
class TargetMaker(Protocol):
    """A jobflow Maker, built as ``Maker(engine=…, recipe=…)``, whose flow computes a target.

    What it is given is the content of a candidate, of a crystal its primitive cell as a pymatgen
    Structure, and what the source of the candidate states.  `TargetDefaults` has all but `make`
    and `estimate_cost`.

    Attributes
    ----------
    cost_unit
        What `estimate_cost` and the `cost` of the documents count.
    inputs_model
        Model of the inputs that the methods take.
    """

    cost_unit: ClassVar[str]
    inputs_model: ClassVar[type[TargetInputs]]

    def make(self, content: Any, inputs: Any = NO_INPUTS, /) -> Flow | Job:
        """Return the flow; its output is a `workflows.documents.TargetDocument`."""

    def estimate_cost(self, content: Any, /) -> float:
        """Return about what `make` will cost, in `cost_unit`."""

    def refusal(self, content: Any, inputs: Any = NO_INPUTS, /) -> str | None:
        """Return why `make` cannot take a candidate, in half a sentence, or None."""

    def known_beforehand(self, content: Any, inputs: Any = NO_INPUTS, /) -> dict[str, float | None]:
        """Return fields of the document that are known before anything is computed."""


class TargetDefaults:
    """What most targets leave as it is: every candidate is taken, nothing is known beforehand."""

    cost_unit: ClassVar[str] = FORCE_CALLS
    inputs_model: ClassVar[type[TargetInputs]] = TargetInputs

    def refusal(self, content: Any, inputs: Any = NO_INPUTS, /) -> str | None:
        """Return why `make` cannot take a candidate, in half a sentence, or None."""
        return None

    def check(self, content: Any, inputs: Any = NO_INPUTS, /) -> None:
        """Raise `CannotCompute` where `refusal` says why a candidate is not taken."""
        reason = self.refusal(content, inputs)
        if reason is not None:
            raise CannotCompute(f"{getattr(content, 'reduced_formula', content)}: {reason}")

    def known_beforehand(self, content: Any, inputs: Any = NO_INPUTS, /) -> dict[str, float | None]:
        """Return fields of the document that are known before anything is computed."""
        return {}
