"""A directory as a source: whenever its content has changed and come to rest, it becomes a commit in the node's repository.

What the kernel tells about changes is only a hint to look; what counts is the content, read twice until it is the same. A slow
look by itself finds what no hint told of (a network file system, an overflown queue).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from reconciler.controller.admission import Tip
from reconciler.errors import Finding, InputError, Place, ReconcilerError, Severity
from reconciler.frozen import field, frozen
from reconciler.ownership import NOBODY_ELSE, Trusted
from reconciler.sources.ancestry import relation
from reconciler.sources.bounds import TreeBounds, nothing_there
from reconciler.sources.repository import Repository
from reconciler.sources.snapshot import (
    DirectorySnapshot,
    WatchedDirectory,
    fingerprint,
    first_directories,
    read_directory,
)
from reconciler.sources.source import InForce, OnChange, OnTip, SourceStatus, StandingOf, StatusReport, keep_going

if TYPE_CHECKING:
    from watchdog.observers.api import BaseObserver

_CHANGES = frozenset({"created", "deleted", "modified", "moved", "closed"})
"""The kinds of hints that mean a change; our own reading causes others."""
# Editors and synchronisers write in several steps: content counts once two readings agree.
_SECOND_LOOK_S = 0.01
# A directory that is written to all the time would never come to rest.
_LONGEST_DEBOUNCES = 10
_MOST_LOOKS = 20
_MOST_WATCHED = 64
"""Directories whose changes the kernel tells at once, each by a thread; those of further ones are found by the slow look."""


@frozen
class DirectorySettings:
    """What the node's configuration says about a directory source; `path` is where its files stand inside the commits.

    `trusted` are those who may write there beside root and our own user; None lets everybody.
    """

    name: str
    directory: str
    debounce_ms: int = 200
    rescan_s: float = 30.0
    author: str = "reconciler <reconciler@localhost>"
    path: str = ""
    trusted: Trusted | None = NOBODY_ELSE
    bounds: TreeBounds = field(default_factory=TreeBounds)


class DirectorySource:
    """Watches one directory."""

    kind = "directory"

    def __init__(
        self,
        settings: DirectorySettings,
        repository: Repository,
        standing: StandingOf,
        was_active: Callable[[str], bool],
        on_tip: OnTip,
        on_change: OnChange,
        expect: Callable[[], None] = lambda: None,
    ) -> None:
        """`was_active` says of a commit whether it ever was in force; `expect` is told that a new one is about to come."""
        self.name = settings.name
        self._settings = settings
        self._repository = repository
        self._standing = standing
        self._was_active = was_active
        self._on_tip = on_tip
        self._expect = expect
        self._report = StatusReport(settings.name, self.kind, on_change)
        self._hinted = asyncio.Event()
        self._hint_at = 0.0
        self._asked = False
        self._compare = False
        self._fingerprint = ""
        self._seen: DirectorySnapshot | None = None
        """What was read last, if it can be offered."""
        self._made: _Made | None = None
        self._reference = f"refs/reconciler/candidate/{settings.name}"

    def status(self) -> SourceStatus:
        """How it stands now."""
        return self._report.status

    def fetch_now(self) -> None:
        """Read at once, without waiting for rest, and say that somebody wants what is there judged again."""
        self._asked = True
        self._hinted.set()

    def look(self) -> None:
        """Say anew how what was read last stands to what is in force."""
        self._compare = True
        self._hinted.set()

    def answered(self, commit: str, findings: tuple[Finding, ...]) -> None:
        """Be told why a commit can't follow what is in force."""
        self._report.answered(commit, findings)

    async def run(self) -> None:
        """Read now and after each change, until cancelled."""
        await keep_going(self._follow, self._report)

    async def _follow(self) -> None:
        watch = _Watch(self._hint)
        try:
            while True:
                # Before the look: what changes in a directory from now on is either seen by the look or told by a hint.
                watch.renew(await asyncio.to_thread(first_directories, self._settings.directory, _MOST_WATCHED))
                await self._look()
                await self._wait_for_hint()
        finally:
            watch.close()

    def _hint(self) -> None:
        self._hint_at = time.monotonic()
        self._expect()
        self._hinted.set()

    async def _wait_for_hint(self) -> None:
        """Until something may have changed and has come to rest, or the time for a look has come."""
        # Not `wait_for`: before Python 3.12 it loses a cancellation that comes with the hint, and the source would never end.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.rescan_s):
                await self._hinted.wait()
        debounce_s = self._settings.debounce_ms / 1000
        end = time.monotonic() + _LONGEST_DEBOUNCES * debounce_s
        while self._hinted.is_set() and not (self._asked or self._compare):
            rest = min(self._hint_at + debounce_s, end) - time.monotonic()
            if rest <= 0:
                break
            await asyncio.sleep(rest)
        self._hinted.clear()

    async def _look(self) -> None:
        """Read, unless nothing was touched since the last time, and say how what is there stands to what is in force."""
        asked, self._asked = self._asked, False
        compare, self._compare = self._compare, False
        try:
            touched = await asyncio.to_thread(fingerprint, self._settings.directory, self._settings.trusted)
            if touched == self._fingerprint and not asked:
                if compare and self._seen is not None:
                    await self._tell(self._seen, asked=False)
                else:
                    self._report.looked()
                return
            self._seen, self._fingerprint = None, ""
            snapshot = await self._settled()
            if snapshot is None:
                self._report.failed((self._restless(),))
                return
            self._fingerprint = touched
            if snapshot.findings:
                self._report.failed(snapshot.findings)
            elif not snapshot.files:
                self._report.failed((nothing_there(self._settings.directory),))
            else:
                self._seen = snapshot
                await self._tell(snapshot, asked=asked)
        except InputError as error:
            self._report.failed(error.findings)
        except ReconcilerError as error:
            self._fingerprint = ""
            self._report.failed((Finding(error.code, Place(self._settings.directory), _with_cause(error)),))
        except OSError as error:
            self._fingerprint = ""
            self._report.failed((Finding("unreadable", Place(self._settings.directory), str(error)),))

    async def _settled(self) -> DirectorySnapshot | None:
        """The content once two readings agree; None if it kept changing."""
        bounds = self._settings.bounds
        before = await asyncio.to_thread(read_directory, self._settings.directory, bounds, self._settings.trusted)
        for look in range(_MOST_LOOKS):
            await asyncio.sleep(_SECOND_LOOK_S * (1 + look))
            now = await asyncio.to_thread(read_directory, self._settings.directory, bounds, self._settings.trusted)
            if now.digest == before.digest:
                return now
            before = now
        return None

    async def _tell(self, snapshot: DirectorySnapshot, *, asked: bool) -> None:
        """Report the commit that stands for the content, with how it stands to what is in force."""
        tip = await asyncio.to_thread(self._tip, snapshot, self._standing(), asked)
        self._report.seen(tip.commit)
        self._on_tip(tip)

    def _tip(self, snapshot: DirectorySnapshot, standing: InForce, asked: bool) -> Tip:
        """The content as a commit: the one in force, our own last one, or one that is made on top of what is in force."""
        repository, active = self._repository, standing.active
        lost = active is not None and not repository.has(active)
        own = repository.reference(self._reference)
        if own is not None and not self._was_active(own):
            own = None
        if active is not None and self._files(active) == snapshot.files:
            commit = active
        elif own is not None and not asked and self._files(own) == snapshot.files:
            commit = own
        else:
            commit = self._commit(snapshot, active, lost)
        return Tip(
            source=self.name,
            commit=commit,
            subject=repository.facts(commit).subject,
            active=active,
            to_active=relation(repository, commit, active),
            lineage=own,
            to_lineage=relation(repository, commit, own),
            content=snapshot.digest,
            may_rewrite=lost,  # Nothing can follow what the repository has lost.
            asked=asked,
        )

    def _files(self, commit: str) -> dict[str, bytes] | None:
        """The files of a commit, None when it has none at our path (it came from another source), or has been lost."""
        if self._made is not None and self._made.commit == commit:
            return self._made.files
        try:
            return self._repository.files(commit, self._settings.path) if self._repository.has(commit) else None
        except InputError:
            return None

    def _commit(self, snapshot: DirectorySnapshot, active: str | None, lost: bool) -> str:
        """A commit of the content on top of the active one, unless that was lost; the same as long as both are the same."""
        files = snapshot.files
        if self._made is not None and self._made.parent == active and self._made.files == files:
            return self._made.commit
        message = f"{self.name}: {_summary(files)}\n\nRead from {self._settings.directory}.\n"
        commit = self._repository.commit(
            files,
            message,
            reference=self._reference,
            parent=None if lost else active,
            path=self._settings.path,
            author=self._settings.author,
            time_s=int(time.time()),
        )
        self._made = _Made(commit, active, files)
        return commit

    def _restless(self) -> Finding:
        place = Place(self._settings.directory)
        return Finding("still-changing", place, "the files keep changing while they are read", "", Severity.WARNING)


