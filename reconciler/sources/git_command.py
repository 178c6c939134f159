"""Running git: one program, its arguments as a list, an environment that no user's or system's settings reach.

Values from outside are never options: references and addresses are checked, and stand after `--end-of-options`. What git prints is
read up to a bound, what it may use of the machine is limited, and when it has to end it is told so before it is killed: a git that
is killed leaves its locks behind.
Source: git(1); gitprotocol-common(5); setrlimit(2).
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import resource
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping
from typing import NamedTuple

from reconciler.errors import ReconcilerError, Remedy

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REFERENCE = re.compile(r"refs/[A-Za-z0-9_][A-Za-z0-9_./-]{0,200}")
_TIMEOUT_S = 30.0
_GRACE_S = 2.0
"""How long git has to clear up after it was told to end."""
MOST_PRINTED_BYTES = 256 * 1024 * 1024
_MOST_ERROR_BYTES = 64 * 1024
_MEMORY_BYTES = 2 * 1024 * 1024 * 1024
_CPU_S = 600
_OOM_SCORE = 800
"""What helps this node ends before what it cares for when memory runs out."""
_AT_ONCE = 64 * 1024
SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.fsync=all",
    "core.fsyncMethod=batch",
    "core.packedGitWindowSize=16m",
    "core.packedGitLimit=256m",
    "core.bigFileThreshold=16m",
    "core.deltaBaseCacheLimit=32m",
    "pack.threads=1",
    "pack.windowMemory=256m",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.version=2",
    "advice.graftFileDeprecated=false",
)
"""Given with every command: no program of the repository's choice runs, what is written survives a loss of power, memory is bounded."""


class GitError(ReconcilerError):
    """A git command failed or did not end in time; what it said is the text."""

    remedy = Remedy.RETRY
    code = "git"


class TooMuchError(GitError):
    """A git command printed more than was asked for, and was ended; nothing of it was used."""

    code = "too-large"


class DamagedError(GitError):
    """What lies in a repository is not what was put there."""

    code = "damaged-repository"


class IncompleteError(DamagedError):
    """A commit is in a repository, but not all that it holds where it was read."""

    code = "incomplete-repository"


class MissingObjectError(GitError):
    """An object is not in the repository."""

    code = "missing-object"


class GitResult(NamedTuple):
    """How a command ended: its exit code, what it printed and what it said on standard error."""

    code: int
    output: bytes
    errors: bytes


_NO_ROOM = re.compile(rb"No space left on device|Out of diskspace|Disk quota exceeded")
_DAMAGE = re.compile(
    rb"is corrupt|corrupt or missing|inflate: |(unable to|cannot) (unpack|parse)|index file \S+ is (too small|garbage)|is empty$"
    rb"|mismatch|missing object \S+ for refs/|invalid sha1 pointer|garbage at end of|is truncated",
    re.MULTILINE,
)
"""What git says of a repository that is damaged."""
_MISSING = re.compile(
    rb"^(error|fatal): (Could not read [0-9a-f]{40}|not a tree object|bad tree object|Can't load tree|missing blob object"
    rb"|unable to read [0-9a-f]{40}|unable to read tree|pack has [0-9]+ unresolved delta"
    rb"|did not receive expected object|Failed to traverse parents)",
    re.MULTILINE,
)
"""What git says when an object is not there that another one names."""


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
    most_bytes: int = MOST_PRINTED_BYTES,
) -> bytes:
    """What a command prints.

    **Raises** GitError when it fails or does not end in time (DamagedError and MissingObjectError when it says that this is why),
    TooMuchError as soon as it prints more than `most_bytes`.
    """
    result = git_result(
        repository, *words, given=given, timeout_s=timeout_s, environment=environment, most_bytes=most_bytes
    )
    if result.code != 0:
        raise failure(repository, words, result)
    return result.output


def git_result(
    repository: str,
    *words: str,
    given: bytes = b"",
    timeout_s: float = _TIMEOUT_S,
    environment: Mapping[str, str] | None = None,
    most_bytes: int = MOST_PRINTED_BYTES,
) -> GitResult:
    """How a command ended, be it well or not.

    **Raises** GitError when it can't be started or does not end in time, TooMuchError as soon as it prints more than `most_bytes`.
    """
    process = start_git(repository, *words, environment=environment)
    try:
        output, errors = _exchange(
            process, command_of(words), given, time.monotonic() + timeout_s, most_bytes, timeout_s
        )
    except BaseException:
        end_git(process)
        raise
    return GitResult(process.returncode, output, errors)


def failure(repository: str, words: tuple[str, ...], result: GitResult) -> GitError:
    """The error that a command which failed stands for, by what it said."""
    why = said(result.errors) or f"exit code {result.code}"
    if not os.path.exists(os.path.join(repository, "HEAD")):
        why = _gone(repository)
    elif _NO_ROOM.search(result.errors):
        why = f"{why} (make room in {repository})"
    kind = GitError
    if _DAMAGE.search(result.errors):
        kind = DamagedError
    elif _MISSING.search(result.errors):
        kind = MissingObjectError
    return kind(f"git {command_of(words)}: {why}")


