"""Settings: that options and meta-attributes have known names, and texts that mean something."""

from __future__ import annotations

import re
from collections.abc import Mapping

from reconciler.errors import Place
from reconciler.language.checks.facts import Facts, ResourceItem
from reconciler.language.checks.names import constraint_address
from reconciler.language.text.nearest import did_you_mean, nearest
from reconciler.model import settings
from reconciler.model.attributes import AttributeBlocks
from reconciler.model.cluster import Address
from reconciler.model.constraint import Constraint, Location, ResourceSet
from reconciler.model.keys import keys_of
from reconciler.model.resource import Bundle, Clone, Group, Operation, Primitive, Template
from reconciler.model.rule import Rule
from reconciler.model.settings import Setting
from reconciler.model.zone import read_zone

INFINITY = 1_000_000

_SCORE = r"[+-]?INFINITY\Z|[+-]?[0-9]+\Z"
_COLOURS = frozenset({"red", "yellow", "green"})
_DURATION = r"[0-9]+\s*(?:ms|msec|us|usec|s|sec|m|min|h|hr)?\Z"
_ISO_DURATION = r"P(?=.)(?:[0-9]+[YMWD])*(?:T(?:[0-9]+[HMS])+)?\Z"
_INTEGER = r"[+-]?[0-9]+\Z"
_PERCENTAGE = r"[0-9]+%\Z"

Table = Mapping[str, Setting]

_META = settings.RESOURCE_META
_GROUP = settings.RESOURCE_META | settings.GROUP_META
_CLONE = settings.RESOURCE_META | settings.GROUP_META | settings.CLONE_META


def check_settings(facts: Facts) -> None:
    """Report unknown names and meaningless values of options, meta-attributes, operations and scores."""
    configuration = facts.configuration
    _check_blocks(facts, ("cluster", "options"), configuration.options, settings.CLUSTER_OPTIONS, "option")
    _check_blocks(facts, ("defaults", "resources"), configuration.defaults.resources, _CLONE, "meta")
    _check_blocks(
        facts, ("defaults", "operations"), configuration.defaults.operations, settings.OPERATION_OPTIONS, "meta"
    )
    for node in configuration.nodes:
        at: Address = ("nodes", node.name)
        _check_score(facts, node.score, facts.index.value((*at, "score")))
        _check_utilization(facts, (*at, "utilization"), node.utilization)
    for template in configuration.templates:
        _check_primitive(facts, ("templates", template.id), template)
    for item in facts.items.values():
        _check_item(facts, item)
    for alert in configuration.alerts:
        at = ("alerts", alert.id)
        _check_blocks(facts, (*at, "meta"), alert.meta, settings.ALERT_META, "meta")
        for one in alert.recipients:
            _check_blocks(facts, (*at, "recipients", one.id, "meta"), one.meta, settings.ALERT_META, "meta")
    _check_constraint_scores(facts)


def _check_item(facts: Facts, item: ResourceItem) -> None:
    match item.resource:
        case Primitive():
            _check_primitive(facts, item.address, item.resource)
        case Group(_, _, meta):
            _check_blocks(facts, (*item.address, "meta"), meta, _GROUP, "meta")
        case Clone(_, _, meta):
            _check_blocks(facts, (*item.address, "meta"), meta, _CLONE, "meta")
        case Bundle():
            _check_blocks(facts, (*item.address, "meta"), item.resource.meta, _CLONE, "meta")
            for name, value in item.resource.container_attributes.items():
                setting = settings.BUNDLE_CONTAINER.get(name)
                if setting is not None:
                    _check_value(facts, setting, value, facts.index.value((*item.address, "container", name)))


def _check_primitive(facts: Facts, address: Address, primitive: Primitive | Template) -> None:
    _check_blocks(facts, (*address, "meta"), primitive.meta, _CLONE, "meta")
    _check_utilization(facts, (*address, "utilization"), primitive.utilization)
    for at, operation in operations_at(facts, address, primitive.operations):
        for name, value in operation.attributes.items():
            setting = settings.OPERATION_OPTIONS.get(name)
            if setting is not None:
                _check_value(facts, setting, value, facts.index.value((*at, name)))
        _check_blocks(facts, (*at, "meta"), operation.meta, settings.OPERATION_OPTIONS, "meta")
        if not is_duration(operation.interval, iso=True):
            place = facts.index.value((*at, "interval"))
            facts.error("setting-value", place, f"interval: '{operation.interval}' is no duration", _DURATION_HINT)


def operations_at(facts: Facts, address: Address, operations: tuple[Operation, ...]) -> list[tuple[Address, Operation]]:
    """Each operation with the address at which it was written: by name, by name and number, or by number."""
    counts: dict[str, int] = {}
    found: list[tuple[Address, Operation]] = []
    base = (*address, "operations")
    for index, operation in enumerate(operations):
        number = counts.get(operation.name, 0)
        counts[operation.name] = number + 1
        candidates = ((*base, operation.name, str(number)), (*base, operation.name), (*base, str(index), "operation"))
        found.append(
            (next((one for one in candidates if one in facts.index.values), (*base, operation.name)), operation)
        )
    return found


def _check_blocks(facts: Facts, base: Address, blocks: AttributeBlocks, table: Table, kind: str) -> None:
    for number, block in enumerate(blocks):
        _check_score(facts, block.score, facts.index.value((*base, str(number), "score")))
        for name, value in block.values.items():
            setting = _setting(table, name)
            if setting is None:
                _unknown(facts, base, number, name, table, kind)
                continue
            place = facts.value_place(base, number, name)
            if place == facts.index.value(base):
                place = facts.value_place(base, number, setting.name)
            _check_value(facts, setting, value, place)


