"""Polymers that are liquid crystals, and those that are not."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

from screening.candidates.candidate import Origin
from screening.candidates.polymer_filters import PolymerFilters
from screening.candidates.polymer_kind import POLYMER
from screening.learned.polymer_classifier import (
    N_TREES,
    backbone_view,
    polymer_classifier,
    polymer_numbers,
)
from screening.molecules.polymer_unit import Chain

KAPTON = "*c1ccc(Oc2ccc(N3C(=O)c4cc5C(=O)N(*)C(=O)c5cc4C3=O)cc2)cc1"
ULTEM = "*c1cccc(N2C(=O)c3ccc(Oc4ccc(C(C)(C)c5ccc(Oc6ccc7c(c6)C(=O)N(*)C7=O)cc5)cc4)cc3C2=O)c1"
SIX_FDA_ODA = (
    "*c1ccc(Oc2ccc(N3C(=O)c4ccc(C(c5ccc6c(c5)C(=O)N(*)C6=O)(C(F)(F)F)C(F)(F)F)cc4C3=O)cc2)cc1"
)
BIBENZOATE = "*OCCCCCCOC(=O)c1ccc(-c2ccc(C(*)=O)cc2)cc1"


def answers(*units):
    return polymer_classifier().answers(polymer_numbers(list(units)))


def test_engineering_polyimides_are_none_and_a_mesogen_with_a_spacer_is_one():
    said = answers(KAPTON, ULTEM, SIX_FDA_ODA, BIBENZOATE)
    assert (said.probability[:3] <= 0.2).all()
    assert all("not-lc" in found for found in said.sets[:3])
    assert said.probability[3] > 0.7
    assert said.inside.all()


def test_series_that_were_left_out_are_told_apart():
    from sklearn.metrics import balanced_accuracy_score, matthews_corrcoef

    model = polymer_classifier()
    called = model.left_out[:, 0] > 0.5
    # A chance result would be 0.5 and 0; a model of the majority class the same.
    assert balanced_accuracy_score(model.labels, called) > 0.85
    assert matthews_corrcoef(model.labels, called) > 0.75


@pytest.mark.parametrize("smiles", [KAPTON, BIBENZOATE])
def test_the_answer_is_the_same_for_every_cut_direction_and_multiple(smiles):
    chain = Chain(Chem.MolFromSmiles(smiles))
    ways = [Chem.MolToSmiles(chain.cut_at(cut)) for cut in chain.cuts]
    ways.append(Chem.MolToSmiles(chain.row(2).molecule))
    ways.append(Chem.MolToSmiles(Chem.MolFromSmiles(smiles), rootedAtAtom=5))
    said = answers(smiles, *ways)
    assert np.ptp(said.probability) == 0
    assert len(set(said.nearest.tolist())) == 1


def test_what_is_far_from_all_labelled_polymers_is_drawn_to_the_base_rate():
    model = polymer_classifier()
    far = model.features[:1] + 50 * model.features.std(axis=0)
    said = model.answers(far)
    base = model.labels.mean()
    assert not said.inside[0]
    assert said.probability[0] == pytest.approx(base, abs=0.1)
    assert said.sets == [[]]


def test_a_forest_as_arrays_is_that_of_scikit_learn():
    from sklearn.ensemble import ExtraTreesClassifier

    model = polymer_classifier()
    view = backbone_view(model.features)
    sure = np.array([polymer.verified for polymer in model.polymers])
    trees = ExtraTreesClassifier(N_TREES, min_samples_leaf=2, max_features=1.0, random_state=0)
    trees.fit(view[sure], model.labels[sure])
    assert model.trees.shares(view) == pytest.approx(trees.predict_proba(view)[:, 1])


def test_candidates_carry_what_is_learned_and_filters_ask_for_it():
    kapton, ester = (
        POLYMER.read(smiles, Origin(source="here", material_id="a"))
        for smiles in (KAPTON, BIBENZOATE)
    )
    assert kapton.features == POLYMER.describe(kapton)
    assert (kapton.probability_liquid_crystalline, kapton.inside_domain) == (
        pytest.approx(answers(KAPTON).probability[0], abs=1e-4),
        True,
    )
    wanted = PolymerFilters(min_probability_liquid_crystalline=0.6, inside_domain=True)
    assert wanted.refusal(ester) is None
    assert "below min_probability_liquid_crystalline = 0.6" in str(wanted.refusal(kapton))
    outside = ester.model_copy(update={"inside_domain": False})
    assert "outside of the domain" in str(wanted.refusal(outside))
    of_set = PolymerFilters(liquid_crystal_set=["neither"])
    assert "not among the allowed ones" in str(of_set.refusal(kapton))
    unknown = ester.model_copy(update={"probability_liquid_crystalline": None})
    assert "is not known" in str(wanted.refusal(unknown))
    kept = wanted.model_copy(update={"where_unknown": "keep"})
    assert kept.refusal(unknown) is None
