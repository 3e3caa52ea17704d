"""`matscreen doctor`: what it finds, what it says about what is missing."""

from __future__ import annotations

import json

import pytest

from screening.cli import doctor
from screening.machine import shipped_configs as shipped


def checks(answer):
    return {check["name"]: check for check in json.loads(answer.out)}


def test_a_machine_in_order(screen):
    answer = screen("doctor", "--format", "json")
    found = checks(answer)
    assert (answer.status, answer.err) == (0, "")
    assert set(found) >= {
        "python",
        "machine",
        "command",
        "database",
        "engine emt",
        *doctor.PACKAGES,
    }
    assert {f"engine {name}" for name in shipped.names("engines")} <= set(found)
    assert found["engine emt"]["ok"]
    assert found["database"]["ok"]
    assert all(check["ok"] for check in found.values() if check["essential"])


def test_it_says_where_the_embedded_database_is(screen, monkeypatch, tmp_path):
    monkeypatch.delenv("SCREEN_MONGODB_URI")
    found = checks(screen("doctor", "--format", "json"))["database"]["found"]
    assert f"embedded server in {tmp_path / '.screen'} answers" in found


def test_for_people_it_is_a_line_a_check(screen):
    answer = screen("doctor")
    assert answer.status == 0
    assert "phono3py" in answer.out
    assert "emt" in answer.out


def test_a_missing_package_is_a_failure(screen, monkeypatch):
    monkeypatch.setattr(doctor, "PACKAGES", ("numpy", "not-there"))
    answer = screen("doctor", "--format", "json")
    assert answer.status == 1
    assert not checks(answer)["not-there"]["ok"]
    assert "not installed" in checks(answer)["not-there"]["found"]


def test_a_missing_engine_is_no_failure(screen, monkeypatch):
    from workflows.engines import AseEngine

    monkeypatch.setattr(AseEngine, "missing", lambda self: "Python package 'x' is not installed")
    answer = screen("doctor", "--format", "json")
    assert answer.status == 0
    assert not checks(answer)["engine emt"]["ok"]


@pytest.mark.parametrize("uri", ["mongodb://user:sw0rdf1sh@", "nonsense://sw0rdf1sh"])
def test_a_wrong_address_is_a_failure_without_the_password(screen, monkeypatch, uri):
    monkeypatch.setenv("SCREEN_MONGODB_URI", uri)
    answer = screen("doctor", "--format", "json")
    assert answer.status == 1
    assert "SCREEN_MONGODB_URI" in checks(answer)["database"]["found"]
    assert "sw0rdf1sh" not in answer.out + answer.err


def test_a_screen_on_the_path_that_is_somebody_elses_is_pointed_out(screen, monkeypatch, tmp_path):
    other = tmp_path / "screen"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "matscreen" in checks(screen("doctor", "--format", "json"))["command"]["found"]
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert "matscreen" in checks(screen("doctor", "--format", "json"))["command"]["found"]
