"""Repositories and work trees for one test."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.controller.admission import LookAgain, Offer, Stray, Tip, admit
from reconciler.errors import Finding
from reconciler.sources.repository import Repository
from reconciler.sources.source import InForce, SourceState

GIT_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ops",
    "GIT_AUTHOR_EMAIL": "ops@example.org",
    "GIT_COMMITTER_NAME": "Ops",
    "GIT_COMMITTER_EMAIL": "ops@example.org",
    "GIT_ALLOW_PROTOCOL": "file",
}


class WorkTree:
    """A repository as an operator has it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *words: str) -> str:
        """Run a git command as the operator."""
        done = subprocess.run(
            ["git", *words], cwd=self.path, env=GIT_ENVIRONMENT, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def write(self, name: str, content: str | bytes) -> None:
        """Put a file into the work tree."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def commit(self, message: str = "change", *options: str) -> str:
        """Commit everything; the new commit's id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message, *options)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def work(tmp_path: Path) -> WorkTree:
    """An operator's repository."""
    return WorkTree(tmp_path / "work")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """The node's own bare repository."""
    return Repository(str(tmp_path / "node.git"))


class Followed:
    """A source with what it tells, answered by the table as a node answers it; tests set what is in force.

    `commits` are those that would be proposed, `findings` each news of what is wrong; none when nothing is any more.
    """

    def __init__(self) -> None:
        self.commits: list[str] = []
        self.tips: list[Tip] = []
        self.findings: list[tuple[Finding, ...]] = []
        self.activated: list[str] = []
        self.source: Any = None

    @property
    def active(self) -> str | None:
        return self.activated[-1] if self.activated else None

    @active.setter
    def active(self, commit: str) -> None:
        self.activated.append(commit)
        self.source.look()

    def standing(self) -> InForce:
        return InForce(self.active, next((one for one in reversed(self.activated) if one in self.commits), None))

    def on_tip(self, tip: Tip) -> None:
        self.tips.append(tip)
        match admit(tip, self.active, None, frozenset(), 0):
            case Offer():
                if tip.asked or tip.commit not in self.commits[-1:]:
                    self.commits.append(tip.commit)
            case LookAgain():
                self.source.look()
            case Stray(finding):
                self.source.answered(tip.commit, (finding,))
            case _:
                self.source.answered(tip.commit, ())

    def on_change(self, _name: str) -> None:
        failed = self.source.status().state is SourceState.FAILED
        if failed or self.findings:
            self.findings.append(self.source.status().findings)

    async def until(self, done: Callable[[], bool], seconds: float = 30) -> None:
        """Wait for something that has to happen."""
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, (self.source.status(), self.commits, self.findings)
            await asyncio.sleep(0.005)

    def tell(self, story: Callable[[Any], Awaitable[None]]) -> None:
        """Run the source while a story goes on."""

        async def go() -> None:
            task = asyncio.create_task(self.source.run())
            try:
                await story(self)
            finally:
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

        asyncio.run(go())
