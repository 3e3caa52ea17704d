"""Elastic constants from stresses of strained cells, and what follows from them.

Pure functions.  Strains are Green's, stresses Piola and Kirchhoff's second: tensors of the
unstrained crystal, so that its symmetry carries them over into each other exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workflows.kept_symmetry import cartesian, operations_of, standard_frame
from workflows.primitive_cells import reduction_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pymatgen.analysis.elasticity import Deformation, ElasticTensor
    from pymatgen.core import Structure

SLACK_COEFFICIENT = 2.43e-6
"""Of A(γ), for masses in u, lengths in Å, temperatures in K and κ in W/m/K."""


LEAST_SPAN = 0.02
"""Mean square of the images of unit strains along a direction that they measure well."""


@dataclass(frozen=True)
class StrainedCell:
    """One of the symmetry-distinct strained cells.

    Attributes
    ----------
    structure : Structure
        The crystal, strained without rotation; fractional coordinates as before.
    deformation : Deformation
        Deformation gradient, shape (3, 3).
    """

    structure: Structure
    deformation: Deformation


def strained_cells(structure: Structure, strain_fraction: float) -> list[StrainedCell]:
    """Return the fewest strained cells from which symmetry gives the whole tensor.

    Of the six strains along the axes of the crystal's standard setting, in Voigt's order, those are
    taken that the images of earlier ones do not span well: two in cubic crystals, three in
    hexagonal ones.  Along other axes fewer might do, but badly: their images would nearly coincide.
    Each comes with both signs, where they differ, so that what is quadratic in the strain cancels.

    Parameters
    ----------
    strain_fraction
        Size of each strain; of shears that of 2ε, as in Voigt's notation.
    """
    from pymatgen.analysis.elasticity import Strain

    rotations = point_group(structure)
    frame = standard_frame(_primitive(structure))
    tolerance = 0.01 * strain_fraction
    chosen: list[Strain] = []
    gram = np.zeros((6, 6))
    for direction in np.eye(6):
        strain = Strain(frame.T @ Strain.from_voigt(strain_fraction * direction) @ frame)
        images = images_of(strain, rotations)
        vectors = _kelvin(images) / np.linalg.norm(_kelvin(strain[None]))
        values, axes = np.linalg.eigh(gram)
        spanned = axes[:, values > LEAST_SPAN]
        if np.abs(vectors - vectors @ spanned @ spanned.T).max() < 0.01:
            continue
        gram += vectors.T @ vectors / len(vectors)
        chosen.append(strain)
        if not any(np.allclose(image, -strain, atol=tolerance) for image in images):
            chosen.append(-strain)
    deformations = [strain.get_deformation_matrix(shape="symmetric") for strain in chosen]
    return [
        StrainedCell(deformation.apply_to_structure(structure), deformation)
        for deformation in deformations
    ]


def elastic_tensor(
    structure: Structure, cells: Sequence[StrainedCell], stresses_gpa: Sequence[Sequence[float]]
) -> tuple[ElasticTensor, float]:
    """Return the elastic tensor in GPa, and its largest |Cij − Cji| before symmetrisation.

    Parameters
    ----------
    structure
        The crystal without strain.
    cells
        As `strained_cells` gave them.
    stresses_gpa
        Cauchy's stress of each, its positions relaxed: xx, yy, zz, yz, xz, xy, positive where the
        cell is stretched.
    """
    from pymatgen.analysis.elasticity import ElasticTensor, Stress

    rotations = point_group(structure)
    strains, responses = [], []
    for cell, stress_gpa in zip(cells, stresses_gpa, strict=True):
        strain = cell.deformation.green_lagrange_strain
        response = Stress.from_voigt(np.array(stress_gpa)).piola_kirchoff_2(cell.deformation)
        # Of a strain, Voigt's notation counts each shear twice.
        strains.append(_components(images_of(strain, rotations)) * [1, 1, 1, 2, 2, 2])
        responses.append(_components(images_of(response, rotations)))
    # Both signs of each strain are there: the slope of least squares is a central difference.
    slope = np.linalg.lstsq(np.concatenate(strains), np.concatenate(responses), rcond=None)[0]
    asymmetry_gpa = float(np.abs(slope - slope.T).max())
    return ElasticTensor.from_voigt((slope + slope.T) / 2), asymmetry_gpa


def point_group(structure: Structure) -> NDArray[np.float64]:
    """Return the rotations of a crystal, shape (operations, 3, 3), in Cartesian coordinates."""
    primitive = _primitive(structure)
    turns = cartesian(np.unique(operations_of(primitive).rotations, axis=0), primitive)
    # Symmetry holds within a tolerance: the nearest matrices that are rotations.
    left, _, right = np.linalg.svd(turns)
    return np.asarray(left @ right)


def images_of(tensor: NDArray[np.float64], rotations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a symmetric tensor of shape (3, 3) under each rotation."""
    turned = rotations @ np.asarray(tensor) @ rotations.transpose(0, 2, 1)
    return (turned + turned.transpose(0, 2, 1)) / 2


