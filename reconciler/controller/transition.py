"""The execution of a plan: which action may run next, and when it is over.

An action may run once all its triggers are done. After a failure, or when the state that was planned from changed, nothing more
is launched but what must follow what was begun, and the plan is over as soon as nothing runs: the scheduler must not decide
while an outcome is unknown.
Source: the scheduler's specification, part 3, sections 16 and 19; Pacemaker Explained, "Cluster Options" (batch-limit, migration-limit).
"""

from __future__ import annotations

from heapq import heappop, heappush

from reconciler.controller.moment import Moment
from reconciler.model.score import INFINITY
from reconciler.scheduler.plan import ActionKind, Plan, PlannedAction

_PATIENCE_MS = 5 * 60_000  # For what is called besides agents: secrets, agents' descriptions, the journal.
_MIGRATIONS = frozenset({"migrate_to", "migrate_from"})


class Transition:
    """One plan being executed; `real` counts the actions done that changed anything."""

    def __init__(self, term: int, number: int, plan: Plan, started: Moment) -> None:
        self.term = term
        self.number = number
        self.plan = plan
        self.started = started
        self.actions = {action.id: action for action in plan.actions}
        self.running: dict[int, tuple[PlannedAction, Moment]] = {}
        self.done: set[int] = set()
        self.failed: set[int] = set()
        self.aborted: str | None = None
        self.real = 0
        self._moves = 0
        """How many launches and ends there were: while it stays the same, nothing moves."""
        self._seen: tuple[int, int] = (-1, 0)
        self._batch_limit = plan.terms.batch_limit
        self._migration_limit = plan.terms.migration_limit
        self._places = {action.id: place for place, action in enumerate(plan.actions)}
        self._missing: dict[int, int] = {}
        self._dependents: dict[int, list[int]] = {}
        self._ready: list[tuple[int, int]] = []
        self._enter()

    @property
    def over(self) -> bool:
        """Whether nothing runs and nothing more may be launched."""
        return not self.running and not self._launchable()

    @property
    def complete(self) -> bool:
        """Whether every action was done as expected."""
        return len(self.done) == len(self.actions)

    def launch(self, now: Moment) -> list[PlannedAction]:
        """Take the actions that may run now; points that nobody carries out are done at once."""
        launched: list[PlannedAction] = []
        held: list[tuple[int, int]] = []
        while self._ready and not self._full():
            place, action_id = heappop(self._ready)
            action = self.actions[action_id]
            if self._is_held(action):
                held.append((place, action_id))
            elif action.kind is ActionKind.PSEUDO:
                self._release(action_id)
            else:
                self._moves += 1
                self.running[action_id] = (action, now)
                launched.append(action)
        for entry in held:
            heappush(self._ready, entry)
        return launched

    def finish(self, action_id: int, succeeded: bool) -> PlannedAction | None:
        """Note how a running action ended; None when it is none of ours. A failure aborts."""
        found = self.running.pop(action_id, None)
        if found is None:
            return None
        self._moves += 1
        if succeeded:
            self.real += 1
            self._release(action_id)
        else:
            self.failed.add(action_id)
            self.abort(f"{found[0].key} failed")
        return found[0]

    def patience_ends_ms(self, now: Moment) -> int | None:
        """Until when anything of what runs has to end (monotonic); None when nothing runs.

        Calls wait for each other, but each ends within its own timeout: so in the longest of them, and some time for what is called
        besides, at least one has to. When none does, the orders or their answers were lost.
        """
        if not self.running:
            return None
        if self._seen[0] != self._moves:
            self._seen = self._moves, now.mono_ms
        return self._seen[1] + max(action.timeout_ms for action, _ in self.running.values()) + _PATIENCE_MS

    def be_patient(self, now: Moment) -> None:
        """Count the time to wait from now: we ourselves stood still."""
        self._seen = self._moves, now.mono_ms

    def abort(self, why: str) -> bool:
        """Launch nothing more; False when it was aborted before."""
        if self.aborted is not None:
            return False
        self.aborted = why
        return True

    def _enter(self) -> None:
        for action in self.plan.actions:
            self._missing[action.id] = len(set(action.triggers))
            for trigger in set(action.triggers):
                self._dependents.setdefault(trigger, []).append(action.id)
            if not action.triggers:
                heappush(self._ready, (self._places[action.id], action.id))

    def _release(self, action_id: int) -> None:
        """An action is done: what waited for it alone is ready."""
        self.done.add(action_id)
        for dependent in self._dependents.get(action_id, ()):
            self._missing[dependent] -= 1
            if not self._missing[dependent]:
                heappush(self._ready, (self._places[dependent], dependent))

    def _launchable(self) -> bool:
        return any(not self._is_held(self.actions[action_id]) for _, action_id in self._ready)

    def _is_held(self, action: PlannedAction) -> bool:
        """After an abort only what completes something begun goes on; migrations have a limit of their own."""
        # Infinite is the priority of a clone's completions and of the notifications after them: what was begun is told to have ended.
        if self.aborted is not None and action.priority < INFINITY:
            return True
        if self._migration_limit <= 0 or action.task not in _MIGRATIONS:
            return False
        migrating = sum(
            1 for running, _ in self.running.values() if running.task in _MIGRATIONS and running.node == action.node
        )
        return migrating >= self._migration_limit

    def _full(self) -> bool:
        return 0 < self._batch_limit <= len(self.running)
