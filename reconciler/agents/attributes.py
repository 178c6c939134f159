"""How agents set node attributes (promotion scores above all) without a cluster daemon to talk to.

Agents call `crm_attribute`, `crm_master` or `attrd_updater`. During a call these names lead to our own commands, which append to the
journal that `RECONCILER_ATTRIBUTES` names: a line `set NAME VALUE` or `delete NAME` for each change, and before it `delay NAME TIME` where
the agent asked for dampening. The runner reads the
journal when the call is over, and the changes travel in the result. Questions are answered from the file that
`RECONCILER_KNOWN_ATTRIBUTES` names (`NAME VALUE` lines), which the daemon keeps at what the cluster last agreed on.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shlex
import stat
from collections.abc import Mapping
from typing import NamedTuple

from reconciler.agents.shortage import shortage_of
from reconciler.model.duration import interval_ms

_COMMANDS = ("attrd_updater", "crm_attribute", "crm_master", "crm_node")
_SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "commands", "attribute.sh")
_JOURNAL = re.compile(r"attributes\.[0-9a-f-]+-[0-9]+")
_JOURNAL_BYTES = 64 * 1024
MOST_NAMES = 4096
"""How many attributes a node has before agents get no new names: one that invents a name in each call would fill all members' state."""
_LINE = re.compile(r"(set|delete|delay) ([A-Za-z0-9_.#:@\[\]()-]{1,255})(?: (.{0,1023}))?")


class AttributeChanges(NamedTuple):
    """The last value of each attribute that a call named, None for a deletion, and by name the delays that it asked for.

    `refused` are those that it set and nobody will hear of, as there are so many of other names.
    """

    values: dict[str, str | None]
    delays_ms: dict[str, int]
    refused: tuple[str, ...] = ()


class AttributeJournals:
    """The commands' directory, the known values, and a journal for each call, all below one private directory."""

    def __init__(self, directory: str) -> None:
        """Create what is needed below `directory`, and remove what calls of former daemons left there. **Raises** OSError."""
        self._directory = directory
        self.commands = os.path.join(directory, "commands")
        self._known = os.path.join(directory, "attributes.known")
        self._id = os.urandom(16).hex()  # An agent of a former daemon may still write to the journal that it was given.
        self._serial = 0
        self._published: Mapping[str, str] = {}
        os.makedirs(self.commands, mode=0o755, exist_ok=True)
        for name in os.listdir(directory):
            if _JOURNAL.fullmatch(name):
                _discard(os.path.join(directory, name))
        self._write_commands()

    def _write_commands(self) -> None:
        os.makedirs(self.commands, mode=0o755, exist_ok=True)
        for name in _COMMANDS:
            _write(os.path.join(self.commands, name), _stub(name), 0o755)

    @property
    def whole(self) -> bool:
        """Whether the commands are there."""
        return all(os.path.exists(os.path.join(self.commands, name)) for name in _COMMANDS)

    def renew(self) -> None:
        """Make the commands and the known values anew, where they were removed. **Raises** OSError."""
        self._write_commands()
        self.publish(self._published)

    def environment(self) -> dict[str, str]:
        """The variables of one call, with a journal of its own."""
        self._serial += 1
        journal = os.path.join(self._directory, f"attributes.{self._id}-{self._serial}")
        return {
            "HA_SBIN_DIR": self.commands,
            "RECONCILER_ATTRIBUTES": journal,
            "RECONCILER_KNOWN_ATTRIBUTES": self._known,
        }

    def collect(self, environment: Mapping[str, str]) -> AttributeChanges:
        """The changes that a call asked for; the journal is gone afterwards.

        **Raises** OSError when there is a journal that can't be read; it is still there when that was for a want of the machine.
        """
        path = environment["RECONCILER_ATTRIBUTES"]
        try:
            lines = _read(path).splitlines()
        except FileNotFoundError:
            return AttributeChanges({}, {})
        except OSError as error:
            if shortage_of(error) is None:
                _discard(path)
            raise
        _discard(path)
        values: dict[str, str | None] = {}
        delays: dict[str, int] = {}
        for found in filter(None, map(_LINE.fullmatch, lines)):
            word, name, rest = found[1], found[2], found[3] or ""
            if word == "delay":
                delays[name] = interval_ms(rest)
            else:
                values[name] = rest if word == "set" else None
        new = [name for name, value in values.items() if value is not None and name not in self._published]
        refused = tuple(new[max(0, MOST_NAMES - len(self._published)) :])
        for name in refused:
            del values[name]
        held = {name: delay_ms for name, delay_ms in delays.items() if delay_ms and name in values}
        return AttributeChanges(values, held, refused)

    def publish(self, known: Mapping[str, str]) -> None:
        """Answer the agents' questions from these values, from now on. **Raises** OSError."""
        self._published = known
        lines = [
            f"{name} {value}\n" for name, value in sorted(known.items()) if "\n" not in name + value and " " not in name
        ]
        _write(self._known, "".join(lines), 0o644)


def _read(path: str) -> str:
    """The journal, if it is a file: an agent may have put anything in its place, and reading that must not hang."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "their journal is no file", path)
        return os.read(descriptor, _JOURNAL_BYTES).decode("utf-8", "replace")
    finally:
        os.close(descriptor)


def _discard(path: str) -> None:
    """Remove a journal. One that stays (a directory in its place) does no harm: no call is given its name again."""
    with contextlib.suppress(OSError):
        os.unlink(path)


def _stub(name: str) -> str:
    return f'#!/bin/sh\nexec /bin/sh {shlex.quote(_SCRIPT)} {name} "$@"\n'


def _write(path: str, content: str, mode: int) -> None:
    """Replace a file at one stroke."""
    fresh = f"{path}.{os.getpid()}"
    with open(fresh, "w", encoding="utf-8") as file:
        file.write(content)
        os.fchmod(file.fileno(), mode)
    os.replace(fresh, path)
