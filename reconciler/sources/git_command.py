"""Running git: one program, its arguments as a list, an environment that no user's or system's settings reach.

Values from outside are never options: references and addresses are checked, and stand after `--end-of-options`.
Source: git(1); gitprotocol-common(5).
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping

from reconciler.errors import ReconcilerError, Remedy

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REFERENCE = re.compile(r"refs/[A-Za-z0-9_][A-Za-z0-9_./-]{0,200}")
_TIMEOUT_S = 30.0
SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.fsync=all",
    "core.fsyncMethod=batch",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.version=2",
    "advice.graftFileDeprecated=false",
)
"""Given with every command: no program of the repository's choice runs, and what is written survives a loss of power."""


class GitError(ReconcilerError):
    """A git command failed or did not end in time; what it said is the text."""

    remedy = Remedy.RETRY
    code = "git"


def git_environment(protocols: str = "") -> dict[str, str]:
    """What git is started with; `protocols` are those that it may use to reach other repositories, none by default."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": protocols or "none",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
    }


def git_argv(repository: str, *words: str) -> list[str]:
    """The full command line of a command in a bare repository."""
    settings = [word for setting in SETTINGS for word in ("-c", setting)]
    return ["git", f"--git-dir={repository}", *settings, *words]


def run_git(
    repository: str,
    *words: str,
    given: bytes = b"",
    timeout_s: float = _TIMEOUT_S,
    environment: Mapping[str, str] | None = None,
) -> bytes:
    """What a command prints. **Raises** GitError when it fails."""
    return finish_git(start_git(repository, *words, environment=environment), words[0], given, timeout_s)


def start_git(repository: str, *words: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """A running command with pipes to it and from it. **Raises** GitError when git is not there."""
    try:
        return subprocess.Popen(
            git_argv(repository, *words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment or git_environment()),
            cwd="/",
        )
    except OSError as error:
        raise GitError("start git") from error


def finish_git(process: subprocess.Popen[bytes], command: str, given: bytes, timeout_s: float) -> bytes:
    """Feed a running command and wait for its end. **Raises** GitError."""
    try:
        output, errors = process.communicate(given, timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.communicate()
        raise GitError(f"git {command} did not end within {timeout_s:g} s") from error
    if process.returncode != 0:
        raise GitError(f"git {command}: {said(errors) or f'exit code {process.returncode}'}")
    return output


def said(errors: bytes) -> str:
    """The last words of a command that failed, as one line of at most 500 characters."""
    lines = [line.strip() for line in errors.decode("utf-8", "replace").splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "ssh:"))] or lines
    return "; ".join(telling)[:500]


def checked_commit(text: str) -> str:
    """The text, if it is a full commit id. **Raises** GitError."""
    if not _COMMIT.fullmatch(text):
        raise GitError(f"'{text[:80]}' is no commit id")
    return text


def checked_reference(text: str) -> str:
    """The text, if it is a full and harmless reference name. **Raises** GitError."""
    if (
        not _REFERENCE.fullmatch(text)
        or ".." in text
        or "//" in text
        or text.endswith((".lock", "/", "."))
        or "/." in text
    ):
        raise GitError(f"'{text[:80]}' is no reference name")
    return text


def is_executable_git() -> bool:
    """Whether git is installed where we look for it."""
    return any(os.access(os.path.join(place, "git"), os.X_OK) for place in git_environment()["PATH"].split(":"))
