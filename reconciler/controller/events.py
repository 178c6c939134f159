"""What happens to a node, and what a node wishes: the whole border between the pure core and the shell around it.

Every event says when it happened. The shell carries wishes out in their order, and answers them with events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.analysis.recording import AgentTraits
from reconciler.controller.admission import Tip
from reconciler.controller.fencing.record import FenceOrder
from reconciler.controller.journal import Record
from reconciler.controller.membership.events import View
from reconciler.controller.messages import Message
from reconciler.controller.moment import Moment
from reconciler.errors import Finding
from reconciler.frozen import field, frozen
from reconciler.model.cluster import Configuration
from reconciler.model.operation import AgentCall, AgentResult
from reconciler.model.resource import Agent


@frozen
class Started:
    """The process runs, with the state that the store had. `boot` names this start of the machine.

    `trouble` tells why nothing that was proposed before is trusted: it may have been what ended the process, again and again.
    """

    now: Moment
    boot: str
    trouble: str | None = None


@frozen
class ViewChanged:
    """The fabric announced a view: from now on only what was sent in it counts."""

    now: Moment
    view: View


@frozen
class Delivered:
    """The fabric delivered something, in the order that all members see."""

    now: Moment
    sender: str
    data: bytes


@frozen
class NotWritten:
    """A `Write` could not be carried out: the record is not in the journal."""

    now: Moment
    reason: str


@frozen
class Durable:
    """What the token was given for is on the disk."""

    now: Moment
    token: int


@frozen
class NotDurable:
    """What the token was given for is not on the disk, or nobody knows."""

    now: Moment
    token: int
    reason: str


@frozen
class Finished:
    """An agent's call (`token` of `RunAgent`) is over."""

    now: Moment
    token: int
    result: AgentResult
    traits: AgentTraits = field(default_factory=AgentTraits)


@frozen
class TimerFired:
    """A timer that the node set has run out."""

    now: Moment
    name: str


@frozen
class CommitArrived:
    """Somebody wants a commit that is in this node's repository proposed; `rewrite` if it need not follow the active one.

    `made_here`: no other member has it, or may have got it from elsewhere.
    """

    now: Moment
    commit: str
    source: str
    subject: str
    rewrite: bool = False
    plan: str | None = None
    """The digest of the plan that is to be carried out, if it must be that one."""
    allow: tuple[str, ...] = ()
    """What was consented to, as patterns over `KIND:NAME`."""
    made_here: bool = False


@frozen
class TipSeen:
    """A source of this node reports its newest commit."""

    now: Moment
    tip: Tip


@frozen
class Examined:
    """A commit was examined on top of `base`; it is valid where `configuration` is there.

    `transient`: it was refused for something that may pass by itself. `allow` is what its commits consent to, as it was written.
    """

    now: Moment
    commit: str
    base: str | None
    digest: str = ""
    configuration: Configuration | None = None
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    transient: bool = False
    allow: tuple[str, ...] = ()


@frozen
class Lacking:
    """Commits are not in this node's repository; `known` is one that is, if there is any to build on.

    `proposal` names the proposed commit that can't be judged before.
    """

    now: Moment
    commits: tuple[str, ...]
    known: str | None
    proposal: str | None = None


@frozen
class PackMade:
    """The pack that was asked for (`MakePack`), on top of `base`; without `data` it could not be made, for this reason."""

    now: Moment
    commit: str
    known: str | None
    base: str | None = None
    data: bytes | None = None
    reason: str = ""


@frozen
class PackTaken:
    """A pack (`TakePack`) is in the repository, durably, and the commit with it; with a `reason` it is not."""

    now: Moment
    commit: str
    reason: str = ""


@frozen
class ProcessesGone:
    """All processes of a started resource have gone: a hint, the agent stays the judge."""

    now: Moment
    resource: str


@frozen
class CleanupAsked:
    """An operator wants failures forgotten: of one resource and its members (their history ids are `resources`)."""

    now: Moment
    resources: tuple[str, ...]


@frozen
class RefreshAsked:
    """An operator wants it looked up again what runs here: of these resources."""

    now: Moment
    resources: tuple[str, ...]


@frozen
class StopAsked:
    """An operator wants this node to stop all its resources and the daemon to end."""

    now: Moment


@frozen
class FenceAgentEnded:
    """The agent of a fencing order (`CallFenceAgent`) has ended."""

    now: Moment
    order: FenceOrder
    succeeded: bool
    why: str


@frozen
class ConfirmAsked:
    """An operator vouches that a node is off."""

    now: Moment
    target: str
    operator: str


@frozen
class FenceAsked:
    """An operator demands that a node is fenced now, by `action`: reboot or off."""

    now: Moment
    target: str
    action: str
    operator: str


@frozen
class ForgetAsked:
    """An operator has taken a node out of the cluster for good."""

    now: Moment
    node: str


@frozen
class AttributesTold:
    """The daemon tells something of this node that no agent does, as node attributes; it is told on until it was delivered."""

    now: Moment
    values: Mapping[str, str | None]


@frozen
class WatchdogPromised:
    """This machine's watchdog device is armed, and resets it `within_ms` after its node was last heard among those who have quorum.

    That holds for this boot, whatever becomes of the daemon, its loop, the disk or the fabric, unless nothing of the node runs then. The
    device is fed only where `Node.feeds_watchdog` says so, but for what a later daemon feeds it before it knows: so `within_ms` is at
    least that, the device's timeout as often as daemons may lend it to each other, `FRESH_MS`, and a margin. 0: it does not hold; only
    while nothing of the node runs.
    """

    within_ms: int
    now: Moment


