"""Names: that what is referred to exists, that ids are ones that Pacemaker takes, and that no id is used twice."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.errors import Place
from reconciler.language.checks.facts import Facts
from reconciler.language.text.nearest import Names, did_you_mean
from reconciler.model.cluster import Address
from reconciler.model.constraint import Colocation, Constraint, Location, Order, Ticket
from reconciler.model.pattern import PatternError, compile_pattern
from reconciler.model.resource import Bundle, Clone, Group, Primitive

_PERL = r"\\[a-zA-Z](?<![wWsSbB])"
_ID = r"[^\W\d][\w.\-]*\Z"
_SORTS = {Location: "locations", Colocation: "colocations", Order: "orders", Ticket: "tickets"}


def constraint_address(constraint: Constraint) -> Address:
    """Where the language has a constraint."""
    return "constraints", _SORTS[type(constraint)], constraint.id


def check_names(facts: Facts) -> None:
    """Report unknown references, unusable ids and ids used twice."""
    _check_ids(facts)
    _check_node_names(facts)
    for constraint in facts.configuration.constraints:
        _check_constraint(facts, constraint)
    _check_templates(facts)
    _check_tags(facts)
    _check_tickets(facts)
    _check_acls(facts)
    _check_order(facts)


def _ids(facts: Facts) -> Iterator[tuple[str, Address]]:
    """Everything that has an id of its own in a CIB."""
    configuration = facts.configuration
    yield from ((template.id, ("templates", template.id)) for template in configuration.templates)
    yield from ((item.id, item.address) for item in facts.items.values())
    yield from ((constraint.id, constraint_address(constraint)) for constraint in configuration.constraints)
    yield from ((tag.id, ("tags", tag.id)) for tag in configuration.tags)
    for alert in configuration.alerts:
        yield alert.id, ("alerts", alert.id)
        yield from ((one.id, ("alerts", alert.id, "recipients", one.id)) for one in alert.recipients)
    yield from ((role.id, ("acls", "roles", role.id)) for role in configuration.acl_roles)


def _check_ids(facts: Facts) -> None:
    seen: dict[str, Place] = {}
    for name, place in sorted(
        ((name, facts.index.key(address)) for name, address in _ids(facts)), key=lambda one: one[1]
    ):
        if not re.match(_ID, name):
            hint = "begin with a letter or _, and use letters, digits, '.', '-' and '_' only"
            facts.error("bad-id", place, f"'{name}' can't be an id", hint)
        if name in seen and seen[name] != place:
            facts.error(
                "id-twice",
                place,
                f"the id '{name}' is used twice; the first one is at {seen[name]}",
                "rename one of the two",
            )
        seen.setdefault(name, place)
    _check_members(facts)


def _check_node_names(facts: Facts) -> None:
    """Names of nodes stand in logs, pictures and on command lines; they are those of hosts."""
    for node in facts.configuration.nodes:
        if re.search(_UNFIT, node.name) or node.name != node.name.strip() or not node.name:
            hint = "use the host's name: no control characters, no blanks at its ends"
            facts.error("bad-id", facts.index.key(("nodes", node.name)), f"'{node.name}' can't be a node's name", hint)


_UNFIT = "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"


def _check_members(facts: Facts) -> None:
    """Two sections may define the same primitive name: the reader keeps one, and the index knows of both."""
    for sections in (("primitives",), ("fencing", "devices"), ("groups",), ("clones",), ("bundles",)):
        for address in sorted(facts.index.below(sections)):
            item = facts.items.get(address[-1])
            if item is not None and item.address != address:
                place, other = sorted((facts.index.key(address), facts.index.key(item.address)))[::-1]
                facts.error(
                    "id-twice",
                    place,
                    f"the id '{item.id}' is used twice; the first one is at {other}",
                    "rename one of the two",
                )


def _check_constraint(facts: Facts, constraint: Constraint) -> None:
    base = constraint_address(constraint)
    match constraint:
        case Location():
            named = [("resource", constraint.resource)]
            if constraint.node is not None:
                _check_node(facts, constraint.node, facts.index.value((*base, "node")))
            if constraint.pattern is not None:
                _check_pattern(facts, constraint.pattern, facts.index.value((*base, "pattern")))
        case Colocation():
            named = [("resource", constraint.resource), ("with", constraint.with_resource)]
        case Order():
            named = [("first", constraint.first), ("then", constraint.then)]
        case Ticket():
            named = [("resource", constraint.resource)]
    for key, name in named:
        if name is not None:
            _check_resource(facts, name, facts.index.value((*base, key)), constraint.id)
    for number, one in enumerate(constraint.sets):
        at = (*base, "sets", str(number))
        for index, name in enumerate(one.resources):
            place = facts.index.value((*at, "resources", str(index)), (*at, str(index)))
            _check_resource(facts, name, place, constraint.id)


def _check_resource(facts: Facts, name: str, place: Place, owner: str) -> None:
    known = facts.referable
    if name in known or name in facts.draft.broken or not facts.draft.complete:
        return
    facts.error(
        "unknown-resource", place, f"{owner}: there is no resource, template or tag '{name}'", did_you_mean(name, known)
    )


def check_pattern(facts: Facts, pattern: str, place: Place) -> bool:
    """Whether a pattern can be read; reports what is wrong with it, and what means something else than its author may think."""
    shown = pattern if len(pattern) <= 60 else f"{pattern[:57]}..."
    try:
        compile_pattern(pattern)
    except PatternError as error:
        text = f"'{shown}' is no pattern: {error} (at character {error.offset + 1})"
        facts.error("bad-pattern", place, text, "patterns are POSIX extended regular expressions of bounded cost")
        return False
    if (found := re.search(_PERL, pattern)) is not None:
        text = f"'{shown}': {found[0]} stands for the letter {found[0][1]} here, as it does for Pacemaker"
        facts.warning("pattern-escape", place, text, "write [0-9] for a digit, [^0-9] for anything else")
    return True


def _check_pattern(facts: Facts, pattern: str, place: Place) -> None:
    if not check_pattern(facts, pattern.removeprefix("!"), place):
        return
    if facts.patterns_tried and not facts.matching(pattern):
        facts.warning("no-effect", place, f"the pattern '{pattern}' matches no resource")


def _check_node(facts: Facts, name: str, place: Place) -> None:
    if not knows_node(facts, name):
        facts.error("unknown-node", place, f"there is no node '{name}'", did_you_mean(name, facts.nodes_by_name))


def knows_node(facts: Facts, name: str) -> bool:
    """Whether there is such a node, or may be: where the configuration names no nodes, they are whoever joins."""
    if not facts.nodes_known or not facts.draft.complete or name in facts.draft.broken:
        return True
    return name.lower() in facts.folded_node_names


def _check_templates(facts: Facts) -> None:
    used = set()
    for item, primitive in facts.primitives():
        name = primitive.template
        if name is None:
            continue
        used.add(name)
        if name not in facts.templates and name not in facts.draft.broken and facts.draft.complete:
            place = facts.index.value((*item.address, "template"))
            facts.error(
                "unknown-template",
                place,
                f"{item.id}: there is no template '{name}'",
                did_you_mean(name, facts.templates),
            )
    for name in sorted(set(facts.templates) - used):
        if not facts.findings.failed:
            facts.warning("unused", facts.index.key(("templates", name)), f"no primitive uses the template '{name}'")


def _check_tags(facts: Facts) -> None:
    known = Names({name for name, _ in _ids(facts)} | facts.node_names | _ids_of_xml(facts))
    for tag in facts.configuration.tags:
        for number, name in enumerate(tag.references):
            place = facts.index.value(("tags", tag.id, str(number)))
            if name in facts.tags and name not in facts.items:
                text = f"{tag.id}: in a constraint the tag '{name}' inside of it stands for nothing, as it does for Pacemaker"
                facts.warning("tag-in-tag", place, text, "name the resources themselves")
            if name in known or name in facts.draft.broken or not facts.draft.complete:
                continue
            facts.error("unknown-reference", place, f"{tag.id}: nothing is named '{name}'", did_you_mean(name, known))


def _ids_of_xml(facts: Facts) -> set[str]:
    """Ids that nothing but a tag names: those that nodes and operations were given besides their names."""
    operations = [one for item in facts.items.values() for one in getattr(item.resource, "operations", ())]
    return {one.id for one in (*facts.configuration.nodes, *operations) if one.id}


_MOST_LONE_TICKETS = 200
"""Where more tickets stand once, that is how they are used; each search costs as much as all of the names."""


def _check_tickets(facts: Facts) -> None:
    """Tickets are made by the ticket manager; a name that looks like a slip of another one is worth a warning."""
    tickets = [one for one in facts.configuration.constraints if isinstance(one, Ticket)]
    count: dict[str, int] = {}
    for one in tickets:
        count[one.ticket] = count.get(one.ticket, 0) + 1
    by_name = Names(count)
    for one in [lone for lone in tickets if count[lone.ticket] == 1][:_MOST_LONE_TICKETS]:
        near = by_name.nearest_other(one.ticket)
        if near is None or (count[near] == 1 and near > one.ticket):
            continue  # Of two that stand once, the first counts as meant.
        if not (one.ticket[-1:].isdigit() and near[-1:].isdigit()):
            place = facts.index.value((*constraint_address(one), "ticket"))
            facts.warning(
                "unknown-ticket", place, f"only {one.id} names the ticket '{one.ticket}'", f"did you mean '{near}'?"
            )


def _check_acls(facts: Facts) -> None:
    roles = {role.id for role in facts.configuration.acl_roles}
    for target in facts.configuration.acl_targets:
        base: Address = ("acls", "groups" if target.kind == "group" else "users", target.id)
        for number, name in enumerate(target.roles):
            if name not in roles and name not in facts.draft.broken and facts.draft.complete:
                place = facts.index.value((*base, str(number)), (*base, "roles", str(number)))
                facts.error("unknown-role", place, f"{target.id}: there is no role '{name}'", did_you_mean(name, roles))
    for role in facts.configuration.acl_roles:
        for number, permission in enumerate(role.permissions):
            at = ("acls", "roles", role.id, "permissions", str(number))
            selectors = [
                one for one in (permission.xpath, permission.reference, permission.object_type) if one is not None
            ]
            if len(selectors) != 1:
                facts.error(
                    "acl-form",
                    facts.index.value(at),
                    f"{role.id}: a permission needs exactly one of xpath, reference, object-type",
                )


def _check_order(facts: Facts) -> None:
    known = Names((*facts.items, *(constraint.id for constraint in facts.configuration.constraints)))
    for number, name in enumerate(facts.draft.order):
        if name not in known and name not in facts.draft.broken and facts.draft.complete:
            place = facts.index.value(("cluster", "order", str(number)))
            facts.warning("unknown-reference", place, f"order: nothing is named '{name}'", did_you_mean(name, known))


def check_kinds(facts: Facts) -> None:
    """Report what stands in the wrong section, and agents that can't be what they are used for."""
    for item in facts.items.values():
        resource = item.resource
        if isinstance(resource, Primitive):
            _check_agent_class(facts, item.address, resource)
        elif isinstance(resource, Clone):
            _check_clone(facts, item.address, resource)
        elif isinstance(resource, Group | Bundle):
            continue


