"""Inputs of candidates' flows, as a campaign's sources state them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any


def own_inputs(
    name: str, extensions: Collection[str], candidates: Iterable[Mapping[str, Any]]
) -> dict[str, str]:
    """Return the fingerprint of the inputs that candidates have in a campaign, empty without any.

    Parameters
    ----------
    extensions
        Tokens of the campaign's complete extensions; what others stated does not count.
    candidates
        Their documents in ``candidates``.
    """
    counting = {None, *extensions}
    return {
        str(document["_id"]): next(
            (
                str(stated["inputs_hash"])
                for stated in document.get("campaign_inputs", [])
                if stated["campaign"] == name and stated.get("joined") in counting
            ),
            "",
        )
        for document in candidates
    }
