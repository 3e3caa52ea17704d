"""The command line: one file for each command, and what they print."""

from __future__ import annotations


def main() -> None:
    """Run the program ``screen`` (also called ``matscreen``)."""
    # Imported late: this package is also entered for one command alone.
    from screening.cli.program import main as run

    run()
