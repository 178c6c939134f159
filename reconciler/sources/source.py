"""What every source is to the daemon: a task to run, a state to show, and a callback that is told which commit is its newest.

A source decides nothing: it says what it sees as often as it looks, and how that stands to what is in force; whether a commit may
follow is the controller's table (`controller/admission.py`).
"""

from __future__ import annotations

import asyncio
import enum
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from reconciler.controller.admission import Tip
from reconciler.errors import Finding, Place
from reconciler.frozen import frozen, replace
from reconciler.sources.git_command import plain_line

_PAUSE_S = 5.0
_LONGEST_PAUSE_S = 300.0
"""Between two tries of a source that failed with something that it should not have."""
_LONGEST_TEXT = 500
_MOST_FINDINGS = 100
"""A directory may hold ten thousand files that are none: what is wrong is shown in every status, and need not be shown for each."""


@frozen
class InForce:
    """What is in force now: the active commit, and the source's own last one that was active; None before the first."""

    active: str | None = None
    lineage: str | None = None


OnTip = Callable[[Tip], None]
"""`on_tip(tip)`: this is the source's newest commit; it is in the node's repository. Told at each look, also when it is an old one."""

OnChange = Callable[[str], None]
"""`on_change(source)`: the source's status is another one now."""

StandingOf = Callable[[], InForce]


class SourceState(enum.Enum):
    """How a source stands."""

    WAITING = "waiting"
    OK = "ok"
    FAILED = "failed"


@frozen
class SourceStatus:
    """A source as `status` shows it; the time of the last look is in seconds since the epoch.

    Findings of a source that is OK are warnings.
    """

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
        """Look again at once, and say that somebody wants what is there judged again."""

    def look(self) -> None:
        """Say anew how what was seen last stands to what is in force."""

    def answered(self, commit: str, findings: tuple[Finding, ...]) -> None:
        """Be told why a commit can't follow what is in force; no findings: it can, or need not."""

    def status(self) -> SourceStatus:
        """How it stands now."""


class StatusReport:
    """A source's status as it changes; `on_change` is told of news, not of each look."""

    def __init__(self, name: str, kind: str, on_change: OnChange) -> None:
        self.status = SourceStatus(name, kind)
        self._on_change = on_change
        self._answer: tuple[str, tuple[Finding, ...]] | None = None
        """Which commit can't follow, and why."""

    def seen(self, commit: str, warnings: tuple[Finding, ...] = ()) -> None:
        """A look found this commit, and nothing wrong with the source itself."""
        if self._answer is not None and self._answer[0] == commit:
            self.failed(self._answer[1], commit)
            return
        self._answer = None
        self._tell(replace(self.status, state=SourceState.OK, commit=commit, error=None, findings=warnings))

    def failed(self, findings: tuple[Finding, ...], commit: str | None = None) -> None:
        """A look came to nothing."""
        error = findings[0].text if findings else "no answer"
        status = replace(self.status, state=SourceState.FAILED, error=error, findings=_first(findings))
        self._tell(status if commit is None else replace(status, commit=commit))

    def looked(self) -> None:
        """A look found nothing new."""
        self.status = replace(self.status, checked_at_s=time.time())

    def answered(self, commit: str, findings: tuple[Finding, ...]) -> None:
        """The controller said whether the commit can follow."""
        if self.status.commit != commit or self.status.state is SourceState.WAITING:
            return
        if findings:
            self._answer = commit, findings
            self.failed(findings, commit)
        elif self._answer is not None:
            self._answer = None
            self.seen(commit)

    def _tell(self, status: SourceStatus) -> None:
        before, self.status = self.status, replace(status, checked_at_s=time.time())
        if replace(before, checked_at_s=None) != replace(status, checked_at_s=None):
            self._on_change(status.name)


async def keep_going(work: Callable[[], Awaitable[None]], report: StatusReport) -> None:
    """Do a source's work until cancelled. Whatever it meets (no thread, no memory, a fault of ours) is the source's trouble, not the
    node's: it is reported, and after a pause, each twice as long as the last, the source begins anew.
    """
    pause_s = _PAUSE_S
    while True:
        begun = time.monotonic()
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - the one net below the sources: a source may fail, the node not
            text = plain_line(f"the source failed: {type(error).__name__}: {error}")[:_LONGEST_TEXT]
            report.failed((Finding("source-failed", Place(""), text, "it begins anew by itself"),))
        if time.monotonic() - begun > _LONGEST_PAUSE_S:
            pause_s = _PAUSE_S
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _first(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The first ones, and how many there are more."""
    if len(findings) <= _MOST_FINDINGS:
        return findings
    more = Finding("more-findings", Place(""), f"{len(findings) - _MOST_FINDINGS:,} more were found")
    return (*findings[:_MOST_FINDINGS], more)
