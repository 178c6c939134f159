"""Directories that belong to one daemon: locked from the start to the end of the process, whatever ends it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from reconciler.errors import ReconcilerError, Remedy
from reconciler.ownership import distrust

_COMMANDS = "commands"
_DEEPEST = 3


class LockError(ReconcilerError):
    """A directory can't be used; nothing in it was changed."""

    code = "directory"
    remedy = Remedy.STOP


class BusyError(LockError):
    """Another daemon uses the directory."""

    code = "busy"


class UnsafeOwnerError(LockError):
    """Somebody else could put into the directory what root then runs or believes."""

    code = "unsafe-owner"


def check_owner(directory: str, what: str) -> None:
    """**Raises** UnsafeOwnerError when a directory, one on the way to it, or a program of ours in it could be changed by others.

    One that is not there yet is made by us.
    """
    ours = [directory, *_programs(directory)]
    for path in ours:
        if (why := distrust(path)) is not None:
            hint = "who may change it can become root: give it to root, and take the right to write from all others"
            raise UnsafeOwnerError(f"the {what} can't be trusted: {why} ({hint})")


def _programs(directory: str) -> Iterator[str]:
    """What was left where we put the commands that agents call: its name may be that of any program."""
    for below, directories, names in os.walk(directory):
        if below.count(os.sep) - directory.count(os.sep) >= _DEEPEST:
            directories.clear()
        if os.path.basename(below) == _COMMANDS:
            yield from (os.path.join(below, name) for name in [".", *names])


def lock(path: str, what: str) -> int:
    """Take the lock that a file stands for, and make its directory if it is not there; whoever closes the descriptor gives it back.

    The file names the process that holds it. Raises BusyError, and LockError when the file can't be made or locked; both with the path.
    """
    directory = os.path.dirname(path)
    try:
        os.makedirs(directory, mode=0o755, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise LockError(f"use the {what} {directory}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise BusyError(
            f"another daemon{f' (process {holder})' if holder.isdecimal() else ''} uses the {what} {directory}"
        ) from None
    except OSError as error:
        os.close(descriptor)
        raise LockError(f"lock the {what} {directory}") from error
    with contextlib.suppress(OSError):  # On a full disk the lock holds all the same.
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
    return descriptor
