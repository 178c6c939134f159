"""Which agents are being called now, kept where the next daemon finds it when this one dies.

One file for each runner, mapped into memory: a slot for each call that may run at the same time. What is written to a slot stays
there when the process is killed, needs no room on a disk that has become full, and takes no system call. A gate that lets the agent
begin only once it is noted down was tried: the shell that it takes drops variables whose names are no identifiers.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct

from reconciler.agents import procfs
from reconciler.cib.bounds import Bounds
from reconciler.cib.canonical import CanonicalError, canonical_bytes, from_bytes
from reconciler.frozen import frozen, replace

_PREFIX = "calls-1."
"""The number is that of the format: whoever reads a file must understand it."""
_SLOT_BYTES = 1024
_MOST_SLOTS = 65_536
_FREE, _BEGINS, _RUNS = 0, 1, 2
"""The first byte of a slot."""
_PROCESS = struct.Struct("=IQ")
_PROCESS_AT = 4
_TEXT_AT = _PROCESS_AT + _PROCESS.size
_MOST = Bounds(_SLOT_BYTES, depth=2, items=16, text=_SLOT_BYTES)


@frozen
class Call:
    """A call as its slot tells: the mark that all its processes carry, when it is late (by the monotonic clock), and its group.

    `pid` and `started` (in ticks since the start of the machine) name its first process; None for a daemon that died in the
    instant between starting it and noting it down.
    """

    mark: str
    resource: str
    operation: str
    ends_by_s: float
    group: str | None = None
    pid: int | None = None
    started: int = 0


@frozen
class _Told:
    """What the text of a slot says of a call; `boot` is the start of the machine in which it began."""

    mark: str
    ends_by_s: float
    boot: str
    resource: str
    operation: str
    group: str | None = None


class CallTable:
    """The slots of one runner. A slot is written before the process is started, and freed when the call is over."""

    def __init__(self, directory: str, runner: str, slots: int) -> None:
        """Make the file; `runner` is unique for ever. **Raises** OSError."""
        self.path = os.path.join(directory, f"{_PREFIX}{runner}")
        self._free = list(reversed(range(slots)))
        self._slots = slots
        self._boot = _boot_id()
        self._memory = _mapped(self.path, slots * _SLOT_BYTES)

    def renew(self) -> None:
        """Make the file anew, with what goes on, if it was removed. **Raises** OSError."""
        if not os.path.exists(self.path):
            fresh = _mapped(self.path, self._slots * _SLOT_BYTES)
            fresh[:] = self._memory[:]
            self._memory = fresh

    def begin(self, call: Call) -> int:
        """Note down a call that is about to be started; its slot. No more than `slots` may be taken at a time."""
        slot = self._free.pop()
        at = slot * _SLOT_BYTES
        text = _text(call, self._boot)
        self._memory[at + _TEXT_AT : at + _TEXT_AT + len(text)] = text
        self._memory[at] = _BEGINS
        return slot

    def name(self, slot: int, pid: int) -> None:
        """The first process of the call is this one; it has not been reaped."""
        stat = procfs.process_stat(pid)
        if stat is None:
            return  # No /proc: the mark has to do.
        at = slot * _SLOT_BYTES
        _PROCESS.pack_into(self._memory, at + _PROCESS_AT, pid, stat.started)
        self._memory[at] = _RUNS  # Last, and one byte: a slot that says so is complete.

    def end(self, slot: int) -> None:
        """The call is over."""
        self._memory[slot * _SLOT_BYTES] = _FREE
        self._free.append(slot)

    def close(self) -> None:
        """Remove the file, unless calls go on: those the next daemon has to know of."""
        if len(self._free) == self._slots:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)


def _mapped(path: str, size: int) -> mmap.mmap:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size)  # Without it a full disk would end us at a write.
        return mmap.mmap(descriptor, size)
    finally:
        os.close(descriptor)


def tables(directory: str) -> list[str]:
    """The files of all runners that use the directory."""
    return [os.path.join(directory, name) for name in sorted(os.listdir(directory)) if name.startswith(_PREFIX)]


def read_table(path: str) -> list[Call]:
    """The calls that were going on when the runner of this file died; none when the machine has been started since."""
    with open(path, "rb") as file:
        content = file.read(_MOST_SLOTS * _SLOT_BYTES)
    boot = _boot_id()
    slots = (content[at : at + _SLOT_BYTES] for at in range(0, len(content), _SLOT_BYTES))
    return [call for slot in slots if (call := _call(slot, boot)) is not None]


def _text(call: Call, boot: str) -> bytes:
    """What a slot's text holds, ended by a NUL; names that would not fit are left out, because they are for people."""
    named = _Told(call.mark, call.ends_by_s, boot, call.resource, call.operation, call.group)
    nameless = replace(named, resource="", operation="")
    for told in (named, replace(named, group=None), nameless, replace(nameless, group=None)):
        if len(text := canonical_bytes(told) + b"\0") <= _SLOT_BYTES - _TEXT_AT:
            return text
    raise ValueError(f"a mark of {len(call.mark)} characters fits no slot")


def _call(slot: bytes, boot: str) -> Call | None:
    """The call in a slot; None when it is free, or from before the machine was started."""
    if len(slot) < _SLOT_BYTES:
        return None
    state = slot[0]
    if state not in (_BEGINS, _RUNS):
        return None
    try:
        told = from_bytes(_Told, slot[_TEXT_AT:].split(b"\0", 1)[0], _MOST)
    except CanonicalError:
        return None  # Torn by a power failure, after which no agent lives: the text is whole before the state says so.
    if told.boot != boot:
        return None
    pid, started = _PROCESS.unpack_from(slot, _PROCESS_AT) if state == _RUNS else (None, 0)
    return Call(told.mark, told.resource, told.operation, told.ends_by_s, told.group, pid, started)


def _boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()
