"""Names of processes, and which of them are dead."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from screening.machine.process_names import (
    is_alive_here,
    is_dead_here,
    name_of,
    other_host,
    this_process,
)


@pytest.fixture
def child():
    """A process that ends when it reads a line."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield child
    child.kill()
    child.communicate()


def test_this_process_is_alive_and_has_one_name():
    assert this_process() == this_process() == name_of(os.getpid())
    assert is_alive_here(this_process())
    assert not is_dead_here(this_process())


def test_a_process_is_dead_when_it_has_ended(child):
    name = name_of(child.pid)
    assert is_alive_here(name)
    assert not is_dead_here(name)
    child.communicate(b"\n")
    assert is_dead_here(name)
    assert not is_alive_here(name)
    with pytest.raises(ProcessLookupError):
        name_of(child.pid)


def test_a_killed_child_nobody_has_waited_for_is_dead(child):
    name = name_of(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_dead_here(name)


def test_a_process_number_used_again_belongs_to_somebody_else():
    before, _, started = this_process().rpartition(":")
    assert is_dead_here(f"{before}:{int(started) - 100}")


def test_what_is_not_a_process_of_this_machine_is_neither_dead_nor_alive():
    machine, pid, started = this_process().rsplit(":", 2)
    for name in (
        f"elsewhere:{pid}:{started}",
        f"{machine}:x:{started}",
        f"{machine}:{pid}",
        f"{machine}0:{pid}:{started}",
        machine,
        "",
        ":",
        "a cluster's FWorker",
    ):
        assert not is_dead_here(name)
        assert not is_alive_here(name)


def test_a_child_made_by_fork_has_a_name_of_its_own():
    code = (
        "import os\n"
        "from screening.machine.process_names import this_process\n"
        "before = this_process()\n"
        "pid = os.fork()\n"
        "if not pid:\n"
        "    os._exit(this_process() == before)\n"
        "raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_host_of_a_process_of_another_machine_is_named():
    machine, pid, started = this_process().rsplit(":", 2)
    host, _, rest = machine.partition("/")
    assert other_host(this_process()) is None
    assert other_host(f"{host}/before-a-reboot/1:{pid}:{started}") is None
    assert other_host(f"node17/{rest}:{pid}:{started}") == "node17"
    assert other_host("no name of a process") is None
