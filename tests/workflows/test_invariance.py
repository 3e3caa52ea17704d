"""The same crystal given in other cells, orientations and with noise has the same properties.

With effective-medium theory.  What a flow is given is either a candidate's standard cell, as in a
campaign, or any cell at all, since Makers are useful on their own.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crystal_representations import BLURRED, EXACT, everything
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore
from pymatgen.analysis.elasticity import ElasticTensor
from pymatgen.core import Lattice, Structure
from pymatgen.core.operations import SymmOp
from scipy.spatial.transform import Rotation

from workflows.conductivity import ThermalConductivityMaker
from workflows.elasticity import ElasticityMaker
from workflows.recipes import (
    PhononRecipe,
    ThermalConductivityRecipe,
    ThirdOrderRecipe,
    TransportRecipe,
)

Run = Callable[[Any], dict[str, Any]]
FROM = Structure.from_spacegroup

METALS = {
    "fcc Cu": FROM("Fm-3m", Lattice.cubic(3.6), ["Cu"], [[0, 0, 0]]),
    "hcp Ni": FROM("P6_3/mmc", Lattice.hexagonal(2.49, 4.07), ["Ni"], [[1 / 3, 2 / 3, 0.25]]),
    "Cu3Au": FROM("Pm-3m", Lattice.cubic(3.75), ["Au", "Cu"], [[0, 0, 0], [0.5, 0.5, 0]]),
    "CuAu": FROM("P4/mmm", Lattice.tetragonal(2.8, 3.7), ["Au", "Cu"], [[0] * 3, [0.5] * 3]),
    "Ni4Pt": FROM("I4/m", Lattice.tetragonal(5.75, 3.6), ["Pt", "Ni"], [[0, 0, 0], [0.2, 0.4, 0]]),
    "CuPt2": FROM(
        "Immm", Lattice.orthorhombic(2.75, 8.3, 3.9), ["Cu", "Pt"], [[0, 0, 0], [0, 1 / 3, 0]]
    ),
}
EACH = [
    pytest.param(name, marks=[] if name in ("hcp Ni", "Ni4Pt") else pytest.mark.slow)
    for name in METALS
]
SCALARS = ("bulk_modulus_gpa", "shear_modulus_gpa", "poisson_ratio", "debye_temperature_k")
CONDUCTIVITY = ThermalConductivityRecipe(
    phonons=PhononRecipe(
        min_length_a=5.0, max_atoms=64, stability_mesh_length_a=20.0, spectrum_mesh_length_a=20.0
    ),
    third_order=ThirdOrderRecipe(min_length_a=5.0, max_atoms=32, overdetermination=3.0),
    transport=TransportRecipe(temperatures_k=(300.0,), mesh_lengths_a=(6.5, 10.4, 14.5)),
)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(flow: Any) -> dict[str, Any]:
        store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
        run_locally(flow, store=store, root_dir=tmp_path, log=False, ensure_success=True)
        output: dict[str, Any] = store.get_output(flow.output.uuid, which="last")
        assert output["outcome"] == "computed"
        return output

    return run


def standard(structure: Structure) -> Structure:
    from screening.candidates.candidate import Origin
    from screening.candidates.crystal import crystal_from_structure

    origin = Origin(source="test", material_id="1")
    return crystal_from_structure(structure, origin).content()


def assert_same_elasticity(found: dict[str, Any], expected: dict[str, Any], rel: float) -> None:
    for field in SCALARS:
        assert found[field] == pytest.approx(expected[field], rel=rel), field
    # θ enters with its third power, γ with its second.
    slack = "slack_kappa_300k_w_per_m_k"
    assert found[slack] == pytest.approx(expected[slack], rel=4 * rel)
    assert found["primitive_atoms"] == expected["primitive_atoms"]


def kelvin_eigenvalues_gpa(document: dict[str, Any]) -> Any:
    """Return what of an elastic tensor does not depend on the frame."""
    weights = np.sqrt([1, 1, 1, 2, 2, 2])
    tensor = np.array(document["elastic_tensor_gpa"]) * np.outer(weights, weights)
    return np.linalg.eigvalsh(tensor)


@pytest.mark.parametrize("name", EACH)
def test_elastic_constants_of_candidates(emt, run, name):
    """A campaign's flow gets the candidate's cell; its axes may be exchanged as symmetry allows."""
    random = np.random.default_rng(5)
    structure = METALS[name]
    expected = run(ElasticityMaker(emt).make(standard(structure)))
    eigenvalues = kelvin_eigenvalues_gpa(expected)
    for change in (everything, BLURRED["noise of 0.008 Å"]):
        found = run(ElasticityMaker(emt).make(standard(change(structure, random))))
        assert_same_elasticity(found, expected, rel=0.003)
        assert kelvin_eigenvalues_gpa(found) == pytest.approx(eigenvalues, abs=0.5)


@pytest.mark.parametrize("name", EACH)
def test_elastic_constants_of_any_cell(emt, run, name):
    structure = METALS[name]
    expected = run(ElasticityMaker(emt).make(structure))
    found = run(ElasticityMaker(emt).make(everything(structure, np.random.default_rng(0))))
    assert_same_elasticity(found, expected, rel=0.01)
    turn = SymmOp.from_rotation_and_translation(
        Rotation.from_euler("xyz", [0.4, 0.9, -0.5]).as_matrix()
    )
    turned = structure.copy()
    turned.apply_operation(turn)
    found = run(ElasticityMaker(emt).make(turned))
    assert_same_elasticity(found, expected, rel=0.01)
    tensor = ElasticTensor.from_voigt(expected["elastic_tensor_gpa"]).transform(turn)
    assert np.array(found["elastic_tensor_gpa"]) == pytest.approx(tensor.voigt, abs=1.5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fcc Cu", "Cu3Au", "CuAu"])
def test_conductivity(emt, run, name):
    """Of candidates, and of the flow given other cells; each within half its own error bar."""
    structure, random = METALS[name], np.random.default_rng(3)
    maker = ThermalConductivityMaker(emt, recipe=CONDUCTIVITY)
    expected = run(maker.make(standard(structure)))
    error = expected["kappa_300k_error_w_per_m_k"]
    for given in (
        standard(everything(structure, random)),
        standard(BLURRED["noise of 0.008 Å"](structure, random)),
        EXACT["doubled_slantwise"](structure, random),
        EXACT["rotated"](structure, random),
    ):
        found = run(maker.make(given))
        assert found["kappa_300k_w_per_m_k"] == pytest.approx(
            expected["kappa_300k_w_per_m_k"], abs=0.5 * error
        )
