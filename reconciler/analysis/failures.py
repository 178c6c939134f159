"""Failures that a cluster should survive, as cases: each turns a steady state into the state at the moment of the failure.

Source: the scheduler's specification, part 1, section 12.3 (node states), section 14 (fail counts); part 3, section 19.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from reconciler.analysis.fence_devices import devices
from reconciler.cib import Cib
from reconciler.frozen import frozen, replace
from reconciler.model.attributes import AttributeBlock
from reconciler.model.constraint import Location
from reconciler.model.date import Instant
from reconciler.model.score import INFINITY
from reconciler.model.status import HistoryEntry, NodeState, ResourceHistory

_LOST = {"in_ccm": "false", "crmd": "offline", "join": "down"}


@frozen
class Case:
    """One failure: nodes that are lost, fence devices that answer no more, and a resource that fails.

    `failed` is (primitive instance as its history calls it, node, whether it fails for good there).
    """

    lost: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    failed: tuple[str, str, bool] | None = None

    @property
    def name(self) -> str:
        """A stable name, by which cases of two revisions are compared."""
        parts = [f"node {node}" for node in self.lost] + [f"device {device}" for device in self.devices]
        if self.failed is not None:
            resource, node, for_good = self.failed
            parts.append(f"{resource} on {node} {'for good' if for_good else 'once'}")
        return "loss of " + " and ".join(parts) if self.failed is None else f"failure of {parts[-1]}"

    @property
    def kind(self) -> str:
        """node, nodes, device or resource."""
        if self.failed is not None:
            return "resource"
        if self.devices:
            return "device"
        return "node" if len(self.lost) == 1 else "nodes"


def cases(steady: Cib, survive: int) -> Iterator[Case]:
    """Every loss of a node and, for `survive` 2, of a pair of nodes; of a fence device; every failure of a resource.

    A failure of a resource comes in two kinds: once, where it is recovered in place, and for good, up to its threshold.
    A device is lost together with each of the nodes, because nobody misses it before.
    """
    members = [state.name for state in steady.status.nodes if state.attributes.get("crmd") == "online"]
    for size in range(1, survive + 1):
        for lost in itertools.combinations(members, size):
            yield Case(lost=lost)
    for device in devices(steady.configuration):
        for member in members:
            yield Case(lost=(member,), devices=(device,))
    for state in steady.status.nodes:
        for history in state.history:
            if running(history) and history.attributes.get("class") != "stonith":
                yield Case(failed=(history.id, state.name, False))
                yield Case(failed=(history.id, state.name, True))


def running(history: ResourceHistory) -> bool:
    """Whether the last lasting operation of a simulated history left the resource running."""
    results = {entry.result.task: entry.result for entry in history.entries}
    lasting = [entry.result for entry in history.entries if entry.result.task in _LASTING]
    if lasting:
        return max(lasting, key=lambda result: -1 if result.call_id is None else result.call_id).task != "stop"
    probe = results.get("monitor")
    return probe is not None and probe.rc in (0, 8)


_LASTING = frozenset({"start", "stop", "promote", "demote", "migrate_from"})


def strike(steady: Cib, case: Case, now: Instant) -> Cib:
    """The steady state at the moment of the failure, before anyone has reacted."""
    cib = steady
    if case.lost:
        cib = _lose(cib, frozenset(case.lost))
    for device in case.devices:
        cib = _silence(cib, device)
    if case.failed is not None and noticed(cib, case):
        cib = _fail(cib, *case.failed, now)
    return cib


def noticed(steady: Cib, case: Case) -> bool:
    """Whether the cluster gets to know of the failure: that of a resource without recurring monitor is never seen."""
    if case.failed is None:
        return True
    resource, node, _ = case.failed
    return _monitor(_history(next(state for state in steady.status.nodes if state.name == node), resource)) is not None


def _lose(cib: Cib, lost: frozenset[str]) -> Cib:
    states = tuple(
        replace(state, attributes={**state.attributes, **_LOST}) if state.name in lost else state
        for state in cib.status.nodes
    )
    voters = [node for node in cib.configuration.nodes if node.type in (None, "member")]
    online = {state.name for state in cib.status.nodes if state.attributes.get("crmd") == "online"}
    left = [node for node in voters if node.name in online - lost]
    quorum = cib.have_quorum and (2 * len(left) > len(voters) or (len(voters) == 2 and len(left) == 1))
    dc = cib.dc_id if any(node.identity == cib.dc_id for node in left) else (left[0].identity if left else None)
    return replace(cib, status=replace(cib.status, nodes=states), have_quorum=quorum, dc_id=dc)


def _silence(cib: Cib, device: str) -> Cib:
    """A device that answers no more runs nowhere: banned from every node, so that what it fences can't be fenced by it."""
    bans = tuple(
        Location(f"lost-{device}-{node.name}", device, node=node.name, score="-INFINITY")
        for node in cib.configuration.nodes
    )
    configuration = replace(cib.configuration, constraints=cib.configuration.constraints + bans)
    return replace(cib, configuration=configuration)


def _fail(cib: Cib, resource: str, node: str, for_good: bool, now: Instant) -> Cib:
    states = tuple(
        _failed_state(state, resource, for_good, now) if state.name == node else state for state in cib.status.nodes
    )
    return replace(cib, status=replace(cib.status, nodes=states))


def _failed_state(state: NodeState, resource: str, for_good: bool, now: Instant) -> NodeState:
    history, at = _history(state, resource), str(now.epoch_s)
    monitor = _monitor(history)
    assert monitor is not None
    count = str(INFINITY) if for_good else "1"
    name = f"{resource}#monitor_{monitor.attributes['interval']}"
    attributes = AttributeBlock({f"fail-count-{name}": count, f"last-failure-{name}": at})
    failed = replace(history, entries=(*history.entries, _failure(history, monitor, at)))
    histories = tuple(failed if other is history else other for other in state.history)
    return replace(state, transient=(*state.transient, attributes), history=histories)


def _history(state: NodeState, resource: str) -> ResourceHistory:
    return next(history for history in state.history if history.id == resource)


def _monitor(history: ResourceHistory) -> HistoryEntry | None:
    """The recurring monitor that would notice a failure, None when there is none."""
    return next((one for one in history.entries if one.result.task == "monitor" and one.result.recurs), None)


def _failure(history: ResourceHistory, monitor: HistoryEntry, at: str) -> HistoryEntry:
    """The monitor's result that the service is not running: of the same parameters, so that it counts as theirs."""
    call = 1 + max((entry.result.call_id or 0 for entry in history.entries), default=0)
    transition = f"0:{call}:0:00000000-0000-0000-0000-000000000000"
    attributes = {
        "operation_key": f"{history.id}_monitor_{monitor.attributes['interval']}",
        "operation": "monitor",
        "interval": monitor.attributes["interval"],
        "call-id": str(call),
        "rc-code": "7",
        "op-status": "0",
        "transition-key": transition,
        "transition-magic": f"0:7;{transition}",
        "last-rc-change": at,
    }
    attributes |= {name: text for name, text in monitor.attributes.items() if name in _DIGESTS}
    return HistoryEntry(f"{history.id}_last_failure_0", attributes)


# A result without digests is taken for one of other parameters, and the scheduler would forget the failure at once.
_DIGESTS = frozenset({"op-digest", "op-secure-digest", "op-secure-params", "op-restart-digest", "op-force-restart"})
