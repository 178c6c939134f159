"""How much a member sends ahead of the slowest one: what waits for somebody who stands still must stay bounded, everywhere.

A fabric queues for a member that does not take its messages without limit. Each ping says how much of every member's its sender has heard,
and one comes at the latest after so many bytes; what a member sends beyond the window waits with itself until the slowest has caught up,
is excluded, or the view ends.
Source: the design of the cluster, "Orders and results" (flow control), "What CPG gives, and what not".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping

from reconciler.controller.events import Effect, Send

WINDOW_BYTES = 4 * 1024 * 1024
"""So much of one sender may be on its way."""
ANSWER_BYTES = 1024 * 1024
"""After so much was heard, a ping says so."""


class Flow:
    """The window of one member in the installed view."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heard: dict[str, int] = {}
        """How many bytes of each member were delivered here."""
        self._answered = 0
        self._sent = 0
        self._confirmed: dict[str, int] = {}
        self._waiting: deque[Send] = deque()

    @property
    def waiting(self) -> int:
        """How many messages wait with us."""
        return len(self._waiting)

    def begin(self, members: Collection[str]) -> None:
        """A view of these members is installed: what waited was of another one."""
        self.heard = dict.fromkeys(members, 0)
        self._confirmed = dict.fromkeys(members, 0)
        self._answered = self._sent = 0
        self._waiting.clear()

    def send(self, effects: Iterable[Effect]) -> list[Effect]:
        """What of this may go now; the rest keeps its order."""
        now: list[Effect] = []
        for effect in effects:
            if isinstance(effect, Send):
                self._waiting.append(effect)
            else:
                now.append(effect)
        return now + self._release()

    def delivered(self, sender: str, size: int) -> bool:
        """Bytes of a member were delivered; whether it is time to say so."""
        if sender not in self.heard or len(self.heard) == 1:
            return False
        self.heard[sender] += size
        self._answered += size
        if self._answered < ANSWER_BYTES:
            return False
        self._answered = 0
        return True

    def confirmed(self, node: str, heard: Mapping[str, int]) -> list[Effect]:
        """A member said how much it has heard: what may be sent by that."""
        if node in self._confirmed:
            self._confirmed[node] = max(self._confirmed[node], heard.get(self.name, 0))
        return self._release()

    def _release(self) -> list[Effect]:
        released: list[Effect] = []
        slowest = min(self._confirmed.values(), default=self._sent)
        while self._waiting and self._fits(len(self._waiting[0].data), slowest):
            effect = self._waiting.popleft()
            self._sent += len(effect.data)
            released.append(effect)
        return released

    def _fits(self, size: int, slowest: int) -> bool:
        return len(self._confirmed) <= 1 or self._sent - slowest + size <= WINDOW_BYTES
