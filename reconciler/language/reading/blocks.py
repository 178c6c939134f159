"""Blocks of values, rules and scores: documents to the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.language.reading.entries import Entry
from reconciler.language.text.document import Value
from reconciler.model.attributes import AttributeBlock, AttributeBlocks, encode_secret, plain
from reconciler.model.keys import keys_of
from reconciler.model.rule import (
    AgentExpression,
    AttributeExpression,
    DateExpression,
    Expression,
    OperationExpression,
    Rule,
)
from reconciler.model.rule_text import RuleTextError, parse_rule
from reconciler.model.settings import RENAMED_ROLES, Setting

Spellings = Mapping[str, tuple[Setting, bool]]
"""Spellings of settings, as `settings.names_of` gives them."""

_NO_SPELLINGS: Spellings = {}


def read_blocks(entry: Entry, value: Value | None, known: Spellings = _NO_SPELLINGS) -> AttributeBlocks:
    """The blocks of a map of values or of a list of blocks; outdated spellings become the model's."""
    if value is None:
        return ()
    if value.kind == "map":
        return plain(read_values(entry, value, known))
    return tuple(_read_block(entry, item, known) for item in value.items)


def _read_block(entry: Entry, value: Value, known: Spellings) -> AttributeBlock:
    score = value.get("score")
    return AttributeBlock(
        read_values(entry, value.values["values"], known),
        read_rules(entry, value, "rule", "rules"),
        None if score is None else read_score(entry, score),
        entry.text("id", value),
    )


def read_values(entry: Entry, value: Value, known: Spellings) -> dict[str, str]:
    """The pairs of a map under the names that the model uses; a setting given under two spellings is an error."""
    pairs: dict[str, str] = {}
    spelled: dict[str, str] = {}
    for name, part in value.values.items():
        setting, outdated = known.get(name, (None, False))
        key = name if setting is None else setting.key
        if outdated and setting is not None:
            entry.key_warning(
                "deprecated-name",
                value,
                name,
                f"'{name}' is the former name of '{setting.name}'",
                f"write {setting.name}",
            )
        if key in pairs:
            entry.error(
                "given-twice", part, f"'{name}' and '{spelled[key]}' are the same setting", "keep one of the two"
            )
            continue
        spelled[key] = name
        pairs[key] = _read_value(entry, part, setting)
    return pairs


def _read_value(entry: Entry, value: Value, setting: Setting | None) -> str:
    if value.kind == "map":
        return encode_secret(value.values["secret"].text)
    if setting is None:
        return value.text
    if setting.name == "no-quorum-policy":
        return _renamed(entry, value, {"suicide": "fence"}, {"fence": "suicide"})
    if setting.name == "fencing-action" and value.text == "poweroff":
        return _renamed(entry, value, {"poweroff": "off"}, {})
    if setting.name in ("target-role", "role"):
        return read_role(entry, value)
    return value.text


def _renamed(entry: Entry, value: Value, outdated: Mapping[str, str], stored: Mapping[str, str]) -> str:
    current = outdated.get(value.text, value.text)
    if current != value.text:
        entry.warning(
            "deprecated-value", value, f"'{value.text}' is the former name of '{current}'", f"write {current}"
        )
    return stored.get(current, current)


def read_role(entry: Entry, value: Value) -> str:
    """A role by its present name."""
    current = RENAMED_ROLES.get(value.text.lower())
    if current is None:
        return value.text
    entry.warning("deprecated-value", value, f"'{value.text}' is the former name of '{current}'", f"write {current}")
    return current


def read_score(entry: Entry, value: Value) -> str:
    """A score's text, with the words `require` and `forbid` turned into the infinities that they mean."""
    return {"require": "INFINITY", "forbid": "-INFINITY"}.get(value.text, value.text)


def read_keys(entry: Entry, value: Value, kind: type) -> dict[str, Any]:
    """The keys of an object that are given, by field."""
    found: dict[str, Any] = {}
    for name, key in keys_of(kind).items():
        part = value.get(key.name)
        if part is not None:
            read = _READERS.get(key.kind)
            found[name] = part.text if read is None else read(entry, part)
    return found