@frozen
class Ending:
    """The daemon is about to end: nothing new is decided any more, and the next start is to be a fast one."""

    now: Moment


@frozen
class Quiet:
    """Nothing else waits to be told: the time to decide."""

    now: Moment


@frozen
class HeldUp:
    """Nothing is decided for now, and so nothing is monitored that was not before: time to look at what was started here."""

    now: Moment


@frozen
class Unhandled:
    """An event could not be handled, for a fault of this program: what it would have changed or wished for is lost on this node."""

    now: Moment
    event: Event
    reason: str


Event = (
    Started
    | ViewChanged
    | Delivered
    | Finished
    | TimerFired
    | CommitArrived
    | TipSeen
    | Examined
    | Lacking
    | PackMade
    | PackTaken
    | NotWritten
    | Durable
    | NotDurable
    | ProcessesGone
    | CleanupAsked
    | RefreshAsked
    | StopAsked
    | FenceAgentEnded
    | ConfirmAsked
    | FenceAsked
    | ForgetAsked
    | AttributesTold
    | WatchdogPromised
    | Ending
    | Quiet
    | HeldUp
    | Unhandled
)


@frozen
class Broadcast:
    """Within the core: send this to all members. It leaves it as `Send`."""

    message: Message


@frozen
class Send:
    """Send these bytes to all members, ourselves included, in the one order."""

    data: bytes


@frozen
class Write:
    """Append a record to the journal; with `begins` leave room for the end of what it begins. Answer with `NotWritten` if that fails."""

    record: Record
    begins: bool


@frozen
class Sync:
    """Make durable what was written; answer with `Durable` or `NotDurable`."""

    token: int


@frozen
class Begin:
    """Begin a new generation of the journal with this snapshot; answer with `Durable` or `NotDurable`."""

    token: int
    snapshot: bytes


@frozen
class Examine:
    """Read, validate and compile a commit; answer with `Examined`.

    It must follow `base`, the active commit, or `lineage`, the source's own last commit that was active, as the table of admission has
    it, by this member's own policy; `rewrite`: who proposes it says that it need not. With `ask`, what is not in the repository is told
    instead (`Lacking`), as other members may have it.
    """

    commit: str
    base: str | None
    source: str
    rewrite: bool
    lineage: str | None = None
    ask: bool = False


@frozen
class MakePack:
    """Make a pack of what a repository that has `known` lacks of a commit; answer with `PackMade`."""

    commit: str
    known: str | None


@frozen
class TakePack:
    """Take the objects of a pack into the repository, checked and durably; answer with `PackTaken`."""

    commit: str
    data: bytes


@frozen
class LookAt:
    """A source of this node is to say anew how its newest commit stands to what is in force."""

    source: str


@frozen
class AnswerSource:
    """A source of this node learns why its newest commit can't follow; without findings it can, or need not."""

    source: str
    commit: str
    findings: tuple[Finding, ...] = ()


@frozen
class RecordActive:
    """The commit is the active one now: let the repository say so."""

    commit: str


@frozen
class KeepTail:
    """These commits were active here, and are no part of the cluster's history: keep them findable for people."""

    commits: tuple[str, ...]


@frozen
class RunAgent:
    """Call an agent, and answer with `Finished`."""

    token: int
    call: AgentCall


@frozen
class CutShort:
    """A call (`token` of its `RunAgent`) is of no use any more: end its processes, and answer as if its time was over, unless it is."""

    token: int


@frozen
class SetTimer:
    """Fire once at this time of the monotonic clock; takes the place of a timer with the same name."""

    name: str
    at_ms: int


@frozen
class ClearTimer:
    """The timer must not fire any more."""

    name: str


@frozen
class Watch:
    """Tell when all processes of a resource that runs here have gone."""

    resource: str
    call: AgentCall


@frozen
class Unwatch:
    """A resource's processes may go from now on."""

    resource: str


@frozen
class Emit:
    """Something that people and programs follow: an event of the API."""

    type: str
    fields: Mapping[str, Any]


@frozen
class PublishAttributes:
    """What agents are answered when they ask for a node attribute."""

    attributes: Mapping[str, str]


@frozen
class CallFenceAgent:
    """Wait as long as the order says, chance deciding between its bounds, call the fence agent, and answer with `FenceAgentEnded`.

    `agent` is None when the device is not configured any more.
    """

    order: FenceOrder
    agent: Agent | None
    parameters: Mapping[str, str]


@frozen
class FenceItself:
    """Switch this machine off or reboot it at once, without ending anything in order: others may already count on that."""

    why: str


@frozen
class Join:
    """What runs here is known: become a member of the fabric's group."""


@frozen
class Rejoin:
    """Leave the fabric's group, and become a member anew."""

    why: str


@frozen
class Withdraw:
    """Leave the fabric's group; the process goes on, and ends (`Leave`) once it has stopped what it has to, or comes back (`Join`)."""

    why: str


@frozen
class Leave:
    """This node's part is over: end the daemon."""

    why: str


Effect = (
    Send
    | Write
    | Sync
    | Begin
    | Examine
    | MakePack
    | TakePack
    | KeepTail
    | LookAt
    | AnswerSource
    | RecordActive
    | RunAgent
    | CutShort
    | SetTimer
    | ClearTimer
    | Watch
    | Unwatch
    | Emit
    | PublishAttributes
    | Leave
    | CallFenceAgent
    | FenceItself
    | Join
    | Rejoin
    | Withdraw
)

Wish = Broadcast | Effect
"""What the machines of the core answer each other with."""
