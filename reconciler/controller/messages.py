"""What nodes tell each other: every change of the replicated state is one of these messages, delivered in one order to all.

A message travels as canonical JSON. Reading one is strict and bounded: what a peer sends that does not parse is refused as a
whole (`MessageError`), so that it can be dropped and counted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from reconciler.analysis.recording import Launched
from reconciler.cib.canonical import plain_bytes
from reconciler.cib.observations import Observation, ObservationError, from_plain, to_plain
from reconciler.errors import Finding, Place, ReconcilerError, Severity
from reconciler.frozen import frozen
from reconciler.model.resource import Agent

FORMAT = 1
LARGEST_BYTES = 16 * 1024 * 1024
LARGEST_ORDER_BYTES = 4 * 1024 * 1024
"""Of one order: what it leads to (its pending entry, its result with all parameters) has to fit into a message, too."""
_MOST_ITEMS = 100_000
_LONGEST_TEXT = 1_000_000


class MessageError(ReconcilerError):
    """A message that does not parse or exceeds a bound; it was not delivered."""

    code = "message"


@frozen
class Propose:
    """Someone learned of a commit: every member is to examine it, on top of what is active when this is delivered.

    `base` is what was active for the sender when it sent this.
    """

    commit: str
    base: str | None
    source: str
    subject: str
    rewrite: bool
    term: int


@frozen
class Accept:
    """A member found the commit valid on top of `base` and made it durable; `digest` is that of what it compiles to."""

    commit: str
    base: str | None
    digest: str
    term: int


@frozen
class Reject:
    """A member refuses the commit, and why. `transient`: the same commit may be accepted later."""

    commit: str
    reason: str
    findings: tuple[Finding, ...]
    term: int
    at_ms: int
    transient: bool = False


@frozen
class Activate:
    """The DC: all members accepted this commit with this digest, so it becomes version `epoch`."""

    commit: str
    epoch: int
    digest: str
    at_ms: int
    term: int


@frozen
class Observe:
    """A member observed something of the status; `why` is for people.

    `transition` and `action` name the action that this carries out, if it does; 0 for none.
    """

    observations: tuple[Observation, ...]
    why: str
    at_ms: int
    transition: int = 0
    action: int = 0


@frozen
class Order:
    """One operation that the DC orders: action `action` of its transition; `timeout_ms` bounds the agent's call."""

    action: int
    timeout_ms: int
    launched: Launched


@frozen
class Run:
    """The DC orders operations; they are recorded as pending before any of them runs."""

    transition: int
    orders: tuple[Order, ...]
    at_ms: int


@frozen
class Reported:
    """A member tells how an operation ended, with what is to be remembered of it.

    `action` and `transition` say which order it answers; a recurring operation answers the same order each time that its result changes.
    """

    transition: int
    action: int
    resource: str
    task: str
    interval_ms: int
    node: str
    rc: int
    status: int
    failed: bool
    exit_reason: str
    execution_ms: int
    observations: tuple[Observation, ...]
    at_ms: int


@frozen
class Joined:
    """A member starts in a term: its name, the highest term that it has seen, and what it found on itself.

    `boot` names this start of its machine; `stopped` the resources that it found not running.
    """

    node: str
    term: int
    boot: str
    stopped: tuple[str, ...]
    observations: tuple[Observation, ...]
    at_ms: int


Message = Propose | Accept | Reject | Activate | Observe | Run | Reported | Joined


def encode(message: Message) -> bytes:
    """The bytes of a message."""
    return plain_bytes(to_object(message))


def order_bytes(order: Order) -> int:
    """How many bytes an order takes in a message."""
    return len(plain_bytes(_order_to_plain(order)))


def decode(data: bytes) -> Message:
    """The message that the bytes stand for. Raises MessageError."""
    if len(data) > LARGEST_BYTES:
        raise MessageError(f"read a message of {len(data)} bytes: more than {LARGEST_BYTES}")
    try:
        plain = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MessageError("read a message as JSON") from error
    return from_object(plain)


def to_object(message: Message) -> dict[str, Any]:
    """The plain form of a message."""
    return {"v": FORMAT, "is": type(message).__name__, **_WRITERS[type(message)](message)}


