"""Fixtures of all tests; those of campaigns and databases are in `campaign_fixtures`."""

from __future__ import annotations

import os
from importlib import resources

# FireWorks reads it when it is imported first, whichever test does that.
os.environ["FW_CONFIG_FILE"] = str(resources.files("configs") / "fireworks.yaml")
# Small problems: threads that wait for each other double the time.  Read when numpy is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAYON_NUM_THREADS", "1")

pytest_plugins = [
    "browser_fixtures",
    "campaign_fixtures",
    "queue_fixtures",
    "recorded_results",
]
