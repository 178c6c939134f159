"""Who may change what leads to root: a file, and every directory on the way to it, as ssh looks at its own.

Source: ssh(1), "StrictModes"; path_resolution(7).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator


def others_may_change(path: str) -> str | None:
    """Why somebody other than root and our own user may change or exchange what is at a path; None when nobody may.

    Links are followed, and both the way to the link and to its target count. A path that is not there can be made by who may write to
    the directory where it would be. Raises OSError when it can't be looked at.
    """
    missing = True  # What is looked at first, and what is above something that is not there yet, lets others make it.
    for part in _ways(path):
        try:
            facts = os.lstat(part)
        except FileNotFoundError:
            missing = True
            continue
        first, missing = missing, False
        if stat.S_ISLNK(facts.st_mode):
            continue  # Its own mode says nothing; who may exchange it is said by its directory.
        if facts.st_uid not in (0, os.geteuid()):
            return f"{part} belongs to user {facts.st_uid}"
        # Where only owners may remove and rename (/tmp), what is ours stays ours.
        sticky = stat.S_ISDIR(facts.st_mode) and facts.st_mode & stat.S_ISVTX and not first
        if facts.st_mode & stat.S_IWOTH and not sticky:
            return f"{part} may be written by everybody"
        if facts.st_mode & stat.S_IWGRP and facts.st_gid not in (0, os.getegid()) and not sticky:
            return f"{part} may be written by group {facts.st_gid}"
    return None


def _ways(path: str) -> Iterator[str]:
    """The path and all directories above it, and the same for what it really is."""
    seen: set[str] = set()
    for way in (os.path.abspath(path), os.path.realpath(path)):
        while way not in seen:
            seen.add(way)
            yield way
            way = os.path.dirname(way)
