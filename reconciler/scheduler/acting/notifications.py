"""Notifications: telling a clone's instances what is about to happen to them and what has happened.

Source: the scheduler's specification, part 3, section 10.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.score import INFINITY
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.actions import newest
from reconciler.scheduler.noting.orderings import add_edge
from reconciler.scheduler.noting.requests import request
from reconciler.scheduler.roles import Role
from reconciler.scheduler.working.action import Phase
from reconciler.scheduler.working.effects import ORD, RT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reconciler.scheduler.working.action import Action
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource

TASKS = ("start", "stop", "promote", "demote")
"""What instances are told about, in the order in which their notifications are made."""

_FOLLOWING = (
    ("stop", "start"),
    ("stop", "promote"),
    ("start", "promote"),
    ("demote", "promote"),
    ("demote", "start"),
    ("demote", "stop"),
)
"""The notifications after the first must be over before those before the second."""


def create_phase(cluster: Cluster, resource: Resource, begin: Action, end: Action) -> None:
    """Put notifications around `begin` and after `end` of a clone that wants them."""
    if resource.clone is None or not resource.clone.notify:
        return
    phase = Phase(begin.task)
    resource.planned.phases[begin.task] = phase
    _create_before(cluster, resource, phase, begin)
    _create_after(cluster, resource, phase, end)
    assert phase.confirmed_before is not None
    assert phase.after is not None
    add_edge(phase.confirmed_before, phase.after, ORD, _cause(resource))


def order_phases(clone: Resource) -> None:
    """Order the clone's notifications about different tasks."""
    assert clone.clone is not None
    phases = clone.planned.phases
    for first, then in _FOLLOWING:
        if first in phases and then in phases:
            confirmed, before = phases[first].confirmed_after, phases[then].before
            assert confirmed is not None
            assert before is not None
            add_edge(confirmed, before, ORD, _cause(clone))


def create_notifications(cluster: Cluster, clone: Resource) -> None:
    """Create the instances' own notifications, once it is settled which of their actions are required.

    To be called when the graph is made, before the instances' actions enter it.
    """
    assert clone.clone is not None
    for task in TASKS:
        phase = clone.planned.phases.get(task)
        if phase is not None:
            census = _Census(clone)
            values = census.values(cluster, clone)
            if census.doing[task]:
                _require(phase)
            for instance in clone.leaves():
                _notify_instance(cluster, instance, phase, values, needed=task == "stop" or bool(census.doing[task]))


def notify_after_fencing(cluster: Cluster, instance: Resource, stop: Action, fencing: Action) -> None:
    """Tell the other instances of a clone that this one is stopped by the fencing of its node."""
    assert stop.node is not None
    phase = Phase("stop")
    _create_after(cluster, instance, phase, fencing)
    values = {"notify_stop_resource": instance.id, "notify_stop_uname": stop.node.name}
    for other in instance.root.leaves():
        _notify_instance(cluster, other, phase, values, needed=True)


class _Census:
    """The instances of a clone by what they are, and by what is about to happen to them (resource, node) each."""

    def __init__(self, clone: Resource) -> None:
        self.inactive: list[tuple[Resource, ClusterNode | None]] = []
        self.active: list[tuple[Resource, ClusterNode | None]] = []
        self.unpromoted: list[tuple[Resource, ClusterNode | None]] = []
        self.promoted: list[tuple[Resource, ClusterNode | None]] = []
        self.doing: dict[str, list[tuple[Resource, ClusterNode | None]]] = {task: [] for task in TASKS}
        for instance in clone.leaves():
            self._add(instance)

    def _add(self, instance: Resource) -> None:
        entry = (instance, instance.found.active_on[0] if instance.found.active_on else None)
        lists = {
            Role.STOPPED: (self.inactive,),
            Role.STARTED: (self.active,),
            Role.UNPROMOTED: (self.unpromoted, self.active),
            Role.PROMOTED: (self.promoted, self.active),
        }
        for entries in lists.get(instance.found.role, ()):
            entries.append(entry)
        for action in instance.planned.actions:
            if action.node is None or action.optional or action.task not in self.doing:
                continue
            if action.runnable or (action.task == "stop" and action.node.unclean):
                self.doing[action.task].append((instance, action.node))

    def values(self, cluster: Cluster, clone: Resource) -> dict[str, str]:
        """What the agents are told about all instances."""
        values: dict[str, str] = {}
        lists = {
            **self.doing,
            "active": self.active,
            "unpromoted": self.unpromoted,
            "slave": self.unpromoted,
            "promoted": self.promoted,
            "master": self.promoted,
        }
        for name, entries in lists.items():
            placed = _distinct((instance, node) for instance, node in entries if node is not None)
            values[f"notify_{name}_resource"] = _words(instance.id for instance, _ in placed)
            values[f"notify_{name}_uname"] = _words(node.name for _, node in placed if node is not None)
        values["notify_inactive_resource"] = _words(instance.id for instance, _ in _distinct(self.inactive))
        values["notify_available_uname"] = _words(
            node.name for node in cluster.nodes if node.index in clone.placed.table
        )
        values["notify_all_uname"] = _words(node.name for node in cluster.nodes)
        if clone.configured.meta.get("container-attribute-target") == "host":
            values["notify_all_hosts"] = _words(_host_name(node) for node in cluster.nodes)
        return values


def _distinct(entries: Iterable[tuple[Resource, ClusterNode | None]]) -> list[tuple[Resource, ClusterNode | None]]:
    """One entry for each resource id, by id and then node id."""
    ordered = sorted(entries, key=lambda entry: (entry[0].id, "" if entry[1] is None else entry[1].id))
    result: dict[str, tuple[Resource, ClusterNode | None]] = {}
    for entry in ordered:
        result.setdefault(entry[0].id, entry)
    return list(result.values())


