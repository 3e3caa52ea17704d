"""What the results that leave have to cite, as BibTeX; `configs/citations.yaml` knows what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from screening.machine.shipped_configs import data_file, parse_yaml

if TYPE_CHECKING:
    from screening.exports.selection import Selection


def bibtex(selection: Selection) -> str:
    """Return the references of a selection, sorted, each with the reasons why it is cited."""
    known = parse_yaml(data_file("citations.yaml").read_text("utf-8"))
    reasons: dict[str, set[str]] = {}
    for key, reason in _needed(selection, known):
        reasons.setdefault(key, set()).add(reason)
    entries = [
        _entry(key, sorted(reasons[key]), known["references"][key]) for key in sorted(reasons)
    ]
    head = (
        f"% What results of the campaign {selection.campaign.name} build on.\n"
        "% matscreen itself: see its CITATION.cff.\n"
    )
    return "\n".join([head, *entries])


def _needed(selection: Selection, known: dict[str, Any]) -> Iterator[tuple[str, str]]:
    campaign = selection.campaign
    for key in known["always"]:
        yield key, "structures and workflows"
    for key in known["objectives"].get(selection.objective.name, []):
        yield key, f"objective {selection.objective.name}"
    ids = [row.candidate_id for row in selection.rows]
    chosen = {"_id": {"$in": ids}}
    for document in campaign.database.candidates.find(chosen, {"origins.source": 1}):
        for name in {origin["source"].partition(":")[0] for origin in document["origins"]}:
            for key in known["sources"].get(name, []):
                yield key, f"source {name}"
    hashes = [stage.recipe_hash for stage in campaign.stages]
    query = {
        "candidate_id": {"$in": ids},
        "objective": selection.objective.name,
        "recipe_hash": {"$in": hashes},
    }
    fields = dict.fromkeys(["provenance", *known["methods"]], 1)
    for result in campaign.database.results.find(query, fields):
        yield from _needed_by(result, known)


def _needed_by(result: dict[str, Any], known: dict[str, Any]) -> Iterator[tuple[str, str]]:
    provenance = result.get("provenance") or {}
    engine = f"engine {provenance.get('engine')}"
    for package in provenance.get("versions") or {}:
        for key in known["packages"].get(package, []):
            yield key, engine
    for key in known["calculators"].get(provenance.get("calculator"), []):
        yield key, engine
    functional = (provenance.get("arguments") or {}).get("functional")
    for key in known["functionals"].get(functional, []):
        yield key, f"functional {functional}"
    for field, values in known["methods"].items():
        stated = result.get(field)
        if stated is None or stated is False:
            continue
        for key in [*values.get(stated, []), *values.get("any", [])]:
            yield key, f"method ({field})"


def _entry(key: str, reasons: list[str], reference: dict[str, Any]) -> str:
    lines = [f"  {name} = {{{value}}}," for name, value in reference.items()]
    return "\n".join([f"% {', '.join(reasons)}", f"@article{{{key},", *lines, "}", ""])
