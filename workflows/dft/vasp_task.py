"""VASP under custodian in the working directory: ``python -m workflows.dft.vasp_task``.

custodian gives VASP a session of its own, in which it would outlive whoever is waiting for it: on
SIGTERM this process takes VASP's whole family with it.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any

import psutil


def _end_family(number: int, frame: Any) -> None:
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    os._exit(128 + number)


def main() -> None:
    """Run VASP; custodian mends what it knows how to mend without changing the physics."""
    signal.signal(signal.SIGTERM, _end_family)
    from atomate2.vasp.run import DEFAULT_HANDLERS, run_vasp
    from custodian.vasp.handlers import KspacingMetalHandler, LargeSigmaHandler

    # One supercell with another smearing than its siblings would spoil all of them.
    changing = (KspacingMetalHandler, LargeSigmaHandler)
    handlers = [handler for handler in DEFAULT_HANDLERS if not isinstance(handler, changing)]
    run_vasp(handlers=handlers, custodian_kwargs={"polling_time_step": 1})


if __name__ == "__main__":
    main()
