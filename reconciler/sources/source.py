"""What every source is to the daemon: a task to run, a state to show, and two callbacks."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Protocol

from reconciler.errors import Finding
from reconciler.frozen import frozen

OnCommit = Callable[[str, str], None]
"""`on_commit(source, commit)`: there is a version that is not yet in force; it is in the node's repository."""

OnFinding = Callable[[str, tuple[Finding, ...]], None]
"""`on_finding(source, findings)`: why the source gives no version now; empty when what was wrong no longer is."""

ActiveCommit = Callable[[], str | None]
"""The commit in force now, None before the first."""


class SourceState(enum.Enum):
    """How a source stands."""

    WAITING = "waiting"
    OK = "ok"
    FAILED = "failed"


@frozen
class SourceStatus:
    """A source as `status` shows it; the time of the last look is in seconds since the epoch."""

    name: str
    kind: str
    state: SourceState = SourceState.WAITING
    commit: str | None = None
    checked_at_s: float | None = None
    error: str | None = None
    findings: tuple[Finding, ...] = ()


class Source(Protocol):
    """A place that configurations come from."""

    name: str

    async def run(self) -> None:
        """Watch until cancelled; raises nothing else."""

    def fetch_now(self) -> None:
        """Look again at once, and offer what is there even if it was offered before."""

    def status(self) -> SourceStatus:
        """How it stands now."""
