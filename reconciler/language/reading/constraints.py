"""Constraints: documents to the model."""

from __future__ import annotations

from typing import Any

from reconciler.frozen import replace
from reconciler.language.reading.blocks import read_keys, read_preference, read_rule
from reconciler.language.reading.entries import Entry
from reconciler.language.text.document import Value
from reconciler.model.constraint import Colocation, Location, Order, ResourceSet, Ticket
from reconciler.model.rule import Rule


def read_location(entry: Entry) -> Location | None:
    """A location constraint; None (with a finding) when its form says too much or too little."""
    value = entry.value
    if not _exactly_one(entry, ("resource", "pattern", "sets")):
        return None
    shared = _shared(entry, Location) | {"score": read_preference(entry, value)}
    rule, rules = value.get("rule"), value.get("rules")
    if rule is not None and rules is not None:
        entry.error("given-twice", rules, "'rule' and 'rules' both give rules", "put all of them below rules")
    found: tuple[Rule, ...] = () if rules is None else tuple(read_rule(entry, item) for item in rules.items)
    if rule is not None:
        found = (_scored(entry, read_rule(entry, rule), shared.pop("score"), shared.pop("role", None)),)
    elif "score-attribute" in value.values:
        entry.error("location-form", value.values["score-attribute"], "'score-attribute' needs a rule beside it")
    location = Location(entry.name, rules=found, **shared)
    scored = location.score is not None or any(one.score for one in location.sets)
    if not found and (location.node is None or not scored):
        _incomplete(entry, "name a node and a score, or give a rule with a score")
        return None
    return location


def _scored(entry: Entry, rule: Rule, score: str | None, role: str | None) -> Rule:
    """The rule of the short form, with what the constraint says beside it."""
    attribute = entry.text("score-attribute")
    if rule.score is None and rule.score_attribute is None and score is None and attribute is None:
        _incomplete(entry, "give a score for the nodes where the rule passes")
    return replace(
        rule,
        score=score if score is not None else rule.score,
        score_attribute=attribute if attribute is not None else rule.score_attribute,
        role=role if role is not None else rule.role,
    )


def read_colocation(entry: Entry) -> Colocation | None:
    """A colocation constraint; None (with a finding) when it names neither a pair nor sets."""
    if not _pair_or_sets(entry, "resource", "with"):
        return None
    return Colocation(entry.name, **_shared(entry, Colocation) | {"score": read_preference(entry, entry.value)})


def read_order(entry: Entry) -> Order | None:
    """An order constraint; None (with a finding) when it names neither a pair nor sets."""
    if not _pair_or_sets(entry, "first", "then"):
        return None
    if "score" in entry.value.values:
        hint = "write `kind: Optional` for 0, `kind: Mandatory` otherwise"
        entry.key_warning("deprecated-name", entry.value, "score", "'score' is the former way to say the kind", hint)
    return Order(entry.name, **_shared(entry, Order))


def read_ticket(entry: Entry) -> Ticket | None:
    """A ticket constraint; None (with a finding) without exactly one of resource and sets."""
    if not _exactly_one(entry, ("resource", "sets")):
        return None
    return Ticket(entry.name, **_shared(entry, Ticket))


def _shared(entry: Entry, kind: type) -> dict[str, Any]:
    """What all constraints are read by: their keys, and the sets, lifetime and further XML keys of those that have any."""
    lifetime = _lifetime(entry)
    more = {} if lifetime is None else {"lifetime": lifetime}
    return read_keys(entry, entry.value, kind) | more | {"sets": _sets(entry), "extra": _extra(entry, entry.value)}


def _extra(entry: Entry, value: Value) -> dict[str, str]:
    return entry.pairs(value.get("extra"))


def _sets(entry: Entry) -> tuple[ResourceSet, ...]:
    value = entry.value.get("sets")
    return () if value is None else tuple(_read_set(entry, item) for item in value.items)


def _read_set(entry: Entry, value: Value) -> ResourceSet:
    if value.kind == "list":
        return ResourceSet(entry.texts(value))
    keys = read_keys(entry, value, ResourceSet)
    return ResourceSet(entry.texts(value.values["resources"]), **keys, extra=_extra(entry, value))


def _lifetime(entry: Entry) -> tuple[Rule, ...] | None:
    value = entry.value.get("lifetime")
    if value is None:
        return None
    return tuple(read_rule(entry, item) for item in value.items) if value.kind == "list" else (read_rule(entry, value),)


def _exactly_one(entry: Entry, keys: tuple[str, ...]) -> bool:
    given = [key for key in keys if key in entry.value.values]
    for key in given[1:]:
        entry.error("given-twice", entry.value.values[key], f"{entry.name}: both '{given[0]}' and '{key}' are given")
    if not given:
        _incomplete(entry, f"give one of {', '.join(keys)}")
    return len(given) == 1


def _pair_or_sets(entry: Entry, left: str, right: str) -> bool:
    given = [key for key in (left, right, "sets") if key in entry.value.values]
    if given in ([left, right], ["sets"]):
        return True
    if "sets" in given:
        entry.error("given-twice", entry.value.values["sets"], f"{entry.name}: both '{given[0]}' and 'sets' are given")
    else:
        _incomplete(entry, f"name '{left}' and '{right}', or give sets")
    return False


def _incomplete(entry: Entry, hint: str) -> None:
    place = (entry.place.line, entry.place.column)
    entry.findings.error("constraint-form", entry.file, place, f"{entry.name} does not say enough", hint)
