"""Kinds of candidates: what campaigns, rankings and pages need to know of each."""

from __future__ import annotations

from dataclasses import dataclass

from screening.candidates.candidate import Candidate
from screening.machine.plugins import PlugIns
from screening.messages.quantities import Quantity


@dataclass(frozen=True, kw_only=True)
class CandidateKind:
    """One kind of candidate.

    Attributes
    ----------
    name : str
        As objectives and stored candidates name it.
    help : str
        One sentence for people.
    model : type
        Of its candidates, as they are stored.
    label_field : str
        Stored field with the name that people know a candidate by, as the formula of a crystal.
    facts : tuple of Quantity
        Stored fields that rankings, tables and filters show of a candidate, in this order.
    drawing : str or None
        Import path, ``module:function``, of what pages show of a candidate: from its stored
        document and that of its result, empty where there is none, it returns a
        `screening.views.forms.CrystalView` or `SvgView`.
    """

    name: str
    help: str
    model: type[Candidate]
    label_field: str
    facts: tuple[Quantity, ...]
    drawing: str | None = None


CRYSTAL = CandidateKind(
    name="crystal",
    help="Ordered crystals, given by their primitive cells.",
    model=Candidate,
    label_field="formula",
    facts=(
        Quantity("formula", "formula", ""),
        Quantity("space_group_number", "space group", ""),
    ),
    drawing="screening.views.crystal:draw",
)

KINDS: PlugIns[CandidateKind] = PlugIns(
    "kind of candidates",
    "matscreen.candidate_kinds",
    {"crystal": "screening.candidates.kinds:CRYSTAL"},
)
