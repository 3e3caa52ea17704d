"""Commands as a user would type them, for benchmarks that run whole campaigns in a folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def screen(*arguments: object) -> None:
    """Run a command; what it says goes to the terminal."""
    words = [sys.executable, "-m", "screening", *map(str, arguments)]
    print("$ matscreen", " ".join(map(str, arguments)), file=sys.stderr, flush=True)
    if subprocess.run(words, check=False).returncode != 0:
        sys.exit(f"{words[3]} failed; when that is mended, start this program again")


def is_there(name: str) -> bool:
    """Return whether a campaign was submitted."""
    from screening.campaigns.campaign import SUBMITTED
    from screening.machine.settings import Settings
    from screening.store.database import open_database

    if not Path(".screen").exists():
        return False
    with open_database(Settings()) as database:
        return database.campaigns.find_one({"_id": name, **SUBMITTED}) is not None
