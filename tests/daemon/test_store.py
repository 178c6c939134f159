"""The store gives back what was written, or less of its end, never anything else."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machine import mounted

from reconciler.controller.journal import Record
from reconciler.daemon.journal import CHUNK_BYTES
from reconciler.daemon.lock import BusyError
from reconciler.daemon.store import Store, StoreError


def record(number: int) -> Record:
    return Record("M", f"n1 {{'number': {number}}}".encode())


RECORDS = tuple(record(number) for number in range(5))


def filled(directory: Path, records: tuple[Record, ...] = RECORDS) -> None:
    store = Store(str(directory))
    store.begin(b'{"first":1}')
    for one in records:
        store.append(one)
    store.close()


def contents(directory: Path):
    store = Store(str(directory))
    try:
        return store.read()
    finally:
        store.close()


def newest(directory: Path, kind: str) -> Path:
    return sorted(directory.glob(f"{kind}-*"))[-1]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    assert contents(tmp_path).snapshot is None
    filled(tmp_path)
    assert contents(tmp_path) == (b'{"first":1}', RECORDS, (), ())


def test_a_second_daemon_is_kept_out(tmp_path: Path) -> None:
    first = Store(str(tmp_path))
    with pytest.raises(BusyError, match=f"process {os.getpid()}\\) uses the state directory {tmp_path}"):
        Store(str(tmp_path))
    first.close()
    Store(str(tmp_path)).close()


def test_a_new_generation_takes_the_place_of_the_old(tmp_path: Path) -> None:
    filled(tmp_path)
    store = Store(str(tmp_path))
    for number in range(4):
        store.begin(b'{"next":%d}' % number)
        store.append(record(number))
    store.close()
    assert contents(tmp_path) == (b'{"next":3}', (record(3),), (), ())
    assert len(list(tmp_path.glob("snapshot-*"))) == 2


def promised(directory: Path, durable: int) -> bytes:
    """A store in which only so many of the records were ever said to be durable; the bytes of its journal, without the room left."""
    store = Store(str(directory / "before"))
    store.begin(b'{"first":1}')
    for number, one in enumerate(RECORDS):
        if number == durable:
            store.settle()
        store.append(one)
    if durable == len(RECORDS):
        store.settle()
    shutil.copytree(directory / "before", directory / "after")
    store.close()
    return newest(directory / "after", "journal").read_bytes().rstrip(b"\0")


@settings(deadline=None, max_examples=60)
@given(durable=st.integers(0, len(RECORDS)), cut=st.integers(0, 400))
def test_a_write_that_was_cut_off_leaves_what_was_durable(
    tmp_path_factory: pytest.TempPathFactory, durable: int, cut: int
) -> None:
    directory = tmp_path_factory.mktemp("store")
    data = promised(directory, durable)
    ends = [place + 1 for place, byte in enumerate(data) if byte == ord("\n")]
    cut = min(ends[durable] + cut, len(data))
    newest(directory / "after", "journal").write_bytes(data[:cut].ljust(CHUNK_BYTES, b"\0"))
    found = contents(directory / "after")
    assert found.records == RECORDS[: data[:cut].count(b"\n") - 1]
    assert (found.quarantined, found.damage) == ((), ())


@settings(deadline=None, max_examples=60)
@given(durable=st.integers(1, len(RECORDS)), cut=st.integers(1, 400), zeros=st.booleans())
def test_an_end_that_was_durable_and_is_missing_is_damage(
    tmp_path_factory: pytest.TempPathFactory, durable: int, cut: int, zeros: bool
) -> None:
    directory = tmp_path_factory.mktemp("store")
    data = promised(directory, durable)
    ends = [place + 1 for place, byte in enumerate(data) if byte == ord("\n")]
    cut = max(ends[durable] - cut, 0)
    newest(directory / "after", "journal").write_bytes(data[:cut].ljust(CHUNK_BYTES if zeros else 0, b"\0"))
    found = contents(directory / "after")
    assert found.records == RECORDS[: max(data[:cut].count(b"\n") - 1, 0)]
    assert any(str(directory / "after") in text for text in found.damage)


def damaged(data: bytes, kind: str, place: int, value: int) -> bytes | None:
    """Bytes as a failing disk may leave them: None for a file that is not there any more."""
    place %= max(len(data), 1)
    match kind:
        case "flipped":
            return data[:place] + bytes([data[place] ^ value]) + data[place + 1 :]
        case "cut":
            return data[:place]
        case "zeroed":
            return data[:place].ljust(len(data), b"\0")
        case "hole":
            return data[:place] + b"\0" * min(512, len(data) - place) + data[place + 512 :]
        case "empty":
            return b""
        case _:
            return None


@settings(deadline=None, max_examples=300)
@given(
    file=st.sampled_from(
        ["snapshot-0000000001", "snapshot-0000000002", "journal-0000000001"] + 3 * ["journal-0000000002", "mark"]
    ),
    kind=st.sampled_from(["flipped", "cut", "zeroed", "hole", "empty", "missing"]),
    place=st.integers(0, 700),
    value=st.integers(1, 255),
)
def test_no_damage_to_one_file_loses_anything_without_a_word(
    tmp_path_factory: pytest.TempPathFactory, file: str, kind: str, place: int, value: int
) -> None:
    directory = tmp_path_factory.mktemp("store")
    filled(directory)
    store = Store(str(directory))
    store.read()
    store.begin(b'{"second":2}')
    store.append(record(7))
    store.append(record(8))
    store.close()
    path = directory / file
    left = damaged(path.read_bytes(), kind, place, value)
    path.unlink() if left is None else path.write_bytes(left)
    found = contents(directory)
    since = (record(7), record(8))
    whole = (found.snapshot, found.records) in ((b'{"second":2}', since), (b'{"first":1}', (*RECORDS, *since)))
    assert whole or found.damage
    if found.snapshot == b'{"second":2}':
        assert found.records == since[: len(found.records)], "only of its end something is missing"
    elif found.snapshot is not None:
        assert found.records == (*RECORDS, *since)[: len(found.records)]


def test_a_journal_of_another_generation_is_not_taken_for_this_one(tmp_path: Path) -> None:
    filled(tmp_path)
    store = Store(str(tmp_path))
    store.read()
    store.begin(b'{"second":2}')
    store.append(record(7))
    store.close()
    (tmp_path / "journal-0000000002").write_bytes((tmp_path / "journal-0000000001").read_bytes())
    found = contents(tmp_path)
    assert (found.snapshot, found.records) == (b'{"second":2}', ())
    assert found.damage


def test_files_that_were_removed_while_it_runs_are_named(tmp_path: Path) -> None:
    place = tmp_path / "state"
    store = Store(str(place))
    store.begin(b"{}")
    shutil.rmtree(place)
    store.append(record(1))
    with pytest.raises(StoreError, match=f"{place}: its files were removed"):
        store.sync()
    with pytest.raises(StoreError, match=f"{place}: its files were removed"):
        store.begin(b"{}")
    place.mkdir()
    with pytest.raises(StoreError, match=f"{place}: its files were removed"):
        store.begin(b"{}")


def test_a_mark_that_can_not_follow_as_the_files_were_removed_says_so(tmp_path: Path) -> None:
    """It follows the journal after a moment, and is what is told last until something else is tried."""
    place = tmp_path / "state"
    store = Store(str(place))
    store.begin(b"{}")
    store.append(record(1))
    store.sync()
    shutil.rmtree(place)
    store.note_durable()
    assert store.failing is not None
    assert f"{place}: its files were removed; stop the daemon" in store.failing


def test_a_damaged_snapshot_is_set_aside_and_the_one_before_is_used(tmp_path: Path) -> None:
    filled(tmp_path)
    store = Store(str(tmp_path))
    store.read()
    store.begin(b'{"second":2}')
    store.append(record(9))
    store.close()
    newest(tmp_path, "snapshot").write_bytes(b"nonsense")
    found = contents(tmp_path)
    assert found.snapshot == b'{"first":1}'
    assert found.records == (*RECORDS, record(9))
    assert len(found.quarantined) == 1


def test_a_damaged_journal_reads_the_same_until_a_generation_follows(tmp_path: Path) -> None:
    filled(tmp_path)
    journal = newest(tmp_path, "journal")
    data = journal.read_bytes()
    journal.write_bytes(data.replace(b"'number': 3", b"'number': x"))
    assert contents(tmp_path).records == RECORDS[:3]
    assert contents(tmp_path).records == RECORDS[:3]


def test_an_interrupted_snapshot_leaves_the_old_generation(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "snapshot-0000000002.new").write_bytes(b"half")
    assert contents(tmp_path).records == RECORDS
    (tmp_path / "snapshot-0000000002").write_bytes(b"half")
    found = contents(tmp_path)
    assert found.records == RECORDS
    assert found.quarantined


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MiB."""
    with mounted(tmp_path / "disk", "size=6m"):
        yield tmp_path / "disk"


