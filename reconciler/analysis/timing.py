"""How long a plan takes: steps and durations, from the graph and the durations that the history recorded.

Every action is taken to begin as soon as all its triggers are done, and to last as long as the same operation of the same resource lasted
when it was last recorded. What was never recorded is unknown and says so.
"""

from __future__ import annotations

from reconciler.model.status import Status
from reconciler.scheduler.plan import ActionKind, Change, Plan, PlannedAction, Verb


class Timing:
    """Begin and end of each action of one plan, in milliseconds from its start, and the step of each change."""

    def __init__(self, plan: Plan, status: Status) -> None:
        self._recorded = _recorded_ms(status)
        self._begin: dict[int, int] = {}
        self._end: dict[int, int] = {}
        self._level: dict[int, int] = {}
        self._unknown: dict[int, int] = {}
        """For each action the level of the last action up to it whose duration is unknown, -1 for none."""
        self._by_subject: dict[str, list[PlannedAction]] = {}
        for action in in_order(plan.actions):
            self._place(action)
            subject = action.resource or (action.node if action.task == "stonith" else None)
            if subject is not None and _visible(action):
                self._by_subject.setdefault(subject, []).append(action)
        levels = sorted({self._level[action.id] for group in self._by_subject.values() for action in group})
        self._steps = {level: number for number, level in enumerate(levels, start=1)}

    def step(self, change: Change) -> int:
        """The step in which the change begins; 1 for what is wanted but does not happen."""
        actions = self._by_subject.get(change.subject, ())
        return min((self._steps[self._level[action.id]] for action in actions), default=1)

    def duration_ms(self, change: Change) -> int | None:
        """From the begin of its first action to the end of its last; None when one of them, or what they wait for in between, was never
        recorded."""
        actions = self._by_subject.get(change.subject, ())
        first = min((self._level[action.id] for action in actions), default=0)
        if not actions or any(self._unknown[action.id] >= first for action in actions):
            return None
        return max(self._end[action.id] for action in actions) - min(self._begin[action.id] for action in actions)

    def down_ms(self, change: Change) -> int | None:
        """How long it serves nobody: None when it stays down, or when a duration is unknown."""
        if change.verb is Verb.STOP:
            return None
        return self.duration_ms(change)

    def _place(self, action: PlannedAction) -> None:
        before = [trigger for trigger in action.triggers if trigger in self._end]
        begin = max((self._end[trigger] for trigger in before), default=0)
        self._begin[action.id] = begin
        self._end[action.id] = begin + (self._lasts(action) or 0)
        level = max((self._level[trigger] for trigger in before), default=0)
        self._level[action.id] = level + (1 if _visible(action) else 0)
        unknown = max((self._unknown[trigger] for trigger in before), default=-1)
        self._unknown[action.id] = (
            self._level[action.id] if _visible(action) and self._lasts(action) is None else unknown
        )

    def _lasts(self, action: PlannedAction) -> int | None:
        if action.task == "stonith":
            return None  # No history tells how long a fencing took; taken as nothing, an outage would look short.
        if action.kind is not ActionKind.RESOURCE or action.resource is None:
            return 0
        return self._recorded.get((action.resource.partition(":")[0], action.task))


def in_order(actions: tuple[PlannedAction, ...]) -> list[PlannedAction]:
    """The actions so that each comes after its triggers; the rest of a cycle, if any, comes last in plan order."""
    by_id = {action.id: action for action in actions}
    waiting = {action.id: sum(trigger in by_id for trigger in action.triggers) for action in actions}
    followers: dict[int, list[int]] = {}
    for action in actions:
        for trigger in action.triggers:
            if trigger in by_id:
                followers.setdefault(trigger, []).append(action.id)
    ready = [action.id for action in actions if not waiting[action.id]]
    ordered: list[PlannedAction] = []
    for number in ready:  # grows while it is gone through
        ordered.append(by_id[number])
        for follower in followers.get(number, ()):
            waiting[follower] -= 1
            if not waiting[follower]:
                ready.append(follower)
    done = set(ready)
    return ordered + [action for action in actions if action.id not in done]


def _visible(action: PlannedAction) -> bool:
    if action.task == "stonith":
        return True
    return (
        action.kind is ActionKind.RESOURCE
        and action.interval_ms == 0
        and action.task not in ("monitor", "notify", "delete")
    )


def _recorded_ms(status: Status) -> dict[tuple[str, str], int]:
    """The last recorded duration of each (resource without instance number, operation), the longest over the nodes."""
    found: dict[tuple[str, str], int] = {}
    for node in status.nodes:
        for history in node.history:
            for entry in history.entries:
                if (took_ms := entry.result.execution_ms) is not None:
                    key = history.id.partition(":")[0], entry.result.task or ""
                    found[key] = max(found.get(key, 0), took_ms)
    return found
