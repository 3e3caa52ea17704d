"""A campaign whose κ come from recorded first-principles forces, stored as a worker stores them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

from screening.campaigns.indexes import indexes

RECORDS = Path(__file__).parent / "data" / "dft_forces"
CAMPAIGN = "recorded-1"
TEMPERATURES_K = (200.0, 300.0)


def recorded_document(
    record: str, divisions: tuple[int, ...], *, cutoff_a: float | None = None
) -> Any:
    """Return the document that the flow would, had its engine given the recorded forces."""
    import numpy as np

    from workflows.document_parts import Provenance, StepCost
    from workflows.documents import MeshConductivity, ThermalConductivityDocument
    from workflows.lattice_dynamics import harmonic, transport
    from workflows.lattice_dynamics.phono3py_folder import harmonic_part
    from workflows.lattice_dynamics.recorded_forces import recorded_model

    model = recorded_model(RECORDS / record, cutoff_a=cutoff_a)
    phonon = harmonic_part(model)
    gate = harmonic.stability(phonon, 15)
    series = [transport.conductivity(model, [n] * 3, TEMPERATURES_K) for n in divisions]
    meshes = [
        MeshConductivity(
            mesh=each.mesh, kappa_300k_w_per_m_k=each.isotropic_w_per_m_k(300.0), wall_s=0.0
        )
        for each in series
    ]
    limit = transport.extrapolate(
        [each.mesh for each in meshes], [each.kappa_300k_w_per_m_k for each in meshes]
    )
    random = "first_atoms" not in model.dataset
    structure = harmonic.pymatgen_cell(model.primitive)
    return ThermalConductivityDocument(
        outcome="computed",
        formula=structure.reduced_formula,
        structure=structure,
        kappa_300k_w_per_m_k=limit.kappa_w_per_m_k,
        kappa_300k_error_w_per_m_k=limit.error_w_per_m_k,
        kappa_300k_mesh_error_w_per_m_k=limit.error_w_per_m_k,
        kappa_300k_coherence_w_per_m_k=series[-1].isotropic_coherence_w_per_m_k(300.0),
        temperatures_k=list(TEMPERATURES_K),
        kappa_tensor_w_per_m_k=np.round(series[-1].kappa_w_per_m_k, 6).tolist(),
        meshes=meshes,
        isotope_scattering=True,
        nac=model.nac_params is not None,
        nac_source=None if model.nac_params is None else "recorded",
        nac_reason="no Born charges were recorded" if model.nac_params is None else None,
        solver="rta",
        third_order_route="random-pairs" if random else "finite-displacements",
        third_order_cutoff_a=cutoff_a,
        min_frequency_thz=gate.min_frequency_thz,
        max_frequency_thz=gate.max_frequency_thz,
        volume_a3_per_atom=structure.volume / len(structure),
        cost=1,
        cost_unit="force calls",
        wall_s=1.0,
        costs=[StepCost.of_force_calls("recorded", 1, 1.0)],
        provenance=Provenance(
            engine="vasp-standard",
            calculator="vasp",
            arguments={"functional": "PBE"},
            versions={"phono3py": "recorded", "ase": "recorded"},
        ),
        spectrum=harmonic.spectrum(phonon, 15),
        transport=series[-1].accumulation(300.0),
        phono3py_params=transport.phono3py_params(model),
    )


def unstable_document(structure: Any, spectrum: Any) -> Any:
    """Return the document of a crystal that did not pass the stability gate."""
    from workflows.document_parts import Provenance, StepCost
    from workflows.documents import ThermalConductivityDocument

    return ThermalConductivityDocument(
        outcome="unstable",
        reason="imaginary modes: lowest frequency -1.00 THz",
        formula=structure.reduced_formula,
        structure=structure,
        min_frequency_thz=-1.0,
        max_frequency_thz=15.0,
        volume_a3_per_atom=structure.volume / len(structure),
        cost=1,
        cost_unit="force calls",
        wall_s=1.0,
        costs=[StepCost.of_force_calls("recorded", 1, 1.0)],
        provenance=Provenance(engine="vasp-standard", calculator="vasp"),
        spectrum=spectrum,
    )


def deliver(campaign: Any, candidate_id: str, number: int, document: Any, folder: Path) -> None:
    """Store a document as the result of a candidate: by a job, and by what harvests jobs."""
    from jobflow import Flow, job, run_locally

    from screening.machine.clock import now
    from screening.running.harvest import store_result
    from workflows.documents import ThermalConductivityDocument

    @job(
        output_schema=ThermalConductivityDocument,
        data=["spectrum", "transport", "phono3py_params"],
    )
    def recorded() -> Any:
        return document

    flow = Flow(only := recorded(), output=only.output)
    with chdir(folder):
        run_locally(flow, store=campaign.database.job_store, log=False, ensure_success=True)
    pick = {
        "_id": f"{campaign.name}/{candidate_id}",
        "campaign": campaign.name,
        "candidate_id": candidate_id,
        "engine": campaign.engine.name,
        "number": number,
        "round": 1,
        "state": "queued",
        "reason": "space-filling",
        "attempts": 1,
        "claimed_at": now(),
    }
    campaign.database.picks.insert_one(pick)
    store_result(campaign, pick, only.output.uuid)


def recorded_campaign(
    database: Any, folder: Path, documents: list[Any], name: str = CAMPAIGN
) -> Any:
    """Store a campaign over the crystals of documents and one that was not computed, GaAs."""
    from pymatgen.core import Lattice, Structure

    from screening.campaigns.campaign import Campaign
    from screening.campaigns.config import CampaignConfig
    from screening.candidates.candidate import Origin
    from screening.candidates.crystal import crystal_from_structure
    from screening.candidates.crystal_kind import CRYSTAL
    from screening.intake.ingest import Pool
    from screening.targets.engines import engine_config

    not_computed = Structure.from_spacegroup(
        "F-43m", Lattice.cubic(5.75), ["Ga", "As"], [[0, 0, 0], [0.25, 0.25, 0.25]]
    )
    structures = [*(document.structure for document in documents), not_computed]
    candidates = [
        CRYSTAL.with_features(
            crystal_from_structure(
                each, Origin(source="mp:recorded", material_id=f"mp-{each.reduced_formula}")
            )
        )
        for each in structures
    ]
    config = CampaignConfig.model_validate(
        {
            "target": name,
            "objective": "lattice-thermal-conductivity",
            "engine": "vasp-standard",
            "sources": ["mp:recorded"],
            "budget": len(structures),
            "batch_size": 1,
        }
    )
    pool = Pool(candidates={each.candidate_id: each for each in candidates})
    campaign = Campaign.create(database, name, config, engine_config(config.engine), pool)
    for number, (candidate, document) in enumerate(
        zip(candidates, documents, strict=False), start=1
    ):
        deliver(campaign, candidate.candidate_id, number, document, folder)
    return campaign


@pytest.fixture(scope="session")
def store_recorded(server_uri: str, tmp_path_factory: Any) -> Iterator[Callable[[list[Any]], Any]]:
    """Store documents as a campaign in a database of its own: ``store_recorded(documents)``."""
    from pymongo import MongoClient

    from screening.store.database import Database

    opened = []

    def store(documents: list[Any]) -> Any:
        database = Database(server_uri, f"screen_test_{uuid.uuid4().hex[:12]}")
        opened.append(database)
        database.prepare(indexes())
        return recorded_campaign(database, tmp_path_factory.mktemp("recorded"), documents)

    yield store
    for database in opened:
        database.close()
        with MongoClient(server_uri) as client:
            client.drop_database(database.name)


@pytest.fixture(scope="session")
def silicon(store_recorded: Any) -> Any:
    """Silicon computed, germanium unstable, GaAs not computed: not to be changed by a test."""
    document = recorded_document("phono3py_params_Si-111-222-fd.yaml.xz", (5, 7))
    germanium = document.structure.copy()
    germanium.replace_species({"Si": "Ge"})
    return store_recorded([document, unstable_document(germanium, document.spectrum)])


@pytest.fixture
def at_silicon(silicon: Any, server_uri: str, monkeypatch: Any) -> Any:
    """The environment names the database of `silicon`."""
    monkeypatch.setenv("SCREEN_MONGODB_URI", server_uri)
    monkeypatch.setenv("SCREEN_DATABASE", silicon.database.name)
    assert "SCREEN_DIRECTORY" not in os.environ
    return silicon
