"""A kind of candidates that are no crystals: words, each with the number of its letters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jobflow import Maker, job

from screening.candidates.candidate import Candidate, Origin
from screening.candidates.filters import CandidateFilters
from screening.candidates.kinds import CandidateKind
from screening.candidates.refusal import Refusal, RefusedError
from screening.messages.quantities import Quantity
from screening.sources.plugin import SourcePlugIn
from screening.sources.record import SourceRecord
from screening.targets.objectives import Objective
from workflows.recipes import Recipe
from workflows.target import TargetDefaults

WORDS_NAME = "toy_kind:WORDS"


class Word(Candidate):
    kind: str = WORDS_NAME
    text: str
    n_letters: int

    @property
    def label(self) -> str:
        return self.text

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


@dataclass
class VowelMaker(TargetDefaults, Maker):
    """Counts the vowels of a word, plus one: there is no structure anywhere."""

    name: str = "vowels"
    engine: Any = None
    recipe: VowelRecipe | None = None

    @job
    def make(self, word: str) -> dict[str, Any]:
        text, _, length = word.partition(":")
        vowels = (self.recipe or VowelRecipe()).vowels
        value = 1.0 + sum(letter in vowels for letter in text) / int(length)
        return {
            "outcome": "computed",
            "reason": "",
            "kappa_300k_w_per_m_k": value,
            "kappa_300k_error_w_per_m_k": None,
            "cost": int(length),
            "cost_unit": self.cost_unit,
            "wall_s": 0.0,
        }

    def estimate_cost(self, word: str) -> float:
        return int(word.partition(":")[2])


VOWELS = Objective(
    name="vowels",
    help="Vowels of a word.",
    maker="toy_kind.VowelMaker",
    recipe="toy_kind.VowelRecipe",
    document="workflows.documents.ThermalConductivityDocument",
    value_field="kappa_300k_w_per_m_k",
    error_field="kappa_300k_error_w_per_m_k",
    label="vowels",
    unit="",
    logarithmic=False,
    candidates=WORDS_NAME,
)
TARGET = """\
objective: vowels
direction: minimize
engine: emt
sources: ["toy_kind:DICTIONARY:apple:5,sky:3,queue:5,strength:8,Apple:5,short:99,extraordinary:13"]
filters: {max_letters: 8}
sampler: {kind: random}
budget: 3
batch_size: 2
"""
"""YAML of a campaign on four words: one is there twice, one is wrong, and one is too long."""
