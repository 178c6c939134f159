"""Secrets: found where the node may look, and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.daemon.config import SecretsConfig
from reconciler.daemon.secrets import Secrets


def secrets(directory: Path, **more) -> Secrets:
    return Secrets(SecretsConfig(str(directory), **more))


def put(path: Path, text: str, mode: int = 0o600) -> None:
    path.write_text(text)
    path.chmod(mode)


def test_a_private_file_is_a_secret(tmp_path: Path) -> None:
    put(tmp_path / "db", "geheim\n")
    assert secrets(tmp_path).resolve("db") == "geheim"
    put(tmp_path / "db", "geheim\n", 0o640)
    assert secrets(tmp_path).resolve("db") == "geheim"


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o601])
def test_a_file_that_others_may_read_or_change_is_none(tmp_path: Path, mode: int) -> None:
    put(tmp_path / "db", "geheim", mode)
    assert secrets(tmp_path).resolve("db") is None


@pytest.mark.parametrize("name", ["../db", "", "a/b", ".hidden", "x" * 200, "a\0b", "missing"])
def test_names_lead_nowhere_else(tmp_path: Path, name: str) -> None:
    put(tmp_path / "db", "geheim")
    (tmp_path / "in").mkdir()
    put(tmp_path / ".hidden", "geheim")
    assert secrets(tmp_path / "in").resolve(name) is None


def test_links_and_devices_are_no_secrets(tmp_path: Path) -> None:
    put(tmp_path / "real", "geheim")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "dir").mkdir()
    assert [secrets(tmp_path).resolve(name) for name in ("link", "pipe", "dir")] == [None, None, None]


def test_a_credential_and_a_command_come_after_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "one").write_text("from the credential")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    commands = {"one": ("/bin/echo", "from the command"), "two": ("/bin/echo", "two"), "bad": ("/bin/false",)}
    found = secrets(tmp_path, commands=commands)
    assert found.resolve("one") == "from the credential"
    assert found.resolve("two") == "two"
    assert found.resolve("bad") is None
    assert found.resolve("three") is None
    put(tmp_path / "one", "from the file")
    assert found.resolve("one") == "from the file"
    (tmp_path / "one").unlink()
    assert secrets(tmp_path, commands=commands, credentials=False).resolve("one") == "from the command"
