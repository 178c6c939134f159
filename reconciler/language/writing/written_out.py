"""Writes out what the language would read differently: the form of a configuration in which nothing depends on who reads it.

Clones say whether they interleave (Pacemaker's default is false, the language's true), the cluster's name stands in both its
places, former names of options, roles and values give way to those the model uses, booleans are `true` or `false`, and
what has no order of its own is sorted. None of it changes what the cluster does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from reconciler.frozen import replace
from reconciler.language.reading.files import level_key
from reconciler.language.reading.resources import mentions, with_value
from reconciler.model import settings
from reconciler.model.attributes import AttributeBlock, AttributeBlocks
from reconciler.model.cluster import Alert, Configuration, NodeDefinition
from reconciler.model.constraint import Colocation, Constraint, Location, Order, ResourceSet, Ticket
from reconciler.model.resource import Bundle, Clone, Group, Operation, Primitive, Resource, Template
from reconciler.model.rule import Rule
from reconciler.model.settings import RENAMED_ROLES, Setting
from reconciler.model.text import boolean

_META = settings.names_of(settings.GROUP_META, settings.RESOURCE_META, settings.CLONE_META)
_OPTIONS = settings.names_of(settings.CLUSTER_OPTIONS)
_OPERATION = settings.names_of(settings.OPERATION_OPTIONS)
_ALERT = settings.names_of(settings.ALERT_META)
_NODE = settings.names_of(settings.NODE_ATTRIBUTES)
_CONTAINER = settings.names_of(settings.BUNDLE_CONTAINER)
_NETWORK = settings.names_of(settings.BUNDLE_NETWORK)

Known = Mapping[str, tuple[Setting, bool]]


def write_out(configuration: Configuration) -> Configuration:
    """The same configuration in the form that the language reads and writes; doing it twice changes nothing more."""
    options = _blocks(configuration.options, _OPTIONS)
    name = configuration.name
    if name is None and (given := _plain_name(options)):
        name = given
    if name is not None and not mentions(options, "cluster-name"):
        options = with_value(options, "cluster-name", name)
    defaults = replace(
        configuration.defaults,
        resources=_blocks(configuration.defaults.resources, _META),
        operations=_blocks(configuration.defaults.operations, _OPERATION),
    )
    interleave = not mentions(defaults.resources, "interleave")
    return replace(
        configuration,
        name=name,
        options=options,
        nodes=tuple(sorted((_node(node) for node in configuration.nodes), key=lambda node: node.name)),
        templates=tuple(sorted((_template(template) for template in configuration.templates), key=lambda one: one.id)),
        resources=tuple(_resource(resource, interleave) for resource in configuration.resources),
        constraints=tuple(_constraint(constraint) for constraint in configuration.constraints),
        fencing_levels=tuple(sorted(configuration.fencing_levels, key=level_key)),
        defaults=defaults,
        tags=tuple(sorted(configuration.tags, key=lambda tag: tag.id)),
        alerts=tuple(sorted((_alert(alert) for alert in configuration.alerts), key=lambda alert: alert.id)),
        acl_roles=tuple(sorted(configuration.acl_roles, key=lambda role: role.id)),
        acl_targets=tuple(sorted(configuration.acl_targets, key=lambda target: (target.kind != "group", target.id))),
    )


def _plain_name(options: AttributeBlocks) -> str | None:
    """The cluster's name where only one block says it, always."""
    given = [block for block in options if "cluster-name" in block.values]
    if len(given) != 1 or len(options) != 1 or given[0].rules or given[0].score is not None or given[0].id is not None:
        return None
    return given[0].values["cluster-name"]


def _blocks(blocks: AttributeBlocks, known: Known) -> AttributeBlocks:
    kept = tuple(replace(block, values=_values(block.values, known), rules=_rules(block.rules)) for block in blocks)
    return () if kept == (AttributeBlock({}),) else kept


def _values(values: Mapping[str, str], known: Known) -> dict[str, str]:
    """The pairs under the model's names; where two spellings of a setting meet, the model's own one counts."""
    out: dict[str, str] = {}
    for name, value in values.items():
        setting = known[name][0] if name in known else None
        key = name if setting is None else setting.key
        if key == name or key not in values:
            out[key] = _value(setting, value)
    return out


def _value(setting: Setting | None, value: str) -> str:
    if setting is None:
        return value
    if setting.kind == "boolean":
        return _boolean(value)
    if setting.name in ("target-role", "role"):
        return _role(value)
    former = {("no-quorum-policy", "fence"): "suicide", ("fencing-action", "poweroff"): "off"}
    return former.get((setting.name, value), value)


