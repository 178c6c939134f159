"""A branch of a remote git repository as a source: polled, and fetched at once when asked to.

The work is done by a child process for each look (`git_sync`); here is only when, and the taking over of what it found good.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable

from reconciler.controller.admission import Relation, Tip
from reconciler.errors import Finding, Place, ReconcilerError, Severity
from reconciler.frozen import field, frozen
from reconciler.sources.ancestry import relation
from reconciler.sources.bounds import TreeBounds
from reconciler.sources.git_command import DamagedError, IncompleteError, MissingObjectError
from reconciler.sources.git_request import Credentials, GitAnswer, GitRequest
from reconciler.sources.repository import INCOMING, Repository
from reconciler.sources.signatures import SignaturePolicy, fingerprint
from reconciler.sources.source import InForce, OnChange, OnTip, SourceStatus, StandingOf, StatusReport, keep_going

_OVERTIME_S = 30.0
"""How much longer than two fetches may take the child is given for its checks, before it is ended."""
_GRACE_S = 5.0
_LOOK_ANYWAY_S = 3600.0
"""After this time what was refused is fetched again, though neither it nor the policy has changed."""
_DAY_S = 86_400.0
_MOST_ERROR_CHARACTERS = 500


@frozen
class GitSettings:
    """What the node's configuration says about a git source.

    `path` is the directory inside the repository. The time between two looks is `poll_s`, more or less by the share `jitter`, which
    `seed` makes the node's own. `rewrite` lets the branch leave the line of what was active. When the newest commit is older than
    `fresh_s`, that is told. `local_urls` permits repositories on this machine.
    """

    name: str
    url: str
    reference: str = "main"
    path: str = "cluster.d"
    poll_s: float = 60.0
    jitter: float = 0.2
    seed: int = 0
    timeout_s: float = 60.0
    signatures: SignaturePolicy = field(default_factory=SignaturePolicy)
    rewrite: bool = False
    fresh_s: float | None = None
    depth: int = 0
    local_urls: bool = False
    most_pack_bytes: int = 1024 * 1024 * 1024
    credentials: Credentials = field(default_factory=Credentials)
    bounds: TreeBounds = field(default_factory=TreeBounds)


class GitSource:
    """Follows one reference of one remote repository."""

    kind = "git"

    def __init__(
        self,
        settings: GitSettings,
        repository: Repository,
        standing: StandingOf,
        on_tip: OnTip,
        on_change: OnChange,
        vouch: Callable[[str, SignaturePolicy], None] = lambda *_: None,
        expect: Callable[[], None] = lambda: None,
    ) -> None:
        """`vouch` is told of a commit whose signatures were found good by a policy, `expect` that a new one is about to come."""
        self.name = settings.name
        self._settings = settings
        self._repository = repository
        self._incoming = os.path.join(repository.path, INCOMING, f"{settings.name}.git")
        self._standing = standing
        self._on_tip = on_tip
        self._vouch = vouch
        self._expect = expect
        self._report = StatusReport(settings.name, self.kind, on_change)
        self._woken = asyncio.Event()
        self._asked = False
        self._chance = random.Random(settings.seed)
        self._commit: str | None = None
        self._looked_after: str | None = None
        """Which commit of this branch was in force last, when it was looked at."""
        self._outdated = False
        self._refused: tuple[str, str, float] | None = None
        """A tip that was refused, the policy by which it was, and when."""

    def status(self) -> SourceStatus:
        """How it stands now."""
        return self._report.status

    def fetch_now(self) -> None:
        """Look at once, and say that somebody wants what is there judged again."""
        self._asked, self._refused = True, None
        self._woken.set()

    def look(self) -> None:
        """Say anew how the newest commit stands to what is in force."""
        self._woken.set()

    def answered(self, commit: str, findings: tuple[Finding, ...]) -> None:
        """Be told why a commit can't follow what is in force."""
        self._report.answered(commit, findings)

    async def run(self) -> None:
        """Look now, after each pause and whenever asked to, until cancelled."""
        await keep_going(self._follow, self._report)

    async def _follow(self) -> None:
        while True:
            asked, self._asked, self._outdated = self._asked, False, False
            self._woken.clear()
            await self._take(await self._synchronise(), asked)
            end = time.monotonic() + self._pause_s()
            while (rest_s := end - time.monotonic()) > 0 and not (self._asked or self._outdated):
                # Not `wait_for`: before Python 3.12 it loses a cancellation that comes with what was waited for.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(rest_s):
                        await self._woken.wait()
                if self._woken.is_set() and not self._asked:
                    self._woken.clear()
                    await self._tell(asked=False)

    def _pause_s(self) -> float:
        """Not all nodes at the same moment."""
        share = self._settings.jitter
        return max(1.0, self._settings.poll_s * self._chance.uniform(1 - share, 1 + share))

    async def _take(self, answer: GitAnswer, asked: bool) -> None:
        """Take over what the child found good, and say which commit is the newest."""
        if answer.unchanged:
            self._report.looked()
            return
        if answer.commit is None or answer.findings:
            codes = {finding.code for finding in answer.findings}
            if codes & {DamagedError.code, IncompleteError.code, MissingObjectError.code}:
                self._repository.suspect(incomplete=IncompleteError.code in codes)
            if answer.tip is not None:
                self._refused = answer.tip, fingerprint(self._settings.signatures), time.monotonic()
            self._report.failed(answer.findings)
            return
        self._refused = None
        if answer.commit != self._commit:
            self._expect()
        try:
            await asyncio.to_thread(self._adopt, answer.commit)
        except ReconcilerError as error:
            self._report.failed((Finding(error.code, Place(""), _with_cause(error)),))
            return
        self._commit = answer.commit
        if answer.signer is not None:
            self._vouch(answer.commit, self._settings.signatures)
        await self._tell(asked=asked)

    def _adopt(self, commit: str) -> None:
        self._repository.adopt(self._incoming)
        self._repository.set_reference(f"refs/reconciler/candidate/{self.name}", commit)

    async def _tell(self, *, asked: bool) -> None:
        """Report the newest commit with how it stands to what is in force."""
        if self._commit is None:
            return
        try:
            tip, stale = await asyncio.to_thread(self._compare, self._commit, self._standing(), asked)
        except ReconcilerError as error:
            self._report.failed((Finding(error.code, Place(""), _with_cause(error)),))
            return
        if tip.to_lineage is Relation.BEHIND and tip.lineage != self._looked_after:
            # Another member has seen more since: whether the branch went back shows when it is looked at again.
            self._outdated, self._asked = True, self._asked or asked
            self._woken.set()
            return
        self._report.seen(tip.commit, stale)
        self._on_tip(tip)

    def _compare(self, commit: str, standing: InForce, asked: bool) -> tuple[Tip, tuple[Finding, ...]]:
        repository, facts = self._repository, self._repository.facts(commit)
        tip = Tip(
            source=self.name,
            commit=commit,
            subject=facts.subject,
            active=standing.active,
            to_active=relation(repository, commit, standing.active),
            lineage=standing.lineage,
            to_lineage=relation(repository, commit, standing.lineage),
            content=commit,
            may_rewrite=self._settings.rewrite,
            asked=asked,
        )
        return tip, self._stale(facts.time_s)

    def _stale(self, time_s: int) -> tuple[Finding, ...]:
        """A remote that always says the same may be out of date, or kept so."""
        age_s = time.time() - time_s
        if self._settings.fresh_s is None or age_s <= self._settings.fresh_s:
            return ()
        text = f"the newest commit is {_span(age_s)} old; one was expected every {_span(self._settings.fresh_s)}"
        hint = "see whether the remote is still the one that is pushed to"
        return (Finding("stale-source", Place(""), text, hint, Severity.WARNING),)

    async def _synchronise(self) -> GitAnswer:
        """The child's answer, or a finding about its failure."""
        try:
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-m", "reconciler.sources.git_sync"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=_child_environment(),
                cwd="/",
                process_group=0,
            )
        except OSError as error:
            return self._failed(f"start the synchronisation: {error.strerror}")
        limit_s = 2 * self._settings.timeout_s + _OVERTIME_S
        try:
            async with asyncio.timeout(limit_s):
                output, errors = await child.communicate(self._request().to_json())
        except TimeoutError:
            return self._failed(f"the synchronisation did not end within {limit_s:g} s")
        finally:
            await self._end(child)
        if child.returncode != 0:
            return self._failed(f"the synchronisation failed: {_last_words(errors)}")
        try:
            return GitAnswer.from_json(output)
        except ValueError as error:
            return self._failed(f"the synchronisation answered nonsense: {error}")

    async def _end(self, child: asyncio.subprocess.Process) -> None:
        """End a child that still runs: told to, so that it ends its git and ssh, then killed; what it had fetched goes."""
        if child.returncode is not None:
            return
        for number, grace_s in ((signal.SIGTERM, _GRACE_S), (signal.SIGKILL, None)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await child.wait()
                break
        shutil.rmtree(self._incoming, ignore_errors=True)

    def _request(self) -> GitRequest:
        settings, standing = self._settings, self._standing()
        self._looked_after = standing.lineage
        known = dict.fromkeys(filter(None, (standing.active, standing.lineage, self._commit)))
        return GitRequest(
            source=settings.name,
            repository=self._repository.path,
            incoming=self._incoming,
            url=settings.url,
            reference=settings.reference,
            path=settings.path,
            known=tuple(known),
            let_in=tuple(dict.fromkeys(filter(None, (standing.active, standing.lineage)))),
            refused=self._still_refused(),
            signatures=settings.signatures,
            depth=settings.depth,
            timeout_s=settings.timeout_s,
            most_pack_bytes=settings.most_pack_bytes,
            most_files=settings.bounds.files,
            most_file_bytes=settings.bounds.file_bytes,
            most_total_bytes=settings.bounds.total_bytes,
            local_urls=settings.local_urls,
            credentials=settings.credentials,
        )

    def _still_refused(self) -> str | None:
        """The tip that was refused, as long as it would be again."""
        if self._refused is None:
            return None
        tip, policy, at_s = self._refused
        same = policy == fingerprint(self._settings.signatures) and time.monotonic() - at_s < _LOOK_ANYWAY_S
        return tip if same else None

    def _failed(self, text: str) -> GitAnswer:
        return GitAnswer(findings=(Finding("git", Place(""), text),))


def _child_environment() -> dict[str, str]:
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _with_cause(error: ReconcilerError) -> str:
    return f"{error}: {error.__cause__}" if error.__cause__ is not None else str(error)


def _last_words(errors: bytes) -> str:
    lines = errors.decode("utf-8", "replace").strip().split("\n")
    return lines[-1][:_MOST_ERROR_CHARACTERS] if lines[-1] else "it said nothing"


def _span(seconds: float) -> str:
    for size, unit in ((_DAY_S, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