class _Made(NamedTuple):
    """The last commit that was made here, so that it need be neither made again nor read back to be compared."""

    commit: str
    parent: str | None
    files: dict[str, bytes]


class _Watch:
    """The kernel's hints about a directory and those below it, as long as they are those directories.

    Each is watched by itself: a watch that follows new directories by itself follows them to any depth, and had the node do nothing
    else for minutes when somebody made a thousand inside each other.
    """

    def __init__(self, hint: Callable[[], None]) -> None:
        self._hint = hint
        self._loop = asyncio.get_running_loop()
        self._observer: BaseObserver | None = None
        self._watched: tuple[WatchedDirectory, ...] = ()
        self._under_way = False

    def renew(self, directories: tuple[WatchedDirectory, ...]) -> None:
        """Watch what has these names now: a directory that was replaced gives no more hints."""
        alive = self._observer is not None and self._observer.is_alive()
        if alive and self._watched == directories:
            return
        self.close()
        self._observer = self._start(tuple(one.path for one in directories))
        self._watched = directories

    def close(self) -> None:
        """No more hints."""
        if self._observer is not None:
            self._observer.stop()
            self._observer = None
        self._watched = ()

    def _start(self, directories: tuple[str, ...]) -> BaseObserver | None:
        from watchdog.events import FileSystemEvent, FileSystemEventHandler
        from watchdog.observers import Observer

        logging.getLogger("watchdog.observers.inotify").addFilter(_is_news)
        watch = self

        class Handler(FileSystemEventHandler):
            """Passes hints of changes on to the loop."""

            def on_any_event(self, event: FileSystemEvent) -> None:
                if event.event_type in _CHANGES:
                    watch.changed()

        if not directories:
            return None
        observer = Observer()
        observer.daemon = True
        try:
            observer.start()
            for directory in directories:
                with contextlib.suppress(
                    FileNotFoundError, NotADirectoryError
                ):  # It has just gone: the look will tell.
                    observer.schedule(Handler(), directory, recursive=False)
        except (OSError, RuntimeError):
            observer.stop()
            return None  # No hints (too many watches or threads): the slow look finds changes all the same.
        return observer

    def changed(self) -> None:
        """A hint, from the observer's thread. One that the loop has not taken yet stands for all that follow it.

        Each wakes the loop by a byte in a pipe, in which signals arrive, too: were it full of hints, a SIGTERM would be lost.
        """
        if not self._under_way:
            self._under_way = True
            with contextlib.suppress(RuntimeError):  # The loop is closed: nobody is interested any more.
                self._loop.call_soon_threadsafe(self._arrived)

    def _arrived(self) -> None:
        self._under_way = False
        self._hint()


def _is_news(record: logging.LogRecord) -> bool:
    """All that the library logs but this: it calls it an error when an observer is stopped while it takes in an event."""
    return "called when the thread is inactive" not in record.getMessage()


def _summary(files: dict[str, bytes]) -> str:
    names = sorted(files)
    if len(names) <= 3:
        return ", ".join(names) or "empty"
    return f"{len(names)} files"


def _with_cause(error: ReconcilerError) -> str:
    return f"{error}: {error.__cause__}" if error.__cause__ is not None else str(error)
