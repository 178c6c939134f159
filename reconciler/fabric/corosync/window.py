"""How much is under way to the group, and whether it comes back. It reads no clock: each call says when it is."""

from __future__ import annotations

from collections import deque

MOST_UNDER_WAY_BYTES = 1024 * 1024
"""What has been sent and has not come back. More waits here, where it is forgotten when a view ends, instead of with corosync."""
BEAT_S = 1.0
"""How often something is heard at least, whoever sent it: else something is sent, so that it is known whether anything comes back."""
_STAND_BY_S = 0.3
"""How much later those beat who were not the last to do so: one member does it for all, since corosync passes its token on without a
pause for a while after anything was sent."""
MARGIN_S = 1.0
LONGEST_AGAIN_S = 6.0
"""How much longer than one forming of a ring what was sent may take to come back. The others hold a node for lost after one forming, and
wait 10 s and a stop before they start what ran on it without fencing: by then it must have begun to stop, which it does 2 s after this."""
_GAP_S = 2.0
"""Who looked at the clock later than that stood still itself, and can't say what others did meanwhile."""


class Window:
    """What one member sends."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._under_way: deque[int] = deque()
        self._bytes = 0
        self.owed_since_s: float | None = None
        """Since when something should have come back."""
        self._last_s = float("-inf")
        """When something was sent or heard last."""
        self._leads = True
        """Whether the last beat was ours."""

    def put(self, data: bytes) -> None:
        """This is to be sent, after everything before."""
        self._waiting.append(data)

    def forget(self) -> None:
        """What waits is of a view that is over."""
        self._waiting.clear()

    @property
    def next(self) -> bytes | None:
        """What may be sent now."""
        if not self._waiting:
            return None
        data = self._waiting[0]
        return data if not self._bytes or self._bytes + len(data) <= MOST_UNDER_WAY_BYTES else None

    def sent(self, size: int, at_s: float) -> None:
        """So many bytes are under way."""
        self._under_way.append(size)
        self._bytes += size
        self._last_s = at_s
        if self.owed_since_s is None:
            self.owed_since_s = at_s

    def took(self, data: bytes, at_s: float) -> None:
        """What was `next` is under way; what waits may have been forgotten meanwhile."""
        if self._waiting and self._waiting[0] is data:
            self._waiting.popleft()
        self.sent(len(data), at_s)

    def returned(self, at_s: float) -> None:
        """The oldest of what is under way came back."""
        if self._under_way:
            self._bytes -= self._under_way.popleft()
        self.owed_since_s = at_s if self._under_way else None

    def heard(self, at_s: float) -> None:
        """Something was delivered, of whatever member."""
        self._last_s = at_s

    def beaten(self, *, ours: bool) -> None:
        """A beat was delivered."""
        self._leads = ours

    def beat_in_s(self, at_s: float) -> float | None:
        """How long until something should be sent for its own sake; None while something is under way."""
        if self._under_way:
            return None
        return max(0.0, self._last_s + BEAT_S + (0.0 if self._leads else _STAND_BY_S) - at_s)


class Patience:
    """Whether corosync has not answered for too long: neither our calls, nor by delivering what we sent.

    Calls are answered while a ring forms, too, so they have the time of one forming. What was sent has to wait for two: a second host that
    is lost while the ring forms makes it begin anew. But no longer than the others are sure to wait before they start what ran here. It is
    always as long as that where a quorum device is asked before the ring serves: corosync waits for its answer for up to half a minute.
    """

    def __init__(self, forming_s: float) -> None:
        self.forming_s = forming_s
        """How long a ring may take to form anew without a lost host; it changes with the number of nodes, and when they are configured."""
        self.asks_device = False
        """Whether a ring asks a quorum device besides."""
        self._from_s = float("-inf")
        self._looked_s: float | None = None

    def is_over(self, at_s: float, turned_s: float, owed_since_s: float | None) -> bool:
        """At `at_s`, when the connection's thread last turned at `turned_s`; asked about twice in a second."""
        if self._looked_s is None or at_s - self._looked_s > _GAP_S:
            self._from_s = at_s  # We stood still ourselves: from now on it has its time.
        self._looked_s = at_s
        if at_s - max(turned_s, self._from_s) > self.forming_s + MARGIN_S:
            return True
        again_s = LONGEST_AGAIN_S if self.asks_device else min(self.forming_s, LONGEST_AGAIN_S)
        return owed_since_s is not None and at_s - max(owed_since_s, self._from_s) > self.forming_s + again_s + MARGIN_S
