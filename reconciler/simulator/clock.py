"""Virtual time: what is to happen when, in the one order of a life."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

Action = Callable[[], None]


class Clock:
    """A queue of what is to happen. Time is in microseconds, and jumps from one happening to the next.

    What is due at the same time happens in the order in which it was asked for.
    """

    def __init__(self) -> None:
        self.now_us = 0
        self._waiting: list[tuple[int, int, Action]] = []
        self._asked = 0

    @property
    def now_ms(self) -> int:
        """The time in whole milliseconds."""
        return self.now_us // 1000

    def after(self, us: int, action: Action) -> None:
        """Have something happen so much later."""
        self.at(self.now_us + us, action)

    def at(self, us: int, action: Action) -> None:
        """Have something happen at a time, at the earliest now."""
        self._asked += 1
        heappush(self._waiting, (max(us, self.now_us), self._asked, action))

    def turn(self, until_us: int) -> bool:
        """Let the next thing happen that is due by then; False when nothing is, and it is then that time."""
        if not self._waiting or self._waiting[0][0] > until_us:
            self.now_us = max(self.now_us, until_us)
            return False
        self.now_us, _, action = heappop(self._waiting)
        action()
        return True
