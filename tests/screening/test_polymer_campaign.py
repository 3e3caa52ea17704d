"""A campaign of polymers through the command line: from a file of repeat units to what to make."""

from __future__ import annotations

import csv
import json

import pytest
import yaml

TARGET = {
    "target": "stiff-chains",
    "description": "Fastest sound along a chain",
    "objective": "chain-speed-of-sound",
    "direction": "maximize",
    "also": {"field": "probability_liquid_crystalline", "direction": "maximize"},
    "engine": "mmff94",
    "sources": ["monomers.yaml", "units.smi"],
    "sampler": {"kind": "random"},
    "recipe": {"starts": 2, "torsion_points": 12},
    "budget": 4,
    "batch_size": 4,
}
MONOMERS = [
    {"name": "PMDA", "smiles": "O=C1OC(=O)c2cc3C(=O)OC(=O)c3cc12", "cid": "6966"},
    {"name": "PDA", "smiles": "Nc1ccc(N)cc1", "cid": "7814"},
]


@pytest.fixture
def target(tmp_path):
    (tmp_path / "units.smi").write_text(
        "*CC* polyethylene\n*c1ccc(*)cc1 PPP\n*Oc1ccc(*)cc1 PPO\n*CB(C)* borane\n"
    )
    (tmp_path / "monomers.yaml").write_text(yaml.safe_dump({"monomers": [{"entries": MONOMERS}]}))
    content = TARGET | {"sources": ["polyimides:monomers.yaml", "units.smi"]}
    (tmp_path / "chains.yaml").write_text(yaml.safe_dump(content))
    return "chains.yaml"


@pytest.mark.slow
def test_polymers_are_computed_ranked_chosen_and_exported(screen, target, tmp_path):
    answer = screen("submit", "--target", target, "--name", "chains", "--wait", "--workers", 1)
    assert answer.status == 0, answer.err
    assert "MMFF94 has no parameters for B" in answer.err or "'mmff94' does not support" in (
        answer.err
    )
    rows = json.loads(screen("rank", "--format", "json").out)
    values = {row["name"]: row["speed_of_sound_m_per_s"] for row in rows}
    assert set(values) == {"CID6966-CID7814", "polyethylene", "PPP", "PPO"}
    # Rods are stiff, and an ether between their rings makes them soft.
    assert values["PPP"] > values["PPO"]
    assert values["CID6966-CID7814"] > values["PPO"]
    front = [row["name"] for row in rows if row["on_front"]]
    assert front
    shown = screen("show", "CID6966-CID7814").out
    for part in (
        "repeat unit: *",
        "dianhydride: CID6966, bought: PMDA, PubChem CID 6966",
        "diamine: CID7814",
    ):
        assert part in shown
    chosen = json.loads(screen("choose", "--diverse", 2, "--format", "json").out)
    assert len(chosen) == 2
    assert all("repeat unit: *" in row["details"] for row in chosen)
    check_exports(screen, tmp_path, rows)


def check_exports(screen, tmp_path, rows):
    """Read the exported files with other programs."""
    from rdkit import Chem

    for form, name in (("smiles", "units.smi2"), ("sdf", "units.sdf"), ("csv", "ranking.csv")):
        answer = screen("export", "chains", "--as", form, "-o", name)
        assert answer.status == 0, answer.err
    lines = (tmp_path / "units.smi2").read_text().splitlines()
    assert [line.split("\t")[1] for line in lines] == [row["candidate_id"] for row in rows]
    records = list(Chem.SDMolSupplier(str(tmp_path / "units.sdf")))
    by_id = {record.GetProp("_Name"): record for record in records}
    for line in lines:
        smiles, key = line.split("\t")
        record = by_id[key]
        assert Chem.CanonSmiles(Chem.MolToSmiles(record)) == Chem.CanonSmiles(smiles)
        assert float(record.GetProp("speed_of_sound_m_per_s")) > 0
    with open(tmp_path / "ranking.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["candidate_id"] for row in table] == [row["candidate_id"] for row in rows]
    refused = screen("export", "chains", "--as", "cif", "-o", "cifs")
    assert refused.status == 2
    assert "candidates of kind crystal" in refused.err
