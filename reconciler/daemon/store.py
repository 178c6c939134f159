"""The durable state of a node: a snapshot, and a journal of what was delivered since.

A record is in the journal before what it tells takes effect. Space is taken in advance, so that on a full disk it is the acceptance
of something new that fails, not the end of something begun. A generation is a snapshot with its journal; the one before is kept, and a
file that does not read is set aside, never deleted, and never half used. How far it goes is also kept beside it (`mark`), so that a
journal that lost its end is not taken for a shorter story.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import threading
import time
from typing import NamedTuple

from reconciler.controller.journal import Record
from reconciler.daemon.journal import (
    CHUNK_BYTES,
    Journal,
    Mark,
    Reached,
    StoredSnapshot,
    framed,
    framed_beginning,
    framed_snapshot,
    is_old_snapshot,
    read_journal,
    read_snapshot,
)
from reconciler.daemon.lock import lock
from reconciler.errors import ReconcilerError, Remedy

_RESERVE_BYTES = 256 * 1024
"""Kept for the end of what was begun: a record that begins something new leaves this much room."""
_ROTATE_BYTES = 4 * 1024 * 1024
_REMOVED = "its files were removed; stop the daemon, and put them back"
_NAME = re.compile(r"(snapshot|journal)-([0-9]{10})")


class StoreError(ReconcilerError):
    """The state could not be written or read; what was there before is still there."""

    code = "store"
    remedy = Remedy.RETRY


class Contents(NamedTuple):
    """What a store holds when it is opened: the snapshot (None for a new store), the records since, and what was set aside.

    `damage` says what is wrong with it, with paths: when it is empty, everything is there that was ever said to be durable.
    """

    snapshot: bytes | None
    records: tuple[Record, ...]
    quarantined: tuple[str, ...]
    damage: tuple[str, ...] = ()


class Store:
    """The state below one directory, locked against a second daemon as long as this one lives."""

    def __init__(self, directory: str) -> None:
        """Open or make it. Raises BusyError, and StoreError or LockError when the directory can't be used."""
        self.directory = directory
        self.failing: str | None = None
        """Why the last write failed; None once one succeeds."""
        self._journal = -1
        self._at = Reached(0, 0, 0)
        """Where the journal ends: one value, as it is read while another thread writes."""
        self._room = 0
        self._unsynced = False
        self._unmarked = False
        self._reached = Reached(0, 0, 0)
        """How far the journal is known to be durable."""
        self._mark = Mark(os.path.join(directory, "mark"))
        self._sealed: Reached | None = None
        """How far the last journal of a former life goes, if all of it was read."""
        self._doubtful: str | None = None
        """Why what was appended may be lost although it reads back; until a new generation begins."""
        self._snapshot_bytes = 0
        self._was_read: list[int] = []
        self._refused: set[int] = set()
        self._syncing = threading.Lock()
        try:
            os.makedirs(directory, mode=0o700, exist_ok=True)
        except OSError as error:
            raise StoreError(f"use the state directory {directory}") from error
        self._lock = lock(os.path.join(directory, "lock"), "state directory")

    def read(self) -> Contents:
        """Everything stored, from the newest generation that reads. Raises StoreError on an error of the disk itself."""
        quarantined: list[str] = []
        damage: list[str] = []
        self._was_read, self._sealed = [], None
        try:
            mark, fault = self._mark.read()
            generations = _generations(self.directory)
            for start in reversed(range(len(generations))):
                contents = self._read_from(generations[start:], mark, quarantined, damage)
                if contents is not None:
                    self._was_read = generations[start:]
                    new = not all(is_old_snapshot(self._path("snapshot", one)) for one in self._was_read)
                    damage += [f"{self._mark.path}: {fault}"] if fault is not None and new else []
                    return Contents(contents.snapshot, contents.records, tuple(quarantined), tuple(damage))
            quarantined += [self._set_aside("journal", one) for one in generations if self._has("journal", one)]
        except OSError as error:
            raise StoreError(f"read the state in {self.directory}") from error
        if mark is not None and not self._refused:
            damage.append(f"{self.directory}: there was a state, of which nothing is left that reads")
        return Contents(None, (), tuple(quarantined), tuple(damage))

    def refuse(self) -> str:
        """Set aside the snapshot that `read` gave, as it means nothing; `read` then gives the one before. Raises StoreError."""
        try:
            self._refused.add(self._was_read[0])
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
            generation = max([self._at.generation, *_generations(self.directory)], default=0) + 1
        except OSError as error:
            raise self._failed("write a snapshot", error) from error
        path = self._path("snapshot", generation)
        content, checksum = framed_snapshot(snapshot)
        before = self._at if self._journal >= 0 else self._sealed
        beginning, chain = framed_beginning(checksum, before)
        descriptor = -1
        try:
            self._check_place()
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            descriptor = os.open(self._path("journal", generation), flags, 0o600)
            os.posix_fallocate(descriptor, 0, CHUNK_BYTES)
            _write_all(descriptor, beginning, 0)
            os.fsync(descriptor)
            # Last, as with the snapshot's name the generation is there, and what is in the journal before it counts no more.
            _write_durably(path, content)
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
            self._journal, self._room = descriptor, CHUNK_BYTES
            self._at = Reached(generation, len(beginning), chain)
            self._snapshot_bytes, self._unsynced, self.failing = len(snapshot), False, None
            self._doubtful = None
            self._unmarked = True
            self._write_mark(self._at)
        self._remove_before(generation - 1)

    @property
    def dirty(self) -> bool:
        """Whether something was appended that is not durable yet, or not marked as durable."""
        return self._unsynced or self._unmarked

    @property
    def wants_snapshot(self) -> bool:
        """Whether the journal has grown so long that a snapshot would make the next start faster, or a write failed."""
        return self._at.end > max(_ROTATE_BYTES, 2 * self._snapshot_bytes) or self.failing is not None

    def append(self, record: Record, *, begins: bool = False) -> None:
        """Write a record; `sync` makes it durable. With `begins` room is left for the end of what it begins.

        Raises StoreError when it can't be written; then it is not there.
        """
        content, chain = framed(record, self._at.chain)
        wanted = self._at.end + len(content) + (_RESERVE_BYTES if begins else 0)
        try:
            if self._journal < 0:
                raise OSError(errno.EBADF, "no journal could be started")
            if wanted > self._room:
                self._take_room(wanted, needed=begins or self._at.end + len(content) > self._room)
            _write_all(self._journal, content, self._at.end)
        except OSError as error:
            raise self._failed("write to the journal", error) from error
        self._at = Reached(self._at.generation, self._at.end + len(content), chain)
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
            at = self._at
            try:
                os.fdatasync(self._journal)
                self._check_place()
                self._reached, self._unmarked = at, True
            except OSError as error:
                failed = self._failed("make the journal durable", error)
                self._unsynced, self._doubtful = True, str(failed)
                raise failed from error

    def note_durable(self) -> None:
        """Have the mark say how far `sync` has come: from then on, a journal whose end is missing is known to be damaged.

        May be called from another thread. Until then the mark lags behind, which costs nothing but certainty.
        """
        with self._syncing:
            if self._unmarked:
                self._write_mark(self._reached)

    def settle(self) -> None:
        """As `sync`, and have the mark say so. May be called from another thread. Raises StoreError."""
        self.sync()
        self.note_durable()

    def close(self) -> None:
        """Make durable what can be, and let another daemon in."""
        with contextlib.suppress(StoreError):
            self.settle()
        if self._journal >= 0:
            os.close(self._journal)
            self._journal = -1
        os.close(self._lock)

    def _take_room(self, wanted: int, *, needed: bool) -> None:
        room = -(-(wanted + _RESERVE_BYTES) // CHUNK_BYTES) * CHUNK_BYTES
        try:
            os.posix_fallocate(self._journal, self._room, room - self._room)
        except OSError:
            if needed:
                raise
            return
        self._room = room

    def _read_from(
        self, generations: list[int], mark: Reached | None, quarantined: list[str], damage: list[str]
    ) -> Contents | None:
        """The snapshot of the first generation with the journals of all; None when the snapshot does not read."""
        first = self._path("snapshot", generations[0])
        snapshot = read_snapshot(first)
        if snapshot is None:
            if os.path.exists(first):
                quarantined.append(self._set_aside("snapshot", generations[0]))
            elif generations[0] not in self._refused:
                damage.append(f"{first}: is missing")
            return None
        records: list[Record] = []
        reached: Reached | None = None
        for generation in generations:
            path = self._path("journal", generation)
            old = is_old_snapshot(self._path("snapshot", generation))
            journal = read_journal(path, generation, old=old)
            stray = _stray(journal, snapshot if generation == generations[0] else None, reached)
            if stray is None:
                records += journal.records
                reached = journal.reached
            if (fault := stray or journal.fault) is not None:
                damage.append(f"{path}: {fault}")
                if self._has("journal", generation):
                    quarantined.append(self._set_aside("journal", generation, move=False))
                break
        else:
            self._sealed = reached
        if mark is not None and (reached is None or reached[:2] < mark[:2]):
            damage.append(
                f"{self.directory}: ends at {_place(reached)}, but was durable up to {_place(mark)}: its end is missing"
            )
        return Contents(snapshot.data, tuple(records), ())

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

    def _check_place(self) -> None:
        """Raise OSError when what is written would be found by nobody: the directory, or what is in it, was removed."""
        if self._is_gone():
            raise FileNotFoundError(errno.ENOENT, _REMOVED)

    def _is_gone(self) -> bool:
        return not os.fstat(self._lock).st_nlink or (self._journal >= 0 and not os.fstat(self._journal).st_nlink)

    def _write_mark(self, reached: Reached) -> None:
        """Without the mark all is durable as well; it is written again after the next record."""
        try:
            self._mark.write(reached)
        except OSError as error:
            self._failed("write the mark", error)
            return
        self._unmarked = False

    def _failed(self, what: str, error: OSError) -> StoreError:
        # Whatever is missing then, the mark or a new snapshot's directory: what has to be done is to put all of it back.
        reason = _REMOVED if error.errno == errno.ENOENT and self._is_gone() else error.strerror
        self.failing = f"{what} in {self.directory}: {reason}"
        return StoreError(self.failing)


def _generations(directory: str) -> list[int]:
    found = {int(match[2]) for match in map(_NAME.fullmatch, os.listdir(directory)) if match is not None}
    return sorted(found)


def _stray(journal: Journal, snapshot: StoredSnapshot | None, before: Reached | None) -> str | None:
    """Why a journal does not follow its snapshot, or the journal before it; None when it does."""
    if snapshot is not None and journal.snapshot is not None and journal.snapshot != snapshot.chain:
        return "belongs to another snapshot"
    if before is not None and journal.before is not None and journal.before != before:
        return f"follows a journal that went to {_place(journal.before)}, and that before it goes to {_place(before)}"
    return None


def _place(reached: Reached | None) -> str:
    return "nothing" if reached is None else f"byte {reached.end} of journal {reached.generation}"


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