_CLASSES = ("ocf", "systemd", "service", "lsb", "stonith")


def _check_agent_class(facts: Facts, address: Address, primitive: Primitive) -> None:
    agent = facts.agent(primitive)
    if agent is None:
        return
    place = facts.index.value((*address, "agent"))
    standard = agent.standard.lower()
    if standard not in _CLASSES:
        facts.error(
            "agent-class",
            place,
            f"{primitive.id}: '{agent.standard}' is no class of agents",
            did_you_mean(agent.standard, _CLASSES),
        )
    elif standard == "ocf" and agent.provider is None:
        facts.error(
            "agent-provider",
            place,
            f"{primitive.id}: '{agent}' names no provider",
            f"did you mean 'ocf:heartbeat:{agent.type}'?",
        )
    if address[0] == "fencing" and standard != "stonith":
        facts.error(
            "device-class", place, f"{primitive.id}: a fencing device is of class stonith, not {agent.standard}"
        )


def _check_clone(facts: Facts, address: Address, clone: Clone) -> None:
    members = clone.resource.members if isinstance(clone.resource, Group) else (clone.resource,)
    promotable = clone.legacy_promotable or any(block.values.get("promotable") == "true" for block in clone.meta)
    for member in members:
        agent = facts.agent(member)
        if promotable and agent is not None and agent.standard.lower() != "ocf":
            place = facts.index.value((*address, "promotable"), (*address, "meta", "promotable"))
            facts.error(
                "promotable-class", place, f"{clone.id}: {agent} can't be promoted: only agents of class ocf can"
            )