def unwritten(repository: str, what: str, error: OSError) -> GitError:
    """The error that something could not be written into a repository by this process itself."""
    why = error.strerror or str(error)
    if not os.path.exists(os.path.join(repository, "HEAD")):
        why = _gone(repository)
    elif error.errno in (errno.ENOSPC, errno.EDQUOT):
        why = f"{why} (make room in {repository})"
    return GitError(f"{what}: {why}")


def _gone(repository: str) -> str:
    return f"there is no repository {repository} any more; a start of the node makes another one"


def command_of(words: tuple[str, ...]) -> str:
    """The name of the command in its words, which may begin with settings."""
    rest = iter(words)
    for word in rest:
        if word != "-c":
            return word
        next(rest, None)
    return "git"


def start_git(repository: str, *words: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """A running command with pipes to it and from it, its process group its own. **Raises** GitError when it can't be started."""
    try:
        process = subprocess.Popen(
            git_argv(repository, *words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment or git_environment()),
            cwd="/",
            process_group=0,
        )
    except OSError as error:
        raise GitError("start git") from error
    limit_process(process.pid, _MEMORY_BYTES, _CPU_S)
    return process


def limit_process(pid: int, memory_bytes: int, cpu_s: int) -> None:
    """Bound what a child, and what it starts from now on, may use; let the kernel choose it first when memory runs out."""
    with contextlib.suppress(OSError, ValueError):  # It has ended, or its limits are stricter already.
        resource.prlimit(pid, resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        resource.prlimit(pid, resource.RLIMIT_CPU, (cpu_s, cpu_s + 5))
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError), open(f"/proc/{pid}/oom_score_adj", "w", encoding="ascii") as file:
        file.write(str(_OOM_SCORE))


def end_git(process: subprocess.Popen[bytes]) -> None:
    """End a command with all that it started: told to first, so that it takes its locks and half-written files away, then killed."""
    for number, grace_s in ((signal.SIGTERM, _GRACE_S), (signal.SIGKILL, None)):
        if process.returncode is not None:
            break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace_s)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _exchange(
    process: subprocess.Popen[bytes], command: str, given: bytes, end_s: float, most_bytes: int, timeout_s: float
) -> tuple[bytes, bytes]:
    """Feed a running command, read what it prints within the bounds, and wait for its end. **Raises** GitError."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    output, errors = bytearray(), bytearray()
    waiting = memoryview(given)
    with selectors.DefaultSelector() as selector:
        for pipe in (process.stdout, process.stderr):
            selector.register(pipe, selectors.EVENT_READ)
        if given:
            os.set_blocking(process.stdin.fileno(), False)
            selector.register(process.stdin, selectors.EVENT_WRITE)
        else:
            process.stdin.close()
        while selector.get_map():
            ready = selector.select(max(0.0, end_s - time.monotonic()))
            if not ready and time.monotonic() >= end_s:
                raise GitError(f"git {command} did not end within {timeout_s:g} s")
            for key, _ in ready:
                if key.fileobj is process.stdin:
                    waiting = _feed(process.stdin.fileno(), waiting)
                    if not waiting:
                        selector.unregister(process.stdin)
                        process.stdin.close()
                elif not (part := os.read(key.fd, _AT_ONCE)):
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stdout:
                    output += part
                    if len(output) > most_bytes:
                        raise TooMuchError(f"git {command} printed more than {most_bytes} bytes")
                else:
                    errors += part[: _MOST_ERROR_BYTES - len(errors)]
    process.stdout.close()
    process.stderr.close()
    try:
        process.wait(max(0.1, end_s - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise GitError(f"git {command} did not end within {timeout_s:g} s") from None
    return bytes(output), bytes(errors)


def _feed(descriptor: int, waiting: memoryview) -> memoryview:
    """What is left to write after as much as goes was written; nothing when nobody reads it any more."""
    try:
        return waiting[os.write(descriptor, waiting[:_AT_ONCE]) :]
    except BlockingIOError:
        return waiting
    except BrokenPipeError:
        return waiting[:0]


def said(errors: bytes) -> str:
    """The last words of a command that failed, as one line of at most 500 printable characters."""
    lines = [line.strip() for line in errors.decode("utf-8", "replace").split("\n") if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "ssh:"))] or lines
    return plain_line("; ".join(telling))[:500]


def plain_line(text: str) -> str:
    """A text that others wrote as one line: any white space is a space, what can't be printed the replacement character."""
    return "".join(map(_plain, text))


def _plain(char: str) -> str:
    if char.isprintable():
        return char
    return " " if char.isspace() else "\N{REPLACEMENT CHARACTER}"


def checked_commit(text: str) -> str:
    """The text, if it is a full commit id. **Raises** GitError."""
    if not _COMMIT.fullmatch(text):
        raise GitError(f"'{plain_line(text[:80])}' is no commit id")
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
        raise GitError(f"'{plain_line(text[:80])}' is no reference name")
    return text
