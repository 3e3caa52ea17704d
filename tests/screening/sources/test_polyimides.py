"""The virtual library of polyimides: its monomers, its routes, and that all polymers differ."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from screening.candidates.candidate import Origin
from screening.candidates.kinds import candidate_kind
from screening.messages.errors import ScreenError
from screening.messages.refusal import RefusedError
from screening.molecules.polymer_unit import canonical_smiles, canonical_unit, unit_of_pieces
from screening.sources import open_source
from screening.sources.imide_chemistry import (
    check_role,
    diamine,
    dianhydride,
    imide_units,
    main_part,
)
from screening.sources.record import remarks_of

ROOT = Path(__file__).parents[3]
PMDA = {"name": "PMDA", "smiles": "O=C1OC(=O)c2cc3C(=O)OC(=O)c3cc12", "cid": 6966}
ODA = {"name": "ODA", "smiles": "Nc1ccc(Oc2ccc(N)cc2)cc1.Cl.Cl", "cid": "CID7579"}
BUTANEDIOL = {"name": "butane-1,4-diol", "smiles": "OCCCCO", "cid": 8064}
ESTER = {
    "name": "trimellitate ester",
    "code": "TME",
    "makes": "dianhydride",
    "attach": "*C(=O)c1ccc2c(c1)C(=O)OC2=O",
    "steps": ["esterification"],
}


@pytest.fixture
def library(tmp_path):
    """Write a YAML and open it."""

    def library(*entries, **more):
        listed = [{"entries": list(entries), "buyable": True}]
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump({"monomers": listed, **more}))
        return open_source(f"polyimides:{path}")

    return library


@pytest.fixture(scope="module")
def shipped():
    return open_source("polyimides")


def joined(pieces):
    return canonical_unit(unit_of_pieces(pieces)).smiles


def read(record):
    return candidate_kind("polymer").read(record.content, Origin(source="s", material_id="m"))


def test_two_monomers_make_one_polymer(library):
    [record] = library(PMDA, ODA).records()
    assert record.material_id == "CID6966-CID7579"
    kapton = read(record)
    assert kapton.smiles == canonical_smiles(
        "*c1ccc(Oc2ccc(N3C(=O)c4cc5C(=O)N(*)C(=O)c5cc4C3=O)cc2)cc1"
    )
    one, other = kapton.monomers
    assert (one.role, one.name, one.precursor_cid, one.route) == (
        "dianhydride",
        "CID6966",
        "6966",
        "",
    )
    assert (other.smiles, other.n_steps) == ("Nc1ccc(Oc2ccc(N)cc2)cc1", 0)
    assert (kapton.synthesis_steps, kapton.buyable, kapton.regular) == (0, True, True)
    assert 1 < kapton.monomer_sa_score < 4


def test_a_diol_becomes_a_monomer_by_a_route(library):
    names = {"CID7579": "ODA"}
    [record] = library(BUTANEDIOL, ODA, routes=[ESTER], names=names).records()
    assert record.material_id == "TME8064-ODA"
    ester = read(record)
    made = ester.monomers[0]
    assert (made.precursor_cid, made.precursor_name) == ("8064", "butane-1,4-diol")
    assert (made.route, made.n_steps, ester.synthesis_steps) == ("trimellitate ester", 1, 1)
    assert made.smiles == "O=C(OCCCCOC(=O)c1ccc2c(c1)C(=O)OC2=O)c1ccc2c(c1)C(=O)OC2=O"


def test_unsymmetric_monomers_are_marked(library):
    aminobenzylamine = {"name": "ABA", "smiles": "NCc1ccc(N)cc1"}
    symmetric, marked = map(read, library(PMDA, ODA, aminobenzylamine).records())
    assert [symmetric.regular, marked.regular] == [True, False]
    assert [each.symmetric for each in marked.monomers] == [True, False]


def test_two_unsymmetric_monomers_make_two_chains():
    one = dianhydride(main_part("O=C1OC(=O)c2cc(-c3cccc4c3C(=O)OC4=O)ccc21"))
    other = diamine(main_part("NCc1ccc(N)cc1"))
    assert len({joined(unit) for unit in imide_units(one, other)}) == 2


def test_what_is_trans_stays_trans():
    anhydride = dianhydride(main_part(PMDA["smiles"]))
    units = []
    for smiles in ("N[C@H]1CC[C@@H](N)CC1", "N[C@H]1CC[C@H](N)CC1"):
        [unit] = imide_units(anhydride, diamine(main_part(smiles)))
        units.append(joined(unit))
    stated = "*[C@H]1CC[C@@H](N2C(=O)c3cc4C(=O)N(*)C(=O)c4cc3C2=O)CC1"
    assert units[0] == canonical_smiles(stated)
    assert units[0] != units[1]


@pytest.mark.parametrize(
    ("smiles", "role", "reason"),
    [
        ("Oc1ccc(O)cc1", "diamine", "it has no primary amine, and a diamine has two"),
        ("Nc1ccccc1", "diamine", "it has 1 primary amine, and a diamine has two"),
        ("NCC(CN)CN", "diamine", "it has 3 primary amines"),
        ("O=C1OC(=O)c2ccccc12", "dianhydride", "it has 1 cyclic anhydride"),
        ("Nc1ccc(-c2ccc(N)c(O)c2)cc1", "diamine", "it has hydroxyl, which reacts too"),
    ],
)
def test_what_is_no_monomer_is_refused_with_the_reason(smiles, role, reason):
    with pytest.raises(RefusedError, match=reason):
        check_role(main_part(smiles), role, ["hydroxyl"])


def test_a_list_of_one_role_refuses_what_is_not_of_it(library):
    phenol = {"name": "hydroquinone", "smiles": "Oc1ccc(O)cc1"}
    broken = {"name": "broken", "smiles": "Nc1ccc(N"}
    lists = [{"entries": [PMDA, ODA]}, {"role": "diamine", "entries": [phenol, broken]}]
    records = list(library(monomers=lists).records())
    refused = {each.material_id: each.error for each in records if each.error}
    assert refused == {
        "hydroquinone": "it has no primary amine, and a diamine has two",
        "broken": "its SMILES 'Nc1ccc(N' cannot be read",
    }
    assert len(records) == 3


def test_polymers_are_drawn_at_random_and_again_the_same(library):
    diamines = [{"name": f"n{n}", "smiles": "N" + "C" * n + "N"} for n in range(3, 13)]
    names = [
        [each.material_id for each in library(PMDA, *diamines, max_polymers=4, seed=seed).records()]
        for seed in (1, 1, 2)
    ]
    assert len(names[0]) == len(set(names[0])) == 4
    assert names[0] == names[1] != names[2]
    whole = [each.material_id for each in library(PMDA, *diamines).records()]
    assert [name for name in whole if name in names[0]] == names[0]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"monomers": []}, "monomers"),
        ({"monomers": [{"file": "nowhere.csv"}]}, "table 'nowhere.csv' is not beside the YAML"),
        ({"monomers": [{"file": "smipoly-monomers.csv.gz"}]}, "has no column 'name'"),
        ({"routes": [{**ESTER, "makes": "polymer"}]}, "routes"),
        ({"exclude": {"diamine": ["hydroxil"]}}, "'hydroxil' is no group"),
        ({"monomers": [{"entries": [PMDA]}]}, "its lists hold no diamine that can be used"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_mistakes_in_the_yaml_are_told(library, more, said):
    with pytest.raises(ScreenError, match=said):
        list(library(PMDA, ODA, **more).records())


@pytest.mark.parametrize("attach", ["C(=O)C", "*C(=O)*", "*C(", "*=C"])
def test_a_route_states_where_the_oxygen_is(library, attach):
    with pytest.raises(ScreenError, match="attach"):
        library(PMDA, ODA, routes=[{**ESTER, "attach": attach}])


def test_the_shipped_library_is_large_and_every_monomer_has_a_way_to_it(shipped):
    monomers = shipped.monomers
    assert len(shipped) >= 116_000
    for buildings in (monomers.dianhydrides, monomers.diamines):
        assert len({building.ready.smiles for building in buildings}) == len(buildings)
        for building in buildings:
            monomer = building.monomer
            assert monomer.precursor_cid.isdigit()
            assert monomer.buyable
            assert bool(monomer.route) == (monomer.n_steps > 0)
            assert "." not in monomer.smiles
            assert 1 <= monomer.sa_score < 7
    assert len({b.monomer.name for b in monomers.dianhydrides}) == len(monomers.dianhydrides)
    assert len({b.monomer.name for b in monomers.diamines}) == len(monomers.diamines)
    names = {b.monomer.name for b in monomers.dianhydrides}
    assert {"PMDA", "BPDA", "6FDA", "ODPA", "BTDA", "NTDA"} <= names
    # Every name of the YAML is that of a monomer.
    known = {b.monomer.precursor_cid for b in (*monomers.dianhydrides, *monomers.diamines)}
    assert {number.removeprefix("CID") for number in shipped.config.names} <= known
    assert any("carboxylic_acid" in remark for remark in remarks_of(shipped))


def test_polymers_of_the_shipped_library_differ(shipped):
    # A stride that meets all monomers of both kinds.
    pairs = list(shipped.pairs())[:: len(shipped) // 300]
    units = [imide_units(one.ready, other.ready)[0] for one, other in pairs]
    assert len({joined(unit) for unit in units}) == len(pairs) > 300


# ------------------------------------------------------------------------- against SMiPoly


@pytest.fixture(scope="module")
def smipoly():
    """SMiPoly, installed or in the folder ``.smipoly``: a reference for this test alone."""
    sys.path.append(str(ROOT / ".smipoly"))
    try:
        pytest.importorskip(
            "smipoly", reason="SMiPoly is not there; pip install smipoly==1.1.2 --no-deps"
        )
        from smipoly.smip import monc, polg

        yield lambda table: polg.biplym(monc.moncls(table, smiColn="SMILES"), targ=["polyimide"])
    finally:
        sys.path.remove(str(ROOT / ".smipoly"))


def reproduced(smipoly, dianhydrides, diamines):
    """Return how many two-ended polyimides SMiPoly makes, and those that are not made here."""
    import pandas as pd

    made = smipoly(pd.DataFrame({"SMILES": [*dianhydrides, *diamines]}))
    two_ended = made[made["polym"].str.count(r"\*") == 2]
    missing = []
    for one, other, smiles in zip(
        two_ended["mon1"], two_ended["mon2"], two_ended["polym"], strict=True
    ):
        if one in diamines:
            one, other = other, one
        units = imide_units(dianhydride(main_part(one)), diamine(main_part(other)))
        if canonical_smiles(smiles) not in {joined(unit) for unit in units}:
            missing.append(smiles)
    return len(two_ended), missing


def bought(buildings):
    return [each.ready.smiles for each in buildings if not each.monomer.route]


def test_polyimides_of_smipoly_are_reproduced(smipoly, shipped):
    monomers = shipped.monomers
    n_made, missing = reproduced(
        smipoly, bought(monomers.dianhydrides)[:17:4], bought(monomers.diamines)[::18]
    )
    assert n_made >= 25
    assert missing == []


@pytest.mark.slow
def test_all_polyimides_of_smipoly_are_reproduced(smipoly, shipped):
    monomers = shipped.monomers
    n_made, missing = reproduced(smipoly, bought(monomers.dianhydrides), bought(monomers.diamines))
    assert n_made > 2000
    assert missing == []
