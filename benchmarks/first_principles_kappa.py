"""κ from first principles on this machine, from relaxation to κ, beside references and experiment.

    python benchmarks/first_principles_kappa.py Si [--engine gpaw-standard] [--cutoff 6.0]
    python benchmarks/first_principles_kappa.py NaCl

Every calculation is kept in the cache folder: a run that was stopped goes on where it was.  Force
constants: finite displacements (second order), mirrored random pairs within a cut-off (third
order), 64-atom supercells.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
MESHES = {"Si": [(11, 11, 11), (19, 19, 19)], "NaCl": [(9, 9, 9), (11, 11, 11), (13, 13, 13)]}
REFERENCES = {
    "Si": {
        "phono3py's VASP-PBE example, 11×11×11 (W/m/K)": 119.5,
        "the same, 19×19×19 (W/m/K)": 130.1,
        "experiment, natural Si, 300 K (Glassbrenner & Slack 1964) (W/m/K)": 156.0,
    },
    "NaCl": {
        "PhononDB-PBE, with NAC (W/m/K)": 7.2,
        "experiment, 300 K (Håkansson & Andersson 1986) (W/m/K)": 6.9,
    },
}


class Cached:
    """An engine whose finished calculations are kept on disk, by what went into them."""

    def __init__(self, engine: Any, folder: Path, workers: int) -> None:
        self.engine, self.folder, self.workers = engine, folder, workers
        self.calls: dict[str, list[float]] = {"relaxation": [], "forces": [], "dielectric": []}
        folder.mkdir(parents=True, exist_ok=True)

    def single_point(self, structure: Any, purpose: str) -> Any:
        """Return one single point, computed or read."""
        import numpy as np

        from workflows.single_point import SinglePoint

        file = self._file(structure, purpose, "npz")
        if not file.exists():
            started = time.perf_counter()
            found = self.engine.single_point(structure, purpose)
            stress = found.stress_ev_per_a3
            part = file.with_suffix(".part.npz")
            np.savez(
                part,
                energy=found.energy_ev,
                forces=found.forces_ev_per_a,
                stress=np.zeros(0) if stress is None else stress,
                wall_s=time.perf_counter() - started,
            )
            part.rename(file)
        kept = np.load(file)
        self.calls[purpose].append(float(kept["wall_s"]))
        return SinglePoint(float(kept["energy"]), kept["forces"], kept["stress"])

    def forces(self, supercells: list[Any]) -> list[Any]:
        """Return the forces on supercells, `workers` at a time."""
        with ThreadPoolExecutor(self.workers) as pool:
            found = list(pool.map(lambda each: self.single_point(each, "forces"), supercells))
        return [each.forces_ev_per_a for each in found]

    def dielectric(self, structure: Any) -> Any:
        """Return Born charges and ε∞, computed or read."""
        from workflows.documents import DielectricDocument

        file = self._file(structure, "dielectric", "json")
        if not file.exists():
            found = self.engine.dielectric(structure)
            file.write_text(json.dumps(found.model_dump(exclude={"structure"})))
        document = DielectricDocument(structure=structure, **json.loads(file.read_text()))
        self.calls["dielectric"].append(document.wall_s)
        return document

    def _file(self, structure: Any, purpose: str, suffix: str) -> Path:
        import numpy as np

        settings = self.engine.provenance().arguments
        # Those of other steps change nothing here.
        kept = {k: v for k, v in settings.items() if k != "dielectric_k_spacing_per_a"}
        content = [
            settings if purpose == "dielectric" else kept,
            purpose,
            [site.specie.symbol for site in structure],
            np.round(structure.lattice.matrix, 8).tolist(),
            np.round(structure.frac_coords % 1, 8).tolist(),
        ]
        digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
        return self.folder / f"{structure.reduced_formula}-{purpose}-{digest}.{suffix}"


def compute(formula: str, engine_name: str, cutoff_a: float, cache: Path, workers: int) -> Any:
    """Return the row of one compound."""
    from third_order_routes import phonondb_structure

    from screening.targets.engines import build_engine, engine_config
    from workflows.ase_relaxation import relax_with
    from workflows.dft.engine import _ProgramCalculator
    from workflows.lattice_dynamics import harmonic, third_order, transport
    from workflows.lattice_dynamics.cells import conventional_cell, supercell_matrix
    from workflows.recipes import RelaxationRecipe, ThirdOrderRecipe

    engine = build_engine(engine_config(engine_name))
    cached = Cached(engine, cache, workers)
    start = crystal(formula) or phonondb_structure(formula, 225)

    relaxation = relax_with(
        _ProgramCalculator(cached),
        start,
        RelaxationRecipe(),
        engine.provenance(),
        force_floor_ev_per_a=engine.force_floor_ev_per_a,
        stress_floor_gpa=engine.stress_floor_gpa,
    )
    cell, centring = conventional_cell(relaxation.structure)
    print(f"{formula}: a = {cell.lattice.a:.4f} Å", flush=True)
    recipe = ThirdOrderRecipe(cutoff_a=cutoff_a)
    matrix = supercell_matrix(cell, 9.5, 64)
    phonon = harmonic.harmonic_model(cell, centring, matrix, 0.02)
    harmonic.set_harmonic_forces(phonon, cached.forces(harmonic.harmonic_supercells(phonon)))
    plan = third_order.plan_third_order(cell, centring, matrix, recipe)
    supercells = third_order.third_order_supercells(plan)
    print(f"{len(supercells)} supercells for third order", flush=True)
    third_order.set_third_order_forces(plan, cached.forces(supercells))
    force_constants = third_order.fit_third_order(plan)
    kappas = {}
    for nac in (False, True) if formula != "Si" else (False,):
        if nac:
            harmonic.add_dielectric(phonon, cached.dielectric(relaxation.structure))
        model = transport.transport_model(cell, centring, phonon, plan, force_constants)
        for mesh in MESHES[formula]:
            for isotopes in (False, True):
                result = transport.conductivity(model, mesh, [300.0], isotopes=isotopes)
                name = "×".join(map(str, mesh)) + nac * ", NAC" + isotopes * ", isotopes"
                kappas[name] = result.isotropic_w_per_m_k(300.0)
                print(f"κ(300 K) {name}: {kappas[name]:.2f} W/m/K", flush=True)
    gate = harmonic.stability(phonon, 40.0)
    nac_params = phonon.nac_params
    return {
        "formula": formula,
        "engine": engine_name,
        "settings": engine.provenance().arguments,
        "versions": {
            name: version(name) for name in ("gpaw", "gpaw-data", "phono3py", "phonopy", "symfc")
        },
        "lattice_constant_a": cell.lattice.a,
        "max_frequency_thz": gate.max_frequency_thz,
        "min_frequency_thz": gate.min_frequency_thz,
        "born_charges_e": nac_params and nac_params["born"].tolist(),
        "dielectric_tensor": nac_params and nac_params["dielectric"].tolist(),
        "third_order_cutoff_a": cutoff_a,
        "third_order_supercells": len(supercells),
        "third_order_basis_size": plan.basis_size,
        "kappa_300k_w_per_m_k": kappas,
        "references": REFERENCES[formula],
        "calls": {key: len(value) for key, value in cached.calls.items()},
        "wall_s": {key: round(sum(value)) for key, value in cached.calls.items()},
    }


def crystal(formula: str) -> Any:
    """Return silicon, which is no compound of PhononDB; None for the others."""
    from pymatgen.core import Lattice, Structure

    if formula != "Si":
        return None
    silicon = Structure.from_spacegroup("Fd-3m", Lattice.cubic(5.43), ["Si"], [[0, 0, 0]])
    return silicon.get_primitive_structure()


def main() -> None:
    """Run one compound and keep its row."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("formula", choices=sorted(MESHES))
    parser.add_argument("--engine", default="gpaw-standard")
    parser.add_argument("--cutoff", type=float, default=6.0, help="of third order, in Å")
    parser.add_argument("--workers", type=int, default=1, help="calculations at a time")
    parser.add_argument("--cache", type=Path, default=Path("~/.cache/matscreen-benchmarks"))
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    row = compute(
        arguments.formula,
        arguments.engine,
        arguments.cutoff,
        arguments.cache.expanduser(),
        arguments.workers,
    )
    print(json.dumps(row, indent=1))
    RESULTS.mkdir(exist_ok=True)
    name = f"first_principles_kappa-{arguments.formula}-{arguments.engine}.json"
    (RESULTS / name).write_text(json.dumps(row, indent=1) + "\n")


if __name__ == "__main__":
    main()
