"""What is printed where the terminal has no Unicode, the disk is full, or the reader has left."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from campaign_fixtures import TOY_PATH, toy_pool, write_cifs

from screening.cli import main
from screening.messages import terminal


@pytest.fixture
def screen_to(toy, server_uri, database_name, tmp_path, monkeypatch):
    """Run ``matscreen …`` with standard output in an encoding; return status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCREEN_MONGODB_URI", server_uri)
    monkeypatch.setenv("SCREEN_DATABASE", database_name)
    handlers = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}

    def screen_to(encoding: str, *arguments: str) -> tuple[int, str, str]:
        streams = [io.TextIOWrapper(io.BytesIO(), encoding) for _ in range(2)]
        with monkeypatch.context() as patched:
            patched.setattr(sys, "argv", ["screen", *arguments])
            patched.setattr(sys, "stdout", streams[0])
            patched.setattr(sys, "stderr", streams[1])
            with pytest.raises(SystemExit) as end:
                main()
        for number, handler in handlers.items():
            signal.signal(number, handler)
        said = [stream.buffer.getvalue().decode(encoding) for stream in streams]
        return end.value.code or 0, *said

    return screen_to


SHOWN = {"cp1252": "kappa–€", "latin-1": "kappa-?", "ascii": "kappa-?"}
"""What is shown of “κ–€”, by encoding."""


def test_terminals_without_unicode(screen_to, new_campaign, work):
    work(new_campaign("mine", pool=3, budget=2))
    for encoding, shown in SHOWN.items():
        for arguments in (
            ["rank"],
            ["rank", "--format", "csv"],
            ["status"],
            ["show", "Cu"],
            ["--help"],
            ["submit", "--help"],
        ):
            status, out, _ = screen_to(encoding, *arguments)
            assert (status, bool(out)) == (0, True)
        status, _, err = screen_to(encoding, "rank", "κ–€")
        assert status == 2
        assert f"'{shown}'" in err
        # JSON has a way of its own, which loses nothing.
        assert json.loads(screen_to(encoding, "show", "Cu", "--format", "json")[1])
    rows = screen_to("ascii", "rank")[1].splitlines()
    table = [line for line in rows if line.startswith(("|", "+"))]
    assert len(table) > 5
    assert len(set(map(len, table))) == 1


def test_a_dry_run_tells_names_and_what_was_not_looked_at(screen_to, tmp_path):
    folder = write_cifs(tmp_path / "crystals", 1)
    (folder / "κ–€.cif").write_text("x")
    (folder / "κ–€.txt").write_text("x")
    options = ["--target", "low-kappa", "--engine", "emt", "--source", "crystals", "--dry-run"]
    status, _, err = screen_to("ascii", "submit", *options)
    assert status == 0
    assert "refused kappa-?.cif: " in err
    assert "source 'crystals': 1 file not looked at, of a kind that is not read: kappa-?.t" in err


def test_substitutes():
    assert terminal.writable("κ ± 3 Å, “ü” → ∞ 世", "ascii") == 'kappa +/- 3 A, "ue" -> inf ?'
    assert terminal.writable("κ ± 3 Å, 世", "latin-1") == "kappa ± 3 Å, ?"
    assert terminal.writable("a\udcffb", "utf-8") == "a?b"
    assert all(text.isascii() for text in terminal.SUBSTITUTES.values())
    assert terminal.printable("a\x1b[31mb\tκ\n") == "a?[31mb\tκ\n"


def test_names_cannot_write_to_the_terminal(capsys):
    from screening.cli.intake import say_pool

    pool = toy_pool(1)
    pool.remarks = ["source 'x': 1 file not looked at: a\x1b]0;b\x07.txt"]
    say_pool(pool, "emt", kept=False)
    assert "a?]0;b?.txt" in capsys.readouterr().err


def test_full_devices_and_readers_that_leave(tmp_path, server_uri, database_name, new_campaign):
    """The streams of a process: in few processes, whose start takes longer than what they do."""
    new_campaign("mine", pool=8)
    code = (
        "import sys, os; from screening.cli import main\n"
        "sys.argv = ['screen', *sys.argv[1:]]; main()"
    )
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "SCREEN_MONGODB_URI": server_uri,
        "SCREEN_DATABASE": database_name,
        "PYTHONPATH": TOY_PATH,
    }

    def ended(command: str) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "-c", command, sys.executable, code],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stderr

    full = "error: the output cannot be written: No space left on device\n"
    assert ended('"$0" -c "$1" rank --format json >/dev/full') == (2, full)
    assert ended('"$0" -c "$1" --help >/dev/full') == (2, full)
    assert ended('"$0" -c "$1" status >/dev/full 2>/dev/full') == (2, "")
    assert ended('set -o pipefail; "$0" -c "$1" rank --format csv | true') == (1, "")
    assert ended('"$0" -c "$1" rank --format csv >&- 2>&-') == (0, "")


def test_no_output_replaces_a_device(screen_to, new_campaign, tmp_path):
    new_campaign("mine", pool=2)
    os.mkfifo(tmp_path / "pipe.csv")
    status, _, err = screen_to(
        "utf-8", "export", "mine", "--as", "csv", "--force", "-o", "pipe.csv"
    )
    assert (status, Path("pipe.csv").is_fifo()) == (2, True)
    assert "pipe.csv: is no regular file" in err


def test_a_report_that_does_not_fit_leaves_nothing(screen_to, new_campaign, tmp_path):
    import resource

    new_campaign("mine", pool=2)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        ends = [
            screen_to("utf-8", "report", "-o", "a.html"),
            screen_to("utf-8", "export", "mine", "--as", "csv", "--predicted", "-o", "a.csv"),
        ]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    for name, (status, _, err) in zip(("a.html", "a.csv"), ends, strict=True):
        assert (status, len(err.splitlines())) == (2, 1)
        assert f"{name}: cannot be written: File too large" in err
    assert list(tmp_path.iterdir()) == []


def test_outputs_know_the_home(screen_to, new_campaign, tmp_path, monkeypatch):
    new_campaign("mine", pool=2)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path)
    for arguments in (
        ["export", "mine", "--as", "csv", "--predicted", "-o", "~/a.csv"],
        ["plot", "mine", "--kind", "map", "-o", "$HOME/a.svg"],
        ["report", "-o", "~/a.html"],
        ["init", "--cluster", "--scheduler", "slurm", "--output", "~/queue.yaml"],
    ):
        status, _, err = screen_to("utf-8", *arguments)
        assert status == 0, err
    assert {path.name for path in (tmp_path / "home").iterdir()} >= {
        *("a.csv", "a.svg", "a.html", "queue.yaml")
    }
