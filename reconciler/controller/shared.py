"""What all members share, and its one way to change: a message delivered in the order that all members see.

`deliver` is a deterministic function of the state and the message, so members with the same deliveries hold the same state, and a node
that reads its journal again gets back what it had. Nothing in it depends on the node that holds it: not its name, clock, boot, files or
partition. A new state is computed whole before anybody sees it.
Source: the design of the cluster, "A node is a state machine", "Configuration travels as git objects".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TypeVar, assert_never

from reconciler.analysis.recording import forget_failures, pending
from reconciler.cib import FEATURE_SET, Cib, Version
from reconciler.cib.departing import succeeded, whole, without_stopped
from reconciler.cib.moving import Names, moves
from reconciler.cib.observations import (
    AttributeSet,
    HistoryForgotten,
    NodeObserved,
    Observation,
    ResourceForgotten,
    observe,
)
from reconciler.controller.admission import LOCAL_SOURCES
from reconciler.controller.asked import cleaned_up, refreshed
from reconciler.controller.demanding import Undemandable, why_not_fenced
from reconciler.controller.fencing.delivery import delivered, interrupted, message_target, unwanted
from reconciler.controller.fencing.delivery import installed as fencing_installed
from reconciler.controller.fencing.demand import demand_of, undemanded
from reconciler.controller.fencing.messages import (
    FenceConfirmed,
    FenceEnded,
    FenceGivenUp,
    FenceOrdered,
    FenceWanted,
    FencingMessage,
)
from reconciler.controller.fencing.record import FenceCause, FenceOrder, Fencing
from reconciler.controller.forgetting import Unforgettable, fencing_without, status_without, why_kept
from reconciler.controller.held import Held, hold, released
from reconciler.controller.members import by_name
from reconciler.controller.membership.history import Lineage
from reconciler.controller.membership.messages import Exclude, Hello, Ready
from reconciler.controller.membership.presence import Presence
from reconciler.controller.messages import (
    Abandoned,
    Accept,
    Activate,
    Cleanup,
    CommitPack,
    Compiled,
    GraceOver,
    Heard,
    Joined,
    Kept,
    Message,
    NodeForgotten,
    NoPack,
    Observe,
    Ping,
    Propose,
    Refresh,
    Reject,
    Release,
    Report,
    Reported,
    Run,
    SelfReset,
    Settled,
    Shutdown,
    State,
    Underway,
    WantCommit,
)
from reconciler.controller.permitted import missing_of, permitted
from reconciler.controller.quorum.policy import Absence, Permissions, doubtful
from reconciler.controller.standing import (
    Member,
    ends_by_itself_ms,
    fences,
    grace_ms,
    longer,
    option,
    present,
    recorded,
    waited_for,
)
from reconciler.controller.watchdogs import Uncounted, begins_nothing, leaves_to_watchdog, promised, wait_ms
from reconciler.frozen import field, frozen, replace
from reconciler.model.cluster import Configuration

T = TypeVar("T")

# They travel with the state to each member that joins; what was before is in git.
MOST_ACTIVATIONS = 1000
_MOST_PROPOSALS = 64


@frozen
class Activation:
    """One version of the configuration that became active, and from which commit."""

    version: str
    commit: str
    parent: str | None
    source: str
    subject: str
    digest: str
    at_ms: int


@frozen
class Prepared:
    """What a commit compiles to on a node, made durable before the node accepted it."""

    digest: str
    configuration: Configuration
    allow: tuple[str, ...] = ()
    """What the commits that are not in force yet consent to, as it was written."""


@frozen
class Proposal:
    """A commit that members are examining; `answers` holds each member's digest once it accepted."""

    commit: str
    base: str | None
    source: str
    subject: str
    rewrite: bool
    proposer: str
    answers: Mapping[str, str] = field(default_factory=dict)
    plan: str | None = None
    """The digest of the saved plan that it belongs to."""
    allow: tuple[str, ...] = ()
    """What was consented to, as patterns over `KIND:NAME`."""
    compilers: Mapping[str, int] = field(default_factory=dict)
    """By who answered the level of its compiler."""


@frozen
class Rejected:
    """The last proposal that was refused, by whom and why."""

    proposal: Proposal
    by: str
    answer: Reject


