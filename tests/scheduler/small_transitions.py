"""Small clusters for tests of actions and their order, and what comes out of them in a few words."""

from __future__ import annotations

from collections.abc import Iterable

from finished import Finished
from small_clusters import DUMMY, cib

from reconciler.cib import Cib
from reconciler.frozen import replace
from reconciler.model.constraint import Order, ResourceSet
from reconciler.model.resource import Agent, Primitive
from reconciler.model.status import HistoryEntry, ResourceHistory, Status
from reconciler.scheduler.working.action import Action

WITHOUT_PARAMETERS = "f2317cad3d54cec5d7d7aa7d0bf35cf8"
FENCING = Primitive("fencing", Agent("stonith", "fence_xvm"))
REMOTE = Agent("ocf", "remote", "pacemaker")

__all__ = [
    "DUMMY",
    "FENCING",
    "REMOTE",
    "cib",
    "graph",
    "lost",
    "order",
    "ordered_sets",
    "summary",
    "unchanged",
    "waits",
]


def order(first: str, then: str, **more: str) -> Order:
    """The first before the other; everything else as the constraint's keys say."""
    return Order(f"{first}-then-{then}", first=first, then=then, **more)


def ordered_sets(*sets: Iterable[str] | ResourceSet, **more: str) -> Order:
    made = tuple(
        one if isinstance(one, ResourceSet) else ResourceSet(tuple(one), id=f"set-{number}")
        for number, one in enumerate(sets, 1)
    )
    return Order("sets", sets=made, **more)


def unchanged(given: Cib) -> Cib:
    """The same cluster, where no definition has changed since its results were recorded."""
    states = tuple(replace(state, history=tuple(map(_digested, state.history))) for state in given.status.nodes)
    return replace(given, status=Status(states, given.status.tickets))


def _digested(history: ResourceHistory) -> ResourceHistory:
    entries = tuple(
        HistoryEntry(entry.id, {**entry.attributes, "op-digest": WITHOUT_PARAMETERS}) for entry in history.entries
    )
    return replace(history, entries=entries)


def lost(given: Cib, *names: str) -> Cib:
    """The same cluster after nodes were lost with everything on them."""
    gone = {"in_ccm": "false", "crmd": "offline", "join": "down", "expected": "member"}
    states = (replace(state, attributes=gone) if state.name in names else state for state in given.status.nodes)
    return replace(given, status=Status(tuple(states), given.status.tickets))


def graph(plan: Finished) -> list[str]:
    """What is done but probes and monitors, in the order of the graph: `A_start_0 n1`."""
    by_id = {action.id: action for action in plan.cluster.actions}
    return [_name(by_id[action.id]) for action in plan.actions if action.task != "monitor"]


def waits(plan: Finished, about: str = "") -> list[str]:
    """What waits for what, sorted: `A_start_0 n1 -> B_start_0 n1`. Only what has one of the words on both sides, if any are given;
    probes and monitors are left out.
    """
    by_id = {action.id: action for action in plan.cluster.actions}
    words = about.split() or [""]
    pairs = [(_name(by_id[first]), _name(by_id[action.id])) for action in plan.actions for first in action.triggers]
    return sorted(
        f"{first} -> {then}"
        for first, then in pairs
        if "_monitor_" not in first + then and all(any(word in side for word in words) for side in (first, then))
    )


def summary(plan: Finished) -> list[str]:
    """What changes: `Stop B (n1 -> None): required A start`."""
    lines = []
    for change in plan.changes:
        why = f": {change.reason}" if change.reason else ""
        blocked = " (blocked)" if change.blocked else ""
        place = f" ({change.from_node} -> {change.to_node})" if change.from_node or change.to_node else ""
        lines.append(f"{change.verb.value} {change.subject}{place}{why}{blocked}")
    return lines


def _name(action: Action) -> str:
    if action.node is None or action.pseudo:
        return action.key
    return f"{action.key} {action.node.name}"
