"""Packs of a few objects, made and taken in within this process: what a proposal carries from node to node.

A pack made here holds whole objects, so it can be checked object by object while it is read; one with differences is git's own work.
Source: gitformat-pack(5), "pack-*.pack files have the following format"; gitformat-index(5) for the order of a tree's entries.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, NamedTuple

from reconciler.sources.commit_object import MOST_COMMIT_BYTES, CommitObject, parse_commit
from reconciler.sources.git_command import GitError
from reconciler.sources.objects import StoredObject, object_name

MOST_OBJECTS = 20_000
_HEADER = 12
_TRAILER = 20
_KINDS = {1: "commit", 2: "tree", 3: "blob"}
_DELTAS = (6, 7)
_MODES = frozenset({b"40000", b"100644", b"100755", b"120000", b"160000", b"100664"})
_TREE_MODE = b"40000"
# What is asked of a disk at once it does together: one wait for its cache instead of one for each file.
_MOST_THREADS = 15


class ForeignPackError(GitError):
    """The pack is not one of those made here; git may be able to read it."""

    code = "foreign-pack"


class TreeLine(NamedTuple):
    """One entry of a tree: its mode as git writes it, its name, its object."""

    mode: bytes
    name: bytes
    id: str

    @property
    def is_tree(self) -> bool:
        """Whether it is a directory."""
        return self.mode == _TREE_MODE


class Packed(NamedTuple):
    """An object as it lies in a pack: where, and the checksum of its bytes there."""

    id: str
    object: StoredObject
    offset: int
    crc: int


def parse_tree(data: bytes) -> list[TreeLine]:
    """The entries of a tree. **Raises** GitError for one that git would not have written: unsorted, doubled, with names that lead out."""
    lines, at, last = [], 0, b""
    while at < len(data):
        head, _, rest = data[at : at + 5000].partition(b"\0")
        mode, _, name = head.partition(b" ")
        if len(rest) < 20 and at + len(head) + 21 > len(data):
            raise GitError("a tree ends amid an entry")
        end = at + len(head) + 21
        line = TreeLine(mode, name, data[end - 20 : end].hex())
        order = name + (b"/" if line.is_tree else b"")
        if mode not in _MODES or _leads_out(name) or order <= last:
            raise GitError("a tree has an entry that no tree may have")
        lines.append(line)
        at, last = end, order
    return lines


def _leads_out(name: bytes) -> bool:
    return name in (b"", b".", b"..") or b"/" in name or name.lower() == b".git"


def write_pack(objects: Iterable[tuple[str, StoredObject]]) -> bytes:
    """A pack of these objects, each whole."""
    from gitdb.base import OStream
    from gitdb.pack import PackEntity

    streams = [
        OStream(bytes.fromhex(name), one.kind.encode(), len(one.data), io.BytesIO(one.data)) for name, one in objects
    ]
    made = io.BytesIO()
    PackEntity.write_pack(streams, made.write, object_count=len(streams))
    return made.getvalue()


def read_pack(pack: bytes, most_object_bytes: int, most_total_bytes: int) -> list[Packed]:
    """Every object of a pack, checked: its checksum, its form, its size while it is unpacked, and all of them together.

    **Raises** ForeignPackError for a pack with differences, GitError for what is no sound pack.
    """
    count = _check_frame(pack)
    at, found, room = _HEADER, [], most_total_bytes
    for _ in range(count):
        one, end = _read_object(pack, at, min(most_object_bytes, room))
        room -= len(one.data)
        found.append(Packed(object_name(one.kind, one.data), one, at, zlib.crc32(pack[at:end])))
        at = end
    if at != len(pack) - _TRAILER:
        raise GitError("the pack has more in it than it says")
    for packed in found:
        _check_form(packed)
    return found


def _check_frame(pack: bytes) -> int:
    """How many objects there are."""
    if len(pack) < _HEADER + _TRAILER or pack[:8] != b"PACK\0\0\0\2":
        raise GitError("this is no pack")
    if hashlib.sha1(pack[:-_TRAILER], usedforsecurity=False).digest() != pack[-_TRAILER:]:
        raise GitError("the pack is damaged")
    count = int.from_bytes(pack[8:_HEADER], "big")
    if count > MOST_OBJECTS:
        raise GitError(f"the pack has {count} objects; {MOST_OBJECTS} are taken")
    return count


def _read_object(pack: bytes, at: int, most_bytes: int) -> tuple[StoredObject, int]:
    """The object at an offset, and where the next one is."""
    kind, size, at = _object_header(pack, at)
    if kind in _DELTAS:
        raise ForeignPackError("the pack has differences in it")
    if kind not in _KINDS or size > most_bytes:
        raise GitError(f"an object of kind {kind} and {size} bytes is not taken")
    inflate = zlib.decompressobj()
    # Not the whole rest of the pack, which would be copied for each object; what does not compress grows by less than this.
    given = pack[at : min(len(pack) - _TRAILER, at + size + size // 16 + 1024)]
    try:
        data = inflate.decompress(given, size + 1)
    except zlib.error as error:
        raise GitError("the pack is damaged") from error
    if not inflate.eof or len(data) != size:
        raise GitError("an object has another size than it says")
    return StoredObject(_KINDS[kind], data), at + len(given) - len(inflate.unused_data)


def _object_header(pack: bytes, at: int) -> tuple[int, int, int]:
    """An object's kind and size, and where its content begins."""
    byte = pack[at] if at < len(pack) - _TRAILER else 0
    kind, size, shift = byte >> 4 & 7, byte & 15, 4
    while byte & 0x80:
        at += 1
        if at >= len(pack) - _TRAILER or shift > 56:
            raise GitError("the pack is damaged")
        byte = pack[at]
        size |= (byte & 0x7F) << shift
        shift += 7
    return kind, size, at + 1


