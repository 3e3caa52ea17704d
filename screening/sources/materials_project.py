"""Crystals of the Materials Project through its own client, `mp_api`.

The service itself, which needs a key and the network, was not called when this was written: the
tests run the real client against an imitation of the service.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from screening.candidates.crystal import bare_structure
from screening.messages.refusal import Refusal
from screening.messages.validation import validated
from screening.sources.plugin import SourcePlugIn
from screening.sources.record import (
    EntryError,
    SourceError,
    SourceRecord,
    first_line,
    parsed_record,
    scalar_properties,
)

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

KEY = "MP_API_KEY"
"""Environment variable; the one place the key is taken from."""

PROPERTIES = {
    "energy_above_hull": "energy_above_hull_ev_per_atom",
    "band_gap": "band_gap_ev",
    "theoretical": "theoretical",
}
"""Names that this project's other data have for the fields."""


def _split(value: Any) -> Any:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _bounds(value: Any) -> Any:
    """Return ``a,b`` as a pair, and ``a`` as ``a,a``."""
    parts = _split(value)
    return parts * 2 if isinstance(parts, list) and len(parts) == 1 else parts


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError("the first bound is above the second")
    return value


Range = Annotated[tuple[float, float], BeforeValidator(_bounds), AfterValidator(_ordered)]
Whole = Annotated[tuple[int, int], BeforeValidator(_bounds), AfterValidator(_ordered)]
Words = Annotated[list[str], BeforeValidator(_split)]
Numbers = Annotated[list[int], BeforeValidator(_split)]


class SummaryQuery(BaseModel):
    """Fields of `SummaryRester.search` of mp-api, whose documentation says what they mean.

    ``Range`` and ``Whole`` are written ``a,b``, or ``a`` for that number alone; ``Words`` and
    ``Numbers`` are lists with commas.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    band_gap: Range | None = None
    chemsys: Words | None = None
    crystal_system: Words | None = None
    density: Range | None = None
    deprecated: bool | None = None
    e_electronic: Range | None = None
    e_ionic: Range | None = None
    e_total: Range | None = None
    efermi: Range | None = None
    elastic_anisotropy: Range | None = None
    elements: Words | None = None
    energy_above_hull: Range | None = None
    equilibrium_reaction_energy: Range | None = None
    exclude_elements: Words | None = None
    formation_energy: Range | None = None
    formula: Words | None = None
    g_reuss: Range | None = None
    g_voigt: Range | None = None
    g_vrh: Range | None = None
    has_props: Words | None = None
    has_reconstructed: bool | None = None
    include_gnome: bool | None = None
    is_gap_direct: bool | None = None
    is_metal: bool | None = None
    is_stable: bool | None = None
    k_reuss: Range | None = None
    k_voigt: Range | None = None
    k_vrh: Range | None = None
    magnetic_ordering: str | None = None
    material_ids: Words | None = None
    n: Range | None = None
    num_elements: Whole | None = None
    num_magnetic_sites: Whole | None = None
    num_sites: Whole | None = None
    num_unique_magnetic_sites: Whole | None = None
    piezoelectric_modulus: Range | None = None
    poisson_ratio: Range | None = None
    possible_species: Words | None = None
    shape_factor: Range | None = None
    spacegroup_number: Numbers | None = None
    spacegroup_symbol: Words | None = None
    surface_energy_anisotropy: Range | None = None
    theoretical: bool | None = None
    total_energy: Range | None = None
    total_magnetization: Range | None = None
    total_magnetization_normalized_formula_units: Range | None = None
    total_magnetization_normalized_vol: Range | None = None
    uncorrected_energy: Range | None = None
    volume: Range | None = None
    weighted_surface_energy: Range | None = None
    weighted_work_function: Range | None = None


@dataclass(frozen=True)
class MaterialsProject:
    """The answer to one search of the Materials Project.

    Parameters
    ----------
    spec
        As the user wrote it.
    query
        Fields of the search.
    """

    spec: str
    query: SummaryQuery
    _remarks: list[str] = field(default_factory=list, repr=False, compare=False)

    def records(self) -> Iterator[SourceRecord]:
        """Yield the materials found.

        The client collects the whole answer first, as dictionaries: as documents, one that the
        installed version cannot validate would lose all the others.

        Raises
        ------
        SourceError
            When there is no key, or the service refuses or cannot be reached.
        """
        self._remarks.clear()
        asked_for = set(self.query.material_ids or ())
        for entry in self._answer():
            record = _record(entry)
            asked_for.discard(record.material_id)
            yield record
        if asked_for:
            names = ", ".join(sorted(asked_for))
            self._remarks.append(
                f"{len(asked_for)} of its material_ids were not answered: {names}; they may have "
                "been renamed or withdrawn, or another field excludes them"
            )

    def remarks(self) -> list[str]:
        """Say which materials were asked for and not given, once the entries were streamed."""
        return list(self._remarks)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `SummaryRester.search`.

        Raises
        ------
        SourceError
            When a field has a value that the client does not know.
        """
        from emmet.core.symmetry import CrystalSystem
        from pymatgen.analysis.magnetism import Ordering

        found = self.query.model_dump(exclude_none=True)
        for name, kind in (("crystal_system", CrystalSystem), ("magnetic_ordering", Ordering)):
            value = found.get(name)
            if value is None:
                continue
            try:
                values = [kind(word) for word in ([value] if isinstance(value, str) else value)]
            except ValueError:
                known = ", ".join(str(member.value) for member in kind)
                raise SourceError(
                    f"source '{self.spec}': field '{name}' must be one of: {known}"
                ) from None
            found[name] = values if isinstance(value, list) else values[0]
        for name in ("crystal_system", "spacegroup_number", "spacegroup_symbol"):
            # The client makes a request for each value of a list, and one for a value by itself.
            if len(found.get(name, ())) == 1:
                [found[name]] = found[name]
        return {**found, "fields": ["material_id", "structure", *PROPERTIES], "all_fields": False}

    def _answer(self) -> list[dict[str, Any]]:
        key = os.environ.get(KEY, "").strip()
        if not key:
            raise SourceError(
                f"source '{self.spec}': environment variable {KEY} is not set; a key is free at "
                "https://next-gen.materialsproject.org/api"
            )
        import requests
        from mp_api.client import MPRester
        from mp_api.client.core.exceptions import MPRestError

        arguments = self.arguments()
        try:
            with (
                warnings.catch_warnings(action="ignore"),
                MPRester(api_key=key, use_document_model=False, mute_progress_bars=True) as rester,
            ):
                return list(rester.materials.summary.search(**arguments))
        except (MPRestError, requests.RequestException, KeyError, TypeError, ValueError) as error:
            # KeyError and the like: the client takes what it is answered for what it expects.
            said = " ".join(re.sub(r"\x1b\[\d+m", "", str(error)).replace(key, "…").split())[:300]
            raise SourceError(
                f"source '{self.spec}': the Materials Project cannot be asked "
                f"({type(error).__name__}: {said}); check the query, {KEY} and the network"
            ) from None


