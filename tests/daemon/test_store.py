"""The store gives back what was written, or less of its end, never anything else."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.daemon.store import Record, Store, StoreBusyError, StoreError


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
    assert contents(tmp_path) == (b'{"first":1}', RECORDS, ())


def test_a_second_daemon_is_kept_out(tmp_path: Path) -> None:
    first = Store(str(tmp_path))
    with pytest.raises(StoreBusyError):
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
    assert contents(tmp_path) == (b'{"next":3}', (record(3),), ())
    assert len(list(tmp_path.glob("snapshot-*"))) == 2


@settings(deadline=None)
@given(cut=st.integers(0, 10_000))
def test_a_write_that_was_cut_off_leaves_the_records_before_it(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    directory = tmp_path_factory.mktemp("store")
    filled(directory)
    journal = newest(directory, "journal")
    data = journal.read_bytes().rstrip(b"\0")
    cut = min(cut, len(data))
    journal.write_bytes(data[:cut] + b"\0" * 100)
    found = contents(directory)
    assert found.records == RECORDS[: len(found.records)]
    assert len(found.records) >= data[:cut].count(b"\n")
    assert found.quarantined == ()


@settings(deadline=None)
@given(place=st.integers(0, 10_000), value=st.integers(1, 255))
def test_damage_is_noticed_and_set_aside(tmp_path_factory: pytest.TempPathFactory, place: int, value: int) -> None:
    directory = tmp_path_factory.mktemp("store")
    filled(directory)
    journal = newest(directory, "journal")
    data = bytearray(journal.read_bytes())
    end = len(bytes(data).rstrip(b"\0"))
    place %= end
    data[place] ^= value
    journal.write_bytes(data)
    found = contents(directory)
    assert found.records == RECORDS[: len(found.records)]
    assert len(found.records) >= bytes(data[:place]).count(b"\n")
    if len(found.records) < len(RECORDS) - 1:
        assert found.quarantined
        assert all(Path(path).exists() for path in found.quarantined)


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
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


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
    assert contents(tmp_path) == (b'{"second":2}', (record(9),), ())


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
    assert contents(tmp_path) == (b'{"second":2}', (record(2),), ())


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
