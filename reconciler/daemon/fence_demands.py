"""What the API makes of an operator's demand that a node is fenced: why it can't be met, and how long it may take where it can."""

from __future__ import annotations

from typing import assert_never

from reconciler.controller.demanding import Undemandable
from reconciler.controller.fencer import levels_of
from reconciler.controller.fencing.ordering import MARGIN_MS
from reconciler.controller.fencing.record import Down, Ordered
from reconciler.controller.fencing.topology import Device, steps
from reconciler.controller.node import Node
from reconciler.controller.shared import Shared, undemandable, watchdog_wait
from reconciler.controller.watchdogs import Uncounted, leaves_to_watchdog
from reconciler.daemon.http import ApiError
from reconciler.model.watchdogs import WATCHDOG


def longest_s(shared: Shared, target: str, action: str) -> float:
    """How long it takes at most until all levels were tried, where every agent takes the time that it has."""
    told = levels_of(shared.cib, target, watchdog=own_watchdog(shared, target, action))
    tries_ms = sum(
        (device.timeout_ms(step.action) + MARGIN_MS) * device.tries(step.action)
        for level in told
        for step in steps(level, action)
        for device in level
        if device.name == step.device
    )
    waits_ms = max((max(device.delay_ms, device.delay_most_ms) for level in told for device in level), default=0)
    return (tries_ms + waits_ms) / 1000


def own_watchdog(shared: Shared, target: str, action: str) -> Device | None:
    """The target's own watchdog, where it counts now: it boots the machine again, so that nobody is switched off by it."""
    known = shared.nodes.get(target)
    waits_ms = watchdog_wait(shared, target, "" if known is None else known.boot)
    if action == "off" or not isinstance(waits_ms, int):
        return None
    return Device(WATCHDOG, {action: waits_ms}, {action: 1}, waits=True)


def check_demand(node: Node, target: str, action: str) -> None:
    """Refuse what can't be done now. Raises ApiError, which says what would help."""
    shared = node.replica.shared
    if not node.replica.partition.installed:
        raise ApiError(409, "no-quorum", f"{node.name} takes no part in the cluster yet: ask again in a moment")
    known = shared.nodes.get(target)
    why = undemandable(shared, target, "" if known is None else known.boot)
    if why is not None:
        raise _refused(why, target, shared)
    if not levels_of(shared.cib, target, watchdog=own_watchdog(shared, target, action)):
        raise ApiError(
            409, "no-device", f"{target} is fenced by its own watchdog alone, which boots it again: --reboot"
        )
    record = shared.fencing.records.get(target)
    if isinstance(record, Ordered) and record.wanted.action != action:
        raise _known_already(target, shared)  # What is under way goes on as it is.


def _refused(why: Undemandable, target: str, shared: Shared) -> ApiError:
    by_hand = f"if {target} is off: reconciler fence confirm {target}"
    match why:
        case Undemandable.UNKNOWN:
            known = ", ".join(_members(shared)) or "none"
            text = f"there is no node {target!r} that could be fenced; there are: {known} (remote and guest nodes are none)"
            return ApiError(404, "unknown-node", text)
        case Undemandable.FENCING_OFF:
            return ApiError(409, "fencing-off", "nobody is fenced here: `fencing-enabled` is false")
        case Undemandable.NO_QUORUM:
            return ApiError(409, "no-quorum", f"those who are here have no quorum, and may fence nobody; {by_hand}")
        case Undemandable.NO_DEVICE:
            needed = f"fencing.devices: one that is enabled, with {target} in its host list"
            text = f"no fence device is for {target} ({needed}){_of_its_watchdog(shared, target)}"
            return ApiError(409, "no-device", f"{text}; {by_hand}")
        case Undemandable.DOWN | Undemandable.UNDER_WAY:
            return _known_already(target, shared)
        case Undemandable.BOOTED:
            return ApiError(409, "node-booted", f"{target} has just booted: ask again")
        case _:
            assert_never(why)


def _of_its_watchdog(shared: Shared, target: str) -> str:
    """Why the watchdog does not count that is to fence a target; nothing where none is to."""
    known = shared.nodes.get(target)
    why = watchdog_wait(shared, target, "" if known is None else known.boot)
    if not leaves_to_watchdog(shared.cib, target) or not isinstance(why, Uncounted):
        return ""
    return f", and its own watchdog does not count: {why.value}"


def _members(shared: Shared) -> list[str]:
    """The nodes that may be named, those among them that were never seen."""
    configured = {node.name for node in shared.cib.configuration.nodes if node.type in (None, "member")}
    return sorted(configured | shared.nodes.keys() | shared.votes.keys())


def _known_already(target: str, shared: Shared) -> ApiError:
    record = shared.fencing.records[target]
    if isinstance(record, Down):
        text = f"{target} is down already, by {record.by}: it takes part again once its machine has booted"
        return ApiError(409, "node-down", text)
    wanted = record.wanted if isinstance(record, Ordered) else record
    text = f"{target} is being fenced already ({wanted.action}: {wanted.reason}); see reconciler fence history {target}"
    return ApiError(409, "fencing-under-way", text)
