"""Events put into a CIB: nodes that come and go, tickets, quorum, and results of operations.

Source: Pacemaker Administration, "Using crm_simulate"; observation of what `crm_simulate -I` saves.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import NamedTuple

from reconciler.analysis.status_edit import CountedFailure, NodeEdit, SimulatedResult, StatusEdit
from reconciler.cib import Cib, Version
from reconciler.errors import ReconcilerError
from reconciler.frozen import frozen, replace
from reconciler.model.attributes import AttributeBlock
from reconciler.model.cluster import NodeDefinition
from reconciler.model.resource import Agent
from reconciler.model.status import TicketState
from reconciler.model.text import boolean

_BOOTSTRAP = "cib-bootstrap-options"
_UP = {"in_ccm": "true", "crmd": "online", "join": "member", "expected": "member"}
_DOWN = {"in_ccm": "false", "crmd": "offline", "join": "down", "expected": "down"}
_FAILED = {"in_ccm": "false", "crmd": "online", "join": "member", "expected": "member"}


class InjectionError(ReconcilerError):
    """What was to be injected makes no sense in this cluster; nothing was changed."""

    code = "injection"


class OperationResult(NamedTuple):
    """A result of an operation: of which resource (by instance or history name), on which node, with which code."""

    resource: str
    task: str
    interval_ms: int
    node: str
    rc: int

    def __str__(self) -> str:
        return f"{self.resource}_{self.task}_{self.interval_ms}@{self.node}={self.rc}"


def parse_operation_result(text: str) -> OperationResult:
    """Read `<resource>_<task>_<interval in ms>@<node>=<code>`. Raises InjectionError."""
    key, at, rest = text.partition("@")
    node, equals, code = rest.rpartition("=")
    resource, task, interval = split_key(key) or ("", "", "")
    if not (at and equals and resource and task and node and interval.isdecimal() and code.lstrip("-").isdecimal()):
        raise InjectionError(
            f"read the operation result {text!r}: expected <resource>_<task>_<interval in ms>@<node>=<result code>"
        )
    return OperationResult(resource, task, int(interval), node, int(code))


def split_key(key: str) -> tuple[str, str, str] | None:
    """Resource, task and interval of an action key; tasks of several words stay together. None when it is none."""
    parts = key.rsplit("_", 2)
    if len(parts) < 3:
        return None
    resource, task, interval = parts
    for start in ("migrate", "pre_notify", "post_notify"):
        if resource.endswith(f"_{start}"):
            return resource.removesuffix(f"_{start}"), f"{start}_{task}", interval
    return resource, task, interval


@frozen
class Injections:
    """Everything that is to happen at once, in the order in which it is applied."""

    quorum: str | None = None
    watchdog: str | None = None
    nodes_up: tuple[str, ...] = ()
    nodes_down: tuple[str, ...] = ()
    nodes_failed: tuple[str, ...] = ()
    tickets_granted: tuple[str, ...] = ()
    tickets_revoked: tuple[str, ...] = ()
    tickets_standby: tuple[str, ...] = ()
    tickets_activated: tuple[str, ...] = ()
    results: tuple[OperationResult, ...] = ()

    @property
    def any(self) -> bool:
        """Whether there is anything to inject."""
        return self != Injections()


class EventKind(enum.Enum):
    """What was injected."""

    QUORUM = "quorum"
    WATCHDOG = "watchdog"
    NODE_UP = "node up"
    NODE_DOWN = "node down"
    NODE_FAILED = "node failed"
    TICKET_GRANTED = "ticket granted"
    TICKET_REVOKED = "ticket revoked"
    TICKET_STANDBY = "ticket standby"
    TICKET_ACTIVATED = "ticket activated"
    RESULT = "result"


class Injected(NamedTuple):
    """One event that was injected: its subject as given, and for a result how it was counted as a failure."""

    kind: EventKind
    subject: str
    counted: CountedFailure | None = None


def inject(
    cib: Cib, injections: Injections, agent_of: Callable[[str], Agent | None], at_s: int
) -> tuple[Cib, tuple[Injected, ...]]:
    """The CIB after the events, and each of them. Raises InjectionError for a node, resource or value that is none.

    `agent_of` knows the agent of a primitive by the name of an instance or the name in the history; results are recorded
    with the epoch time `at_s`.
    """
    work = _Injecting(cib, agent_of, at_s)
    work.set_quorum(injections.quorum)
    work.set_watchdog(injections.watchdog)
    work.set_nodes(EventKind.NODE_UP, injections.nodes_up, _UP)
    work.set_nodes(EventKind.NODE_DOWN, injections.nodes_down, _DOWN)
    work.set_nodes(EventKind.NODE_FAILED, injections.nodes_failed, _FAILED)
    work.set_tickets(EventKind.TICKET_GRANTED, injections.tickets_granted, "granted", "true")
    work.set_tickets(EventKind.TICKET_REVOKED, injections.tickets_revoked, "granted", "false")
    work.set_tickets(EventKind.TICKET_STANDBY, injections.tickets_standby, "standby", "true")
    work.set_tickets(EventKind.TICKET_ACTIVATED, injections.tickets_activated, "standby", "false")
    for result in injections.results:
        work.add_result(result)
    return work.finish()


class _Injecting:
    """A CIB into which events are being put."""

    def __init__(self, cib: Cib, agent_of: Callable[[str], Agent | None], at_s: int) -> None:
        self.cib = cib
        self.agent_of = agent_of
        self.at_s = at_s
        self.status = StatusEdit(cib.status)
        self.events: list[Injected] = []

    def finish(self) -> tuple[Cib, tuple[Injected, ...]]:
        version = self.cib.version
        changed = Version(version.admin_epoch, version.epoch, version.num_updates + len(self.events))
        return replace(self.cib, status=self.status.finish(), version=changed), tuple(self.events)

    def set_quorum(self, text: str | None) -> None:
        if text is None:
            return
        self.cib = replace(self.cib, have_quorum=_boolean("quorum", text))
        self.events.append(Injected(EventKind.QUORUM, text))

    def set_watchdog(self, text: str | None) -> None:
        if text is None:
            return
        _boolean("watchdog", text)
        configuration = self.cib.configuration
        blocks = [_with_option(block, "have-watchdog", text) for block in configuration.options]
        if all("have-watchdog" not in block.values for block in blocks):
            own = next((place for place, block in enumerate(blocks) if block.id == _BOOTSTRAP), None)
            if own is None:
                blocks.append(AttributeBlock({"have-watchdog": text}, id=_BOOTSTRAP))
            else:
                values = {**blocks[own].values, "have-watchdog": text}
                blocks[own] = replace(blocks[own], values=values)
        self.cib = replace(self.cib, configuration=replace(configuration, options=tuple(blocks)))
        self.events.append(Injected(EventKind.WATCHDOG, text))

    def set_nodes(self, kind: EventKind, names: tuple[str, ...], state: dict[str, str]) -> None:
        for name in names:
            node = self._node(name, add=kind is EventKind.NODE_UP)
            if kind is EventKind.NODE_DOWN:
                node.forget_all()
            node.attributes |= state
            self.events.append(Injected(kind, name))

    def set_tickets(self, kind: EventKind, names: tuple[str, ...], key: str, value: str) -> None:
        for name in names:
            known = self.status.tickets.get(name, TicketState(name))
            self.status.tickets[name] = replace(known, attributes={**known.attributes, key: value})
            self.events.append(Injected(kind, name))

    def add_result(self, wanted: OperationResult) -> None:
        agent = self.agent_of(wanted.resource)
        if agent is None:
            raise InjectionError(f"inject {wanted}: no primitive is known as {wanted.resource}")
        node = self._node(wanted.node, add=False)
        expected = wanted.rc == 0
        result = SimulatedResult(
            wanted.task,
            wanted.interval_ms,
            wanted.rc,
            self.at_s,
            exit_reason="" if expected else "Simulated action result",
        )
        counted = node.count_failure(wanted.resource, result)
        node.history((wanted.resource,), agent).record(wanted.resource, result)
        self.events.append(Injected(EventKind.RESULT, str(wanted), counted))

    def _node(self, name: str, *, add: bool) -> NodeEdit:
        """The state of a node; with `add`, one that is not configured gets configured as a full member, as `crm_simulate` does."""
        configured = next((node for node in self.cib.configuration.nodes if node.name == name), None)
        if configured is None and add:
            configured = NodeDefinition(name, name)
            nodes = (*self.cib.configuration.nodes, configured)
            self.cib = replace(self.cib, configuration=replace(self.cib.configuration, nodes=nodes))
        if configured is None and name not in self.status:
            raise InjectionError(f"there is no node {name}")
        return self.status.node(name, name if configured is None else configured.identity)


def _boolean(what: str, text: str) -> bool:
    value = boolean(text)
    if value is None:
        raise InjectionError(f"set {what} to {text!r}: give true or false")
    return value


def _with_option(block: AttributeBlock, name: str, value: str) -> AttributeBlock:
    return replace(block, values={**block.values, name: value}) if name in block.values else block
