"""Fixtures of all tests; those of campaigns and databases are in `campaign_fixtures`."""

from __future__ import annotations

import os
from importlib import resources

# FireWorks reads it when it is imported first, whichever test does that.
os.environ["FW_CONFIG_FILE"] = str(resources.files("configs") / "fireworks.yaml")

pytest_plugins = ["campaign_fixtures"]
