"""The records of the store on disk: how they are framed, chained, and read back as far as they are sound.

A record is a line: its checksum, its kind, its data. The checksum continues that of the record before, and the first one that of the
snapshot which the journal follows: a journal of another generation, a record that was left out, and one that was written before all
show. The first record (kind `B`, the beginning) says of which snapshot it is, and where the journal before it ended.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from reconciler.controller.journal import Record

CHUNK_BYTES = 1024 * 1024
"""What a journal has at least from its first moment on: a shorter one has lost its end."""
BEGINNING = "B"
_FORMAT = 2
_OLD_SNAPSHOT = "S"
_SNAPSHOT = "S2"
"""Its journal has a beginning; that of an older program's `S` has none, and its records are not chained."""
_LARGEST_SNAPSHOT = 256 * 1024 * 1024


class Reached(NamedTuple):
    """How far a journal goes: its generation, its length in bytes, and its last checksum."""

    generation: int
    end: int
    chain: int


class StoredSnapshot(NamedTuple):
    """A snapshot as it was read; `chain` is what its journal's checksums continue, None for one of an older program."""

    data: bytes
    chain: int | None


class Journal(NamedTuple):
    """A journal as far as it is sound, and what is wrong with it, if anything is.

    `snapshot` is the checksum of the snapshot that it follows, `before` how far the journal before it went, as its beginning says.
    """

    records: tuple[Record, ...]
    reached: Reached
    fault: str | None
    snapshot: int | None = None
    before: Reached | None = None


def framed_snapshot(data: bytes) -> tuple[bytes, int]:
    """The bytes of a snapshot's file, and what its journal's checksums continue."""
    return framed(Record(_SNAPSHOT, data), 0)


def framed_beginning(snapshot: int, before: Reached | None) -> tuple[bytes, int]:
    """A journal's first record, and what the next one's checksum continues."""
    plain = {"format": _FORMAT, "snapshot": snapshot, "before": before}
    return framed(Record(BEGINNING, json.dumps(plain).encode()), snapshot)


def framed(record: Record, chain: int) -> tuple[bytes, int]:
    """The bytes of a record after one with this checksum, and its own checksum."""
    content = record.kind.encode() + b" " + record.data
    checksum = zlib.crc32(content, chain)
    return b"%08x %s\n" % (checksum, content), checksum


def read_snapshot(path: str) -> StoredSnapshot | None:
    """A snapshot, or None when the file is not there or is none. Raises OSError when it can't be read."""
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST_SNAPSHOT + 1)
    except FileNotFoundError:
        return None
    record = _unframed(data.rstrip(b"\n"), 0)
    if record is None or record.kind not in (_OLD_SNAPSHOT, _SNAPSHOT):
        return None
    try:
        json.loads(record.data)
    except (ValueError, RecursionError):
        return None
    return StoredSnapshot(record.data, int(data[:8], 16) if record.kind == _SNAPSHOT else None)


def is_old_snapshot(path: str) -> bool:
    """Whether a snapshot is of an older program, whose journal has no beginning. Raises OSError when it can't be read."""
    try:
        with open(path, "rb") as file:
            return file.read(11)[8:] == b" S "
    except FileNotFoundError:
        return False


def read_journal(path: str, generation: int, *, old: bool) -> Journal:
    """The records up to the end or the first that does not read.

    A record that was being written when the process died lacks its line end; one that has it and does not read is damage. Raises OSError
    when the file can't be read.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return Journal((), Reached(generation, 0, 0), "is missing")
    if old:
        return _read_records(data, Reached(generation, 0, 0), chained=False)
    line, _, _ = data.partition(b"\n")
    beginning = _read_beginning(line, generation)
    if beginning is None:
        return Journal((), Reached(generation, 0, 0), "has no beginning that reads")
    snapshot, before, reached = beginning
    journal = _read_records(data, reached, chained=True)
    fault = journal.fault or ("is shorter than it was made" if len(data) < CHUNK_BYTES else None)
    return Journal(journal.records, journal.reached, fault, snapshot, before)


def _read_records(data: bytes, reached: Reached, *, chained: bool) -> Journal:
    records: list[Record] = []
    for line in _lines(data, reached.end):
        record = _unframed(line, reached.chain if chained else 0)
        if record is None:
            return Journal(tuple(records), reached, f"has a record that does not read, after {len(records)} that do")
        records.append(record)
        reached = Reached(reached.generation, reached.end + len(line) + 1, int(line[:8], 16))
    return Journal(tuple(records), reached, None)


def _read_beginning(line: bytes, generation: int) -> tuple[int, Reached | None, Reached] | None:
    """Of which snapshot a journal is, how far the one before went, and where its records start."""
    try:
        plain = json.loads(line.partition(b" ")[2].removeprefix(BEGINNING.encode() + b" "))
        snapshot, before = int(plain["snapshot"]), plain["before"]
        known = None if before is None else Reached(*map(int, before))
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    record = _unframed(line, snapshot)
    if record is None or record.kind != BEGINNING or plain.get("format") != _FORMAT:
        return None
    return snapshot, known, Reached(generation, len(line) + 1, int(line[:8], 16))


def _unframed(line: bytes, chain: int) -> Record | None:
    checksum, _, content = line.partition(b" ")
    try:
        sound = len(checksum) == 8 and int(checksum, 16) == zlib.crc32(content, chain)
    except ValueError:
        return None
    kind, _, data = content.partition(b" ")
    return Record(kind.decode("ascii", "replace"), data) if sound else None


def _lines(data: bytes, start: int) -> Iterator[bytes]:
    """The lines from there on that have an end."""
    while (end := data.find(b"\n", start)) >= 0:
        yield data[start:end]
        start = end + 1


class Mark:
    """How far the journal was known to be durable, in a file of its own: what is shorter has lost its end.

    Written after the journal, so it never says too much; in two places by turns, so that a crash amid a write leaves the other.
    """

    _SLOT_BYTES = 512
    _SLOTS = 2

    def __init__(self, path: str) -> None:
        self.path = path
        self._turn = 0

    def read(self) -> tuple[Reached | None, str | None]:
        """How far the journal went at least, and what is wrong with the mark. Raises OSError when it can't be read."""
        try:
            with open(self.path, "rb") as file:
                data = file.read(self._SLOT_BYTES * self._SLOTS + 1)
        except FileNotFoundError:
            return None, "is missing"
        slots = [self._slot(data[place * self._SLOT_BYTES :][: self._SLOT_BYTES]) for place in range(self._SLOTS)]
        known = [slot for slot in slots if slot is not None]
        if not known:
            return None, "does not read"
        newest = max(known)
        self._turn = 1 - slots.index(newest)
        return newest, None

    def write(self, reached: Reached) -> None:
        """Have the mark say this durably. Raises OSError."""
        line, _ = framed(Record("K", b"%d %d %d" % reached), 0)
        slot = line.ljust(self._SLOT_BYTES, b"\0")
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(descriptor, slot, self._turn * self._SLOT_BYTES)
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        self._turn = 1 - self._turn

    @staticmethod
    def _slot(data: bytes) -> Reached | None:
        record = _unframed(data.partition(b"\n")[0], 0)
        if record is None or record.kind != "K":
            return None
        words = record.data.split()
        return Reached(*map(int, words)) if len(words) == 3 and all(word.isdigit() for word in words) else None
