"""A family of mixed crystals by a potential fitted to it, and what each by itself would have cost.

    python benchmarks/fitted_family.py --folder FOLDER [--crystals 103] [--check 12]
        [--label sevennet-0]

Runs the commands that a user would type, in FOLDER, which holds the database:

1. alkali halides and their mixed crystals, ordered arrangements of Na and K and of Cl and Br on the
   sites of rock salt, up to eight atoms in the cell (enumerated by icet), as CIFs;
2. ``matscreen fit halides --label LABEL``, and κ of all crystals with ``fitted:halides``;
3. ``matscreen improve`` until no crystal is refused, or there are no more versions;
4. the same target by the label engine itself, for crystals drawn at random.

Most of the crystals have hardly any symmetry.  All their third-order force constants would be more
than ten thousand unknowns, whose fit takes minutes and gigabytes, while the forces of the potential
take seconds; so both sides leave out triplets of atoms that are farther apart than 5 Å.

Each step finds what earlier runs have done: interrupted, it is to be started again.  The figures go
into `results/`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from pathlib import Path
from typing import Any

from commands import is_there, screen

RESULTS = Path(__file__).parent / "results"
POTENTIAL, FAMILY, CHECK = "halides", "alkali-halides", "check"
CATIONS, ANIONS = ("Na", "K"), ("Cl", "Br")
RADII_A = {"Na": 1.02, "K": 1.38, "Cl": 1.81, "Br": 1.96}
"""R. D. Shannon, Acta Cryst. A 32, 751 (1976), sixfold coordination: where relaxation begins."""
MOST_VERSIONS = 5
KAPPA = "kappa_300k_w_per_m_k"
CAMPAIGN = """\
target: mixed-halides
description: Rough lattice thermal conductivity at 300 K of mixed crystals
objective: lattice-thermal-conductivity
direction: minimize
engine: sevennet-0
recipe:
  effective_force_constants: null
  relaxation: {force_tolerance_ev_per_a: 1.0e-3}
  phonons: {min_length_a: 8.0, max_atoms: 72, spectrum_mesh_length_a: 30.0}
  third_order: {min_length_a: 8.0, max_atoms: 64, cutoff_a: 5.0}
  transport: {temperatures_k: [300.0], mesh_lengths_a: [9.0, 12.0, 15.0], max_mesh_points: 250}
