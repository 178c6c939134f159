"""Roles a resource can have, in Pacemaker's order, and kinds of resources in the order used for sorting."""

from __future__ import annotations

import enum


class Role(enum.IntEnum):
    """What an instance is doing; comparing roles means comparing how much it does."""

    UNKNOWN = 0
    STOPPED = 1
    STARTED = 2
    UNPROMOTED = 3
    PROMOTED = 4

    def __str__(self) -> str:
        return self.name.capitalize()


ROLE_WORDS = {
    "stopped": Role.STOPPED,
    "started": Role.STARTED,
    "unpromoted": Role.UNPROMOTED,
    "slave": Role.UNPROMOTED,
    "promoted": Role.PROMOTED,
    "master": Role.PROMOTED,
}
"""Role words in lower case, with the legacy spellings."""


class Kind(enum.IntEnum):
    """Kinds of resources; a greater kind is sorted before a lesser one."""

    PRIMITIVE = 0
    GROUP = 1
    CLONE = 2
    BUNDLE = 3