def _check_form(packed: Packed) -> None:
    if packed.object.kind == "tree":
        parse_tree(packed.object.data)
    elif packed.object.kind == "commit":
        if len(packed.object.data) > MOST_COMMIT_BYTES:
            raise GitError(
                f"commit {packed.id[:12]} has {len(packed.object.data)} bytes; {MOST_COMMIT_BYTES} are taken"
            )
        parse_commit(packed.id, packed.object.data)


def commits_of(found: Iterable[Packed]) -> Iterator[CommitObject]:
    """The commits among a pack's objects."""
    for packed in found:
        if packed.object.kind == "commit":
            yield parse_commit(packed.id, packed.object.data)


def store_pack(repository: str, pack: bytes, found: Iterable[Packed]) -> None:
    """Put a pack that was read into a repository, with its index, durably. **Raises** OSError; then it is not there."""
    from gitdb.pack import IndexWriter

    index = IndexWriter()
    for one in found:
        index.append(bytes.fromhex(one.id), one.crc, one.offset)
    written = io.BytesIO()
    index.write(pack[-_TRAILER:], written.write)
    directory = os.path.join(repository, "objects", "pack")
    os.makedirs(directory, mode=0o700, exist_ok=True)
    stem = os.path.join(directory, f"pack-{pack[-_TRAILER:].hex()}")
    # Each is whole before it has its name; git takes neither without the other, so their names are made durable together.
    write_files([NewFile(f"{stem}.pack", pack, 0o444), NewFile(f"{stem}.idx", written.getvalue(), 0o444)])


class NewFile(NamedTuple):
    """A file that is to be there."""

    path: str
    data: bytes
    mode: int = 0o644

    @property
    def fresh(self) -> str:
        """Its name until it is whole."""
        return os.path.join(os.path.dirname(self.path), f"tmp_{os.path.basename(self.path)}.new")


def write_file(path: str, data: bytes) -> None:
    """A file with this content under this name, durably; after a crash at any instruction it is whole or as it was. **Raises** OSError."""
    write_files([NewFile(path, data)])


def write_files(*phases: Sequence[NewFile]) -> None:
    """Files as `write_file` writes one, in their order; the names of a phase are durable before there are any of the next.

    Their contents are made durable all together, which takes a disk hardly longer than one.
    """
    every = [file for phase in phases for file in phase]
    try:
        with contextlib.ExitStack() as held:
            _sync_all([held.enter_context(_written(file)).fileno() for file in every])
        for phase in phases:
            for file in phase:
                os.rename(file.fresh, file.path)
            sync_directories({os.path.dirname(file.path) for file in phase})
    except OSError:
        for file in every:
            with contextlib.suppress(OSError):
                os.unlink(file.fresh)
        raise


@contextlib.contextmanager
def _written(wanted: NewFile) -> Iterator[BinaryIO]:
    """A file with this content under its first name, which is not durable yet."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(
            wanted.fresh
        )  # Who was killed left it; it may have its mode already, by which only root may write to it.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    with open(os.open(wanted.fresh, flags, 0o600), "wb") as file:
        file.write(wanted.data)
        file.flush()
        os.fchmod(file.fileno(), wanted.mode)
        yield file


def sync_directories(directories: Iterable[str]) -> None:
    """Make the names in directories durable, all at once. **Raises** OSError."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    opened: list[int] = []
    try:
        for one in directories:
            opened.append(os.open(one, flags))
        _sync_all(opened)
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _sync_all(descriptors: list[int]) -> None:
    """Make files durable, all at once. **Raises** OSError."""
    first, *others = descriptors
    if not others:
        os.fsync(first)
        return
    with ThreadPoolExecutor(min(len(others), _MOST_THREADS), "sync") as threads:
        try:
            waiting = threads.map(os.fsync, others)
        except RuntimeError:  # There is no thread to be had.
            waiting = map(os.fsync, others)
        os.fsync(first)
        for _ in waiting:
            pass


def sync_directory(directory: str) -> None:
    """Make the names in a directory durable. **Raises** OSError."""
    sync_directories([directory])
