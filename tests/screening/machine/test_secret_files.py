"""Passwords in files: read only when nobody else can, and never repeated."""

from __future__ import annotations

import os
import shlex

import pytest

from screening.machine.secret_files import LARGEST_BYTES, read_secret, write_secret
from screening.machine.settings import Settings
from screening.messages.errors import ScreenError

ADDRESS = "mongodb://user:sw0rdf1sh@127.0.0.1:1/?authSource=db"


@pytest.fixture
def secret(tmp_path, monkeypatch):
    """Write a file of a mode, and name it in the environment."""

    def secret(content: str | bytes = f"{ADDRESS}\n", mode: int = 0o600):
        path = tmp_path / "my uri"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        monkeypatch.setenv("SCREEN_MONGODB_URI_FILE", str(path))
        return path

    return secret


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_the_address_comes_from_a_file_of_the_users_own(secret, mode):
    secret(mode=mode)
    settings = Settings()
    assert settings.mongodb_uri.get_secret_value() == ADDRESS
    assert settings.address_variable == "SCREEN_MONGODB_URI_FILE"
    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        assert "sw0rdf1sh" not in shown


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o660, 0o777])
def test_a_file_that_is_open_to_others_is_refused_with_the_remedy(secret, mode):
    path = secret(mode=mode)
    with pytest.raises(ScreenError) as caught:
        Settings()
    assert str(caught.value) == (
        f"SCREEN_MONGODB_URI_FILE: file {path} is open to other users (mode {mode:03o}); "
        f"run: chmod 600 {shlex.quote(str(path))}"
    )
    assert "my uri'" in str(caught.value)  # a name with a blank can be typed as it stands


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        (f"{ADDRESS}\n{ADDRESS}\n", "must hold one line"),
        (b"mongodb://\xff\xfe", "is no text in UTF-8"),
        ("x" * (LARGEST_BYTES + 1), "must hold one line"),
    ],
)
def test_a_file_that_holds_no_address_is_refused(secret, content, reason):
    secret(content)
    with pytest.raises(ScreenError, match=f"SCREEN_MONGODB_URI_FILE: file .* {reason}") as caught:
        Settings()
    assert "sw0rdf1sh" not in str(caught.value)


def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)  # a reader would wait for its writer
    for path, reason in (
        (tmp_path / "nowhere", "cannot be read (No such file or directory)"),
        (tmp_path, "is no regular file"),
        (tmp_path / "pipe", "is no regular file"),
    ):
        with pytest.raises(ScreenError) as caught:
            read_secret(path, "it")
        assert reason in str(caught.value)


def test_a_link_is_followed_to_a_file_that_is_checked(secret, tmp_path):
    path = secret()
    link = tmp_path / "link"
    link.symlink_to(path)
    assert read_secret(link, "it") == ADDRESS
    path.chmod(0o644)
    with pytest.raises(ScreenError, match="open to other users"):
        read_secret(link, "it")
    path.unlink()
    with pytest.raises(ScreenError, match="cannot be read"):
        read_secret(link, "it")


def test_a_file_of_somebody_else_is_refused(secret, monkeypatch):
    path = secret()
    somebody = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: somebody)
    with pytest.raises(ScreenError, match="belongs to another user"):
        read_secret(path, "it")


def test_two_addresses_are_one_too_many(secret, monkeypatch):
    secret()
    monkeypatch.setenv("SCREEN_MONGODB_URI", ADDRESS)
    with pytest.raises(ScreenError, match="are both set; unset one") as caught:
        Settings()
    assert "sw0rdf1sh" not in str(caught.value)


def test_what_is_written_was_never_open_to_others(tmp_path):
    path = tmp_path / "password"
    before = os.umask(0)
    try:
        write_secret(path, "sw0rdf1sh")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_secret(path, "it") == "sw0rdf1sh"
    assert list(tmp_path.iterdir()) == [path]
