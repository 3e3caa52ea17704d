"""The volume of a crystal that another compound's elements were replaced in."""

from __future__ import annotations

import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

from screening.recommender.prototypes import Proposal

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure


def at_predicted_volume(proposal: Proposal) -> Structure:
    """Return the crystal that is proposed, at the volume that data-mined bond lengths predict.

    pymatgen's ``DLSVolumePredictor`` (Chu et al., Comput. Mater. Sci. 146, 184 (2018)); where it
    has no bond lengths, the parent's volume is kept.
    """
    structure = proposal.prototype.structure(proposal.elements, proposal.member)
    with warnings.catch_warnings():
        # Of elements without ionic radii.
        warnings.simplefilter("ignore")
        try:
            volume = float(_predictor().predict(structure))
        except (ValueError, KeyError, RuntimeError, ZeroDivisionError):
            return structure
    if not volume > 0:
        return structure
    structure.scale_lattice(volume)
    return structure


@cache
def _predictor() -> Any:
    from pymatgen.analysis.structure_prediction.volume_predictor import DLSVolumePredictor

    return DLSVolumePredictor()
