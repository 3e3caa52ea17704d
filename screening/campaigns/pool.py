"""The pool of a campaign in the database: stored at submission, extended later, read.

A candidate belongs to a campaign if ``campaigns`` of its document has the campaign's name.  Those
that join later have a token in ``joined`` beside it, and count once the campaign's document lists
that token in ``extensions``: one write makes all of them visible at once.
"""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from screening.campaigns.changes import candidate_log
from screening.campaigns.inputs import own_inputs
from screening.campaigns.snapshot import PoolRow
from screening.candidates.candidate import Origin, joined_origins
from screening.candidates.kinds import from_document, to_document
from screening.intake.ingest import Pool, Refused
from screening.messages.errors import ScreenError
from screening.messages.refusal import Refusal
from screening.store.database import if_allowed

if TYPE_CHECKING:
    from screening.candidates.kinds import CandidateKind
    from screening.store.database import Database

STORED_AT_ONCE = 500
"""Candidates of a pool that are written at a time."""
MOST_REFUSALS = 1000
"""Refused entries whose reasons are kept."""


# ------------------------------------------------------------------------------------- reading


def members(name: str, extensions: Collection[str]) -> dict[str, Any]:
    """Return the MongoDB filter of the candidates of a campaign.

    Parameters
    ----------
    extensions
        Tokens of its complete extensions.
    """
    later = {"$regex": f"^{re.escape(name)}/"}
    return {
        "campaigns": name,
        "$or": [{"joined": {"$not": later}}, {"joined": {"$in": sorted(extensions)}}],
    }


def read_ids(database: Database, query: Mapping[str, Any]) -> list[str]:
    """Return the ids of the candidates that a filter fits."""
    return [str(document["_id"]) for document in database.candidates.find(query, {"_id": 1})]


def read_rows(
    database: Database, query: Mapping[str, Any], kind: CandidateKind
) -> dict[str, PoolRow]:
    """Return label, facts and first origin of candidates, by id."""
    projection = dict.fromkeys(_row_fields(kind), 1)
    return {
        str(document["_id"]): _row(document, kind)
        for document in database.candidates.find(query, projection)
    }


def row_and_inputs(
    database: Database,
    name: str,
    extensions: Collection[str],
    kind: CandidateKind,
    ids: Sequence[str] | None = None,
) -> dict[str, dict[str, Any]]:
    """Return what `PoolRow` and `own_inputs` take of the candidates of a campaign, by id.

    Parameters
    ----------
    extensions
        Tokens of its complete extensions.
    ids
        Those to read; None reads all.
    """
    query = members(name, extensions)
    projection = dict.fromkeys([*_row_fields(kind), "campaign_inputs"], 1)
    if ids is None:
        documents = list(database.candidates.find(query, projection))
    else:
        each = (database.candidates.find_one({"_id": key, **query}, projection) for key in ids)
        documents = [document for document in each if document is not None]
    inputs = own_inputs(name, extensions, documents)
    found = {}
    for document in documents:
        key, row = str(document["_id"]), _row(document, kind)
        own = {"label": row.label, "facts": row.facts, "material_id": row.material_id}
        found[key] = {**own, "inputs_hash": inputs[key]}
    return found


def _row_fields(kind: CandidateKind) -> list[str]:
    return [kind.label_field, *(fact.field for fact in kind.facts), "origins.material_id"]


def _row(document: Mapping[str, Any], kind: CandidateKind) -> PoolRow:
    return PoolRow(
        str(document[kind.label_field]),
        {fact.field: document.get(fact.field) for fact in kind.facts},
        document["origins"][0]["material_id"],
    )


def read_features(
    database: Database, query: Mapping[str, Any], kind: CandidateKind
) -> dict[str, list[float]]:
    """Return the features of candidates by id, sorted by id.

    Features of an older version are computed again.
    """
    fields = {"features": 1, "features_version": 1}
    documents = {
        str(document["_id"]): document for document in database.candidates.find(query, fields)
    }
    features = {}
    for key, document in sorted(documents.items()):
        if document["features_version"] != kind.features_version:
            candidate = from_document(database.candidates.find_one({"_id": key}) or {})
            changed = kind.with_features(candidate).model_dump(include=set(fields))
            document |= changed
            with if_allowed():
                database.candidates.update_one({"_id": key}, {"$set": changed})
        features[key] = document["features"]
    return features


# ------------------------------------------------------------------------------------- writing


def ingested(pool: Pool) -> dict[str, Any]:
    """Return the counts of a pool as the document of a campaign keeps them."""
    return {
        "taken": len(pool.candidates),
        "duplicates": pool.duplicates,
        "refused": len(pool.refused),
        "refusals": [_refusal(entry) for entry in pool.refused[:MOST_REFUSALS]],
        "remarks": pool.remarks,
    }


def _refusal(entry: Refused) -> dict[str, Any]:
    return {
        "location": entry.location,
        "material_id": entry.material_id,
        "reason": entry.reason,
        "refusal": entry.refusal.model_dump(mode="json"),
    }


def store_pool(database: Database, name: str, pool: Pool) -> None:
    """Store the candidates of a new campaign."""
    # What an interrupted submit of the same name left behind is not of this pool.
    tokens = {"$regex": f"^{re.escape(name)}/"}
    left = {"campaigns": name, "campaign_inputs": {"campaign": name}, "joined": tokens}
    database.candidates.update_many({"campaigns": name}, {"$pull": left})
    _write_members(database, name, pool, list(pool.candidates), {"campaigns": name})


