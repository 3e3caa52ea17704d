"""Settings of the flow of an amorphous polymer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from workflows.recipes import Recipe


class AmorphousConductivityRecipe(Recipe):
    """κ of an amorphous polymer by non-equilibrium molecular dynamics.

    The defaults are those of RadonPy's data base (Y. Hayashi et al., npj Comput. Mater. 8, 222
    (2022)): ten chains of 1,000 atoms, and a heat current of 1 ns.
    """

    chains: int = Field(10, ge=1)
    atoms_per_chain: int = Field(1000, ge=10)
    initial_density_g_per_cm3: float = Field(0.05, gt=0)
    temperature_k: float = Field(300.0, gt=0)
    compression_steps: list[tuple[int, int, int]] | None = None
    """Of each of the seven stages of compression, the steps at high temperature, at the final one,
    and under pressure; None takes RadonPy's."""
    sampling_ns: float = Field(5.0, gt=0)
    conduction_steps: int = Field(5_000_000, ge=10_000)
    conduction_time_step_fs: float = Field(0.2, gt=0)
    discarded_fraction: float = Field(0.8, ge=0, lt=1)
    """Of the heat current, before it is steady."""
    repeats: int = Field(3, ge=1)
    """Cells in a row along the axis of the heat current."""
    axes: tuple[Literal["x", "y", "z"], ...] = ("x", "y", "z")
    seed: int = 1
