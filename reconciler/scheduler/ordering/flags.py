"""What an action is as one end of an edge: for collectives, a summary of the actions of their members.

Source: the scheduler's specification, part 3, sections 11.3 and 11.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.scheduler.noting.actions import action_key, newest
from reconciler.scheduler.roles import Kind

if TYPE_CHECKING:
    from reconciler.scheduler.working.action import Action
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource

OPTIONAL: Final = 1
RUNNABLE: Final = 2
MIGRATABLE: Final = 4

_PRIMITIVE = Kind.PRIMITIVE
_GROUP = Kind.GROUP
_CLONE = Kind.CLONE

COMPLETED: Final = {
    "start": "running",
    "stop": "stopped",
    "promote": "promoted",
    "demote": "demoted",
    "notify": "notified",
}
"""Tasks of collectives with the tasks that mark their completion."""

_PLAIN: Final = {"running": "start", "stopped": "stop", "promoted": "promote", "demoted": "demote"}


def plain_task(task: str, member: Resource) -> str:
    """The task of a member that a collective's task is about: completed forms exist for collectives only."""
    return _PLAIN.get(task, task) if member.kind is _PRIMITIVE else task


def own_flags(action: Action) -> int:
    """The action's stored flags."""
    return (
        (OPTIONAL if action.optional else 0)
        | (RUNNABLE if action.runnable else 0)
        | (MIGRATABLE if action.migratable else 0)
    )


def task_of_instances(action: Action) -> str:
    """The task that a clone's or bundle's action is about; for a notification, what it tells about."""
    if action.task in ("notify", "notified"):
        return action.key.rsplit("_", 2)[1]
    return action.task


def instances(action: Action) -> list[Resource]:
    """The members that stand for a clone or bundle in this action: for a bundle, containers or what runs inside."""
    resource = action.resource
    if resource is None:
        return []
    if resource.bundle is None:
        return resource.children
    if task_of_instances(action) in ("promote", "promoted", "demote", "demoted") or action.task.startswith("notif"):
        return resource.bundle.clone.children if resource.bundle.clone is not None else []
    return containers(resource)


def containers(resource: Resource) -> list[Resource]:
    """The members over which effects on a collective go on: a bundle's containers, otherwise its children."""
    if resource.bundle is None:
        return resource.children
    return [replica.container for replica in resource.bundle.replicas if replica.container is not None]


class OrderingFlags:
    """Computes ordering flags, and keeps those of collectives until anything has changed (`forget`).

    Computing the flags of a collective's action also corrects its stored ones, as the specification says.
    No action may be created while it is in use.
    """

    __slots__ = ("_completed", "_instances", "_known")

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], int] = {}
        self._instances: dict[int, _InstanceActions] = {}
        self._completed: dict[int, Action] = {}

    def forget(self) -> None:
        """Some action has changed: what is known of collectives no longer holds."""
        if self._known:
            self._known = {}

    def of(self, action: Action, node: ClusterNode | None) -> int:
        """The ordering flags of an action as one end of an edge whose other end is on the node."""
        resource = action.resource
        if resource is None or resource.kind is _PRIMITIVE:
            return own_flags(action)
        flags = self._collective(action, resource, None)
        if node is None or resource.kind is not _CLONE:
            return flags
        return self._collective(action, resource, node) | (flags & RUNNABLE)

    def of_member(self, action: Action, node: ClusterNode | None) -> int:
        """The flags of a collective's member with regard to a node."""
        resource = action.resource
        if resource is None or resource.kind is _PRIMITIVE:
            return own_flags(action)
        return self._collective(action, resource, node)

    def completed(self, action: Action) -> Action:
        """What an edge to another resource really starts from: for a collective, its completed form (section 11.3)."""
        found = self._completed.get(action.id)
        if found is None:
            found = self._completed[action.id] = _completed(action)
        return found

    def _collective(self, action: Action, resource: Resource, node: ClusterNode | None) -> int:
        key = (action.id, -1 if node is None else node.index)
        flags = self._known.get(key)
        if flags is None:
            flags = self._group(action, resource, node) if resource.kind is _GROUP else self._summary(action, node)
            self._known[key] = flags
        return flags

    def _group(self, action: Action, group: Resource, node: ClusterNode | None) -> int:
        flags = OPTIONAL | RUNNABLE
        for member in group.children:
            task = plain_task(action.task, member)
            found = newest(member, task=task, node=node)
            if found is None:
                if task not in ("stop", "demote"):
                    flags &= ~RUNNABLE
                continue
            if flags & OPTIONAL and not found.optional:
                flags &= ~OPTIONAL
                action.optional = False
            if task != action.task and flags & RUNNABLE and not found.runnable:
                flags &= ~RUNNABLE
                action.runnable = False
        return flags

    def _summary(self, action: Action, node: ClusterNode | None) -> int:
        """The flags of a clone's or bundle's action: required if one instance's is, runnable if any is."""
        of_instances = self._instances.get(action.id)
        if of_instances is None:
            of_instances = self._instances[action.id] = _InstanceActions(action)
        flags = OPTIONAL
        for found in of_instances.on(node):
            of_child = self.of_member(found, node)
            if flags & OPTIONAL and not of_child & OPTIONAL:
                flags &= ~OPTIONAL
                action.optional = False
            flags |= of_child & RUNNABLE
        if node is None and not flags & RUNNABLE:
            action.runnable = False
        return flags


class _InstanceActions:
    """The instances' actions that the action of a clone or bundle stands for: the newest of each, anywhere or by node."""

    __slots__ = ("_anywhere", "_by_node", "_of_collectives")

    def __init__(self, action: Action) -> None:
        self._anywhere: list[Action] = []
        self._by_node: dict[int, list[Action]] = {}
        self._of_collectives: list[Action] = []
        task = task_of_instances(action)
        for child in instances(action):
            wanted = plain_task(task, child)
            found = [each for each in reversed(child.planned.actions) if each.task == wanted]
            self._anywhere += found[:1]
            if child.children:
                self._of_collectives += found[:1]
            else:
                self._add(found)

    def on(self, node: ClusterNode | None) -> list[Action]:
        """The newest actions on a node or, without one, anywhere; a group's are taken wherever they are."""
        if node is None:
            return self._anywhere
        return self._by_node.get(node.index, []) or self._of_collectives

    def _add(self, actions: list[Action]) -> None:
        seen: set[int] = set()
        for action in actions:
            if action.node is not None and action.node.index not in seen:
                seen.add(action.node.index)
                self._by_node.setdefault(action.node.index, []).append(action)


def _completed(action: Action) -> Action:
    resource = action.resource
    if resource is None or resource.kind is _PRIMITIVE or "notify" in action.key or action.interval_ms:
        return action
    task = COMPLETED.get(action.task, action.task)
    if task not in COMPLETED.values():
        return action
    parent = resource.parent
    outermost = parent is None or (resource.kind is _CLONE and parent.kind is Kind.BUNDLE)
    if outermost and (resource.configured.notify or (resource.clone is not None and resource.clone.notify)):
        key = f"{resource.id}_confirmed-post_notify_{task}_0"
    else:
        key = action_key(resource.id, task)
    return newest(resource, key=key) or action