def _record(entry: Any) -> SourceRecord:
    """Return a dictionary of the answer as a record, whatever it is."""
    if not isinstance(entry, dict) or entry.get("material_id") is None:
        return SourceRecord("mp", None, "the entry has no material_id", "mp")
    name = str(entry["material_id"])
    facts = {new: entry[old] for old, new in PROPERTIES.items() if entry.get(old) is not None}
    parse = partial(_structure, entry.get("structure"))
    return parsed_record(name, f"mp:{name}", parse, scalar_properties(facts))


def _structure(value: Any) -> Structure:
    from pymatgen.core.structure import Structure

    if isinstance(value, Structure):
        return value
    try:
        if not isinstance(value, dict):
            raise ValueError("there is none")
        return bare_structure(value)
    except (MemoryError, ImportError):
        raise
    except Exception as failure:  # pymatgen raises anything
        raise EntryError(
            Refusal.of_words(f"its structure cannot be read ({first_line(failure)})")
        ) from failure


def open_materials_project(rest: str) -> MaterialsProject:
    """Open ``mp:QUERY``; nothing is asked of the service yet.

    Raises
    ------
    SourceError, ScreenError
        When the query is empty, a field is wrong, or the extra is not installed.
    """
    spec = f"mp:{rest}"
    what = f"source '{spec}'"
    fields: dict[str, Any] = {}
    for part in filter(None, rest.split("&")):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value:
            raise SourceError(f"{what}: '{part}' is not of the form field=value")
        if name in fields:
            raise SourceError(f"{what}: field '{name}' is given twice")
        fields[name] = value
    if not fields.keys() - {"include_gnome"}:
        # The client would fetch the whole database.
        raise SourceError(f"{what}: give what to search for, as mp:elements=Na,Cl&num_elements=2")
    query = validated(SummaryQuery, fields, what)
    try:
        import mp_api  # noqa: F401
    except ImportError:
        raise SourceError(
            f"{what}: the client of the Materials Project is not installed; "
            "pip install 'matscreen[mp]'"
        ) from None
    return MaterialsProject(spec, query)


MATERIALS_PROJECT = SourcePlugIn(
    name="mp",
    usage="mp:FIELD=VALUE&…",
    help="A search of the Materials Project; needs a key, and pip install 'matscreen[mp]'.",
    open=open_materials_project,
    options=SummaryQuery,
)
