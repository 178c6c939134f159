"""A branch of a remote git repository as a source: polled, and fetched at once when asked to.

The work is done by a child process for each look (`git_sync`); here is only when, and what its answer means.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
import time

from reconciler.errors import Finding, Place
from reconciler.frozen import field, frozen, replace
from reconciler.sources.bounds import Bounds
from reconciler.sources.git_request import Credentials, GitAnswer, GitRequest
from reconciler.sources.repository import Repository
from reconciler.sources.source import ActiveCommit, OnCommit, OnFinding, SourceState, SourceStatus

_OVERTIME_S = 15.0
"""How much longer than a fetch may take the child is given for its checks, before it is killed."""
_MOST_ERROR_CHARACTERS = 500


@frozen
class GitSettings:
    """What the node's configuration says about a git source.

    `path` is the directory inside the repository. The time between two looks is `poll_s`, more or less by the share `jitter`, which
    `seed` makes the node's own. `signatures` is none, tip or all; `history` is continue or rewrite. `local_urls` permits
    repositories on this machine.
    """

    name: str
    url: str
    reference: str = "main"
    path: str = "cluster.d"
    poll_s: float = 60.0
    jitter: float = 0.2
    seed: int = 0
    timeout_s: float = 60.0
    signatures: str = "none"
    allowed_signers_file: str | None = None
    history: str = "continue"
    depth: int = 0
    local_urls: bool = False
    most_pack_bytes: int = 1024 * 1024 * 1024
    credentials: Credentials = field(default_factory=Credentials)
    bounds: Bounds = field(default_factory=Bounds)


class GitSource:
    """Follows one reference of one remote repository."""

    kind = "git"

    def __init__(
        self,
        settings: GitSettings,
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
        self._asked = asyncio.Event()
        self._chance = random.Random(settings.seed)
        self._offered: str | None = None

    def status(self) -> SourceStatus:
        """How it stands now."""
        return self._status

    def fetch_now(self) -> None:
        """Look at once, and offer what is there even if it was offered before."""
        self._asked.set()

    async def run(self) -> None:
        """Look now, after each pause and whenever asked to, until cancelled."""
        again = False
        while True:
            self._take(await self._synchronise(), again)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), self._pause_s())
            again = self._asked.is_set()
            self._asked.clear()

    def _pause_s(self) -> float:
        """Not all nodes at the same moment."""
        share = self._settings.jitter
        return max(1.0, self._settings.poll_s * self._chance.uniform(1 - share, 1 + share))

    def _take(self, answer: GitAnswer, again: bool) -> None:
        if answer.commit is None or answer.findings:
            self._refuse(answer.findings)
            return
        failed = self._status.state is SourceState.FAILED
        self._status = SourceStatus(self.name, self.kind, SourceState.OK, answer.commit, time.time())
        if failed:
            self._on_finding(self.name, ())
        if not answer.contained and (again or answer.commit != self._offered):
            self._on_commit(self.name, answer.commit)
        self._offered = answer.commit

    def _refuse(self, findings: tuple[Finding, ...]) -> None:
        news = findings != self._status.findings
        error = findings[0].text if findings else "no answer"
        self._status = replace(
            self._status, state=SourceState.FAILED, checked_at_s=time.time(), error=error, findings=findings
        )
        if news:
            self._on_finding(self.name, findings)

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
            await _end(child)
        if child.returncode != 0:
            return self._failed(f"the synchronisation failed: {_last_words(errors)}")
        try:
            return GitAnswer.from_json(output)
        except ValueError as error:
            return self._failed(f"the synchronisation answered nonsense: {error}")

    def _request(self) -> GitRequest:
        settings = self._settings
        return GitRequest(
            source=settings.name,
            repository=self._repository.path,
            url=settings.url,
            reference=settings.reference,
            path=settings.path,
            active=self._active(),
            signatures=settings.signatures,
            allowed_signers_file=settings.allowed_signers_file,
            rewrite=settings.history == "rewrite",
            depth=settings.depth,
            timeout_s=settings.timeout_s,
            most_pack_bytes=settings.most_pack_bytes,
            most_files=settings.bounds.files,
            most_file_bytes=settings.bounds.file_bytes,
            most_total_bytes=settings.bounds.total_bytes,
            local_urls=settings.local_urls,
            credentials=settings.credentials,
        )

    def _failed(self, text: str) -> GitAnswer:
        return GitAnswer(findings=(Finding("git", Place(""), text),))


async def _end(child: asyncio.subprocess.Process) -> None:
    """Kill a child that still runs, with the git and ssh that it started; one that has ended may have lent its number to another."""
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        await child.wait()


def _child_environment() -> dict[str, str]:
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _last_words(errors: bytes) -> str:
    lines = errors.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:_MOST_ERROR_CHARACTERS] if lines else "it said nothing"
