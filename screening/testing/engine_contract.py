"""What every engine must do, as tests that its author inherits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from screening.targets.engines import EngineConfig, build_engine, engine_config, parse_engine

if TYPE_CHECKING:
    from pymatgen.core import Structure

FORCE_TOLERANCE_EV_PER_A = 1e-3
"""Of forces that symmetry or Newton's third law makes zero or equal; DFT programs may widen it."""


class EngineContract:
    """Inherit from this in a test file, and say which engine is meant::

        from screening.testing.engine_contract import EngineContract

        class TestMyEngine(EngineContract):
            @pytest.fixture
            def name_or_path(self):
                return "lab/argon.yaml"

            @pytest.fixture
            def structure(self):
                return Structure.from_spacegroup(…)

    pytest then runs every test below.
    """

    tolerance_ev_per_a = FORCE_TOLERANCE_EV_PER_A

    @pytest.fixture
    def name_or_path(self) -> str:
        """Return the name of the engine or the path of its YAML."""
        raise NotImplementedError("override the fixture 'name_or_path'")

    @pytest.fixture
    def structure(self) -> Structure:
        """Return a small crystal that the engine can compute."""
        raise NotImplementedError("override the fixture 'structure'")

    @pytest.fixture
    def config(self, name_or_path: str) -> EngineConfig:
        """Return the engine's checked configuration."""
        return engine_config(name_or_path)

    @pytest.fixture
    def engine(self, config: EngineConfig) -> Any:
        """Return the engine."""
        return build_engine(config)

    @pytest.fixture
    def displaced(self, structure: Structure) -> Structure:
        """Return the crystal with its atoms off their places, so that forces act."""
        moved = structure.copy()
        moved.perturb(0.05, seed=0)
        return moved

    def test_it_is_described(self, config: EngineConfig) -> None:
        assert config.name
        assert config.fidelity >= 0
        assert config.inline_supercells >= 0

    def test_its_fingerprint_is_plain_and_repeatable(self, config: EngineConfig) -> None:
        fingerprint = json.dumps(config.fingerprint(), sort_keys=True)
        again = parse_engine(json.loads(config.model_dump_json()), config.name)
        assert json.dumps(again.fingerprint(), sort_keys=True) == fingerprint

    def test_jobs_can_carry_it(self, engine: Any) -> None:
        assert type(engine).from_dict(engine.as_dict()) == engine

    def test_it_can_run_here_and_takes_the_crystal(self, engine: Any, structure: Structure) -> None:
        assert engine.missing() is None
        supported = engine.supported_elements()
        symbols = {element.symbol for element in structure.composition.elements}
        assert supported is None or symbols <= supported

    def test_forces_are_finite_and_repeatable(self, engine: Any, displaced: Structure) -> None:
        first, second = engine.forces([displaced, displaced])
        assert first.shape == (len(displaced), 3)
        assert np.isfinite(first).all()
        assert np.abs(first).max() > self.tolerance_ev_per_a
        np.testing.assert_allclose(first, second, atol=self.tolerance_ev_per_a)

    def test_forces_add_up_to_nothing(self, engine: Any, displaced: Structure) -> None:
        [forces] = engine.forces([displaced])
        np.testing.assert_allclose(forces.sum(axis=0), 0, atol=len(displaced) * 1e-3)

    def test_forces_know_no_origin_and_no_order(self, engine: Any, displaced: Structure) -> None:
        shifted = displaced.copy()
        shifted.translate_sites(list(range(len(shifted))), [0.13, 0.29, 0.41])
        order = np.arange(len(displaced))[::-1]
        turned = type(displaced).from_sites([displaced[int(place)] for place in order])
        forces, of_shifted, of_turned = engine.forces([displaced, shifted, turned])
        np.testing.assert_allclose(of_shifted, forces, atol=self.tolerance_ev_per_a)
        np.testing.assert_allclose(of_turned, forces[order], atol=self.tolerance_ev_per_a)

    def test_its_results_say_where_they_come_from(self, engine: Any, config: EngineConfig) -> None:
        provenance = engine.provenance()
        assert provenance.engine == config.name
        assert provenance.versions
