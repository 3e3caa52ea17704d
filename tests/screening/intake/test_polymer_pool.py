"""A pool of polymers from a library and from a file, through the same door as crystals."""

from __future__ import annotations

import pytest
import yaml

from screening.candidates.kinds import candidate_kind, to_document
from screening.candidates.polymer_filters import PolymerFilters
from screening.intake.ingest import ingest
from screening.sources import open_source

KAPTON = "*Oc1ccc(N2C(=O)c3cc4C(=O)N(c5ccc(*)cc5)C(=O)c4cc3C2=O)cc1"
MONOMERS = [
    {"name": "PMDA", "smiles": "O=C1OC(=O)c2cc3C(=O)OC(=O)c3cc12"},
    {"name": "ODA", "smiles": "Nc1ccc(Oc2ccc(N)cc2)cc1"},
    {"name": "HMDA", "smiles": "NCCCCCCN"},
]


def refuse_nothing(candidate):
    return None


@pytest.fixture
def sources(tmp_path):
    library = tmp_path / "mine.yaml"
    library.write_text(yaml.safe_dump({"monomers": [{"entries": MONOMERS}]}))
    units = tmp_path / "units.csv"
    units.write_text(f"name,smiles\nKapton,{KAPTON}\nPE,*CC*\nlong PE,*CCCC*\nbroken,*CC(*\n")
    return [open_source(f"polyimides:{library}"), open_source(str(units))]


def test_a_chain_found_twice_is_one_candidate(sources, database):
    kind = candidate_kind("polymer")
    filters = PolymerFilters(exclude_elements=["F"])
    pool = ingest(sources, kind, filters, database, refuse_nothing, workers=1)
    assert [each.name for each in pool.candidates.values()] == ["PMDA-ODA", "PMDA-HMDA", "PE"]
    assert pool.duplicates == 2
    assert [str(each.refusal) for each in pool.refused] == [
        "its SMILES '*CC(*' opens 1 and closes 0 round brackets; is it cut off?"
    ]
    kapton = next(iter(pool.candidates.values()))
    assert [origin.material_id for origin in kapton.origins] == ["PMDA-ODA", "Kapton"]
    assert len(kapton.features) == len(kind.feature_names())
    database.candidates.insert_many([to_document(each) for each in pool.candidates.values()])
    again = ingest(sources, kind, PolymerFilters(), database, refuse_nothing, workers=1)
    assert set(again.candidates) == set(pool.candidates)
