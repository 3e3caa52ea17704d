"""States of picks: as the documentation lists them, and stored as plain words."""

from __future__ import annotations

import re
from pathlib import Path

import bson

from screening.campaigns.pick_states import IN_FLIGHT, PickState

DATA_MODEL = Path(__file__).parents[3] / "docs" / "data-model.md"


def test_the_documented_states_are_those_of_the_code():
    table = DATA_MODEL.read_text().partition("| state | meaning | next |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(PickState)


def test_states_are_stored_as_plain_words():
    stored = bson.decode(bson.encode({"state": PickState.CLAIMED, "any": list(IN_FLIGHT)}))
    assert stored == {"state": "claimed", "any": ["claimed", "queued"]}
    assert type(stored["state"]) is str
