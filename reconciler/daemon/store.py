"""The durable state of a node: a snapshot, and a journal of what was delivered since.

A record is in the journal before what it tells takes effect. Space is taken in advance, so that on a full disk it is the acceptance
of something new that fails, not the end of something begun. A generation is a snapshot with its journal; the one before is kept, and a
file that does not read is set aside, never deleted, and never half used.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import threading
import time
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from reconciler.errors import ReconcilerError, Remedy

_CHUNK_BYTES = 1024 * 1024
_RESERVE_BYTES = 256 * 1024
"""Kept for the end of what was begun: a record that begins something new leaves this much room."""
_ROTATE_BYTES = 4 * 1024 * 1024
_LARGEST_RECORD = 256 * 1024 * 1024
_NAME = re.compile(r"(snapshot|journal)-([0-9]{10})")


class StoreError(ReconcilerError):
    """The state could not be written or read; what was there before is still there."""

    code = "store"
    remedy = Remedy.RETRY


class StoreBusyError(ReconcilerError):
    """Another daemon uses this state directory."""

    code = "store-busy"
    remedy = Remedy.STOP


class Record(NamedTuple):
    """One entry of the journal: what kind it is, and its bytes, which hold no line end."""

    kind: str
    data: bytes


class Contents(NamedTuple):
    """What a store holds when it is opened: the snapshot (None for a new store), the records since, and what was set aside."""

    snapshot: bytes | None
    records: tuple[Record, ...]
    quarantined: tuple[str, ...]


class Store:
    """The state below one directory, locked against a second daemon as long as this one lives."""

    def __init__(self, directory: str) -> None:
        """Open or make it. Raises StoreBusyError, and StoreError when the directory can't be used."""
        self.directory = directory
        self.failing: str | None = None
        """Why the last write failed; None once one succeeds."""
        self._journal = -1
        self._generation = 0
        self._end = 0
        self._room = 0
        self._unsynced = False
        self._doubtful: str | None = None
        """Why what was appended may be lost although it reads back; until a new generation begins."""
        self._snapshot_bytes = 0
        self._was_read: list[int] = []
        self._syncing = threading.Lock()
        try:
            os.makedirs(directory, mode=0o700, exist_ok=True)
            self._lock = os.open(os.path.join(directory, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"use the state directory {directory}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise StoreBusyError(f"another daemon uses the state directory {directory}") from error

    def read(self) -> Contents:
        """Everything stored, from the newest generation that reads. Raises StoreError on an error of the disk itself."""
        quarantined: list[str] = []
        try:
            generations = _generations(self.directory)
            for start in reversed(range(len(generations))):
                contents = self._read_from(generations[start:], quarantined)
                if contents is not None:
                    self._was_read = generations[start:]
                    return Contents(contents.snapshot, contents.records, tuple(quarantined))
            self._was_read = []
            quarantined += [self._set_aside("journal", one) for one in generations if self._has("journal", one)]
        except OSError as error:
            raise StoreError(f"read the state in {self.directory}") from error
        return Contents(None, (), tuple(quarantined))

    def refuse(self) -> str:
        """Set aside the snapshot that `read` gave, as it means nothing; `read` then gives the one before. Raises StoreError."""
        try:
            return self._set_aside("snapshot", self._was_read[0])
        except OSError as error:
            raise StoreError(f"set aside a snapshot in {self.directory}") from error

    def keep_journals(self) -> list[str]:
        """Have copies of the journals that `read` gave, which stay when new generations follow. Raises StoreError."""
        found = [generation for generation in self._was_read if self._has("journal", generation)]
        try:
            return [self._set_aside("journal", generation, move=False) for generation in found]
        except OSError as error:
            raise StoreError(f"keep the journals in {self.directory}") from error

    def begin(self, snapshot: bytes) -> None:
        """Start a new generation with this snapshot; records follow. Raises StoreError, and then the old one goes on."""
        try:
            generation = max([self._generation, *_generations(self.directory)], default=0) + 1
        except OSError as error:
            raise self._failed("write a snapshot", error) from error
        path = self._path("snapshot", generation)
        descriptor = -1
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            descriptor = os.open(self._path("journal", generation), flags, 0o600)
            os.posix_fallocate(descriptor, 0, _CHUNK_BYTES)
            os.fsync(descriptor)
            # Last, as with the snapshot's name the generation is there, and what is in the journal before it counts no more.
            _write_durably(path, _framed("S", snapshot))
        except OSError as error:
            if descriptor >= 0:
                os.close(descriptor)
            for name in (path, f"{path}.new", self._path("journal", generation)):
                with contextlib.suppress(OSError):
                    os.unlink(name)
            with contextlib.suppress(OSError):
                _sync_directory(self.directory)
            raise self._failed("write a snapshot", error) from error
        with self._syncing:
            if self._journal >= 0:
                os.close(self._journal)
            self._journal, self._generation, self._end, self._room = descriptor, generation, 0, _CHUNK_BYTES
            self._snapshot_bytes, self._unsynced, self.failing = len(snapshot), False, None
            self._doubtful = None
        self._remove_before(generation - 1)

    @property
    def dirty(self) -> bool:
        """Whether something was appended that is not durable yet."""
        return self._unsynced

    @property
    def wants_snapshot(self) -> bool:
        """Whether the journal has grown so long that a snapshot would make the next start faster, or a write failed."""
        return self._end > max(_ROTATE_BYTES, 2 * self._snapshot_bytes) or self.failing is not None

    def append(self, record: Record, *, begins: bool = False) -> None:
        """Write a record; `sync` makes it durable. With `begins` room is left for the end of what it begins.

        Raises StoreError when it can't be written; then it is not there.
        """
        framed = _framed(record.kind, record.data)
        wanted = self._end + len(framed) + (_RESERVE_BYTES if begins else 0)
        try:
            if self._journal < 0:
                raise OSError(errno.EBADF, "no journal could be started")
            if wanted > self._room:
                self._take_room(wanted, needed=begins or self._end + len(framed) > self._room)
            _write_all(self._journal, framed, self._end)
        except OSError as error:
            raise self._failed("write to the journal", error) from error
        self._end += len(framed)
        self._unsynced = True

    def sync(self) -> None:
        """Make everything that was appended durable. May be called from another thread. Raises StoreError.

        Once this failed it fails until a new generation has begun: the kernel forgets what it could not write, and at the next call
        says that all is well.
        """
        with self._syncing:
            if self._doubtful is not None:
                raise StoreError(self._doubtful)
            if not self._unsynced:
                return
            self._unsynced = False
            try:
                os.fdatasync(self._journal)
            except OSError as error:
                failed = self._failed("make the journal durable", error)
                self._unsynced, self._doubtful = True, str(failed)
                raise failed from error

    def close(self) -> None:
        """Make durable what can be, and let another daemon in."""
        with contextlib.suppress(StoreError):
            self.sync()
        if self._journal >= 0:
            os.close(self._journal)
            self._journal = -1
        os.close(self._lock)

    def _take_room(self, wanted: int, *, needed: bool) -> None:
        room = -(-(wanted + _RESERVE_BYTES) // _CHUNK_BYTES) * _CHUNK_BYTES
        try:
            os.posix_fallocate(self._journal, self._room, room - self._room)
        except OSError:
            if needed:
                raise
            return
        self._room = room

    def _read_from(self, generations: list[int], quarantined: list[str]) -> Contents | None:
        """The snapshot of the first generation with the journals of all; None when the snapshot does not read."""
        first = self._path("snapshot", generations[0])
        snapshot = _read_snapshot(first)
        if snapshot is None:
            for kind in ("snapshot",) if os.path.exists(first) else ():
                quarantined.append(self._set_aside(kind, generations[0]))
            return None
        records: list[Record] = []
        for generation in generations:
            found, sound = _read_journal(self._path("journal", generation))
            records += found
            if not sound:
                quarantined.append(self._set_aside("journal", generation, move=False))
                break
        return Contents(snapshot, tuple(records), ())

    def _has(self, kind: str, generation: int) -> bool:
        return os.path.exists(self._path(kind, generation))

    def _set_aside(self, kind: str, generation: int, *, move: bool = True) -> str:
        place = os.path.join(self.directory, "quarantine")
        os.makedirs(place, mode=0o700, exist_ok=True)
        target = os.path.join(place, f"{kind}-{generation:010d}.{time.time_ns()}")
        (os.rename if move else os.link)(self._path(kind, generation), target)
        _sync_directory(place)
        return target

    def _remove_before(self, generation: int) -> None:
        for old in _generations(self.directory):
            if old < generation:
                for kind in ("snapshot", "journal"):
                    with contextlib.suppress(OSError):
                        os.unlink(self._path(kind, old))

    def _path(self, kind: str, generation: int) -> str:
        return os.path.join(self.directory, f"{kind}-{generation:010d}")

    def _failed(self, what: str, error: OSError) -> StoreError:
        self.failing = f"{what} in {self.directory}: {error.strerror}"
        return StoreError(self.failing)


def _generations(directory: str) -> list[int]:
    found = {int(match[2]) for match in map(_NAME.fullmatch, os.listdir(directory)) if match is not None}
    return sorted(found)


def _framed(kind: str, data: bytes) -> bytes:
    content = kind.encode() + b" " + data
    return b"%08x %s\n" % (zlib.crc32(content), content)


def _unframed(line: bytes) -> Record | None:
    checksum, _, content = line.partition(b" ")
    try:
        sound = len(checksum) == 8 and int(checksum, 16) == zlib.crc32(content)
    except ValueError:
        return None
    kind, _, data = content.partition(b" ")
    return Record(kind.decode("ascii", "replace"), data) if sound else None


def _read_snapshot(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST_RECORD + 1)
    except FileNotFoundError:
        return None
    record = _unframed(data.rstrip(b"\n"))
    if record is None or record.kind != "S":
        return None
    try:
        json.loads(record.data)
    except ValueError:
        return None
    return record.data


def _read_journal(path: str) -> tuple[list[Record], bool]:
    """The records up to the end or the first that does not read; and whether what follows is just the end.

    A record that was being written when the process died lacks its line end; one that has it and does not read is damage.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return [], True
    records: list[Record] = []
    for line in _lines(data):
        record = _unframed(line)
        if record is None:
            return records, False
        records.append(record)
    return records, True


def _lines(data: bytes) -> Iterator[bytes]:
    """The lines that have an end."""
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        yield data[start:end]
        start = end + 1


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def _write_durably(path: str, data: bytes) -> None:
    """A file with this content under this name, or, after a crash at any instruction, the name is not there."""
    fresh = f"{path}.new"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        _write_all(descriptor, data, 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(fresh, path)
    _sync_directory(os.path.dirname(path))


def _sync_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
