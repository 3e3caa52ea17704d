"""Few-shot force constants against full sets of recorded first-principles forces.

    python benchmarks/few_shot.py --forces phono3py_params_NaCl-rd.yaml.xz --snapshots 1,2,4
    python benchmarks/few_shot.py --forces disp.yaml --forces-fc3 FORCES_FC3 --engine none --peers

κ from a few of the recorded snapshots, as the route ``few-shot`` computes it, is compared with κ
from all of them, on the same mesh and with harmonic force constants of the same supercell.

A set of finite displacements has no random snapshots: first principles are then emulated.  Forces
are those of the recorded second- and third-order force constants, plus all higher orders of a
potential that is not the prior's (sevennet-0, or sevennet-l3i5 where that is the prior), plus noise
of 1e-4 eV/Å.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workflows.lattice_dynamics import third_order, transport
from workflows.lattice_dynamics.cells import (
    SYMPREC_A,
    displaced,
    has_inversion_at_all_sites,
    pymatgen_cell,
)
from workflows.lattice_dynamics.few_shot import FewShotModel, PotentialForces, kappa_posterior
from workflows.lattice_dynamics.few_shot_crystal import random_displacements
from workflows.lattice_dynamics.force_constant_basis import (
    ForceConstantBasis,
    force_constant_basis,
)
from workflows.recipes import ThirdOrderRecipe

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from phono3py import Phono3py

TEMPERATURE_K = 300.0
AMPLITUDE_A = 0.03
NOISE_EV_PER_A = 1e-4
POSTERIOR_MESH = 7
"""Most divisions of the mesh on which draws of the posterior are compared."""


@dataclass
class RecordedSet:
    """A set of recorded forces.

    Parameters
    ----------
    model
        Phono3py object of its cells, with Born charges where they are recorded.
    displacements, forces
        Random snapshots, shape (snapshots, atoms, 3); None for finite displacements.
    second_order, third_order
        Compact force constants of the whole set.
    """

    name: str
    model: Phono3py
    displacements: NDArray[np.float64] | None
    forces: NDArray[np.float64] | None
    second_order: NDArray[np.float64]
    third_order: NDArray[np.float64]

    def kappa(
        self, second: NDArray[np.float64], third: NDArray[np.float64], mesh: tuple[int, ...]
    ) -> float:
        """Return κ at 300 K in W/m/K of compact force constants."""
        self.model.fc2, self.model.fc3 = second, third
        found = transport.conductivity(self.model, mesh, [TEMPERATURE_K])
        return found.isotropic_w_per_m_k(TEMPERATURE_K)


def record_of(path: Path) -> Any:
    """Return what a parameter file of phono3py, or one of phonopy with random snapshots, holds."""
    from phonopy.file_IO import get_io_module_to_decompress

    from workflows.lattice_dynamics.parameter_files import phono3py_record, phonopy_record

    with get_io_module_to_decompress(path).open(path, "rt") as file:
        is_phonopy = file.readline().startswith("phonopy:")
    record = phonopy_record(path) if is_phonopy else phono3py_record(path)
    if is_phonopy and "displacements" not in (record.dataset or {}):
        raise SystemExit(f"{path}: displacements of phonopy tell nothing of third order")
    return record


def read_set(path: Path, forces_fc3: Path | None) -> RecordedSet:
    """Read a phono3py parameter file and fit all of its forces."""
    from phono3py import Phono3py
    from phono3py.file_IO import parse_FORCES_FC3
    from phonopy.file_IO import parse_BORN
    from phonopy.physical_units import get_physical_units
    from phonopy.structure.cells import get_primitive_matrix

    from workflows.lattice_dynamics.cells import conventional_cell

    record = record_of(path)
    if forces_fc3 is not None:
        parse_FORCES_FC3(record.dataset, filename=forces_fc3)
    primitive = record.primitive_matrix
    if primitive is None:
        primitive = get_primitive_matrix(conventional_cell(pymatgen_cell(record.unitcell))[1])
    model = Phono3py(
        record.unitcell,
        supercell_matrix=record.supercell_matrix,
        primitive_matrix=primitive,
        symprec=SYMPREC_A,
        log_level=0,
    )
    if record.nac_params is not None:
        model.nac_params = record.nac_params
    elif (born := path.parent / "BORN").exists():
        units = get_physical_units()
        coulomb = {"factor": units.Hartree * units.Bohr}  # e²/4πε₀ in eV Å, unless BORN says
        model.nac_params = coulomb | parse_BORN(model.primitive, filename=born)
    model.dataset = record.dataset
    random = "displacements" in record.dataset
    if random:
        displacements = np.array(record.dataset["displacements"])
        forces = np.array(record.dataset["forces"])
        flat = displacements.reshape(len(displacements), -1)
        rank, wanted = np.linalg.matrix_rank(flat), min(len(flat), flat.shape[1] - 3)
        if rank < wanted:
            raise SystemExit(
                f"{path.name}: its displacements go in {rank} of {wanted} directions, so that no "
                "force constants follow from all of its forces; take another set"
            )
        model.produce_fc3(fc_calculator="symfc")
    else:
        displacements = forces = None
        model.produce_fc3(is_compact_fc=True)
        model.symmetrize_fc3()
        model.symmetrize_fc2()
    name = path.name.removesuffix(".xz").removesuffix(".yaml").removeprefix("phono3py_params")
    name = name.strip("_-") if name.strip("_-") != "phono3py_disp" else path.parent.name
    second, third = np.array(model.fc2), np.array(model.fc3)
    # symfc works on displacements and forces that the model keeps; it is to be reused for κ.
    return RecordedSet(name, model, displacements, forces, second, third)


def engine_named(name: str) -> Any:
    """Return an engine."""
    from screening.targets.engines import build_engine, engine_config

    return build_engine(engine_config(name))


def engine_forces(
    engine: Any, model: Phono3py, displacements: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return an engine's forces on snapshots, less those on the undisplaced supercell."""
    perfect = np.zeros_like(displacements[:1])
    cells = displaced(model.supercell, np.concatenate([perfect, displacements]))
    forces = np.array(engine.forces(cells))
    return forces[1:] - forces[0]


