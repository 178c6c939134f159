"""Finding a secret on this node at the moment it is needed: a file, a credential of the service, an allowed command.

The providers are asked in this order; what they say is kept nowhere.
Source: the design of the language, "Secrets"; systemd.exec(5), "Credentials".
"""

from __future__ import annotations

import os
import re
import stat
import subprocess

from reconciler.daemon.config import SecretsConfig

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,127}")
_LARGEST = 64 * 1024
# An agent's call waits for it.
_COMMAND_TIMEOUT_S = 5.0


class Secrets:
    """Resolves the names of secrets; a name that nobody knows is None."""

    def __init__(self, config: SecretsConfig) -> None:
        self._config = config

    def resolve(self, name: str) -> str | None:
        """The secret's value without a line end after it, or None when this node can't tell. Raises nothing."""
        if not _NAME.fullmatch(name):
            return None
        value = self._from_file(name)
        if value is None:
            value = self._from_credential(name)
        return self._from_command(name) if value is None else value

    def _from_file(self, name: str) -> str | None:
        """A file that belongs to root or to us, and that nobody else may read or change."""
        if self._config.directory is None:
            return None
        return _read(os.path.join(self._config.directory, name), owners=(0, os.geteuid()))

    def _from_credential(self, name: str) -> str | None:
        directory = os.environ.get("CREDENTIALS_DIRECTORY")
        if not self._config.credentials or not directory:
            return None
        return _read(os.path.join(directory, name), owners=None)

    def _from_command(self, name: str) -> str | None:
        command = self._config.commands.get(name)
        if not command:
            return None
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=_COMMAND_TIMEOUT_S,
                check=False,
                cwd="/",
            )
        except (OSError, subprocess.TimeoutExpired):
            return None  # Not telling the secret is the answer; the agent's result names it.
        return _text(done.stdout) if done.returncode == 0 else None


def _read(path: str, owners: tuple[int, ...] | None) -> str | None:
    try:
        # A link is no file of ours, a pipe must not hang the call, and what is looked at is what is read.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            return None
        if owners is not None and (facts.st_uid not in owners or facts.st_mode & 0o037):
            return None
        return _text(os.read(descriptor, _LARGEST + 1))
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _text(data: bytes) -> str | None:
    if len(data) > _LARGEST or b"\0" in data:
        return None
    try:
        return data.decode().removesuffix("\n")
    except UnicodeDecodeError:
        return None
