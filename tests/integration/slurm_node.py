"""A real Slurm of one node for the while of a command: ``slurm_node.py COMMAND …``.

Where a Slurm answers already, the command just runs, and nothing is started or stopped.
Otherwise munged, slurmctld and slurmd are started with a configuration, keys, ports and folders of
their own, and stopped afterwards: nothing of the machine's own configuration is read or changed.
Needs root, because slurmd does.
"""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel")
PACKAGES = ("slurm-wlm", "munge")
START_TIMEOUT_S = 300.0
# More than a small machine has, so that several jobs run at once; slurmd is told to believe it.
CPUS = 8


def main(command: list[str]) -> int:
    """Run a command with a Slurm at hand; return its exit status, or 2 when there is none."""
    # The directories of daemons are not on everybody's PATH.
    os.environ["PATH"] += f"{os.pathsep}/usr/sbin{os.pathsep}/sbin"
    if _answers():
        return subprocess.run(command, check=False).returncode
    install_missing()
    if os.getuid() != 0:
        print("slurmd needs root; run this as root, or where a Slurm is running", file=sys.stderr)
        return 2
    # Whatever ends this program, the daemons end with it.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    with slurm_node() as environment:
        return subprocess.run(command, env=environment, check=False).returncode


def install_missing() -> None:
    """Install Debian's packages, or say what is needed."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if not missing:
        return
    if os.getuid() != 0 or shutil.which("apt-get") is None:
        print(
            f"missing: {', '.join(missing)}; on Debian, as root: "
            f"apt-get install {' '.join(PACKAGES)}",
            file=sys.stderr,
        )
        sys.exit(2)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    apt = ("apt-get", "-qq", "-y", "-o", "Dpkg::Use-Pty=0")
    subprocess.run([*apt, "update"], check=True, env=environment)
    install = [*apt, "install", "--no-install-recommends", *PACKAGES]
    subprocess.run(install, check=True, env=environment, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def slurm_node() -> Iterator[dict[str, str]]:
    """Start a Slurm of one node; give the environment that finds it; stop it."""
    with contextlib.ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="slurm-node-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        # munged refuses folders that others may write to, and its clients must reach the socket.
        folder.chmod(0o755)
        log = stack.enter_context((folder / "daemons.log").open("ab"))
        socket_path = _start_munge(stack, folder, log)
        conf = folder / "slurm.conf"
        conf.write_text(configuration(folder, socket_path))
        environment = os.environ | {"SLURM_CONF": str(conf)}
        for daemon in ("slurmctld", "slurmd"):
            program = [daemon, "-D", "-f", str(conf)]
            _start(stack, program, log, environment)
        try:
            _wait(lambda: _is_idle(environment), "slurmd")
        except RuntimeError:
            print((folder / "daemons.log").read_text()[-4000:], file=sys.stderr)
            raise
        yield environment
        # What a failed test left in the queue must not outlive the daemons.
        subprocess.run(["scancel", "--user", "root"], env=environment, check=False)
        with contextlib.suppress(RuntimeError):
            _wait(lambda: not _said(["squeue", "-h"], environment).strip(), "squeue")


def configuration(folder: Path, munge_socket: Path) -> str:
    """Return slurm.conf: one node that is this machine, and nothing that needs cgroups."""
    host = platform.node().partition(".")[0]
    ports = _free_ports(2)
    lines = {
        "ClusterName": "screen-test",
        "SlurmctldHost": f"{host}(127.0.0.1)",
        "SlurmctldPort": ports[0],
        "SlurmdPort": ports[1],
        "SlurmUser": "root",
        "SlurmdUser": "root",
        "AuthType": "auth/munge",
        "AuthInfo": f"socket={munge_socket}",
        "CredType": "cred/munge",
        "ProctrackType": "proctrack/linuxproc",
        "TaskPlugin": "task/none",
        "JobAcctGatherType": "jobacct_gather/none",
        "AccountingStorageType": "accounting_storage/none",
        "MpiDefault": "none",
        "SelectType": "select/cons_tres",
        "SelectTypeParameters": "CR_Core",
        "SchedulerType": "sched/backfill",
        "SchedulerParameters": "sched_interval=1,bf_interval=1,batch_sched_delay=0",
        "SlurmdParameters": "config_overrides",
        "ReturnToService": 2,
        "KillWait": 30,
        "MinJobAge": 300,
        "StateSaveLocation": folder / "state",
        "SlurmdSpoolDir": folder / "spool",
        "SlurmctldPidFile": folder / "slurmctld.pid",
        "SlurmdPidFile": folder / "slurmd.pid",
        "SlurmctldLogFile": folder / "slurmctld.log",
        "SlurmdLogFile": folder / "slurmd.log",
        "NodeName": f"{host} NodeAddr=127.0.0.1 CPUs={CPUS} RealMemory=1000 State=UNKNOWN",
        "PartitionName": "main Nodes=ALL Default=YES MaxTime=INFINITE State=UP",
    }
    return "".join(f"{name}={value}\n" for name, value in lines.items())


def _start_munge(stack: contextlib.ExitStack, folder: Path, log: object) -> Path:
    munge = folder / "munge"
    munge.mkdir(mode=0o755)
    key = munge / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    for path in (munge, key):
        shutil.chown(path, "munge", "munge")
    files = {"key-file": key} | {
        f"{kind}-file": munge / f"munged.{kind}" for kind in ("pid", "log", "seed")
    }
    options = [f"--{name}={path}" for name, path in files.items()]
    socket_path = munge / "munge.socket"
    command = ["munged", "--foreground", f"--socket={socket_path}", *options]
    _start(stack, command, log, user="munge")
    _wait(socket_path.is_socket, "munged")
    return socket_path


def _start(
    stack: contextlib.ExitStack,
    command: list[str],
    log: object,
    environment: dict[str, str] | None = None,
    user: str | None = None,
) -> None:
    daemon = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=environment,
        user=user,
        group=user,
        # Ctrl-C is for the tests; the daemons are stopped in order afterwards.
        start_new_session=True,
    )
    stack.callback(_stop, daemon)


def _stop(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    try:
        daemon.wait(timeout=15)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def _answers() -> bool:
    """Return whether a Slurm is running for us already."""
    if shutil.which("sinfo") is None:
        return False
    return bool(_said(["sinfo", "-h", "-t", "idle,mix,alloc", "-o", "%P"], dict(os.environ)))


def _is_idle(environment: dict[str, str]) -> bool:
    return "idle" in _said(["sinfo", "-h", "-o", "%T"], environment)


def _said(command: list[str], environment: dict[str, str]) -> str:
    try:
        answer = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=20, check=False
        )
    except subprocess.TimeoutExpired:
        return ""
    return answer.stdout if answer.returncode == 0 else ""


def _wait(condition: object, what: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} did not get ready within {START_TIMEOUT_S:.0f} s")
        time.sleep(0.2)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: slurm_node.py COMMAND …")
    sys.exit(main(sys.argv[1:]))
