"""Force sets that were recorded: phono3py parameter files, ours or anybody's, read back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from workflows.lattice_dynamics import harmonic
from workflows.lattice_dynamics.cells import (
    SYMPREC_A,
    Centring,
    conventional_cell,
    pymatgen_cell,
)
from workflows.lattice_dynamics.parameter_files import phono3py_record
from workflows.lattice_dynamics.third_order import (
    ThirdOrderForceConstants,
    ThirdOrderPlan,
    fit_third_order,
)
from workflows.lattice_dynamics.transport import transport_model
from workflows.recipes import ThirdOrderRecipe

if TYPE_CHECKING:
    from phono3py import Phono3py
    from phonopy import Phonopy
    from pymatgen.core import Structure


def recorded_model(
    params: str | os.PathLike[str] | TextIO,
    forces_fc3: str | os.PathLike[str] | None = None,
    *,
    cutoff_a: float | None = None,
    force_constants: Mapping[str, Any] | None = None,
) -> Phono3py:
    """Return a Phono3py object that is ready for κ, from recorded displacements and forces.

    Reads the files that are named and no other: phono3py's own loader also takes a ``BORN`` or
    ``FORCES_FC3`` that happens to lie in the working directory.

    Parameters
    ----------
    params
        phono3py parameter file, as a path (which may end in ``.xz``) or an open file: the
        `phono3py_params` of a result document, or one that phono3py wrote.  It may hold finite
        displacements or random snapshots, mirrored or not, and Born charges.
    forces_fc3
        phono3py's FORCES_FC3, where the parameter file has displacements only.
    cutoff_a
        For random snapshots: atoms farther apart are taken as not interacting.
    force_constants
        Compact ones that are known, ``second_order`` of the supercell of harmonic phonons and
        ``third_order``; None fits them.

    Raises
    ------
    ValueError
        When forces are missing, the unit cell is not the conventional one in spglib's setting,
        or there are fewer equations than unknowns.
    """
    from phono3py.file_IO import parse_FORCES_FC3

    record = phono3py_record(params)
    structure, centring = _checked_cell(record)
    if forces_fc3 is not None:
        parse_FORCES_FC3(record.dataset, filename=forces_fc3)
    if force_constants is not None:
        plan = ThirdOrderPlan(_model(record, centring), ThirdOrderRecipe(cutoff_a=cutoff_a))
        phonon = _phonon_of(record, centring, force_constants)
        known = ThirdOrderForceConstants(
            np.array(phonon.force_constants), np.array(force_constants["third_order"]), None
        )
        return transport_model(structure, centring, phonon, plan, known)
    plan, fitted = _third_order(record, structure.reduced_formula, centring, cutoff_a)
    return transport_model(structure, centring, _phonon(record, centring, fitted), plan, fitted)


def recorded_phonon(
    params: str | os.PathLike[str] | TextIO,
    *,
    cutoff_a: float | None = None,
    force_constants: Mapping[str, Any] | None = None,
) -> Phonopy:
    """Return the harmonic part of `recorded_model`: a Phonopy object with force constants.

    Third-order force constants, which take long, are fitted only where the record has no harmonic
    forces of their own.

    Parameters
    ----------
    params, cutoff_a, force_constants
        As for `recorded_model`.

    Raises
    ------
    ValueError
        As `recorded_model` does.
    """
    record = phono3py_record(params)
    structure, centring = _checked_cell(record)
    if force_constants is not None:
        return _phonon_of(record, centring, force_constants)
    fitted = None
    if record.phonon_dataset is None:
        fitted = _third_order(record, structure.reduced_formula, centring, cutoff_a)[1]
    return _phonon(record, centring, fitted)


def _checked_cell(record: Any) -> tuple[Structure, Centring]:
    """Return the record's unit cell and its centring; only conventional cells will do."""
    from phonopy.structure.cells import get_primitive_matrix

    structure = pymatgen_cell(record.unitcell)
    centring = conventional_cell(structure)[1]
    primitive = np.eye(3) if record.primitive_matrix is None else record.primitive_matrix
    if not np.allclose(primitive, np.asarray(get_primitive_matrix(centring)), atol=1e-6):
        raise ValueError(
            f"{structure.reduced_formula}: the record's primitive_matrix is not that of "
            f"'{centring}' centring; record the forces on the conventional cell"
        )
    return structure, centring


