"""One step of RadonPy: ``python -m workflows.amorphous.radonpy_task FOLDER``.

Reads ``task.json`` in the folder, and for all steps but the first ``state.json``, a cell as RadonPy
writes it; writes ``result.json`` and the new ``state.json``.  A process of its own, because
RadonPy changes the working directory's files and the environment, and starts LAMMPS (GPL-2) as
another one.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np

STATE = "state.json"
LEFT_OUT_FRACTION = 0.4
"""Of the sampling, before its averages begin."""


def build(folder: Path, task: dict[str, Any]) -> dict[str, Any]:
    """Grow chains of a repeat unit by random walks, and put them into a thin cell."""
    from radonpy.core import calc, poly, utils
    from radonpy.ff.gaff2_mod import GAFF2_mod

    unit = utils.mol_from_smiles(task["smiles"])
    end = utils.mol_from_smiles("*C")
    for piece in (unit, end):
        if not calc.assign_charges(piece, charge=task["charges"]):
            return {"error": f"RadonPy found no {task['charges']} charges"}
    units = poly.calc_n_from_num_atoms(unit, task["atoms_per_chain"], terminal1=end)
    # Of two units first: a walk that the force field knows nothing of may never end.
    if not GAFF2_mod().ff_assign(poly.polymerize_mols(unit, 2)):
        return {"error": "GAFF2 has no parameters for one of its atoms or bonds"}
    chain = poly.polymerize_rw(unit, units, tacticity="atactic")
    chain = poly.terminate_rw(chain, end)
    if not GAFF2_mod().ff_assign(chain):
        return {"error": "GAFF2 has no parameters for one of its atoms or bonds"}
    cell = poly.amorphous_cell(chain, task["chains"], density=task["initial_density_g_per_cm3"])
    utils.MolToJSON(cell, str(folder / STATE))
    return {"units_per_chain": int(units), "atoms": cell.GetNumAtoms()}


def equilibrate(folder: Path, task: dict[str, Any]) -> dict[str, Any]:
    """Compress and decompress by Larsen's 21 steps, then sample."""
    from radonpy.core import utils
    from radonpy.sim.preset import eq

    run = eq.EQ21step(
        utils.JSONToMol(str(folder / STATE)), work_dir=str(folder), solver_path=task["lammps"]
    )
    cell = run.exec(
        temp=task["temperature_k"],
        step_list=task["compression_steps"],
        eq_step=task["sampling_ns"],
        **_parallel(task),
    )
    if cell is None:
        return {"error": "LAMMPS ended before the cell was in equilibrium", "log": _tail(folder)}
    analysis = run.analyze()
    # A record each picosecond; RadonPy leaves out the first 2 of its 5 ns.
    left_out = int(1000 * task["sampling_ns"] * LEFT_OUT_FRACTION)
    found = analysis.get_all_prop(temp=task["temperature_k"], press=1.0, init=left_out, save=True)
    utils.MolToJSON(cell, str(folder / STATE))
    return {
        "equilibrated": bool(analysis.check_eq()),
        "density_g_per_cm3": float(found["density"]),
    }


def conduct(folder: Path, task: dict[str, Any]) -> dict[str, Any]:
    """Exchange kinetic energy along an axis; heat current and gradient give κ."""
    from radonpy.core import utils
    from radonpy.sim.preset import tc

    run = tc.NEMD_MP(
        utils.JSONToMol(str(folder / STATE)),
        axis=task["axis"],
        work_dir=str(folder),
        solver_path=task["lammps"],
    )
    done = run.exec(
        step=task["conduction_steps"],
        time_step=task["conduction_time_step_fs"],
        temp=task["temperature_k"],
        rep=task["repeats"],
        **_parallel(task),
    )
    if done is None:
        return {"error": "LAMMPS ended before the heat current was there", "log": _tail(folder)}
    # RadonPy leaves out the first part by the number of its exchanges, one in 1,000 steps.
    exchanges = task["conduction_steps"] // 1000
    analysis = run.analyze()
    kappa = analysis.calc_tc(init=int(exchanges * task["discarded_fraction"]))
    gradient, current = analysis.Tgrad_data, analysis.Qgrad_data
    sides = [float(gradient["Tgrad1"]), float(gradient["Tgrad2"])]
    return {
        "kappa_w_per_m_k": float(kappa),
        # The cell's two halves are two runs of one experiment: their difference is an error.
        "gradients_k_per_m": sides,
        "gradients_are_linear": bool(gradient["Tgrad_check"]),
        "heat_current_relative_error": abs(float(current["Qgrad_SE"] / current["Qgrad"])),
    }


def _parallel(task: dict[str, Any]) -> dict[str, Any]:
    return {"mpi": task["mpi_processes"], "omp": task["threads"], "gpu": task["gpus"]}


def _tail(folder: Path) -> str:
    """Return the end of LAMMPS's newest log."""
    logs = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime)
    return logs[-1].read_text("utf-8", "replace")[-2000:] if logs else ""


STEPS = {"build": build, "equilibrate": equilibrate, "conduct": conduct}


def main(folder: Path) -> None:
    """Do the step that the folder asks for."""
    task = json.loads((folder / "task.json").read_text())
    # RadonPy draws from NumPy's and Python's global generators.
    np.random.seed(task["seed"])
    random.seed(task["seed"])
    result = STEPS[task["step"]](folder, task)
    (folder / "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