def _setting(table: Table, name: str) -> Setting | None:
    found = table.get(name)
    return found or next((setting for setting in table.values() if setting.stored == name), None)


def _unknown(facts: Facts, base: Address, number: int, name: str, table: Table, kind: str) -> None:
    """A name like a known one is a slip; another one may be meant for rules or agents."""
    place = facts.name_place(base, number, name)
    what = "option" if kind == "option" else "meta-attribute"
    near = nearest(name, table)
    if near is not None:
        facts.error(f"unknown-{kind}", place, f"there is no {what} '{name}'", f"did you mean '{near}'?")
    else:
        facts.warning(f"unknown-{kind}", place, f"the {what} '{name}' is not known, and changes nothing by itself")


_DURATION_HINT = "write a number with ms, s, min or h, as in 30s"


def is_duration(text: str, *, iso: bool) -> bool:
    """Whether a text is a duration that means what it says: a whole number with a unit, or ISO 8601 where that is read."""
    return re.match(_DURATION, text.strip().lower()) is not None or (iso and re.match(_ISO_DURATION, text) is not None)


def _check_value(facts: Facts, setting: Setting, value: str, place: Place) -> None:
    name = setting.name
    if value.lower() in ("#default", "default"):
        return
    match setting.kind:
        case "score":
            _check_score(facts, value, place)
        case "duration":
            if not is_duration(value, iso=name != "timeout") and not (
                name == "fencing-watchdog-timeout" and value == "-1"
            ):
                facts.error("setting-value", place, f"{name}: '{value}' is no duration", _DURATION_HINT)
        case "integer" if not re.match(_INTEGER, value):
            facts.error("setting-value", place, f"{name}: '{value}' is no whole number")
        case "count" if not value.isdecimal():
            facts.error("setting-value", place, f"{name}: '{value}' is no whole number from 0 on")
        case "percentage" if not re.match(_PERCENTAGE, value):
            facts.error("setting-value", place, f"{name}: '{value}' is no percentage", "write it as in 80%")
        case "zone" if read_zone(value) is None:
            facts.error("setting-value", place, f"{name}: '{value}' is no zone by itself", _zone_hint(value))
        case "boolean" if value not in ("true", "false"):
            facts.error("setting-value", place, f"{name}: '{value}' is neither true nor false")
        case "word" if setting.words and value.lower() not in {word.lower() for word in setting.words}:
            known = [word for word in setting.words if word not in ("suicide", "poweroff")]
            facts.error("setting-value", place, f"{name}: '{value}' is not known", did_you_mean(value, known))
    if setting.deprecated:
        facts.warning("deprecated-name", place, f"'{name}' is outdated", setting.deprecated)


def _zone_hint(text: str) -> str:
    """Names are of a data base that may differ between machines, so what they stand for is written down."""
    if re.fullmatch(r"[A-Za-z_]+(/[A-Za-z_+-]+)+", text):
        return f"write its rule, which `tail -n 1 /usr/share/zoneinfo/{text}` shows"
    return "write UTC, an offset such as +01:00, or a rule such as CET-1CEST,M3.5.0,M10.5.0/3"


def _check_score(facts: Facts, text: str | None, place: Place) -> None:
    if text is None or text.lower() in _COLOURS:
        return
    if not re.match(_SCORE, text):
        hint = "write a number, INFINITY or -INFINITY (in capitals), require or forbid"
        facts.error("score-text", place, f"'{text}' is no score", hint)
    elif "I" not in text and (len(text) > 12 or abs(int(text)) > INFINITY):
        hint = "write INFINITY or -INFINITY for what nothing outweighs"
        facts.error("score-range", place, f"the score {text} is beyond {INFINITY}", hint)


def _check_utilization(facts: Facts, base: Address, blocks: AttributeBlocks) -> None:
    for number, block in enumerate(blocks):
        for name, value in block.values.items():
            if not re.match(_INTEGER, value):
                place = facts.value_place(base, number, name)
                facts.error("setting-value", place, f"utilization {name}: '{value}' is no whole number")


def _check_constraint_scores(facts: Facts) -> None:
    for constraint in facts.configuration.constraints:
        base = constraint_address(constraint)
        for number, one in enumerate(constraint.sets):
            _check_key_scores(facts, one, (*base, "sets", str(number)))
        _check_key_scores(facts, constraint, base)
        if isinstance(constraint, Location):
            for number, rule in enumerate(constraint.rules):
                _check_rule_score(facts, base, number, rule)


def _check_key_scores(facts: Facts, value: Constraint | ResourceSet, base: Address) -> None:
    for field, key in keys_of(type(value)).items():
        if key.kind == "score":
            spellings = (key.name, "prefer", "avoid") if key.name == "score" else (key.name,)
            _check_score(facts, getattr(value, field), facts.index.value(*((*base, name) for name in spellings)))


def _check_rule_score(facts: Facts, base: Address, number: int, rule: Rule) -> None:
    at = (*base, "rules", str(number), "score")
    place = (
        facts.index.value(at)
        if at in facts.index.values
        else facts.index.value((*base, "score"), (*base, "prefer"), (*base, "avoid"))
    )
    _check_score(facts, rule.score, place)
