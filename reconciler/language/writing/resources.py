"""Resources and constraints as plain data."""

from __future__ import annotations

from reconciler.language.reading.resources import TWO_PART_CLASSES
from reconciler.language.writing.parts import Map, blocks_data, compact, pairs_data, plain, rule_data
from reconciler.language.writing.yaml_text import Data, Plain
from reconciler.model import settings
from reconciler.model.attributes import AttributeBlock
from reconciler.model.constraint import Colocation, Constraint, Location, Order, ResourceSet, Ticket
from reconciler.model.resource import Agent, Bundle, BundleNetwork, Clone, Group, Operation, Primitive, Template
from reconciler.model.rule import Rule

_META = settings.GROUP_META | settings.RESOURCE_META | settings.CLONE_META


def primitive_data(primitive: Primitive | Template) -> Map:
    """A primitive, fencing device or template."""
    return compact(
        {
            "agent": None if primitive.agent is None else agent_data(primitive.agent),
            "template": primitive.template if isinstance(primitive, Primitive) else None,
            "description": primitive.description,
            "params": blocks_data(primitive.params, {}),
            "meta": blocks_data(primitive.meta, _META),
            "utilization": blocks_data(primitive.utilization, {}),
            "operations": _operations(primitive.operations),
            "extra": pairs_data(primitive.extra),
        }
    )


def agent_data(agent: Agent) -> Data:
    """The agent's name, or its parts where the name would be read as another one."""
    text = str(agent)
    blank = any(sign.isspace() for sign in text)
    two_parts = agent.standard.lower() in TWO_PART_CLASSES
    fits = (agent.provider is None) if two_parts else (agent.provider is not None or ":" not in agent.type)
    if (
        fits
        and not blank
        and agent.standard
        and agent.type
        and ":" not in agent.standard + (agent.provider or "")
        and agent.provider != ""
    ):
        return text
    return compact({"class": agent.standard, "provider": agent.provider, "type": agent.type})


def _operations(operations: tuple[Operation, ...]) -> Data | None:
    """By name where that keeps their order, else a list."""
    if not operations:
        return None
    grouped: dict[str, list[Operation]] = {}
    for operation in operations:
        grouped.setdefault(operation.name, []).append(operation)
    if tuple(one for same in grouped.values() for one in same) != operations:
        return [{"name": one.name, "operation": _operation(one)} for one in operations]
    return {
        name: _operation(same[0]) if len(same) == 1 else [_operation(one) for one in same]
        for name, same in grouped.items()
    }


def _operation(operation: Operation) -> Map:
    known = {name: value for name, value in operation.attributes.items() if name in settings.OPERATION_OPTIONS}
    rest = {name: value for name, value in operation.attributes.items() if name not in known}
    data = compact({"id": operation.id, "interval": plain(operation.interval) if operation.interval != "0" else None})
    data |= {name: Plain(value) for name, value in known.items()}
    data |= compact(
        {
            "params": blocks_data(operation.params, {}),
            "meta": blocks_data(operation.meta, settings.OPERATION_OPTIONS),
            "extra": pairs_data(rest),
        }
    )
    return compact(data)


def _shared(resource: Group | Clone | Bundle) -> Map:
    return compact(
        {
            "description": resource.description,
            "params": blocks_data(resource.params, {}),
            "meta": blocks_data(resource.meta, _META),
            "extra": pairs_data(resource.extra),
        }
    )


def group_data(group: Group) -> Map:
    """A group, naming its members."""
    return compact({"members": [member.id for member in group.members], **_shared(group)})


def clone_data(clone: Clone) -> Map:
    """A clone, naming what it holds; `promotable` in front where it is simply given."""
    data: Map = {"resource": clone.resource.id}
    shared = _shared(clone)
    meta = clone.meta
    if len(meta) == 1 and not meta[0].rules and meta[0].score is None and meta[0].id is None:
        rest = dict(meta[0].values)
        if rest.get("promotable") in ("true", "false"):
            data["promotable"] = Plain(rest.pop("promotable"))
            shared.pop("meta")
            shared |= compact({"meta": blocks_data((AttributeBlock(rest),) if rest else (), _META)})
    if clone.legacy_promotable:
        data["legacy-promotable"] = Plain("true")
    return compact(data | shared)


