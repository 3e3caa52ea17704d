"""Crystals of compositions that are in no list: recommended ones, in prototypes of known ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from screening.messages.validation import validated
from screening.sources.plugin import SourcePlugIn
from screening.sources.record import SourceError, SourceRecord


def _split(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",") if part.strip()]


Symbols = Annotated[list[str], BeforeValidator(_split)]
Kinds = Annotated[list[Annotated[int, Field(ge=2, le=5)]], BeforeValidator(_split)]


class RecommendQuery(BaseModel):
    """What is recommended.

    Parameters
    ----------
    elements
        Cations of which each composition holds at least one; any by default.
    anion
        Anions; any by default.
    kinds
        Numbers of elements of a composition.
    top
        How many of the best compositions.
    prototypes
        Crystals a composition, at most.
    per_family
        How many compositions that are alike but for one rare earth; all by default.
    known
        File with the user's own list of known compositions.
    seed
        Of all that is drawn.
    """

    model_config = ConfigDict(extra="forbid")

    elements: Symbols = Field(default_factory=list)
    anion: Symbols = Field(default_factory=list)
    kinds: Kinds = Field(default_factory=lambda: [3], min_length=1)
    top: int = Field(100, ge=1, le=100_000)
    prototypes: int = Field(3, ge=1, le=20)
    per_family: int | None = Field(None, ge=1)
    known: str | None = None
    seed: int = Field(0, ge=0)


@dataclass(frozen=True)
class Recommended:
    """Proposed crystals of recommended compositions, the best composition first.

    Parameters
    ----------
    spec
        As the user wrote it.
    query
        What is recommended.
    """

    spec: str
    query: RecommendQuery
    _remarks: list[str] = field(default_factory=list, repr=False, compare=False)

    def records(self) -> Iterator[SourceRecord]:
        """Stream the crystals; a composition no prototype fits is an entry with the reason.

        Raises
        ------
        ScreenError
            When the known list is wrong, or nothing fits what is asked for.
        """
        from screening.recommender.compositions import of_formulas
        from screening.recommender.kept import kept_recommendations
        from screening.recommender.known import (
            computed_by_mp,
            parsed_formula,
            read_known,
            shipped_list,
        )
        from screening.recommender.likeness import learnt_likeness
        from screening.recommender.prototypes import shipped_library
        from screening.recommender.ranking import Question, domain_of
        from screening.recommender.volume import at_predicted_volume

        self._remarks.clear()
        query = self.query
        domain_of(query.elements, query.anion)
        known = shipped_list() if query.known is None else read_known(query.known)
        if query.known is not None:
            self._remarks.extend(known.remarks)
        question = Question(
            elements=tuple(query.elements),
            anions=tuple(query.anion),
            kinds=tuple(query.kinds),
            top=query.top,
            family=query.per_family,
            seed=query.seed,
        )
        likeness, library = learnt_likeness(known), shipped_library()
        without = 0
        for row in kept_recommendations(known, question, computed_by_mp()):
            formula = parsed_formula(row.formula)
            assert formula is not None
            composition, _ = of_formulas([formula], len(formula))
            proposals = library.proposals(composition, likeness, query.prototypes)
            if not proposals:
                without += 1
                yield SourceRecord(
                    row.formula,
                    None,
                    "no prototype of its coefficients is in the library",
                    f"{self.spec}#{row.formula}",
                )
            facts = {
                "recommend_rank": row.rank,
                "recommend_score": row.score,
                "recommend_chance": row.chance,
                "relatives": " ".join(row.relatives),
                "balance": row.balance,
                "computed_by_mp": row.mp_e_hull is not None,
                "mp_energy_above_hull_ev_per_atom": row.mp_e_hull,
            }
            for number, proposal in enumerate(proposals, start=1):
                yield SourceRecord(
                    f"{row.formula}/prototype-{number}",
                    at_predicted_volume(proposal),
                    None,
                    f"{self.spec}#{row.formula}/{number}",
                    {
                        **facts,
                        "prototype_space_group": proposal.prototype.space_group,
                        "prototype_parent": proposal.parent,
                        "prototype_likeness": proposal.likeness,
                        "prototype_confidence": proposal.confidence,
                    },
                )
        if without:
            self._remarks.append(f"{without} compositions have no prototype in the library")

    def remarks(self) -> list[str]:
        """Say what was left out, once the entries were streamed."""
        return list(self._remarks)


def open_recommend(rest: str) -> Recommended:
    """Open ``recommend``, or ``recommend:FIELD=VALUE&…``.

    Raises
    ------
    SourceError
        When a field is unknown or has an impossible value.
    """
    spec = f"recommend:{rest}" if rest else "recommend"
    fields: dict[str, str] = {}
    for part in filter(None, rest.split("&")):
        name, equals, value = part.partition("=")
        if not equals:
            raise SourceError(f"source '{spec}': '{part}' is not written FIELD=VALUE")
        if name.strip() in fields:
            raise SourceError(f"source '{spec}': '{name.strip()}' is given twice")
        fields[name.strip()] = value.strip()
    return Recommended(spec, validated(RecommendQuery, fields, f"source '{spec}'"))


RECOMMEND = SourcePlugIn(
    name="recommend",
    usage="recommend:FIELD=VALUE&…",
    help="Crystals of compositions that are in no list, the likeliest to exist first.",
    open=open_recommend,
    options=RecommendQuery,
)
