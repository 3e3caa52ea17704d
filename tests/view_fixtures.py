"""Campaigns for views and figures: one computed by the real loop, one of silicon, an electrode."""

from __future__ import annotations

import uuid

import pytest
import toy_objective
from campaign_fixtures import toy_content, toy_pool

from screening.campaigns.indexes import indexes
from screening.choosing.observations import Proposal
from screening.targets.objectives import OBJECTIVES


@pytest.fixture(scope="session")
def computed_once(server_uri, tmp_path_factory):
    """Nine of 25 crystals, six of them chosen by a model; one unstable, one failed, one
    infeasible, and one that an earlier campaign had computed.  Only to be read.
    """
    from pymongo import MongoClient

    from screening.campaigns.campaign import Campaign
    from screening.campaigns.config import CampaignConfig
    from screening.running.worker import work
    from screening.store.database import Database
    from screening.targets.engines import engine_config

    name = f"screen_test_{uuid.uuid4().hex[:12]}"
    database = Database(server_uri, name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(OBJECTIVES.built_in, "toy", toy_objective.PATH)
        database.prepare(indexes())
        recipe = {"unstable": ["Cu3Pt"], "failing": ["Al"]}
        shared = {"recipe": recipe, "max_attempts": 1}
        earlier = {**shared, "budget": 1, "sampler": {"kind": "random"}, "seed": 5}
        later = {
            **shared,
            "budget": 9,
            "batch_size": 3,
            "sampler": {"kind": "expected-improvement", "initial": 3},
            "constraints": {"kappa_300k_w_per_m_k": {"min": 11}},
        }
        for key, changes in (("earlier", earlier), ("toy-1", later)):
            config = CampaignConfig.model_validate(toy_content(**changes))
            campaign = Campaign.create(database, key, config, engine_config("emt"), toy_pool(25))
            work(database, key, tmp_path_factory.mktemp("jobs"))
    yield campaign
    database.close()
    with MongoClient(server_uri) as client:
        client.drop_database(name)


@pytest.fixture
def computed(computed_once, toy):
    """`computed_once`, with its objective known for one test alone."""
    return computed_once


def create(database, name, objective, structure, **changes):
    """Create a campaign of one crystal, chosen but not computed."""
    from screening.campaigns.campaign import Campaign
    from screening.campaigns.config import CampaignConfig
    from screening.candidates.candidate import Origin
    from screening.candidates.crystal import crystal_from_structure
    from screening.candidates.crystal_kind import CRYSTAL
    from screening.intake.ingest import Pool
    from screening.running.picks import new_pick
    from screening.targets.engines import engine_config

    stated = {"band_gap_ev": 1.25, "theoretical": False, "density_g_per_cm3": 2.329123}
    origin = Origin(source="here", material_id="mp-0", properties=stated)
    candidate = CRYSTAL.with_features(crystal_from_structure(structure, origin))
    content = toy_content(objective=objective, budget=1, batch_size=1, **changes)
    config = CampaignConfig.model_validate(content)
    pool = Pool(candidates={candidate.candidate_id: candidate})
    campaign = Campaign.create(database, name, config, engine_config("emt"), pool)
    choice = Proposal(candidate.candidate_id, "space-filling")
    pick = {"_id": f"{name}/{candidate.candidate_id}", **new_pick(campaign, "emt", choice, 1, 1)}
    database.picks.insert_one(pick)
    return campaign, pick


def store(campaign, pick, document):
    """Have a flow's document delivered as a worker delivers it."""
    from monty.json import jsanitize

    from screening.running.harvest import store_result

    output = {"uuid": f"of {campaign.name}", "index": 1, "output": jsanitize(document, strict=True)}
    large = [name for name in ("spectrum", "transport") if hasattr(document, name)]
    campaign.database.job_store.update(output, save={"data": large} if large else None)
    store_result(campaign, pick, output["uuid"])


@pytest.fixture(scope="session")
def silicon_document():
    """κ of silicon from recorded first-principles forces, on meshes that take a second."""
    from pathlib import Path

    from workflows.document_parts import Provenance
    from workflows.documents import MeshConductivity, ThermalConductivityDocument
    from workflows.lattice_dynamics import harmonic, recorded_forces, transport
    from workflows.lattice_dynamics.cells import pymatgen_cell

    data = Path(__file__).parent / "data" / "dft_forces"
    params = data / "phono3py_params_Si-111-222-fd.yaml.xz"
    model, phonon = recorded_forces.recorded_model(params), recorded_forces.recorded_phonon(params)
    solved = [
        transport.conductivity(model, [n, n, n], [100.0, 300.0, 900.0], isotopes=False)
        for n in (3, 5)
    ]
    meshes = [
        MeshConductivity(
            mesh=each.mesh, kappa_300k_w_per_m_k=each.isotropic_w_per_m_k(300.0), wall_s=each.wall_s
        )
        for each in solved
    ]
    limit = transport.extrapolate(
        [each.mesh for each in meshes], [each.kappa_300k_w_per_m_k for each in meshes]
    )
    cell = pymatgen_cell(phonon.unitcell)
    return ThermalConductivityDocument(
        outcome="computed",
        formula="Si",
        structure=cell,
        kappa_300k_w_per_m_k=limit.kappa_w_per_m_k,
        kappa_300k_error_w_per_m_k=limit.error_w_per_m_k,
        kappa_300k_mesh_error_w_per_m_k=limit.error_w_per_m_k,
        temperatures_k=solved[-1].temperatures_k.tolist(),
        kappa_tensor_w_per_m_k=solved[-1].kappa_w_per_m_k.tolist(),
        meshes=meshes,
        nac=False,
        nac_reason="a crystal of one element",
        min_frequency_thz=0.1,
        max_frequency_thz=15.0,
        volume_a3_per_atom=cell.volume / len(cell),
        cost=0,
        cost_unit="force calls",
        wall_s=1.0,
        costs=[],
        provenance=Provenance(
            engine="emt", calculator="recorded", arguments={"xc": "PBE"}, versions={"ase": "3"}
        ),
        spectrum=harmonic.spectrum(phonon, 20.0),
        transport=solved[-1].accumulation(300.0, points=500),
    )


@pytest.fixture(scope="session")
def views_database(server_uri):
    """A database that tests of views and figures only read; dropped afterwards."""
    from pymongo import MongoClient

    from screening.store.database import Database

    name = f"screen_test_{uuid.uuid4().hex[:12]}"
    database = Database(server_uri, name)
    database.prepare(indexes())
    yield database
    database.close()
    with MongoClient(server_uri) as client:
        client.drop_database(name)


@pytest.fixture(scope="session")
def silicon_alone(views_database, silicon_document):
    """A campaign whose only candidate is silicon, with its κ.  Only to be read."""
    campaign, pick = create(
        views_database,
        "silicon",
        "lattice-thermal-conductivity",
        silicon_document.structure,
    )
    store(campaign, pick, silicon_document)
    return campaign


@pytest.fixture(scope="session")
def electrode(views_database):
    """A campaign whose only candidate is an electrode of three compositions.  Only to be read."""
    from pymatgen.core import Lattice, Structure

    from workflows.document_parts import Provenance
    from workflows.documents import ElectrodeState, InsertionDocument, VoltageStep

    full = Structure.from_spacegroup(
        "Pm-3m", Lattice.cubic(4.0), ["Al", "Cu"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    states = [
        ElectrodeState(
            formula=formula,
            working_ions=ions,
            energy_ev=-3.0,
            volume_a3=volume,
            structure=full,
            relaxation_steps=3,
        )
        for formula, ions, volume in (("Cu", 0.0, 60.0), ("AlCu2", 0.5, 61.5), ("AlCu", 1.0, 63.0))
    ]
    steps = [(0.0, 0.5, 3.6), (0.5, 1.0, 3.4)]
    document = InsertionDocument(
        outcome="computed",
        formula="AlCu",
        charged_formula="Cu",
        host_formula="Cu",
        working_ion="Al",
        structure=full,
        charged_structure=full,
        delta_volume_fraction=0.05,
        signed_delta_volume_fraction=-1 / 21,
        average_voltage_v=3.5,
        voltages=[
            VoltageStep(working_ions_charged=a, working_ions_discharged=b, voltage_v=v)
            for a, b, v in steps
        ],
        gravimetric_capacity_mah_per_g=120.0,
        volumetric_capacity_mah_per_cm3=400.0,
        specific_energy_wh_per_kg=420.0,
        topotactic=None,
        topotactic_reason="not compared",
        host_dimensionality=3,
        weakly_bonded_host=False,
        path=states,
        metal_energy_ev_per_atom=-1.9,
        volume_a3_per_atom=32.0,
        cost=30,
        cost_unit="force calls",
        wall_s=2.0,
        costs=[],
        provenance=Provenance(engine="emt", calculator="by hand"),
    )
    campaign, pick = create(views_database, "electrode", "electrode-volume-change", full)
    store(campaign, pick, document)
    return campaign
