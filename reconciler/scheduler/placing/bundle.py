"""Assigning a bundle: its containers, then what belongs to each, then the roles of the inner instances.

Source: the scheduler's specification, part 2, section 22.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.score import INFINITY
from reconciler.scheduler.cause import Cause, Contribution, Why
from reconciler.scheduler.constraining.colocation import add_colocation
from reconciler.scheduler.placing.assignment import assign
from reconciler.scheduler.placing.instances import compare_instances, distribute
from reconciler.scheduler.placing.partners import instances
from reconciler.scheduler.placing.score_lines import BUNDLE, list_scores
from reconciler.scheduler.placing.settling import settle_nowhere
from reconciler.scheduler.placing.thresholds import threshold_reached
from reconciler.scheduler.working.constraints import ColocationPair
from reconciler.scheduler.working.table_order import merge_sort

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import BundleReplica, Resource


MOST_NESTED_RUNS = 100
"""How often a bundle is gone through again because its own parts ask for it; the program to be matched may never end there."""


def assign_bundle(cluster: Cluster, bundle: Resource, preferred: ClusterNode | None) -> None:
    """Assign what of the bundle isn't settled. Unlike other kinds it is gone through at every request, and listed again.

    Its parts may follow something that follows the bundle: such a circle is cut after some rounds.
    """
    fields = bundle.bundle
    if fields is None:
        return
    if bundle.placed.runs:
        if bundle.placed.nested_runs == MOST_NESTED_RUNS:
            return
        bundle.placed.nested_runs += 1
        if bundle.placed.nested_runs == MOST_NESTED_RUNS:
            cluster.messages.append(f"colocations lead from the bundle {bundle.id} back to itself")
    bundle.placed.runs += 1
    bundle.placed.assigning = True
    list_scores(cluster, bundle, BUNDLE)
    containers = merge_sort(instances(bundle), compare_instances(cluster))
    distribute(cluster, bundle, containers, len(fields.replicas), fields.replicas_per_host)
    for replica in fields.replicas:
        _assign_replica(cluster, replica, preferred)
    if fields.clone is not None:
        _assign_inner_clone(cluster, bundle, fields.clone, preferred)
    bundle.placed.settled = True
    bundle.placed.assigning = False
    bundle.placed.runs -= 1
    if bundle.placed.nested_runs == MOST_NESTED_RUNS and not bundle.placed.runs:
        _drop_surplus(cluster, bundle)


def _drop_surplus(cluster: Cluster, bundle: Resource) -> None:
    """Keep the limit per node after a circle was cut: its rounds didn't know of each other's containers."""
    limit = 1 if bundle.bundle is None else bundle.bundle.replicas_per_host
    counts: dict[int, int] = {}
    for container in instances(bundle):
        if container.placed.node is None:
            continue
        index = container.placed.node.index
        counts[index] = counts.get(index, 0) + 1
        if counts[index] > limit and container.managed:
            settle_nowhere(cluster, container, Cause(Why.CLONE_LIMIT, bundle.id, "replicas-per-host"))


def _assign_replica(cluster: Cluster, replica: BundleReplica, preferred: ClusterNode | None) -> None:
    """Assign the address, connection and inner instance that belong to a container."""
    if replica.ip is not None:
        assign(cluster, replica.ip, preferred)
    host = None if replica.container is None else replica.container.placed.node
    connection = replica.connection
    if connection is not None:
        if host is not None and host.connection is not None:
            # A connection inside a remote node runs where that node's own connection does.
            cause = Cause(Why.REMOTE, host.connection.id)
            nested = ColocationPair("child-remote-with-docker-remote", connection, host.connection, INFINITY, cause)
            add_colocation(cluster, nested)
        assign(cluster, connection, preferred)
    if replica.primitive is not None:
        _assign_inside(cluster, replica, replica.primitive)


def _assign_inside(cluster: Cluster, replica: BundleReplica, instance: Resource) -> None:
    """Assign the inner instance to its own node."""
    own = replica.node
    cause = Cause(Why.CONTAINER, "" if replica.container is None else replica.container.id)
    for index in instance.placed.table.scores:
        if own is None or index != own.index:
            _set(instance, index, -INFINITY, cause)
        elif not threshold_reached(cluster, instance, own):
            _set(instance, index, INFINITY, cause)
    clone = instance.parent
    if clone is None:
        return
    clone.placed.assigning = True  # So that the instance doesn't ask for it.
    assign(cluster, instance, own)
    clone.placed.assigning = False


def _assign_inner_clone(cluster: Cluster, bundle: Resource, clone: Resource, preferred: ClusterNode | None) -> None:
    """Assign the inner clone, whose instances have their nodes already: only their roles are left to choose."""
    fields = bundle.bundle
    own = {replica.node.index for replica in (fields.replicas if fields else ()) if replica.node is not None}
    for index in clone.placed.table.scores:
        _set(clone, index, 0 if index in own else -INFINITY, Cause(Why.CONTAINER, bundle.id))
    assign(cluster, clone, preferred)


def _set(resource: Resource, index: int, score: int, cause: Cause) -> None:
    if resource.placed.table.scores[index] != score:
        resource.placed.table.set(index, score)
        resource.placed.contributions.append(Contribution(index, score, cause, replaced=True))
