"""`matscreen clean`: remove large values that nothing refers to."""

from __future__ import annotations

from typing import Annotated

import typer

from screening.cli.opening import existing_database
from screening.messages.stderr import counted, say


def clean(
    older_than_h: Annotated[
        float, typer.Option(min=0.0, help="Spare what is younger, in hours.")
    ] = 24.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
) -> None:
    """Remove large values that no result and no job refers to any more."""
    from screening.store.unreferenced_blobs import find_unreferenced, remove_unreferenced

    with existing_database() as database:
        unreferenced = find_unreferenced(database, older_than_h)
        blobs = f"{len(unreferenced.ids)} of {counted(unreferenced.total, 'blob')}"
        size = f"{unreferenced.size_mb:.1f} MB"
        if dry_run:
            say(f"{blobs} ({size}) could be removed")
            return
        remove_unreferenced(database, unreferenced)
        say(f"{blobs} ({size}) removed: nothing referred to them")
