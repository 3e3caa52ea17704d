"""Names of processes, by which the same machine can find out whether a process still lives.

A name is ``machine:process number:start``.  The machine is its host name, this boot, and the
process namespace, so that neither a later boot nor a container of the same host name is mistaken
for it; the start is counted in clock ticks since the boot, which a change of the clock does not
move.
"""

from __future__ import annotations

import functools
import os
import platform
from pathlib import Path


@functools.cache
def _machine() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip().split("-")[0]
    return f"{platform.node()}/{boot}/{os.stat('/proc/self/ns/pid').st_ino}"


def name_of(pid: int) -> str:
    """Return the name of a process of this machine.

    Raises
    ------
    ProcessLookupError
        When there is no such process.
    """
    started = _start_ticks(pid)
    if started is None:
        raise ProcessLookupError(pid)
    return f"{_machine()}:{pid}:{started}"


def this_process() -> str:
    """Return the name of this process."""
    return name_of(os.getpid())


def is_alive_here(name: str) -> bool:
    """Return whether `name` is a live process of this machine."""
    return _is_here(name) and not is_dead_here(name)


def is_dead_here(name: str) -> bool:
    """Return whether `name` is a process of this machine that has ended.

    False for a process of another machine and for a name of another form.
    """
    if not _is_here(name):
        return False
    _, pid, started = name.rsplit(":", 2)
    # Process numbers are used again; the start distinguishes the new process from the old.
    return _start_ticks(int(pid)) != int(started)


def other_host(name: str) -> str | None:
    """Return the host name of a process of another machine; None for one of this machine.

    None, too, for a process of this host from before a reboot and for a name of another form.
    """
    machine, *rest = name.rsplit(":", 2)
    host = machine.partition("/")[0]
    return host if host != platform.node() and len(rest) == 2 else None


def _is_here(name: str) -> bool:
    machine, *rest = name.rsplit(":", 2)
    return machine == _machine() and len(rest) == 2 and all(part.isdigit() for part in rest)


def _start_ticks(pid: int) -> int | None:
    """Return when a process started; None when it has ended, even if it was not reaped yet."""
    try:
        # The name in parentheses may hold any character; fields are counted after it.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])
