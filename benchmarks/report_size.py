"""How large is the report of a campaign, how long does it take, and how quick is it to use?

    python benchmarks/report_size.py [--campaign NAME] [--candidates N] [--keep FILE]

Run it where a finished low-kappa campaign is (as after `make run`).  A campaign of N candidates,
all computed, is made from that one in a database of its own: its documents with other ids and
values, its bands and mean free paths as they are, and the crystals of its pool.  The report is then
opened in chromium (with playwright, from the extra dev).
"""

from __future__ import annotations

import argparse
import copy
import datetime
import math
import os
import random
import shutil
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

from screening.campaigns.campaign import Campaign
from screening.machine.settings import Settings
from screening.pages.report import write_report
from screening.store.database import Database, open_database

SPREAD = 0.3
"""Standard deviation of log10 of the values that are made up around the real ones."""
LARGE = ("spectrum", "transport")
"""Large values that a report reads."""


def multiply(source: Database, target: Database, name: str | None, count: int) -> str:
    """Store a campaign of `count` computed candidates, made from a smaller one; return its name."""
    campaign = Campaign.open(source, name)
    draw = random.Random(0)
    target.prepare()
    stored = source.campaigns.find_one({"_id": campaign.name}) or {}
    stored["config"]["budget"] = count
    target.campaigns.insert_one(stored)
    pool = list(source.candidates.find({"campaigns": campaign.name}))
    picks = list(source.picks.find({"campaign": campaign.name, "state": "computed"}))
    results = {each["candidate_id"]: each for each in source.results.find(campaign.result_key())}
    blobs = {key: _blobs(source, result) for key, result in results.items()}
    candidates, made_picks, made_results = [], [], []
    for i in range(count):
        crystal = copy.deepcopy(pool[i % len(pool)])
        formula, _, _ = crystal["_id"].rpartition("-")
        key = f"{formula}-{i:08x}"
        crystal |= {
            "_id": key,
            "campaigns": [campaign.name],
            "features": [each + draw.gauss(0, 0.01) for each in crystal["features"]],
        }
        pick = copy.deepcopy(picks[i % len(picks)])
        result = copy.deepcopy(results[pick["candidate_id"]])
        factor = 10 ** draw.gauss(0, SPREAD)
        value = result["kappa_300k_w_per_m_k"] * factor
        for field in ("kappa_300k_w_per_m_k", "kappa_300k_error_w_per_m_k"):
            result[field] *= factor
        result["kappa_tensor_w_per_m_k"] = [
            [each * factor for each in row] for row in result["kappa_tensor_w_per_m_k"]
        ]
        result |= {
            "_id": f"{key}/{campaign.objective.name}/{campaign.recipe_hash}",
            "candidate_id": key,
            "formula": crystal["formula"],
            "space_group_number": crystal["space_group_number"],
            **_copies(target, blobs[pick["candidate_id"]]),
        }
        pick |= {
            "_id": f"{campaign.name}/{key}",
            "candidate_id": key,
            "number": i + 1,
            "round": 1 + i // 2,
            "result_id": result["_id"],
            "predicted_mean": math.log10(value) + draw.gauss(0, 0.15),
            "predicted_std": 0.15,
            "reason": "expected-improvement",
            "rank": 1 + i % 3,
            "fitted_on": i,
            "claimed_at": pick["claimed_at"] + datetime.timedelta(minutes=i),
        }
        candidates.append(crystal)
        made_picks.append(pick)
        made_results.append(result)
    target.candidates.insert_many(candidates)
    target.picks.insert_many(made_picks)
    target.results.insert_many(made_results)
    print(f"{count} candidates made from {len(picks)} results")
    return campaign.name


def _blobs(source: Database, result: dict[str, Any]) -> dict[str, tuple[dict[str, Any], bytes]]:
    """Return what GridFS has of a result's large values: metadata and content, by field."""
    found = {}
    for field in LARGE:
        query = {"metadata.blob_uuid": result[field]["blob_uuid"]}
        file = source.blobs.find_one(query) or {}
        found[field] = (
            file["metadata"],
            source.blob_bucket.open_download_stream(file["_id"]).read(),
        )
    return found


