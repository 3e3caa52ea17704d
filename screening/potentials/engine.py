"""``fitted:NAME`` as an engine: its configuration, and its calculator in a worker."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from screening.machine.clock import now
from screening.machine.settings import Settings
from screening.potentials.stored import label_engine_of, potential_of
from screening.store.database import Database, open_database, opened_database
from screening.store.fitted_potentials import fit_of, large_value

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from workflows.potentials.calculator import FittedCalculator
    from workflows.potentials.potential import Answer

BELOW_LABELS = 5
"""Fidelity of a first fit, below that of its label engine; later versions come closer to that."""
HIGHEST_FIDELITY = 19
"""Below all first principles, whatever labelled it."""


def fitted_engine(name: str) -> dict[str, Any]:
    """Return the configuration of the potential that a campaign has fitted.

    Raises
    ------
    ScreenError
        When there is none.
    """
    with open_database(Settings(), must_exist=True) as database:
        result = potential_of(database, name)
        labels = label_engine_of(database, name)
    closer = min(result["generation"], BELOW_LABELS - 1)
    fidelity = min(labels.fidelity - BELOW_LABELS + closer, HIGHEST_FIDELITY)
    error = result["force_error_ev_per_a"]
    return {
        "name": f"fitted:{name}",
        "kind": "fitted",
        "description": (
            f"Polynomial potential of {', '.join(result['elements'])}, fitted to "
            f"{result['n_labels']} cells by {result['label_engine']}; its forces differ by "
            f"{1000 * error:.2g} meV/Å"
        ),
        "fidelity": fidelity,
        "elements": result["elements"],
        "potential": result["content_hash"],
        "label_engine": result["label_engine"],
    }


def calculator(potential: str) -> FittedCalculator:
    """Return the calculator of the potential with this content, from the database that is open."""
    from workflows.potentials.calculator import FittedCalculator
    from workflows.potentials.potential import Potential, PotentialNumbers

    database = opened_database()
    stored = large_value(database, fit_of(database, potential), "numbers")
    numbers = PotentialNumbers.model_validate(stored)
    return FittedCalculator(
        Potential(numbers),
        outside=lambda structure, answer: keep_refused(database, potential, structure, answer),
    )


def keep_refused(database: Database, potential: str, structure: Structure, answer: Answer) -> None:
    """Keep a cell that a potential refused, once: it is what to label next."""
    content = structure.as_dict()
    digits = hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
    document = {
        "potential": potential,
        "structure": json.loads(json.dumps(content, default=str)),
        "leverage": answer.leverage.atom,
        "expected_force_error_ev_per_a": answer.worst_error_ev_per_a,
        "stored_at": now(),
    }
    key = f"{potential}/{digits[:24]}"
    database.refused_cells.update_one({"_id": key}, {"$setOnInsert": document}, upsert=True)
