"""Repositories and work trees for one test."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from reconciler.sources.repository import Repository

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
