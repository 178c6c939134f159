"""What the kernel offers and Python's library does not: orphans of descendants, and word of files that change.

With the connection to corosync this is the only place that calls C by ctypes.
Source: prctl(2), inotify(7).
"""

from __future__ import annotations

import ctypes
import os

_PR_SET_CHILD_SUBREAPER = 36
_IN_MODIFY = 0x2
_libc = ctypes.CDLL(None, use_errno=True)


def adopt_orphans(wanted: bool = True) -> bool:
    """Become (or no longer be) the parent of every orphan among our descendants; False where the kernel refuses."""
    return bool(_libc.prctl(_PR_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0) == 0)


def open_watches() -> int:
    """A descriptor from which changes can be read without waiting; negative where there is none."""
    return int(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))


def add_watch(descriptor: int, path: str) -> int:
    """Watch a file for writes; the number of the watch, negative where it can't be watched."""
    return int(_libc.inotify_add_watch(descriptor, os.fsencode(path), _IN_MODIFY))


def remove_watch(descriptor: int, number: int) -> None:
    """Watch no more; one that is gone with its file is no error."""
    _libc.inotify_rm_watch(descriptor, number)
