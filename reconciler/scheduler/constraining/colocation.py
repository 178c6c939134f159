"""Colocation constraints: read, and kept in the order in which they are to be looked at.

Source: the scheduler's specification, part 2, sections 12 and 13.1.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from reconciler.model import score
from reconciler.model.constraint import ResourceSet
from reconciler.model.score import INFINITY
from reconciler.model.text import boolean, is_true
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.constraining.order import order_anti_colocation
from reconciler.scheduler.constraining.references import constrained, expand_sets, instance_of, members, read_role
from reconciler.scheduler.roles import Kind, Role
from reconciler.scheduler.working.constraints import ColocationPair

if TYPE_CHECKING:
    from reconciler.model import constraint as configured
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.resource import Resource


def read_colocation(cluster: Cluster, constraint: configured.Colocation) -> None:
    """Record a configured colocation; one that names an unknown resource is dropped, in sets from there on."""
    if constraint.sets:
        _read_sets(cluster, constraint, expand_sets(cluster, constraint.sets))
        return
    if constraint.resource is None or constraint.with_resource is None:
        cluster.messages.append(f"colocation {constraint.id} names only one side and is ignored")
        return
    tagged = [members(cluster, name) for name in (constraint.resource, constraint.with_resource)]
    match tagged:
        case [None, None]:
            _read_pair(cluster, constraint, constraint.resource, constraint.with_resource)
        case [None, _] | [_, None]:
            _read_sets(cluster, constraint, _as_sets(constraint, tagged))
        case _:
            cluster.messages.append(f"colocation {constraint.id} joins two tags or templates and is ignored")


def add_colocation(cluster: Cluster, colocation: ColocationPair) -> None:
    """Record a colocation with both of its resources; a score of 0 means that there is none."""
    if colocation.score == 0:
        return
    cluster.colocations.append(colocation)
    insert_own(colocation.dependent, colocation)
    insert_follower(colocation.primary, colocation)
    if colocation.score <= -INFINITY:
        order_anti_colocation(cluster, colocation)


def insert_own(dependent: Resource, colocation: ColocationPair) -> None:
    """Enter a constraint into the list where the resource is the dependent: by primary, and before its equals."""
    own = dependent.placed.colocations
    own.insert(bisect_left(own, _rank(colocation.primary), key=_primary_rank), colocation)


def insert_follower(primary: Resource, colocation: ColocationPair) -> None:
    """Enter a constraint into the list where the resource is the primary: by dependent, and before its equals."""
    followers = primary.placed.followers
    followers.insert(bisect_left(followers, _rank(colocation.dependent), key=_dependent_rank), colocation)


def _rank(resource: Resource) -> tuple[int, int, bool, str]:
    """Higher priority first, then the higher kind, then promotable clones, then by id."""
    plain = resource.kind is not Kind.CLONE or not resource.promotable_root
    return (-resource.priority, -resource.kind, plain, resource.id)


def _primary_rank(colocation: ColocationPair) -> tuple[int, int, bool, str]:
    return _rank(colocation.primary)


def _dependent_rank(colocation: ColocationPair) -> tuple[int, int, bool, str]:
    return _rank(colocation.dependent)


def _as_sets(
    constraint: configured.Colocation, tagged: list[tuple[str, ...] | None]
) -> tuple[ResourceSet, ResourceSet]:
    """The two sides as sets, the one with a tag or template as a set without sequence."""
    sides = ((constraint.resource, constraint.role), (constraint.with_resource, constraint.with_role))
    dependent, primary = (
        ResourceSet((name or "",), role=role) if inside is None else ResourceSet(inside, role=role, sequential="false")
        for (name, role), inside in zip(sides, tagged, strict=True)
    )
    return dependent, primary


def _read_pair(cluster: Cluster, constraint: configured.Colocation, dependent_id: str, primary_id: str) -> None:
    dependent = _side(cluster, constraint, dependent_id, constraint.instance)
    primary = _side(cluster, constraint, primary_id, constraint.with_instance)
    if dependent is None or primary is None:
        return
    value = score.read(constraint.score, cluster.options.health_colours)
    roles = (
        read_role(cluster, constraint.id, constraint.role),
        read_role(cluster, constraint.id, constraint.with_role),
    )
    _add(cluster, constraint, dependent, primary, value, roles, constraint.node_attribute)


def _side(cluster: Cluster, constraint: configured.Colocation, name: str, number: str | None) -> Resource | None:
    resource = constrained(cluster, name)
    if resource is not None and number is not None:
        resource = instance_of(resource, number)
    if resource is None:
        cluster.messages.append(f"colocation {constraint.id} is ignored: there is no resource {name!r}")
    return resource


def _add(
    cluster: Cluster,
    constraint: configured.Colocation,
    dependent: Resource,
    primary: Resource,
    value: int,
    roles: tuple[Role, Role],
    node_attribute: str | None = None,
) -> None:
    cause = Cause(Why.COLOCATION, constraint.id, primary.id)
    colocation = ColocationPair(constraint.id, dependent, primary, value, cause)
    colocation.dependent_role, colocation.primary_role = roles
    colocation.node_attribute = node_attribute
    influence = boolean(constraint.influence)
    colocation.influence = dependent.configured.critical if influence is None else influence
    add_colocation(cluster, colocation)


def _read_sets(cluster: Cluster, constraint: configured.Colocation, sets: tuple[ResourceSet, ...]) -> None:
    value = score.read(constraint.score, cluster.options.health_colours)
    previous: ResourceSet | None = None
    for written in sets:
        _join_members(cluster, constraint, written, value)
        if previous is not None and value != 0:
            _join_sets(cluster, constraint, previous, written, value)
        previous = written


def _is_sequential(written: ResourceSet) -> bool:
    return written.sequential is None or is_true(written.sequential)


def _known(cluster: Cluster, constraint: configured.Colocation, written: ResourceSet) -> list[Resource]:
    """The set's resources up to the first unknown one."""
    found: list[Resource] = []
    for name in written.resources:
        resource = constrained(cluster, name)
        if resource is None:
            cluster.messages.append(f"colocation {constraint.id}: the rest of a set is ignored, there is no {name!r}")
            break
        found.append(resource)
    return found


