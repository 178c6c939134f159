"""A cap on recoveries: what is recovered too often, all resources together, waits.

A machine that is short of something, or an agent that was replaced by a bad one, makes services look failed that are not; stopping and
starting all of them again and again does more harm than the failures. In a minute each known resource may be recovered once on the
average, and sixty of them in any case. A plan that does anything else as well is never held back.
"""

from __future__ import annotations

from collections import deque

from reconciler.controller.moment import Moment
from reconciler.scheduler.plan import Plan, Verb

_WINDOW_MS = 60_000
_ALWAYS = 60
"""So many recoveries in a minute are no storm, however few resources there are."""


class Restarts:
    """The recoveries of the last minute."""

    def __init__(self) -> None:
        self._begun: deque[tuple[int, int]] = deque()
        """When (monotonic) how many were begun."""

    def begin(self, plan: Plan, now: Moment) -> None:
        """The plan is carried out from now on."""
        if count := _recoveries(plan):
            self._begun.append((now.mono_ms, count))

    def free_at_ms(self, plan: Plan, known: int, now: Moment) -> int | None:
        """When the plan may begin if it has to wait (monotonic); `known` is how many resources there are."""
        while self._begun and self._begun[0][0] <= now.mono_ms - _WINDOW_MS:
            self._begun.popleft()
        if self.in_window < max(_ALWAYS, known) or len(plan.changes) > _recoveries(plan):
            return None
        return self._begun[0][0] + _WINDOW_MS

    @property
    def in_window(self) -> int:
        """How many there were in the last minute."""
        return sum(count for _, count in self._begun)


def _recoveries(plan: Plan) -> int:
    return sum(1 for change in plan.changes if change.verb is Verb.RECOVER)
