"""When a member that the others excluded comes back: one that can't keep up breaks their view with each attempt.

The first time it joins again at once. If it is excluded again before it was a member for a while, it waits, each time for longer; and never
does it come back before its disk has answered what it was asked: most who are too slow wait for that.
Source: the design of the cluster, "Membership" (slow members).
"""

from __future__ import annotations

from reconciler.controller.keeper import Keeper
from reconciler.controller.moment import Moment

RETURN_TIMER = "join again"
STEADY_MS = 60_000
"""Who was a member for so long starts from the beginning when it is excluded."""
_FIRST_MS = 5_000
_LONGEST_MS = 60_000
_LOOK_MS = 1_000
"""How often it is looked whether the disk has answered."""


class Returning:
    """The back-off of one node."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self.told: str | None = None
        """Why this node stays away, for people; None when it does not."""
        self._times = 0
        self._member_since_ms: int | None = None

    def installed(self, now: Moment) -> None:
        """This node is a member."""
        if self._member_since_ms is None:
            self._member_since_ms = now.mono_ms

    def excluded(self, why: str, now: Moment) -> int | None:
        """This node was excluded: at what time of the monotonic clock to look whether it may come back; None when it may at once."""
        since_ms, self._member_since_ms = self._member_since_ms, None
        if since_ms is not None and since_ms + STEADY_MS <= now.mono_ms:
            self._times = 0
        self._times += 1
        wait_ms = 0 if self._times == 1 else min(_FIRST_MS << min(self._times - 2, 10), _LONGEST_MS)
        if not (wait_ms or self._keeper.waits):
            return None
        times = "" if self._times == 1 else f" {self._times} times in a row"
        until = f"{wait_ms // 1000} s are over and its disk answers" if wait_ms else "its disk answers"
        self.told = f"this node was excluded by the others{times} ({why}); it joins again once {until}"
        return now.mono_ms + max(wait_ms, _LOOK_MS)

    def due(self, now: Moment) -> int | None:
        """The time is over: when to look again, as the disk has not answered; None when this node comes back."""
        if self.told is not None and self._keeper.waits:
            return now.mono_ms + _LOOK_MS
        self.told = None
        return None
