"""How good the shipped tables of engines' errors are: each family of crystals left out once.

    python benchmarks/engine_error_calibration.py [TABLE …] [--json]

Without a table all that ship.  A family is what the table says: crystals with the same anion, as
the errors of a potential are alike for these.  The whole model is made again without the family,
calibration included.  As a harder test kinds of anions are left out together as well: halides and
hydrides, chalcogenides, pnictides and carbides.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

KINDS = {
    **dict.fromkeys(("H", "F", "Cl", "Br", "I"), "halides and hydrides"),
    **dict.fromkeys(("O", "S", "Se", "Te"), "chalcogenides"),
}
"""Of anions; all others are pnictides and carbides."""


def main() -> None:
    """Print how good the tables are."""
    from screening.targets.error_tables import known_tables, parse_table
    from screening.targets.table_calibration import calibration_of

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tables", nargs="*", type=Path, help="files; all that ship by default")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    tables = [parse_table(path.read_text(), str(path)) for path in options.tables] or [
        *known_tables()
    ]
    found = [
        {
            "quantity": table.quantity,
            "engine": table.engine,
            "by_family": asdict(calibration_of(table)),
            "by_kind_of_anion": asdict(
                calibration_of(table, lambda row: KINDS.get(row.family, "pnictides and carbides"))
            ),
        }
        for table in tables
    ]
    if options.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    print("| quantity | engine | left out | crystals | rms | expected rms | within one | two |")
    print("|---|---|---|---|---|---|---|---|")
    for each in found:
        for name in ("by_family", "by_kind_of_anion"):
            one = each[name]
            print(
                f"| {each['quantity']} | {each['engine']} | {name.replace('_', ' ')} | {one['n']} "
                f"| {one['rms']:.3f} | {one['expected_rms']:.3f} | {one['within_one']:.0%} "
                f"| {one['within_two']:.0%} |"
            )
        lowest = ", ".join(f"{n} by {way}" for way, n in each["by_family"]["lowest_found"].items())
        print(f"  of the ten lowest: {lowest}")


if __name__ == "__main__":
    main()
