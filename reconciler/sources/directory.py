"""A directory as a source: whenever its content has changed and come to rest, it becomes a commit in the node's repository.

What the kernel tells about changes is only a hint to look; what counts is the content, read twice until it is the same. A slow
look by itself finds what no hint told of (a network file system, an overflown queue).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from reconciler.errors import Finding, InputError, Place, ReconcilerError, Severity
from reconciler.frozen import field, frozen, replace
from reconciler.sources.bounds import Bounds, nothing_there
from reconciler.sources.repository import Repository
from reconciler.sources.snapshot import Snapshot, WatchedDirectory, fingerprint, first_directories, read_directory
from reconciler.sources.source import ActiveCommit, OnCommit, OnFinding, SourceState, SourceStatus

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
    """What the node's configuration says about a directory source; `path` is where its files stand inside the commits."""

    name: str
    directory: str
    debounce_ms: int = 200
    rescan_s: float = 30.0
    author: str = "reconciler <reconciler@localhost>"
    path: str = ""
    bounds: Bounds = field(default_factory=Bounds)


class DirectorySource:
    """Watches one directory."""

    kind = "directory"

    def __init__(
        self,
        settings: DirectorySettings,
        repository: Repository,
        active: ActiveCommit,
        on_commit: OnCommit,
        on_finding: OnFinding,
    ) -> None:
        self.name = settings.name
        self._settings = settings
        self._repository = repository
        self._active = active
        self._on_commit = on_commit
        self._on_finding = on_finding
        self._status = SourceStatus(settings.name, self.kind)
        self._hinted = asyncio.Event()
        self._hint_at = 0.0
        self._again = False
        self._fingerprint = ""
        self._offered = ""
        self._made: tuple[str, dict[str, bytes]] | None = None
        """The last commit made here with its files, so that it need not be read back to be compared."""
        self._reference = f"refs/reconciler/candidate/{settings.name}"

    def status(self) -> SourceStatus:
        """How it stands now."""
        return self._status

    def fetch_now(self) -> None:
        """Read at once, without waiting for rest, and offer what is there even if it was offered before."""
        self._again = True
        self._hinted.set()

    async def run(self) -> None:
        """Read now and after each change, until cancelled."""
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
        self._hinted.set()

    async def _wait_for_hint(self) -> None:
        """Until something may have changed and has come to rest, or the time for a look has come."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hinted.wait(), self._settings.rescan_s)
        debounce_s = self._settings.debounce_ms / 1000
        end = time.monotonic() + _LONGEST_DEBOUNCES * debounce_s
        while self._hinted.is_set() and not self._again:
            rest = min(self._hint_at + debounce_s, end) - time.monotonic()
            if rest <= 0:
                break
            await asyncio.sleep(rest)
        self._hinted.clear()

    async def _look(self) -> None:
        """Read, unless nothing was touched since the last time, and offer what is new."""
        again, self._again = self._again, False
        try:
            touched = await asyncio.to_thread(fingerprint, self._settings.directory)
            if touched == self._fingerprint and not again:
                self._status = replace(self._status, checked_at_s=time.time())
                return
            snapshot = await self._settled()
            self._fingerprint = touched if snapshot is not None else ""
            if snapshot is None:
                self._refuse((self._restless(),))
            elif snapshot.findings:
                self._refuse(snapshot.findings)
            elif not snapshot.files:
                self._refuse((nothing_there(self._settings.directory),))
            else:
                await self._offer(snapshot, again)
        except InputError as error:
            self._refuse(error.findings)
        except ReconcilerError as error:
            self._fingerprint = ""
            self._refuse((Finding(error.code, Place(self._settings.directory), _with_cause(error)),))
        except OSError as error:
            self._fingerprint = ""
            self._refuse((Finding("unreadable", Place(self._settings.directory), str(error)),))

    async def _settled(self) -> Snapshot | None:
        """The content once two readings agree; None if it kept changing."""
        bounds = self._settings.bounds
        before = await asyncio.to_thread(read_directory, self._settings.directory, bounds)
        for look in range(_MOST_LOOKS):
            await asyncio.sleep(_SECOND_LOOK_S * (1 + look))
            now = await asyncio.to_thread(read_directory, self._settings.directory, bounds)
            if now.digest == before.digest:
                return now
            before = now
        return None

    async def _offer(self, snapshot: Snapshot, again: bool) -> None:
        """Make a commit of what is not in force, and say so; what was offered before is offered only on demand."""
        active = self._active()
        if active is not None and await asyncio.to_thread(self._files, active) == snapshot.files:
            self._offered = ""
            self._accept(active)
            return
        if not again and (offered := await asyncio.to_thread(self._offered_before, snapshot, active)) is not None:
            self._offered = snapshot.digest
            self._accept(offered)
            return
        commit = await asyncio.to_thread(self._commit, snapshot, active)
        self._offered = snapshot.digest
        self._accept(commit)
        self._on_commit(self.name, commit)

    def _files(self, commit: str) -> dict[str, bytes] | None:
        """The files of a commit, None when it has none at our path (it came from another source)."""
        if self._made is not None and self._made[0] == commit:
            return self._made[1]
        try:
            return self._repository.files(commit, self._settings.path)
        except InputError:
            return None

    def _offered_before(self, snapshot: Snapshot, active: str | None) -> str | None:
        """The commit by which this content was offered before, if it need not be offered again.

        That is so while it stays as it is, and, across restarts, when it was in force and something newer took its place: what an
        operator rolled back must not come back because the daemon was started again.
        """
        if self._made is not None:
            return self._made[0] if snapshot.digest == self._offered else None
        last = self._repository.reference(self._reference)
        if snapshot.digest == self._offered:
            return last
        superseded = last is not None and active is not None and self._repository.is_ancestor(last, active)
        return last if last is not None and superseded and self._files(last) == snapshot.files else None

    def _commit(self, snapshot: Snapshot, active: str | None) -> str:
        files = snapshot.files
        message = f"{self.name}: {_summary(files)}\n\nRead from {self._settings.directory}.\n"
        commit = self._repository.commit(
            files,
            message,
            reference=self._reference,
            parent=active,
            path=self._settings.path,
            author=self._settings.author,
            time_s=int(time.time()),
        )
        self._made = commit, files
        return commit

    def _accept(self, commit: str | None) -> None:
        failed = self._status.state is SourceState.FAILED
        self._status = SourceStatus(self.name, self.kind, SourceState.OK, commit, time.time())
        if failed:
            self._on_finding(self.name, ())

    def _refuse(self, findings: tuple[Finding, ...]) -> None:
        news = findings != self._status.findings
        self._offered = ""
        self._status = replace(
            self._status,
            state=SourceState.FAILED,
            checked_at_s=time.time(),
            error=findings[0].text,
            findings=findings,
        )
        if news:
            self._on_finding(self.name, findings)

    def _restless(self) -> Finding:
        place = Place(self._settings.directory)
        return Finding("still-changing", place, "the files keep changing while they are read", "", Severity.WARNING)


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
        """A hint, from the observer's thread."""
        with contextlib.suppress(RuntimeError):  # The loop is closed: nobody is interested any more.
            self._loop.call_soon_threadsafe(self._hint)


def _summary(files: dict[str, bytes]) -> str:
    names = sorted(files)
    if len(names) <= 3:
        return ", ".join(names) or "empty"
    return f"{len(names)} files"


def _with_cause(error: ReconcilerError) -> str:
    return f"{error}: {error.__cause__}" if error.__cause__ is not None else str(error)
