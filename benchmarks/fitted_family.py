r"""κ of a whole chemical family from one fitted potential, against the engine that labelled it.

    python benchmarks/fitted_family.py FOLDER --atoms 8 --candidates 100 --sample 10

The family is all ordered crystals with sodium and potassium on one sublattice of rock salt and
chlorine and bromine on the other, in cells of up to ``--atoms`` atoms: 15 up to four, 63 up to
six, 329 up to eight; with ``--anions Cl`` 4, 10 and 29.  SevenNet-0 stands for first principles: it
labels the cells that the potential is fitted to, and computes a random sample of the candidates
itself, with the same recipe, which says what the potential is wrong by and what it saves.
Everything is done by `matscreen`, as campaigns in FOLDER; run again, it goes on where it was
stopped.  With ``--slack`` the property is Slack's estimate of κ from elastic constants, which takes
seconds where κ takes a minute and more.  Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import yaml

LATTICE_A = {
    ("Na", "Cl"): 5.69,
    ("Na", "Br"): 6.03,
    ("K", "Cl"): 6.38,
    ("K", "Br"): 6.70,
}
"""Edges of the cubic cells to start from; PBE's, to about a per cent."""
LABEL = "sevennet-0"
FIT = {
    "target": "alkali-halide-potential",
    "objective": "fitted-potential",
    "direction": "minimize",
    "engine": LABEL,
    "sampler": {"kind": "random"},
    "budget": 1,
    "batch_size": 1,
    "recipe": {
        "exploration": {
            "max_displacement_a": 0.08,
            "max_strain_fraction": 0.03,
            "substitutions": 0.3,
            "dynamics_steps": 0,
        },
        "first_labels": 16,
        "labels_per_round": 8,
        "proposals_per_round": 24,
        "trusted_force_error_ev_per_a": 0.005,
    },
}
CONDUCTIVITY = {
    "objective": "lattice-thermal-conductivity",
    "direction": "minimize",
    "sampler": {"kind": "random"},
    "recipe": {
        "nac": "off",
        "effective_force_constants": None,
        "relaxation": {"force_tolerance_ev_per_a": 1.0e-3},
        "phonons": {"min_length_a": 8.0, "max_atoms": 72, "spectrum_mesh_length_a": 30.0},
        "third_order": {"min_length_a": 8.0, "max_atoms": 64, "cutoff_a": 6.0},
        "transport": {
            "temperatures_k": [300.0],
            "mesh_lengths_a": [13.0, 17.0, 21.0],
            "max_mesh_points": 400,
        },
    },
}

SLACK = {
    "objective": "slack-thermal-conductivity",
    "direction": "minimize",
    "sampler": {"kind": "random"},
}