def fill_up(directory: Path) -> Path:
    path = directory / "ballast"
    with open(path, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    assert os.statvfs(directory).f_bavail == 0
    return path


def test_on_a_full_disk_nothing_new_begins_and_what_was_begun_ends(small_disk: Path) -> None:
    store = Store(str(small_disk))
    store.begin(b"{}")
    big = Record("P", b"x" * 900_000)
    ballast = fill_up(small_disk)
    with pytest.raises(StoreError, match="No space"):
        store.append(big, begins=True)
    assert store.failing is not None
    store.append(RECORDS[0])
    store.sync()
    with pytest.raises(StoreError):
        store.begin(b"{}" + b" " * 500_000)
    store.append(RECORDS[1])
    ballast.unlink()
    store.append(big, begins=True)
    store.begin(b'{"again":1}')
    assert store.failing is None
    store.close()
    assert contents(small_disk).snapshot == b'{"again":1}'


@pytest.mark.parametrize("failing", ["posix_fallocate", "fsync", "listdir"])
def test_a_generation_that_could_not_begin_never_hides_the_records_that_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    filled(tmp_path)
    store = Store(str(tmp_path))
    store.read()
    store.begin(b'{"second":2}')
    seen: list[Path] = []

    def fail(*_: object) -> None:
        seen.extend(tmp_path.glob("snapshot-0000000003"))
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, failing, fail)
        with pytest.raises(StoreError, match="Input/output error"):
            store.begin(b'{"third":3}')
    assert store.failing is not None
    assert seen == [], "a crash here would have had the new snapshot count"
    store.append(record(9))
    store.close()
    assert contents(tmp_path) == (b'{"second":2}', (record(9),), (), ())


