from __future__ import annotations

import itertools
import shutil

import pytest

from screening.machine.user_cache import cache_folder
from screening.messages.errors import ScreenError
from screening.sources import open_source
from screening.sources.record import remarks_of

pytestmark = pytest.mark.usefixtures("own_cache")

ALKALI = ("Li", "Na", "K", "Rb", "Cs")
TRIVALENT = ("Al", "Ga", "In", "Y", "La", "Nd", "Gd", "Er", "Cr", "Fe")


@pytest.fixture(scope="module")
def listed(tmp_path_factory) -> str:
    lines = ["formula,first_year", "NaCl,2010"]
    every = itertools.product(ALKALI, TRIVALENT, ("O", "S", "Se", "Te"))
    lines += [f"{a}{b}{x}2," for number, (a, b, x) in enumerate(every) if number % 5 != 3]
    path = tmp_path_factory.mktemp("known") / "known.csv"
    path.write_text("\n".join(lines))
    return str(path)


def test_recommended_compositions_come_as_crystals(listed):
    asked = f"recommend:elements=Na,K&anion=S&top=6&prototypes=2&known={listed}"
    source = open_source(asked)
    records = list(source.records())
    whole = [record for record in records if record.content is not None]
    assert len(whole) > 4
    ranks = [record.properties["recommend_rank"] for record in whole]
    assert ranks == sorted(ranks)
    for record in whole:
        formula, _, number = record.material_id.partition("/prototype-")
        assert number in {"1", "2"}
        elements = record.content.composition.get_el_amt_dict()
        assert set(elements) & {"Na", "K"}
        assert "S" in elements
        alphabetical = "".join(
            f"{element}{amount:g}" if amount != 1 else element
            for element, amount in sorted(
                record.content.composition.reduced_composition.get_el_amt_dict().items()
            )
        )
        assert alphabetical == formula
        assert 0 < record.properties["prototype_confidence"] < 1
        assert 5 < record.content.volume / len(record.content) < 60
    kept = [record.material_id for record in open_source(asked).records()]
    shutil.rmtree(cache_folder())
    again = [record.material_id for record in open_source(asked).records()]
    assert kept == again
    assert again == [record.material_id for record in records]
    assert all("recommend" in remark for remark in remarks_of(source))


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("anions=S", "anions"),
        ("top=0", "top"),
        ("kinds=9", "kinds"),
        ("S", "is not written FIELD=VALUE"),
    ],
)
def test_a_wrong_query_is_one_sentence(rest, said):
    with pytest.raises(ScreenError, match=said):
        open_source(f"recommend:{rest}")


def test_an_impossible_element_is_one_sentence():
    with pytest.raises(ScreenError, match="element 'Xx': is no element"):
        next(open_source("recommend:elements=Xx").records())