def read_preference(entry: Entry, value: Value) -> str | None:
    """The score that a map gives as `score`, `prefer` or `avoid`: at most one of them."""
    given = [(name, value.values[name]) for name in ("score", "prefer", "avoid") if name in value.values]
    for name, part in given[1:]:
        entry.error("given-twice", part, f"'{name}' and '{given[0][0]}' both give the score", "keep one of the two")
    if not given:
        return None
    name, part = given[0]
    if name == "score":
        return read_score(entry, part)
    if part.text.startswith("-") or part.text == "0" or int(part.text) >= 1_000_000:
        entry.error(
            "score-range",
            part,
            f"{name}: expected a number from 1 to 999999, found {part.text}",
            "a ban is `score: forbid`",
        )
    return part.text if name == "prefer" else f"-{part.text}"


_READERS = {"score": read_score, "role": read_role}


def read_rules(entry: Entry, value: Value, one: str, many: str) -> tuple[Rule, ...]:
    """The rules that a map gives under a key for one rule and a key for several."""
    single, several = value.get(one), value.get(many)
    if single is not None and several is not None:
        entry.error("given-twice", several, f"'{one}' and '{many}' both give rules", "put all of them below the second")
    rules = [] if single is None else [read_rule(entry, single)]
    if several is not None:
        rules.extend(read_rule(entry, item) for item in several.items)
    return tuple(rules)


def read_rule(entry: Entry, value: Value) -> Rule:
    """A rule from its text or from its parts; a faulty text gives an empty rule and a finding inside the text."""
    if value.kind != "map":
        return _parsed(entry, value)
    text = value.get("expression")
    listed = value.get("expressions")
    if (text is None) == (listed is None):
        entry.error("rule-form", value, "a rule needs either `expression` (a text) or `expressions` (a list)")
        return Rule(())
    base = _parsed(entry, text) if text is not None else Rule(_expressions(entry, listed))
    score, role = value.get("score"), value.get("role")
    return Rule(
        base.expressions,
        entry.text("boolean-op", value) or base.boolean_op,
        None if score is None else read_score(entry, score),
        entry.text("score-attribute", value),
        None if role is None else read_role(entry, role),
        entry.text("id", value),
        entry.pairs(value.get("extra")),
    )


def _parsed(entry: Entry, value: Value) -> Rule:
    try:
        return parse_rule(value.text)
    except RuleTextError as error:
        column, where = value.column, f" at character {error.offset + 1}"
        if value.shift is not None:
            column, where = column + value.shift + error.offset, ""
        entry.findings.error("rule-text", entry.file, (value.line, column), f"rule{where}: {error.text}", error.hint)
        return Rule(())


def _expressions(entry: Entry, value: Value | None) -> tuple[Expression, ...]:
    found = (_expression(entry, item) for item in (() if value is None else value.items))
    return tuple(expression for expression in found if expression is not None)


def _expression(entry: Entry, value: Value) -> Expression | None:
    if value.kind != "map":
        rule = _parsed(entry, value)
        return rule.expressions[0] if len(rule.expressions) == 1 else rule
    kinds = [name for name in ("attribute", "date", "resource", "op", "rule") if name in value.values]
    if len(kinds) != 1:
        entry.error("rule-form", value, "an expression needs exactly one of attribute, date, resource, op, rule")
        return None
    if kinds[0] == "attribute":
        return _attribute(entry, value)
    for name in value.values:
        if name != kinds[0]:
            entry.error(
                "rule-form", value.values[name], f"'{name}' does not go with '{kinds[0]}'", f"put it below {kinds[0]}"
            )
    part = value.values[kinds[0]]
    match kinds[0]:
        case "date":
            return _date(entry, part)
        case "resource":
            return AgentExpression(**read_keys(entry, part, AgentExpression))
        case "op":
            return OperationExpression(**read_keys(entry, part, OperationExpression))
    return read_rule(entry, part)


def _attribute(entry: Entry, value: Value) -> AttributeExpression | None:
    keys = read_keys(entry, value, AttributeExpression)
    if "operation" not in keys:
        entry.error("rule-form", value, "an expression on an attribute needs an operation")
        return None
    return AttributeExpression(**keys)


def _date(entry: Entry, value: Value) -> DateExpression:
    duration, spec = value.get("duration"), value.get("date-spec")
    return DateExpression(
        **read_keys(entry, value, DateExpression),
        duration=None if duration is None else entry.pairs(duration),
        date_spec=None if spec is None else entry.pairs(spec),
    )
