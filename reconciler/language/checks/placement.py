"""Resources that no node can run, and location constraints that change nothing."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.language.checks.colocations import together_edges
from reconciler.language.checks.facts import Facts, ResourceItem, certain
from reconciler.language.checks.names import constraint_address
from reconciler.language.checks.pairs import colocations, orders, path
from reconciler.model import score
from reconciler.model.attributes import AttributeBlocks
from reconciler.model.constraint import Location
from reconciler.model.resource import Clone, Group, Primitive
from reconciler.model.rule import AttributeExpression, Expression, Rule
from reconciler.model.text import boolean, integer

Bans = dict[str, dict[str, str]]
"""By resource and node: the constraint that bans the resource from the node."""


def check_placement(facts: Facts) -> None:
    """Report resources that may run nowhere, and constraints without effect."""
    bans, preferences = _locations(facts)
    if facts.nodes_known:
        _check_bans(facts, bans)
        if not facts.enabled("symmetric-cluster", default=True):
            _check_opt_in(facts, bans, preferences)
        _check_utilization(facts)
        _check_partners(facts, bans)
    _check_shadowed(facts, bans)


def _locations(facts: Facts) -> tuple[Bans, set[str]]:
    """What is certainly banned from where, and which resources have a certain or possible permission somewhere."""
    bans: Bans = {}
    preferences: set[str] = set()
    for constraint in facts.configuration.constraints:
        if not isinstance(constraint, Location):
            continue
        for name, role, value, node, rule in _parts(facts, constraint):
            if value >= 0 or rule is not None:
                preferences.add(name)
            if (
                value > -score.INFINITY
                or constraint.lifetime is not None
                or (role or "started").lower() not in ("started", "")
            ):
                continue
            for banned in facts.candidates:
                if (node is not None and node.lower() == banned.lower()) or (
                    rule is not None and _passes(rule, banned)
                ):
                    bans.setdefault(name, {}).setdefault(banned, constraint.id)
    return bans, preferences


def _parts(facts: Facts, constraint: Location) -> Iterator[tuple[str, str | None, int, str | None, Rule | None]]:
    """Resource, role, score, node and rule of everything that a location constraint says."""
    named: list[tuple[str, str | None, str | None]] = []
    if constraint.resource is not None:
        named += [(name, constraint.role, None) for name in facts.expand(constraint.resource)]
    if constraint.pattern is not None:
        named += [(name, constraint.role, None) for name in facts.matching(constraint.pattern)]
    for one in constraint.sets:
        named += [
            (name, one.role or constraint.role, one.score) for each in one.resources for name in facts.expand(each)
        ]
    for name, role, own in named:
        if constraint.node is not None and (own or constraint.score) is not None:
            yield name, role, score.read(own or constraint.score), constraint.node, None
        else:
            for rule in constraint.rules:
                yield name, rule.role, score.read(own or rule.score), None, rule


def _passes(rule: Rule, node: str) -> bool:
    """Whether a rule certainly passes on a node."""
    return _verdict(rule, node) is True


def _verdict(expression: Expression, node: str) -> bool | None:
    """Whether an expression passes on a node: only what asks for the node's name is certain."""
    if isinstance(expression, Rule):
        found = [_verdict(part, node) for part in expression.expressions]
        decisive = expression.boolean_op == "or"
        if decisive in found:
            return decisive
        return None if None in found else not decisive
    if not isinstance(expression, AttributeExpression) or expression.attribute != "#uname" or expression.value_source:
        return None
    same = (expression.value or "").lower() == node.lower()
    known = {"eq": same, "ne": not same, "defined": True, "not_defined": False}
    return known.get(expression.operation) if expression.type in (None, "string") else None


def _check_bans(facts: Facts, bans: Bans) -> None:
    """Report resources that are banned from every node, by themselves or together with what they must run with."""
    if not bans:
        return
    count = len(facts.candidates)
    known = {name: _bans_of(item, bans) for name, item in facts.items.items()}
    lost: set[str] = set()
    for name, own in known.items():
        item = facts.items[name]
        if len(own) == count and item.top.id not in lost:
            lost.add(item.top.id)
            _report(facts, item, bans, own, "")
    edges = together_edges(facts, list(colocations(facts)))
    banned = {name for name, own in known.items() if own and facts.items[name].top.id not in lost}
    for name in sorted(edges):
        item = facts.items[name]
        if item.top.id in lost or item.repeated:
            continue
        for other in sorted(_required(facts, edges, name) & banned):
            together = known[name] | known[other]
            if len(together) == count:
                lost.add(item.top.id)
                way = " with ".join(path(edges, name, other))
                _report(facts, item, bans, together, f" together with '{other}' ({way})")
                break


def _check_partners(facts: Facts, bans: Bans) -> None:
    """Warn of instances that must start after a partner on their own node, where none may be."""
    for pair in orders(facts):
        first, then = facts.items.get(pair.first), facts.items.get(pair.then)
        if first is None or then is None or not _interleaves(facts, then) or not isinstance(first.resource, Clone):
            continue
        theirs, own = _bans_of(first, bans), _bans_of(then, bans)
        alone = [node for node in facts.candidates if node in theirs and node not in own]
        if alone:
            where = ", ".join(alone)
            text = f"{pair.constraint}: '{then.id}' never starts on {where}, where '{first.id}' may not be"
            hint = "their instances are ordered node by node (interleave): allow both there, or neither"
            facts.warning("order-without-partner", pair.place, text, hint)


