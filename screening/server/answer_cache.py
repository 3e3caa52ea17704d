"""Answers as last worked out: many readers that ask again and again cost no more than one."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

LARGEST = 64
"""Answers that are kept, those asked for last."""


@dataclass
class _Answer:
    tag: str = ""
    body: bytes = b""
    lock: threading.Lock = field(default_factory=threading.Lock)


class KeptAnswers:
    """Bodies of answers by what was asked, each with the tag of the data behind it."""

    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[str, ...], _Answer] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[str, ...], tag: str, make: Callable[[], bytes]) -> bytes:
        """Return the answer of this tag, made by the first who asks while the others wait."""
        with self._lock:
            answer = self._answers.setdefault(key, _Answer())
            self._answers.move_to_end(key)
            if len(self._answers) > LARGEST:
                self._answers.popitem(last=False)
        with answer.lock:
            if answer.tag != tag:
                answer.body = make()
                answer.tag = tag
            return answer.body
