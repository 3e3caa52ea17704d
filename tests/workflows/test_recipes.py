"""Recipes: validated settings that travel through jobflow's serialisation."""

from __future__ import annotations

import json

import pytest
from monty.json import MontyDecoder, MontyEncoder
from pydantic import ValidationError

from workflows.engines import AseEngine
from workflows.recipes import (
    ElasticityRecipe,
    PhononRecipe,
    Recipe,
    RelaxationRecipe,
    ThermalConductivityRecipe,
    ThirdOrderRecipe,
    TransportRecipe,
)

RECIPES: list[type[Recipe]] = [
    RelaxationRecipe,
    PhononRecipe,
    ThirdOrderRecipe,
    TransportRecipe,
    ThermalConductivityRecipe,
    ElasticityRecipe,
]


@pytest.mark.parametrize("kind", RECIPES)
def test_unknown_field_is_refused(kind):
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        kind.model_validate({"min_lenght_a": 9.5})


def test_unknown_field_of_a_step_is_refused():
    with pytest.raises(ValidationError, match=r"phonons\.supercell"):
        ThermalConductivityRecipe.model_validate({"phonons": {"supercell": 2}})


@pytest.mark.parametrize("kind", RECIPES)
def test_recipes_are_frozen(kind):
    recipe = kind()
    field = next(iter(kind.model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(recipe, field, getattr(recipe, field))


def changed_recipe() -> ThermalConductivityRecipe:
    return ThermalConductivityRecipe(
        phonons=PhononRecipe(min_length_a=12.5, stability_threshold_thz=-0.25),
        third_order=ThirdOrderRecipe(route="finite-displacements", cutoff_a=5.0, seed=7),
        transport=TransportRecipe(mesh_lengths_a=(10.0, 12.5, 15.0), isotopes=False),
    )


@pytest.mark.parametrize("recipe", [*(kind() for kind in RECIPES), changed_recipe()])
def test_round_trip_through_monty(recipe):
    assert type(recipe).from_dict(recipe.as_dict()) == recipe
    text = json.dumps(recipe, cls=MontyEncoder)
    back = json.loads(text, cls=MontyDecoder)
    assert type(back) is type(recipe)
    assert back == recipe


def test_engine_round_trip_through_monty():
    engine = AseEngine("toy", "ase.calculators.emt.EMT", {"asap_cutoff": True}, ["Cu"])
    assert json.loads(json.dumps(engine, cls=MontyEncoder), cls=MontyDecoder) == engine


@pytest.mark.parametrize(
    "lengths",
    [(10.0, 12.5), (10.0, 15.0, 12.5), (10.0, 12.5, 12.5), ()],
    ids=["too few", "not ascending", "repeated", "none"],
)
def test_mesh_series_must_ascend(lengths):
    with pytest.raises(ValidationError, match="mesh_lengths_a"):
        TransportRecipe(mesh_lengths_a=lengths)


def test_the_ranking_temperature_cannot_be_left_out():
    with pytest.raises(ValidationError, match=r"temperatures_k must contain 300\.0"):
        TransportRecipe(temperatures_k=(100.0, 400.0))


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (RelaxationRecipe, {"force_tolerance_ev_per_a": 0.0}),
        (RelaxationRecipe, {"max_steps": 0}),
        (PhononRecipe, {"min_length_a": -1.0}),
        (PhononRecipe, {"stability_threshold_thz": 0.1}),
        (ThirdOrderRecipe, {"route": "random"}),
        (ThirdOrderRecipe, {"overdetermination": 0.9}),
        (ThirdOrderRecipe, {"cutoff_a": 0.0}),
        (ElasticityRecipe, {"strain_fraction": 1e-4}),
    ],
)
def test_impossible_settings_are_refused(kind, settings):
    with pytest.raises(ValidationError):
        kind(**settings)
