"""Making orderings, which name what they order, and edges, which join two actions.

Source: the scheduler's specification, part 3, sections 8.1, 9.1 and 11.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.scheduler.cause import Cause
from reconciler.scheduler.working.action import Edge
from reconciler.scheduler.working.constraints import Ordering
from reconciler.scheduler.working.effects import NOMIG, NONE, ORD

if TYPE_CHECKING:
    from reconciler.scheduler.working.action import Action
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.resource import Resource


def order(
    cluster: Cluster,
    first: Action | tuple[Resource, str],
    then: Action | tuple[Resource, str],
    effects: int,
    cause: Cause,
) -> None:
    """Note "first then then", and what it means for live migration (section 8.1).

    Edges come into being later, when all orderings are applied in order of their creation.
    """
    ordering = Ordering(first, then, effects, cause)
    cluster.orderings.append(ordering)
    one, other = ordering.first_resource, ordering.then_resource
    if one is None or other is None or one is other or not (one.may_migrate or other.may_migrate):
        return
    if not (one.is_inside(other) or other.is_inside(one)):
        _order_migrations(cluster, ordering, one, other)


def add_edge(first: Action, then: Action, effects: int, cause: Cause | None) -> bool:
    """Join two actions by an edge; False, and nothing done, if one that shares an effect joins them already.

    A disabled edge still counts with the effects it was made with.
    """
    if effects == NONE:
        return False
    linked = then.linked
    known = linked.get(first.id, NONE)
    if known & effects:
        return False
    linked[first.id] = known | effects
    edge = Edge(first, then, effects, cause)
    first.outputs.append(edge)
    then.inputs.append(edge)
    return True


def first_key(ordering: Ordering) -> str:
    """The key of the first side, whichever way it is named."""
    return ordering.first_action.key if ordering.first_action is not None else ordering.first_key or ""


def then_key(ordering: Ordering) -> str:
    """The key of the then side, whichever way it is named."""
    return ordering.then_action.key if ordering.then_action is not None else ordering.then_key or ""


def _order_migrations(cluster: Cluster, ordering: Ordering, one: Resource, other: Resource) -> None:
    """Add what an ordering of starts or stops means for the migrations that may take their place."""
    if not other.may_migrate:
        return
    first, then = first_key(ordering), then_key(ordering)
    migrate_to = (other, f"{other.id}_migrate_to_0")
    unless_migrating = ORD | NOMIG if one.may_migrate else ORD
    followers: list[tuple[tuple[Resource, str], int]]
    match _task(one, first), _task(other, then):
        case "start", "start":
            if one.may_migrate:
                done = (one, f"{one.id}_migrate_from_0")
                cluster.orderings.append(Ordering(done, migrate_to, ORD, ordering.cause))
            followers = [(migrate_to, unless_migrating)]
        case "promote", "start":
            followers = [(migrate_to, ORD)]
        case "stop", "stop":
            followers = _leaving(other, unless_migrating)
        case "demote", "stop":
            followers = _leaving(other, ORD)
        case _:
            return
    for follower, effects in followers:
        cluster.orderings.append(Ordering((one, first), follower, effects, ordering.cause))


def _leaving(resource: Resource, effects: int) -> list[tuple[tuple[Resource, str], int]]:
    """The migrate actions by which the resource leaves its node."""
    halves = ["migrate_to"]
    if resource.found.partial_target is not None:
        halves.append("migrate_from")
    return [((resource, f"{resource.id}_{half}_0"), effects) for half in halves]


def _task(resource: Resource, key: str) -> str:
    """The task of a non-recurring key of this resource, empty if it is none."""
    prefix = f"{resource.id}_"
    return key[len(prefix) : -2] if key.startswith(prefix) and key.endswith("_0") else ""
