"""Crystals of any database that speaks OPTIMADE (https://www.optimade.org, version 1).

The protocol's own package knows the providers and converts the entries; `optimade_pages` fetches.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from screening.machine.settings import Settings
from screening.messages.refusal import Refusal
from screening.messages.validation import nearest, validated
from screening.sources.optimade_client import Pages, plain
from screening.sources.plugin import SourcePlugIn
from screening.sources.record import (
    EntryError,
    SourceError,
    SourceRecord,
    first_line,
    parsed_record,
    plain_text,
    scalar_properties,
)

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

STATED = ("chemical_formula_reduced", "nelements", "last_modified", "space_group_it_number")
"""Attributes that become facts of the entry, beside those of the provider's own; the formula and
the space group are compared with the atoms."""
NOT_ALL_ATOMS = {
    "assemblies": "groups of its sites exclude each other, which is disorder",
    "implicit_atoms": "it has atoms that are not among its sites",
    "site_attachments": "atoms attached to its sites, as hydrogens, have no positions",
    "unknown_positions": "it has atoms without positions",
}
"""Features of structures whose listed sites are not the crystal; pymatgen would not notice."""


class OptimadeQuery(BaseModel):
    """What may follow the question mark.

    Parameters
    ----------
    filter
        In OPTIMADE's language, as it is or percent-encoded; empty takes the whole database.
    max
        Entries taken at most.
    page_limit
        Entries asked for at once.
    """

    model_config = ConfigDict(extra="forbid")

    filter: str = ""
    max: PositiveInt | None = None
    page_limit: int = Field(100, ge=1, le=1000)


@dataclass(frozen=True)
class Optimade:
    """Structures of one OPTIMADE database.

    Each page is kept below ``SCREEN_DIRECTORY``, so that a second run goes on where the first
    stopped and a finished download is not asked for again.

    Parameters
    ----------
    spec
        As the user wrote it.
    provider
        Identifier of a provider, or the base URL of a database.
    query
        Which entries.
    folder
        Where the pages are kept.
    """

    spec: str
    provider: str
    query: OptimadeQuery
    folder: Path
    _remarks: list[str] = field(default_factory=list, repr=False, compare=False)

    def records(self) -> Iterator[SourceRecord]:
        """Stream the entries as their pages arrive.

        Raises
        ------
        SourceError
            When the provider is unknown, the server cannot be reached or refuses, or its answers
            are no OPTIMADE.
        """
        number = 0
        self._remarks.clear()
        pages = Pages(self.spec, self.folder, self._first_url, filtered=bool(self.query.filter))
        for page in pages:
            place = page["url"].partition("?")[0]
            for entry in page["data"]:
                if self.query.max is not None and number == self.query.max:
                    return
                number += 1
                yield _record(entry, place, number)
            if self.query.max is not None and number == self.query.max:
                return  # before the next page is fetched
        if pages.incomplete is not None:
            self._remarks.append(
                f"the list is incomplete, {number} entries read: {pages.incomplete}; to ask again, "
                f"delete {self.folder}"
            )

    def remarks(self) -> list[str]:
        """Say whether entries are missing, once the entries were streamed."""
        return list(self._remarks)

    def _error(self, reason: str) -> SourceError:
        return SourceError(f"source '{self.spec}': {reason}")

    def _first_url(self) -> str:
        base = self.provider if "://" in self.provider else self._base_url_of_provider()
        asked = {"page_limit": str(self.query.page_limit)}
        if self.query.filter:
            asked["filter"] = self.query.filter
        # Some servers do not read + as a space.
        return f"{base}/v1/structures?{urlencode(asked, quote_via=quote)}"

    def _base_url_of_provider(self) -> str:
        """Look a provider up in OPTIMADE's list, and its one database in its index."""
        import requests
        from optimade.utils import get_child_database_links, get_providers

        try:
            providers = {provider["id"]: provider for provider in get_providers()}
        except (requests.RequestException, AttributeError, KeyError, TypeError) as error:
            raise self._error(
                f"the list of OPTIMADE's providers cannot be read ({first_line(error)}); try again "
                "later, or give a base URL instead"
            ) from None
        if self.provider not in providers:
            raise self._error(
                f"OPTIMADE knows no provider '{self.provider}'; "
                + nearest(self.provider, providers)
            )
        if not providers[self.provider].get("base_url"):
            raise self._error(
                f"provider '{self.provider}' has no OPTIMADE server; give a base URL instead"
            )
        try:
            links = get_child_database_links(providers[self.provider], obey_aggregate=False)
        except (RuntimeError, requests.RequestException, AttributeError, TypeError) as error:
            raise self._error(
                f"{plain(str(error))}; try again later, or give a base URL instead"
            ) from None
        urls = [_stripped(str(link.attributes.base_url)) for link in links]
        if len(urls) != 1:
            raise self._error(
                f"provider '{self.provider}' has {len(urls)} databases; give a base URL instead"
                + (f": {', '.join(sorted(urls))}" if urls else "")
            )
        if urlsplit(urls[0]).scheme not in ("http", "https"):
            raise self._error(f"provider '{self.provider}' gives '{urls[0]}', which is no http URL")
        return urls[0]


# -------------------------------------------------------------------------------------- entries


