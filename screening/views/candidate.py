"""All that is known of one candidate: the crystal, its result with curves, why it was chosen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from screening.candidates.crystal import bare_structure
from screening.messages.errors import ScreenError
from screening.messages.quantities import Quantity
from screening.results.result import Result, with_large_values
from screening.store.database import any_of
from screening.targets.result_labels import RESULT_QUANTITIES, quantity
from screening.views.forms import (
    AccumulationView,
    BandsView,
    CandidateView,
    ConductivityView,
    CrystalView,
    DosView,
    ElectrodePathView,
    Fact,
    MeshView,
    Origin,
    PickView,
    RankingRow,
    Site,
)
from screening.views.numbers import CURVE_DIGITS, drawn, finite, rounded, short, shortened
from screening.views.ranking import bounds, find_row, ranking_row

if TYPE_CHECKING:
    from screening.campaigns.campaign import Campaign
    from screening.results.phonons import Spectrum, Transport
    from screening.targets.objectives import Objective

Found = TypeVar("Found")

_GREEK = {r"\Gamma": "Γ", r"\Sigma": "Σ", r"\Delta": "Δ", r"\Lambda": "Λ"}
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def candidate_view(campaign: Campaign, candidate_id: str) -> CandidateView:
    """Return all that is known of one candidate of a campaign.

    Its result is that of the engine of highest fidelity which has one, whoever had it computed.

    Raises
    ------
    ScreenError
        When the pool has no such candidate.
    """
    row = ranking_row(find_row(campaign, candidate_id), campaign.objective)
    (view,) = candidate_views(campaign, [row])
    return view


def candidate_views(campaign: Campaign, rows: Sequence[RankingRow]) -> list[CandidateView]:
    """Return all that is known of candidates, by their rows of the ranking; read together.

    Raises
    ------
    ScreenError
        When one of them is no longer in the database.
    """
    ids = [row.candidate_id for row in rows]
    database = campaign.database
    documents = database.candidates.find({"_id": any_of(ids)}, {"features": 0})
    stored = {str(each["_id"]): each for each in documents}
    if gone := sorted(set(ids) - stored.keys()):
        raise ScreenError(f"candidate '{gone[0]}' is no longer in the database")
    results = with_large_values(
        database, campaign.whole_results(stored.values()), ("spectrum", "transport")
    )
    # By the candidates alone: servers may take the index on campaigns otherwise, and read them all.
    picks = database.picks.find({"candidate_id": any_of(ids)}, sort=[("claimed_at", 1)])
    own: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for pick in picks:
        if pick["campaign"] == campaign.name:
            own[pick["candidate_id"]].append(pick)
    return [
        _view(campaign, row, stored[key], results.get(key), own[key])
        for key, row in zip(ids, rows, strict=True)
    ]


def _view(
    campaign: Campaign,
    row: RankingRow,
    stored: Mapping[str, Any],
    document: dict[str, Any] | None,
    picks: list[dict[str, Any]],
) -> CandidateView:
    result = None if document is None else Result(campaign.database, campaign.objective, document)
    found = document or {}
    spectrum = _if_there(lambda: result.spectrum) if result and found.get("spectrum") else None
    transport = _if_there(lambda: result.transport) if result and found.get("transport") else None
    return CandidateView(
        row=row,
        origins=[
            Origin(
                source=each["source"],
                material_id=each["material_id"],
                # Earlier versions stored none.
                note=each.get("note", ""),
            )
            for each in stored["origins"]
        ],
        crystal=_crystal(found.get("structure") or stored["structure"], stored),
        relaxed=bool(found.get("structure")),
        facts=_facts(campaign.objective, found) if found else _stated(stored),
        picks=[_pick(campaign, each) for each in picks],
        provenance=_provenance(found),
        bands=None if spectrum is None else _bands(spectrum),
        dos=None if spectrum is None else _dos(spectrum),
        conductivity=_conductivity(found),
        accumulation=None if transport is None else _accumulation(transport),
        meshes=_meshes(found),
        electrode_path=_electrode_path(found),
    )


def _if_there(fetch: Callable[[], Found]) -> Found | None:
    """Return a large value, None where somebody removed it: the rest is still worth showing."""
    try:
        return fetch()
    except ScreenError:
        return None


# ----------------------------------------------------------------------------------- the crystal


def _crystal(description: dict[str, Any], stored: Mapping[str, Any]) -> CrystalView:
    from pymatgen.symmetry.groups import sg_symbol_from_int_number

    structure = bare_structure(description)
    a, b, c = (_vector(row) for row in structure.lattice.matrix)
    return CrystalView(
        formula=stored["formula"],
        space_group=sg_symbol_from_int_number(stored["space_group_number"]),
        lattice_a=(a, b, c),
        sites=[
            Site(element=site.specie.symbol, position_a=_vector(site.coords)) for site in structure
        ],
    )


def _vector(values: Any) -> tuple[float, float, float]:
    # Round-off of a coordinate that is zero is no digit worth keeping.
    x, y, z = (short(round(float(each), 6)) for each in values)
    return x, y, z


def _facts(objective: Objective, result: Mapping[str, Any]) -> list[Fact]:
    """Return the fields of a result that one line can tell, the value first."""
    own = [
        Quantity(objective.value_field, objective.label, objective.unit),
        *objective.shown_fields,
    ]
    told = {each.field for each in own}
    known = [*own, *(each for each in RESULT_QUANTITIES if each.field not in told)]
    return [
        Fact(label=each.label, value=value, unit=each.unit)
        for each in known
        if (value := _plain(result.get(each.field))) not in (None, "")
    ]


def _stated(stored: Mapping[str, Any]) -> list[Fact]:
    """Return what the sources state of a crystal, each field once, and none it is known by."""
    found: dict[str, Fact] = {}
    for origin in stored["origins"]:
        for field, stated in origin.get("properties", {}).items():
            known, value = quantity(field), _plain(stated)
            if value not in (None, "") and field not in ("formula", "space_group_number"):
                found.setdefault(field, Fact(label=known.label, value=value, unit=known.unit))
    return list(found.values())


def _plain(value: Any) -> float | int | str | bool | None:
    if value is None or isinstance(value, bool | int | str):
        return value
    number = finite(value) if isinstance(value, float) else None
    return None if number is None else short(number)


# --------------------------------------------------------------------------- where it comes from


def _pick(campaign: Campaign, pick: Mapping[str, Any]) -> PickView:
    objective = campaign.objective
    mean, std = pick["predicted_mean"], pick["predicted_std"]
    low, high = (None, None) if mean is None else bounds(objective, mean, std)
    return PickView(
        engine=pick["engine"],
        number=pick["number"],
        round=pick["round"],
        state=pick["state"],
        reason=pick["reason"],
        predicted_value=None if mean is None else short(objective.from_model(mean)),
        predicted_low=None if low is None else short(low),
        predicted_high=None if high is None else short(high),
        fitted_on=pick["fitted_on"],
        place=pick["rank"],
        neighbours=list(pick.get("neighbours", [])),
        error=str(pick.get("error") or "") if pick["state"] == "failed" else "",
    )


def _provenance(result: Mapping[str, Any]) -> dict[str, str]:
    """Return who computed a result, with what and when, as words."""
    told = result.get("provenance") or {}
    arguments = told.get("arguments") or {}
    found = {
        "engine": result.get("engine") or told.get("engine"),
        "calculator": told.get("calculator"),
        "arguments": ", ".join(f"{name}={value}" for name, value in arguments.items()),
        **{f"version of {name}": said for name, said in (told.get("versions") or {}).items()},
        "campaign": result.get("campaign"),
        "recipe": result.get("recipe_hash"),
        "stored at": f"{result['stored_at']:%Y-%m-%d %H:%M} UTC" if "stored_at" in result else "",
    }
    return {name: str(said) for name, said in found.items() if said not in (None, "")}


# ------------------------------------------------------------------------------------ its curves


def _bands(spectrum: Spectrum) -> BandsView:
    return BandsView(
        distance_per_a=[shortened(each, CURVE_DIGITS) for each in spectrum.band_distance_per_a],
        frequency_thz=[
            # A thousandth of a THz is finer than any line.
            rounded(np.round(segment, 3), CURVE_DIGITS).tolist()
            for segment in spectrum.band_frequency_thz
        ],
        labels=[(symbol(start), symbol(end)) for start, end in spectrum.band_labels],
    )


def symbol(label: str) -> str:
    """Return the name of a q-point without the marks of mathematical typesetting."""
    plain = label.strip("$").removeprefix(r"\mathrm{").removesuffix("}")
    for name, letter in _GREEK.items():
        plain = plain.replace(name, letter)
    name, _, index = plain.partition("_")
    return name + index.translate(_SUBSCRIPTS)


def _dos(spectrum: Spectrum) -> DosView:
    return DosView(
        frequency_thz=drawn(spectrum.dos_frequency_thz),
        dos_per_thz=drawn(spectrum.dos_per_thz),
    )


def _conductivity(result: Mapping[str, Any]) -> ConductivityView | None:
    tensors, meshes = result.get("kappa_tensor_w_per_m_k"), result.get("meshes")
    if not tensors or not meshes:
        return None
    rows = np.asarray(tensors, dtype=float)
    return ConductivityView(
        mesh=meshes[-1]["mesh"],
        temperature_k=shortened(result["temperatures_k"]),
        kappa_w_per_m_k=shortened(rows[:, :3].mean(axis=1)),
        kappa_xx_w_per_m_k=shortened(rows[:, 0]),
        kappa_yy_w_per_m_k=shortened(rows[:, 1]),
        kappa_zz_w_per_m_k=shortened(rows[:, 2]),
    )


def _accumulation(transport: Transport) -> AccumulationView:
    nm_per_angstrom = 0.1
    return AccumulationView(
        frequency_thz=drawn(transport.frequency_thz),
        kappa_of_frequency_w_per_m_k=drawn(transport.cumulative_kappa_of_frequency_w_per_m_k),
        mean_free_path_nm=drawn(transport.mean_free_path_angstrom * nm_per_angstrom),
        kappa_of_mean_free_path_w_per_m_k=drawn(
            transport.cumulative_kappa_of_mean_free_path_w_per_m_k
        ),
    )


def _meshes(result: Mapping[str, Any]) -> MeshView | None:
    meshes = result.get("meshes")
    limit = finite(result.get("kappa_300k_w_per_m_k"))
    error = finite(result.get("kappa_300k_mesh_error_w_per_m_k"))
    if not meshes or limit is None or error is None:
        return None
    return MeshView(
        mesh=[each["mesh"] for each in meshes],
        kappa_300k_w_per_m_k=shortened(each["kappa_300k_w_per_m_k"] for each in meshes),
        limit_w_per_m_k=short(limit),
        limit_error_w_per_m_k=short(error),
    )


def _electrode_path(result: Mapping[str, Any]) -> ElectrodePathView | None:
    path, steps = result.get("path"), result.get("voltages")
    if not path or not steps:
        return None
    return ElectrodePathView(
        working_ion=result["working_ion"],
        formula=[each["formula"] for each in path],
        working_ions=shortened(each["working_ions"] for each in path),
        volume_a3=shortened(each["volume_a3"] for each in path),
        step_ions_charged=shortened(each["working_ions_charged"] for each in steps),
        step_ions_discharged=shortened(each["working_ions_discharged"] for each in steps),
        step_voltage_v=shortened(each["voltage_v"] for each in steps),
    )
