"""The canonical repeat unit: one for every cut, direction, multiple and writing of a chain."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem

from screening.messages.refusal import RefusedError
from screening.molecules.polymer_smiles import repeat_unit
from screening.molecules.polymer_unit import Chain, canonical_smiles, oligomer

KAPTON = "*c1ccc(Oc2ccc(N3C(=O)c4cc5C(=O)N(*)C(=O)c5cc4C3=O)cc2)cc1"
BPDA_PDA = "*c1ccc(N2C(=O)c3ccc(-c4ccc5C(=O)N(*)C(=O)c5c4)cc3C2=O)cc1"
SIX_FDA_ODA = (
    "*c1ccc(Oc2ccc(N3C(=O)c4ccc(C(c5ccc6C(=O)N(*)C(=O)c6c5)(C(F)(F)F)C(F)(F)F)cc4C3=O)cc2)cc1"
)
UNITS = [
    KAPTON,
    BPDA_PDA,
    SIX_FDA_ODA,
    "*C*",
    "*C1CC1*",
    "*C=C*",
    "*C#C*",
    "*CC(*)c1ccccc1",
    "*NCCCCCC(=O)*",
    "*NCCCCCCNC(=O)CCCCC(=O)*",
    "*OCCOC(=O)c1ccc(C(*)=O)cc1",
    "*c1ccc2[nH]c(*)nc2c1",
    "*c1cc(*)sc1",
    "*C1CCC2(CC1)CCC(*)CC2",
    "*C/C=C/C*",
    "*C/C=C\\C*",
    "*/C=C/*",
    "*O[C@H]1CC[C@H](CC1)OC(=O)c1ccc(C(*)=O)cc1",
    "*O[C@H]1CC[C@@H](CC1)OC(=O)c1ccc(C(*)=O)cc1",
]

BLOCKS = {
    "oxygen": ("O", "O"),
    "sulfur": ("S", "S"),
    "methylene": ("C", "C"),
    "carbonyl": ("C(=O)", "C(=O)"),
    "isopropylidene": ("C(C)(C)", "C(C)(C)"),
    "para": ("c1ccc(cc1)", "c1ccc(cc1)"),
    "meta": ("c1cc(ccc1)", "c1cc(ccc1)"),
    "pyromellitimide": (
        "N1C(=O)c2cc3C(=O)N(C(=O)c3cc2C1=O)",
        "N1C(=O)c2cc3C(=O)N(C(=O)c3cc2C1=O)",
    ),
    "phthalimide": ("N1C(=O)c2ccc(cc2C1=O)", "c1ccc2C(=O)N(C(=O)c2c1)"),
}
"""Pieces of chains, read forwards and backwards: each text begins and ends where the next joins."""
Piece = tuple[str, bool]
"""Name of a block, and whether it stands backwards."""
chains = st.lists(st.tuples(st.sampled_from(sorted(BLOCKS)), st.booleans()), min_size=1, max_size=7)


def written(chain: list[Piece]) -> str:
    """Return the repeat unit of these pieces; single bonds are stated, as between two rings."""
    return "*" + "".join(f"-{BLOCKS[name][backwards]}" for name, backwards in chain) + "-*"


def reversed_chain(chain: list[Piece]) -> list[Piece]:
    return [(name, not backwards) for name, backwards in reversed(chain)]


def rewritten(smiles: str, seed: int) -> str:
    """Return the same unit in a random order of its atoms, half of them in Kekulé form."""
    molecule = Chem.MolFromSmiles(smiles)
    order = list(range(molecule.GetNumAtoms()))
    random.Random(seed).shuffle(order)
    shuffled = Chem.RenumberAtoms(molecule, order)
    if seed % 2:
        Chem.Kekulize(shuffled, clearAromaticFlags=True)
    return Chem.MolToSmiles(shuffled, canonical=False)


def identity(chain: list[Piece]) -> tuple[Piece, ...]:
    """Return the same of two lists of pieces if, and only if, they make the same chain."""
    ways = {tuple(plain(way)) for way in (chain, reversed_chain(chain))}
    rotations = {way[n:] + way[:n] for way in ways for n in range(len(way))}
    first = min(rotations)
    period = next(n for n in range(1, len(first) + 1) if first[n:] + first[:n] == first)
    return first[:period]


def plain(chain: list[Piece]) -> list[Piece]:
    """Forget the direction of pieces that are the same both ways."""
    return [(name, backwards and len(set(BLOCKS[name])) == 2) for name, backwards in chain]


@settings(max_examples=40, deadline=None)
@given(
    chain=chains,
    turn=st.integers(0, 6),
    backwards=st.booleans(),
    repeats=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_cut_direction_multiple_and_writing_do_not_matter(chain, turn, backwards, repeats, seed):
    turned = chain[turn % len(chain) :] + chain[: turn % len(chain)]
    other = (reversed_chain(turned) if backwards else turned) * repeats
    canonical = canonical_smiles(written(chain))
    assert canonical_smiles(rewritten(written(other), seed)) == canonical
    assert canonical_smiles(canonical) == canonical


@settings(max_examples=40, deadline=None)
@given(one=chains, other=chains)
def test_different_chains_have_different_units(one, other):
    same = identity(one) == identity(other)
    assert (canonical_smiles(written(one)) == canonical_smiles(written(other))) == same


@pytest.mark.parametrize("unit", UNITS)
def test_every_cut_of_known_chains_gives_one_unit(unit):
    canonical = canonical_smiles(unit)
    for n_units in (1, 2):
        chain = Chain(repeat_unit(oligomer(unit, n_units)))
        for seed, cut in enumerate(chain.cuts):
            text = rewritten(Chem.MolToSmiles(chain.cut_at(cut)), seed)
            assert canonical_smiles(text) == canonical


def test_known_chains_differ():
    units = [canonical_smiles(unit) for unit in UNITS]
    assert len(set(units)) == len(units)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("*CCCC*", "*C*"),
        ("*=CC=*", "*C=C*"),
        ("[1*]CC([2*])C", "*CC(*)C"),
        ("[*:1]CC([*:2])C", "*C(C)C*"),
        ("*[13CH2]C([2H])(*)C", "*CC(*)C"),
        ("*[C@H](C)C(=O)O*", "*[C@@H](C)C(=O)O*"),
        ("*CC(*)N(=O)=O", "*CC(*)[N+](=O)[O-]"),
        (KAPTON, "*n1c(=O)c2cc3c(=O)n(-c4ccc(Oc5ccc(*)cc5)cc4)c(=O)c3cc2c1=O"),
    ],
)
def test_ways_of_writing_one_chain(one, other):
    assert canonical_smiles(one) == canonical_smiles(other)


def test_imides_are_cut_at_their_nitrogen():
    assert canonical_smiles(KAPTON) == (
        "*c1ccc(Oc2ccc(-n3c(=O)c4cc5c(=O)n(*)c(=O)c5cc4c3=O)cc2)cc1"
    )


@pytest.mark.parametrize(
    ("smiles", "reason"),
    [
        ("*CC(*", "opens 1 and closes 0 round brackets"),
        ("*C[*", "opens 1 and closes 0 square brackets"),
        ("*C1CC*", "is no SMILES"),
        ("*CQ*", "is no SMILES"),
        ("*CC* polyethylene", "has a blank"),
        ("", "is empty"),
        ("*Cé*", "the character 'é'"),
        ("CC", "it has 0 attachment points"),
        ("*C", "it has 1 attachment point,"),
        ("*C(*)C*", "it has 3 attachment points"),
        ("C*C*", "stands between two atoms"),
        ("**", "there is no atom between"),
        ("*=CC*", "bonds of different order, double and single"),
        ("*=C1C=CC(=*)C=C1", "no single bond outside of rings"),
        ("*:c1ccccc1*", "part of an aromatic system"),
        ("*[Fe]C*", "it contains Fe"),
        ("*CC(*)C(=O)O[Na]", "it contains Na"),
        ("*CC(*)[O-].[Na+]", "it consists of 2 parts"),
        ("*CC(*)[O-]", "has the charge -1"),
        ("*CC[N+](C)(C)CC([O-])C*", "its atom N is an ion of charge +1"),
        ("*[CH]C*", "an unpaired electron"),
        ("*C(C)(C)(C)C*", "its atom 2, C, has more bonds"),
        ("*c1cccc1*", "its aromatic rings"),
        ("*" + "C" * 9998 + "*", "has 9998 atoms besides hydrogen, more than 500"),
        ("*" + "C(" * 3000 + "C" + ")" * 3000 + "*", "more than 500"),
        ("*" + "C" * 10**6 + "*", "has 1000002 characters"),
    ],
    ids=lambda text: text[:24],
)
def test_what_is_no_chain_is_refused_in_one_sentence(smiles, reason, capfd):
    with pytest.raises(RefusedError, match=r".") as caught:
        canonical_smiles(smiles)
    said = str(caught.value)
    assert reason in said
    assert "\n" not in said
    assert len(said) < 250
    assert capfd.readouterr().err == ""