@frozen
class Shared:
    """The state of the cluster, as every member has it. `boots` tells which start of its machine each node was last seen in.

    `transition` is the number of the last transition that ordered anything, `ignored` how many observations were of nodes that nobody
    knows: none should be. `seq` counts what was delivered in the term, and `chain` is a hash over all that ever was, taken in or skipped:
    members with the same (term, seq) have the same chain, or have not heard the same.
    """

    cluster: str = ""
    seq: int = 0
    beside: int = 0
    """How much was delivered since in views that decide nothing: that outranks nothing."""
    chain: str = ""
    lineage: Lineage = ()
    dc: str = ""
    """Who decides in the view that was installed last."""
    quorate: bool = False
    contested: bool = False
    """Whether others could be quorate at the same time."""
    withheld: bool = False
    """Whether the view is quorate and decides nothing yet: no term was begun, for somebody missing may have decided something."""
    nodes: Mapping[str, Member] = field(default_factory=dict)
    votes: Mapping[str, int] = field(default_factory=dict)
    reported: tuple[str, ...] = ()
    """Who has told in this view what it runs."""
    underway: Mapping[str, tuple[Underway, ...]] = field(default_factory=dict)
    """By node the orders of former views that it is still carrying out: they are awaited, and not given again."""
    fencing: Fencing = field(default_factory=Fencing)
    held: Mapping[str, Held] = field(default_factory=dict)
    """By attribute the values that are told and do not count yet."""
    settled: Settled | None = None
    """What the DC last said when nothing was left to do."""
    ends_within_ms: int | None = 0
    """How long who is lost now may run what it runs, by former configurations: before all have settled, it may have one."""
    stops_alone: bool = False
    """Whether every node that is not down begins nothing without quorum, by whichever configuration it has."""
    clock_ms: int = 0
    """The latest time that a message of the DC named: the cluster's clock, as far as it has come."""

    cib: Cib = field(default_factory=lambda: Cib(feature_set=FEATURE_SET))
    digest: str = ""
    term: int = 0
    commit: str | None = None
    transition: int = 0
    activations: tuple[Activation, ...] = ()
    proposals: Mapping[str, Proposal] = field(default_factory=dict)
    rejected: Rejected | None = None
    boots: Mapping[str, str] = field(default_factory=dict)
    ignored: int = 0