def _copies(target: Database, blobs: dict[str, tuple[dict[str, Any], bytes]]) -> dict[str, Any]:
    """Store large values once more; return the references to them."""
    references = {}
    for field, (metadata, content) in blobs.items():
        key = str(uuid.uuid4())
        target.blob_bucket.upload_from_stream(
            field, content, metadata={**metadata, "blob_uuid": key}
        )
        references[field] = {"@class": "", "@module": "", "blob_uuid": key, "store": "data"}
    return references


def use(path: Path) -> dict[str, float]:
    """Open a report in chromium, sort and filter it; return seconds."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    options = ["--enable-unsafe-swiftshader"] + (["--no-sandbox"] if os.geteuid() == 0 else [])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=options)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(120_000)
        page.goto(path.as_uri(), wait_until="commit")
        page.wait_for_selector("body[data-ready]")
        # The page's own marks, from the moment the browser started to open it.
        table, pictures = (
            page.evaluate(f"performance.getEntriesByName('{mark}')[0].startTime") / 1000
            for mark in ("table", "pictures")
        )
        page.select_option("#limit", "100")
        page.wait_for_timeout(500)

        def seconds(act: str) -> float:
            """Return the time from an act to the next frame that the browser has drawn."""
            return float(
                page.evaluate(
                    """act => new Promise((resolve) => {
                      const body = document.querySelector('#ranking-table tbody');
                      const started = performance.now();
                      new MutationObserver((_, observer) => {
                        observer.disconnect();
                        requestAnimationFrame(() => setTimeout(
                          () => resolve((performance.now() - started) / 1000)));
                      }).observe(body, { childList: true });
                      const [kind, target, value] = act.split('|');
                      const place = document.querySelector(target);
                      if (kind === 'click') place.click();
                      else { place.value = value; place.dispatchEvent(new Event(kind)); }
                    })""",
                    act,
                )
            )

        sort = seconds("click|th[data-sort=formula] button")
        filtered = seconds("input|#search|Rb")
        page.fill("#search", "")
        page.wait_for_timeout(500)
        key = page.get_attribute("#ranking-table tbody a >> nth=0", "data-candidate")
        started = time.perf_counter()
        page.click("#ranking-table tbody a >> nth=0")
        page.wait_for_selector(f"#candidate-body[data-shown='{key}']")
        opened = time.perf_counter() - started
        browser.close()
    return {
        "table there": table,
        "pictures there": pictures,
        "sorted": sort,
        "filtered (150 ms of it waiting for more letters)": filtered,
        "candidate opened": opened,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--campaign", help="its name; the newest if left out")
    parser.add_argument("--candidates", type=int, default=1000)
    parser.add_argument("--keep", type=Path, help="keep the report there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = Settings(
            mongodb_uri=None, directory=Path(folder) / ".screen", database=f"s{uuid.uuid4().hex}"
        )
        with (
            open_database(Settings(), must_exist=True) as source,
            open_database(made) as target,
        ):
            name = multiply(source, target, options.campaign, options.candidates)
            path = options.keep or Path(folder) / "report.html"
            campaign = Campaign.open(target, name)
            started, used = time.perf_counter(), time.process_time()
            written = write_report(path, campaign, top=None)
            took, used = time.perf_counter() - started, time.process_time() - used
            details = f"details of {written.computed}, {written.left_out} left out"
            print(f"{took:.1f} s ({used:.1f} s of a core), {written.size_mb:.1f} MB, {details}")
            started = time.perf_counter()
            write_report(path, campaign, top=None)
            print(f"again, the ranking kept: {time.perf_counter() - started:.1f} s")
        for what, seconds in use(path).items():
            print(f"{what}: {seconds:.2f} s")


if __name__ == "__main__":
    main()