def potential_force_constants(
    engine: Any, model: Phono3py
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return an engine's own compact force constants in the supercell of a set."""
    from workflows.lattice_dynamics.cells import conventional_cell

    # The set's own cell, whose order of atoms its displacements have.
    cell = pymatgen_cell(model.unitcell)
    centring = conventional_cell(cell)[1]
    plan = third_order.plan_third_order(
        cell, centring, np.asarray(model.supercell_matrix), ThirdOrderRecipe()
    )
    cells = third_order.third_order_supercells(plan)
    third_order.set_third_order_forces(plan, engine.forces(cells))
    found = third_order.fit_third_order(plan)
    return found.second_order, found.third_order


class Snapshots:
    """Random snapshots of a set, by draw: recorded ones, or emulated ones.

    Parameters
    ----------
    most
        Snapshots of a draw.
    """

    def __init__(
        self,
        recorded: RecordedSet,
        basis: ForceConstantBasis,
        draws: int,
        most: int,
        emulator: Any | None,
    ) -> None:
        self.emulated = recorded.displacements is None
        if recorded.displacements is not None and recorded.forces is not None:
            generator = np.random.default_rng(0)
            available = len(recorded.displacements)
            # As many different ones as there are, then again from the start in another order.
            order: list[int] = []
            while len(order) < draws * most:
                order += generator.permutation(available).tolist()
            used = sorted(set(order[: draws * most]))
            place = {index: position for position, index in enumerate(used)}
            self.of_draw = [
                [place[index] for index in order[draw * most : (draw + 1) * most]]
                for draw in range(draws)
            ]
            self.displacements = recorded.displacements[used]
            self.forces = recorded.forces[used]
            return
        atoms = len(recorded.model.supercell)
        mirrored = not has_inversion_at_all_sites(recorded.model.primitive)
        self.displacements = np.concatenate(
            [
                random_displacements(atoms, most, AMPLITUDE_A, seed, mirrored=mirrored)
                for seed in range(draws)
            ]
        )
        self.of_draw = [list(range(draw * most, (draw + 1) * most)) for draw in range(draws)]
        second = basis.second.coordinates(recorded.second_order)
        third = basis.third.coordinates(recorded.third_order)
        self.forces = basis.forces(self.displacements, second, third)
        if emulator is not None:
            own = potential_force_constants(emulator, recorded.model)
            low = basis.forces(
                self.displacements,
                basis.second.coordinates(own[0]),
                basis.third.coordinates(own[1]),
            )
            self.forces += engine_forces(emulator, recorded.model, self.displacements) - low
        noise = np.random.default_rng(1).normal(size=self.forces.shape)
        self.forces += NOISE_EV_PER_A * noise


def rows_of(
    path: Path, forces_fc3: Path | None, options: argparse.Namespace
) -> list[dict[str, Any]]:
    """Return the rows of one set."""
    recorded = read_set(path, forces_fc3)
    basis = force_constant_basis(recorded.model)
    mesh = tuple(options.mesh)
    coarse = tuple(min(division, POSTERIOR_MESH) for division in mesh)
    reference = recorded.kappa(recorded.second_order, recorded.third_order, mesh)
    emulator_name = "sevennet-l3i5" if options.engine == "sevennet-0" else "sevennet-0"
    emulator = engine_named(emulator_name) if recorded.displacements is None else None
    snapshots = Snapshots(recorded, basis, options.draws, max(options.snapshots), emulator)
    engine = None if options.engine == "none" else engine_named(options.engine)
    potential = None
    alone = None
    if engine is not None:
        second, third = potential_force_constants(engine, recorded.model)
        alone = recorded.kappa(second, third, mesh)
        forces = engine_forces(engine, recorded.model, snapshots.displacements)
        potential = PotentialForces(second, third, forces)
    model = FewShotModel(basis, snapshots.displacements, potential, recorded.model.supercell)
    common = {
        "set": recorded.name,
        "engine": options.engine,
        "emulated": snapshots.emulated,
        "unknowns": basis.second.unknowns + basis.third.unknowns,
        "reference_w_per_m_k": reference,
        "potential_alone_w_per_m_k": alone,
    }
    found = []
    for count in options.snapshots:
        for draw, indices in enumerate(snapshots.of_draw):
            chosen = indices[:count]
            started = time.perf_counter()
            fitted = model.fit(snapshots.forces[chosen], chosen)
            fit_s = time.perf_counter() - started
            kappa = recorded.kappa(*fitted.posterior.mean(), mesh)
            relative = kappa_posterior(
                fitted.posterior, lambda second, third: recorded.kappa(second, third, coarse)
            )
            scale = kappa / relative.kappa_w_per_m_k
            row = {
                **common,
                "method": "few-shot",
                "snapshots": count,
                "draw": draw,
                "kappa_w_per_m_k": kappa,
                "error_bar_w_per_m_k": relative.error_bar_w_per_m_k * scale,
                "posterior_std_w_per_m_k": relative.std_w_per_m_k * scale,
                "posterior_shift_w_per_m_k": relative.shift_w_per_m_k * scale,
                "accepted": bool(
                    relative.error_bar_w_per_m_k
                    <= options.max_relative_error * relative.kappa_w_per_m_k
                ),
                "prior_kind": fitted.posterior.prior.kind,
                "higher_orders": fitted.higher_orders,
                "scales": fitted.posterior.scales,
                "noise_ev_per_a": fitted.posterior.noise_ev_per_a,
                "log_evidences": fitted.log_evidences,
                "fit_s": fit_s,
            }
            found.append(row)
            tell(row)
            if options.peers:
                found += peers(recorded, basis, snapshots, chosen, mesh, {**common, "draw": draw})
    return found


def peers(
    recorded: RecordedSet,
    basis: ForceConstantBasis,
    snapshots: Snapshots,
    chosen: list[int],
    mesh: tuple[int, ...],
    common: dict[str, Any],
) -> list[dict[str, Any]]:
    """Return rows of what others would make of the same snapshots."""
    found = []
    displacements, forces = snapshots.displacements[chosen], snapshots.forces[chosen]
    methods = {"symfc": "symfc"}
    mirrored = len(chosen) % 2 == 0 and np.allclose(displacements[::2], -displacements[1::2])
    if mirrored:
        methods = {"mirrored pairs": "symfc"}
    import importlib.util

    if importlib.util.find_spec("pypolymlp") is not None:
        methods["pypolymlp"] = "pypolymlp"
    for method in methods:
        third_order_fit = (
            _pypolymlp(recorded, displacements, forces)
            if method == "pypolymlp"
            else _symfc(basis, displacements, forces, mirrored)
        )
        if third_order_fit is None:
            continue
        row = {
            **common,
            "method": method,
            "snapshots": len(chosen),
            "kappa_w_per_m_k": recorded.kappa(*third_order_fit, mesh),
            "error_bar_w_per_m_k": None,
            "accepted": None,
            "prior_kind": None,
        }
        found.append(row)
        tell(row)
    return found


def _symfc(
    basis: ForceConstantBasis,
    displacements: NDArray[np.float64],
    forces: NDArray[np.float64],
    mirrored: bool,
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return symfc's own fit, or None where it has fewer equations than unknowns."""
    directions = 3 * basis.second.atoms - 3
    equations = directions * len(displacements) // (2 if mirrored else 1)
    unknowns = basis.third.unknowns + (0 if mirrored else basis.second.unknowns)
    if equations < unknowns:
        return None
    design = np.hstack([basis.second.forces(displacements), basis.third.forces(displacements)])
    # Equal to symfc's solution to round-off; see tests/workflows/test_few_shot.py.
    solved = np.linalg.lstsq(design, basis.equations(forces), rcond=None)[0]
    split = basis.second.unknowns
    return basis.second.force_constants(solved[:split]), basis.third.force_constants(solved[split:])


def _pypolymlp(
    recorded: RecordedSet, displacements: NDArray[np.float64], forces: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return force constants by phono3py's own use of pypolymlp, or None where it cannot."""
    if len(displacements) < 2:
        return None  # it needs one to train and one to test
    from phono3py import Phono3py
    from phonopy.interface.mlp import PhonopyMLPError

    model = Phono3py(
        recorded.model.unitcell,
        supercell_matrix=recorded.model.supercell_matrix,
        primitive_matrix=recorded.model.primitive_matrix,
        symprec=SYMPREC_A,
        log_level=0,
    )
    test = max(1, len(displacements) // 10)
    model.mlp_dataset = {
        "displacements": displacements,
        "forces": forces,
        "supercell_energies": np.zeros(len(displacements)),
    }
    try:
        model.develop_mlp(test_size=test / len(displacements))
    except (PhonopyMLPError, RuntimeError, ValueError):
        return None
    model.generate_displacements(distance=0.001, is_plusminus=True, number_of_snapshots=20)
    model.evaluate_mlp()
    model.produce_fc3(fc_calculator="symfc")
    return np.array(model.fc2), np.array(model.fc3)


def tell(row: dict[str, Any]) -> None:
    """Say what a row found, on stderr: --json has stdout to itself."""
    error = 100 * (row["kappa_w_per_m_k"] / row["reference_w_per_m_k"] - 1)
    bar = row["error_bar_w_per_m_k"]
    about = f"{row['method']:14s} {row['set']:16s} N={row['snapshots']} draw {row['draw']}: "
    about += f"κ {row['kappa_w_per_m_k']:.4g} W/m/K, {error:+.1f} %"
    if bar is not None:
        about += f", bar {100 * bar / row['kappa_w_per_m_k']:.1f} %, {row['prior_kind']}"
        about += " + higher orders" if row["higher_orders"] else ""
        about += ", accepted" if row["accepted"] else ""
    print(about, file=sys.stderr, flush=True)


def summary(rows: list[dict[str, Any]]) -> str:
    """Return a Markdown table of errors by set, method and number of snapshots."""
    lines = [
        "| set | method | snapshots | rms error | worst | within the bar | worst error/bar "
        "| accepted | accepted ones within the bar |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    keys = sorted({(row["set"], row["method"], row["snapshots"]) for row in rows})
    for key in keys:
        of_key = [row for row in rows if (row["set"], row["method"], row["snapshots"]) == key]
        errors = np.array(
            [row["kappa_w_per_m_k"] / row["reference_w_per_m_k"] - 1 for row in of_key]
        )
        line = f"| {key[0]} | {key[1]} | {key[2]} | {100 * np.sqrt((errors**2).mean()):.1f} % "
        line += f"| {100 * errors[np.abs(errors).argmax()]:+.1f} % "
        if key[1] == "few-shot":
            ratio = np.array(
                [
                    abs(row["kappa_w_per_m_k"] - row["reference_w_per_m_k"])
                    / row["error_bar_w_per_m_k"]
                    for row in of_key
                ]
            )
            accepted = np.array([row["accepted"] for row in of_key])
            line += f"| {(ratio <= 1).sum()} of {len(ratio)} | {ratio.max():.2f} "
            line += f"| {accepted.sum()} | {(ratio[accepted] <= 1).sum()} |"
        else:
            line += "| – | – | – | – |"
        lines.append(line)
    return "\n".join(lines)


def numbers(text: str) -> list[int]:
    """Return comma-separated integers."""
    return [int(number) for number in text.split(",")]


def main() -> None:
    """Compare, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--forces",
        type=Path,
        action="append",
        required=True,
        help="phono3py parameter file with forces",
    )
    parser.add_argument(
        "--forces-fc3",
        type=Path,
        action="append",
        default=[],
        help="FORCES_FC3 of the --forces of the same place, where that has displacements only",
    )
    parser.add_argument("--snapshots", type=numbers, default=[1, 2, 4, 8])
    parser.add_argument("--draws", type=int, default=8, help="choices of snapshots")
    parser.add_argument("--engine", default="sevennet-l3i5", help="of the prior, or none")
    parser.add_argument("--mesh", type=numbers, default=[9, 9, 9])
    parser.add_argument("--max-relative-error", type=float, default=0.1)
    parser.add_argument("--peers", action="store_true", help="symfc and pypolymlp, too")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    options = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    rows: list[dict[str, Any]] = []
    for place, path in enumerate(options.forces):
        forces_fc3 = options.forces_fc3[place] if place < len(options.forces_fc3) else None
        if forces_fc3 is None and path.name.startswith("phono3py_disp.yaml"):
            forces_fc3 = next(iter(sorted(path.parent.glob("FORCES_FC3*"))), None)
        rows += rows_of(path, forces_fc3, options)
    print(json.dumps(rows, indent=1) if options.json else summary(rows))


if __name__ == "__main__":
    main()