def _write_members(
    database: Database, name: str, pool: Pool, ids: Sequence[str], marks: Mapping[str, str]
) -> None:
    """Store candidates, with entries in their lists that mark them as a campaign's.

    Parameters
    ----------
    marks
        What to add to which list; empty for candidates that the campaign has already.
    """
    from pymongo import UpdateOne
    from pymongo.errors import BulkWriteError

    stored = {document["_id"] for document in database.candidates.find({}, {"_id": 1})}
    for first in range(0, len(ids), STORED_AT_ONCE):
        block = ids[first : first + STORED_AT_ONCE]
        documents = {key: to_document(pool.candidates[key]) for key in block}
        entries: dict[str, dict[str, Any]] = {key: dict(marks) for key in block}
        for key in block:
            if marks and (inputs_hash := pool.inputs.get(key)):
                entries[key]["campaign_inputs"] = {
                    "campaign": name,
                    "inputs_hash": inputs_hash,
                    **({"joined": marks["joined"]} if "joined" in marks else {}),
                }
        if stored.isdisjoint(block):
            # Servers take new documents several times faster than updates.
            new = [
                {**documents[key], **{field: [entry] for field, entry in entries[key].items()}}
                for key in block
            ]
            with contextlib.suppress(BulkWriteError):  # another campaign stored some meanwhile
                database.candidates.insert_many(new, ordered=False)
                continue
        # What others have stored since the pool was read, all but in this moment, is kept: their
        # flows take inputs from it.
        for document in database.candidates.find({"_id": {"$in": block}}, {"origins": 1}):
            key = document["_id"]
            known = map(Origin.model_validate, document["origins"])
            origins = joined_origins(known, pool.candidates[key].origins)
            documents[key]["origins"] = [origin.model_dump(mode="json") for origin in origins]
        updates = []
        for key in block:
            change: dict[str, Any] = {"$set": documents[key]}
            if entries[key]:
                change["$addToSet"] = entries[key]
            updates.append(UpdateOne({"_id": key}, change, upsert=True))
        # Before and after: a program killed in between must not leave old rows for good.
        log = candidate_log(database)
        log.note(block)
        database.candidates.bulk_write(updates, ordered=False)
        log.note(block)


def extend_pool(database: Database, name: str, pool: Pool) -> int:
    """Add candidates to a submitted campaign; return how many it did not have yet.

    Readers see the pool without them, then with all of them.  The candidates of an extension that
    was killed stay invisible until it is repeated.

    Raises
    ------
    ScreenError
        When the campaign is cancelled or gone.
    """
    extended = False
    while not extended:
        # A new one each time: what an attempt wrote that was overtaken never counts.
        token = f"{name}/{uuid.uuid4().hex}"
        extensions = _extensions(database, name)
        query = members(name, extensions)
        stored = database.candidates.find(query, {"campaign_inputs": 1})
        known = own_inputs(name, extensions, stored)
        new = [key for key in pool.candidates if key not in known]
        # Results of a candidate, and perhaps a pick, are those of the inputs it has.
        refused = [key for key, inputs in pool.inputs.items() if known.get(key, inputs) != inputs]
        joining = [key for key in pool.candidates if key in known and key not in refused]
        _write_members(database, name, pool, joining, {})
        _write_members(database, name, pool, new, {"campaigns": name, "joined": token})
        # Where somebody else extended it meanwhile, what is new has changed.
        same = {"extensions": extensions} if extensions else {"extensions": {"$exists": False}}
        extended = bool(
            database.campaigns.update_one(
                {"_id": name, "status": {"$ne": "cancelled"}, **same},
                _extension(pool, token, len(new), len(joining), refused),
            ).modified_count
        )
    return len(new)


def _extension(
    pool: Pool, token: str, new: int, joining: int, refused: Sequence[str]
) -> dict[str, Any]:
    """Return the one change of a campaign's document that makes an extension visible."""
    counts = ingested(pool)
    for key in refused:
        origin = pool.candidates[key].origins[0]
        reason = Refusal.of(
            "the campaign has candidate '{candidate}' with other inputs", candidate=key
        )
        counts["refusals"].append(_refusal(Refused(origin.source, origin.material_id, reason)))
    return {
        # The best of the larger pool are still to be confirmed.
        "$set": {"revision": uuid.uuid4().hex, "promoted": False},
        "$inc": {
            "ingested.taken": new,
            "ingested.duplicates": pool.duplicates + joining,
            "ingested.refused": len(pool.refused) + len(refused),
        },
        "$push": {
            "extensions": token,
            "ingested.refusals": {"$each": counts["refusals"], "$slice": MOST_REFUSALS},
            "ingested.remarks": {"$each": counts["remarks"]},
        },
    }


def _extensions(database: Database, name: str) -> list[str]:
    """Return the tokens of the extensions of a campaign that may be extended."""
    document = database.campaigns.find_one({"_id": name}, {"status": 1, "extensions": 1})
    if document is None:
        raise ScreenError(f"campaign '{name}' is no longer in the database")
    if document["status"] == "cancelled":
        raise ScreenError(
            f"campaign '{name}' is cancelled, which is final; submit its candidates as a new one"
        )
    return list(document.get("extensions", []))