def _interleaves(facts: Facts, item: ResourceItem) -> bool:
    """Whether each instance of a clone waits only for those on its own node."""
    return isinstance(item.resource, Clone) and boolean(facts.meta(item, "interleave")) is True


def _required(facts: Facts, edges: dict[str, set[str]], name: str) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for other in edges.get(waiting.pop(), ()):
            if other not in found and other in facts.items and other != name:
                found.add(other)
                if not facts.items[other].repeated:
                    waiting.append(other)
    return found


def _bans_of(item: ResourceItem, bans: Bans) -> dict[str, str]:
    """The bans of a resource: its own, those of what holds it, and of a group those of its members."""
    found = dict(bans.get(item.id, {}))
    at = item.parent
    while at is not None:
        found = bans.get(at.id, {}) | found
        at = at.parent
    if isinstance(item.resource, Group | Clone):
        for child in item.children:
            found = _inner_bans(child, bans) | found
    return found


def _inner_bans(item: ResourceItem, bans: Bans) -> dict[str, str]:
    found = dict(bans.get(item.id, {}))
    for child in item.children:
        found = _inner_bans(child, bans) | found
    return found


def _report(facts: Facts, item: ResourceItem, bans: Bans, banned: dict[str, str], together: str) -> None:
    if not any(bans.get(each.id) for each in (item, *item.leaves())) and not together:
        return
    names = ", ".join(sorted(set(banned.values())))
    place = max(facts.index.key(("constraints", "locations", constraint)) for constraint in set(banned.values()))
    text = f"'{item.id}' may run on no node{together}: banned by {names}"
    facts.error("banned-everywhere", place, text, "leave at least one node")


def _check_opt_in(facts: Facts, bans: Bans, preferences: set[str]) -> None:
    """In an opt-in cluster, what no constraint allows anywhere runs nowhere."""
    for item in facts.top_items():
        names = {item.id, *(leaf.id for leaf in item.leaves())}
        if not names & preferences:
            text = (
                f"'{item.id}' may run on no node: the cluster is opt-in, and no location constraint allows it anywhere"
            )
            facts.error(
                "banned-everywhere", facts.index.key(item.address), text, "allow it somewhere with a score of 0 or more"
            )


def _check_utilization(facts: Facts) -> None:
    if facts.option("placement-strategy", "default").lower() == "default":
        return
    capacities = {node.name: node.utilization for node in facts.configuration.nodes if node.name in facts.candidates}
    if any(block.rules for blocks in capacities.values() for block in blocks):
        return
    for item in facts.items.values():
        if item.children and not isinstance(item.resource, Group):
            continue
        needed = _needed(facts, item)
        if not needed or (
            item.parent is not None
            and isinstance(item.parent.resource, Group)
            and _needed(facts, item.parent) == needed
        ):
            continue
        if not any(_fits(needed, blocks) for blocks in capacities.values()):
            wanted = ", ".join(f"{name} {amount}" for name, amount in sorted(needed.items()))
            place = facts.index.key((*item.address, "utilization"), (*item.address, "members"))
            text = f"'{item.id}' fits on no node: it needs {wanted}"
            facts.error("utilization-fits-nowhere", place, text, "give a node more capacity, or the resource less")


def _needed(facts: Facts, item: ResourceItem) -> dict[str, int]:
    """What a resource certainly needs; of a group all that its members need together."""
    total: dict[str, int] = {}
    for leaf in item.leaves():
        assert isinstance(leaf.resource, Primitive)
        blocks = leaf.resource.utilization
        for name in sorted({name for block in blocks for name in block.values}):
            value = certain(blocks, name)
            if value is not None and value.lstrip("+-").isdecimal():
                total[name] = total.get(name, 0) + integer(value)
    return total


def _fits(needed: dict[str, int], blocks: AttributeBlocks) -> bool:
    for name, amount in needed.items():
        value = certain(blocks, name) or "0"
        if amount > 0 and integer(value) < amount:
            return False
    return True


def _check_shadowed(facts: Facts, bans: Bans) -> None:
    """Report location constraints that say nothing, nothing new, or what a ban makes pointless."""
    symmetric = facts.enabled("symmetric-cluster", default=True)
    for constraint in facts.configuration.constraints:
        if not isinstance(constraint, Location) or constraint.node is None or constraint.score is None:
            continue
        place = facts.index.key(constraint_address(constraint))
        if (
            score.read(constraint.score) == 0
            and not constraint.sets
            and not constraint.resource_discovery
            and symmetric
        ):
            facts.warning("no-effect", place, f"{constraint.id}: a preference with the score 0 does nothing")
        if score.read(constraint.score) <= -score.INFINITY:
            continue
        node = next((name for name in facts.candidates if name.lower() == constraint.node.lower()), "")
        for name in facts.expand(constraint.resource or ""):
            ban = bans.get(name, {}).get(node)
            if ban is not None and ban != constraint.id:
                text = f"{constraint.id}: '{name}' is banned from {node} by {ban}, so this preference has no effect"
                facts.warning("shadowed-constraint", place, text, "drop one of the two")