def bundle_data(bundle: Bundle) -> Map:
    """A bundle, naming the primitive inside."""
    attributes = {
        name: Plain(value) for name, value in bundle.container_attributes.items() if name in settings.BUNDLE_CONTAINER
    }
    rest = {name: value for name, value in bundle.container_attributes.items() if name not in attributes}
    known: dict[str, Data | None] = {"type": bundle.container, **attributes}
    container = compact(known | {"extra": pairs_data(rest)})
    storage: list[Data] = [
        compact(
            {
                "id": one.id,
                "source-dir": one.source_dir,
                "source-dir-root": one.source_dir_root,
                "target-dir": one.target_dir,
                "options": one.options,
            }
        )
        for one in bundle.storage
    ]
    parts = compact(
        {
            "container": container,
            "network": None if bundle.network is None else _network(bundle.network),
            "storage": storage or None,
            "primitive": None if bundle.primitive is None else bundle.primitive.id,
        }
    )
    return compact(parts | _shared(bundle))


def _network(network: BundleNetwork) -> Map:
    known = {name: Plain(value) for name, value in network.attributes.items() if name in settings.BUNDLE_NETWORK}
    rest = {name: value for name, value in network.attributes.items() if name not in known}
    ports: list[Data] = [
        compact(
            {
                "id": port.id,
                "port": plain(port.port),
                "internal-port": plain(port.internal_port),
                "range": plain(port.range),
            }
        )
        for port in network.ports
    ]
    return compact({**known, "ports": ports or None, "extra": pairs_data(rest)})


def constraint_data(constraint: Constraint) -> Map:
    """A constraint without its name."""
    match constraint:
        case Location():
            return _location(constraint)
        case Colocation():
            return _colocation(constraint)
        case Order():
            return _order(constraint)
        case Ticket():
            return _ticket(constraint)


def _location(location: Location) -> Map:
    short = _short_rule(location)
    score, attribute, role = location.score, None, location.role
    if short is not None:
        score, attribute, role = short.score, short.score_attribute, short.role
    return compact(
        {
            "resource": location.resource,
            "pattern": location.pattern,
            "sets": _sets(location.sets),
            "node": location.node,
            "rule": None if short is None else rule_data(short, bare=True),
            "rules": [rule_data(rule) for rule in location.rules] if short is None and location.rules else None,
            "score": plain(score),
            "score-attribute": attribute,
            "role": role,
            "resource-discovery": location.resource_discovery,
            "lifetime": _lifetime(location.lifetime),
            "extra": pairs_data(location.extra),
        }
    )


def _short_rule(location: Location) -> Rule | None:
    """The only rule, where the constraint itself says nothing that the rule says; else None."""
    if len(location.rules) != 1 or location.score is not None or location.role is not None:
        return None
    rule = location.rules[0]
    return None if rule.score is None and rule.score_attribute is None else rule


def _colocation(colocation: Colocation) -> Map:
    return compact(
        {
            "resource": colocation.resource,
            "with": colocation.with_resource,
            "sets": _sets(colocation.sets),
            "score": plain(colocation.score),
            "role": colocation.role,
            "with-role": colocation.with_role,
            "node-attribute": colocation.node_attribute,
            "influence": plain(colocation.influence),
            "instance": plain(colocation.instance),
            "with-instance": plain(colocation.with_instance),
            "lifetime": _lifetime(colocation.lifetime),
            "extra": pairs_data(colocation.extra),
        }
    )


def _order(order: Order) -> Map:
    return compact(
        {
            "first": order.first,
            "first-action": order.first_action,
            "first-instance": plain(order.first_instance),
            "then": order.then,
            "then-action": order.then_action,
            "then-instance": plain(order.then_instance),
            "sets": _sets(order.sets),
            "symmetrical": plain(order.symmetrical),
            "require-all": plain(order.require_all),
            "kind": order.kind,
            "score": plain(order.score),
            "lifetime": _lifetime(order.lifetime),
            "extra": pairs_data(order.extra),
        }
    )


def _ticket(ticket: Ticket) -> Map:
    return compact(
        {
            "ticket": ticket.ticket,
            "resource": ticket.resource,
            "sets": _sets(ticket.sets),
            "role": ticket.role,
            "loss-policy": ticket.loss_policy,
            "extra": pairs_data(ticket.extra),
        }
    )


def _lifetime(rules: tuple[Rule, ...] | None) -> Data | None:
    if rules is None:
        return None
    texts = [rule_data(rule) for rule in rules]
    return texts[0] if len(texts) == 1 and isinstance(texts[0], str) else texts


def _sets(sets: tuple[ResourceSet, ...]) -> Data | None:
    return [_set(one) for one in sets] or None


def _set(one: ResourceSet) -> Data:
    resources: list[Data] = list(one.resources)
    if one == ResourceSet(one.resources) and resources:
        return resources
    return compact(
        {
            "id": one.id,
            "resources": resources,
            "sequential": plain(one.sequential),
            "require-all": plain(one.require_all),
            "ordering": one.ordering,
            "action": one.action,
            "kind": one.kind,
            "score": plain(one.score),
            "role": one.role,
            "extra": pairs_data(one.extra),
        }
    )
