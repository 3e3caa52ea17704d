from __future__ import annotations

import pytest
from pydantic import ValidationError

from screening.candidate import Candidate, Origin
from screening.filters import FilterConfig, refusal

NACL = Candidate(
    candidate_id="NaCl-225-00000000",
    formula="NaCl",
    space_group_number=225,
    n_sites=2,
    elements=["Cl", "Na"],
    structure={},
    origins=[Origin(source="test", material_id="1")],
)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({}, None),
        ({"max_sites": 2}, None),
        ({"max_sites": 1}, "it has 2 atoms in the primitive cell, more than max_sites = 1"),
        ({"include_elements": ["Na", "Cl", "K"]}, None),
        ({"include_elements": ["K", "Cl"]}, "it contains Na, not among include_elements"),
        ({"exclude_elements": ["K"]}, None),
        ({"exclude_elements": ["Na", "Cl"]}, "it contains Cl, Na, among exclude_elements"),
        ({"space_groups": [216, 225]}, None),
        ({"space_groups": [216]}, "its space group 225 is not among space_groups"),
    ],
)
def test_reasons(config, reason):
    assert refusal(NACL, FilterConfig.model_validate(config)) == reason


@pytest.mark.parametrize(
    "config",
    [
        {"max_sites": 0},
        {"max_atoms": 3},
        {"include_elements": ["Na Cl"]},
        {"exclude_elements": ["Xx"]},
        {"exclude_elements": [""]},
        {"space_groups": [231]},
    ],
)
def test_config_refuses_nonsense(config):
    with pytest.raises(ValidationError):
        FilterConfig.model_validate(config)
