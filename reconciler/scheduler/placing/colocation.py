"""What a colocation does to its dependent: to the scores of its nodes, or to the priority of its promotion.

Source: the scheduler's specification, part 2, section 15.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from reconciler.model.score import INFINITY, add
from reconciler.model.text import integer, is_true
from reconciler.scheduler.cause import Cause, Contribution
from reconciler.scheduler.placing.candidates import any_usable
from reconciler.scheduler.placing.partners import find_partner, instances
from reconciler.scheduler.placing.settling import settle
from reconciler.scheduler.placing.walk import BY_NAME, attribute_values
from reconciler.scheduler.roles import Kind, Role
from reconciler.scheduler.working.whereabouts import blocked, next_role, score_when_assigned, single_node

if TYPE_CHECKING:
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.constraints import ColocationPair
    from reconciler.scheduler.working.resource import Resource
    from reconciler.scheduler.working.table import NodeTable


class Affects(enum.Enum):
    """What of the dependent a colocation affects at the moment."""

    NOTHING = "nothing"
    SCORES = "scores"
    PRIORITY = "priority"


def apply_colocation(cluster: Cluster, dependent: Resource, primary: Resource, colocation: ColocationPair) -> None:
    """Apply the constraint with this dependent and primary, which may be instances of those that it names."""
    if dependent.kind is Kind.GROUP:
        for member in _representatives(dependent, colocation, first=True):
            apply_colocation(cluster, member, primary, colocation)
        return
    match primary.kind:
        case Kind.PRIMITIVE:
            _apply_with_primitive(cluster, dependent, primary, colocation)
        case Kind.GROUP:
            if primary.placed.settled:
                for member in _representatives(primary, colocation, first=colocation.score < INFINITY):
                    apply_colocation(cluster, dependent, member, colocation)
        case Kind.CLONE:
            _apply_with_clone(cluster, dependent, primary, colocation)
        case Kind.BUNDLE:
            _apply_with_bundle(cluster, dependent, primary, colocation)


def affects(dependent: Resource, primary: Resource, colocation: ColocationPair, *, preview: bool = False) -> Affects:
    """What the constraint affects (section 15.3); `preview` asks as if the primary were settled and the dependent not."""
    if not preview and not primary.placed.settled:
        return Affects.NOTHING
    if colocation.dependent_role >= Role.UNPROMOTED and dependent.placed.settled:
        parent = dependent.parent
        if parent is not None and parent.promotable_root:
            return Affects.PRIORITY
    if not preview and dependent.placed.settled:
        return Affects.NOTHING
    # A role that matches lets a positive score act, and keeps a negative one from acting.
    wanted = colocation.score > 0
    for resource, role in ((dependent, colocation.dependent_role), (primary, colocation.primary_role)):
        if role is not Role.UNKNOWN and (role is resource.placed.next_role) is not wanted:
            return Affects.NOTHING
    return Affects.SCORES


def _representatives(group: Resource, colocation: ColocationPair, *, first: bool) -> list[Resource]:
    """The members that stand for the group: its first or last one, or each when the group isn't collocated.

    A mandatory colocation with a group that isn't collocated makes no sense and does nothing.
    """
    if group.configured.group_collocated:
        return [group.children[0 if first else -1]] if group.children else []
    return [] if colocation.score >= INFINITY else group.children


def _apply_with_primitive(cluster: Cluster, dependent: Resource, primary: Resource, colocation: ColocationPair) -> None:
    match affects(dependent, primary, colocation):
        case Affects.PRIORITY:
            _change_priority(cluster, dependent, primary, colocation)
        case Affects.SCORES:
            _change_scores(cluster, dependent, primary, colocation)


def _apply_with_clone(cluster: Cluster, dependent: Resource, clone: Resource, colocation: ColocationPair) -> None:
    if not clone.placed.settled:
        return
    if clone.promotable_root and colocation.primary_role is not Role.UNKNOWN:
        if not dependent.placed.settled:
            _follow_role(cluster, dependent, clone, colocation)
            return
        if colocation.dependent_role is Role.PROMOTED:
            _promote_with_partner(cluster, dependent, clone, colocation)
            return
    if _interleaved(colocation, clone):
        _apply_with_partner(cluster, dependent, clone, colocation)
    elif colocation.score >= INFINITY:
        _confine(dependent, [child for child in clone.children if not blocked(child)], colocation)
    else:
        for instance in tuple(clone.children):
            apply_colocation(cluster, dependent, instance, colocation)


def _apply_with_bundle(cluster: Cluster, dependent: Resource, bundle: Resource, colocation: ColocationPair) -> None:
    if not bundle.placed.settled:
        return
    containers = instances(bundle)
    if colocation.dependent.kind >= Kind.CLONE:
        _apply_with_partner(cluster, dependent, bundle, colocation)
    elif colocation.score >= INFINITY:
        _confine(dependent, _hosting(bundle, colocation.primary_role), colocation)
    else:
        for container in containers:
            apply_colocation(cluster, dependent, container, colocation)


def _hosting(bundle: Resource, role: Role) -> list[Resource]:
    """The containers that are not blocked; for the promoted role only those whose inner instance will be promoted."""
    return [
        replica.container
        for replica in (bundle.bundle.replicas if bundle.bundle is not None else ())
        if replica.container is not None
        and not blocked(replica.container)
        and (
            role is not Role.PROMOTED
            or (replica.primitive is not None and replica.primitive.placed.next_role is Role.PROMOTED)
        )
    ]


def _interleaved(colocation: ColocationPair, clone: Resource) -> bool:
    """Whether instances are paired: the dependent asks for it, and both have as many copies per node."""
    dependent = colocation.dependent
    if dependent.kind < Kind.CLONE or not is_true(dependent.configured.meta.get("interleave")):
        return False
    return copies_per_node(dependent) == copies_per_node(clone)


def copies_per_node(collective: Resource) -> int:
    """How many instances of a clone or bundle may be on one node, as configured."""
    if collective.bundle is not None:
        return collective.bundle.replicas_per_host
    configured = collective.configured.meta.get("clone-node-max")
    return 1 if configured is None else max(0, integer(configured, 0))


def _apply_with_partner(
    cluster: Cluster, dependent: Resource, collective: Resource, colocation: ColocationPair
) -> None:
    """Pair the dependent with an instance of the collective; when it must have one and there is none, it gets no node."""
    partner = find_partner(cluster, dependent, collective)
    if partner is not None:
        apply_colocation(cluster, dependent, partner, colocation)
    elif colocation.score >= INFINITY:
        settle(cluster, dependent, None, _cause(colocation, collective), forced=True)


def _confine(dependent: Resource, hosts: list[Resource], colocation: ColocationPair) -> None:
    """Forbid the dependent every node on which none of these is."""
    allowed = {node.index for host in hosts if (node := single_node(host)) is not None}
    _forbid_others(dependent, allowed, _cause(colocation, colocation.primary))


def _forbid_others(dependent: Resource, allowed: set[int], cause: Cause) -> None:
    """Forbid the dependent every other node, and the allowed ones that are not in its table."""
    scores = dependent.placed.table.scores
    for index, score in scores.items():
        if index not in allowed and score > -INFINITY:
            scores[index] = -INFINITY
            dependent.placed.contributions.append(Contribution(index, -INFINITY, cause))
    for index in sorted(allowed - scores.keys()):
        scores[index] = -INFINITY
        dependent.placed.contributions.append(Contribution(index, -INFINITY, cause))


def _change_scores(cluster: Cluster, dependent: Resource, primary: Resource, colocation: ColocationPair) -> None:
    """Change the scores by where the primary is; an optional constraint that leaves no usable node does nothing."""
    score = colocation.score
    if primary.placed.node is None and score < 0:
        return
    work = dependent.placed.table.copy()
    if primary.placed.node is None:
        work.scores = {index: add(-score, own) for index, own in work.scores.items()}
    else:
        values = attribute_values(cluster, colocation.node_attribute or "#id").values
        value = values[primary.placed.node.index]
        scores = work.scores
        for index, own in scores.items():
            if values[index] != value:
                if score >= INFINITY:
                    scores[index] = -INFINITY
            elif score < INFINITY:
                scores[index] = add(score, own)
    if abs(score) >= INFINITY or any_usable(cluster, work):
        replace_table(dependent, work, _cause(colocation, primary))


def replace_table(resource: Resource, table: NodeTable, cause: Cause) -> None:
    """Give the resource a new table, noting what differs from the old one."""
    old = resource.placed.table.scores
    if table.scores != old:
        for index, score in table.scores.items():
            before = old.get(index, 0)
            if score != before:
                change = score if abs(score) >= INFINITY else score - before
                resource.placed.contributions.append(Contribution(index, change, cause))
    resource.placed.table = table


def _change_priority(cluster: Cluster, dependent: Resource, primary: Resource, colocation: ColocationPair) -> None:
    """Change how much the dependent, which has its node already, is to be promoted."""
    if dependent.placed.node is None or primary.placed.node is None:
        return
    values = attribute_values(cluster, colocation.node_attribute or BY_NAME).values
    promoted = colocation.dependent_role is Role.PROMOTED
    if values[dependent.placed.node.index] != values[primary.placed.node.index]:
        if colocation.score == INFINITY and promoted:
            dependent.placed.promotion_priority = -INFINITY
    elif colocation.primary_role is Role.UNKNOWN or primary.placed.next_role is colocation.primary_role:
        change = colocation.score if promoted else -colocation.score
        dependent.placed.promotion_priority = add(change, dependent.priority)


def _promote_with_partner(cluster: Cluster, dependent: Resource, clone: Resource, colocation: ColocationPair) -> None:
    partner = find_partner(cluster, dependent, clone, colocation.primary_role)
    if partner is not None:
        dependent.placed.promotion_priority = add(dependent.priority, colocation.score)
    elif colocation.score >= INFINITY:
        dependent.placed.promotion_priority = -INFINITY


def _follow_role(cluster: Cluster, dependent: Resource, clone: Resource, colocation: ColocationPair) -> None:
    """Place the dependent relative to those instances of a promotable clone that have the constraint's role."""
    wanted: dict[int, Resource] = {}
    values = attribute_values(cluster, colocation.node_attribute or BY_NAME).values
    cause = _cause(colocation, clone)
    for instance in clone.children:
        node = single_node(instance)
        if node is None or next_role(instance) is not colocation.primary_role:
            continue
        wanted[node.index] = instance
        if colocation.score < INFINITY:
            for index in dependent.placed.table.scores:
                if values[index] == values[node.index]:
                    dependent.placed.table.add(index, colocation.score)
                    dependent.placed.contributions.append(Contribution(index, colocation.score, cause))
    if colocation.score < INFINITY:
        return
    if colocation.dependent_role is Role.PROMOTED and colocation.primary_role is Role.PROMOTED:
        return
    scores = dependent.placed.table.scores
    for index in sorted(wanted.keys() & scores.keys()):
        bonus = score_when_assigned(wanted[index])
        scores[index] = add(bonus, scores[index])
        if bonus:
            dependent.placed.contributions.append(Contribution(index, bonus, cause))
    _forbid_others(dependent, set(wanted), cause)


def _cause(colocation: ColocationPair, other: Resource) -> Cause:
    return colocation.cause._replace(detail=other.id)
