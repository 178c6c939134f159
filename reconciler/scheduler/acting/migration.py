"""Live migration of a primitive: whether it is possible, and its two halves.

Source: the scheduler's specification, part 3, section 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.actions import action_key
from reconciler.scheduler.noting.orderings import order
from reconciler.scheduler.noting.requests import request
from reconciler.scheduler.working.effects import MIGF, ORD, PSD

if TYPE_CHECKING:
    from reconciler.scheduler.working.action import Action
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def can_migrate(resource: Resource, current: ClusterNode | None) -> bool:
    """Whether the primitive could go from its current to its next node without being stopped."""
    if not resource.may_migrate or not resource.managed or resource.found.failed or resource.found.start_pending:
        return False
    if current is None or current.unclean:
        return False
    return resource.placed.node is not None and not resource.placed.node.unclean


def create_migration(cluster: Cluster, resource: Resource, source: ClusterNode) -> None:
    """Let the migration's halves stand in for stop and start, which stay as what to fall back to.

    A migration whose first half is already done (the resource's partial target is its next node) is only completed.
    """
    target = resource.placed.node
    assert target is not None, "can_migrate asks for it"
    cause = Cause(Why.MIGRATION, resource.id, f"{source.name} -> {target.name}")
    start = _request(cluster, resource, "start", target)
    stop = _request(cluster, resource, "stop", source)
    halves = []
    if resource.found.partial_target is None:
        halves.append(_request(cluster, resource, "migrate_to", source))
    halves.append(_request(cluster, resource, "migrate_from", target))
    for action in (start, stop, *halves):
        action.migratable = True
    start.pseudo = True  # Easier than having the graph do without it; it stays unrunnable if it was.
    halves[0].needs = start.needs
    for half in halves:
        half.cause = half.cause or cause
        half.meta.update(migrate_source=source.name, migrate_target=target.name)
    if halves[0].task == "migrate_to" and not resource.configured.is_connection:
        halves[0].meta.setdefault("record-pending", "true")
    _order_halves(cluster, resource, [half.task for half in halves], cause)


def _order_halves(cluster: Cluster, resource: Resource, tasks: list[str], cause: Cause) -> None:
    def then(first: str, task: str, effects: int) -> None:
        first_side, then_side = (resource, action_key(resource.id, first)), (resource, action_key(resource.id, task))
        order(cluster, first_side, then_side, effects, cause)

    then("monitor", tasks[0], ORD)
    if len(tasks) == 2:
        then("migrate_to", "migrate_from", ORD | MIGF)
    then("migrate_from", "stop", ORD | MIGF)
    then("migrate_from", "start", ORD | MIGF | PSD)


def _request(cluster: Cluster, resource: Resource, task: str, node: ClusterNode) -> Action:
    return request(cluster, resource, action_key(resource.id, task), task, node, optional=True)
