"""Chains of polymers beside measured moduli, fibres that conduct heat, and molecular dynamics.

    python benchmarks/chain_stiffness.py moduli [--engine gfn2-xtb] [--only PPTA PBO]
    python benchmarks/chain_stiffness.py imides --radonpy radonpy_conductivity.csv.gz [--number 50]
    python benchmarks/chain_stiffness.py cuts
    python benchmarks/chain_stiffness.py crystal

`moduli` prints moduli along the chain beside those of X-ray diffraction, and how well the speed of
sound orders the thermal conductivity of fibres.  `imides` compares with the conductivity of
amorphous imides by molecular dynamics; the file is that of RadonPy (Y. Hayashi et al., npj Comput.
Mater. 8, 222 (2022)), ``data/PI1070.csv`` of its repository, with columns ``smiles`` and
``thermal_conductivity``.  `cuts` cuts the same chain elsewhere and takes longer oligomers.
`crystal` runs the flow of elastic constants on crystalline polyethylene with GFN-FF.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
POLYMERS: dict[str, str] = {
    "polyethylene": "*C*",
    "PBO": "*c1ccc(cc1)-c1nc2cc3nc(*)oc3cc2o1",
    "PBZT": "*c1ccc(cc1)-c1nc2cc3sc(*)nc3cc2s1",
    "PIPD": "*c1c(O)cc(c(O)c1)-c1nc2nc3nc(*)[nH]c3cc2[nH]1",
    "PPTA": "*Nc1ccc(NC(=O)c2ccc(C(*)=O)cc2)cc1",
    "HBA-alt-HNA": "*Oc1ccc(cc1)C(=O)Oc1ccc2cc(ccc2c1)C(*)=O",
    "PMIA": "*Nc1cccc(NC(=O)c2cccc(C(*)=O)c2)c1",
    "PET": "*OCCOC(=O)c1ccc(C(*)=O)cc1",
    "PMDA-PDA": "*c1ccc(N2C(=O)c3cc4C(=O)N(*)C(=O)c4cc3C2=O)cc1",
    "BPDA-PDA": "*c1ccc(N2C(=O)c3ccc(cc3C2=O)-c2ccc3C(=O)N(*)C(=O)c3c2)cc1",
    "PMDA-ODA": "*c1ccc(Oc2ccc(N3C(=O)c4cc5C(=O)N(*)C(=O)c5cc4C3=O)cc2)cc1",
    "6FDA-ODA": (
        "*c1ccc(Oc2ccc(N3C(=O)c4ccc(cc4C3=O)C(C(F)(F)F)(C(F)(F)F)c3ccc4C(=O)N(*)C(=O)c4c3)cc2)cc1"
    ),
}
MODULI_GPA: dict[str, float] = {
    # I. Sakurada, Y. Nukushina and T. Ito, J. Polym. Sci. 57, 651 (1962).  X-ray moduli rest on the
    # stress being the same everywhere; D. J. Lacks and G. C. Rutledge, J. Phys. Chem. 98, 1222
    # (1994), compute 280 GPa at 300 K, in agreement with Raman scattering.
    "polyethylene": 235.0,
    # P. G. Lenhert and W. W. Adams, Mater. Res. Soc. Symp. Proc. 134, 329 (1989).
    "PBO": 477.0,
    "PBZT": 395.0,
    # R. J. Gaymans, J. Tijssen, S. Harkema and A. Bantjes, Polymer 17, 517 (1976).
    "PPTA": 200.0,
    # I. Sakurada and K. Kaji, J. Polym. Sci. C 31, 57 (1970).
    "PET": 108.0,
}
FIBRES_W_PER_M_K: dict[str, tuple[float, float]] = {
    # Lowest and highest of table 1 of Sci. Rep. 11, 8705 (2021), doi 10.1038/s41598-021-87957-7.
    "polyethylene": (14.2, 28.4),
    "PBO": (22.6, 23.0),
    "PBZT": (12.5, 12.5),
    "PIPD": (8.8, 8.8),
    "PPTA": (3.1, 3.1),
    # Of Vectran, a copolymer of the same units at random.
    "HBA-alt-HNA": (1.7, 2.5),
    "PMIA": (0.65, 0.65),
}
IMIDE = "[#6;r5](=O)[#7;r5][#6;r5](=O)"
SHIFTED = ("polyethylene", "PPTA", "PET", "BPDA-PDA", "PMDA-ODA")


def compute(smiles: str, engine_name: str) -> dict[str, Any]:
    """Run the flow of one polymer and return its document."""
    from jobflow import JobStore, run_locally
    from maggma.stores import MemoryStore

    from screening.targets.engines import build_engine, engine_config
    from workflows.chain import ChainStiffnessMaker

    started = time.process_time()
    flow = ChainStiffnessMaker(build_engine(engine_config(engine_name))).make(smiles)
    store = JobStore(MemoryStore())
    run_locally(flow, store=store, ensure_success=True, log=False)
    result = store.get_output(flow.output.uuid, which="last")
    kept = (
        "outcome",
        "reason",
        "speed_of_sound_m_per_s",
        "speed_of_sound_error_m_per_s",
        "longitudinal_modulus_gpa",
        "free_speed_of_sound_m_per_s",
        "free_longitudinal_modulus_gpa",
        "persistence_length_nm",
        "rise_a",
        "area_a2",
        "wall_s",
    )
    return {
        "smiles": smiles,
        **{key: result[key] for key in kept},
        "conformers": [
            {key: value for key, value in each.items() if not key.startswith("@")}
            for each in result["conformers"]
        ],
        "processor_s": time.process_time() - started,
    }


def moduli(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Compute the polymers of the table."""
    from scipy.stats import spearmanr

    rows = []
    print("| polymer | E held / free | X-ray | v held ± error / free | l_p | processor |")
    print("|---|---|---|---|---|---|")
    for name in options.only or POLYMERS:
        row = {"polymer": name, **compute(POLYMERS[name], options.engine)}
        rows.append(row)
        if row["outcome"] != "computed":
            print(f"| {name} | {row['reason']} |", flush=True)
            continue
        length = row["persistence_length_nm"]
        print(
            f"| {name} | {row['longitudinal_modulus_gpa']:.0f} / "
            f"{row['free_longitudinal_modulus_gpa']:.0f} GPa | {MODULI_GPA.get(name, '–')} "
            f"| {row['speed_of_sound_m_per_s']:.0f} ± {row['speed_of_sound_error_m_per_s']:.0f} / "
            f"{row['free_speed_of_sound_m_per_s']:.0f} m/s "
            f"| {'–' if length is None else format(length, '.1f')} nm "
            f"| {row['processor_s']:.0f} s |",
            flush=True,
        )
    fibres = [row for row in rows if row["polymer"] in FIBRES_W_PER_M_K]
    if len(fibres) > 2:
        kappa = [sum(FIBRES_W_PER_M_K[row["polymer"]]) / 2 for row in fibres]
        for field in ("speed_of_sound_m_per_s", "free_speed_of_sound_m_per_s"):
            rho = spearmanr([row[field] for row in fibres], kappa).statistic
            print(f"Spearman of {field} with κ of {len(fibres)} fibres: {rho:.2f}")
    return rows


