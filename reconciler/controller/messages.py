"""What nodes tell each other: every change of the replicated state is one of these messages, delivered in one order to all.

A message travels in its canonical form. Reading one is strict and bounded: what a peer sends that does not parse is refused as a
whole (`MessageError`), so that it can be dropped and counted.
"""

from __future__ import annotations

from typing import Any

from reconciler.analysis.recording import Launched
from reconciler.cib.bounds import Bounds, BoundsError, parse
from reconciler.cib.canonical import CanonicalError, Variants, canonical_bytes, plain_bytes, to_variant
from reconciler.cib.observations import Observation
from reconciler.controller.former import current_message
from reconciler.errors import Finding, ReconcilerError
from reconciler.frozen import frozen

FORMAT = 2
LARGEST_BYTES = 16 * 1024 * 1024
BOUNDS = Bounds(LARGEST_BYTES, depth=16, items=400_000, text=1_000_000)
LARGEST_ORDER_BYTES = 4 * 1024 * 1024
"""Of one order: what it leads to (its pending entry, its result with all parameters) has to fit into a message, too."""


class MessageError(ReconcilerError):
    """A message that does not parse or exceeds a bound; it was not delivered."""

    code = "message"


class NewerMessageError(MessageError):
    """A newer version of this program wrote the message, which alone knows what it says."""

    code = "newer-message"


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


_MESSAGES: Variants[Message] = Variants(Propose, Accept, Reject, Activate, Observe, Run, Reported, Joined)


def encode(message: Message) -> bytes:
    """The bytes of a message."""
    return plain_bytes({"v": FORMAT, **to_variant(message)})


def order_bytes(order: Order) -> int:
    """How many bytes an order takes in a message."""
    return len(canonical_bytes(order))


def decode(data: bytes) -> Message:
    """The message that the bytes stand for, also of the former format. Raises MessageError."""
    try:
        plain = parse(data, BOUNDS)
        if type(plain) is not dict or not isinstance(plain.get("is"), str):
            raise MessageError("read a message: it is none")
        written = plain.pop("v", None)
        if written == 1:
            plain = current_message(plain)
        elif type(written) is int and written > FORMAT:
            raise NewerMessageError(f"it has format {written}, and this version reads up to {FORMAT}")
        elif written != FORMAT:
            raise MessageError(f"read a message: it is not of format {FORMAT}")
        return _MESSAGES.from_json(plain)
    except (BoundsError, CanonicalError) as error:
        raise MessageError(f"read a message: {error}") from error


def finding_to_plain(finding: Finding) -> dict[str, Any]:
    """A finding as the API shows it."""
    return {
        "code": finding.code,
        "file": finding.place.file,
        "line": finding.place.line,
        "column": finding.place.column,
        "text": finding.text,
        "hint": finding.hint,
        "severity": finding.severity.value,
    }
