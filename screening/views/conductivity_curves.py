"""Curves of a result of the lattice thermal conductivity: phonons, κ, its modes, its q-meshes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.views.forms import Axis, CurveView, Line, Note, PhononView, Role, Tick
from screening.views.numbers import (
    CURVE_DIGITS,
    drawn,
    finite,
    in_digits,
    rounded,
    short,
    shortened,
    spans,
    subscripted,
    with_error,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNIT = "W/m/K"
KAPPA = "κ / (W/m/K)"
KAPPA_300K = "κ(300 K) / (W/m/K)"
IMAGINARY_THZ = -0.01
"""Below it a mode is imaginary; nearer to zero is round-off."""
CARRIES = 1e-3
"""Fraction of κ that shorter mean free paths than those shown may have."""
SYMPREC_A = 0.01
"""Tolerance within which the relaxed crystal has its symmetry."""
NM_PER_ANGSTROM = 0.1
_GREEK = {r"\Gamma": "Γ", r"\Sigma": "Σ", r"\Delta": "Δ", r"\Lambda": "Λ"}


def phonons(result: Mapping[str, Any]) -> list[PhononView]:
    """Return phonon bands with the density of states beside them."""
    spectrum = result.get("spectrum")
    if not spectrum:
        return []
    return [
        PhononView(
            name="",
            title="Phonon bands and density of states",
            caption="Imaginary frequencies are drawn as negative ones.",
            distance_per_a=[
                shortened(distance, CURVE_DIGITS) for distance in spectrum["band_distance_per_a"]
            ],
            frequency_thz=[
                # A thousandth of a THz is finer than any line.
                rounded(np.round(segment, 3), CURVE_DIGITS).tolist()
                for segment in spectrum["band_frequency_thz"]
            ],
            labels=[(symbol(start), symbol(end)) for start, end in spectrum["band_labels"]],
            dos_frequency_thz=drawn(spectrum["dos_frequency_thz"]),
            dos_per_thz=drawn(spectrum["dos_per_thz"]),
        )
    ]


def symbol(label: str) -> str:
    """Return the name of a q-point without the marks of mathematical typesetting."""
    plain = label.strip("$").removeprefix(r"\mathrm{").removesuffix("}")
    for name, letter in _GREEK.items():
        plain = plain.replace(name, letter)
    name, _, index = plain.partition("_")
    return name + subscripted(index)


def density_of_states(result: Mapping[str, Any]) -> list[CurveView]:
    """Return the density of states alone, over the frequencies that have states."""
    spectrum = result.get("spectrum")
    if not spectrum:
        return []
    frequency = np.asarray(spectrum["dos_frequency_thz"], dtype=float)
    states = np.asarray(spectrum["dos_per_thz"], dtype=float)
    occupied = frequency[states > 1e-3 * states.max()]
    low = 1.05 * float(occupied.min())
    return [
        CurveView(
            name="",
            title="Phonon density of states",
            caption="Of the primitive cell.  Imaginary frequencies are drawn as negative ones.",
            x=Axis(
                title="frequency / THz",
                low=0.0 if low >= IMAGINARY_THZ else short(low),
                high=short(1.03 * float(occupied.max())),
            ),
            y=Axis(title="density of states / THz⁻¹", low=0.0),
            lines=[Line(role="first", shape="area", x=drawn(frequency), y=drawn(states))],
        )
    ]


def kappa(result: Mapping[str, Any]) -> list[CurveView]:
    """Return κ against temperature on the densest mesh: its mean, and along the axes.

    Components along Cartesian axes that the symmetry of the crystal makes equal are one line, their
    mean; all others are shown, however small their difference is.  Where symmetry makes all three
    equal, as in cubic crystals, they are the mean and not drawn again.
    """
    tensors, meshes = result.get("kappa_tensor_w_per_m_k"), result.get("meshes")
    if not tensors or not meshes:
        return []
    temperature = shortened(result["temperatures_k"])
    rows = np.asarray(tensors, dtype=float)[:, :3]
    mesh = "×".join(map(str, meshes[-1]["mesh"]))
    groups = equal_axes(_rotations(result["structure"]))
    along: dict[str, NDArray[Any]] = {f"mean, {mesh}": rows.mean(axis=1)}
    if len(groups) > 1:
        along |= {
            " = ".join("xyz"[i] * 2 for i in group): rows[:, group].mean(axis=1) for group in groups
        }
    roles: Sequence[Role] = ("first", "second", "third", "fourth")
    lines = [
        Line(
            label=label,
            role=role,
            shape="line and points",
            x=temperature,
            y=shortened(values),
            texts=[
                f"{label}: {in_digits(value, unit=UNIT)} at {kelvin:g} K"
                for kelvin, value in zip(temperature, values, strict=True)
            ],
        )
        for (label, values), role in zip(along.items(), roles, strict=False)
    ]
    value, error = _value_and_error(result, "kappa_300k_error_w_per_m_k")
    if value is not None:
        lines.append(
            Line(
                label="value at 300 K, of all meshes",
                role="value",
                shape="points",
                x=[300.0],
                y=[short(value)],
                y_low=[short(value - error)],
                y_high=[short(value + error)],
                texts=[with_error(value, error, UNIT)],
            )
        )
    all_kappa = [number for line in lines for number in line.y]
    logarithmic = spans(all_kappa, 5)
    return [
        CurveView(
            name="",
            title="κ against temperature",
            caption=f"On a {mesh} mesh of q-points, the densest computed, and the value at 300 K.",
            x=Axis(title="temperature / K", logarithmic=spans(temperature, 5)),
            y=Axis(title=KAPPA, logarithmic=logarithmic, low=None if logarithmic else 0.0),
            lines=lines,
        )
    ]


def equal_axes(rotations: NDArray[np.float64]) -> list[list[int]]:
    """Return which Cartesian axes have equal diagonal components in every tensor of a symmetry.

    A symmetric tensor T that is a property of the crystal equals its mean over the point group,
    Σ R T Rᵀ / N (Neumann's principle).  Components ii and jj of that mean are equal for every T
    if the mean of R_ia R_ib over all rotations is the same as that of R_ja R_jb.

    Parameters
    ----------
    rotations : ndarray, shape (N, 3, 3)
        Of the point group, Cartesian.

    Returns
    -------
    list of list of int
        Axes 0 to 2; those in one list are equal.
    """
    projections = np.einsum("nia,nib->iab", rotations, rotations) / len(rotations)
    groups: list[list[int]] = []
    for axis in range(3):
        for group in groups:
            if np.allclose(projections[axis], projections[group[0]], atol=1e-3):
                group.append(axis)
                break
        else:
            groups.append([axis])
    return groups


def _rotations(structure: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return the Cartesian rotations of a crystal's point group; the identity if none are found."""
    from screening.candidates.crystal import bare_structure
    from screening.candidates.symmetry_search import symmetry_dataset

    crystal = bare_structure(dict(structure))
    lattice = crystal.lattice.matrix
    cell = lattice, crystal.frac_coords, list(crystal.atomic_numbers)
    dataset = symmetry_dataset(cell, SYMPREC_A)
    if dataset is None:
        return np.eye(3)[np.newaxis]
    found: NDArray[np.float64] = lattice.T @ dataset.rotations @ np.linalg.inv(lattice.T)
    return found


def accumulation(result: Mapping[str, Any]) -> list[CurveView]:
    """Return κ of all modes up to a frequency, and up to a mean free path, and where half is."""
    transport = result.get("transport")
    if not transport:
        return []
    frequency = np.asarray(transport["frequency_thz"], dtype=float)
    path = np.asarray(transport["mean_free_path_angstrom"], dtype=float) * NM_PER_ANGSTROM
    of_frequency = transport["cumulative_kappa_of_frequency_w_per_m_k"]
    of_path = np.asarray(transport["cumulative_kappa_of_mean_free_path_w_per_m_k"], dtype=float)
    # The shortest paths carry next to nothing, over tens of decades.
    carrying = path[of_path >= CARRIES * of_path[-1]]
    return [
        _accumulated(
            Axis(title="frequency / THz", low=0.0, high=short(float(frequency[-1]))),
            drawn(frequency),
            drawn(of_frequency),
            "Accumulated κ against frequency",
            "κ at 300 K of all phonons whose frequency is lower.",
        ),
        _accumulated(
            Axis(
                title="mean free path / nm",
                logarithmic=True,
                low=short(float(carrying[0])),
                high=short(1.3 * float(path[-1])),
            ),
            drawn(path),
            drawn(of_path),
            "Accumulated κ against mean free path",
            "κ at 300 K of all phonons whose mean free path is shorter.",
        ),
    ]


def _accumulated(
    axis: Axis, along: list[float], kappas: list[float], title: str, caption: str
) -> CurveView:
    half = kappas[-1] / 2
    middle = next(x for x, kappa in zip(along, kappas, strict=True) if kappa >= half)
    unit = axis.title.rpartition(" ")[2]
    return CurveView(
        name="",
        title=title,
        caption=caption,
        x=axis,
        y=Axis(title="accumulated κ / (W/m/K)", low=0.0, high=short(1.05 * kappas[-1])),
        lines=[
            Line(role="first", x=along, y=kappas),
            Line(role="guide", x=[axis.low or 0.0, middle, middle], y=[half, half, 0.0]),
        ],
        notes=[
            Note(x=middle, y=half, text=f"half at\n{in_digits(middle, 2, unit)}", place="right")
        ],
    )


def meshes(result: Mapping[str, Any]) -> list[CurveView]:
    """Return κ at 300 K against the density of the q-mesh, its extrapolation, and the value.

    The straight line of the extrapolation is in 1/N², N the geometric mean of the divisions.  The
    value is the middle between the densest mesh and the extrapolation to infinite density; its
    error bar here is what the meshes contribute.
    """
    solved = result.get("meshes")
    value, error = _value_and_error(result, "kappa_300k_mesh_error_w_per_m_k")
    if not solved or value is None or result.get("kappa_300k_mesh_error_w_per_m_k") is None:
        return []
    names = ["×".join(map(str, solution["mesh"])) for solution in solved]
    fineness = [short(float(np.prod(solution["mesh"])) ** (-2 / 3)) for solution in solved]
    kappas = shortened(solution["kappa_300k_w_per_m_k"] for solution in solved)
    return [
        CurveView(
            name="",
            title="Convergence with the mesh",
            caption=(
                "κ at 300 K on each mesh, and its value: the middle between the densest mesh and "
                "the extrapolation to an infinitely dense one.  Its bar is the part of its error "
                "that comes from the mesh."
            ),
            x=Axis(
                title="q-mesh N×N×N, on a scale of 1/N²",
                low=short(-0.06 * fineness[0]),
                high=short(1.12 * fineness[0]),
                ticks=[
                    Tick(at=at, name=name)
                    for at, name in zip([0.0, *fineness], ["∞", *names], strict=True)
                ],
            ),
            y=Axis(title=KAPPA_300K),
            lines=[
                Line(
                    label="q-mesh",
                    role="first",
                    shape="line and points",
                    x=fineness,
                    y=kappas,
                    texts=[
                        f"{in_digits(number, unit=UNIT)} on {name}"
                        for name, number in zip(names, kappas, strict=True)
                    ],
                ),
                Line(
                    label="extrapolation",
                    role="guide",
                    x=[0.0, fineness[-1]],
                    y=[short(2 * value - kappas[-1]), kappas[-1]],
                ),
                Line(
                    label="value, error of the mesh",
                    role="value",
                    shape="points",
                    x=[0.0],
                    y=[short(value)],
                    y_low=[short(value - error)],
                    y_high=[short(value + error)],
                    texts=[with_error(value, error, UNIT)],
                ),
            ],
        )
    ]


def _value_and_error(result: Mapping[str, Any], error_field: str) -> tuple[float | None, float]:
    return finite(result.get("kappa_300k_w_per_m_k")), finite(result.get(error_field)) or 0.0
