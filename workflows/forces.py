"""Forces on displaced supercells, inside one job or spread over many.

Short lists are computed inside the job that needs them.  Longer ones, and every list of a DFT
engine, become jobs of `Engine.inline_supercells` (at least one) supercells each, so that a
restart repeats at most one job.  A job regenerates its supercells from the crystal and the
recipe: documents stay small however many displacements there are.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from jobflow import CURRENT_JOB, Flow, Job, Response, job

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from workflows.engines import Engine


class DisplacementMaker(Protocol):
    """A Maker that knows, for any crystal, the displaced supercells it needs forces on."""

    engine: Engine
    name: str

    def supercells(self, structure: Structure) -> list[Structure]:
        """Return the displaced supercells, the same ones in the same order every time."""


@job(data="forces")
def displaced_forces(
    maker: DisplacementMaker, structure: Structure, first: int, last: int
) -> dict[str, Any]:
    """Return forces on the supercells `first` to `last` (excluded) of `maker`.

    Returns
    -------
    dict
        ``forces``: list of arrays of shape (atoms, 3) in eV/Å; ``wall_s``.
    """
    started = time.perf_counter()
    forces = maker.engine.forces(maker.supercells(structure)[first:last])
    return {"forces": forces, "wall_s": time.perf_counter() - started}


def queue_forces(
    maker: DisplacementMaker,
    structure: Structure,
    count: int,
    finish: Callable[..., Job],
    first: int = 0,
) -> Response[Any]:
    """Replace the running job by jobs that compute its forces and one that finishes it.

    Parameters
    ----------
    count
        Number of supercells.
    finish
        Called with the outputs of the force jobs; returns the job that uses them.  It takes the
        identity of the running job, so that its output is what later jobs refer to.
    first
        Supercells before this one are computed already.
    """
    size = max(1, maker.engine.inline_supercells)
    jobs = []
    for start in range(first, count, size):
        last = min(count, start + size)
        forces = displaced_forces(maker, structure, start, last)
        forces.name = f"{maker.name} forces {start + 1}-{last} of {count}"
        jobs.append(forces)
    finishing = finish([force_job.output for force_job in jobs])
    # jobflow would instead add a job that stores a reference, which fails the output schema.
    finishing.set_uuid(CURRENT_JOB.job.uuid)
    finishing.index = CURRENT_JOB.job.index + 1
    return Response(replace=Flow([*jobs, finishing], name=maker.name))


def joined(chunks: Sequence[dict[str, Any]]) -> tuple[list[NDArray[np.float64]], float]:
    """Return all forces of `displaced_forces` outputs, in order, and their summed wall time."""
    forces = [force for chunk in chunks for force in chunk["forces"]]
    return forces, sum(chunk["wall_s"] for chunk in chunks)