def _boolean(text: str) -> str:
    known = boolean(text)
    return text if known is None else str(known).lower()


def _role(text: str) -> str:
    return RENAMED_ROLES.get(text.lower(), text)


def _optional(change: Callable[[str], str], text: str | None) -> str | None:
    return None if text is None else change(text)


def _rules(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    return tuple(_rule(rule) for rule in rules)


def _rule(rule: Rule) -> Rule:
    inner = tuple(_rule(part) if isinstance(part, Rule) else part for part in rule.expressions)
    return replace(rule, expressions=inner, role=_optional(_role, rule.role))


def _node(node: NodeDefinition) -> NodeDefinition:
    return replace(node, attributes=_blocks(node.attributes, _NODE), utilization=_blocks(node.utilization, {}))


def _resource(resource: Resource, interleave: bool) -> Resource:
    match resource:
        case Primitive():
            return _primitive(resource)
        case Group():
            return _group(resource)
        case Clone():
            return _clone(resource, interleave)
        case Bundle():
            return _bundle(resource)


def _primitive(resource: Primitive) -> Primitive:
    return replace(
        resource,
        params=_blocks(resource.params, {}),
        meta=_blocks(resource.meta, _META),
        utilization=_blocks(resource.utilization, {}),
        operations=tuple(_operation(operation) for operation in resource.operations),
    )


def _template(template: Template) -> Template:
    return replace(
        template,
        params=_blocks(template.params, {}),
        meta=_blocks(template.meta, _META),
        utilization=_blocks(template.utilization, {}),
        operations=tuple(_operation(operation) for operation in template.operations),
    )


def _operation(operation: Operation) -> Operation:
    return replace(
        operation,
        attributes=_values(operation.attributes, _OPERATION),
        meta=_blocks(operation.meta, _OPERATION),
        params=_blocks(operation.params, {}),
    )


def _group(group: Group) -> Group:
    members = tuple(_primitive(member) for member in group.members)
    return replace(group, members=members, meta=_blocks(group.meta, _META), params=_blocks(group.params, {}))


def _clone(clone: Clone, interleave: bool) -> Clone:
    meta = _blocks(clone.meta, _META)
    if interleave and not mentions(meta, "interleave") and "interleave" not in clone.extra:
        meta = with_value(meta, "interleave", "false")
    held = _group(clone.resource) if isinstance(clone.resource, Group) else _primitive(clone.resource)
    return replace(clone, resource=held, meta=meta, params=_blocks(clone.params, {}))


def _bundle(bundle: Bundle) -> Bundle:
    network = bundle.network
    if network is not None:
        network = replace(network, attributes=_values(network.attributes, _NETWORK))
    return replace(
        bundle,
        container_attributes=_values(bundle.container_attributes, _CONTAINER),
        network=network,
        primitive=None if bundle.primitive is None else _primitive(bundle.primitive),
        meta=_blocks(bundle.meta, _META),
        params=_blocks(bundle.params, {}),
    )


def _constraint(constraint: Constraint) -> Constraint:
    sets = tuple(_set(part) for part in constraint.sets)
    role = _optional(_role, constraint.role) if not isinstance(constraint, Order) else None
    match constraint:
        case Location():
            return replace(
                constraint,
                sets=sets,
                role=role,
                rules=_rules(constraint.rules),
                lifetime=_lifetime(constraint.lifetime),
            )
        case Colocation():
            with_role, influence = _optional(_role, constraint.with_role), _optional(_boolean, constraint.influence)
            lifetime = _lifetime(constraint.lifetime)
            return replace(
                constraint, sets=sets, role=role, with_role=with_role, influence=influence, lifetime=lifetime
            )
        case Order():
            return replace(
                constraint,
                sets=sets,
                symmetrical=_optional(_boolean, constraint.symmetrical),
                require_all=_optional(_boolean, constraint.require_all),
                lifetime=_lifetime(constraint.lifetime),
            )
        case Ticket():
            return replace(constraint, sets=sets, role=role)


def _lifetime(rules: tuple[Rule, ...] | None) -> tuple[Rule, ...] | None:
    return None if rules is None else _rules(rules)


def _set(part: ResourceSet) -> ResourceSet:
    return replace(
        part,
        sequential=_optional(_boolean, part.sequential),
        require_all=_optional(_boolean, part.require_all),
        role=_optional(_role, part.role),
    )


def _alert(alert: Alert) -> Alert:
    recipients = tuple(
        replace(one, params=_blocks(one.params, {}), meta=_blocks(one.meta, _ALERT)) for one in alert.recipients
    )
    return replace(alert, recipients=recipients, params=_blocks(alert.params, {}), meta=_blocks(alert.meta, _ALERT))
