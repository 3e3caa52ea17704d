"""Why something cannot become a candidate, as data: sentences that can be told in one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from numbers import Integral, Real
from string import Formatter
from typing import Any, Self

from pydantic import BaseModel

Value = str | int | float | list[str]
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]\d+)?(?![\w.])")


class Refusal(BaseModel, frozen=True):
    """Why an entry or a candidate stays out.

    Attributes
    ----------
    text : str
        Half a sentence about it, with the names of `values` in braces, as for `str.format`.
    values : dict
        What the sentence is about: numbers, names, lists of names.
    code : str
        Refusals of one code are of one kind; where there is none, those of one text are.
    """

    text: str
    values: dict[str, Value] = {}
    code: str = ""

    @classmethod
    def of(cls, text: str, /, code: str = "", **values: Any) -> Self:
        """Return the refusal of a text with these values; others than numbers become texts."""
        return cls(
            text=text, values={key: _plain(value) for key, value in values.items()}, code=code
        )

    @classmethod
    def of_words(cls, words: str, names: Iterable[str] = ()) -> Self:
        """Return the refusal of a finished sentence; those that differ in numbers are of a kind.

        Parameters
        ----------
        names
            Words in which sentences of one kind may differ too, as elements.
        """
        parted = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
        pattern = re.compile(rf"(?<!\w)(?:{parted})(?!\w)|{_NUMBER.pattern}") if parted else _NUMBER
        parts: list[str] = []
        values: dict[str, Value] = {}
        end = 0
        for part in pattern.finditer(words):
            name = f"part_{len(values)}"
            values[name] = part[0]
            parts += [_escaped(words[end : part.start()]), f"{{{name}}}"]
            end = part.end()
        return cls(text="".join([*parts, _escaped(words[end:])]), values=values)

    @property
    def kind(self) -> str:
        """What refusals of one kind have in common."""
        return self.code or self.text

    def __str__(self) -> str:
        """Return the sentence."""
        return in_one([self])

    def names(self, key: str) -> list[str]:
        """Return a value that is a list of names, empty where there is none."""
        value = self.values.get(key)
        return value if isinstance(value, list) else []

    def preceded(self, text: str, /, **values: Any) -> Refusal:
        """Return the same reason after other words, as of what it is the reason."""
        return Refusal.of(f"{text}{self.text}", **{**self.values, **values})

    def followed(self, text: str, /) -> Refusal:
        """Return the same reason with other words behind it, as a remedy."""
        return Refusal(text=f"{self.text}{text}", values=self.values)


class RefusedError(Exception):
    """Something cannot become a candidate.

    Parameters
    ----------
    text
        As of `Refusal`.
    values
        Those that `text` names.
    """

    def __init__(self, text: str | Refusal, /, **values: Any) -> None:
        self.refusal = text if isinstance(text, Refusal) else Refusal.of(text, **values)
        super().__init__(str(self.refusal))

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what makes this error again in another process."""
        return type(self), (self.refusal,)


def in_one(refusals: list[Refusal]) -> str:
    """Return refusals of one kind as one: numbers as ranges, other values that differ as “…”."""
    parts = []
    for words, name, form, _ in Formatter().parse(refusals[0].text):
        parts.append(words)
        if name is not None:
            parts.append(_together([refusal.values[name] for refusal in refusals], form or ""))
    return "".join(parts)


def _plain(value: Any) -> Value:
    if isinstance(value, list | tuple):
        return [str(part) for part in value]
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else str(value)


def _together(values: list[Value], form: str) -> str:
    said = {_said(value, form): value for value in values}
    if len(said) == 1:
        return next(iter(said))
    try:
        by_size = sorted(said, key=lambda text: float(said[text]))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return "…"
    return f"{by_size[0]} to {by_size[-1]}"


def _said(value: Value, form: str) -> str:
    return ", ".join(value) if isinstance(value, list) else format(value, form)


def _escaped(words: str) -> str:
    return words.replace("{", "{{").replace("}", "}}")