def _words(names: Iterable[str]) -> str:
    return " ".join(names) or " "


def _host_name(node: ClusterNode) -> str:
    """The name of the node, of a guest node the name of where its guest runs."""
    guest = node.connection.container if node.connection is not None else None
    return guest.found.active_on[0].name if guest is not None and guest.found.active_on else node.name


def _create_before(cluster: Cluster, resource: Resource, phase: Phase, begin: Action) -> None:
    told = _pseudo(cluster, resource, begin, "notify", "pre", phase.task)
    confirmed = _pseudo(cluster, resource, begin, "notified", "confirmed-pre", phase.task)
    told.runnable = confirmed.runnable = True
    add_edge(told, confirmed, ORD, _cause(resource))
    add_edge(confirmed, begin, ORD, _cause(resource))
    phase.before, phase.confirmed_before = told, confirmed


def _create_after(cluster: Cluster, resource: Resource, phase: Phase, end: Action) -> None:
    told = _pseudo(cluster, resource, end, "notify", "post", phase.task)
    confirmed = _pseudo(cluster, resource, end, "notified", "confirmed-post", phase.task)
    told.runnable = confirmed.runnable = end.runnable
    told.priority = confirmed.priority = INFINITY
    add_edge(end, told, RT, _cause(resource))
    add_edge(told, confirmed, RT, _cause(resource))
    phase.after, phase.confirmed_after = told, confirmed


def _pseudo(cluster: Cluster, resource: Resource, about: Action, task: str, kind: str, phase_task: str) -> Action:
    key = f"{resource.id}_{kind}_notify_{about.task}_0"
    action = request(cluster, resource, key, task, None, optional=about.optional)
    action.pseudo = True
    action.meta.update(
        notify_key_type=kind,
        notify_key_operation=about.task,
        notify_type="pre" if kind.endswith("pre") else "post",
        notify_operation=phase_task,
    )
    return action


def _require(phase: Phase) -> None:
    for action in (phase.before, phase.confirmed_before, phase.after, phase.confirmed_after):
        if action is not None:
            action.optional = False


def _notify_instance(
    cluster: Cluster, instance: Resource, phase: Phase, values: dict[str, str], *, needed: bool
) -> None:
    """Give the instance's own actions the values, and where `needed` tell it before and after what happens."""
    for action in instance.planned.actions:
        if not action.optional and action.node is not None and action.task in TASKS:
            _tell(action, values)
    if not needed:
        return
    if phase.task in ("stop", "demote"):
        _notify_leaving(cluster, instance, phase, values)
    else:
        _notify_coming(cluster, instance, phase, values)


def _notify_leaving(cluster: Cluster, instance: Resource, phase: Phase, values: dict[str, str]) -> None:
    if instance.found.role is Role.STOPPED:
        return
    stop = newest(instance, task="stop")
    for node in instance.found.active_on:
        if stop is not None and stop.pseudo and (node.unclean or node.requires_reset):
            continue  # A node that is fenced can't be told anything.
        _notify(cluster, instance, node, phase.before, phase.confirmed_before, values)
        if phase.task == "demote" or stop is None or stop.optional:
            _notify_after(cluster, instance, node, phase, values)


def _notify_coming(cluster: Cluster, instance: Resource, phase: Phase, values: dict[str, str]) -> None:
    if instance.placed.next_role is Role.STOPPED or instance.placed.node is None:
        return
    start = newest(instance, task="start")
    if start is not None and start.node is not None and start.node.connection is not None:
        connected = newest(start.node.connection, task="start")
        if connected is not None and not connected.runnable:
            return
    if phase.task != "start" or start is None or start.optional:
        _notify(cluster, instance, instance.placed.node, phase.before, phase.confirmed_before, values)
    _notify_after(cluster, instance, instance.placed.node, phase, values)


def _notify_after(
    cluster: Cluster, instance: Resource, node: ClusterNode, phase: Phase, values: dict[str, str]
) -> None:
    """Tell the instance afterwards; its recurring actions wait until all instances have been told."""
    told = _notify(cluster, instance, node, phase.after, phase.confirmed_after, values)
    if told is not None:
        told.priority = INFINITY
    if phase.confirmed_after is None:
        return
    for action in instance.planned.actions:
        if action.interval_ms and action.task != "cancel":
            add_edge(phase.confirmed_after, action, ORD, _cause(instance))


def _notify(
    cluster: Cluster,
    instance: Resource,
    node: ClusterNode,
    pseudo: Action | None,
    confirmed: Action | None,
    values: dict[str, str],
) -> Action | None:
    """Tell the instance on the node, as part of the clone's pseudo action; None if that can't be."""
    if pseudo is None or confirmed is None or not node.online or not pseudo.runnable:
        return None
    key = f"{instance.id}_{pseudo.meta['notify_type']}_notify_{pseudo.meta['notify_operation']}_0"
    action = request(cluster, instance, key, pseudo.task, node, optional=pseudo.optional, cause=_cause(instance))
    _tell(action, pseudo.meta)
    _tell(action, values)
    add_edge(pseudo, action, ORD, _cause(instance))
    add_edge(action, confirmed, ORD, _cause(instance))
    return action


def _tell(action: Action, values: dict[str, str]) -> None:
    """Add the values to the action's, except those that it was told before (as of a stop that fencing implies)."""
    meta = action.meta
    for name, value in values.items():
        meta.setdefault(name, value)


def _cause(resource: Resource) -> Cause:
    return Cause(Why.IMPLICIT, resource.id, "notify")
