"""The indexes of the database that campaigns need."""

from __future__ import annotations

from screening.candidates.kinds import KINDS, candidate_kind
from screening.targets.objectives import known_objectives

Indexes = dict[str, list[tuple[list[tuple[str, int]], bool]]]
"""For each collection: the keys of an index, and whether they are unique."""


def indexes() -> Indexes:
    """Return the indexes beyond ``_id``, those of known objectives and kinds among them."""
    return {
        "candidates": [
            ([("campaigns", 1)], False),
            ([("campaign_inputs.campaign", 1)], False),
            *(
                ([(field, 1) for field in fields], False)
                for name in KINDS.names()
                for fields in candidate_kind(name).indexes
            ),
        ],
        # The budget is kept by this uniqueness: a campaign has one pick of each number, 1 to
        # budget, for each of its engines.
        "picks": [
            ([("campaign", 1), ("engine", 1), ("number", 1)], True),
            ([("campaign", 1), ("state", 1)], False),
            ([("candidate_id", 1)], False),
        ],
        "rankings": [([("campaign", 1)], False)],
        # Jobs of other campaigns wait there too.
        "fireworks": [([("spec.pick", 1)], False), ([("spec.campaign", 1)], False)],
        "workflows": [([("metadata.pick", 1)], False), ([("metadata.campaign", 1)], False)],
        # Each job reads what those before it gave, and neither jobflow nor maggma makes an index.
        "job_outputs": [([("uuid", 1), ("index", 1)], False), ([("hosts", 1)], False)],
        # Large values are looked up by it, and a campaign of thousands has tens of thousands.
        "job_blobs.files": [([("metadata.blob_uuid", 1)], False)],
        "results": [
            ([("candidate_id", 1)], False),
            ([("objective", 1), ("recipe_hash", 1), ("outcome", 1)], False),
            *(
                ([(field, 1)], False)
                for field in sorted({o.value_field for o in known_objectives() if o.derive is None})
            ),
        ],
    }
