"""Make the tables of engines' errors that ship in `configs/engine_errors` from benchmarks' rows.

    python benchmarks/engine_error_table.py kappa [--engine NAME] [--rows JSON] [--out FOLDER]
    python benchmarks/engine_error_table.py electrodes [--engine NAME]
    python benchmarks/engine_error_table.py slack [--engine NAME]

Nothing is computed but the features of crystals: rows come from `kappa_against_phonondb.py --every
1`, `electrode_volume_change.py --start both` and `slack_against_phonondb.py`.  For another engine
run these first, with `--engine`.  How good a table is, `engine_error_calibration.py` tells.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
TABLES = Path(__file__).parents[1] / "configs" / "engine_errors"
PHONONDB = (
    "PhononDB-PBE (phonon database of A. Togo), as used by the thermal conductivity benchmark of "
    "Matbench Discovery"
)
MATERIALS_PROJECT = "Materials Project; A. Jain et al., APL Mater. 1, 011002 (2013)"
LICENCE = "CC BY 4.0"
LIKENESS = (
    *("log_atomic_mass_mean", "log_atomic_mass_std", "electronegativity_min"),
    *("electronegativity_max", "group_mean", "row_mean", "d_electrons_mean", "f_electrons_mean"),
    *("n_sites", "coordination_mean", "log_nearest_distance", "packing_fraction"),
)
"""Features by which a crystal is like another: its elements, and how they are put together."""
KAPPA_FEATURES = [
    "value",
    "candidate.electronegativity_max",
    "candidate.log_lindemann_slack_estimate",
]
PEERS = (
    *LIKENESS,
    *("log_lindemann_slack_estimate", "log_slack_conductivity_estimate", "log_volume_per_atom"),
    *("bond_electronegativity_difference", "bond_log_mass_ratio", "melting_point_mean"),
    "log_mean_atomic_mass",
)
"""Features that tell what an engine would find for a crystal, by its values for those like it."""
VOLUME_FEATURES = ["value", "result.host_dimensionality", "result.topotactic"]
VOLTAGE_FEATURES = ["candidate.d_electrons_mean"]


def anion(composition: Any) -> str:
    """Return the anion of a compound: its element furthest to the right, hydrogen as a halogen."""

    def place(element: Any) -> tuple[int, int]:
        return (17 if element.symbol == "H" else element.group, -element.row)

    return str(max(composition.elements, key=place).symbol)


def described(candidate: Any, row: dict[str, Any], names: list[str]) -> dict[str, float | None]:
    """Return what a table's row says of a crystal."""
    from screening.candidates.kinds import candidate_kind
    from screening.targets.error_tables import described as named

    kind = candidate_kind("crystal")
    features = dict(zip(kind.feature_names(), candidate.features, strict=True))
    return {
        name: None if value is None else float(f"{value:.7g}")
        for name, value in named(names, row, features).items()
    }


def candidates(source: str) -> dict[str, Any]:
    """Return the candidates of a shipped source by material id, with features."""
    from screening.candidates.candidate import Origin
    from screening.candidates.kinds import candidate_kind
    from screening.sources import open_source

    kind, found = candidate_kind("crystal"), {}
    for record in open_source(source).records():
        origin = Origin(
            source=source,
            material_id=record.material_id,
            location=record.location,
            properties=record.properties,
        )
        found[record.material_id] = kind.with_features(kind.read(record.content, origin))
    return found


def table_of(
    rows: list[dict[str, Any]], common: dict[str, Any], *, source: str, value: str, reference: str
) -> dict[str, Any]:
    """Return a table.

    Parameters
    ----------
    rows
        Of a benchmark.
    common
        What a table has beside its rows.
    source
        Shipped source of the crystals.
    value, reference
        Fields of a row.
    """
    known = candidates(source)
    estimate, error = common.get("estimate"), common.pop("error_field", None)
    names = [*common["features"], *common["likeness"], *common.get("peers", [])]
    if common.get("depth"):
        names.append(f"result.{common['depth']}")
    made = []
    for row in rows:
        unstable = row["outcome"] == "unstable"
        field = estimate if unstable else value
        error_field = common.get("estimate_error") if unstable else error
        if field is None or row.get(field) is None or row.get(reference) is None:
            continue
        candidate = known[row["material_id"]]
        own = row.get(error_field or "")
        made.append(
            {
                "candidate_id": candidate.candidate_id,
                "material_id": row["material_id"],
                "formula": candidate.formula,
                "family": anion(candidate.content().composition),
                "unstable": unstable,
                "value": float(f"{row[field]:.6g}"),
                "value_error": None if own is None else float(f"{own:.3g}"),
                "reference": float(f"{row[reference]:.6g}"),
                "features": described(candidate, row, names),
            }
        )
    made.sort(key=lambda row: row["candidate_id"])
    calls, wall_s = sum(row["force_calls"] for row in rows), sum(row["wall_s"] for row in rows)
    return {
        **common,
        "versions": rows[0]["versions"],
        "cost": f"{calls:.0f} force calls, {wall_s / 3600:.1f} core h",
        "licence": LICENCE,
        "rows": made,
    }


