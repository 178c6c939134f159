"""Directories that belong to one daemon: locked from the start to the end of the process, whatever ends it."""

from __future__ import annotations

import contextlib
import fcntl
import os

from reconciler.errors import ReconcilerError, Remedy


class LockError(ReconcilerError):
    """A directory can't be used; nothing in it was changed."""

    code = "directory"
    remedy = Remedy.STOP


class BusyError(LockError):
    """Another daemon uses the directory."""

    code = "busy"


def lock(path: str, what: str) -> int:
    """Take the lock that a file stands for, and make its directory if it is not there; whoever closes the descriptor gives it back.

    The file names the process that holds it. Raises BusyError, and LockError when the file can't be made; both with the path.
    """
    directory = os.path.dirname(path)
    try:
        os.makedirs(directory, mode=0o755, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise LockError(f"use the {what} {directory}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise BusyError(
            f"another daemon{f' (process {holder})' if holder.isdecimal() else ''} uses the {what} {directory}"
        ) from error
    with contextlib.suppress(OSError):  # On a full disk the lock holds all the same.
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
    return descriptor
