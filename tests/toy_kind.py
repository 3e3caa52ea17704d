"""A kind of candidates that are no crystals: words, each with the number of its letters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import pytest
from jobflow import Maker, job

from screening.candidates.candidate import Candidate, Origin
from screening.candidates.filters import CandidateFilters
from screening.candidates.kinds import CandidateKind
from screening.messages.quantities import Quantity
from screening.messages.refusal import Refusal, RefusedError
from screening.sources.plugin import SourcePlugIn
from screening.sources.record import SourceRecord
from screening.targets.objectives import OBJECTIVES, Objective
from workflows.document_parts import StepCost, total_cost
from workflows.documents import TargetDocument
from workflows.engines import AseEngine
from workflows.recipes import Recipe
from workflows.target import NO_INPUTS, TargetDefaults, TargetInputs

WORDS_NAME = "toy_kind:WORDS"


class Word(Candidate):
    kind: str = WORDS_NAME
    text: str
    n_letters: int

    @property
    def label(self) -> str:
        return self.text

    @property
    def summary(self) -> str:
        return f"{self.text}, {self.n_letters} letters"

    def content(self) -> str:
        return f"{self.text}:{self.n_letters}"


class WordFilters(CandidateFilters):
    max_letters: int = 10

    def refusal(self, candidate: Candidate) -> Refusal | None:
        assert isinstance(candidate, Word)
        if candidate.n_letters > self.max_letters:
            text = f"it has {{n}} letters, more than max_letters = {self.max_letters}"
            return Refusal.of(text, n=candidate.n_letters)
        return super().refusal(candidate)


def read_word(content: str, origin: Origin) -> Word:
    text, _, length = content.partition(":")
    if length != str(len(text)):
        raise RefusedError(
            "{text} has not {length} letters", text=repr(text), length=length or "its number of"
        )
    word = text.lower()
    return Word(candidate_id=f"word-{word}", text=word, n_letters=len(word), origins=[origin])


def describe_word(word: Word) -> list[float]:
    codes = [ord(letter) for letter in word.text]
    return [float(word.n_letters), sum(codes) / len(codes), float(codes[0])]


WORDS = CandidateKind(
    name=WORDS_NAME,
    plural="words",
    help="Words and the numbers of their letters.",
    model=Word,
    label_field="text",
    facts=(Quantity("text", "word", ""), Quantity("n_letters", "letters", "")),
    read=read_word,
    describe=describe_word,
    features_version=1,
    filters=WordFilters,
    repeated=("n_letters",),
)


@dataclass(frozen=True)
class Dictionary:
    spec: str
    words: tuple[str, ...]
    candidates: str = WORDS_NAME

    def records(self) -> Iterator[SourceRecord]:
        for number, word in enumerate(self.words, start=1):
            yield SourceRecord(f"w-{number}", word, None, f"{self.spec}#{number}")


def open_dictionary(rest: str) -> Dictionary:
    return Dictionary(f"toy_kind:DICTIONARY:{rest}", tuple(rest.split(",")))


DICTIONARY = SourcePlugIn(
    name="dictionary",
    usage="toy_kind:DICTIONARY:WORD:LENGTH,…",
    help="Words, each with its length.",
    open=open_dictionary,
)


class VowelRecipe(Recipe):
    """Which letters count."""

    vowels: str = "aeiou"


class VowelDocument(TargetDocument):
    """How many letters of a word are vowels."""

    vowel_fraction: float
    """Vowels over all letters."""
    first_vowel: str
    """The one that comes first, empty where there is none."""


@dataclass
class VowelMaker(TargetDefaults, Maker):
    """Counts the vowels of a word: there is no structure anywhere."""

    engine: AseEngine
    name: str = "vowels"
    recipe: VowelRecipe = field(default_factory=VowelRecipe)

    cost_unit: ClassVar[str] = "letters"

    @job(output_schema=VowelDocument)
    def make(self, word: str, inputs: TargetInputs = NO_INPUTS) -> VowelDocument:
        text, _, length = word.partition(":")
        vowels = [letter for letter in text if letter in self.recipe.vowels]
        cost = StepCost(step="count", cost=int(length), cost_unit=self.cost_unit, wall_s=0.0)
        return VowelDocument(
            outcome="computed",
            vowel_fraction=len(vowels) / int(length),
            first_vowel=next(iter(vowels), ""),
            **total_cost([cost]),
            provenance=self.engine.provenance(),
        )

    def estimate_cost(self, word: str) -> float:
        return int(word.partition(":")[2])


VOWELS = Objective(
    name="vowels",
    help="Vowels of a word.",
    maker="toy_kind.VowelMaker",
    recipe="toy_kind.VowelRecipe",
    document="toy_kind.VowelDocument",
    value_field="vowel_fraction",
    error_field=None,
    label="vowels",
    unit="",
    logarithmic=False,
    shown_fields=(Quantity("first_vowel", "first vowel", ""),),
    candidates=WORDS_NAME,
)


def register(patch: pytest.MonkeyPatch) -> None:
    """Make the target known, as long as the patch lasts."""
    patch.setitem(OBJECTIVES.built_in, VOWELS.name, "toy_kind:VOWELS")


TARGET = """\
objective: vowels
direction: minimize
engine: emt
sources: ["toy_kind:DICTIONARY:apple:5,sky:3,queue:5,strength:8,Apple:5,short:99,extraordinary:13"]
filters: {max_letters: 8}
sampler:
  kind: greedy
  initial: 2
  surrogate: {kind: "screening.testing.nearest_value:NearestValue"}
budget: 3
batch_size: 2
"""
"""YAML of a campaign on four words: one is there twice, one is wrong, and one is too long."""
