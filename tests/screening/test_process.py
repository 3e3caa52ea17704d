"""Names of processes, and which of them are dead."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import psutil
import pytest

from screening.process import is_dead_here, this_process


def name_of(pid: int, shift: float = 0.0) -> str:
    return f"{platform.node()}:{pid}:{psutil.Process(pid).create_time() + shift:.2f}"


def test_this_process_is_alive_and_has_one_name():
    assert this_process() == this_process() == name_of(os.getpid())
    assert not is_dead_here(this_process())


def test_another_process_is_dead_when_it_has_ended():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    name = name_of(child.pid)
    assert not is_dead_here(name)
    child.communicate(b"\n")
    assert is_dead_here(name)


def test_a_killed_child_nobody_has_waited_for_is_dead():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    name = name_of(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE
    assert is_dead_here(name)
    child.wait()


def test_a_process_number_used_again_belongs_to_somebody_else():
    assert is_dead_here(name_of(os.getpid(), shift=-100.0))


@pytest.mark.parametrize(
    "name",
    ["elsewhere:1:1.00", "", "worker", "a:b:c", f"{platform.node()}:x:1.0", "cluster fworker"],
)
def test_what_is_not_a_process_of_this_machine_is_never_called_dead(name):
    assert not is_dead_here(name)


def test_a_child_made_by_fork_has_a_name_of_its_own():
    this_process()
    code = (
        "import os\n"
        "from screening.process import this_process\n"
        "before = this_process()\n"
        "pid = os.fork()\n"
        "if not pid:\n"
        "    os._exit(this_process() == before)\n"
        "raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