def imides(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Compute imides of RadonPy, drawn at random."""
    import pandas as pd
    from rdkit import Chem
    from scipy.stats import spearmanr

    table = pd.read_csv(options.radonpy)
    query = Chem.MolFromSmarts(IMIDE)
    known = [
        (smiles, kappa)
        for smiles, kappa in zip(table["smiles"], table["thermal_conductivity"], strict=True)
        if Chem.MolFromSmiles(smiles).HasSubstructMatch(query)
    ]
    random.Random(options.seed).shuffle(known)
    kept = Path(options.keep) if options.keep else None
    done: list[dict[str, Any]] = json.loads(kept.read_text()) if kept and kept.exists() else []
    rows: list[dict[str, Any]] = []
    for number, (smiles, kappa) in enumerate(known[: options.number], 1):
        drawn = {"radonpy_smiles": smiles, "engine": options.engine, "kappa_w_per_m_k": kappa}
        row = (
            done[number - 1]
            if number <= len(done)
            else {**drawn, **compute(smiles, options.engine)}
        )
        if {key: row.get(key) for key in drawn} != drawn:
            raise SystemExit(f"{kept} is of another draw or engine; delete it")
        rows.append(row)
        usable = [each for each in rows if each["outcome"] == "computed"]
        correlations = ""
        if len(usable) > 4:
            kappas = [each["kappa_w_per_m_k"] for each in usable]
            fields = (
                "speed_of_sound_m_per_s",
                "free_speed_of_sound_m_per_s",
                "longitudinal_modulus_gpa",
                "rise_a",
            )
            correlations = ", ".join(
                f"{spearmanr([each[key] for each in usable], kappas).statistic:.2f}"
                for key in fields
            )
        print(
            f"{number} κ {kappa:.3f} v {row['speed_of_sound_m_per_s']} "
            f"free {row['free_speed_of_sound_m_per_s']} {row['processor_s']:.0f} s, "
            f"Spearman held, free, modulus, rise: {correlations}; {smiles} {row['reason']}",
            flush=True,
        )
        if kept and number > len(done):
            kept.write_text(json.dumps(rows))
    return rows


def cuts(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Cut chains elsewhere, read them backwards, and take longer oligomers."""
    from rdkit import Chem
    from screening.candidates.polymer_smiles import repeat_unit
    from screening.candidates.polymer_unit import Chain

    from workflows.chain import preparing_engine
    from workflows.chains import straight
    from workflows.chains.energy import ChainEnergy, units_of_shorter_oligomer
    from workflows.chains.oligomers import RepeatUnit
    from workflows.chains.stiffness import speed_of_sound_m_per_s
    from workflows.recipes import ChainStiffnessRecipe

    recipe = ChainStiffnessRecipe(force_tolerance_ev_per_a=1e-4)
    calculator = preparing_engine().new_calculator
    rows = []
    for name in options.only or SHIFTED:
        chain = Chain(repeat_unit(POLYMERS[name]))
        ways = [Chem.MolToSmiles(chain.cut_at(cut)) for cut in chain.cuts]
        first = None
        for smiles in ways:
            unit = RepeatUnit(smiles)
            n_units = units_of_shorter_oligomer(unit)
            found = straight.straight_conformers(smiles, calculator, recipe).conformers
            lowest = found[0]
            for more in (0, 1):
                energy = ChainEnergy(unit, n_units + more, calculator)
                at_rest = straight.at_rest(unit, energy, straight.helix_of(lowest), energy, recipe)
                if isinstance(at_rest, str):
                    print(f"{name} {smiles}: {at_rest}")
                    continue
                speeds = [
                    speed_of_sound_m_per_s(at_rest.rise_a, each, unit.molar_mass_g_per_mol)
                    for each in (
                        at_rest.held_compliance_a2_per_ev,
                        at_rest.free_compliance_a2_per_ev,
                    )
                ]
                first = first or speeds
                rows.append(
                    {
                        "polymer": name,
                        "smiles": smiles,
                        "units": n_units + more,
                        "energy_ev": at_rest.energy_ev,
                        "rise_a": at_rest.rise_a,
                        "speed_of_sound_m_per_s": speeds[0],
                        "free_speed_of_sound_m_per_s": speeds[1],
                    }
                )
                print(
                    f"{name} N = {n_units + more}: E {at_rest.energy_ev:.4f} eV, rise "
                    f"{at_rest.rise_a:.3f} Å, v {speeds[0]:.0f} / {speeds[1]:.0f} m/s "
                    f"({100 * (speeds[0] / first[0] - 1):+.2f} / "
                    f"{100 * (speeds[1] / first[1] - 1):+.2f} %) {smiles}",
                    flush=True,
                )
    return rows


def crystal(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Compute the elastic constants of crystalline polyethylene."""
    from jobflow import JobStore, run_locally
    from maggma.stores import MemoryStore
    from pymatgen.core import Lattice, Structure

    from screening.targets.engines import build_engine, engine_config
    from workflows.elasticity import ElasticityMaker

    # C. W. Bunn, Trans. Faraday Soc. 35, 482 (1939); Pnam.
    structure = Structure.from_spacegroup(
        "Pnam",
        Lattice.orthorhombic(7.40, 4.93, 2.534),
        ["C", "H", "H"],
        [[0.038, 0.065, 0.25], [0.186, 0.060, 0.25], [0.011, 0.276, 0.25]],
    )
    engine = build_engine(engine_config("gfn-ff"))
    flow = ElasticityMaker(engine).make(structure)
    store = JobStore(MemoryStore())
    run_locally(flow, store=store, ensure_success=True, log=False)
    result = store.get_output(flow.output.uuid, which="last")
    tensor = result["elastic_tensor_gpa"]
    cell = Structure.from_dict(result["structure"])
    edges = [round(edge, 3) for edge in cell.lattice.abc]
    print(f"cell {edges} Å; {result['outcome']} {result['reason']}")
    print(f"diagonal of the tensor {[round(tensor[i][i], 1) for i in range(6)]} GPa")
    return [{"cell_a": cell.lattice.abc, "elastic_tensor_gpa": tensor, "wall_s": result["wall_s"]}]


def main() -> None:
    """Compute, print, and keep the rows as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("part", choices=("moduli", "imides", "cuts", "crystal"))
    parser.add_argument("--engine", default="mmff94")
    parser.add_argument("--only", nargs="*", help="polymers of the table")
    parser.add_argument("--radonpy", help="table of molecular dynamics, for imides")
    parser.add_argument("--number", type=int, default=50, help="imides to draw")
    parser.add_argument("--seed", type=int, default=7, help="of the draw")
    parser.add_argument("--keep", help="file for rows while they come, and from which to go on")
    parser.add_argument("--json", action="store_true", help="keep the rows in results/")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    parts = {"moduli": moduli, "imides": imides, "cuts": cuts, "crystal": crystal}
    rows = parts[options.part](options)
    if options.json:
        path = RESULTS / f"chain_stiffness-{options.part}-{options.engine}.json"
        path.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
