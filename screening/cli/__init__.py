"""The command line: one file for each command, which reads options, calls the rest, and prints.

Heavy libraries are imported inside the functions that need them: ``--help`` and commands that only
read the database answer at once.  Results go to stdout, everything else to stderr.
"""

from __future__ import annotations


def main() -> None:
    """Run the program ``matscreen`` (also called ``screen``)."""
    # Imported late: this package is also entered for one command alone.
    from screening.cli.program import main as run
    from screening.machine.threads import wait_asleep

    wait_asleep()
    run()