def deliver(shared: Shared, sender: str, message: Message, prepared: Prepared | None = None) -> Shared:
    """The state after a message; one that no longer applies changes nothing. `prepared` is what the message's commit compiles to."""
    match message:
        case Propose():
            return _propose(shared, sender, message)
        case Accept():
            return _accept(shared, sender, message)
        case Reject():
            return _reject(shared, sender, message)
        case Activate():
            return _activate(shared, message, prepared)
        case Observe():
            return _observe(shared, sender, message)
        case Run():
            seen = tuple(seen for order in message.orders for seen in pending(order.launched, message.at_ms // 1000))
            return observed(replace(shared, transition=max(shared.transition, message.transition)), seen)
        case Reported():
            return observed(_no_longer_underway(shared, message), message.observations)
        case Joined():
            return _join(shared, message)
        case Abandoned(node):
            return replace(shared, underway=_all_but(shared.underway, node))
        case Report() | SelfReset():
            return _told_of_itself(shared, message)
        case Cleanup() | Refresh() | Shutdown() | Release() | GraceOver() | NodeForgotten():
            return _asked(shared, message)
        case (
            Compiled()
            | State()
            | Hello()
            | Ready()
            | Exclude()
            | Heard()
            | Ping()
            | Kept()
            | WantCommit()
            | CommitPack()
            | NoPack()
        ):
            return shared
        case Settled():
            return _departed(_settled(shared, message))
        case FenceWanted() | FenceOrdered() | FenceEnded() | FenceGivenUp() | FenceConfirmed():
            return _fenced(shared, message)
        case _:
            assert_never(message)


def allowed(shared: Shared) -> Permissions:
    """What the members of the view that was installed last may do."""
    return permitted(shared.cib, shared.nodes, shared.votes, quorate=shared.quorate, contested=shared.contested)


def doubtful_members(shared: Shared) -> tuple[str, ...]:
    """The nodes that are missing, and may have decided something since they were seen."""
    return tuple(sorted(doubtful(missing_of(shared.nodes, shared.votes))))


def unaccounted(shared: Shared) -> tuple[str, ...]:
    """The nodes that are missing, and of which nothing says that they are off."""
    return tuple(name for name, one in missing_of(shared.nodes, shared.votes).items() if one is Absence.UNKNOWN)


def _asked(shared: Shared, message: Cleanup | Refresh | Shutdown | Release | GraceOver | NodeForgotten) -> Shared:
    """What was asked for is worked out from the state in which it is delivered."""
    match message:
        case GraceOver():
            if not shared.quorate:
                return shared  # The others may well be there, and think the same of us.
            fencing, known = fences(shared.cib), shared.nodes.get(message.node)
            if known is None or graces(shared).get(message.node) is None:
                return shared  # It is there, or nothing says that what it ran ends by itself.
            nodes = waited_for(shared.nodes, message.node, fencing=fencing)
            stood = observed(replace(shared, nodes=nodes), recorded(shared.nodes, nodes, fencing=fencing))
            return want_lost(stood)
        case Cleanup():
            return observed(shared, cleaned_up(shared.cib.status, message.resources))
        case Refresh():
            return observed(shared, refreshed(shared.cib.status, message.resources))
        case Shutdown():
            asked = AttributeSet(message.node, "shutdown", str(message.at_ms // 1000))
            return observed(shared, (asked,))
        case Release():
            left = replace(shared, nodes=_leaving(shared.nodes, message.node))
            return observed(left, (NodeObserved(message.node, message.node, {"expected": "down"}),))
        case NodeForgotten(node):
            return _forgotten(shared, node)
        case _:
            assert_never(message)


def unforgettable(shared: Shared, node: str) -> Unforgettable | None:
    """Why a node can't be forgotten; None when it can."""
    may_decide = shared.quorate and not shared.withheld and allowed(shared).activate
    return why_kept(shared.cib, shared.nodes, shared.votes, node, may_decide=may_decide)


def _forgotten(shared: Shared, node: str) -> Shared:
    """Nothing of a node is left, if it may be forgotten."""
    if unforgettable(shared, node) is not None:
        return shared
    return replace(
        shared,
        cib=status_without(shared.cib, node),
        fencing=fencing_without(shared.fencing, node),
        nodes=_all_but(shared.nodes, node),
        votes=_all_but(shared.votes, node),
        boots=_all_but(shared.boots, node),
        underway=_all_but(shared.underway, node),
        reported=tuple(name for name in shared.reported if name != node),
    )


def graces(shared: Shared) -> Mapping[str, int | None]:
    """How long to wait for each node that is known, in milliseconds; None: nothing ends by waiting."""
    fencing, exclusive = fences(shared.cib), not shared.contested
    return {
        name: grace_ms(
            shared.cib, one.presence, fencing=fencing, exclusive=exclusive, ends_within_ms=one.ends_within_ms
        )
        for name, one in sorted(shared.nodes.items())
    }


def want_lost(shared: Shared) -> Shared:
    """The state in which all that were lost are to be fenced, and who is back needs no fencing any more."""
    unclean = {name: one.boot for name, one in shared.nodes.items() if one.presence is Presence.UNCLEAN}
    if not allowed(shared).fence:
        unclean = {}
    action = option(shared.cib, "stonith-action", "reboot")
    fencing = fencing_installed(shared.fencing, present(shared.nodes), unclean, action, shared.clock_ms)
    return _heeded(replace(shared, fencing=_as_configured(fencing, shared.cib)))


def chained(shared: Shared, sender: str, data: bytes, *, taken: bool, at_ms: int = 0) -> Shared:
    """The state that has heard a message: what was delivered before it, who sent it, its bytes, and whether it was taken in."""
    head = f"{shared.chain} {sender} {'taken' if taken else 'skipped'} ".encode()
    chain = hashlib.sha256(head + data).hexdigest()
    clock_ms = max(shared.clock_ms, at_ms)
    if shared.withheld or not shared.quorate:
        return replace(shared, beside=shared.beside + 1, chain=chain, clock_ms=clock_ms)
    return replace(shared, seq=shared.seq + 1, chain=chain, clock_ms=clock_ms)


def observed(shared: Shared, observations: tuple[Observation, ...]) -> Shared:
    """The state after observations: a later status in a later version."""
    if not observations:
        return shared
    cib = shared.cib
    known, unknown = by_name(cib, observations)
    if not known:
        return replace(shared, ignored=shared.ignored + len(unknown))
    version = replace(cib.version, num_updates=cib.version.num_updates + 1)
    cib = replace(cib, status=observe(cib.status, known), version=version)
    return replace(shared, cib=cib, ignored=shared.ignored + len(unknown))


def _observe(shared: Shared, sender: str, message: Observe) -> Shared:
    """What was observed counts at once, or is held for a while."""
    seen = message.observations
    if message.dampen_ms > 0:
        held, seen = hold(shared.held, seen, message.dampen_ms)
    else:
        held = released(shared.held, seen, sender) if shared.held else shared.held
    return observed(shared if held is shared.held else replace(shared, held=held), seen)


def agreed(shared: Shared, members: Iterable[str]) -> Proposal | None:
    """A proposal that every member accepted alike and that follows the active commit, if there is one."""
    members = tuple(members)
    for proposal in shared.proposals.values():
        digests = {proposal.answers.get(member) for member in members}
        if len(digests) == 1 and None not in digests and proposal.base == shared.commit:
            return proposal
    return None


def differing(shared: Shared, members: Iterable[str]) -> Proposal | None:
    """A proposal that all members accepted, but not alike: they run versions that do not understand it alike."""
    members = tuple(members)
    for proposal in shared.proposals.values():
        digests = {proposal.answers.get(member) for member in members}
        if len(digests) > 1 and None not in digests:
            return proposal
    return None


def lineage(shared: Shared, source: str) -> str | None:
    """The last commit of the source that was active; None when none was, and for what is no line of development."""
    if source in LOCAL_SOURCES:
        return None
    return next((one.commit for one in reversed(shared.activations) if one.source == source), None)


def _propose(shared: Shared, sender: str, message: Propose) -> Shared:
    """A proposal's base is what is active when it is delivered: an activation may have been on its way when it was sent."""
    known = shared.proposals.get(message.commit)
    if message.commit == shared.commit or (known is not None and known.base == shared.commit):
        return shared
    proposals = dict(shared.proposals)
    # What they compiled to goes with them (`own.remember`): it would stay in memory and in every snapshot.
    while len(proposals) >= _MOST_PROPOSALS:
        del proposals[min(proposals)]  # Not the oldest: members that took the state over have them in another order.
    proposals[message.commit] = Proposal(
        message.commit,
        shared.commit,
        message.source,
        message.subject,
        message.rewrite,
        sender,
        plan=message.plan,
        allow=message.allow,
    )
    return replace(shared, proposals=proposals)


def _accept(shared: Shared, sender: str, message: Accept) -> Shared:
    proposal = shared.proposals.get(message.commit)
    if proposal is None or proposal.base != message.base:
        return shared
    compilers = {**proposal.compilers, sender: message.compiler}
    answered = replace(proposal, answers={**proposal.answers, sender: message.digest}, compilers=compilers)
    return replace(shared, proposals={**shared.proposals, message.commit: answered})


def _reject(shared: Shared, sender: str, message: Reject) -> Shared:
    proposal = shared.proposals.get(message.commit)
    if proposal is None:
        return shared
    return replace(
        shared,
        proposals=_all_but(shared.proposals, message.commit),
        rejected=Rejected(proposal, sender, message),
    )


def _activate(shared: Shared, message: Activate, prepared: Prepared | None) -> Shared:
    proposal = shared.proposals.get(message.commit)
    if proposal is None or prepared is None or prepared.digest != message.digest:
        return shared
    if message.epoch != shared.cib.version.epoch + 1 or message.term < shared.term or moved_on(shared, message):
        return shared
    version = Version(shared.cib.version.admin_epoch, message.epoch, 0)
    activation = Activation(
        str(version),
        message.commit,
        shared.commit,
        proposal.source,
        proposal.subject,
        message.digest,
        message.at_ms,
    )
    cib = replace(succeeded(shared.cib, prepared.configuration), version=version)
    activated = replace(
        shared,
        cib=cib,
        fencing=_as_configured(shared.fencing, cib),
        digest=message.digest,
        commit=message.commit,
        activations=(*shared.activations, activation)[-MOST_ACTIVATIONS:],
        proposals=_all_but(shared.proposals, message.commit),
        rejected=None,
        ends_within_ms=longer(ends_by_itself_ms(shared.cib, busy=True), shared.ends_within_ms),
        stops_alone=shared.stops_alone and begins_nothing(cib),
    )
    return _heeded(replace(activated, fencing=interrupted(activated.fencing, partial(_goes_on, activated))))


def _goes_on(shared: Shared, order: FenceOrder) -> bool:
    """Whether an order to wait for a watchdog is one that would be given by the new configuration, too. Votes change with views alone."""
    return leaves_to_watchdog(shared.cib, order.target) and _is_long_enough(shared, order)


def moved_between(before: Shared, after: Shared) -> Names:
    """The names that an activation moved."""
    new = after.cib.configuration
    if new is before.cib.configuration or not new.moved:
        return {}
    return moves(whole(before.cib).configuration, new, before.cib.status)


def _settled(shared: Shared, message: Settled) -> Shared:
    """Nobody goes by a former configuration any more, unless another one was activated while that was on its way."""
    version = shared.cib.version
    same = message.version.startswith(f"{version.admin_epoch}.{version.epoch}.")
    if not same:
        return replace(shared, settled=message)
    # Who is lost may have a former one, and give that to whom it meets.
    all_have_it = all(one.presence in (Presence.ONLINE, Presence.DOWN) for one in shared.nodes.values())
    stops_alone = begins_nothing(shared.cib) and (shared.stops_alone or all_have_it)
    return replace(shared, settled=message, ends_within_ms=0, stops_alone=stops_alone)


def _departed(shared: Shared) -> Shared:
    """Nothing is left to be done: what was removed and has stopped everywhere is no longer kept, nor remembered."""
    cib, names = without_stopped(shared.cib)
    if cib is shared.cib:
        return shared
    states = cib.status.nodes
    forgotten = [seen for state in states for name in names for seen in forget_failures(state, name)]
    forgotten += [ResourceForgotten(state.id, name) for state in states for name in names]
    if not forgotten:
        cib = replace(cib, version=replace(cib.version, num_updates=cib.version.num_updates + 1))
    return observed(replace(shared, cib=cib), tuple(forgotten))


def moved_on(shared: Shared, message: Activate) -> bool:
    """Whether the state is no longer the one for which a saved plan was found to hold."""
    return message.state is not None and message.state != str(shared.cib.version)


def _join(shared: Shared, message: Joined) -> Shared:
    joined = replace(
        shared,
        term=max(shared.term, message.term) + 1,
        seq=0,
        boots={**shared.boots, message.node: message.boot},
        proposals={},
    )
    return observed(joined, message.observations)


def _told_of_itself(shared: Shared, message: Report | SelfReset) -> Shared:
    """A member's own word of what it runs takes the place of what was believed of it; or it tells what its watchdog does."""
    if isinstance(message, SelfReset):
        return replace(shared, nodes=promised(shared.nodes, message.node, message.boot, message.within_ms))
    told = replace(
        shared,
        boots={**shared.boots, message.node: message.boot},
        reported=tuple(sorted({*shared.reported, message.node})),
        underway={**shared.underway, message.node: message.underway} if message.underway else shared.underway,
    )
    return observed(told, message.observations)


def _no_longer_underway(shared: Shared, message: Reported) -> Shared:
    known = shared.underway.get(message.node)
    if known is None:
        return shared
    left = tuple(one for one in known if not _answers(message, one))
    if len(left) == len(known):
        return shared
    underway = {node: orders for node, orders in shared.underway.items() if node != message.node}
    return replace(shared, underway={**underway, message.node: left} if left else underway)


def _answers(message: Reported, order: Underway) -> bool:
    """Whether a result is that of an order; what a node did by itself has no name, and is told by what it was."""
    if (message.term, message.transition, message.action) != (order.term, order.transition, order.action):
        return False
    return message.action != 0 or (message.resource, message.task) == (order.resource, order.task)


def _fenced(shared: Shared, message: FencingMessage) -> Shared:
    """What was told of fencing; of a target that is down by it, nothing runs any more."""
    target = message_target(message)
    match message:
        case FenceWanted(cause=FenceCause.ASKED) if undemandable(shared, target, message.boot) is not None:
            return shared
        case FenceOrdered(order) if order.step.waits and not _is_long_enough(shared, order):
            return shared
    fencing = _as_configured(delivered(_missed(shared, message), message, present(shared.nodes)), shared.cib)
    made = _heeded(replace(shared, fencing=fencing))
    if not fencing.is_down(target) or shared.fencing.is_down(target):
        ended = demand_of(shared.fencing.records.get(target)) is not None and target not in made.fencing.records
        return want_lost(made) if ended else made  # Who was lost is to be fenced, though nobody demands it any more.
    known = shared.nodes.get(target) or _never_seen(shared.cib, target)
    if known is None:
        return made
    nodes = {**_trusted(shared.nodes, message), target: replace(known, presence=Presence.DOWN)}
    gone = (*recorded(shared.nodes, nodes, fencing=True), HistoryForgotten(target, attributes=True))
    underway = {node: orders for node, orders in made.underway.items() if node != target}
    return observed(replace(made, nodes=nodes, underway=underway), gone)


def undemandable(shared: Shared, target: str, boot: str) -> Undemandable | None:
    """Why a target is not fenced for an operator's demand, in the life that `boot` names; None when it is."""
    may = allowed(shared).fence
    watched = isinstance(watchdog_wait(shared, target, boot), int)
    return why_not_fenced(
        shared.cib, shared.nodes, shared.votes, shared.fencing, target, boot, may_fence=may, watched=watched
    )


def watchdog_wait(shared: Shared, target: str, boot: str) -> int | Uncounted:
    """After how many milliseconds the members of the installed view count a target as reset by its own watchdog, in the life `boot`."""
    decides = shared.quorate and not (shared.withheld or shared.contested)
    return wait_ms(
        shared.cib, shared.nodes, shared.votes, target, boot, decides=decides, stops_alone=shared.stops_alone
    )


def _is_long_enough(shared: Shared, order: FenceOrder) -> bool:
    """Whether an order to wait for a watchdog waits as long as it has to, by the state in which it is delivered."""
    needed_ms = watchdog_wait(shared, order.target, order.boot)
    return isinstance(needed_ms, int) and order.timeout_ms >= needed_ms


def _heeded(shared: Shared) -> Shared:
    """The state in which no demand waits where nothing may be fenced."""
    if not shared.fencing.records or allowed(shared).fence:
        return shared
    return replace(shared, fencing=undemanded(shared.fencing, shared.clock_ms))


def _never_seen(cib: Cib, target: str) -> Member | None:
    """One that is configured and was never a member may be fenced all the same: the scheduler has to hear that it is down.

    A remote or guest node is none, and never becomes one.
    """
    full = any(node.name == target and node.type in (None, "member") for node in cib.configuration.nodes)
    return Member(Presence.DOWN) if full else None


def _as_configured(fencing: Fencing, cib: Cib) -> Fencing:
    """What is left of the records where nothing is fenced: what was wanted is wanted no more, and by a plan anew once that changes."""
    return fencing if fences(cib) else unwanted(fencing)


def _trusted(nodes: Mapping[str, Member], message: FencingMessage) -> Mapping[str, Member]:
    """Who vouches for a node being off lets those go on who are there, whatever it may have decided without them."""
    if not isinstance(message, FenceConfirmed):
        return nodes
    return {name: replace(one, stale=False) if one.stale else one for name, one in nodes.items()}


def _missed(shared: Shared, message: FencingMessage) -> Fencing:
    """What is wanted when an operator vouches for a node: where nobody fences, nothing was wanted of one that is missing."""
    known = shared.nodes.get(message_target(message))
    if not isinstance(message, FenceConfirmed) or known is None or known.presence in (Presence.ONLINE, Presence.DOWN):
        return shared.fencing
    wanted = FenceWanted(
        message.target, known.boot, FenceCause.LOST, "off", "an operator vouches for it", message.at_ms
    )
    return delivered(shared.fencing, wanted, present(shared.nodes))


def _leaving(nodes: Mapping[str, Member], node: str) -> Mapping[str, Member]:
    known = nodes.get(node)
    return nodes if known is None else {**nodes, node: replace(known, leaving=True)}


def _all_but(by_name: Mapping[str, T], gone: str) -> Mapping[str, T]:
    return {name: one for name, one in by_name.items() if name != gone}


def activation_of(activations: Iterable[Activation], wanted: str) -> Activation | None:
    """The newest activation of a commit (or the beginning of one) or of a version."""
    found = [a for a in activations if a.version == wanted or (len(wanted) >= 4 and a.commit.startswith(wanted))]
    return found[-1] if found else None
