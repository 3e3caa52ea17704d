"""What κ costs beside its forces: force constants, linewidths on a series of meshes.

    python benchmarks/kappa_solve.py [--source phonondb-103] [--only KBr-225 BeO-186 …]
        [--engine sevennet-0]

For each crystal, named by formula and number of the space group: the two fits of force constants
and the solutions that a result takes, as the flow does them, and once more by phono3py alone
(`produce_fc3` for each fit, linewidths by its own loop).  Core seconds in one run.  Force constants
must be the same bit by bit, κ to 10⁻⁹.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from workflows.lattice_dynamics.third_order import ThirdOrderPlan


def main() -> None:
    """Compute and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", default="phonondb-103")
    parser.add_argument("--only", nargs="+", default=["KBr-225", "ZnS-216", "BeO-186"])
    parser.add_argument("--engine", default="sevennet-0")
    options = parser.parse_args()
    print(
        "| crystal | atoms, supercell | meshes | forces | fit | solve | by phono3py | ratio | κ |"
    )
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for name in options.only:
        tell(name, find(options.source, name), options.engine)


def find(source: str, name: str) -> Structure:
    """Return the crystal of a source that has this formula and space group."""
    from screening.candidates.symmetry_search import found_number
    from screening.sources import open_source

    formula, _, number = name.rpartition("-")
    for record in open_source(source).records():
        structure: Any = record.content
        if structure is None or structure.reduced_formula != formula:
            continue
        if found_number(structure, 1e-2) == int(number):
            return structure
    raise SystemExit(f"'{source}' has no {formula} in space group {number}")


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a call returns, and its core seconds."""
    start = time.process_time()
    return call(), time.process_time() - start


def phono3py_fit(plan: ThirdOrderPlan, pairs: int | None) -> tuple[Any, Any]:
    """Return second- and third-order force constants of the first pairs, by phono3py."""
    from workflows.lattice_dynamics.third_order import _pairs

    model, dataset = plan.model, plan.model.dataset
    displacements, forces = _pairs(dataset, int(pairs or 0), plan.pairs)
    model.dataset = {"displacements": displacements, "forces": forces}
    model.produce_fc3(fc_calculator="symfc")
    model.dataset = dataset
    return model.fc2.copy(), model.fc3.copy()


def tell(name: str, structure: Structure, engine_name: str) -> None:
    """Print a row."""
    from screening.targets.engines import build_engine, engine_config
    from workflows.conductivity import ThermalConductivityMaker
    from workflows.lattice_dynamics import harmonic, linewidths, third_order, transport
    from workflows.lattice_dynamics.cells import conventional_cell, supercell_matrix
    from workflows.lattice_dynamics.meshes import mesh_series

    engine = build_engine(engine_config(engine_name))
    maker = ThermalConductivityMaker(engine)
    recipe, steps = maker.recipe, maker._makers()[2]
    relaxed = engine.relax(structure, recipe.relaxation).structure
    cell, centring = conventional_cell(relaxed)
    matrix = supercell_matrix(cell, recipe.phonons.min_length_a, recipe.phonons.max_atoms)
    phonon = harmonic.harmonic_model(cell, centring, matrix, recipe.phonons.distance_a)
    forces, forces_s = timed(lambda: engine.forces(harmonic.harmonic_supercells(phonon)))
    harmonic.set_harmonic_forces(phonon, forces)
    plan = steps.plan(relaxed)
    forces, more_s = timed(lambda: engine.forces(third_order.third_order_supercells(plan)))
    third_order.set_third_order_forces(plan, forces)
    fewer = steps._fewer_pairs(plan) or plan.pairs
    fits = [plan.pairs, fewer]
    ours_fc, fit_s = timed(lambda: [third_order.fit_third_order(plan, pairs) for pairs in fits])
    theirs_fc, theirs_fit_s = timed(lambda: [phono3py_fit(plan, pairs) for pairs in fits])
    for mine, (second, third) in zip(ours_fc, theirs_fc, strict=True):
        if (mine.second_order != second).any() or (mine.third_order != third).any():
            raise SystemExit(f"{name}: the force constants differ")
    constants = ours_fc[0]
    model = transport.transport_model(cell, centring, phonon, plan, constants)
    meshes = mesh_series(model, recipe.transport)
    # The coarsest once more with the force constants of fewer pairs, for the error bar.
    solved = [meshes[0], *meshes]
    # The first solution of a program compiles or loads the loop.
    transport.conductivity(model, (3, 3, 3), [300.0])

    def series() -> list[float]:
        temperatures = recipe.transport.temperatures_k
        found = [transport.conductivity(model, mesh, temperatures) for mesh in solved]
        return [each.isotropic_w_per_m_k(300.0) for each in found]

    ours, ours_s = timed(series)
    most, linewidths.MOST_BYTES = linewidths.MOST_BYTES, 0
    theirs, theirs_s = timed(series)
    linewidths.MOST_BYTES = most
    if max(abs(a / b - 1) for a, b in zip(ours, theirs, strict=True)) > 1e-9:
        raise SystemExit(f"{name}: κ {ours} and by phono3py {theirs}")
    ratio = (theirs_fit_s + theirs_s) / (fit_s + ours_s)
    print(
        f"| {name} | {len(cell)}, {len(plan.model.supercell)} "
        f"| {', '.join('×'.join(map(str, mesh)) for mesh in meshes)} | {forces_s + more_s:.1f} s "
        f"| {fit_s:.1f} s | {ours_s:.1f} s | {theirs_fit_s:.1f} + {theirs_s:.1f} s "
        f"| {ratio:.1f} | {ours[-1]:.3f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
