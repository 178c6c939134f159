"""The parts of a configuration as plain data: blocks, rules, nodes, levels, alerts, access rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.language.writing.yaml_text import Data, Plain
from reconciler.model import settings
from reconciler.model.attributes import AttributeBlock, AttributeBlocks, secret_name
from reconciler.model.cluster import (
    AclRole,
    AclTarget,
    Alert,
    AlertRecipient,
    AlertSelect,
    FencingLevel,
    NodeDefinition,
)
from reconciler.model.keys import keys_of, written_order
from reconciler.model.rule import (
    AgentExpression,
    AttributeExpression,
    DateExpression,
    Expression,
    OperationExpression,
    Rule,
)
from reconciler.model.rule_text import show_rule
from reconciler.model.settings import Setting

Map = dict[str, Data]
Table = Mapping[str, Setting]


def compact(data: Mapping[str, Data | None]) -> Map:
    """The pairs that have a value; an empty list or map is kept. They are given in canonical order: that of the schema's properties."""
    return {name: value for name, value in data.items() if value is not None}


def plain(text: str | None) -> Data | None:
    """A text that may stand without quotes when it is a number or a boolean."""
    return None if text is None else Plain(text)


def object_data(value: Any, beside: Mapping[str, Mapping[str, Data | None]] | None = None) -> Map:
    """An object as its class says: each key that has a value, and for the fields in `beside` what is given there."""
    keys, others = keys_of(type(value)), beside or {}
    data: dict[str, Data | None] = {}
    for name in written_order(type(value)):
        if name in others:
            data |= others[name]
        elif name in keys:
            text = getattr(value, name)
            data[keys[name].name] = text if keys[name].kind in ("text", "words", "role") else plain(text)
    return compact(data)


def pairs_data(values: Mapping[str, str]) -> Map | None:
    """Pairs of names and texts; None when there are none."""
    return {name: Plain(value) for name, value in values.items()} or None


def blocks_data(blocks: AttributeBlocks, table: Table) -> Data | None:
    """A map when one plain block says it all, else a list of blocks; None without blocks."""
    if not blocks:
        return None
    if (
        len(blocks) == 1
        and not blocks[0].rules
        and blocks[0].score is None
        and blocks[0].id is None
        and blocks[0].values
    ):
        return _values(blocks[0].values, table)
    return [_block(block, table) for block in blocks]


def _block(block: AttributeBlock, table: Table) -> Map:
    rules = [rule_data(rule) for rule in block.rules]
    return compact(
        {
            "id": block.id,
            "rule": rules[0] if len(rules) == 1 else None,
            "rules": rules if len(rules) > 1 else None,
            "score": plain(block.score),
            "values": _values(block.values, table),
        }
    )


def _values(values: Mapping[str, str], table: Table) -> Map:
    names = {setting.stored: setting.name for setting in table.values() if setting.stored}
    return {names.get(name, name): _value(name, value) for name, value in values.items()}


def _value(name: str, value: str) -> Data:
    secret = secret_name(value)
    if secret is not None:
        return {"secret": secret}
    return "fence" if (name, value) == ("no-quorum-policy", "suicide") else Plain(value)


def rule_data(rule: Rule, *, bare: bool = False) -> Data:
    """A rule as text where text can say it, else in parts; a `bare` one without its score, score attribute and role."""
    text = show_rule(rule)
    said = bare or (rule.score is None and rule.score_attribute is None and rule.role is None)
    if text is not None and said and rule.id is None and not rule.extra:
        return text
    return compact(
        {
            "id": rule.id,
            "expression": text,
            "expressions": [_expression(part) for part in rule.expressions] if text is None else None,
            "boolean-op": rule.boolean_op if text is None and rule.boolean_op != "and" else None,
            "score": None if bare else plain(rule.score),
            "score-attribute": None if bare else rule.score_attribute,
            "role": None if bare else rule.role,
            "extra": pairs_data(rule.extra),
        }
    )


def _expression(expression: Expression) -> Data:
    match expression:
        case AttributeExpression():
            return object_data(expression)
        case DateExpression():
            return {"date": _date(expression)}
        case AgentExpression():
            return {"resource": object_data(expression)}
        case OperationExpression():
            return {"op": object_data(expression)}
        case Rule():
            inner = rule_data(expression)
            return {"rule": inner}


def _date(expression: DateExpression) -> Map:
    duration, spec = expression.duration, expression.date_spec
    return object_data(
        expression,
        {
            "duration": {"duration": None if duration is None else _fields(duration, settings.DURATION_FIELDS)},
            "date_spec": {"date-spec": None if spec is None else _fields(spec, settings.DATE_SPEC_FIELDS)},
        },
    )


def _fields(values: Mapping[str, str], order: Iterable[str]) -> Map:
    known = {name: values[name] for name in order if name in values}
    return {name: Plain(value) for name, value in (known | dict(values)).items()}


def node_data(node: NodeDefinition) -> Map:
    """A node, with standby and maintenance in front where they are simply given."""
    attributes = node.attributes
    lifted: Map = {}
    if len(attributes) == 1 and not attributes[0].rules and attributes[0].score is None and attributes[0].id is None:
        rest = dict(attributes[0].values)
        for name in settings.NODE_ATTRIBUTES:
            if rest.get(name) in ("true", "false"):
                lifted[name] = Plain(rest.pop(name))
        attributes = (AttributeBlock(rest),) if rest else ()
    data = compact(
        {
            "id": plain(node.id),
            "type": node.type,
            "score": plain(node.score),
            "description": node.description,
            "attributes": blocks_data(attributes, settings.NODE_ATTRIBUTES),
            "utilization": blocks_data(node.utilization, {}),
            "extra": pairs_data(node.extra),
        }
    )
    return compact(lifted | data)


def level_data(level: FencingLevel) -> Map:
    """A fencing level."""
    return object_data(level, {"devices": {"devices": list(level.devices)}})


def alert_data(alert: Alert) -> Map:
    """An alert with its recipients."""
    return compact(
        {
            "path": alert.path,
            "description": alert.description,
            "select": None if alert.select is None else _select(alert.select),
            "params": blocks_data(alert.params, {}),
            "meta": blocks_data(alert.meta, settings.ALERT_META),
            "recipients": {one.id: _recipient(one) for one in alert.recipients} or None,
        }
    )


def _select(select: AlertSelect) -> Map:
    data: Map = {}
    for name, chosen in (("nodes", select.nodes), ("fencing", select.fencing), ("resources", select.resources)):
        if chosen:
            data[name] = Plain("true")
    if select.attributes is not None:
        data["attributes"] = list(select.attributes) if select.attributes else Plain("true")
    return compact(data)


def _recipient(recipient: AlertRecipient) -> Map:
    return compact(
        {
            "value": plain(recipient.value),
            "description": recipient.description,
            "params": blocks_data(recipient.params, {}),
            "meta": blocks_data(recipient.meta, settings.ALERT_META),
        }
    )


def permissions_data(role: AclRole) -> Map:
    """A role with its permissions."""
    permissions: list[Data] = [object_data(one) for one in role.permissions]
    return compact({"description": role.description, "permissions": permissions or None})


def target_data(target: AclTarget) -> Data:
    """The roles of a user or group."""
    if target.name is None:
        return list(target.roles)
    return compact({"name": target.name, "roles": list(target.roles)})
