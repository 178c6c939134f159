"""A watched directory: when its content is offered, when not, and what is refused."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from reconciler.frozen import replace
from reconciler.sources.bounds import TreeBounds
from reconciler.sources.directory import DirectorySettings, DirectorySource, _Watch
from reconciler.sources.repository import Repository
from reconciler.sources.snapshot import DirectorySnapshot, fingerprint, first_directories, read_directory
from reconciler.sources.source import SourceState

from .conftest import Followed


class Watched(Followed):
    """A directory source with what it tells."""

    def __init__(self, repository: Repository, settings: DirectorySettings) -> None:
        super().__init__()
        self.repository = repository
        self.source = DirectorySource(
            settings,
            repository,
            self.standing,
            lambda commit: commit in self.activated,
            self.on_tip,
            self.on_change,
        )

    def files(self) -> dict[str, bytes]:
        """The files of the commit that was offered last."""
        return self.repository.files(self.commits[-1])


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "cluster.d"
    path.mkdir()
    (path / "a.yaml").write_text("a: 1\n")
    yield path
    # Not left to pytest, which can't remove a thousand directories inside each other.
    subprocess.run(["rm", "-rf", str(path)], check=True)


@pytest.fixture
def settings(directory: Path) -> DirectorySettings:
    return DirectorySettings("local", str(directory), debounce_ms=50)


def watch(repository: Repository, settings: DirectorySettings, story: Callable[[Watched], Awaitable[None]]) -> Watched:
    """Run a source while the story goes on."""
    watched = Watched(repository, settings)
    watched.tell(story)
    return watched


def test_content_is_offered_at_the_start_and_after_each_change(
    repository: Repository, settings: DirectorySettings, directory: Path
) -> None:
    async def story(watched: Watched) -> None:
        await watched.until(lambda: len(watched.commits) == 1)
        assert watched.files() == {"a.yaml": b"a: 1\n"}
        watched.active = watched.commits[0]
        (directory / "sub").mkdir()
        (directory / "sub" / "b.yml").write_text("b: 2\n")
        await watched.until(lambda: len(watched.commits) == 2)
        assert watched.files() == {"a.yaml": b"a: 1\n", "sub/b.yml": b"b: 2\n"}
        assert repository.is_ancestor(watched.commits[0], watched.commits[1])
        assert watched.source.status().state is SourceState.OK

    watch(repository, settings, story)


def test_burst_of_changes_is_one_commit(repository: Repository, settings: DirectorySettings, directory: Path) -> None:
    async def story(watched: Watched) -> None:
        await watched.until(lambda: len(watched.commits) == 1)
        watched.active = watched.commits[0]
        last, pauses = time.monotonic(), 0
        for n in range(20):
            (directory / ".new").write_text(f"a: {n}\n")
            (directory / ".new").replace(directory / "a.yaml")
            await asyncio.sleep(0.01)
            pauses += time.monotonic() - last > 0.4  # This process itself was not let run: a pause between two bursts.
            last = time.monotonic()
        await watched.until(lambda: watched.files() == {"a.yaml": b"a: 19\n"})
        await asyncio.sleep(0.6)
        assert watched.files() == {"a.yaml": b"a: 19\n"}
        assert 2 <= len(watched.commits) <= 2 + pauses

    watch(repository, replace(settings, debounce_ms=500), story)


def test_content_in_force_is_not_offered(repository: Repository, settings: DirectorySettings, directory: Path) -> None:
    active = repository.commit({"a.yaml": b"a: 1\n"}, "m", reference="refs/reconciler/active", parent=None, time_s=1)

    async def story(watched: Watched) -> None:
        watched.active = active
        await watched.until(lambda: watched.source.status().state is SourceState.OK)
        os.utime(directory / "a.yaml")
        await asyncio.sleep(0.3)
        assert watched.commits == []
        assert watched.source.status().commit == active

    watch(repository, settings, story)


def test_only_what_was_read_twice_alike_is_offered(
    repository: Repository, settings: DirectorySettings, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second reading finds another file than the first: half of what somebody is just copying must not become a commit."""
    readings = []

    def read(path: str, bounds: TreeBounds, _: object) -> DirectorySnapshot:
        readings.append(read_directory(path, bounds))
        if len(readings) < 4:
            (directory / f"{len(readings)}.yaml").write_text("more: 1\n")
        return readings[-1]

    monkeypatch.setattr("reconciler.sources.directory.read_directory", read)

    async def story(watched: Watched) -> None:
        await watched.until(lambda: len(watched.commits) == 1)
        assert set(watched.files()) == {"a.yaml", "1.yaml", "2.yaml", "3.yaml"}

    watch(repository, settings, story)
    assert [len(one.files) for one in readings[:5]] == [1, 2, 3, 4, 4]


