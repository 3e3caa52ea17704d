r"""Potentials fitted to another engine's cells: error against labels, indicator, choice, speed.

    python benchmarks/fitted_potential.py curve Cu Al CuAu NaCl MgO
    python benchmarks/fitted_potential.py indicator
    python benchmarks/fitted_potential.py choice --seeds 5
    python benchmarks/fitted_potential.py speed
    python benchmarks/fitted_potential.py recorded \
        tests/data/dft_forces/phono3py_params_MgO-222rd-444rd.yaml.xz

The truth of the metals is EMT, of the salts SevenNet-0.  ``curve`` prints the error of forces on
cells displaced by 0.03 Å, of elastic constants and of a vacancy's energy against the labels used.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from workflows.engines import AseEngine
from workflows.errors import EngineError
from workflows.potentials.calculator import FittedCalculator
from workflows.potentials.calibration import CellLeverage
from workflows.potentials.exploration import disturbed_cells
from workflows.potentials.frames import Frame, LabelledFrame, labelled
from workflows.potentials.polynomial import N_CELL_ROWS, PolynomialModel, polymlp_structure
from workflows.potentials.potential import OutsideDomain, Potential, train
from workflows.potentials.recipe import ExplorationRecipe, FitRecipe, PolynomialRecipe
from workflows.potentials.selection import most_informative, scaled_rows
from workflows.recipes import ElasticityRecipe, RelaxationRecipe

RESULTS = Path(__file__).parent / "results"
EMT = AseEngine(name="emt", calculator="ase.calculators.emt.EMT")
SEVENNET_0 = AseEngine(
    name="sevennet-0",
    calculator="sevenn.calculator.SevenNetCalculator",
    arguments={"model": "7net-0"},
)
METALS = {"Cu": 3.61, "Al": 4.05}
SALTS = {"NaCl": 5.64, "MgO": 4.21}


def crystal(name: str) -> tuple[Any, AseEngine]:
    """Return a crystal, and the engine that is the truth for it."""
    from ase.build import bulk
    from ase.spacegroup import crystal as from_group
    from pymatgen.io.ase import AseAtomsAdaptor

    if name in METALS:
        return AseAtomsAdaptor.get_structure(bulk(name, "fcc", a=METALS[name])), EMT
    if name == "CuAu":
        atoms = from_group(
            ["Cu", "Au"],
            [(0, 0, 0), (0.5, 0.5, 0.5)],
            spacegroup=123,
            cellpar=[2.75, 2.75, 3.65, 90, 90, 90],
        )
        return AseAtomsAdaptor.get_structure(atoms), EMT
    return AseAtomsAdaptor.get_structure(bulk(name, "rocksalt", a=SALTS[name])), SEVENNET_0


def label(engine: AseEngine, frames: list[Frame]) -> list[Any]:
    """Return labelled frames."""
    points = engine.single_points([frame.structure for frame in frames])
    return [labelled(*pair) for pair in zip(frames, points, strict=True)]


def as_engine(potential: Potential) -> AseEngine:
    """Return an engine that asks a potential in this process."""
    engine = AseEngine(name="fitted", calculator="workflows.potentials.calculator.FittedCalculator")
    calculator = FittedCalculator(potential)
    engine._calculator = lambda: calculator  # type: ignore[method-assign]
    return engine


# ------------------------------------------------------------------------------------------ curve


def curve(names: list[str], counts: list[int]) -> list[dict[str, Any]]:
    """Return errors against the number of labels, chosen one after the other by leverage."""
    rows = []
    for name in names:
        structure, truth = crystal(name)
        recipe = FitRecipe(
            exploration=ExplorationRecipe(
                max_atoms=32 if name in METALS else 64,
                min_length_a=7.0 if name in METALS else 9.5,
                max_displacement_a=0.1,
                max_strain_fraction=0.03,
            )
        )
        relaxed = truth.relax(structure, RelaxationRecipe()).structure
        model = PolynomialModel(tuple(sorted(relaxed.symbol_set)), recipe.polynomial)
        pool = disturbed_cells([relaxed], recipe.exploration, 60, seed=1)
        small = recipe.exploration.model_copy(
            update={"max_displacement_a": 0.03, "max_strain_fraction": 0.0}
        )
        tests = label(truth, [frame for frame in disturbed_cells([relaxed], small, 8, seed=99)])
        exact = properties(truth, relaxed)
        started = time.process_time()
        order = most_informative(model, None, [frame.structure for frame in pool], max(counts))
        choosing = time.process_time() - started
        frames = label(truth, [pool[number] for number, _ in order])
        for count in counts:
            started = time.process_time()
            training = train(frames[:count], model.elements, recipe)
            training_s = time.process_time() - started
            potential = Potential(training.numbers)
            answers = [potential.ask(frame.structure) for frame in tests]
            wrong = np.concatenate(
                [
                    (answer.forces_ev_per_a - frame.forces).ravel()
                    for answer, frame in zip(answers, tests, strict=True)
                ]
            )
            row = {
                "crystal": name,
                "truth": truth.name,
                "labels": count,
                "features": len(training.numbers.coefficients),
                "force_rmse_mev_per_a": 1000 * float(np.sqrt((wrong**2).mean())),
                "expected_mev_per_a": 1000
                * float(np.mean([answer.expected_force_error_ev_per_a for answer in answers])),
                "training_cpu_s": training_s,
                "choosing_cpu_s": choosing,
            }
            try:
                found = properties(as_engine(potential), relaxed)
            except (OutsideDomain, EngineError) as error:
                row["refused"] = str(error)
                found = {}
            for key, value in found.items():
                row[key] = value
                row[f"{key}_truth"] = exact[key]
            rows.append(row)
            print(json.dumps(row), flush=True)
    return rows


def properties(engine: AseEngine, relaxed: Any) -> dict[str, float]:
    """Return volume and elastic constants by an engine."""
    from workflows.elasticity_analysis import elastic_tensor, strained_cells

    recipe = RelaxationRecipe()
    rest = engine.relax(relaxed, recipe)
    cells = strained_cells(rest.structure, ElasticityRecipe().strain_fraction)
    stresses = [
        engine.relax(cell.structure, recipe, fixed_cell=True).stress_gpa or [] for cell in cells
    ]
    tensor, _ = elastic_tensor(rest.structure, cells, stresses)
    found = {
        "volume_a3_per_atom": rest.volume_a3_per_atom,
        "c11_gpa": float(tensor.voigt[0, 0]),
        "c12_gpa": float(tensor.voigt[0, 1]),
        "c44_gpa": float(tensor.voigt[3, 3]),
    }
    return found


# -------------------------------------------------------------------------------------- indicator


def copper_cells(seed: int, each: int) -> list[tuple[str, float, Any]]:
    """Return copper of other kinds: fcc, with a vacancy, strained, bcc, hcp; displaced."""
    from ase.build import bulk
    from pymatgen.io.ase import AseAtomsAdaptor

    random = np.random.default_rng(seed)
    cells = []
    for kind in ("fcc", "vacancy", "strained", "bcc", "hcp"):
        for amplitude_a in (0.03, 0.08, 0.15, 0.3):
            for _ in range(each):
                atoms = bulk("Cu", "fcc", a=3.61, cubic=True).repeat(2)
                if kind == "vacancy":
                    del atoms[int(random.integers(len(atoms)))]
                elif kind == "strained":
                    strain = random.normal(scale=0.04, size=(3, 3))
                    atoms.set_cell(
                        np.array(atoms.cell) @ (np.eye(3) + (strain + strain.T) / 2),
                        scale_atoms=True,
                    )
                elif kind == "bcc":
                    atoms = bulk("Cu", "bcc", a=2.87, cubic=True).repeat((2, 2, 3))
                elif kind == "hcp":
                    atoms = bulk("Cu", "hcp", a=2.55, c=4.17, orthorhombic=True).repeat((3, 2, 2))
                step = random.normal(scale=amplitude_a / np.sqrt(3), size=(len(atoms), 3))
                atoms.positions += step
                cells.append((kind, amplitude_a, AseAtomsAdaptor.get_structure(atoms)))
    return cells


def indicator(seeds: int) -> list[dict[str, Any]]:
    """Return how well leverage tells wrong forces, for potentials of six near-perfect cells."""
    from scipy.stats import spearmanr
    from sklearn.metrics import roc_auc_score

    rows = []
    for seed in range(seeds):
        structure, truth = crystal("Cu")
        exploration = ExplorationRecipe(
            max_atoms=32, min_length_a=7.0, max_displacement_a=0.05, max_strain_fraction=0.02
        )
        frames = label(truth, disturbed_cells([structure], exploration, 6, seed))
        recipe = FitRecipe(exploration=exploration)
        training = train(frames, ["Cu"], recipe)
        potential = Potential(training.numbers)
        cells = copper_cells(seed, 11)
        tests = label(truth, [Frame(structure=cell, origin=kind) for kind, _, cell in cells])
        errors, drawn, exact, expected = [], [], [], []
        for frame in tests:
            answer = potential.ask(frame.structure)
            errors.append(float(np.sqrt(((answer.forces_ev_per_a - frame.forces) ** 2).mean())))
            drawn.append(answer.leverage.atom)
            expected.append(answer.worst_error_ev_per_a)
            leverages = training.fitted.leverage(scaled_rows(potential.model, frame.structure))
            exact.append(CellLeverage.of_rows(leverages, N_CELL_ROWS).atom)
        found, amplitudes = np.array(errors), np.array([amplitude for _, amplitude, _ in cells])
        refused = np.array(expected) > recipe.largest_force_error_ev_per_a
        row: dict[str, Any] = {"seed": seed, "cells": len(cells)}
        for name, values in (("drawn", np.array(drawn)), ("exact", np.array(exact))):
            row[f"{name}_spearman"] = float(spearmanr(values, found)[0])
            for limit in (0.1, 0.3):
                row[f"{name}_auroc_{limit}"] = float(roc_auc_score(found > limit, values))
            row[f"{name}_auroc_fixed_amplitude"] = [
                float(
                    roc_auc_score(
                        found[amplitudes == amplitude_a]
                        > np.median(found[amplitudes == amplitude_a]),
                        values[amplitudes == amplitude_a],
                    )
                )
                for amplitude_a in sorted(set(amplitudes))
            ]
        row |= {
            "wrong_above_0.2": int((found > 0.2).sum()),
            "of_these_refused": int((refused & (found > 0.2)).sum()),
            "refused": int(refused.sum()),
            "largest_error_not_refused": float(found[~refused].max()),
            "found_over_expected": float(np.exp(np.mean(np.log(found / np.array(expected))))),
        }
        rows.append(row)
        print(json.dumps(row), flush=True)
    return rows


# ----------------------------------------------------------------------------------------- choice


def choice(seeds: int) -> list[dict[str, Any]]:
    """Return errors against labels, cells chosen by leverage and at random."""
    rows = []
    for seed in range(seeds):
        pool = [Frame(structure=cell, origin=kind) for kind, _, cell in copper_cells(100 + seed, 8)]
        truth = crystal("Cu")[1]
        frames = label(truth, pool)
        tests = label(
            truth,
            [Frame(structure=cell, origin=kind) for kind, _, cell in copper_cells(500 + seed, 4)],
        )
        recipe = FitRecipe()
        model = PolynomialModel(("Cu",), recipe.polynomial)
        counts = [6, 8, 10, 12, 14, 18, 22, 26, 30, 36, 42]
        order = most_informative(model, None, [frame.structure for frame in frames], max(counts))
        ways = {"leverage": [number for number, _ in order]}
        for draw in range(3):
            random = np.random.default_rng([seed, draw])
            ways[f"random {draw}"] = random.permutation(len(frames))[: max(counts)].tolist()
        for way, chosen in ways.items():
            for count in counts:
                training = train([frames[number] for number in chosen[:count]], ["Cu"], recipe)
                potential = Potential(training.numbers)
                squares = [
                    float(
                        (
                            (potential.ask(frame.structure).forces_ev_per_a - frame.forces) ** 2
                        ).mean()
                    )
                    for frame in tests
                ]
                rows.append(
                    {
                        "seed": seed,
                        "way": way,
                        "labels": count,
                        "force_rmse_ev_per_a": float(np.sqrt(np.mean(squares))),
                        "worst_cell_ev_per_a": float(np.sqrt(np.max(squares))),
                    }
                )
    summary(rows)
    return rows


def summary(rows: list[dict[str, Any]]) -> None:
    """Print how many labels leverage saves."""
    counts = sorted({row["labels"] for row in rows})

    def mean(way: str, count: int, seed: int | None = None) -> float:
        taken = [
            row["force_rmse_ev_per_a"]
            for row in rows
            if row["way"].startswith(way) and row["labels"] == count and seed in (None, row["seed"])
        ]
        return float(np.exp(np.mean(np.log(taken))))

    print("| labels | leverage | random |\n|---|---|---|")
    for count in counts:
        print(f"| {count} | {mean('leverage', count):.3f} | {mean('random', count):.3f} |")
    savings = []
    for seed in sorted({row["seed"] for row in rows}):
        ours = [mean("leverage", count, seed) for count in counts]
        for count in counts[2:]:
            wanted = mean("random", count, seed)
            reached = [other for other, error in zip(counts, ours, strict=True) if error <= wanted]
            if reached:
                savings.append(count / reached[0])
    print(f"labels that random choice needs, over those of leverage: {np.mean(savings):.2f}")


# --------------------------------------------------------------------------------------- recorded


def recorded(paths: list[str], counts: list[int], mesh: int) -> list[dict[str, Any]]:
    """Return κ of potentials fitted to recorded first-principles forces, against all of them."""
    from few_shot import pymatgen_cell, read_set
    from phono3py import Phono3py

    rows = []
    for path in paths:
        whole = read_set(Path(path), None)
        if whole.displacements is None or whole.forces is None:
            raise SystemExit(f"{path}: holds no random snapshots")
        rest = pymatgen_cell(whole.model.supercell)
        frames = []
        for displacement, force in zip(whole.displacements, whole.forces, strict=True):
            cell = rest.copy()
            for atom, step in enumerate(displacement):
                cell.translate_sites([atom], step, frac_coords=False, to_unit_cell=False)
            frames.append(
                LabelledFrame(structure=cell, origin="recorded", forces_ev_per_a=force.tolist())
            )
        meshes = (mesh, mesh, mesh)
        reference = whole.kappa(whole.second_order, whole.third_order, meshes)
        for count in counts:
            potential = Potential(
                train(frames[:count], sorted(rest.symbol_set), FitRecipe()).numbers
            )
            errors = [
                potential.ask(frame.structure).forces_ev_per_a - frame.forces
                for frame in frames[-10:]
            ]
            model = Phono3py(
                whole.model.unitcell,
                supercell_matrix=whole.model.supercell_matrix,
                primitive_matrix=whole.model.primitive_matrix,
                symprec=1e-4,
                log_level=0,
            )
            model.generate_displacements(
                distance=0.03, is_plusminus=True, number_of_snapshots=20, random_seed=1
            )
            model.forces = [
                potential.ask(pymatgen_cell(cell)).forces_ev_per_a
                for cell in model.supercells_with_displacements
            ]
            model.produce_fc3(fc_calculator="symfc")
            kappa = whole.kappa(np.array(model.fc2), np.array(model.fc3), meshes)
            rows.append(
                {
                    "set": whole.name,
                    "labels": count,
                    "atoms": len(rest),
                    "features": len(potential.numbers.coefficients),
                    "force_rmse_mev_per_a": 1000 * float(np.sqrt(np.mean(np.square(errors)))),
                    "kappa_w_per_m_k": kappa,
                    "reference_w_per_m_k": reference,
                    "mesh": mesh,
                }
            )
            print(json.dumps(rows[-1]), flush=True)
    return rows


# ------------------------------------------------------------------------------------------ speed


def speed() -> list[dict[str, Any]]:
    """Return CPU time of a force call on 64 atoms of NaCl, fitted beside SevenNet-0, in turns."""
    structure, truth = crystal("NaCl")
    rows = []
    models = {
        "default": PolynomialRecipe(),
        "second order": PolynomialRecipe(angular_momenta=(4,)),
    }
    cells = disturbed_cells([structure], ExplorationRecipe(), 6, seed=0)
    frames = label(truth, cells)
    for name, polynomial in models.items():
        potential = Potential(train(frames, ["Cl", "Na"], FitRecipe(polynomial=polynomial)).numbers)
        engines = {
            "fitted, with its indicator": as_engine(potential),
            "sevennet-0": truth,
        }
        taken: dict[str, list[float]] = {key: [] for key in engines}
        bare: list[float] = []
        for frame in cells:  # another cell each time: calculators remember the last one
            for key, engine in engines.items():
                started = time.process_time()
                engine.forces([frame.structure])
                taken[key].append(time.process_time() - started)
            cell = polymlp_structure(frame.structure, potential.elements)
            started = time.process_time()
            potential._mean(cell)
            bare.append(time.process_time() - started)
        times = {key: min(values) for key, values in taken.items()}
        rows.append(
            {
                "model": name,
                "features": len(potential.numbers.coefficients),
                "atoms": len(cells[0].structure),
                "fitted_ms": 1000 * times["fitted, with its indicator"],
                "fitted_without_indicator_ms": 1000 * min(bare),
                "sevennet_0_ms": 1000 * times["sevennet-0"],
                "ratio": times["sevennet-0"] / times["fitted, with its indicator"],
                "ratio_without_indicator": times["sevennet-0"] / min(bare),
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    """Compute, print, and keep the rows as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["curve", "indicator", "choice", "speed", "recorded"])
    parser.add_argument("crystals", nargs="*", default=[])
    parser.add_argument("--labels", default="2,3,5,8,12,20")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--mesh", type=int, default=9)
    options = parser.parse_args()
    counts = [int(count) for count in options.labels.split(",")]
    rows = {
        "curve": lambda: curve(options.crystals or ["Cu", "Al", "CuAu", "NaCl", "MgO"], counts),
        "indicator": lambda: indicator(options.seeds),
        "choice": lambda: choice(options.seeds),
        "speed": speed,
        "recorded": lambda: recorded(options.crystals, counts, options.mesh),
    }[options.what]()
    out = RESULTS / f"fitted_potential-{options.what}.json"
    out.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