def test_the_removal_of_a_generation_that_could_not_begin_is_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reconciler.daemon import store as module

    store = Store(str(tmp_path))
    store.begin(b"{}")
    there: list[bool] = []

    def sync(path: str) -> None:
        there.append((tmp_path / "snapshot-0000000002").exists())
        if len(there) == 1:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(module, "_sync_directory", sync)
    with pytest.raises(StoreError):
        store.begin(b'{"second":2}')
    assert there == [True, False]
    store.close()


def test_a_state_directory_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        Store(str(tmp_path / "file" / "state"))


def test_files_are_private(tmp_path: Path) -> None:
    filled(tmp_path / "state")
    assert os.stat(tmp_path / "state").st_mode & 0o077 == 0
    assert all(os.stat(path).st_mode & 0o077 == 0 for path in (tmp_path / "state").iterdir())


def test_after_a_failed_sync_nothing_is_durable_until_a_new_generation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel tells of an error once; the next call says that all is well."""
    store = Store(str(tmp_path))
    store.begin(b'{"first":1}')
    store.append(record(1))
    told = [OSError(5, "Input/output error")]
    real = os.fdatasync

    def once(descriptor: int) -> None:
        if told:
            raise told.pop()
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", once)
    for _ in range(3):
        with pytest.raises(StoreError, match="Input/output error"):
            store.sync()
    assert store.wants_snapshot
    store.begin(b'{"second":2}')
    store.append(record(2))
    store.sync()
    store.close()
    assert contents(tmp_path) == (b'{"second":2}', (record(2),), (), ())


def test_a_snapshot_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a power failure leaves the name of a snapshot that is empty, and the generation before is gone."""
    done: list[str] = []
    fsync, rename = os.fsync, os.rename

    def synced(descriptor: int) -> None:
        fsync(descriptor)
        done.append(f"sync {os.path.basename(os.readlink(f'/proc/self/fd/{descriptor}'))}")

    def renamed(old: str, new: str) -> None:
        rename(old, new)
        done.append(f"rename {os.path.basename(new)}")

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", renamed)
    filled(tmp_path)
    name = newest(tmp_path, "snapshot").name
    at = done.index(f"rename {name}")
    assert done[at - 1] == f"sync {name}.new"
    assert done[at + 1] == f"sync {tmp_path.name}"
