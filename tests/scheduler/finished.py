"""A plan with the working state that it came from, which tests of stages look into."""

from __future__ import annotations

from reconciler.cib import Cib
from reconciler.model.date import Instant
from reconciler.scheduler.inside import decide
from reconciler.scheduler.plan import Change, Placement, PlannedAction


class Finished:
    """One run: `cluster` is its finished working state, `plan` what came out of it."""

    def __init__(self, cib: Cib, now: Instant, *, sanitized: bool = False) -> None:
        decided = decide(cib, now, sanitized=sanitized)
        self.plan = decided.plan
        self.cluster = decided.cluster

    @property
    def actions(self) -> tuple[PlannedAction, ...]:
        return self.plan.actions

    @property
    def changes(self) -> tuple[Change, ...]:
        return self.plan.changes

    @property
    def placements(self) -> tuple[Placement, ...]:
        return self.plan.placements
