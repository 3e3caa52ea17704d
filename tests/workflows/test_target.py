"""The contract between campaigns and the Makers of targets."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from screening.machine.plugins import imported
from screening.targets.objectives import OBJECTIVES
from workflows.document_parts import StepCost, total_cost
from workflows.documents import TargetDocument
from workflows.target import NO_INPUTS, TargetDefaults, TargetInputs, TargetMaker

OBJECTIVE_NAMES = OBJECTIVES.names()


class Bare(TargetDefaults):
    """The least that a target must have."""

    def make(self, content, inputs=NO_INPUTS):
        return content

    def estimate_cost(self, content):
        return 1.0


def test_defaults_make_a_target_of_any_kind_of_candidate():
    maker = Bare()
    assert isinstance(maker, TargetMaker)
    assert maker.refusal("a polymer", NO_INPUTS) is None
    assert maker.known_beforehand("a polymer", NO_INPUTS) == {}
    assert not isinstance(TargetDefaults(), TargetMaker)


@pytest.mark.parametrize("name", OBJECTIVE_NAMES)
def test_inputs_may_all_be_left_out_and_unknown_ones_are_refused(name):
    model = imported(OBJECTIVES.load(name).maker).inputs_model
    assert issubclass(model, TargetInputs)
    model()
    with pytest.raises(ValidationError):
        model(no_such_input=1)


@pytest.mark.parametrize("name", OBJECTIVE_NAMES)
def test_a_maker_is_stored_with_its_engine_its_recipe_and_nothing_else(name, emt):
    row = OBJECTIVES.load(name)
    stored = imported(row.maker)(engine=emt).as_dict()
    assert {key for key in stored if not key.startswith("@")} == {"engine", "name", "recipe"}
    assert f"{stored['@module']}.{stored['@class']}" == row.maker


@pytest.mark.parametrize("name", OBJECTIVE_NAMES)
def test_documents_share_what_every_result_states(name):
    assert issubclass(imported(OBJECTIVES.load(name).document), TargetDocument)


def test_costs_add_up_in_one_unit():
    steps = [StepCost.of_force_calls("relaxation", 20, 1.5), StepCost.of_force_calls("κ", 0, 2.0)]
    total = total_cost(steps)
    assert total == {"cost": 20, "cost_unit": "force calls", "wall_s": 3.5, "costs": steps}
    molecular_dynamics = StepCost(step="run", cost=1e6, cost_unit="MD steps", wall_s=60.0)
    with pytest.raises(ValueError, match="MD steps and force calls; take one unit"):
        total_cost([*steps, molecular_dynamics])