def from_object(data: object) -> Message:
    """The message that a plain form stands for. Raises MessageError."""
    if type(data) is not dict or data.get("v") != FORMAT:
        raise MessageError(f"read a message: it is not of format {FORMAT}")
    reader = _READERS.get(str(data.get("is")))
    if reader is None:
        raise MessageError(f"read a message: its kind {str(data.get('is'))[:40]!r} is unknown")
    try:
        return reader(_Fields(data))
    except ObservationError as error:
        raise MessageError(f"read a message {data['is']}") from error


class _Fields:
    """The fields of a plain form, each taken with its type."""

    def __init__(self, data: object) -> None:
        if type(data) is not dict:
            raise MessageError("read a message: a part is no object")
        self.data: dict[str, Any] = data

    def text(self, name: str) -> str:
        value = self.data.get(name)
        if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
            raise MessageError(f"read a message: {name} is no text, or too long")
        return value

    def optional(self, name: str) -> str | None:
        return None if self.data.get(name) is None else self.text(name)

    def number(self, name: str) -> int:
        value = self.data.get(name)
        if type(value) is not int or abs(value) >= 1 << 62:
            raise MessageError(f"read a message: {name} is no integer, or too large")
        return value

    def flag(self, name: str) -> bool:
        value = self.data.get(name)
        if type(value) is not bool:
            raise MessageError(f"read a message: {name} is neither true nor false")
        return value

    def items(self, name: str) -> list[Any]:
        value = self.data.get(name)
        if type(value) is not list or len(value) > _MOST_ITEMS:
            raise MessageError(f"read a message: {name} is no list, or too long")
        return value

    def texts(self, name: str) -> dict[str, str]:
        value = self.data.get(name)
        if type(value) is not dict or not all(isinstance(part, str) for part in value.values()):
            raise MessageError(f"read a message: {name} is no object of texts")
        return value

    def observations(self) -> tuple[Observation, ...]:
        return tuple(from_plain(part) for part in self.items("observations"))


def finding_to_plain(finding: Finding) -> dict[str, Any]:
    """The plain form of a finding, as the API shows it too."""
    return {
        "code": finding.code,
        "file": finding.place.file,
        "line": finding.place.line,
        "column": finding.place.column,
        "text": finding.text,
        "hint": finding.hint,
        "severity": finding.severity.value,
    }


def _finding(data: object) -> Finding:
    fields = _Fields(data)
    place = Place(fields.text("file"), fields.number("line"), fields.number("column"))
    severity = Severity.WARNING if fields.text("severity") == "warning" else Severity.ERROR
    return Finding(fields.text("code"), place, fields.text("text"), fields.text("hint"), severity)


def launched_to_plain(launched: Launched) -> dict[str, Any]:
    """The plain form of an operation with all that its entry tells but the agent's traits, which who runs it knows."""
    agent = launched.agent
    return {
        "resource": launched.resource,
        "task": launched.task,
        "node": launched.node,
        "node_id": launched.node_id,
        "agent": [agent.standard, agent.provider, agent.type],
        "key": launched.transition_key,
        "target": launched.target_rc,
        "interval": launched.interval_ms,
        "attributes": dict(launched.attributes),
        "fatal": launched.start_failure_is_fatal,
        "digested": None if launched.digested is None else dict(launched.digested),
    }


def launched_from_plain(data: object) -> Launched:
    """The operation that a plain form stands for. Raises MessageError."""
    fields = _Fields(data)
    match fields.items("agent"):
        case [str(standard), None | str() as provider, str(kind)]:
            agent = Agent(standard, kind, provider)
        case _:
            raise MessageError("read a message: agent is none")
    return Launched(
        resource=fields.text("resource"),
        task=fields.text("task"),
        node=fields.text("node"),
        node_id=fields.text("node_id"),
        agent=agent,
        transition_key=fields.text("key"),
        target_rc=fields.number("target"),
        interval_ms=fields.number("interval"),
        attributes=fields.texts("attributes"),
        start_failure_is_fatal=fields.flag("fatal"),
        digested=None if fields.data.get("digested") is None else fields.texts("digested"),
    )


