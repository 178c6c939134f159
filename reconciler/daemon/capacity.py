"""How much the peers of the API may hold at once, so that no user keeps another one out.

Root and our own user may use everything there is; all others together only a part of it, and each of them a part of that.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

_MIB = 1024 * 1024


class Share(NamedTuple):
    """At most this much for `user`, one that is neither root nor our own; for all `others` of that kind; and in `all`."""

    user: int
    others: int
    all: int


CONNECTIONS = Share(32, 96, 128)
STREAMS = Share(16, 32, 48)
BYTES = Share(112 * _MIB, 128 * _MIB, 256 * _MIB)
"""Of bodies that are being received, and of answers that are being sent: room for one of the largest."""


class Capacity:
    """One thing that there is a limited amount of."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self._held: Counter[int] = Counter()
        self._of_others = 0

    @property
    def used(self) -> int:
        """How much of it is held."""
        return self._held.total()

    def take(self, user: int, amount: int = 1, *, own: bool) -> bool:
        """Hold so much more for a user, if there is that much for it (`own`: root or our own user); False: nothing was taken."""
        if self.used + amount > self._share.all:
            return False
        if not own:
            if self._held[user] + amount > self._share.user or self._of_others + amount > self._share.others:
                return False
            self._of_others += amount
        self._held[user] += amount
        return True

    def give_back(self, user: int, amount: int = 1, *, own: bool) -> None:
        """Release what was taken."""
        self._held[user] -= amount
        if not self._held[user]:
            del self._held[user]
        if not own:
            self._of_others -= amount