def test_what_never_comes_to_rest_is_not_offered(
    repository: Repository, settings: DirectorySettings, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.sources.directory._MOST_LOOKS", 3)
    count = iter(range(1_000_000))

    def read(path: str, bounds: TreeBounds, _: object) -> DirectorySnapshot:
        (directory / "a.yaml").write_text(f"a: {next(count)}\n")
        return read_directory(path, bounds)

    monkeypatch.setattr("reconciler.sources.directory.read_directory", read)

    async def story(watched: Watched) -> None:
        await watched.until(lambda: bool(watched.findings))
        assert watched.findings[0][0].code == "still-changing"
        assert watched.commits == []

    watch(repository, settings, story)


def test_atomic_replacement_is_seen(repository: Repository, settings: DirectorySettings, directory: Path) -> None:
    async def story(watched: Watched) -> None:
        await watched.until(lambda: len(watched.commits) == 1)
        (directory / ".a.yaml.tmp").write_text("a: 2\n")
        (directory / ".a.yaml.tmp").rename(directory / "a.yaml")
        await watched.until(lambda: len(watched.commits) == 2)
        assert watched.files() == {"a.yaml": b"a: 2\n"}

    watch(repository, settings, story)


def test_slow_look_finds_what_no_hint_told_of(
    repository: Repository, settings: DirectorySettings, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.sources.directory._Watch._start", lambda self, directories: None)

    async def story(watched: Watched) -> None:
        await watched.until(lambda: len(watched.commits) == 1)
        (directory / "a.yaml").write_text("a: 2\n")
        await watched.until(lambda: len(watched.commits) == 2)

    watch(repository, replace(settings, rescan_s=0.1), story)


def test_fetch_now_offers_again(repository: Repository, settings: DirectorySettings) -> None:
    async def story(watched: Watched) -> None:
        await watched.until(lambda: len(watched.commits) == 1)
        watched.source.fetch_now()
        await watched.until(lambda: len(watched.commits) == 2)
        assert watched.files() == {"a.yaml": b"a: 1\n"}
        assert [tip.asked for tip in watched.tips] == [False, True]

    watch(repository, settings, story)


def test_what_was_rolled_back_stays_so_after_a_restart(
    repository: Repository, settings: DirectorySettings, directory: Path
) -> None:
    async def first(watched: Watched) -> None:
        await watched.until(lambda: len(watched.commits) == 1)

    offered = watch(repository, settings, first).commits[0]
    rollback = repository.commit(
        {"a.yaml": b"a: 0\n"}, "rollback", reference="refs/reconciler/active", parent=offered, time_s=2
    )

    async def second(watched: Watched) -> None:
        watched.activated.append(offered)
        watched.active = rollback
        await watched.until(lambda: watched.source.status().state is SourceState.OK)
        await asyncio.sleep(0.2)
        assert watched.commits == []
        (directory / "a.yaml").write_text("a: 3\n")
        await watched.until(lambda: len(watched.commits) == 1)

    watch(repository, settings, second)


def test_two_directories_on_two_nodes_do_not_fight(
    repository: Repository, settings: DirectorySettings, directory: Path, tmp_path: Path
) -> None:
    """Of one name, with other contents: who changed last is followed, and the other one does not take it back when it looks again."""
    other = Repository(str(tmp_path / "other.git"))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.yaml").write_text("a: 2\n")

    async def offers(watched: Watched) -> None:
        await watched.until(lambda: len(watched.commits) == 1)

    first = watch(repository, settings, offers).commits[0]
    other.import_pack(repository.export_pack(first))

    async def answers(watched: Watched) -> None:
        watched.active = first
        await watched.until(lambda: len(watched.commits) == 1)

    second = watch(other, replace(settings, directory=str(tmp_path / "elsewhere")), answers).commits[0]
    repository.import_pack(other.export_pack(second, base=first))

    async def is_content(watched: Watched) -> None:
        watched.activated.append(first)
        watched.active = second
        for _ in range(3):
            told = len(watched.tips)
            watched.source.look()
            await watched.until(lambda told=told: len(watched.tips) > told)  # type: ignore[misc]
        assert watched.commits == []
        (directory / "a.yaml").write_text("a: 3\n")
        await watched.until(lambda: len(watched.commits) == 1)
        assert repository.is_ancestor(second, watched.commits[0])

    watch(repository, settings, is_content)


def test_what_was_never_in_force_is_offered_after_a_restart(
    repository: Repository, settings: DirectorySettings
) -> None:
    async def story(watched: Watched) -> None:
        await watched.until(lambda: len(watched.commits) == 1)

    watch(repository, settings, story)
    watch(repository, settings, story)


def test_faults_are_told_once_and_so_is_their_end(
    repository: Repository, settings: DirectorySettings, directory: Path
) -> None:
    async def story(watched: Watched) -> None:
        await watched.until(lambda: len(watched.commits) == 1)
        (directory / "link.yaml").symlink_to("/etc/passwd")
        await watched.until(lambda: len(watched.findings) == 1)
        assert [one.code for one in watched.findings[0]] == ["symbolic-link"]
        assert watched.source.status().state is SourceState.FAILED
        (directory / "b.yaml").write_text("b: 1\n")
        await asyncio.sleep(0.3)
        assert len(watched.findings) == 1
        (directory / "link.yaml").unlink()
        await watched.until(lambda: len(watched.commits) == 2)
        assert watched.findings[1:] == [()]

    watch(repository, settings, story)


def test_directory_that_vanishes_and_comes_back(
    repository: Repository, settings: DirectorySettings, directory: Path
) -> None:
    async def story(watched: Watched) -> None:
        await watched.until(lambda: len(watched.commits) == 1)
        directory.rename(directory.parent / "elsewhere")
        await watched.until(lambda: bool(watched.findings))
        assert watched.findings[0][0].code == "no-such-directory"
        directory.mkdir()
        (directory / "new.yaml").write_text("n: 1\n")
        await watched.until(lambda: len(watched.commits) == 2)
        (directory / "new.yaml").write_text("n: 2\n")
        await watched.until(lambda: len(watched.commits) == 3)

    watch(repository, replace(settings, rescan_s=0.1), story)


def test_empty_directory_is_taken_for_a_mishap(
    repository: Repository, settings: DirectorySettings, directory: Path
) -> None:
    async def story(watched: Watched) -> None:
        await watched.until(lambda: len(watched.commits) == 1)
        (directory / "a.yaml").unlink()
        await watched.until(lambda: bool(watched.findings))
        assert watched.findings[0][0].code == "empty-source"
        assert len(watched.commits) == 1

    watch(repository, settings, story)


def test_repository_that_can_not_be_written_is_a_finding(tmp_path: Path, settings: DirectorySettings) -> None:
    repository = Repository(str(tmp_path / "node.git"))
    repository.path = str(tmp_path / "gone.git")

    async def story(watched: Watched) -> None:
        await watched.until(lambda: bool(watched.findings))
        assert watched.findings[0][0].code == "git"

    watch(repository, settings, story)


def test_links_inside_the_directory_are_followed(directory: Path) -> None:
    (directory / "..data").mkdir()
    (directory / "..data" / "real.yaml").write_text("r: 1\n")
    (directory / "b.yaml").symlink_to("..data/real.yaml")
    assert read_directory(str(directory)).files == {"a.yaml": b"a: 1\n", "b.yaml": b"r: 1\n"}


def test_what_is_no_file_is_a_finding(directory: Path, tmp_path: Path) -> None:
    os.mkfifo(directory / "pipe.yaml")
    (directory / "up").symlink_to("..")
    (directory / "self").symlink_to(".")
    (directory / "dangling.yaml").symlink_to("nowhere.yaml")
    codes = [(one.place.file, one.code) for one in read_directory(str(directory)).findings]
    assert codes == [
        ("dangling.yaml", "unreadable"),
        ("pipe.yaml", "no-file"),
        ("self", "symbolic-link"),
        ("up", "symbolic-link"),
    ]


def test_too_much_is_refused_without_reading_it(directory: Path) -> None:
    with open(directory / "big.yaml", "wb") as file:
        file.truncate(50 * 1024 * 1024)
    assert [one.code for one in read_directory(str(directory)).findings] == ["file-too-large"]
    bounds = TreeBounds(files=1, file_bytes=1 << 30, total_bytes=10)
    assert sorted(one.code for one in read_directory(str(directory), bounds).findings) == [
        "too-many-files",
        "tree-too-large",
    ]


def nest(directory: Path, levels: int) -> None:
    """Directories inside each other, deeper than a path may be long."""
    here = os.open(directory, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("deep", dir_fd=here)
        below = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def test_directories_inside_each_other_are_bounded(
    repository: Repository, settings: DirectorySettings, directory: Path
) -> None:
    async def story(watched: Watched) -> None:
        await watched.until(lambda: len(watched.commits) == 1)
        await asyncio.to_thread(nest, directory, 1200)
        await watched.until(lambda: len(watched.findings) == 1)
        assert [(one.code, one.place.file) for one in watched.findings[0]] == [("too-deep", "deep/deep/deep")]
        await asyncio.to_thread(subprocess.run, ["rm", "-r", f"{directory}/deep"], check=True)
        await watched.until(lambda: watched.findings[1:] == [()])

    watch(repository, replace(settings, rescan_s=0.2), story)


def test_directories_inside_each_other_cost_no_more_than_the_outermost(
    repository: Repository, settings: DirectorySettings, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither time nor lines of a log: 1,200 of them, each seen by a watch of its own, kept the node busy for minutes."""
    nest(directory, 1200)
    assert [one.path for one in first_directories(str(directory), 3)] == [
        str(directory),
        f"{directory}/deep",
        f"{directory}/deep/deep",
    ]
    assert len(first_directories(str(directory), 64)) == 64

    async def story(watched: Watched) -> None:
        await watched.until(lambda: len(watched.findings) == 1)
        (directory / "deep" / "x.yaml").write_text("x")
        await asyncio.sleep(0.5)

    before = time.process_time()
    watch(repository, settings, story)
    assert time.process_time() - before < 2
    assert [record for record in caplog.records if record.name.startswith("watchdog")] == []


def test_a_watch_that_ends_amid_an_event_is_no_error_in_the_log(
    repository: Repository, settings: DirectorySettings, caplog: pytest.LogCaptureFixture
) -> None:
    from watchdog.observers.inotify import InotifyEmitter

    async def story(watched: Watched) -> None:
        await watched.until(lambda: len(watched.commits) == 1)

    watch(repository, settings, story)
    emitter = object.__new__(InotifyEmitter)
    emitter._lock, emitter._inotify = threading.Lock(), None  # type: ignore[assignment] # As `on_thread_stop` leaves it.
    emitter.queue_events(0)
    assert caplog.records == []


def test_changes_in_a_new_directory_are_told_at_once(
    repository: Repository, settings: DirectorySettings, directory: Path
) -> None:
    async def story(watched: Watched) -> None:
        await watched.until(lambda: len(watched.commits) == 1)
        (directory / "new" / "below").mkdir(parents=True)
        (directory / "new" / "below" / "b.yaml").write_text("b: 1\n")
        await watched.until(lambda: len(watched.commits) == 2)
        (directory / "new" / "below" / "b.yaml").write_text("b: 2\n")
        await watched.until(lambda: len(watched.commits) == 3)
        (directory / "new").rename(directory.parent / "away")
        (directory / "new").mkdir()
        (directory / "new" / "c.yaml").write_text("c: 1\n")
        await watched.until(lambda: watched.files() == {"a.yaml": b"a: 1\n", "new/c.yaml": b"c: 1\n"})
        (directory / "new" / "c.yaml").write_text("c: 2\n")
        await watched.until(lambda: watched.files()["new/c.yaml"] == b"c: 2\n")

    watch(repository, replace(settings, rescan_s=600), story)


def test_as_many_directories_as_are_allowed_are_read(directory: Path) -> None:
    nest(directory, 64)
    deepest = directory.joinpath(*["deep"] * 64)
    (deepest / "z.yaml").write_text("z: 1\n")
    assert len(read_directory(str(directory)).files) == 2
    (deepest / "deep").mkdir()
    assert [one.code for one in read_directory(str(directory)).findings] == ["too-deep"]


def test_fingerprint_changes_with_every_kind_of_change(directory: Path) -> None:
    seen = {fingerprint(str(directory))}
    (directory / "b.yaml").write_text("b")
    seen.add(fingerprint(str(directory)))
    (directory / "b.yaml").rename(directory / "c.yaml")
    seen.add(fingerprint(str(directory)))
    (directory / "c.yaml").write_text("c")
    seen.add(fingerprint(str(directory)))
    (directory / "c.yaml").unlink()
    (directory / "README").write_text("no configuration")
    seen.add(fingerprint(str(directory)))
    assert len(seen) == 4


def test_delay_beyond_the_debounce_is_short(
    repository: Repository, settings: DirectorySettings, directory: Path
) -> None:
    delays: list[float] = []

    async def story(watched: Watched) -> None:
        await watched.until(lambda: len(watched.commits) == 1)
        for n in range(7):
            (directory / "a.yaml").write_text(f"a: x{n}\n")
            begin = time.monotonic()
            await watched.until(lambda n=n: len(watched.commits) == n + 2)  # type: ignore[misc]
            delays.append(time.monotonic() - begin - 0.05)

    watch(repository, settings, story)
    median = sorted(delays)[3]
    print(f"median {median * 1000:.0f} ms beyond the debounce")
    assert median < 0.5  # Typically 30 ms; a loaded machine may take longer.


def test_ten_thousand_changes_lose_no_signal() -> None:
    """Hints and signals wake the loop by the same pipe, which holds a few hundred bytes."""
    hints: list[None] = []

    async def story() -> None:
        arrived = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, arrived.set)
        hinted = _Watch(lambda: hints.append(None))
        thread = threading.Thread(target=lambda: [hinted.changed() for _ in range(10_000)])
        thread.start()
        thread.join()
        os.kill(os.getpid(), signal.SIGUSR1)
        async with asyncio.timeout(5):
            await arrived.wait()
        assert len(hints) == 1
        hinted.changed()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(hints) == 2, "one that was taken does not stand for what comes later"

    asyncio.run(story())
