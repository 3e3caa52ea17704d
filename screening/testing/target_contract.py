"""What every target must do, as tests that its author inherits."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from screening.machine.plugins import imported
from screening.targets.engines import build_engine, engine_config
from screening.targets.objectives import Objective, objective
from workflows.documents import TargetDocument
from workflows.target import TargetInputs, TargetMaker


class TargetContract:
    """Inherit from this in a test file, and say which objective is meant::

        from screening.testing.target_contract import TargetContract

        class TestMyTarget(TargetContract):
            @pytest.fixture
            def name(self):
                return "lab.objectives:VOLUME"

            @pytest.fixture
            def content(self):
                return Structure.from_spacegroup(…)

    pytest then runs every test below.  Override `engine_name`, `recipe` or `inputs` where the
    defaults do not fit.
    """

    @pytest.fixture
    def name(self) -> str:
        """Return the name or import path of the objective."""
        raise NotImplementedError("override the fixture 'name'")

    @pytest.fixture
    def content(self) -> Any:
        """Return the content of a candidate that is cheap to compute and has a value."""
        raise NotImplementedError("override the fixture 'content'")

    @pytest.fixture
    def engine_name(self) -> str:
        """Return the engine that computes it."""
        return "emt"

    @pytest.fixture
    def recipe(self) -> dict[str, Any]:
        """Return the settings of the flow; the defaults without any."""
        return {}

    @pytest.fixture
    def target(self, name: str) -> Objective:
        """Return the objective."""
        return objective(name, "minimize")

    @pytest.fixture
    def maker(self, target: Objective, engine_name: str, recipe: dict[str, Any]) -> TargetMaker:
        """Return the Maker, built as campaigns build it."""
        settings = imported(target.recipe).model_validate(recipe)
        engine = build_engine(engine_config(engine_name))
        made: TargetMaker = imported(target.maker)(engine=engine, recipe=settings)
        return made

    @pytest.fixture
    def inputs(self, maker: TargetMaker) -> TargetInputs:
        """Return what the candidate's source states."""
        return maker.inputs_model()

    def test_it_is_described(self, target: Objective) -> None:
        assert target.label
        assert target.help.endswith(".")

    def test_its_document_has_the_fields_it_names(self, target: Objective) -> None:
        document = imported(target.document)
        assert issubclass(document, TargetDocument)
        named = {target.value_field, *(quantity.field for quantity in target.shown_fields)}
        named |= set(target.large_fields)
        if target.error_field is not None:
            named.add(target.error_field)
        assert named <= document.model_fields.keys() | _computed_by(target)

    def test_the_maker_keeps_the_contract(self, maker: TargetMaker) -> None:
        assert isinstance(maker, TargetMaker)
        assert issubclass(maker.inputs_model, TargetInputs)
        assert maker.cost_unit
        # Every input may be left out: sources need not state it.
        maker.inputs_model()

    def test_jobs_can_carry_the_maker(self, maker: Any) -> None:
        assert type(maker).from_dict(json.loads(json.dumps(maker.as_dict(), default=str)))

    def test_it_takes_the_candidate_and_estimates_its_cost(
        self, maker: TargetMaker, content: Any, inputs: TargetInputs
    ) -> None:
        assert maker.refusal(content, inputs) is None
        assert maker.estimate_cost(content) >= 0
        known = maker.known_beforehand(content, inputs)
        assert all(value is None or math.isfinite(value) for value in known.values())

    def test_its_flow_gives_a_value(
        self,
        target: Objective,
        maker: TargetMaker,
        content: Any,
        inputs: TargetInputs,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        from jobflow import JobStore, run_locally
        from maggma.stores import MemoryStore

        monkeypatch.chdir(tmp_path)
        flow: Any = maker.make(content, inputs)
        store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
        run_locally(flow, store=store, ensure_success=True, log=False)
        output = store.get_output(flow.output.uuid, which="last", load=True)
        stated = {key: value for key, value in output.items() if not key.startswith("@")}
        document = imported(target.document).model_validate(stated)
        assert document.outcome == "computed", document.reason
        assert document.cost_unit == maker.cost_unit
        assert document.cost >= 0
        if target.derive is None:
            assert target.is_usable(document.model_dump())


def _computed_by(target: Objective) -> set[str]:
    """Return the fields that an objective derives from all results, and no document has."""
    if target.derive is None:
        return set()
    learned = filter(None, [target.learned_field, target.learned_error_field])
    return {target.value_field, *learned}
