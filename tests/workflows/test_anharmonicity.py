"""Third-order part of the forces of vibrating atoms."""

from __future__ import annotations

import numpy as np
import pytest

from workflows.lattice_dynamics import third_order
from workflows.lattice_dynamics.anharmonicity import (
    STRONG,
    beyond_three_phonons,
    cubic_anharmonicity,
)
from workflows.lattice_dynamics.third_order import ThirdOrderForceConstants


@pytest.fixture(scope="module")
def fitted(copper):
    plan = copper.plan()
    return plan.model, third_order.fit_third_order(plan)


def test_it_is_the_share_of_third_order_in_forces_on_thermal_atoms(fitted, emt):
    from phonopy import Phonopy

    from workflows.lattice_dynamics.cells import pymatgen_cell

    model, constants = fitted
    found = cubic_anharmonicity(model, constants, 300.0)
    # EMT's own forces on such atoms, mirror images taken together: even orders of the energy
    # cancel in the mean of the two, of which the third is by far the largest.
    phonon = Phonopy(
        model.unitcell,
        supercell_matrix=model.supercell_matrix,
        primitive_matrix=model.primitive_matrix,
        log_level=0,
    )
    phonon.force_constants = constants.second_order
    phonon.generate_displacements(number_of_snapshots=8, temperature=300.0, random_seed=0)
    displacements = phonon.dataset["displacements"]
    cells = []
    for displacement in np.concatenate([displacements, -displacements]):
        cell = model.supercell.copy()
        cell.positions = cell.positions + displacement
        cells.append(pymatgen_cell(cell))
    forces = np.array(emt.forces(cells))
    even = (forces[:8] + forces[8:]) / 2
    expected = np.sqrt((even**2).mean() / (forces[:8] ** 2).mean())
    assert found == pytest.approx(expected, rel=0.15)


def test_it_grows_with_temperature_and_third_order(fitted):
    model, constants = fitted
    cold, warm = (cubic_anharmonicity(model, constants, kelvin) for kelvin in (100.0, 400.0))
    assert cold < warm
    doubled = ThirdOrderForceConstants(constants.second_order, 2 * constants.third_order, None)
    assert cubic_anharmonicity(model, doubled, 100.0) == pytest.approx(2 * cold, rel=0.05)


def test_force_constants_that_are_not_compact_give_the_same(fitted):
    model, constants = fitted
    shifts, first = model.primitive.atomic_permutations, model.primitive.p2s_map
    atoms = len(model.supercell)
    second = np.zeros((atoms, atoms, 3, 3))
    third = np.zeros((atoms, atoms, atoms, 3, 3, 3))
    for shift in shifts:
        rows = shift[first]
        second[np.ix_(rows, shift)] = constants.second_order
        third[np.ix_(rows, shift, shift)] = constants.third_order
    full = ThirdOrderForceConstants(second, third, None)
    assert cubic_anharmonicity(model, full, 300.0) == pytest.approx(
        cubic_anharmonicity(model, constants, 300.0)
    )


def test_words_only_for_strong_anharmonicity():
    assert beyond_three_phonons(None, 300.0) is None
    assert beyond_three_phonons(STRONG - 0.01, 300.0) is None
    assert "strongly anharmonic at 300 K (third-order part of the forces 0.41)" in str(
        beyond_three_phonons(0.41, 300.0)
    )
