"""Stands in for Python with GPAW: `stand_in.py -m workflows.dft.gpaw_task FOLDER`.

Forces are those of ASE's effective-medium theory.  It writes one line a calculation into the file
STAND_IN_DIARY, and misbehaves as STAND_IN_FAULT says: ``crash``, ``unconverged``, ``hang``, each
while the task's mixer_beta is not set, that is in the first attempt.  ``hang at 4 of 32`` is the
fourth calculation of 32 atoms.  ``small basis 16`` adds a stress and an energy that fall with that
power of the cut-off.
"""

import hashlib
import json
import os
import sys
import time
from pathlib import Path

folder = Path(sys.argv[-1])
task = json.loads((folder / "task.json").read_text())
fault = os.environ.get("STAND_IN_FAULT", "")
digest = hashlib.sha256(json.dumps([task["scaled_positions"], task["cell_a"]]).encode())
with open(os.environ["STAND_IN_DIARY"], "a") as diary:
    diary.write(f"{digest.hexdigest()[:12]} {len(task['symbols'])} {os.getpid()}\n")
lines = Path(os.environ["STAND_IN_DIARY"]).read_text().splitlines()
so_many = sum(line.split()[1] == str(len(task["symbols"])) for line in lines)
if "mixer" not in task["parameters"]:
    if fault == "crash":
        (folder / "gpaw.txt").write_text("iter: 1\nthe last words of a program\n")
        os.abort()
    if fault == "unconverged":
        raise RuntimeError("gpaw.KohnShamConvergenceError: did not converge")
    if fault in ("hang", f"hang at {so_many} of {len(task['symbols'])}"):
        time.sleep(3600)

# Half a second, of which what fails above has no need.
from ase import Atoms  # noqa: E402
from ase.calculators.emt import EMT  # noqa: E402

atoms = Atoms(
    task["symbols"], scaled_positions=task["scaled_positions"], cell=task["cell_a"], pbc=True
)
atoms.calc = EMT()
shortfall = 0.0
if fault.startswith("small basis"):
    # As of plane waves that are too few: less and less with the cut-off.
    shortfall = 0.01 * (390.0 / task["parameters"]["mode"]["ecut"]) ** float(fault.split()[-1])
result = {
    "energy_ev": atoms.get_potential_energy() + 10 * shortfall * len(atoms),
    "forces_ev_per_a": atoms.get_forces().tolist(),
}
if task["stress"]:
    stress = atoms.get_stress()
    stress[:3] += shortfall  # It squeezes.
    result["stress_ev_per_a3"] = stress.tolist()
(folder / "result.json").write_text(json.dumps(result))
