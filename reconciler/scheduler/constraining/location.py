"""Location constraints: read, then applied to the node tables.

Source: the scheduler's specification, part 2, section 6; part 1, section 5.7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model import score
from reconciler.model.constraint import ResourceSet
from reconciler.model.pattern import PatternError, compile_pattern
from reconciler.model.score import INFINITY, add
from reconciler.scheduler.cause import Cause, Contribution, Why
from reconciler.scheduler.constraining.references import constrained, expand_sets, members
from reconciler.scheduler.evaluating.host_attributes import host_attributes
from reconciler.scheduler.evaluating.parameters import parameters
from reconciler.scheduler.evaluating.rules import RuleContext, expand_submatches, passes
from reconciler.scheduler.noting.scores import discover_exclusively
from reconciler.scheduler.roles import ROLE_WORDS, Kind, Role
from reconciler.scheduler.working.constraints import LocationScores
from reconciler.scheduler.working.table import ALWAYS, EXCLUSIVE, NEVER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model import constraint as configured
    from reconciler.model.rule import Rule
    from reconciler.scheduler.working.cluster import Cluster
    from reconciler.scheduler.working.node import ClusterNode
    from reconciler.scheduler.working.resource import Resource

_MODES = {"always": ALWAYS, "never": NEVER, "exclusive": EXCLUSIVE}


def read_location(cluster: Cluster, constraint: configured.Location) -> None:
    """Record a configured location constraint for each resource that it names, by id, pattern, tag or sets."""
    if constraint.sets:
        for written in expand_sets(cluster, constraint.sets):
            if not _read_set(cluster, constraint, written):
                return
        return
    name = constraint.resource
    if name is not None:
        inside = members(cluster, name)
        if inside is not None:
            _read_set(cluster, constraint, ResourceSet(inside, role=constraint.role))
            return
        resource = _known(cluster, constraint, name)
        if resource is None:
            return
        _read_one(cluster, constraint, resource, constraint.role, constraint.score)
    if constraint.pattern is not None:
        _read_pattern(cluster, constraint, constraint.pattern)


def add_location(cluster: Cluster, location: LocationScores) -> None:
    """Record a location constraint with its resource."""
    cluster.locations.append(location)
    location.resource.placed.locations.append(location)


def apply_locations(cluster: Cluster) -> None:
    """Apply all location constraints to the node tables, the newest first (saturated sums depend on it)."""
    for location in reversed(cluster.locations):
        _apply(cluster, location.resource, location, location.scores)


def _known(cluster: Cluster, constraint: configured.Location, name: str) -> Resource | None:
    resource = constrained(cluster, name)
    if resource is None:
        cluster.messages.append(f"location {constraint.id} is ignored: there is no resource {name!r}")
    return resource


def _read_set(cluster: Cluster, constraint: configured.Location, written: ResourceSet) -> bool:
    """Record the constraint for the members of a set; False at the first unknown one, where reading ends."""
    for name in written.resources:
        resource = _known(cluster, constraint, name)
        if resource is None:
            return False
        role = constraint.role if written.role is None else written.role
        _read_one(cluster, constraint, resource, role, written.score or constraint.score)
    return True


def _read_pattern(cluster: Cluster, constraint: configured.Location, pattern: str) -> None:
    """Record the constraint for the top-level resources whose ids match, or with a leading `!` don't."""
    inverted = pattern.startswith("!")
    try:
        expression = compile_pattern(pattern[1:] if inverted else pattern)
    except PatternError as error:
        cluster.messages.append(f"location {constraint.id} is ignored: its pattern can't be read: {error}")
        return
    for resource in cluster.resources:
        if expression.occurs_in(resource.id) is inverted:
            continue
        submatches = expression.submatches(resource.id) if constraint.rules and not inverted else None
        _read_one(cluster, constraint, resource, constraint.role, constraint.score, submatches or ())


def _read_one(
    cluster: Cluster,
    constraint: configured.Location,
    resource: Resource,
    role: str | None,
    value: str | None,
    submatches: tuple[str, ...] = (),
) -> None:
    """Record the constraint for one resource: by node and score, or by its rules."""
    discovery = _discovery(cluster, constraint)
    if constraint.node is None or value is None:
        if not constraint.rules:
            cluster.messages.append(f"location {constraint.id} has neither node and score nor a rule and is ignored")
        for rule in constraint.rules:
            _read_rule(cluster, constraint, rule, resource, discovery, submatches)
        return
    node = _node(cluster, constraint.node)
    if node is None:
        return
    scores = {node.index: score.read(value, cluster.options.health_colours)}
    location = LocationScores(constraint.id, resource, scores, Cause(Why.LOCATION, constraint.id))
    location.discovery = discovery
    _mark(resource, discovery)
    wanted = None if role is None else ROLE_WORDS.get(role.lower())
    if role is not None and wanted is None:
        cluster.messages.append(f"location {constraint.id}: {role!r} is no role, so it applies to any")
    location.role = None if wanted in (Role.STARTED, Role.UNPROMOTED) else wanted
    add_location(cluster, location)


