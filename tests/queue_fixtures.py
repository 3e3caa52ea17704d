"""A scheduler that does nothing but remember: its programs, for tests of what is asked of them."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

import pytest

SUBMIT = """#!/bin/sh
cd {folder}
[ -e refusal ] && {{ cat refusal >&2; exit 1; }}
number=$(( $(cat number) + 1 ))
echo $number >number.new && mv number.new number  # never empty to who reads it
echo "$number PD" >>jobs
echo {answer}
"""
ANSWERS = {
    "SLURM": ("sbatch", "Submitted batch job $number"),
    "PBS": ("qsub", "$number.server"),
    "SGE": ("qsub", 'Your job $number \\("name"\\) has been submitted'),
}


@dataclass
class FakeScheduler:
    """The folder where the programs keep what they were told."""

    folder: Path

    @property
    def jobs(self) -> dict[str, str]:
        lines = (self.folder / "jobs").read_text().splitlines()
        return dict(map(str.split, lines))

    @jobs.setter
    def jobs(self, states: dict[str, str]) -> None:
        text = "".join(f"{number} {state}\n" for number, state in states.items())
        (self.folder / "jobs").write_text(text)

    @property
    def submitted(self) -> int:
        return int((self.folder / "number").read_text())

    def refuse(self, reason: str) -> None:
        (self.folder / "refusal").write_text(reason)

    def program(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def slurm(tmp_path, monkeypatch) -> FakeScheduler:
    """Slurm's programs, first on PATH."""
    folder = tmp_path / "slurm"
    (folder / "bin").mkdir(parents=True)
    (folder / "number").write_text("0")
    (folder / "jobs").write_text("")
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    fake = FakeScheduler(folder)
    program, answer = ANSWERS["SLURM"]
    fake.program(program, SUBMIT.format(folder=folder, answer=answer))
    fake.program("squeue", f"#!/bin/sh\ncat {folder / 'jobs'}\n")
    fake.program("scancel", f'#!/bin/sh\nsed -i "/^$1 /d" {folder / "jobs"}\n')
    return fake
