"""Bundles: the orderings between container, address, connection and contents, and the bundle's own pseudo actions.

Source: the scheduler's specification, part 3, section 9.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.score import INFINITY
from reconciler.scheduler.acting.clone import ROLE_PHASES, create_start_and_stop, order_own_phases, request_pseudo
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.actions import action_key
from reconciler.scheduler.noting.orderings import order
from reconciler.scheduler.working.effects import KEEP, RF, RN, SHF, SHT

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.resource import BundleReplica, Resource


def order_bundle(cluster: Cluster, bundle: Resource, order_part: Callable[[Cluster, Resource], None]) -> None:
    """Order the bundle against its parts, and each part against those that it needs."""
    fields = bundle.bundle
    assert fields is not None
    cause = Cause(Why.IMPLICIT, bundle.id, "bundle")
    inner = fields.clone
    if inner is not None:
        _then(cluster, bundle, "start", inner, "start", SHF, cause)
        _then(cluster, bundle, "stop", inner, "stop", SHF, cause)
        _then(cluster, inner, "running", bundle, "running", SHT, cause)
        _then(cluster, inner, "stopped", bundle, "stopped", SHT, cause)
    for replica in fields.replicas:
        _order_replica(cluster, bundle, replica, order_part, cause)
    if inner is None:
        return
    order_part(cluster, inner)
    if inner.clone is not None and inner.clone.promotable:
        order_own_phases(cluster, bundle, ROLE_PHASES, cause)
        _then(cluster, inner, "demoted", bundle, "demoted", SHT, cause)
        _then(cluster, bundle, "demote", inner, "demote", SHF, cause)
        _then(cluster, inner, "promoted", bundle, "promoted", SHT, cause)
        _then(cluster, bundle, "promote", inner, "promote", SHF, cause)


def create_bundle_actions(cluster: Cluster, bundle: Resource, create_part: Callable[[Cluster, Resource], None]) -> None:
    """Create the parts' actions, the bundle's own (judged by its containers), and those of what runs inside."""
    fields = bundle.bundle
    assert fields is not None
    for replica in fields.replicas:
        for part in (replica.ip, replica.container, replica.connection):
            if part is not None:
                create_part(cluster, part)
    containers = [replica.container for replica in fields.replicas if replica.container is not None]
    create_start_and_stop(cluster, bundle, containers, create_part)
    if fields.clone is None:
        return
    create_part(cluster, fields.clone)
    if fields.clone.clone is not None and fields.clone.clone.promotable:
        for task, done in (("promote", "promoted"), ("demote", "demoted")):
            request_pseudo(cluster, bundle, task, optional=True)
            request_pseudo(cluster, bundle, done, optional=True).priority = INFINITY


def _order_replica(
    cluster: Cluster,
    bundle: Resource,
    replica: BundleReplica,
    order_part: Callable[[Cluster, Resource], None],
    cause: Cause,
) -> None:
    container = replica.container
    assert container is not None
    order_part(cluster, container)
    _then(cluster, bundle, "start", container, "start", RN | SHF, cause)
    if replica.primitive is not None:
        _then(cluster, bundle, "stop", replica.primitive, "stop", SHF, cause)
    _then(cluster, bundle, "stop", container, "stop", SHF, cause)
    _then(cluster, container, "start", bundle, "running", SHT, cause)
    _then(cluster, container, "stop", bundle, "stopped", SHT, cause)
    if replica.ip is not None:
        order_part(cluster, replica.ip)
        _then(cluster, replica.ip, "start", container, "start", RN | KEEP, cause)
        _then(cluster, container, "stop", replica.ip, "stop", RF | KEEP, cause)
    if replica.connection is not None:
        order_part(cluster, replica.connection)


def _then(
    cluster: Cluster, first: Resource, first_task: str, second: Resource, task: str, effects: int, cause: Cause
) -> None:
    first_side = (first, action_key(first.id, first_task))
    order(cluster, first_side, (second, action_key(second.id, task)), effects, cause)