def _join_members(cluster: Cluster, constraint: configured.Colocation, written: ResourceSet, inherited: int) -> None:
    """The constraints inside a set: each member with the one before, or with a negative score with all before."""
    own = written.score
    value = inherited if own is None else score.read(own, cluster.options.health_colours)
    if value == 0 or not _is_sequential(written):
        return
    role = read_role(cluster, constraint.id, written.role)
    resources = _known(cluster, constraint, written)
    for place, resource in enumerate(resources[1:], 1):
        earlier = resources[place - 1]
        if value < 0:
            for other in resources[:place]:
                _add(cluster, constraint, resource, other, value, (role, role))
        elif written.ordering in (None, "group"):
            _add(cluster, constraint, resource, earlier, value, (role, role))
        else:
            _add(cluster, constraint, earlier, resource, value, (role, role))


def _join_sets(
    cluster: Cluster, constraint: configured.Colocation, dependents: ResourceSet, primaries: ResourceSet, value: int
) -> None:
    """The constraints between two sets; of a sequential one only the end that is nearer to the other takes part."""
    roles = (
        read_role(cluster, constraint.id, dependents.role),
        read_role(cluster, constraint.id, primaries.role),
    )
    for dependent_id in dependents.resources[:1] if _is_sequential(dependents) else dependents.resources:
        for primary_id in primaries.resources[-1:] if _is_sequential(primaries) else primaries.resources:
            dependent, primary = (
                _side(cluster, constraint, dependent_id, None),
                _side(cluster, constraint, primary_id, None),
            )
            if dependent is None or primary is None:
                return
            _add(cluster, constraint, dependent, primary, value, roles)
