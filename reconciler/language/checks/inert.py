"""What is accepted, kept and exported, and nothing here acts upon yet: nobody shall rely on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.errors import Place
from reconciler.language.checks.facts import Facts
from reconciler.language.checks.names import constraint_address
from reconciler.model import settings
from reconciler.model.attributes import AttributeBlocks
from reconciler.model.cluster import Address
from reconciler.model.constraint import Ticket
from reconciler.model.duration import interval_ms
from reconciler.model.settings import Setting
from reconciler.model.text import boolean


def check_inert(facts: Facts) -> None:
    """Warn of options and parameters that nothing reads, of alerts, access rules and tickets."""
    configuration = facts.configuration
    _warn_of(facts, "options", list(_inert(facts, _OPTIONS, configuration.options, settings.CLUSTER_OPTIONS)))
    _warn_of(facts, "parameters of fence devices", list(_inert_parameters(facts)))
    if configuration.alerts:
        text = "alerts are kept, but this version calls no alert agent"
        facts.warning("not-acted-upon", facts.index.key(("alerts",)), text, "follow the events of the API")
    if configuration.acl_roles or configuration.acl_targets:
        text = "access rules are kept, but this version grants access by `readers` and `writers` in node.yaml alone"
        facts.warning("not-acted-upon", facts.index.key(("acls",)), text)
    for constraint in configuration.constraints:
        if isinstance(constraint, Ticket):
            text = (
                f"{constraint.id}: this version can grant no ticket: what depends on '{constraint.ticket}' never starts"
            )
            facts.warning("not-acted-upon", facts.index.key(constraint_address(constraint)), text)


_OPTIONS: Address = ("cluster", "options")


def _warn_of(facts: Facts, kind: str, found: list[tuple[str, Place]]) -> None:
    """One finding for all: whoever comes from Pacemaker has many of them."""
    if found:
        names = ", ".join(sorted({name for name, _ in found}))
        place = min(place for _, place in found)
        hint = "leave them out; the reference of settings says what is so instead"
        facts.warning("not-acted-upon", place, f"{kind} that have no effect here: {names}", hint)


def _inert_parameters(facts: Facts) -> Iterator[tuple[str, Place]]:
    table = settings.FENCING_PARAMETERS
    for item, primitive in facts.primitives():
        agent = facts.agent(primitive)
        if agent is not None and agent.standard.lower() == "stonith":
            yield from _inert(facts, (*item.address, "params"), primitive.params, table)
            if (template := facts.templates.get(primitive.template or "")) is not None:
                yield from _inert(facts, ("templates", template.id, "params"), template.params, table)


def _inert(
    facts: Facts, base: Address, blocks: AttributeBlocks, table: Mapping[str, Setting]
) -> Iterator[tuple[str, Place]]:
    """The settings of a table that are set to other values than their defaults, and have no effect."""
    for setting in table.values():
        for number, block in enumerate(blocks if setting.inert else ()):
            value = block.values.get(setting.key)
            if value is not None and not _is_default(setting, value):
                spellings = (setting.name, setting.stored or setting.name, *setting.old)
                yield setting.name, facts.value_place(base, number, *spellings)


def _is_default(setting: Setting, value: str) -> bool:
    match setting.kind:
        case "duration":
            return interval_ms(value) == interval_ms(setting.default)
        case "boolean":
            return boolean(value) == boolean(setting.default)
        case _:
            return value.lower() == setting.default.lower()
