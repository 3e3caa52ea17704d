"""Tables that spreadsheets open."""

from __future__ import annotations

import csv
import io

from screening.exports.csv_cells import write_csv


def test_foreign_text_is_no_formula():
    file = io.StringIO()
    write_csv(
        [{"material_id": "=HYPERLINK(1)", "value": -1.5}, {"material_id": "mp-1", "also": "+1"}],
        file,
    )
    file.seek(0)
    rows = list(csv.DictReader(file))
    assert rows[0] == {"material_id": "'=HYPERLINK(1)", "value": "-1.5", "also": ""}
    assert rows[1] == {"material_id": "mp-1", "value": "", "also": "'+1"}
