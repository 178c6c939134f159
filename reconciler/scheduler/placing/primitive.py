"""Assigning a primitive: its colocations first, then the choice of its node.

Source: the scheduler's specification, part 2, section 18.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.score import INFINITY
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.noting.condition import leave_alone
from reconciler.scheduler.noting.roles import want_role
from reconciler.scheduler.noting.scores import ban_everywhere
from reconciler.scheduler.placing.assignment import assign
from reconciler.scheduler.placing.candidates import any_usable, best_candidate, note_availability, usable
from reconciler.scheduler.placing.colocation import apply_colocation, replace_table
from reconciler.scheduler.placing.influence import has_influence
from reconciler.scheduler.placing.mixing import mix_dependent
from reconciler.scheduler.placing.score_lines import PRIMITIVE, list_scores
from reconciler.scheduler.placing.settling import settle
from reconciler.scheduler.placing.utilization import ban_full_nodes
from reconciler.scheduler.roles import Kind, Role
from reconciler.scheduler.working.activity import current_node

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.constraints import ColocationPair
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def assign_primitive(cluster: Cluster, resource: Resource, preferred: ClusterNode | None) -> ClusterNode | None:
    """Assign the primitive, unless it is settled or in the middle of its assignment; the answer is its node, if any."""
    parent = resource.parent
    if parent is not None and not parent.placed.assigning:
        assign(cluster, parent, preferred)
    if resource.placed.settled:
        return resource.placed.node
    if resource.placed.assigning:
        return None
    resource.placed.assigning = True
    for colocation in tuple(resource.placed.colocations):
        _follow(cluster, resource, colocation)
    for colocation in tuple(resource.placed.followers):
        if has_influence(colocation, colocation.primary):
            table = mix_dependent(cluster, colocation, resource.placed.table)
            replace_table(resource, table, colocation.cause._replace(detail=colocation.dependent.id))
    _consider_role(cluster, resource)
    list_scores(cluster, resource, PRIMITIVE)
    _choose(cluster, resource, preferred)
    resource.placed.assigning = False
    if resource.configured.is_connection:
        _update_remote_node(cluster, resource)
    return resource.placed.node


def _follow(cluster: Cluster, resource: Resource, colocation: ColocationPair) -> None:
    """Assign the primary, then apply the constraint; one that can be dropped is, if it leaves no usable node."""
    droppable = colocation.dependent_role is Role.PROMOTED or -INFINITY < colocation.score < 0
    saved = resource.placed.table.copy() if droppable else None
    noted = len(resource.placed.contributions)
    assign(cluster, colocation.primary)
    apply_colocation(cluster, resource, colocation.primary, colocation)
    if saved is not None and not any_usable(cluster, resource.placed.table):
        resource.placed.table = saved
        del resource.placed.contributions[noted:]


def _consider_role(cluster: Cluster, resource: Resource) -> None:
    """What the wanted role means for the scores: what is to be stopped runs nowhere."""
    if resource.placed.next_role is Role.STOPPED:
        ban_everywhere(cluster, resource, resource.placed.next_role_cause or Cause(Why.TARGET_ROLE, resource.id))
    elif (
        resource.placed.next_role > resource.found.role
        and not cluster.have_quorum
        and cluster.options.no_quorum_policy == "freeze"
    ):
        want_role(resource, resource.found.role, Cause(Why.QUORUM, "no-quorum-policy", "freeze"))


def _choose(cluster: Cluster, resource: Resource, preferred: ClusterNode | None) -> None:
    if cluster.options.stonith_enabled and not cluster.has_fence_device:
        leave_alone(resource)
    if not resource.managed:
        cause = Cause(Why.UNMANAGED, resource.id)
        want_role(resource, resource.found.role, cause)
        settle(cluster, resource, current_node(resource), cause, forced=True)
    elif cluster.options.stop_all_resources:
        settle(cluster, resource, None, Cause(Why.STOP_ALL, "stop-all-resources"), forced=True)
    elif not resource.placed.settled:
        node = _best_node(cluster, resource, preferred)
        settle(cluster, resource, node, _reason(cluster, resource, node))


def _best_node(cluster: Cluster, resource: Resource, preferred: ClusterNode | None) -> ClusterNode | None:
    """The preferred node if it is as good as any, else the best candidate, else none."""
    if cluster.options.placement_strategy != "default":
        most_capable = ban_full_nodes(cluster, resource)
        preferred = most_capable if preferred is None else preferred
    here = current_node(resource)
    best = best_candidate(cluster, resource.placed.table, here)
    if best is None:
        return None
    scores = resource.placed.table.scores
    best_score = scores[best.index]
    if preferred is not None:
        score = scores.get(preferred.index)
        if score is not None and score >= best_score and usable(cluster, preferred.index, score):
            return preferred
    if best_score <= 0 or not cluster.available[best.index] or _is_unique_instance(resource):
        return best
    if here is None or here.base_score < 0 or not cluster.available[here.index]:
        return best
    return here if scores.get(here.index) == best_score else best


def _is_unique_instance(resource: Resource) -> bool:
    parent = resource.parent
    return parent is not None and parent.kind is Kind.CLONE and parent.configured.unique


def _reason(cluster: Cluster, resource: Resource, node: ClusterNode | None) -> Cause:
    """Why it was this node: what spoke for it most; or why none: what forbade the current, or else the last one."""
    changes = resource.placed.contributions
    if node is not None and usable(cluster, node.index, resource.placed.table.scores[node.index]):
        chosen = [change for change in changes if change.node == node.index and change.score > 0]
        best = max(chosen, key=lambda change: change.score, default=None)
        return Cause(Why.BASE_SCORE, node.name) if best is None else best.cause
    here = current_node(resource)
    bans = [change for change in changes if change.score <= -INFINITY]
    if here is not None:
        bans = [ban for ban in bans if ban.node in (here.index, -1)] or bans
    if bans:
        return bans[-1].cause
    return Cause(Why.NODE_STATE, "" if node is None else node.name, "no node is available")


def _update_remote_node(cluster: Cluster, connection: Resource) -> None:
    """A remote node can be used as soon as its connection has a host, and no longer when it has none."""
    node = cluster.node_index.get(connection.id)
    if node is None:
        return
    if connection.placed.node is not None and connection.placed.next_role is not Role.STOPPED:
        node.online = True
        if node.unseen:
            node.unclean = False
    else:
        node.shutdown = True
    note_availability(cluster, node)
