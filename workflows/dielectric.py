"""Born charges and dielectric tensor of a relaxed crystal, from engines that know electrons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobflow import Maker, job

from workflows.documents import DielectricDocument

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from workflows.engines import Engine


@dataclass
class DielectricMaker(Maker):
    """Maker of one job: Born charges and ε∞.

    Parameters
    ----------
    engine
        What computes them; its `gives_dielectric` must be true.
    """

    engine: Engine
    name: str = "dielectric"

    @job(output_schema=DielectricDocument)
    def make(
        self, structure: Structure, lost: str = "", raised: dict[str, float] | None = None
    ) -> DielectricDocument:
        """Compute the tensors of the primitive cell, in its own frame and order of sites.

        Parameters
        ----------
        lost
            How its relaxation lost the crystal: nothing is computed then.
        raised
            Settings of the engine that this crystal needs; see `ForceConvergenceMaker`.
        """
        if lost:
            return DielectricDocument(structure=structure, source=self.engine.name, reason=lost)
        engine = self.engine.with_settings(raised) if raised else self.engine
        return engine.dielectric(structure)