def _third_order(
    record: Any, name: str, centring: Centring, cutoff_a: float | None
) -> tuple[ThirdOrderPlan, ThirdOrderForceConstants]:
    """Return third-order force constants of the recorded forces, and the plan they belong to."""
    if not _has_forces(record.dataset):
        raise ValueError(f"{name}: the record has no forces; name the FORCES_FC3 that goes with it")
    model = _model(record, centring)
    if "first_atoms" in record.dataset:
        plan = ThirdOrderPlan(model, ThirdOrderRecipe(route="finite-displacements"))
        return plan, fit_third_order(plan)
    plan = ThirdOrderPlan(model, ThirdOrderRecipe(cutoff_a=cutoff_a))
    return plan, _fit_snapshots(model, cutoff_a, name)


def _model(record: Any, centring: Centring) -> Phono3py:
    """Return a Phono3py object with the record's displacements and forces."""
    from phono3py import Phono3py

    model = Phono3py(
        record.unitcell,
        supercell_matrix=record.supercell_matrix,
        primitive_matrix=centring,
        symprec=SYMPREC_A,
        log_level=0,
    )
    model.dataset = record.dataset
    return model


def _has_forces(dataset: Any) -> bool:
    return "forces" in (dataset["first_atoms"][0] if "first_atoms" in dataset else dataset)


def _fit_snapshots(model: Phono3py, cutoff_a: float | None, name: str) -> ThirdOrderForceConstants:
    """Fit second- and third-order force constants to random snapshots together."""
    from phonopy.interface.symfc import SymfcFCSolver

    displacements = np.asarray(model.dataset["displacements"])
    snapshots, half = len(displacements), len(displacements) // 2
    mirrored = np.allclose(displacements[:half], -displacements[snapshots - half :])
    directions = 3 * len(model.supercell) - 3
    distinct = half if mirrored else snapshots
    spanned = np.linalg.matrix_rank(displacements.reshape(snapshots, -1), tol=1e-5)
    if spanned < min(distinct, directions):
        raise ValueError(
            f"{name}: {snapshots} snapshots displace the atoms along {spanned} directions of "
            f"{directions}; displace every atom at random"
        )
    options = None if cutoff_a is None else {"cutoff": {3: cutoff_a}}
    solver = SymfcFCSolver(model.supercell, symmetry=model.symmetry, options=options)
    unknowns = solver.estimate_basis_size(orders=[2, 3])
    # Even and odd parts of mirrored forces are separate fits, of half the equations each.
    needed = max(unknowns.values()) if mirrored else sum(unknowns.values())
    if distinct * directions < needed:
        raise ValueError(
            f"{name}: {snapshots} snapshots give {distinct * directions} equations for {needed} "
            "unknowns; compute more snapshots or lower cutoff_a"
        )
    model.produce_fc3(
        fc_calculator="symfc",
        fc_calculator_options=None if cutoff_a is None else f"cutoff={cutoff_a}",
    )
    return ThirdOrderForceConstants(
        np.array(model.fc2), np.array(model.fc3), model.fc3_nonzero_indices
    )


def _phonon_of(record: Any, centring: Centring, force_constants: Mapping[str, Any]) -> Phonopy:
    """Return harmonic phonons of force constants that are known."""
    matrix = record.phonon_supercell_matrix
    phonon = _phonopy(record, record.supercell_matrix if matrix is None else matrix, centring)
    phonon.force_constants = np.array(force_constants["second_order"])
    return phonon


def _phonon(
    record: Any, centring: Centring, force_constants: ThirdOrderForceConstants | None
) -> Phonopy:
    """Return harmonic phonons from forces of their own, or from the third-order ones."""
    own = record.phonon_dataset is not None
    matrix = record.phonon_supercell_matrix if own else record.supercell_matrix
    phonon = _phonopy(record, matrix, centring)
    if force_constants is not None and not own:
        phonon.force_constants = force_constants.second_order
        return phonon
    phonon.dataset = record.phonon_dataset
    if "first_atoms" in record.phonon_dataset:
        harmonic.fit_compact(phonon)
    else:
        phonon.produce_force_constants(fc_calculator="symfc")
    return phonon


def _phonopy(record: Any, supercell_matrix: Any, centring: Centring) -> Phonopy:
    """Return a Phonopy object of the record's cell, with its Born charges."""
    from phonopy import Phonopy

    phonon = Phonopy(
        record.unitcell,
        supercell_matrix=supercell_matrix,
        primitive_matrix=centring,
        symprec=SYMPREC_A,
        log_level=0,
    )
    phonon.nac_params = record.nac_params
    return phonon