def write_crystals(folder: Path, atoms: int, sublattices: tuple[list[str], list[str]]) -> list[str]:
    """Write the family as CIFs; return their names, small cells first."""
    from ase.build import bulk
    from icet.tools import enumerate_structures
    from pymatgen.io.ase import AseAtomsAdaptor

    folder.mkdir(parents=True, exist_ok=True)
    lattice = bulk("NaCl", "rocksalt", a=1.0)
    names = []
    sizes = range(1, atoms // 2 + 1)
    for number, ordered in enumerate(enumerate_structures(lattice, sizes, sublattices)):
        symbols = ordered.get_chemical_symbols()
        half = len(symbols) / 2
        edge_a = sum(
            edge_a * symbols.count(cation) / half * symbols.count(anion) / half
            for (cation, anion), edge_a in LATTICE_A.items()
        )
        atoms_object = ordered.copy()
        atoms_object.set_cell(atoms_object.cell * edge_a, scale_atoms=True)
        crystal = AseAtomsAdaptor.get_structure(atoms_object)
        name = f"{number:03d}-{crystal.formula.replace(' ', '')}.cif"
        crystal.to(filename=str(folder / name))
        names.append(name)
    return names


class Campaigns:
    """`matscreen` in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def call(self, *arguments: str) -> str:
        """Return what a command prints; its messages go to the terminal.

        Raises
        ------
        SystemExit
            When it fails.
        """
        command = [sys.executable, "-m", "screening", *arguments]
        print("$ matscreen", *arguments, file=sys.stderr, flush=True)
        done = subprocess.run(command, cwd=self.folder, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise SystemExit(f"matscreen {' '.join(arguments)}: ended with {done.returncode}")
        return done.stdout

    def finished(self, name: str, config: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the ranking of a campaign, which is submitted unless it is there, at its end."""
        path = self.folder / f"{name}.yaml"
        if not path.exists():
            path.write_text(yaml.safe_dump({"target": name, **config}))
            self.call("submit", "--target", path.name, "--name", name)
        self.call("work", name, "--workers", "1")
        rows: list[dict[str, Any]] = json.loads(self.call("rank", name, "--format", "json"))
        return rows

    def results(self, name: str) -> dict[str, dict[str, Any]]:
        """Return the whole results of a campaign, by candidate."""
        from screening.campaigns.campaign import Campaign
        from screening.machine.settings import Settings
        from screening.store.database import open_database

        here = Path.cwd()
        os.chdir(self.folder)
        try:
            with open_database(Settings(), must_exist=True) as database:
                campaign = Campaign.open(database, name)
                stored = database.candidates.find({"campaigns": name}, {"features": 0})
                return dict(campaign.whole_results(stored))
        finally:
            os.chdir(here)


def main() -> None:
    """Fit, compute, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--atoms", type=int, default=4, help="in the largest cells")
    parser.add_argument("--cations", default="Na,K")
    parser.add_argument("--anions", default="Cl,Br")
    parser.add_argument("--candidates", type=int, default=15)
    parser.add_argument("--sample", type=int, default=5, help="computed by the label engine too")
    parser.add_argument("--slack", action="store_true", help="Slack's estimate instead of κ")
    parser.add_argument("--labels", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folder = options.folder.resolve()
    sublattices = options.cations.split(","), options.anions.split(",")
    write_crystals(folder / "small", 4, sublattices)
    names = write_crystals(folder / "crystals", options.atoms, sublattices)
    campaigns = Campaigns(folder)
    fit = {**FIT, "sources": ["family:@small"]}
    fit["recipe"] = {**fit["recipe"], "max_labels": options.labels, "seed": options.seed}
    campaigns.finished("salts", fit)
    kind = "slack" if options.slack else "kappa"
    chosen = {**(SLACK if options.slack else CONDUCTIVITY), "batch_size": 4, "seed": options.seed}
    fast = campaigns.finished(
        f"{kind}-fitted",
        {
            **chosen,
            "engine": "fitted:salts",
            "sources": ["crystals"],
            "budget": min(options.candidates, len(names)),
        },
    )
    computed = [row for row in fast if row["outcome"] in ("computed", "unstable")]
    random = np.random.default_rng(options.seed)
    sample = random.permutation(sorted(row["material_id"] for row in computed))[: options.sample]
    (folder / f"{kind}-sample").mkdir(exist_ok=True)
    for name in sample:
        (folder / f"{kind}-sample" / name).write_text((folder / "crystals" / name).read_text())
    campaigns.finished(
        f"{kind}-exact",
        {
            **chosen,
            "engine": LABEL,
            "sources": [f"{kind}-sample"],
            "budget": len(sample),
        },
    )
    report(campaigns, fast, kind)


def report(campaigns: Campaigns, fast: list[dict[str, Any]], kind: str) -> None:
    """Print what the potential is wrong by, and what it saves."""
    (fitted,) = campaigns.results("salts").values()
    quick = campaigns.results(f"{kind}-fitted")
    exact = campaigns.results(f"{kind}-exact")
    field = "slack_kappa_300k_w_per_m_k" if kind == "slack" else "kappa_300k_w_per_m_k"
    print("| crystal | κ fitted | κ label engine | change | calls | fitted / s | label / s |")
    print("|---|---|---|---|---|---|---|")
    differences = []
    for key, truth in sorted(exact.items()):
        found = quick[key]
        kappa, true_kappa = (each.get(field) for each in (found, truth))
        difference = None
        if kappa is not None and true_kappa is not None:
            difference = kappa / true_kappa - 1
            differences.append(difference)
        print(
            f"| {truth['formula']} | {_number(kappa)} ({found['outcome']}) "
            f"| {_number(true_kappa)} ({truth['outcome']}) "
            f"| {'' if difference is None else f'{100 * difference:+.1f} %'} "
            f"| {_calls(truth)} | {_forces_s(found):.1f} | {_forces_s(truth):.1f} |"
        )
    outcomes = [row["outcome"] for row in fast]
    counts = {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))}
    calls = sum(_calls(result) for result in quick.values())
    print(f"\ncandidates by outcome: {counts}")
    print(
        f"labels: {fitted['n_labels']}, force error {1000 * fitted['force_error_ev_per_a']:.2f} "
        f"meV/Å; fit {fitted['wall_s']:.0f} s with labels; {fitted['finished']}"
    )
    print(f"force calls of all candidates: {calls}, {calls / fitted['n_labels']:.0f} a label")
    if differences:
        wrong = np.array(differences)
        print(
            f"κ against the label engine: root mean square {100 * np.sqrt((wrong**2).mean()):.1f} "
            f"%, worst {100 * wrong[np.abs(wrong).argmax()]:+.1f} %"
        )


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _calls(result: dict[str, Any]) -> int:
    return int(sum(cost["cost"] for cost in result["costs"]))


def _forces_s(result: dict[str, Any]) -> float:
    """Return the wall time of all steps that ask the engine."""
    return float(sum(cost["wall_s"] for cost in result["costs"] if cost["cost"]))


if __name__ == "__main__":
    main()