def _components(tensors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return xx, yy, zz, yz, xz, xy of symmetric tensors, shape (…, 6)."""
    return tensors[..., (0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)]


def _kelvin(tensors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return symmetric tensors, shape (…, 3, 3), as vectors whose products are theirs."""
    return _components(np.asarray(tensors)) * np.sqrt([1, 1, 1, 2, 2, 2])


def lowest_eigenvalue_gpa(tensor: ElasticTensor) -> float:
    """Return the lowest eigenvalue of an elastic tensor, in GPa.

    A crystal is mechanically stable where it is positive (F. Mouhat and F.-X. Coudert, Phys. Rev.
    B 90, 224104 (2014)).  Kelvin's notation, with √2 on shears, makes the eigenvalues those of the
    tensor itself, whatever the Cartesian frame.
    """
    weights = np.sqrt([1, 1, 1, 2, 2, 2])
    return float(np.linalg.eigvalsh(tensor.voigt * np.outer(weights, weights)).min())


def primitive_atoms(structure: Structure) -> int:
    """Return how many atoms the primitive cell of a crystal has."""
    return len(_primitive(structure))


def _primitive(structure: Structure) -> Structure:
    """Return a primitive cell in the same Cartesian frame: others may lack symmetry."""
    reduction = reduction_of(structure)
    return structure if reduction is None else reduction.primitive


def gruneisen_parameter(poisson_ratio: float) -> float:
    """Return γ = 3 (1 + ν) / (2 (2 − 3 ν)), an estimate from Poisson's ratio ν.

    V. N. Belomestnykh and E. P. Tesleva, Tech. Phys. 49, 1098 (2004).
    """
    return 1.5 * (1 + poisson_ratio) / (2 - 3 * poisson_ratio)


def acoustic_debye_temperature_k(debye_temperature_k: float, primitive_atoms: int) -> float:
    """Return θₐ = θ_D n^(−1/3), the Debye temperature of the acoustic modes alone.

    θ_D counts all 3n modes, θₐ the three acoustic ones: the mode density of the same velocity is
    cut off at an n-th of the volume of reciprocal space (O. L. Anderson, J. Phys. Chem. Solids 24,
    909 (1963), and Slack).
    """
    return float(debye_temperature_k * primitive_atoms ** (-1 / 3))


def slack_kappa_w_per_m_k(
    mean_mass_u: float,
    volume_a3_per_atom: float,
    primitive_atoms: int,
    acoustic_debye_temperature_k: float,
    gruneisen: float,
    temperature_k: float,
) -> float:
    """Return Slack's estimate of the lattice thermal conductivity, in W/m/K.

    κ = A(γ) M̄ θₐ³ δ n^(1/3) / (γ² T), A(γ) = 2.43e-6 / (1 − 0.514/γ + 0.228/γ²), δ³ the volume of
    an atom: G. A. Slack, Solid State Physics 34, 1 (1979), with A as D. T. Morelli and G. A. Slack
    have it in High Thermal Conductivity Materials (Springer, 2006), p. 37.  The exponent of n
    belongs to the Debye temperature: n^(1/3) goes with θₐ of the acoustic modes (C. Toher et al.,
    Phys. Rev. B 90, 174107 (2014), who write V^(1/3), V the volume of the cell); since
    θₐ = θ_D n^(−1/3), the same is θ_D³ n^(−2/3) with that of all modes.  θₐ together with n^(−2/3)
    would count the optical modes out twice and be a factor of n too small.

    Parameters
    ----------
    mean_mass_u
        M̄, of an atom.
    primitive_atoms
        n, atoms in the primitive cell.
    """
    coefficient = SLACK_COEFFICIENT / (1 - 0.514 / gruneisen + 0.228 / gruneisen**2)
    edge_a = (volume_a3_per_atom * primitive_atoms) ** (1 / 3)
    return float(
        coefficient
        * mean_mass_u
        * acoustic_debye_temperature_k**3
        * edge_a
        / (gruneisen**2 * temperature_k)
    )
