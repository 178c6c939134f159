"""The parts of a configuration as plain data: blocks, rules, nodes, levels, alerts, access rules."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.language.writing.key_order import in_order
from reconciler.language.writing.yaml_text import Data, Plain
from reconciler.model import settings
from reconciler.model.attributes import AttributeBlock, AttributeBlocks, secret_name
from reconciler.model.cluster import AclRole, AclTarget, Alert, AlertRecipient, AlertSelect, FencingLevel, Node
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
    """The pairs that have a value, in canonical order; an empty list or map is kept."""
    return {name: value for name in in_order(data) if (value := data[name]) is not None}


def plain(text: str | None) -> Data | None:
    """A text that may stand without quotes when it is a number or a boolean."""
    return None if text is None else Plain(text)


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
            return compact(
                {
                    "id": expression.id,
                    "attribute": expression.attribute,
                    "operation": expression.operation,
                    "value": plain(expression.value),
                    "type": expression.type,
                    "value-source": expression.value_source,
                }
            )
        case DateExpression():
            return {"date": _date(expression)}
        case AgentExpression(standard, provider, type, id):
            return {"resource": compact({"id": id, "class": standard, "provider": provider, "type": type})}
        case OperationExpression(name, interval, id):
            return {"op": compact({"id": id, "name": name, "interval": plain(interval)})}
        case Rule():
            inner = rule_data(expression)
            return {"rule": inner}


def _date(expression: DateExpression) -> Map:
    duration, spec = expression.duration, expression.date_spec
    return compact(
        {
            "id": expression.id,
            "operation": expression.operation,
            "start": expression.start,
            "end": expression.end,
            "duration": None if duration is None else (pairs_data(duration) or {}),
            "date-spec": None if spec is None else (pairs_data(spec) or {}),
        }
    )


def node_data(node: Node) -> Map:
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
    return compact(
        {
            "id": level.id,
            "target": level.target,
            "target-pattern": level.target_pattern,
            "target-attribute": level.target_attribute,
            "target-value": plain(level.target_value),
            "index": Plain(level.index),
            "devices": list(level.devices),
        }
    )


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
    permissions: list[Data] = [
        compact(
            {
                "id": one.id,
                "kind": one.kind,
                "xpath": one.xpath,
                "reference": one.reference,
                "object-type": one.object_type,
                "attribute": one.attribute,
                "description": one.description,
            }
        )
        for one in role.permissions
    ]
    return compact({"description": role.description, "permissions": permissions or None})


def target_data(target: AclTarget) -> Data:
    """The roles of a user or group."""
    if target.name is None:
        return list(target.roles)
    return compact({"name": target.name, "roles": list(target.roles)})
