"""Edits that may let a resource run, found from the reasons why it does not. They are proposals: whoever asks tries them."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.analysis import edits
from reconciler.analysis.edits import Edit
from reconciler.model.constraint import Colocation, Order
from reconciler.model.score import INFINITY
from reconciler.model.text import integer
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.roles import Role
from reconciler.scheduler.working.cluster import Cluster
from reconciler.scheduler.working.node import ClusterNode
from reconciler.scheduler.working.resource import Resource

DEEPEST = 4
"""How many resources are followed from one to the next."""


def remedies(cluster: Cluster, leaf: Resource, on: ClusterNode | None = None) -> list[Edit]:
    """Edits that may let the primitive run (on the node, if one is given), each once, nearest reasons first."""
    found: dict[str, Edit] = {}
    for edit in _remedies(cluster, leaf, on, frozenset()):
        found.setdefault(edit.text, edit)
    return list(found.values())


def _remedies(cluster: Cluster, leaf: Resource, on: ClusterNode | None, seen: frozenset[str]) -> Iterator[Edit]:
    if leaf.id in seen or len(seen) >= DEEPEST:
        return
    seen |= {leaf.id}
    yield from _of_options(cluster)
    yield from _of_resource(cluster, leaf)
    nodes = [on] if on is not None else cluster.nodes
    for node in nodes:
        yield from _of_node(cluster, leaf, node, seen)
    if on is not None and leaf.node is not None and leaf.node is not on:
        yield from _of_scores(leaf, on)
    for action in leaf.actions:
        if action.task in ("start", "promote") and not action.runnable:
            for edge in action.inputs:
                if not edge.first.runnable and edge.effects and edge.first.resource not in (None, leaf):
                    yield from _of_order(cluster, edge.cause, edge.first.resource, seen)


def _of_options(cluster: Cluster) -> Iterator[Edit]:
    if cluster.options.stop_all_resources:
        yield edits.set_option("stop-all-resources", "false", weight=1)
    if cluster.options.maintenance_mode:
        yield edits.set_option("maintenance-mode", "false", weight=1)
    if not cluster.have_quorum:
        yield edits.regain_quorum()
    if cluster.options.stonith_enabled and not cluster.has_fence_device:
        yield edits.set_option("stonith-enabled", "false", weight=5)


def _of_resource(cluster: Cluster, leaf: Resource) -> Iterator[Edit]:
    """What the resource itself, or what it belongs to, says about whether it runs."""
    owner: Resource | None = leaf
    while owner is not None:
        if owner.meta.get("target-role", "").lower() in ("stopped", "unpromoted", "slave"):
            yield edits.set_meta(owner.config_id, "target-role", "Started")
        if not owner.managed and not cluster.options.maintenance_mode:
            yield edits.set_meta(owner.config_id, "is-managed", "true")
        if owner.maintenance:
            yield edits.set_meta(owner.config_id, "maintenance", "false")
        for rule in owner.tickets:
            if not rule.ticket.granted or rule.ticket.standby:
                yield edits.grant_ticket(rule.ticket.id)
        owner = owner.parent
    if leaf.failed or leaf.blocked or any(entry.resource is leaf for entry in cluster.failed):
        yield edits.forget(leaf.history_name or leaf.config_id)


def _of_node(cluster: Cluster, leaf: Resource, node: ClusterNode, seen: frozenset[str]) -> Iterator[Edit]:
    """What forbids the node, or keeps it from being used."""
    if node.standby and not node.pending:
        yield edits.clear_node_attribute(node.name, "standby", f"take {node.name} out of standby")
    if node.maintenance:
        yield edits.clear_node_attribute(node.name, "maintenance", f"take {node.name} out of maintenance")
    if not node.online and not node.is_remote:
        yield edits.bring_online(node.name)
    if node.index not in leaf.table:
        yield edits.prefer(leaf.root.config_id, node.name, 0)
    for change in leaf.contributions:
        if change.node in (node.index, -1) and change.score <= -INFINITY:
            yield from _of_ban(cluster, leaf, node, change.cause, seen)


def _of_ban(cluster: Cluster, leaf: Resource, node: ClusterNode, cause: Cause, seen: frozenset[str]) -> Iterator[Edit]:
    match cause.why:
        case Why.LOCATION | Why.DISCOVERY:
            yield edits.remove_constraint(cause.subject)
        case Why.MIGRATION_THRESHOLD | Why.FAILURE:
            yield edits.forget(leaf.history_name or leaf.config_id)
        case Why.TICKET:
            yield edits.grant_ticket(cause.detail)
        case Why.CLONE_LIMIT:
            yield from _of_clone_limit(leaf, cause)
        case Why.UTILIZATION:
            needs = {name: integer(value) for name, value in leaf.utilization.items()}
            yield edits.raise_capacity(
                node.name, {name: need + integer(node.utilization.get(name)) for name, need in needs.items()}
            )
        case Why.COLOCATION | Why.GROUP | Why.CONTAINER:
            yield from _of_colocation(cluster, leaf, cause, seen)


def _of_clone_limit(leaf: Resource, cause: Cause) -> Iterator[Edit]:
    clone = leaf.root.clone
    if clone is not None and cause.detail == "clone-max":
        yield edits.set_meta(leaf.root.config_id, "clone-max", str(clone.clone_max + 1))
    if clone is not None and cause.detail == "clone-node-max" and leaf.root.unique is False:
        return
    if clone is not None and cause.detail == "clone-node-max":
        yield edits.set_meta(leaf.root.config_id, "clone-node-max", str(clone.clone_node_max + 1))


def _of_colocation(cluster: Cluster, leaf: Resource, cause: Cause, seen: frozenset[str]) -> Iterator[Edit]:
    for constraint in cluster.cib.configuration.constraints:
        if isinstance(constraint, Colocation) and constraint.id == cause.subject:
            yield edits.make_optional(constraint)
            yield edits.remove_constraint(constraint.id)
    for colocation in (*leaf.colocations, *leaf.root.colocations):
        if colocation.cause.subject == cause.subject:
            for primary in colocation.primary.leaves()[:2]:
                if primary is not leaf and (primary.node is None or primary.next_role is Role.STOPPED):
                    yield from _remedies(cluster, primary, None, seen)


def _of_order(cluster: Cluster, cause: Cause | None, first: Resource | None, seen: frozenset[str]) -> Iterator[Edit]:
    if first is not None:
        for other in first.leaves()[:2]:
            yield from _remedies(cluster, other, None, seen)
    for constraint in cluster.cib.configuration.constraints:
        if cause is not None and isinstance(constraint, Order) and constraint.id == cause.subject:
            yield edits.make_optional(constraint)


def _of_scores(leaf: Resource, on: ClusterNode) -> Iterator[Edit]:
    """A preference that outweighs what speaks for the node it is on."""
    assert leaf.node is not None
    best, score = leaf.table.get(leaf.node.index), leaf.table.get(on.index)
    if best is None or score is None or score < 0:
        return
    yield edits.prefer(leaf.root.config_id, on.name, max(min(best - score + 1, INFINITY), 1))