sources: [crystals]
sampler: {kind: random}
budget: 1
batch_size: 8
"""


def write_crystals(folder: Path, number: int) -> None:
    """Write CIFs: all cells of up to six atoms, and of eight as many as are left, at random."""
    from ase.build import bulk
    from icet.tools import enumerate_structures
    from pymatgen.io.ase import AseAtomsAdaptor

    folder.mkdir()
    primitive = bulk("NaCl", "rocksalt", a=1.0)
    found = list(enumerate_structures(primitive, range(1, 5), [CATIONS, ANIONS]))
    small = [atoms for atoms in found if len(atoms) < 8]
    large = [atoms for atoms in found if len(atoms) == 8]
    random.Random(0).shuffle(large)
    for index, atoms in enumerate([*small, *large[: max(number - len(small), 0)]]):
        # Half of the lattice parameter of rock salt is the sum of two radii, here of two means.
        scale = 4 * sum(RADII_A[symbol] for symbol in atoms.symbols) / len(atoms)
        atoms.set_cell(atoms.cell * scale, scale_atoms=True)
        structure = AseAtomsAdaptor.get_structure(atoms)
        structure.to(str(folder / f"{index:03d}-{structure.reduced_formula}.cif"))


def picked(campaign: Any) -> list[dict[str, Any]]:
    """Return all picks of a campaign, of every engine."""
    return [*campaign.picks(), *campaign.confirmation_picks()]


def seconds(picks: list[dict[str, Any]]) -> float:
    """Return what a worker of one core spent on picks."""
    return sum(float(pick.get("wall_s") or 0) for pick in picks)


def newest_results(campaign: Any) -> dict[str, dict[str, Any]]:
    """Return the results of each crystal by the last version of the potential that has one."""
    found: dict[str, dict[str, Any]] = {}
    for stage in campaign.stages:
        for key, result in campaign.results(stage).items():
            found[key] = {**result, "engine": stage.engine.name}
    return found


def is_refused(campaign: Any) -> bool:
    """Return whether the last version of the potential has refused a crystal."""
    from screening.running.improvement import refused

    return bool(refused(campaign, campaign.stages[-1]))


def checked(names: list[str], number: int) -> list[str]:
    """Return the files of the crystals that the label engine computes itself."""
    return sorted(random.Random(1).sample(names, min(number, len(names))))


def figures(options: argparse.Namespace) -> dict[str, Any]:
    """Return what was found and what it cost."""
    import numpy as np

    from screening.campaigns.campaign import Campaign
    from screening.machine.settings import Settings
    from screening.store.database import open_database

    with open_database(Settings(), must_exist=True) as database:
        family, check = (Campaign.open(database, name) for name in (FAMILY, CHECK))
        versions = [stage.engine.name for stage in family.stages]
        fits = {
            name.removeprefix("fitted:"): Campaign.open(database, name.removeprefix("fitted:"))
            for name in versions
        }
        labels, fit_s = {}, 0.0
        for name, campaign in fits.items():
            [result] = newest_results(campaign).values()
            labels[name] = {
                key: result.get(key)
                for key in ("n_labels", "force_error_ev_per_a", "energy_error_ev_per_atom")
            }
            fit_s += seconds(picked(campaign))
        found, exact = newest_results(family), newest_results(check)
        family_picks, check_picks = picked(family), picked(check)
        rows = []
        for key, truth in sorted(exact.items()):
            ours = found.get(key, {})
            rows.append(
                {
                    "candidate_id": key,
                    "by_the_potential": ours.get("engine"),
                    "outcomes": [ours.get("outcome"), truth.get("outcome")],
                    KAPPA: [ours.get(KAPPA), truth.get(KAPPA)],
                    "volume_a3_per_atom": [
                        ours.get("volume_a3_per_atom"),
                        truth.get("volume_a3_per_atom"),
                    ],
                }
            )
        both = np.array(
            [row[KAPPA] for row in rows if None not in row[KAPPA]], dtype=np.float64
        ).reshape(-1, 2)
        wrong = both[:, 0] / both[:, 1] - 1
        crystals = {pick["candidate_id"] for pick in family_picks}
        outcomes = [found.get(key, {}).get("outcome") or "no number" for key in sorted(crystals)]
        return {
            "crystals": len(crystals),
            "versions": labels,
            "outcomes": {each: outcomes.count(each) for each in sorted(set(outcomes))},
            "compared": len(both),
            "kappa_rms_error": float(np.sqrt((wrong**2).mean())) if len(both) else None,
            "kappa_worst_error": float(wrong[np.abs(wrong).argmax()]) if len(both) else None,
            "fit_s": fit_s,
            "family_s": seconds(family_picks),
            "check_s": seconds(check_picks),
            "checked": len(check_picks),
            "each_by_itself_s": seconds(check_picks) / max(len(check_picks), 1) * len(crystals),
            "label": options.label,
            "rows": rows,
        }


def main() -> None:
    """Run what is left to run, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--crystals", type=int, default=103)
    parser.add_argument("--check", type=int, default=12)
    parser.add_argument("--label", default="sevennet-0")
    parser.add_argument("--budget", type=int, default=60, help="labels of the first fit")
    options = parser.parse_args()

    options.folder.mkdir(parents=True, exist_ok=True)
    os.chdir(options.folder)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if not Path("crystals").exists():
        write_crystals(Path("crystals"), options.crystals)
    names = sorted(path.name for path in Path("crystals").iterdir())
    one = ("--workers", 1)
    if not is_there(POTENTIAL):
        submit = ("fit", POTENTIAL, "--source", "crystals", "--label", options.label)
        screen(*submit, "--budget", options.budget)
    screen("work", POTENTIAL, *one)
    Path("mixed-halides.yaml").write_text(CAMPAIGN)
    target = ("--target", "mixed-halides.yaml")
    every = ("--source", "crystals", "--budget", len(names), "--batch-size", 8)
    if not is_there(FAMILY):
        screen(
            *("submit", *target, "--name", FAMILY, *every),
            *("--engine", f"fitted:{POTENTIAL}"),
        )
    screen("work", FAMILY, *one)
    improve(one)
    if not Path("checked").exists():
        Path("checked").mkdir()
        for name in checked(names, options.check):
            (Path("checked") / name).write_bytes((Path("crystals") / name).read_bytes())
    if not is_there(CHECK):
        screen(
            *("submit", *target, "--name", CHECK, "--source", "checked"),
            *("--budget", options.check, "--engine", options.label),
        )
    screen("work", CHECK, *one)
    content = figures(options)
    print(json.dumps({key: value for key, value in content.items() if key != "rows"}, indent=1))
    for row in content["rows"]:
        print(row["candidate_id"], *row[KAPPA])
    path = RESULTS / f"fitted_family-{options.label}.json"
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def improve(workers: tuple[object, ...]) -> None:
    """Fit again while crystals are refused, and compute what that changes."""
    from screening.campaigns.campaign import Campaign
    from screening.machine.settings import Settings
    from screening.store.database import open_database

    for _ in range(MOST_VERSIONS - 1):
        with open_database(Settings(), must_exist=True) as database:
            campaign = Campaign.open(database, FAMILY)
            if not is_refused(campaign) or len(campaign.stages) == MOST_VERSIONS:
                return
        screen("improve", FAMILY, "--wait", *workers)


if __name__ == "__main__":
    main()