def _order(data: object) -> Order:
    fields = _Fields(data)
    return Order(fields.number("action"), fields.number("timeout"), launched_from_plain(fields.data.get("launched")))


def _write_run(message: Run) -> dict[str, Any]:
    orders = [_order_to_plain(order) for order in message.orders]
    return {"transition": message.transition, "orders": orders, "at": message.at_ms}


def _order_to_plain(order: Order) -> dict[str, Any]:
    return {"action": order.action, "timeout": order.timeout_ms, "launched": launched_to_plain(order.launched)}


def _write_reported(message: Reported) -> dict[str, Any]:
    return {
        "transition": message.transition,
        "action": message.action,
        "resource": message.resource,
        "task": message.task,
        "interval": message.interval_ms,
        "node": message.node,
        "rc": message.rc,
        "status": message.status,
        "failed": message.failed,
        "reason": message.exit_reason,
        "execution": message.execution_ms,
        "observations": _plain_observations(message.observations),
        "at": message.at_ms,
    }


def _read_reported(fields: _Fields) -> Reported:
    return Reported(
        transition=fields.number("transition"),
        action=fields.number("action"),
        resource=fields.text("resource"),
        task=fields.text("task"),
        interval_ms=fields.number("interval"),
        node=fields.text("node"),
        rc=fields.number("rc"),
        status=fields.number("status"),
        failed=fields.flag("failed"),
        exit_reason=fields.text("reason"),
        execution_ms=fields.number("execution"),
        observations=fields.observations(),
        at_ms=fields.number("at"),
    )


def _plain_observations(observations: tuple[Observation, ...]) -> list[list[Any]]:
    return [to_plain(seen) for seen in observations]


_WRITERS: Mapping[type, Callable[[Any], dict[str, Any]]] = {
    Propose: lambda m: {
        "commit": m.commit,
        "base": m.base,
        "source": m.source,
        "subject": m.subject,
        "rewrite": m.rewrite,
        "term": m.term,
    },
    Accept: lambda m: {"commit": m.commit, "base": m.base, "digest": m.digest, "term": m.term},
    Reject: lambda m: {
        "commit": m.commit,
        "reason": m.reason,
        "findings": [finding_to_plain(finding) for finding in m.findings],
        "term": m.term,
        "at": m.at_ms,
        "transient": m.transient,
    },
    Activate: lambda m: {"commit": m.commit, "epoch": m.epoch, "digest": m.digest, "at": m.at_ms, "term": m.term},
    Observe: lambda m: {
        "observations": _plain_observations(m.observations),
        "why": m.why,
        "at": m.at_ms,
        "transition": m.transition,
        "action": m.action,
    },
    Run: _write_run,
    Reported: _write_reported,
    Joined: lambda m: {
        "node": m.node,
        "term": m.term,
        "boot": m.boot,
        "stopped": list(m.stopped),
        "observations": _plain_observations(m.observations),
        "at": m.at_ms,
    },
}

_READERS: Mapping[str, Callable[[_Fields], Message]] = {
    "Propose": lambda f: Propose(
        f.text("commit"), f.optional("base"), f.text("source"), f.text("subject"), f.flag("rewrite"), f.number("term")
    ),
    "Accept": lambda f: Accept(f.text("commit"), f.optional("base"), f.text("digest"), f.number("term")),
    "Reject": lambda f: Reject(
        f.text("commit"),
        f.text("reason"),
        tuple(_finding(part) for part in f.items("findings")),
        f.number("term"),
        f.number("at"),
        f.flag("transient") if "transient" in f.data else False,
    ),
    "Activate": lambda f: Activate(
        f.text("commit"), f.number("epoch"), f.text("digest"), f.number("at"), f.number("term")
    ),
    "Observe": lambda f: Observe(
        f.observations(), f.text("why"), f.number("at"), f.number("transition"), f.number("action")
    ),
    "Run": lambda f: Run(f.number("transition"), tuple(_order(part) for part in f.items("orders")), f.number("at")),
    "Reported": _read_reported,
    "Joined": lambda f: Joined(
        f.text("node"),
        f.number("term"),
        f.text("boot"),
        tuple(str(name) for name in f.items("stopped")),
        f.observations(),
        f.number("at"),
    ),
}