def _mark(resource: Resource, discovery: int) -> None:
    """An exclusive constraint counts for its resource even when no node passes its rule."""
    if discovery == EXCLUSIVE:
        discover_exclusively(resource)


def _discovery(cluster: Cluster, constraint: configured.Location) -> int:
    text = constraint.resource_discovery
    if text is None:
        return ALWAYS
    mode = _MODES.get(text.lower())
    if mode is None:
        cluster.messages.append(f"location {constraint.id}: {text!r} is no discovery mode, so always is meant")
        return ALWAYS
    return mode


def _node(cluster: Cluster, name: str) -> ClusterNode | None:
    node = cluster.node_index.get(name)
    if node is not None:
        return node
    lowered = name.lower()
    return next((node for node in cluster.nodes if node.name.lower() == lowered), None)


def _read_rule(
    cluster: Cluster,
    constraint: configured.Location,
    rule: Rule,
    resource: Resource,
    discovery: int,
    submatches: tuple[str, ...],
) -> None:
    """Record what one rule says. Only the rule's own role counts, where `Started` is a filter that hardly ever applies."""
    role = None if rule.role is None else ROLE_WORDS.get(rule.role.lower())
    if rule.role is not None and role is None:
        cluster.messages.append(f"location {constraint.id}: a rule is ignored, {rule.role!r} is no role")
        return
    if rule.score is None and rule.score_attribute is None:
        cluster.messages.append(f"location {constraint.id}: a rule has no score, so it counts 0")
    scores = {
        node.index: _rule_score(cluster, rule, resource, node, submatches)
        for node in cluster.nodes
        if passes(rule, _context(cluster, resource, node, submatches))
    }
    _mark(resource, discovery)
    if not scores:
        return
    location = LocationScores(constraint.id, resource, scores, Cause(Why.LOCATION, constraint.id, rule.id or ""))
    location.discovery = discovery
    location.role = None if role is Role.UNPROMOTED else role
    add_location(cluster, location)


def _context(cluster: Cluster, resource: Resource, node: ClusterNode, submatches: tuple[str, ...]) -> RuleContext:
    return RuleContext(
        cluster,
        attributes=node.attributes,
        parameters=parameters(cluster, resource, node),
        meta=resource.configured.meta,
        submatches=submatches,
    )


def _rule_score(
    cluster: Cluster, rule: Rule, resource: Resource, node: ClusterNode, submatches: tuple[str, ...]
) -> int:
    """What the rule gives a node that passes it; joined by `or`, the node's base score comes on top."""
    colours = cluster.options.health_colours
    if rule.score is not None:
        value = score.read(rule.score, colours)
    elif rule.score_attribute is not None:
        attributes: Mapping[str, str] = host_attributes(resource, node)
        text = attributes.get(expand_submatches(rule.score_attribute, submatches))
        value = -INFINITY if text is None else score.read(text, colours)
    else:
        value = 0
    return add(node.base_score, value) if rule.boolean_op.lower() == "or" else value


def _apply(cluster: Cluster, resource: Resource, location: LocationScores, scores: Mapping[int, int]) -> None:
    """Apply the constraint to the resource and to what is below it."""
    _apply_to_table(cluster, resource, location, scores)
    match resource.kind:
        case Kind.GROUP:
            # The first member's scores stand for all of a collocated group.
            for place, member in enumerate(resource.children):
                full = place == 0 or not resource.configured.group_collocated
                _apply(cluster, member, location, scores if full else dict.fromkeys(scores, 0))
        case Kind.CLONE:
            for child in resource.children:
                _apply(cluster, child, location, scores)
        case Kind.BUNDLE:
            _apply_to_bundle(cluster, resource, location, scores)


def _apply_to_bundle(cluster: Cluster, bundle: Resource, location: LocationScores, scores: Mapping[int, int]) -> None:
    fields = bundle.bundle
    if fields is None:
        return
    for replica in fields.replicas:
        for part in (replica.container, replica.ip):
            if part is not None:
                _apply(cluster, part, location, scores)
    if fields.clone is not None and location.role is Role.PROMOTED:
        _apply(cluster, fields.clone, location, scores)
        fields.clone.placed.locations.append(location)


def _apply_to_table(cluster: Cluster, resource: Resource, location: LocationScores, scores: Mapping[int, int]) -> None:
    if location.role is not None and location.role is not resource.placed.next_role:
        return
    table = resource.placed.table
    for index, value in scores.items():
        own = table.scores.get(index)
        if own is None:
            table.scores[index] = value
            table.raise_mode(index, cluster.nodes_by_index[index].discovery_mode)
        else:
            table.scores[index] = add(own, value)
        if value:
            resource.placed.contributions.append(Contribution(index, value, location.cause))
        if location.discovery > table.modes.get(index, ALWAYS):
            table.modes[index] = location.discovery
            if location.discovery == EXCLUSIVE:
                discover_exclusively(resource)
