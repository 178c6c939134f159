"""Reading single git objects in this process, where a git process would take a hundred times as long.

Objects come from others: of each the size is known before it is unpacked, at every step of its deltas, and what was read is compared
with its name. Many files at once are read faster by one git process (`tests/benchmarks/git_objects.py` has the figures).
Source: gitformat-pack(5); gitrepository-layout(5).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import zlib
from typing import TYPE_CHECKING, Any

from reconciler.frozen import frozen
from reconciler.sources.git_command import DamagedError, GitError, MissingObjectError, TooMuchError, checked_commit

if TYPE_CHECKING:
    from gitdb.pack import PackEntity

_LONGEST_HEADER = 64
# Git makes none that are longer: it counts the depth of a difference in twelve bits.
_LONGEST_CHAIN = 4096
_MOST_ALTERNATES = 8
_MOST_LOOKED_AT = 4 * 1024 * 1024


@frozen
class StoredObject:
    """An object's kind (commit, tree, blob, tag) and content."""

    kind: str
    data: bytes


class Objects:
    """The objects of one repository and of those that it borrows from; may be used by any number of threads."""

    def __init__(self, repository: str) -> None:
        self._places = _object_places(repository)
        self._packs: dict[str, PackEntity] = {}
        self.damaged = False
        """Whether damage was met."""
        self._lock = threading.Lock()

    def read(self, name: str, kind: str, most_bytes: int) -> bytes:
        """The content of an object of a kind. **Raises** MissingObjectError, TooMuchError, DamagedError, GitError when it is another."""
        found = self.find(name, most_bytes)
        if found.kind != kind:
            raise GitError(f"object {name[:12]} is a {found.kind}, no {kind}")
        return found.data

    def find(self, name: str, most_bytes: int) -> StoredObject:
        """An object of any kind. **Raises** MissingObjectError, TooMuchError, DamagedError."""
        name = checked_commit(name)
        try:
            return self._find(name, most_bytes)
        except DamagedError:
            self.damaged = True
            raise

    def keeps(self, name: str, most_bytes: int = _MOST_LOOKED_AT) -> bool:
        """Whether an object is here, and sound; if so it counts as one that came just now, which is not removed before it is named."""
        try:
            self.find(name, most_bytes)
            return self._renew(name)
        except (GitError, OSError):
            return False

    def _renew(self, name: str) -> bool:
        """Give the file that has an object the present time; whether there is one. Raises OSError."""
        for place in self._places:
            with contextlib.suppress(FileNotFoundError):
                os.utime(os.path.join(place, name[:2], name[2:]))
                return True
        with self._lock:
            for path, entity in self._packs.items():
                if entity.index().sha_to_index(bytes.fromhex(name)) is not None:
                    os.utime(path)
                    return True
        return False

    def _find(self, name: str, most_bytes: int) -> StoredObject:
        found = self._loose(name, most_bytes)
        if found is None:
            with self._lock:
                found = self._packed(name, most_bytes)
        if found is None:
            raise MissingObjectError(f"object {name[:12]} is not in the repository")
        if object_name(found.kind, found.data) != name:
            raise DamagedError(f"object {name[:12]} is damaged")
        return found

    def close(self) -> None:
        """Let go of the packs."""
        with self._lock:
            self._packs.clear()

    def _loose(self, name: str, most_bytes: int) -> StoredObject | None:
        for place in self._places:
            try:
                with open(os.path.join(place, name[:2], name[2:]), "rb") as file:
                    return _inflate_loose(name, file, most_bytes)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise GitError(f"read object {name[:12]}") from error
        return None

    def _packed(self, name: str, most_bytes: int) -> StoredObject | None:
        """The object out of a pack; packs come and go, so one that is not found or can't be used is looked for again."""
        for fresh in (False, True):
            try:
                for entity in self._entities(fresh):
                    if (index := entity.index().sha_to_index(bytes.fromhex(name))) is not None:
                        return _unpack(entity, index, name, most_bytes)
            except GitError:
                raise
            except Exception as error:  # A library unpacks what others sent: whatever it meets is damage.
                self._packs.clear()
                if fresh:
                    raise DamagedError(f"object {name[:12]} can't be read from its pack, which is damaged") from error
        return None

    def _entities(self, fresh: bool) -> list[PackEntity]:
        """The packs that there are, as of the last time that an object was not found."""
        from gitdb.pack import PackEntity

        if fresh or not self._packs:
            there = {path for place in self._places for path in _pack_paths(os.path.join(place, "pack"))}
            self._packs = {path: self._packs.get(path) or PackEntity(path) for path in sorted(there)}
        return list(self._packs.values())


def object_name(kind: str, data: bytes) -> str:
    """The name of an object with this content."""
    made = hashlib.sha1(b"%s %d\0" % (kind.encode(), len(data)), usedforsecurity=False)
    made.update(data)
    return made.hexdigest()


def _object_places(repository: str) -> list[str]:
    place = os.path.join(repository, "objects")
    try:
        with open(os.path.join(place, "info", "alternates"), encoding="utf-8") as file:
            others = [line.rstrip("\n") for line in file][:_MOST_ALTERNATES]
    except OSError:
        others = []
    return [place, *(os.path.join(place, other) for other in others if other)]


def _inflate_loose(name: str, file: Any, most_bytes: int) -> StoredObject:
    inflate = zlib.decompressobj()
    limit = most_bytes + _LONGEST_HEADER
    try:
        data = inflate.decompress(file.read(limit + 1024), limit + 1)
        while not inflate.eof and len(data) <= limit and (more := inflate.unconsumed_tail or file.read(64 * 1024)):
            data += inflate.decompress(more, limit + 1 - len(data))
    except zlib.error as error:
        raise DamagedError(f"object {name[:12]} is damaged") from error
    header, _, content = data.partition(b"\0")
    kind, _, size = header.partition(b" ")
    if not size.isdigit() or len(size) > 19:
        raise DamagedError(f"object {name[:12]} is damaged")
    _check_size(name, int(size), most_bytes)
    return StoredObject(kind.decode("ascii", "replace"), content)


def _pack_paths(directory: str) -> list[str]:
    """The packs that have an index, which git puts there last."""
    try:
        names = set(os.listdir(directory))
    except FileNotFoundError:
        return []
    packs = (name for name in names if name.startswith("pack-") and name.endswith(".pack"))
    return [os.path.join(directory, name) for name in packs if f"{name[:-5]}.idx" in names]


def _unpack(entity: PackEntity, index: int, name: str, most_bytes: int) -> StoredObject:
    _check_deltas(entity, index, name, most_bytes)
    stream = entity.stream_at_index(index)
    return StoredObject(stream.type.decode("ascii", "replace"), bytes(stream.read()))


def _check_deltas(entity: Any, index: int, name: str, most_bytes: int) -> None:
    """**Raises** TooMuchError when unpacking the object would, at any step, take more than may be read."""
    from gitdb.fun import msb_size

    streams = entity.collect_streams_at_offset(entity.index().offset(index))
    if len(streams) > _LONGEST_CHAIN:
        raise TooMuchError(f"object {name[:12]} is a chain of {len(streams)} differences")
    for stream in streams:
        _check_size(name, stream.size, most_bytes)
    for stream in streams[:-1]:
        head = stream.read(512)  # Less is not always given by the library's reader.
        at, source = msb_size(head)
        _, target = msb_size(head, at)
        _check_size(name, max(source, target), most_bytes)


def _check_size(name: str, size: int, most_bytes: int) -> None:
    if size > most_bytes:
        raise TooMuchError(f"object {name[:12]} has {size} bytes; {most_bytes} are read")
