"""Operations: given once, where they may stand, and with times that fit each other."""

from __future__ import annotations

from reconciler.language.checks.facts import Facts, ResourceItem
from reconciler.language.checks.settings import operations_at
from reconciler.model.cluster import Address
from reconciler.model.duration import interval_ms
from reconciler.model.resource import Operation, Primitive, Template
from reconciler.model.text import boolean, integer

_ONCE = frozenset(
    {"start", "stop", "promote", "demote", "notify", "migrate_to", "migrate_from", "reload", "reload-agent"}
)


def check_operations(facts: Facts) -> None:
    """Report operations given twice, `on-fail` where it has no meaning, and times that defeat their purpose."""
    for template in facts.configuration.templates:
        _check(facts, ("templates", template.id), template)
    for item, primitive in facts.primitives():
        _check(facts, item.address, primitive)
        _check_failure_timeout(facts, item, primitive)


def _check(facts: Facts, address: Address, primitive: Primitive | Template) -> None:
    seen: set[tuple[str, int]] = set()
    for at, operation in operations_at(facts, address, primitive.operations):
        key = (operation.name, interval_ms(operation.interval))
        if key in seen:
            place = facts.index.value((*at, "interval"), at)
            text = f"{primitive.id}: {operation.name} is given twice with the interval {operation.interval}"
            facts.error("operation-twice", place, text, "give each one an interval of its own")
        seen.add(key)
        _check_on_fail(facts, at, operation)
        if operation.name in _ONCE and interval_ms(operation.interval):
            place = facts.index.value((*at, "interval"))
            facts.warning(
                "no-effect", place, f"{primitive.id}: {operation.name} never recurs, so its interval has no effect"
            )


def _check_on_fail(facts: Facts, at: Address, operation: Operation) -> None:
    on_fail = operation.attributes.get("on-fail", "").lower()
    place = facts.index.value((*at, "on-fail"))
    role = operation.attributes.get("role", "").lower()
    recurring = operation.name == "monitor" and interval_ms(operation.interval) > 0 and role == "promoted"
    if on_fail == "demote" and operation.name != "promote" and not recurring:
        text = f"on-fail: demote has no meaning for {operation.name}"
        facts.error("on-fail", place, text, "it is for promote, and for a recurring monitor of the role Promoted")
    elif operation.name == "stop" and on_fail in ("standby", "stop", "restart"):
        facts.warning("on-fail", place, f"on-fail: {on_fail} has no effect on stop", "use fence, block or ignore")


def _check_failure_timeout(facts: Facts, item: ResourceItem, primitive: Primitive) -> None:
    """A failure that is forgotten before the next monitor can find it again never adds up to the threshold."""
    timeout = facts.meta(item, "failure-timeout")
    threshold = facts.meta(item, "migration-threshold")
    if (
        timeout is None
        or threshold is None
        or not interval_ms(timeout)
        or not threshold.isdecimal()
        or integer(threshold, 2) < 2
    ):
        return
    intervals = [interval_ms(one.interval) for one in primitive.operations if one.name == "monitor" and _active(one)]
    longest = max((interval for interval in intervals if interval), default=0)
    if longest and interval_ms(timeout) <= longest:
        base = (*item.address, "meta", "failure-timeout")
        text = f"{item.id}: failures are forgotten after {timeout}, before the next monitor, so the threshold {threshold} is never reached"
        facts.warning(
            "timing-failure-timeout", facts.index.value(base), text, "make failure-timeout several times the interval"
        )


def _active(operation: Operation) -> bool:
    return boolean(operation.attributes.get("enabled")) is not False