def common_of(engine: str, target: str) -> dict[str, Any]:
    """Return what all tables of an engine have."""
    from screening.campaigns.config import load_campaign_config
    from screening.candidates.kinds import candidate_kind
    from screening.targets.engines import engine_config

    return {
        "engine": engine,
        "engine_fingerprint": engine_config(engine).fingerprint(),
        "recipe": load_campaign_config(target, {}).recipe,
        "features_version": candidate_kind("crystal").features_version,
        "likeness": [f"candidate.{name}" for name in LIKENESS],
        "families": "crystals with the same anion: of the elements the one furthest to the right "
        "in the periodic table",
    }


def kappa(engine: str, path: Path | None) -> list[dict[str, Any]]:
    """Return the table of κ."""
    path = path or RESULTS / f"kappa_against_phonondb-{engine}-every-1.json"
    own = {
        "quantity": "kappa_300k_w_per_m_k",
        "estimate": "kappa_300k_real_modes_w_per_m_k",
        "estimate_error": "kappa_300k_real_modes_error_w_per_m_k",
        "error_field": "kappa_300k_error_w_per_m_k",
        "depth": "min_frequency_thz",
        "logarithmic": True,
        **common_of(engine, "low-kappa"),
        "reference": "PhononDB-PBE without the non-analytical correction",
    }
    # A value far below those of crystals alike is mostly wrong; not so for Slack's estimate.
    own["peers"] = [f"candidate.{name}" for name in PEERS]
    return phonondb_table(path, own, "reference_w_per_m_k")


def slack(engine: str, path: Path | None) -> list[dict[str, Any]]:
    """Return the table of Slack's estimate of κ."""
    path = path or RESULTS / f"slack_against_phonondb-{engine}.json"
    own = {
        "quantity": "slack_kappa_300k_w_per_m_k",
        "logarithmic": True,
        **common_of(engine, "low-kappa-slack"),
        "reference": "κ of PhononDB-PBE with the non-analytical correction",
    }
    return phonondb_table(path, own, "kappa_300k_with_nac_w_per_m_k")


def phonondb_table(path: Path, own: dict[str, Any], reference: str) -> list[dict[str, Any]]:
    """Return the table of a κ against PhononDB's, which is the field `reference` of the rows."""
    common = {
        **own,
        "source": PHONONDB,
        "features": KAPPA_FEATURES,
    }
    return [
        table_of(
            json.loads(path.read_text()),
            common,
            source="phonondb-103",
            value=own["quantity"],
            reference=reference,
        )
    ]


def electrodes(engine: str, path: Path | None) -> list[dict[str, Any]]:
    """Return the tables of the change of volume and of the voltage."""
    path = path or RESULTS / f"electrode_volume_change-{engine}-both.json"
    rows = list(json.loads(path.read_text()).values())
    for row in rows:
        row["material_id"] = row["name"].split()[0]
    common = {
        "logarithmic": False,
        **common_of(engine, "cathode-volume-change"),
        "reference": "PBE and PBE+U of the Materials Project",
        "source": MATERIALS_PROJECT,
    }
    own = {
        "delta_volume_fraction": ("delta_volume_error_fraction", VOLUME_FEATURES),
        "average_voltage_v": (None, VOLTAGE_FEATURES),
    }
    return [
        table_of(
            rows,
            {"quantity": quantity, "error_field": error, **common, "features": features},
            source="electrode-pairs",
            value=quantity,
            reference=f"dft_{quantity}",
        )
        for quantity, (error, features) in own.items()
    ]


def written(table: dict[str, Any]) -> str:
    """Return a table as JSON, one crystal a line."""
    head = {key: value for key, value in table.items() if key != "rows"}
    rows = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in table["rows"])
    text = json.dumps(head, indent=1, ensure_ascii=False).removesuffix("\n}")
    return f'{text},\n "rows": [\n  {rows}\n ]\n}}\n'


def main() -> None:
    """Write the tables of one kind."""
    kinds = {"kappa": kappa, "slack": slack, "electrodes": electrodes}
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kind", choices=kinds)
    parser.add_argument("--engine", default="sevennet-l3i5")
    parser.add_argument("--rows", type=Path, help="rows of the benchmark, where elsewhere")
    parser.add_argument("--out", type=Path, default=TABLES)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for table in kinds[options.kind](options.engine, options.rows):
        path = options.out / f"{table['quantity']}-{options.engine}.json"
        path.write_text(written(table), "utf-8")
        print(f"{len(table['rows'])} rows in {path}")


if __name__ == "__main__":
    main()
