"""Whose word a file is: what leads to root's actions must be changeable only by root, by us, or by those who may change things here.

As with ssh's own files, a directory on the way to a file counts like the file: who may rename there may put another file in its place.
Source: sshd_config(5), "StrictModes"; unlink(2), on sticky directories.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from reconciler.frozen import frozen


@frozen
class Trusted:
    """Users and groups, by number, who may change a file beside root and our own user with its group."""

    users: frozenset[int] = frozenset()
    groups: frozenset[int] = frozenset()


NOBODY_ELSE = Trusted()


def distrust(path: str, trusted: Trusted = NOBODY_ELSE, *, if_made: bool = False) -> str | None:
    """Why somebody else could change what is at a path, or put something else there; None when nobody could.

    Symbolic links are followed, and what they go through counts. A path that is not there is nobody's; with `if_made` it is what those
    can make of it who may write to the directory where it would be. What can't be looked at is not trusted.
    """
    real = os.path.realpath(path)
    above: tuple[str, os.stat_result] | None = None
    for one in _way(path):
        try:
            facts = os.lstat(one)
        except (FileNotFoundError, NotADirectoryError):
            return None if above is None or not if_made else _named(above[0], distrusted(above[1], trusted))
        except OSError as error:
            return f"{one} can't be looked at: {error.strerror}"
        if stat.S_ISLNK(facts.st_mode):
            # Its own mode means nothing; who owns it may not change where it leads without changing the directory.
            continue
        if (why := distrusted(facts, trusted, itself=one == real)) is not None:
            return _named(one, why)
        above = one, facts
    return None


def _named(path: str, why: str | None) -> str | None:
    return None if why is None else f"{path} {why}"


def distrusted(facts: os.stat_result, trusted: Trusted = NOBODY_ELSE, *, itself: bool = True) -> str | None:
    """What is wrong with the owner or the mode of a file or directory; of one on the way (not `itself`) being sticky is enough."""
    if facts.st_uid not in (0, os.geteuid()) and facts.st_uid not in trusted.users:
        return f"belongs to the user {facts.st_uid}"
    if stat.S_ISDIR(facts.st_mode) and facts.st_mode & stat.S_ISVTX and not itself:
        return None
    if facts.st_mode & stat.S_IWOTH:
        return "can be written by everybody"
    if facts.st_mode & stat.S_IWGRP and facts.st_gid not in (0, os.getegid()) and facts.st_gid not in trusted.groups:
        return f"can be written by the group {facts.st_gid}"
    return None


def _way(path: str) -> Iterator[str]:
    """The directories from the root to a path and the path, once as it is named and once where it really is."""
    seen: set[str] = set()
    for one in (os.path.abspath(path), os.path.realpath(path)):
        parts = [part for part in one.split("/") if part]
        for length in range(len(parts) + 1):
            place = "/" + "/".join(parts[:length])
            if place not in seen:
                seen.add(place)
                yield place
