"""Whether the program's files are still those that this process was loaded from.

An upgrade puts others in their place some time before it restarts the daemon. What is started from them meanwhile is of another
version than the daemon that talks to it.
"""

from __future__ import annotations

import os

from reconciler import version

TROUBLE = (
    "the program was replaced by another version while it runs: no commit is judged before this daemon is restarted"
)


def _identity() -> tuple[int, int, int] | None:
    try:
        found = os.stat(version.__file__)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns


_LOADED = _identity()


def replaced() -> bool:
    """Whether this process and what it would start from its own files may be of two versions."""
    return _identity() != _LOADED
