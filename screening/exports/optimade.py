"""Structures as OPTIMADE has them: a response with entries, own properties under our prefix."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from screening.exports import ExportForm
from screening.exports.column_dictionary import dictionary

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

    from screening.exports.selection import Item, Selection

API_VERSION = "1.2.0"
PREFIX = "matscreen"


def write(selection: Selection, folder: Path, name: str) -> None:
    """Write a response of OPTIMADE's ``/structures``, complete in one page."""
    entries = [_entry(selection, selection.item(row)) for row in selection.rows]
    document = {
        "data": entries,
        "links": {"next": None},
        "meta": {
            "api_version": API_VERSION,
            "query": {"representation": "/structures"},
            "more_data_available": False,
            "data_returned": len(entries),
            "provider": {
                "name": PREFIX,
                "description": f"campaign {selection.campaign.name}",
                "prefix": PREFIX,
            },
            f"_{PREFIX}_properties": {
                f"_{PREFIX}_{column['name']}": {
                    "description": column["meaning"],
                    "unit": column["unit"],
                }
                for column in dictionary(selection)
            },
        },
    }
    (folder / name).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _entry(selection: Selection, item: Item) -> dict[str, Any]:
    facts = {f"_{PREFIX}_{key}": value for key, value in selection.facts(item).items()}
    charged = item.charged_structure
    if charged is not None:
        facts[f"_{PREFIX}_charged_structure"] = _attributes(charged)
    stored_at = None if item.result is None else item.result.document.get("stored_at")
    return {
        "id": item.row.candidate_id,
        "type": "structures",
        "attributes": {
            **_attributes(item.structure),
            "immutable_id": None,
            "last_modified": _timestamp(stored_at),
            **facts,
        },
    }


def _attributes(structure: Structure) -> dict[str, Any]:
    from pymatgen.io.optimade import OptimadeStructureAdapter

    adapted: dict[str, Any] = OptimadeStructureAdapter.get_optimade_structure(structure)
    found = dict(adapted["attributes"])
    # Its list of species comes from a set.
    found["species"] = sorted(found["species"], key=lambda each: str(each["name"]))
    return {key: found[key] for key in sorted(found)}


def _timestamp(moment: datetime.datetime | None) -> str | None:
    # RFC 3339, in whole seconds as OPTIMADE wants them.
    return (
        None if moment is None else moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    )


FORM = ExportForm(
    name="optimade",
    help="Structures as a response of OPTIMADE.",
    place="file",
    content="structure",
    write=write,
    kinds=("crystal",),
)
