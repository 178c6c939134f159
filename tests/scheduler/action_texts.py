"""What was planned for a resource, action by action in order of creation: `A_stop_0 n1 optional`."""

from __future__ import annotations

from finished import Finished
from histories import NOW, Texts, entry, history, state
from histories import cib as any_cib

from reconciler.cib import Cib
from reconciler.model.attributes import plain
from reconciler.model.date import Instant
from reconciler.model.resource import Operation
from reconciler.model.status import HistoryEntry, ResourceHistory
from reconciler.scheduler.digest import digest
from reconciler.scheduler.working.action import Action

UNCHANGED = digest({})
"""The digest of an action without parameters."""

FLAGS = ("optional", "pseudo", "migratable", "shown", "dangling", "reschedule")

__all__ = [
    "UNCHANGED",
    "actions",
    "any_cib",
    "done",
    "entry",
    "found",
    "history",
    "monitor",
    "plan_of",
    "reasons",
    "started",
    "state",
    "watched",
]


def plan_of(given: Cib) -> Finished:
    return Finished(given, Instant(NOW), sanitized=True)


def actions(plan: Finished, about: str = "A", task: str = "") -> list[str]:
    """The actions of one resource (with one task), in order of creation."""
    return [
        _text(action)
        for action in plan.cluster.actions
        if action.resource is not None and action.resource.id == about and task in ("", action.task)
    ]


def reasons(plan: Finished) -> list[str]:
    """What the summary says about resources and nodes: `Stop A: node availability`."""
    return [
        f"{change.verb.value} {change.subject}" + (f": {change.reason}" if change.reason else "")
        for change in plan.changes
    ]


def started(name: str = "A", *, call: int = 1, op_digest: str = UNCHANGED, **more: str) -> HistoryEntry:
    """A start that succeeded with what is configured now."""
    return entry("start", name=name, call=call, op_digest=op_digest, **more)


def found(name: str = "A", rc: int = 7) -> HistoryEntry:
    """A probe's answer."""
    return entry("monitor", rc, name=name, target=rc, op_digest=UNCHANGED)


def watched(name: str = "A", interval_ms: int = 10_000, *, call: int = 2, rc: int = 0, **more: str) -> HistoryEntry:
    """A recurring monitor, unchanged since it was recorded (with the default timeout) unless a digest is given."""
    more.setdefault("op_digest", digest({"CRM_meta_timeout": "20000"}))
    return entry("monitor", rc, interval_ms=interval_ms, call=call, name=name, target=rc, **more)


def done(*entries: HistoryEntry, name: str = "A") -> ResourceHistory:
    return history(*entries, id=name)


def monitor(interval: str = "10s", *, meta: Texts | None = None, **keys: str) -> Operation:
    """A monitor as configured; `keys` are its own (role, enabled, timeout …)."""
    role = keys.get("role", "any")
    return Operation("monitor", interval, keys, plain(meta or {}), id=f"m-{interval}-{role}-{keys.get('enabled')}")


def _text(action: Action) -> str:
    words = [action.key]
    if action.task not in action.key:
        words.append(f"({action.task})")
    if action.node is not None:
        words.append(action.node.name)
    words += [flag for flag in FLAGS if getattr(action, flag)]
    if not action.runnable:
        words.append("unrunnable")
    if action.expected_rc:
        words.append(f"rc={action.expected_rc}")
    return " ".join(words)
