"""What nodes tell each other: every change of the replicated state is one of these messages, delivered in one order to all.

A message travels in its canonical form, inside an `Envelope`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.analysis.recording import Launched
from reconciler.cib.canonical import canonical_bytes
from reconciler.cib.observations import Observation
from reconciler.controller.fencing.messages import FencingMessage
from reconciler.controller.membership.history import StateId
from reconciler.controller.membership.messages import Exclude, Hello, Ready
from reconciler.errors import Finding, ReconcilerError
from reconciler.frozen import field, frozen

COMPILER = 1
"""The level of this version's compiler: raised whenever the same files may compile to another configuration than before."""
LARGEST_BYTES = 16 * 1024 * 1024
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

    `base` is what was active for the sender when it sent this. `plan` is the digest of the plan to which the cluster must come then,
    `allow` what was consented to, as patterns over `KIND:NAME`.
    """

    commit: str
    base: str | None
    source: str
    subject: str
    rewrite: bool
    term: int
    plan: str | None = None
    allow: tuple[str, ...] = ()


@frozen
class Accept:
    """A member found the commit valid on top of `base` and made it durable; `digest` is that of what it compiles to.

    `compiler` is the level of what it compiled it with: two of one level compile alike.
    """

    commit: str
    base: str | None
    digest: str
    term: int
    compiler: int = COMPILER


@frozen
class Compiled:
    """The DC: to this it compiles the commit, in its plain form; members whose compiler is of another level take that for their own."""

    commit: str
    base: str | None
    digest: str
    compiler: int
    configuration: Any


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
    """The DC: all members accepted this commit with this digest, so it becomes version `epoch`.

    With `state`, the version of the CIB for which a saved plan was found to hold, only if it is still that one.
    """

    commit: str
    epoch: int
    digest: str
    at_ms: int
    term: int
    state: str | None = None


@frozen
class Observe:
    """A member observed something of the status; `why` is for people.

    `term`, `transition` and `action` name the action that this carries out, if it does; 0 for none. With `dampen_ms` the values of
    attributes are held, and count together with further ones once no other came for so long.
    """

    observations: tuple[Observation, ...]
    why: str
    at_ms: int
    term: int = 0
    transition: int = 0
    action: int = 0
    dampen_ms: int = 0


@frozen
class AgentOrder:
    """One operation that the DC orders: action `action` of its transition; `timeout_ms` bounds the agent's call."""

    action: int
    timeout_ms: int
    launched: Launched


@frozen
class Run:
    """The DC orders operations; they are recorded as pending before any of them runs. Term, transition and action name an order."""

    term: int
    transition: int
    orders: tuple[AgentOrder, ...]
    at_ms: int


@frozen
class Heard:
    """A member has heard the orders that begin with `action`: without fencing, nothing is started before most votes have."""

    node: str
    term: int
    transition: int
    action: int


@frozen
class Reported:
    """A member tells how an operation ended, with what is to be remembered of it.

    `term`, `transition` and `action` say which order it answers; a recurring operation answers the same order each time that its
    result changes.
    """

    term: int
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
    """A former version's word for what is a `Report` now, in its journals alone.

    A member starts in a term: its name, the highest term that it has seen, and what it found on itself.

    `boot` names this start of its machine; `stopped` the resources that it found not running.
    """

    node: str
    term: int
    boot: str
    stopped: tuple[str, ...]
    observations: tuple[Observation, ...]
    at_ms: int


@frozen
class Underway:
    """An order that a node is carrying out."""

    term: int
    transition: int
    action: int
    resource: str
    task: str
    timeout_ms: int


@frozen
class Report:
    """A member tells in a newly installed view what it is and does: nobody knows that better.

    `boot` names this start of its machine; `stopped` the resources that it looked for and found not running; `underway` the orders
    that it is still carrying out.
    """

    node: str
    boot: str
    stopped: tuple[str, ...]
    underway: tuple[Underway, ...]
    observations: tuple[Observation, ...]
    at_ms: int


@frozen
class State:
    """The donor's state, for those who hold another; `shared` is its plain form."""

    id: StateId
    shared: Any


@frozen
class Kept:
    """A member has a version of the configuration on its disk."""

    node: str
    commit: str
    epoch: int


@frozen
class WantCommit:
    """A member lacks a commit, and asks one that may have it; `known` is a commit that it has, on top of which it needs the rest."""

    node: str
    commit: str
    known: str | None
    asked: str


@frozen
class CommitPack:
    """What a repository that has `known` lacks of a commit, as a git pack in Base64; its length is bounded as that of a message is."""

    commit: str
    known: str | None
    parts: tuple[str, ...]


@frozen
class NoPack:
    """Who was asked for a commit can't send it, and why."""

    commit: str
    reason: str


@frozen
class GraceOver:
    """The DC: the time is over in which a node that is gone might have been back."""

    node: str


@frozen
class Abandoned:
    """The DC: what a node was still carrying out of former views has taken longer than it can; it is not waited for any more."""

    node: str


@frozen
class Ping:
    """A member's sign of life: the place in the one order to which it has come, and what it held there.

    `heard` says how many bytes of each member it has heard in this view. It changes nothing that members share.
    """

    node: str
    number: int
    term: int
    seq: int
    beside: int
    chain: str
    version: str
    heard: Mapping[str, int]
    at_ms: int
    answers: Mapping[str, int] = field(default_factory=dict)
    """By member the number of its last ping that was delivered to the sender in this view; from protocol 3 on."""


@frozen
class SelfReset:
    """A member tells that its machine's watchdog resets it `within_ms` after it was last heard, in this `boot`; 0: that it does not.

    From protocol 3 on.
    """

    node: str
    boot: str
    within_ms: int


@frozen
class Problem:
    """Something that is not as wanted although nothing can be done."""

    resource: str
    text: str


@frozen
class Settled:
    """The DC: in this version of the state nothing is left to do, but for these problems."""

    version: str
    commit: str | None
    problems: tuple[Problem, ...]
    at_ms: int


@frozen
class Cleanup:
    """An operator wants failures of resources forgotten everywhere; what that means is worked out when it is delivered."""

    resources: tuple[str, ...]
    at_ms: int


@frozen
class Refresh:
    """An operator wants it looked up again what runs of these resources."""

    resources: tuple[str, ...]
    at_ms: int


@frozen
class NodeForgotten:
    """An operator has taken a node out of the cluster: its vote counts no longer, and nothing of it stays."""

    node: str
    at_ms: int


@frozen
class Shutdown:
    """An operator wants a node to stop its resources and leave."""

    node: str
    at_ms: int


@frozen
class Release:
    """The DC: all resources of a node are stopped, so it leaves; this carries out an action of the transition."""

    node: str
    term: int
    transition: int
    action: int


Message = (
    Propose
    | Accept
    | Reject
    | Activate
    | Observe
    | Run
    | Reported
    | Joined
    | Cleanup
    | Refresh
    | NodeForgotten
    | Shutdown
    | Release
    | Report
    | GraceOver
    | Settled
    | Heard
    | Kept
    | WantCommit
    | CommitPack
    | NoPack
    | State
    | Hello
    | Ready
    | Exclude
    | Ping
    | Abandoned
    | Compiled
    | SelfReset
    | FencingMessage
)


def order_bytes(order: AgentOrder) -> int:
    """How many bytes an order takes in a message."""
    return len(canonical_bytes(order))


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
