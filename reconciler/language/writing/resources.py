"""Resources and constraints as plain data."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.language.reading.resources import TWO_PART_CLASSES
from reconciler.language.writing.parts import Map, blocks_data, compact, object_data, pairs_data, plain, rule_data
from reconciler.language.writing.yaml_text import Data, Plain
from reconciler.model import settings
from reconciler.model.attributes import AttributeBlock
from reconciler.model.constraint import Constraint, Location, ResourceSet, Ticket
from reconciler.model.resource import Agent, Bundle, BundleNetwork, Clone, Group, Operation, Primitive, Template
from reconciler.model.rule import Rule
from reconciler.model.settings import Setting

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
    known, rest = _split(operation.attributes, settings.OPERATION_OPTIONS)
    data = compact({"id": operation.id, "interval": plain(operation.interval) if operation.interval != "0" else None})
    data |= known
    data |= compact(
        {
            "params": blocks_data(operation.params, {}),
            "meta": blocks_data(operation.meta, settings.OPERATION_OPTIONS),
            "extra": pairs_data(rest),
        }
    )
    return compact(data)


def _split(values: Mapping[str, str], table: Mapping[str, Setting]) -> tuple[dict[str, Data], dict[str, str]]:
    """What the table knows, in the table's order, and the rest."""
    known: dict[str, Data] = {name: Plain(values[name]) for name in table if name in values}
    return known, {name: value for name, value in values.items() if name not in known}


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
    shared: dict[str, Data | None] = {**_shared(clone)}
    meta = clone.meta
    if len(meta) == 1 and not meta[0].rules and meta[0].score is None and meta[0].id is None:
        rest = dict(meta[0].values)
        if rest.get("promotable") in ("true", "false"):
            data["promotable"] = Plain(rest.pop("promotable"))
            shared["meta"] = blocks_data((AttributeBlock(rest),) if rest else (), _META)
    if clone.legacy_promotable:
        data["legacy-promotable"] = Plain("true")
    return compact(data | shared)


def bundle_data(bundle: Bundle) -> Map:
    """A bundle, naming the primitive inside."""
    attributes, rest = _split(bundle.container_attributes, settings.BUNDLE_CONTAINER)
    known: dict[str, Data | None] = {"type": bundle.container, **attributes}
    container = compact(known | {"extra": pairs_data(rest)})
    storage: list[Data] = [object_data(one) for one in bundle.storage]
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
    known, rest = _split(network.attributes, settings.BUNDLE_NETWORK)
    ports: list[Data] = [object_data(port) for port in network.ports]
    return compact({**known, "ports": ports or None, "extra": pairs_data(rest)})


def constraint_data(constraint: Constraint) -> Map:
    """A constraint without its name."""
    beside: dict[str, Mapping[str, Data | None]] = {
        "sets": {"sets": _sets(constraint.sets)},
        "extra": {"extra": pairs_data(constraint.extra)},
    }
    if not isinstance(constraint, Ticket):
        beside["lifetime"] = {"lifetime": _lifetime(constraint.lifetime)}
    if isinstance(constraint, Location):
        beside |= _rules(constraint)
    return object_data(constraint, beside)


def _rules(location: Location) -> dict[str, Mapping[str, Data | None]]:
    """The rules; a single one gives its score and role beside it, as if they were the constraint's own."""
    rule = _short_rule(location)
    if rule is None:
        return {"rules": {"rules": [rule_data(one) for one in location.rules] or None}}
    return {
        "rules": {"rule": rule_data(rule, bare=True)},
        "score": {"score": plain(rule.score), "score-attribute": rule.score_attribute},
        "role": {"role": rule.role},
    }


def _short_rule(location: Location) -> Rule | None:
    """The only rule, where the constraint itself says nothing that the rule says; else None."""
    if len(location.rules) != 1 or location.score is not None or location.role is not None:
        return None
    rule = location.rules[0]
    return None if rule.score is None and rule.score_attribute is None else rule


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
    return object_data(one, {"resources": {"resources": resources}, "extra": {"extra": pairs_data(one.extra)}})
