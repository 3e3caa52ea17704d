"""The series of q-meshes from which κ is extrapolated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workflows.lattice_dynamics.harmonic import symmetric_mesh

if TYPE_CHECKING:
    from phono3py import Phono3py

    from workflows.recipes import TransportRecipe


def mesh_series(model: Phono3py, recipe: TransportRecipe) -> list[tuple[int, int, int]]:
    """Return one mesh a length, ascending, all divisions odd.

    Even and odd meshes approach the limit on different curves, which a mixed series would take
    for scatter.  In a long cell neighbouring lengths round to one mesh: the later one is then made
    denser, so that there always is a series to extrapolate.
    """

    def mesh(length_a: float) -> tuple[int, int, int]:
        a, b, c = symmetric_mesh(model, length_a, parity="odd")
        return max(a, 3), max(b, 3), max(c, 3)

    scale = 1.0
    # The time of a solution goes with points² × branches³; max_mesh_points is for two atoms.
    points = recipe.max_mesh_points * max(1.0, (2 / len(model.primitive)) ** 1.5)
    while np.prod(mesh(scale * recipe.mesh_lengths_a[-1])) > points:
        scale *= 0.98
    meshes: list[tuple[int, int, int]] = []
    for length in recipe.mesh_lengths_a:
        a, b, c = mesh(scale * length)
        while meshes and a * b * c <= np.prod(meshes[-1]):
            a, b, c = a + 2, b + 2, c + 2
        meshes.append((a, b, c))
    return meshes