def _record(entry: Any, place: str, number: int) -> SourceRecord:
    """Return an entry of a page as a record, whatever it is."""
    attributes = entry.get("attributes") if isinstance(entry, dict) else None
    if not isinstance(attributes, dict) or not isinstance(entry.get("id"), str):
        location = f"{place}#{number}"
        reason = "the entry is not a JSON object with 'id' and 'attributes'"
        return SourceRecord(location, None, reason, location)
    name = entry["id"]
    stated = {"id": name} | {
        key: value
        for key, value in attributes.items()
        if value is not None and (key in STATED or re.fullmatch(r"_[a-z0-9]+_[a-z0-9_]+", key))
    }
    location = f"{place}/{quote(plain_text(name), safe='')}"
    facts = scalar_properties(stated)
    return parsed_record(name, location, partial(_converted, entry, attributes), facts)


def _converted(entry: dict[str, Any], attributes: dict[str, Any]) -> Structure:
    """Return the crystal of an entry, or raise `EntryError`."""
    try:
        return _structure(entry, attributes)
    except (EntryError, MemoryError, ImportError):
        raise
    except Exception as failure:  # pydantic and pymatgen raise anything
        raise EntryError(Refusal.of_words(f"it cannot be converted ({_why(failure)})")) from failure


def _structure(entry: dict[str, Any], attributes: dict[str, Any]) -> Structure:
    from optimade.adapters import Structure as OptimadeStructure
    from pymatgen.core.composition import Composition
    from pymatgen.core.structure import Structure

    features = attributes.get("structure_features")
    for feature in features if isinstance(features, list) else []:
        if feature in NOT_ALL_ATOMS:
            raise EntryError(f"{NOT_ALL_ATOMS[feature]} ({feature})")
    if attributes.get("assemblies"):
        raise EntryError(f"{NOT_ALL_ATOMS['assemblies']} (assemblies)")
    for needed in ("lattice_vectors", "cartesian_site_positions", "species_at_sites"):
        if not attributes.get(needed):
            raise EntryError(f"it states no {needed}")
    dimensions = attributes.get("dimension_types")
    if dimensions is None:
        if attributes.get("nperiodic_dimensions") != 3:
            raise EntryError("it does not state in which dimensions it is periodic")
        dimensions = [1, 1, 1]
    n_sites = attributes.get("nsites")
    if n_sites is None:
        n_sites = len(attributes["cartesian_site_positions"])
    known = {**attributes, "dimension_types": dimensions, "nsites": n_sites}
    structure = OptimadeStructure({**entry, "attributes": known}).as_pymatgen
    if not isinstance(structure, Structure) or not all(structure.lattice.pbc):
        raise EntryError("it is not periodic in three dimensions")
    formula = attributes.get("chemical_formula_reduced")
    if formula and structure.is_ordered:
        made = structure.composition.reduced_formula
        if Composition(formula).reduced_formula != made:
            raise EntryError(
                "its atoms make {made} where chemical_formula_reduced says {formula}",
                made=made,
                formula=formula,
            )
    return structure


# ------------------------------------------------------------------------------------- messages


def _why(failure: Exception) -> str:
    """Return pydantic's first complaint, which its first line only counts."""
    errors: Callable[[], list[dict[str, Any]]] | None = getattr(failure, "errors", None)
    if errors is None:
        return plain(first_line(failure))
    complaint = errors()[0]
    field = ".".join(str(part) for part in complaint["loc"])
    return plain(f"{field}: {complaint['msg']}")


# -------------------------------------------------------------------------------------- opening


def _stripped(url: str) -> str:
    """Return a base URL without what is often copied along with it."""
    return re.sub(r"(/v1(\.\d+)*)?(/structures)?/*$", "", url.rstrip("/"))


def open_optimade(rest: str) -> Optimade:
    """Open ``optimade:PROVIDER?filter=…``; nothing is asked of a server yet.

    Raises
    ------
    SourceError, ScreenError
        When the address or a field is wrong, or the extra is not installed.
    """
    spec = f"optimade:{rest}"
    what = f"source '{spec}'"
    provider, _, asked = rest.partition("?")
    provider = _stripped(provider.strip())
    if not provider:
        raise SourceError(f"{what}: give a provider, as optimade:cod, or a base URL")
    if "://" in provider or ":" in provider:
        address = urlsplit(provider)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise SourceError(f"{what}: '{provider}' is no http or https URL of a server")
        if address.username is not None or address.fragment:
            # The spec is stored with every candidate.
            raise SourceError("source 'optimade:…': a URL must not hold a password or a fragment")
    # A filter may hold & within a text.
    parts = re.split(r"&(?=[a-z_]+=)", asked) if asked else []
    fields: dict[str, Any] = {}
    for part in parts:
        key, _, value = part.partition("=")
        if key in fields:
            raise SourceError(f"{what}: field '{key}' is given twice")
        fields[key] = unquote(value)
    query = validated(OptimadeQuery, fields, what)
    try:
        import optimade  # noqa: F401
        import requests  # noqa: F401
    except ImportError:
        raise SourceError(
            f"{what}: OPTIMADE's package is not installed; pip install 'matscreen[optimade]'"
        ) from None
    # Pages do not depend on the rest of the query, but in how many entries each has.
    key = hashlib.sha256(json.dumps([provider, query.filter]).encode()).hexdigest()[:16]
    host = urlsplit(provider).hostname if "://" in provider else provider
    label = re.sub(r"[^A-Za-z0-9.-]", "_", str(host))[:60]
    return Optimade(spec, provider, query, Settings().directory / "optimade" / f"{label}-{key}")


OPTIMADE = SourcePlugIn(
    name="optimade",
    usage="optimade:PROVIDER?filter=…",
    help="A database that speaks OPTIMADE; needs pip install 'matscreen[optimade]'.",
    open=open_optimade,
    options=OptimadeQuery,
)
