"""Forms of a campaign that never was, with everything in them that a page can show."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from screening.pages.report import CampaignDocuments
from screening.views import forms
from screening.views.parity import PARITY, CalibrationView, ParityView, parity_picture
from screening.views.pool_map import MAP
from screening.views.progress import PROGRESS, ProgressView, progress_picture
from screening.views.trade_off import TradeOffView, trade_off_picture

CAMPAIGN = "sample-1"
HOSTILE = "</script><script>window.hacked = 1</script><!-- <img src=x onerror=window.hacked=1>"
"""What a source or an error may say."""
FORMULAS = ("NaCl", "KBr", "RbI", "BaTe", "Li3PO4", "CsF", "MgO", "ZnS", "AgI", "GaAs")
OUTCOMES = ("computed", "computed", "computed", "unstable", "computed", "failed", "infeasible")


def objective(**changes: Any) -> forms.ObjectiveView:
    content = {
        "name": "lattice-thermal-conductivity",
        "value": {"field": "kappa_300k_w_per_m_k", "label": "κ(300 K)", "unit": "W/m/K"},
        "error_field": "kappa_300k_error_w_per_m_k",
        "direction": "minimize",
        "logarithmic": True,
        "label": {"field": "formula", "label": "formula", "unit": ""},
        "facts": [{"field": "space_group_number", "label": "space group", "unit": ""}],
        "elements": True,
        "shown_fields": [],
        "second_objective": None,
    }
    return forms.ObjectiveView.model_validate(content | changes)


def outcome_of(i: int, computed: int) -> Any:
    return OUTCOMES[i % len(OUTCOMES)] if i < computed else "predicted"


def value_of(i: int) -> float:
    return 0.5 * 1.09**i * (1 + 0.3 * math.sin(7 * i))


def with_second_objective(found: CampaignDocuments) -> CampaignDocuments:
    """Return the documents of a campaign that wants the highest frequency to be high as well."""
    second = forms.QuantityView(field="max_frequency_thz", label="highest frequency", unit="THz")
    also = forms.SecondObjectiveView(**second.model_dump(), direction="maximize")
    seconds = {each.candidate_id: 3 + 5 * math.sin(each.rank) ** 2 for each in found.rows}
    computed = [each for each in found.rows if each.outcome == "computed"]

    def best(one: forms.RankingRow) -> bool:
        return not any(
            each.value < one.value and seconds[each.candidate_id] > seconds[one.candidate_id]
            for each in computed
        )

    rows = [
        each.model_copy(
            update={
                "shown_fields": {second.field: seconds[each.candidate_id]}
                if each in computed
                else {},
                "on_front": each in computed and best(each),
            }
        )
        for each in found.rows
    ]
    view = TradeOffView(
        candidate_id=[each.candidate_id for each in computed],
        label=[each.label for each in computed],
        value=[each.value for each in computed],
        value_error=[each.value_error for each in computed],
        second=[seconds[each.candidate_id] for each in computed],
        on_front=[best(each) for each in computed],
    )
    two = objective(shown_fields=[second], second_objective=also)
    pictures = {"trade-off": trade_off_picture(view, two), **found.figures}
    overview = found.overview.model_copy(update={"objective": two, "figures": named(pictures)})
    return replace(found, overview=overview, rows=rows, figures=pictures)


def named(pictures: dict[str, Any]) -> list[forms.FigureView]:
    return [forms.FigureView(name=name, title=view.title) for name, view in pictures.items()]


def row(i: int, computed: int) -> forms.RankingRow:
    outcome = outcome_of(i, computed)
    valued = outcome in ("computed", "infeasible")
    predicted = 0.6 * 1.08**i
    formula = FORMULAS[i % len(FORMULAS)]
    return forms.RankingRow(
        rank=i + 1,
        candidate_id=f"{formula}-225-{i:08x}",
        material_id=f"mp-{1000 + i}",
        label=formula,
        facts={"space_group_number": 225 - i % 7},
        outcome=outcome,
        value=value_of(i) if valued else None,
        value_error=0.05 * value_of(i) if valued else None,
        predicted_value=predicted if i % 5 else None,
        predicted_low=predicted / 1.5 if i % 5 else None,
        predicted_high=predicted * 1.5 if i % 5 else None,
        engine="sevennet-l3i5" if valued else None,
        reason={"unstable": "imaginary modes: -0.31 THz", "infeasible": HOSTILE}.get(outcome, ""),
        shown_fields={},
        on_front=None,
    )


def documents(pool: int = 60, computed: int = 24) -> CampaignDocuments:
    rows = [row(i, computed) for i in range(pool)]
    chosen = rows[:computed]
    values = [each.value if each.outcome == "computed" else None for each in chosen]
    best = [min((v for v in values[: i + 1] if v), default=None) for i in range(computed)]
    predicted = [each for each in chosen if each.value and each.predicted_value]
    counts = {name: sum(each.outcome == name for each in rows) for name in set(OUTCOMES)}
    return CampaignDocuments(
        overview=forms.Overview(
            name=CAMPAIGN,
            description="Crystals that conduct heat badly",
            target="low-kappa",
            status="active",
            finished=True,
            created_at=datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.UTC),
            revision="1",
            objective=objective(),
            engines=["sevennet-l3i5"],
            sampler="expected-improvement",
            seed=0,
            prior=None,
            pool=pool,
            budget=computed,
            batch_size=2,
            counts=counts,
            candidates_per_hour=21.0,
            expected_end=None,
            best_candidate_id=rows[0].candidate_id,
            best_value=rows[0].value,
            figures=[
                forms.FigureView(name=each.name, title=each.title)
                for each in (PROGRESS, PARITY, MAP)
            ],
            outcomes=[
                forms.OutcomeGroup(
                    outcome="computed", reason="", count=14, candidate_ids=[rows[0].candidate_id]
                ),
                forms.OutcomeGroup(
                    outcome="failed", reason=HOSTILE, count=3, candidate_ids=[rows[5].candidate_id]
                ),
            ],
            refusals=[
                forms.RefusalGroup(reason="disordered", count=4, example=f"a.cif {HOSTILE}"),
            ],
            remarks=[f"source 'crystals': 3 files not looked at: {HOSTILE}"],
            cost_by_engine=[_cost("sevennet-l3i5", computed, 812, 1.4)],
            cost_by_step=[
                _cost("third-order forces", computed, 600, 1.0),
                _cost("relaxation", computed, 200, 0.3),
                _cost("conductivity", computed, 0, 0.1),
            ],
        ),
        rows=rows,
        total=pool,
        figures={
            "progress": progress_picture(
                ProgressView(
                    number=list(range(1, computed + 1)),
                    round=[1 + i // 2 for i in range(computed)],
                    candidate_id=[each.candidate_id for each in chosen],
                    label=[each.label for each in chosen],
                    outcome=[each.outcome for each in chosen],
                    value=values,
                    best=best,
                    random_best=[0.4 + 3 / (i + 1) for i in range(computed)],
                    random_known=14,
                    random_predicted=pool - 14,
                ),
                objective(),
            ),
            "parity": parity_picture(
                ParityView(
                    candidate_id=[each.candidate_id for each in predicted],
                    label=[each.label for each in predicted],
                    number=[each.rank for each in predicted],
                    computed=[each.value for each in predicted],
                    computed_error=[each.value_error for each in predicted],
                    predicted=[each.predicted_value for each in predicted],
                    predicted_low=[each.predicted_low for each in predicted],
                    predicted_high=[each.predicted_high for each in predicted],
                    coverage_1std=0.71,
                    calibration=CalibrationView(
                        count=14, typical_error=1.42, coverage_1std=0.64, rank_correlation=0.87
                    ),
                ),
                objective(),
            ),
            "map": forms.PoolMapView(
                name="map",
                title=MAP.title,
                caption="The two directions hold 48 % of the variance of the features.",
                explained_fraction=(0.31, 0.17),
                candidate_id=[each.candidate_id for each in rows],
                label=[each.label for each in rows],
                x=[3 * math.sin(2.4 * i) + math.sin(i) for i in range(pool)],
                y=[2 * math.cos(2.4 * i) - math.cos(3 * i) for i in range(pool)],
                outcome=[each.outcome for each in rows],
                number=[i + 1 if i < computed else None for i in range(pool)],
                round=[1 + i // 2 if i < computed else None for i in range(pool)],
                value=[each.value or each.predicted_value for each in rows],
                shown=pool,
                pool=pool,
            ),
        },
    )


def _cost(name: str, candidates: int, cost: float, wall_h: float) -> forms.CostShare:
    return forms.CostShare(
        name=name, candidates=candidates, cost=cost, cost_unit="force calls", wall_h=wall_h
    )


def candidate(row: forms.RankingRow, **changes: Any) -> forms.CandidateView:
    """Return details of a candidate; a computed one has all curves."""
    content = {
        "row": row,
        "origins": [forms.Origin(source="phonondb-103", material_id=row.material_id, note=HOSTILE)],
        "picture": rocksalt(row.label),
        "relaxed": row.value is not None,
        "facts": [
            forms.Fact(label="lowest frequency", value=-0.31, unit="THz"),
            forms.Fact(label="isotopes scatter", value=True, unit=""),
            forms.Fact(label="source says", value=HOSTILE, unit=""),
        ],
        "picks": [pick(row)] if row.outcome != "predicted" else [],
        "provenance": {"engine": row.engine or "", "version of phono3py": "4.9.0"},
        "curves": [],
    }
    if row.outcome == "computed":
        content["curves"] = curves(row.value)
    return forms.CandidateView.model_validate(content | changes)


def pick(row: forms.RankingRow) -> forms.PickView:
    return forms.PickView(
        engine="sevennet-l3i5",
        number=row.rank,
        round=1 + row.rank // 2,
        state=row.outcome if row.outcome != "infeasible" else "computed",
        reason_text="largest expected improvement",
        predicted_value=row.predicted_value,
        predicted_low=row.predicted_low,
        predicted_high=row.predicted_high,
        fitted_on=row.rank,
        place=1,
        neighbours=["NaCl-225-00000000"],
        error=f"RuntimeError: {HOSTILE}" if row.outcome == "failed" else "",
    )


def rocksalt(formula: str) -> forms.CrystalView:
    half = 2.82
    sites = [
        forms.Site(element=element, position_a=position)
        for element, position in (("Na", (0.0, 0.0, 0.0)), ("Cl", (half, half, half)))
    ]
    return forms.CrystalView(
        caption="Relaxed by the engine; 2 atoms in the cell.",
        formula=formula,
        space_group="Fm-3m",
        lattice_a=((0.0, half, half), (half, 0.0, half), (half, half, 0.0)),
        sites=sites,
    )


def curves(kappa: float) -> list[Any]:
    """Return curves of the shapes that a two-atom crystal of low symmetry has."""
    points = [i / 40 for i in range(41)]
    scale = [(i + 1) / 100 for i in range(100)]
    temperatures = list(range(100, 1001, 50))
    means = [kappa * 300 / each for each in temperatures]
    bands = [
        [[3 * abs(math.sin(1.57 * q)) * (1 + 0.3 * b) + (b // 3) for b in range(6)] for q in points]
        for _ in range(3)
    ]
    lattice = [[4.0, 0, 0], [0, 5.0, 0], [0, 0, 6.0]]
    sites = [{"label": "Na", "species": [{"element": "Na", "occu": 1}], "abc": [0.0, 0.0, 0.0]}]
    result = {
        "structure": {"lattice": {"matrix": lattice}, "sites": sites},
        "spectrum": {
            "band_distance_per_a": [
                [0.2 * segment + 0.2 * q for q in points] for segment in range(3)
            ],
            "band_frequency_thz": bands,
            "band_labels": [("Γ", "X"), ("X", "U"), ("K", "Γ")],
            "dos_frequency_thz": [5 * each for each in scale],
            "dos_per_thz": [3 * math.sin(math.pi * each) ** 2 for each in scale],
        },
        "temperatures_k": temperatures,
        "kappa_tensor_w_per_m_k": [[1.2 * k, k, 0.8 * k, 0, 0, 0] for k in means],
        "meshes": [
            {"mesh": [n, n, n], "kappa_300k_w_per_m_k": part * kappa}
            for n, part in ((11, 0.9), (15, 0.95), (19, 0.97))
        ],
        "kappa_300k_w_per_m_k": kappa,
        "kappa_300k_error_w_per_m_k": 0.05 * kappa,
        "kappa_300k_mesh_error_w_per_m_k": 0.04 * kappa,
        "transport": {
            "frequency_thz": [5 * each for each in scale],
            "cumulative_kappa_of_frequency_w_per_m_k": _summed(kappa, scale),
            "mean_free_path_angstrom": [10 ** (4 * each) for each in scale],
            "cumulative_kappa_of_mean_free_path_w_per_m_k": _summed(kappa, scale),
        },
    }
    return pictures("lattice-thermal-conductivity", result)


def pictures(name: str, result: dict[str, Any]) -> list[Any]:
    from screening.targets.objectives import OBJECTIVES
    from screening.views.candidate import _pictures

    return _pictures(OBJECTIVES.load(name), result)


def _summed(kappa: float, scale: Iterable[float]) -> list[float]:
    return [kappa * each**2 * (3 - 2 * each) for each in scale]


def electrode_curves() -> list[Any]:
    path = ((0.0, 68.1, "FePO4"), (0.5, 70.2, "Li0.5FePO4"), (1.0, 72.4, "LiFePO4"))
    result = {
        "working_ion": "Li",
        "path": [
            {"formula": formula, "working_ions": ions, "volume_a3": volume}
            for ions, volume, formula in path
        ],
        "voltages": [
            {"working_ions_charged": start, "working_ions_discharged": end, "voltage_v": voltage}
            for start, end, voltage in ((0.0, 0.5, 3.5), (0.5, 1.0, 3.4))
        ],
    }
    return pictures("electrode-volume-change", result)
