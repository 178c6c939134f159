"""From the finished working state to the decisions as values.

Source: the scheduler's specification, parts 1 to 3, for what each field means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.score import add
from reconciler.scheduler.cause import Cause, Contribution
from reconciler.scheduler.decision import (
    CloneLimits,
    DecidedNode,
    Decision,
    Decisions,
    Hindrance,
    Impossible,
    NeededTicket,
)
from reconciler.scheduler.placing.promotion_scores import promotion_score
from reconciler.scheduler.recalling.fail_counts import fail_count
from reconciler.scheduler.roles import Kind, Role
from reconciler.scheduler.working.whereabouts import told_role

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reconciler.scheduler.working.action import Action
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource


def decisions(cluster: Cluster) -> Decisions:
    """Everything that was decided. To be asked last: counting failures anew notes in the working state which never expire."""
    resources = list(_in_tree_order(cluster.resources))
    numbers = {id(resource): number for number, resource in enumerate(resources)}
    options = cluster.options
    return Decisions(
        tuple([_decision(cluster, resource, numbers) for resource in resources]),
        tuple([_node(node) for node in cluster.nodes]),
        cluster.have_quorum,
        options.maintenance_mode,
        options.stop_all_resources,
        options.stonith_enabled,
        cluster.has_fence_device,
    )


def _in_tree_order(resources: list[Resource]) -> Iterator[Resource]:
    for resource in resources:
        yield resource
        yield from _in_tree_order(resource.children)


def _node(node: ClusterNode) -> DecidedNode:
    return DecidedNode(
        node.name,
        node.online,
        node.unclean,
        node.pending,
        node.standby,
        node.standby_on_fail,
        node.maintenance,
        node.shutdown,
        node.is_remote,
        dict(node.utilization),
    )


def _decision(cluster: Cluster, resource: Resource, numbers: Mapping[int, int]) -> Decision:
    clone = resource.clone
    primitive = resource.kind is Kind.PRIMITIVE
    return Decision(
        number=numbers[id(resource)],
        id=resource.id,
        config_id=resource.config_id,
        history_name=resource.found.history_name,
        kind=resource.kind,
        owner=None if resource.parent is None else numbers[id(resource.parent)],
        parts=tuple([numbers[id(child)] for child in resource.children]),
        internal=resource.configured.internal,
        orphan=resource.configured.orphan,
        unique=resource.configured.unique,
        managed=resource.managed,
        maintenance=resource.configured.maintenance,
        blocked=resource.found.blocked,
        failed=resource.found.failed,
        target_role=resource.configured.meta.get("target-role"),
        tickets=_tickets(resource),
        colocations=tuple([(one.cause.subject, numbers[id(one.primary)]) for one in resource.placed.colocations]),
        limits=None
        if clone is None
        else CloneLimits(clone.clone_max, clone.clone_node_max, clone.promoted_max, clone.promotable),
        role=_role(resource),
        next_role=resource.placed.next_role,
        next_role_cause=resource.placed.next_role_cause,
        active_on=tuple([node.name for node in resource.found.active_on]),
        node=None if resource.placed.node is None else resource.placed.node.name,
        assigned=resource.placed.assigned,
        scores=_scores(cluster, resource),
        contributions=_contributions(cluster, resource) if primitive else {},
        impossible=tuple(
            [_impossible(action, numbers) for action in resource.planned.actions if _is_impossible(action)]
        ),
        starts=any(action.task == "start" and not action.optional for action in resource.planned.actions),
        promotion=_promotion(cluster, resource),
        promotion_terms=tuple(_promotion_terms(resource)) if primitive else (),
        utilization=dict(resource.configured.utilization),
        forgiven=tuple(_forgiven(cluster, resource)) if primitive else (),
    )


def _role(resource: Resource) -> Role:
    """The current role; of a group it is its first member's."""
    if resource.kind is Kind.PRIMITIVE:
        return told_role(resource)
    return resource.children[0].found.role if resource.kind is Kind.GROUP and resource.children else Role.STOPPED


def _promotion(cluster: Cluster, resource: Resource) -> int | None:
    if resource.kind is not Kind.PRIMITIVE or resource.placed.node is None or not resource.promotable_root:
        return None
    return promotion_score(cluster, resource, resource.placed.node)


def _promotion_terms(resource: Resource) -> Iterator[Contribution]:
    """What the locations for the promoted role say of the node that it has."""
    if resource.placed.node is None or not resource.promotable_root:
        return
    for one in (resource, resource.root):
        for location in one.placed.locations:
            if location.role is Role.PROMOTED and resource.placed.node.index in location.scores:
                yield Contribution(
                    resource.placed.node.index, location.scores[resource.placed.node.index], location.cause
                )


def _tickets(resource: Resource) -> tuple[NeededTicket, ...]:
    return tuple(
        [
            NeededTicket(rule.ticket.id, rule.ticket.granted, rule.ticket.standby, rule.role, rule.policy, rule.cause)
            for rule in resource.placed.tickets
        ]
    )


def _scores(cluster: Cluster, resource: Resource) -> dict[str, int]:
    """The scores by which it was placed, by node: without what only kept it from being promoted there."""
    names = cluster.nodes_by_index
    scores = {names[index].name: score for index, score in resource.placed.table.scores.items()}
    if resource.kind is Kind.PRIMITIVE and (late := _after_placing(resource)):
        for index in resource.placed.table.scores:
            terms = [term for term in resource.placed.contributions if term.node in (-1, index)]
            if any(term.cause in late for term in terms):
                scores[names[index].name] = _sum(term for term in terms if term.cause not in late)
    return scores


def _sum(terms: Iterable[Contribution]) -> int:
    score = 0
    for term in terms:
        score = term.score if term.replaced else add(score, term.score)
    return score


def _after_placing(resource: Resource) -> frozenset[Cause]:
    """Tickets whose loss forbids an instance that has its place nothing but the promoted role."""
    root = resource.root
    if resource.placed.node is None or not resource.promotable_root:
        return frozenset()
    return frozenset([rule.cause for rule in root.placed.tickets if rule.role is Role.PROMOTED])


def _contributions(cluster: Cluster, resource: Resource) -> dict[str, tuple[Contribution, ...]]:
    """Why the scores are what they are, by node, in the order in which the terms came; some are about every node."""
    found: dict[int, list[Contribution]] = {node.index: [] for node in cluster.nodes}
    late = _after_placing(resource)
    for term in resource.placed.contributions:
        if term.cause in late:
            continue
        for index in found if term.node == -1 else (term.node,):
            found[index].append(term)
    return {cluster.nodes_by_index[index].name: tuple(terms) for index, terms in found.items()}


def _is_impossible(action: Action) -> bool:
    return action.task in ("start", "promote") and not action.runnable


def _impossible(action: Action, numbers: Mapping[int, int]) -> Impossible:
    hindrances = [
        Hindrance(edge.first.task, numbers[id(edge.first.resource)], edge.cause)
        for edge in action.inputs
        if not edge.first.runnable and edge.effects and edge.first.resource is not None
    ]
    node = None if action.node is None else action.node.name
    return Impossible(action.task, node, action.optional, action.cause, action.reason, tuple(hindrances))


def _forgiven(cluster: Cluster, resource: Resource) -> Iterator[str]:
    for node in cluster.nodes:
        if not node.failures:
            continue
        recorded, counting = (
            fail_count(cluster, resource, node, effective=effective, include_fillers=False)
            for effective in (False, True)
        )
        if recorded > 0 and counting == 0:
            yield node.name
