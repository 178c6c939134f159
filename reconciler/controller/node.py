"""A node: everything it does is a function of the events it is told of. `step(event)` answers what the node wishes.

It does no I/O, reads no clock and draws no random number, so the daemon, a laboratory and a simulation drive the same code. What happens
is handed on to the machine whose business it is; the shared state changes only where a message is delivered. The node that joined
first among the members is the DC.
Source: the design of the cluster.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import assert_never

from reconciler.cib.observations import AttributeSet, ResourceForgotten, transient
from reconciler.controller.coordinator import OVERDUE, RECHECK, RETRY, Coordinator
from reconciler.controller.envelope import Assembly, Chunk, Envelope, may_send, parcels, unseal
from reconciler.controller.events import (
    Broadcast,
    CleanupAsked,
    ClearTimer,
    CommitArrived,
    ConfirmAsked,
    Delivered,
    Durable,
    Effect,
    Emit,
    Ending,
    Event,
    Examined,
    FenceAgentEnded,
    Finished,
    Join,
    Leave,
    NotDurable,
    NotWritten,
    ProcessesGone,
    PublishAttributes,
    Quiet,
    RefreshAsked,
    Rejoin,
    Send,
    SetTimer,
    Started,
    StopAsked,
    TimerFired,
    TipSeen,
    ViewChanged,
    Wish,
)
from reconciler.controller.executor import Executor
from reconciler.controller.fencer import FENCE_TIMER, LATE_TIMER, Fencer
from reconciler.controller.fencing.delivery import has_fenced, message_target
from reconciler.controller.fencing.messages import (
    FenceConfirmed,
    FenceEnded,
    FenceGivenUp,
    FenceOrdered,
    FenceWanted,
    FencingMessage,
)
from reconciler.controller.installing import installed_of
from reconciler.controller.joining import WAIT_TIMER, Joining
from reconciler.controller.journal import (
    installed_record,
    message_record,
    prepared_record,
    promised_record,
    skipped_record,
    snapshot_bytes,
)
from reconciler.controller.keeper import (
    GENERATION_TIMER,
    SYNC_TIMER,
    Answer,
    Keeper,
    Promising,
    Purpose,
    Routine,
    TakeBack,
    TakeIn,
)
from reconciler.controller.members import node_state
from reconciler.controller.membership.events import (
    Donate,
    Install,
    Installation,
    MembershipEffect,
    Promise,
    Reannounce,
    Receive,
    Tell,
    View,
    Wait,
)
from reconciler.controller.membership.events import Rejoin as MemberRejoin
from reconciler.controller.membership.messages import Exclude, Hello, Ready
from reconciler.controller.messages import (
    Accept,
    Activate,
    Cleanup,
    GraceOver,
    Joined,
    Message,
    MessageError,
    Observe,
    Propose,
    Refresh,
    Reject,
    Release,
    Report,
    Reported,
    Run,
    Shutdown,
    State,
)
from reconciler.controller.moment import Moment
from reconciler.controller.proposals import EXAMINE_TIMER, Proposals
from reconciler.controller.recovery import Recovery, corrections
from reconciler.controller.replica import Partition, Replica
from reconciler.controller.shared import Prepared, Shared, moved_on
from reconciler.controller.standing import fences, grace_ms
from reconciler.controller.telling import (
    installed_view,
    lost_tail,
    ordered,
    recovered,
    reported,
    skipped,
    unknown_node,
)
from reconciler.controller.tips import OFFER_TIMER, Tips
from reconciler.frozen import replace
from reconciler.model.status import NodeState
from reconciler.model.text import integer

# A clock that is slewed moves less between two events; expiries and date rules count in seconds.
_CLOCK_SET_MS = 1000
_BUILT_UPON = (Activate,)
"""Messages on which something is built that a crash must not take away: they take effect once they are durable."""
_IN_ORDER = (Delivered, ViewChanged, Examined)
"""What waits while the disk is being waited for, and keeps its order."""

_MEMBERSHIP = (Hello, Ready, Exclude, State)
_KEPT = (Propose, Cleanup, Refresh, Shutdown, FenceConfirmed)
"""What is sent later when there is no view to send it in. Results and attributes have a way of their own; the rest is void."""
GRACE_TIMER = "grace "
"""How the names of the timers begin that end the time in which a node that is gone may be back."""


class Node:
    """One node with all its machines. `run` is a name for this run of the node that no other run ever had."""

    def __init__(self, name: str, run: str, replica: Replica, boot: str) -> None:
        self.name = name
        self.replica = replica
        self.executor = Executor(name, _next_call_id(node_state(replica.cib, name)))
        self.coordinator = Coordinator(name, run)
        self.recovery = Recovery(name, boot)
        self.proposals = Proposals(name, replica)
        self.tips = Tips(name, replica)
        self.keeper = Keeper()
        self.joining = Joining(name, run, boot, replica)
        self.fencer = Fencer(name, self.joining.incarnation)
        self.recovered = False
        """Whether it is known what runs here."""
        self.stopping = False
        self.ending = False
        self.skipped = 0
        """How many messages were delivered that nobody takes: of another view, of the wrong sender, or none at all."""
        self._assembly = Assembly()
        self._later: deque[Delivered | ViewChanged | Examined] = deque()
        self._unsent: list[Message] = []
        """What is to be told to all as soon as there is a view to tell it in."""
        self._outbox: list[Reported] = []
        """Results that were not delivered yet, oldest first: they are told again in each view."""
        self._attributes: dict[str, str | None] = {}
        """Attributes that were told, and not delivered yet."""
        self._reported = False
        self._clock_ms: int | None = None

    @property
    def members(self) -> tuple[str, ...]:
        """The members of the view."""
        return self.replica.partition.members

    @property
    def quorate(self) -> bool:
        """Whether they have quorum."""
        return self.replica.quorate

    @property
    def dc(self) -> str | None:
        """The DC of the installed view."""
        return self.replica.dc

    @property
    def is_dc(self) -> bool:
        """Whether this node is the DC."""
        return self.dc == self.name

    @property
    def abreast(self) -> bool:
        """Whether the state has everything that was delivered."""
        return not (self._later or self.keeper.holding)

    @property
    def phase(self) -> str:
        """What the node is about: recovering, idle, running or stopping."""
        if not self.recovered or (not self._reported and self.name in self.members):
            return "recovering"
        if self.stopping:
            return "stopping"
        return "running" if self.coordinator.busy or not self.executor.idle else "idle"

    def step(self, event: Event) -> list[Effect]:
        """Take one event; what to do about it, in this order."""
        effects = self._border(self._notice_clock(event.now))
        if isinstance(event, _IN_ORDER) and not self.abreast:
            self._later.append(event)
        else:
            effects += self._border(self._handle(event))
        while self._later and not self.keeper.holding:
            # One by one: what is wished before a view is of the one before.
            effects += self._border(self._handle(replace(self._later.popleft(), now=event.now)))
        if self.keeper.wants_generation and self.abreast:
            effects += self._border(self._generation())
        return effects

    def _handle(self, event: Event) -> list[Wish]:
        match event:
            case Started():
                begun = self.recovery.begin(self.replica, self.executor, event.now)
                return self._generation() + begun + self._join_if_ready()
            case ViewChanged():
                return self._view_changed(event.view, event.now)
            case Delivered():
                return self._delivered(event)
            case NotWritten() | Durable() | NotDurable():
                return self._disk_answered(event)
            case Finished():
                return self._finished(event)
            case TimerFired():
                return self._timer_fired(event)
            case CommitArrived():
                return self._commit_arrived(event)
            case TipSeen():
                return self._tip_seen(event)
            case Examined():
                return self._examined(event)
            case ProcessesGone():
                return self.executor.check(event.resource, event.now)
            case CleanupAsked() | RefreshAsked() | StopAsked() | ConfirmAsked():
                return self._asked(event)
            case FenceAgentEnded():
                return self.fencer.ended(event)
            case Ending():
                self.ending = True
                return self._generation() if self.abreast else []
            case Quiet():
                return self._decide(event.now) if self.abreast and not self.ending else []
            case _:
                assert_never(event)

    def _asked(self, event: CleanupAsked | RefreshAsked | StopAsked | ConfirmAsked) -> list[Wish]:
        """What operators ask for is told to all: what it means is worked out where it is delivered."""
        match event:
            case CleanupAsked():
                return [Broadcast(Cleanup(event.resources, event.now.wall_ms))]
            case RefreshAsked():
                return [Broadcast(Refresh(event.resources, event.now.wall_ms))]
            case StopAsked():
                self.stopping = True
                return [Broadcast(Shutdown(self.name, event.now.wall_ms))]
            case ConfirmAsked(_, target, operator):
                return [Broadcast(FenceConfirmed(target, operator, event.now.wall_ms))]
            case _:
                assert_never(event)

    def _border(self, wishes: list[Wish]) -> list[Effect]:
        """The wishes as they leave the core: every message with its envelope, large ones in pieces."""
        effects: list[Effect] = []
        for wish in wishes:
            if isinstance(wish, Broadcast):
                effects += self._send(wish.message)
            else:
                effects.append(wish)
        return effects

    def _send(self, message: Message) -> list[Effect]:
        """Send in the view at hand. Before it is installed only membership is spoken of; what operators and sources want waits."""
        partition = self.replica.partition
        if partition.installed or isinstance(message, _MEMBERSHIP):
            return _sent(Envelope(self.replica.shared.cluster, partition.view, self.name, message))
        if isinstance(message, _KEPT):
            self._unsent.append(message)
        return []

    # The disk

    def _disk_answered(self, event: NotWritten | Durable | NotDurable) -> list[Wish]:
        match event:
            case NotWritten():
                return self.keeper.not_written(event.reason, event.now)
            case Durable():
                if (why := self.keeper.void(event.token)) is not None:
                    return self._disk_answered(NotDurable(event.now, event.token, why))
                purpose, told = self.keeper.durable(event.token)
                return told + self._durable(purpose, event.now)
            case NotDurable():
                purpose, told = self.keeper.not_durable(event.token, event.reason, event.now)
                return told + self._not_durable(purpose, event)
            case _:
                assert_never(event)

    def _sync(self, purpose: Purpose) -> list[Wish]:
        """Make durable what was written; where the journal is broken, the state as a new generation."""
        snapshot = None if self.keeper.broken is None else snapshot_bytes(self.replica)
        return list(self.keeper.sync(purpose, snapshot))

    def _generation(self, purpose: Purpose | None = None) -> list[Wish]:
        """Begin a new generation of the journal with the state as it is."""
        return list(self.keeper.sync(purpose or Routine(), snapshot_bytes(self.replica)))

    def _durable(self, purpose: Purpose, now: Moment) -> list[Wish]:
        match purpose:
            case TakeIn():
                return self._take_in(purpose.sender, purpose.data, purpose.message, now)
            case TakeBack():
                return self.proposals.dropped(purpose.message, purpose.reason, now)
            case Answer():
                return self.proposals.accept(purpose.examined)
            case Promising(term):
                return self._membership(self.joining.promised(term, now), now)
            case Routine():
                return []
            case _:
                assert_never(purpose)

    def _not_durable(self, purpose: Purpose, event: NotDurable) -> list[Wish]:
        """Nothing new begins without the disk; what runs is cared for all the same."""
        match purpose:
            case TakeIn(sender, data, message):
                if not self._alone:
                    return [Leave(f"this node can't keep what the others have decided: {event.reason}")]
                if not isinstance(message, Activate):
                    return self._take_in(sender, data, message, event.now)
                # It is in the journal, but perhaps not for long: it is refused only once it can't come back at a restart.
                return self._generation(TakeBack(message, event.reason))
            case TakeBack():
                return [Leave(f"the state can't be written, nor taken back: {event.reason}")]
            case Answer():
                return self.proposals.not_kept(purpose.examined, event.reason, event.now)
            case Promising(term):
                if self._alone:  # There is nobody to whom it could be broken.
                    return self._membership(self.joining.promised(term, event.now), event.now)
                return [Leave(f"this node can't promise anything: {event.reason}")]
            case Routine():
                return []
            case _:
                assert_never(purpose)

    # Membership and recovery

    @property
    def _alone(self) -> bool:
        return self.replica.partition.members == (self.name,)

    def _view_changed(self, view: View, now: Moment) -> list[Wish]:
        """What was under way in the view before is over: orders that have not begun, pieces of messages, the DC's transition."""
        self._assembly.forget()
        self.replica.partition = Partition(view.id, view.members)
        self.executor.drop_unstarted()
        self.coordinator.begin_anew("the members changed")
        return [ClearTimer(OVERDUE), *self._membership(self.joining.announced(view, now), now)]

    def _membership(self, effects: tuple[MembershipEffect, ...], now: Moment) -> list[Wish]:
        return [wish for effect in effects for wish in self._on_membership(effect, now)]

    def _on_membership(self, effect: MembershipEffect, now: Moment) -> list[Wish]:
        match effect:
            case Tell(message):
                return [Broadcast(message)]
            case Promise(term):
                self.replica.promise(term)
                return [*self.keeper.write(promised_record(term), now), *self._sync(Promising(term))]
            case Donate():
                return [Broadcast(self.joining.donation())]
            case Receive():
                return []
            case Wait(until_ms):
                return [SetTimer(WAIT_TIMER, until_ms)]
            case Install(installation):
                return self._install(installation, now)
            case MemberRejoin(why, fenced):
                return self._leave(why, fenced=fenced)
            case Reannounce(view):
                return self._view_changed(view, now)
            case _:
                assert_never(effect)

    def _leave(self, why: str, *, fenced: bool) -> list[Wish]:
        self.joining.left()
        self.fencer.as_somebody_new(self.joining.incarnation)
        self.replica.partition = Partition()
        self.coordinator.begin_anew("this node is no member")
        return [Leave(f"the cluster has fenced this node: {why}") if fenced else Rejoin(why)]

    def _install(self, installation: Installation, now: Moment) -> list[Wish]:
        """The view is installed: go on from the state of all, and tell what only this node knows."""
        replica = self.replica
        known = node_state(replica.shared.cib, self.name)
        adopted, tail = self.joining.adopt(installation)
        lost = tuple(one.commit for one in replica.activations) if tail else ()
        self.joining.install(installation, adopted)
        replica.partition = Partition(installation.view.id, installation.members, installed=True)
        wishes: list[Wish] = [ClearTimer(WAIT_TIMER), installed_view(installation)]
        if tail:
            kept = frozenset(one.commit for one in replica.activations)
            wishes.append(lost_tail([commit for commit in lost if commit not in kept]))
        if adopted is None:
            wishes += self.keeper.write(installed_record(installed_of(installation)), now)
        else:
            wishes += self._generation()
        wishes.append(Broadcast(self._report(known, now)))
        wishes += self._first_report_wishes
        wishes += [Broadcast(told) for told in self._outbox]
        if self._attributes:
            wishes.append(self._tell_attributes(now))
        unsent, self._unsent = self._unsent, []
        wishes += [Broadcast(message) for message in unsent]
        wishes += self.proposals.resumed(replica.own.prepared, now, dc=self.is_dc)
        wishes += self._graces(now)
        wishes += self.fencer.installed(replica.shared, now, dc=self.is_dc)
        return [*wishes, *self.tips.reconsider(now), self._publish()]

    def _report(self, known: NodeState, now: Moment) -> Report:
        """What this node is and does. `known` is what it knew of itself before it took over the others' state, if it did."""
        self._first_report_wishes: list[Wish] = []
        underway = self.executor.underway()
        stopped: tuple[str, ...] = ()
        if not self._reported:
            stopped, seen, self._first_report_wishes = self.recovery.finish(self.replica, self.executor, now)
        else:
            told = {one.resource for one in self._outbox}
            busy = {one.resource for one in underway} | told
            seen = corrections(node_state(self.replica.shared.cib, self.name), known, busy)
        return Report(self.name, self.joining.boot, stopped, underway, tuple(seen), now.wall_ms)

    def _graces(self, now: Moment) -> list[Wish]:
        """Who is gone may be back for a while; without fencing, what it ran may go on for a while."""
        shared = self.replica.shared
        fencing = fences(shared.cib)
        wishes: list[Wish] = []
        for name, one in sorted(shared.nodes.items()):
            wait_ms = grace_ms(shared.cib, one.presence, fencing=fencing)
            if wait_ms is not None:
                wishes.append(SetTimer(GRACE_TIMER + name, now.mono_ms + wait_ms))
        return wishes

    def _join_if_ready(self) -> list[Wish]:
        """Become a member once it is known what runs here: those who wait for a member's word wait for nothing else."""
        if self.recovered or not self.recovery.done(self.executor):
            return []
        self.recovered = True
        return [Join()]

    def _heard_report(self, message: Report, before: Shared) -> list[Wish]:
        wishes: list[Wish] = [self._publish()]
        if message.node == self.name and not self._reported:
            self._reported = True
            wishes.append(recovered(message))
        return wishes + self.coordinator.changed(f"{message.node} told what it runs")

    def _commit_arrived(self, event: CommitArrived) -> list[Wish]:
        return self.proposals.arrived(event)

    def _tip_seen(self, event: TipSeen) -> list[Wish]:
        """What a source says before this node takes part is looked at once it does."""
        if not self.replica.partition.installed:
            self.tips.keep(event.tip)
            return []
        return self.tips.seen(event.tip, event.now)

    def _notice_clock(self, now: Moment) -> list[Wish]:
        """A clock that was set may change what date rules and expiries say."""
        offset = now.wall_ms - now.mono_ms
        known, self._clock_ms = self._clock_ms, offset
        if known is None or abs(known - offset) < _CLOCK_SET_MS or not self.replica.partition.installed:
            return []
        return self.coordinator.changed("the clock was set")

    # Delivered messages

    def _delivered(self, event: Delivered) -> list[Wish]:
        """Look at the envelope, put pieces together, and write down what is taken in before it takes effect."""
        data = event.data
        try:
            envelope = unseal(data)
            if (why := self._refusal(event.sender, envelope)) is None and isinstance(envelope.message, Chunk):
                whole = self._assembly.add(event.sender, envelope.message)
                if whole is None:
                    return []
                data, envelope = whole, unseal(whole)
                why = self._refusal(event.sender, envelope)
        except MessageError as error:
            return self._skip(event, data, str(error))
        message = envelope.message
        if why is not None or isinstance(message, Chunk):
            return self._skip(event, data, why or "a piece is in pieces")
        if isinstance(message, Hello | Ready | Exclude):
            return self._membership(self.joining.heard(event.sender, message, event.now), event.now)
        if isinstance(message, State):
            return self._membership(self.joining.received(message, event.now), event.now)
        wishes = list(
            self.keeper.write(message_record(event.sender, data), event.now, begins=isinstance(message, Propose))
        )
        if isinstance(message, _BUILT_UPON):
            return wishes + self._sync(TakeIn(event.sender, data, message))
        return wishes + self._take_in(event.sender, data, message, event.now)

    def _refusal(self, sender: str, envelope: Envelope) -> str | None:
        """Why a message is skipped, alike on every member; None when it is taken in."""
        if envelope.sender != sender:
            return f"it says that it is from {envelope.sender[:100]}"
        partition, message = self.replica.partition, envelope.message
        if envelope.view != partition.view:
            return "it was sent in another view"
        if sender not in partition.members:
            return "it is of nobody who takes part"
        if isinstance(message, Chunk | Hello):
            return None  # Whose cluster it is, is what a hello says.
        if envelope.cluster != self.replica.shared.cluster and partition.installed:
            return "it is of another cluster"
        if not (partition.installed or isinstance(message, _MEMBERSHIP)):
            return "the view was not installed yet"
        if not may_send(sender, message, self.replica.dc):
            return f"this member may not send a {type(message).__name__}"
        return None

    def _skip(self, event: Delivered, data: bytes, why: str) -> list[Wish]:
        self.skipped += 1
        if not self.replica.partition.installed:
            return [skipped(event.sender, why)]
        wishes = list(self.keeper.write(skipped_record(event.sender, data), event.now))
        self.replica.skip(event.sender, data)
        return [*wishes, skipped(event.sender, why)]

    def _take_in(self, sender: str, data: bytes, message: Message, now: Moment) -> list[Wish]:
        before = self.replica.shared
        self.replica.take_in(sender, data, message)
        wishes = self._followed(sender, message, before, now)
        if self.replica.shared.ignored != before.ignored:
            wishes.insert(0, unknown_node(sender, message))
        return wishes

    def _followed(self, sender: str, message: Message, before: Shared, now: Moment) -> list[Wish]:
        """What follows from a message that was taken in; `before` is how things stood."""
        changed = self.replica.shared.cib is not before.cib
        match message:
            case Propose():
                return self.proposals.proposed(sender, message, before, now)
            case Accept():
                return self.proposals.accepted(sender, message, before) + self._activate(now)
            case Reject():
                return self._rejected(sender, message, before, now) + self._activate(now)
            case Activate():
                activated = self.proposals.activated(message, before)
                if not activated:  # A saved plan is judged anew when the state moved on in between.
                    return self._activate(now) if moved_on(self.replica.shared, message) else []
                return activated + self.tips.activated() + self.coordinator.changed("the configuration changed")
            case Observe():
                return self._observed(message, changed)
            case Run() | Reported():
                return self._ordered(message, now) if isinstance(message, Run) else self._heard_result(message)
            case Report():
                return self._heard_report(message, before)
            case GraceOver():
                more = self.fencer.decide(self.replica.shared, now) if self.is_dc else []
                return self._restated(f"{message.node} did not come back", before) + more
            case FenceWanted() | FenceOrdered() | FenceEnded() | FenceGivenUp() | FenceConfirmed():
                return self._heard_fencing(message, before, now)
            case Joined() | State() | Hello() | Ready() | Exclude():
                return []  # They are no part of what is decided.
            case Cleanup() | Refresh() | Shutdown() | Release():
                return self._asked_by(message, before, now)
            case _:
                assert_never(message)

    def _asked_by(self, message: Cleanup | Refresh | Shutdown | Release, before: Shared, now: Moment) -> list[Wish]:
        """What was asked for was worked out: what follows from it here."""
        match message:
            case Cleanup() | Refresh():
                if isinstance(message, Cleanup) and self.replica.shared.cib is before.cib:
                    return []
                why = "failures were cleaned up" if isinstance(message, Cleanup) else "a refresh was asked for"
                checked = [wish for resource in message.resources for wish in self.executor.check(resource, now)]
                return self._restated(why, before) + checked
            case Shutdown():
                return self._restated(f"{message.node} is to stop its resources and leave", before)
            case Release():
                return self._released(message)
            case _:
                assert_never(message)

    def _rejected(self, sender: str, message: Reject, before: Shared, now: Moment) -> list[Wish]:
        proposal = before.proposals.get(message.commit)
        again = self.tips.rejected(proposal, message, now) if proposal is not None else []
        return self.proposals.rejected(sender, message, before) + again

    def _activate(self, now: Moment) -> list[Wish]:
        if not (self.is_dc and self.quorate):
            return []
        return self.proposals.activate(self.members, now, busy=self.coordinator.transition is not None)

    def _observed(self, message: Observe, changed: bool) -> list[Wish]:
        wishes: list[Wish] = []
        for seen in message.observations:
            if isinstance(seen, AttributeSet):
                if seen.node == self.name and self._attributes.get(seen.name, seen) == seen.value:
                    del self._attributes[seen.name]
                wishes.append(Emit("attribute", {"node": seen.node, "name": seen.name, "value": seen.value}))
            elif isinstance(seen, ResourceForgotten) and seen.node == self.name:
                wishes += self.executor.forget(seen.resource)
        wishes.append(self._publish())
        if changed or message.action:
            wishes += self.coordinator.observed(message)
        return wishes

    def _restated(self, why: str, before: Shared) -> list[Wish]:
        """What operators asked for was worked out: what of it is forgotten here is not monitored any more."""
        if self.replica.shared.cib is before.cib:
            return []
        known = {history.id for history in node_state(self.replica.cib, self.name).history}
        wishes: list[Wish] = []
        for history in node_state(before.cib, self.name).history:
            if history.id not in known:
                wishes += self.executor.forget(history.id)
        return [*wishes, self._publish(), *self.coordinator.changed(why)]

    def _ordered(self, message: Run, now: Moment) -> list[Wish]:
        wishes: list[Wish] = []
        for order in message.orders:
            wishes.append(ordered(message.transition, order))
            if order.launched.node == self.name:
                wishes += self.executor.order(order, message, self.replica.memory.started, now)
        return wishes

    def _heard_result(self, message: Reported) -> list[Wish]:
        if message.node == self.name and message in self._outbox:
            self._outbox.remove(message)
        ours = self.coordinator.reported(message)
        result = self.executor.results.get(message.resource) if message.node == self.name else None
        wishes: list[Wish] = [reported(message, "" if result is None else result.result.output), *ours]
        return [*wishes, self._publish()] if message.failed else wishes

    def _heard_fencing(self, message: FencingMessage, before: Shared, now: Moment) -> list[Wish]:
        shared = self.replica.shared
        wishes = self.fencer.delivered(message, before.fencing, shared, now, dc=self.is_dc)
        wishes += self.coordinator.fenced(shared)
        if has_fenced(before.fencing, shared.fencing, self.name, self.joining.boot):
            # Whom the cluster fenced begins nothing: that it still lives is a fault of the device.
            return [*wishes, Leave("the cluster has fenced this node, which still lives")]
        if shared.cib is before.cib:
            return wishes
        return [*wishes, *self.coordinator.changed(f"{message_target(message)} is fenced")]

    def _released(self, message: Release) -> list[Wish]:
        """All resources of a node are stopped, as was asked: it leaves."""
        wishes = self.coordinator.released(message)
        if message.node == self.name:
            wishes.append(Leave("all resources of this node are stopped, as was asked"))
        return wishes

    # The executor's life

    def _finished(self, event: Finished) -> list[Wish]:
        wishes = self._set_attributes(event)
        told, more = self.executor.finished(event.token, event.result, event.traits, event.now)
        if told is not None:
            more.insert(0, Broadcast(told))
        self._outbox += [
            wish.message for wish in more if isinstance(wish, Broadcast) and isinstance(wish.message, Reported)
        ]
        return wishes + more + self._join_if_ready()

    def _set_attributes(self, event: Finished) -> list[Wish]:
        """Node attributes that an agent set, promotion scores above all; only what is news travels, compared with what was last told."""
        known: dict[str, str | None] = {**transient(node_state(self.replica.cib, self.name)), **self._attributes}
        news = {name: value for name, value in event.result.attributes.items() if known.get(name) != value}
        if not news:
            return []
        self._attributes |= news
        return [self._tell_attributes(event.now, news)]

    def _tell_attributes(self, now: Moment, news: Mapping[str, str | None] | None = None) -> Broadcast:
        told = self._attributes if news is None else news
        seen = tuple(AttributeSet(self.name, name, value) for name, value in sorted(told.items()))
        return Broadcast(Observe(seen, "an agent set node attributes", now.wall_ms))

    def _examined(self, event: Examined) -> list[Wish]:
        """A commit was judged: what it compiles to is durable before anybody learns that it is valid."""
        if not self.proposals.is_open(event):
            return []
        if event.configuration is None:
            return self.proposals.refused(event)
        prepared = Prepared(event.digest, event.configuration)
        self.replica.prepare(event.commit, prepared)
        written = self.keeper.write(prepared_record(event.commit, prepared), event.now, begins=True)
        return [*written, *self._sync(Answer(event))]

    def _timer_fired(self, event: TimerFired) -> list[Wish]:
        if event.name in (RECHECK, RETRY):
            return self.coordinator.changed("time has passed") if self.is_dc else []
        if event.name == WAIT_TIMER:
            return self._membership(self.joining.waited(event.now), event.now)
        if event.name.startswith(GRACE_TIMER):
            over = GraceOver(event.name.removeprefix(GRACE_TIMER))
            return [Broadcast(over)] if self.is_dc and self.quorate else []
        if event.name == FENCE_TIMER:
            return self.fencer.decide(self.replica.shared, event.now) if self.is_dc else []
        if event.name.startswith(LATE_TIMER):
            return self.fencer.late(event.name, self.replica.shared, event.now) if self.is_dc else []
        if event.name == OVERDUE:
            return self.coordinator.overdue(event.now)
        if event.name == SYNC_TIMER:
            return list(self.keeper.sync_due())
        if event.name == GENERATION_TIMER:
            return self._mend_journal(event.now)
        if event.name.startswith(OFFER_TIMER):
            return self.tips.due(event.name, event.now)
        if event.name.startswith(EXAMINE_TIMER):
            commit = event.name.removeprefix(EXAMINE_TIMER)
            return self.proposals.give_up(commit, self.members, event.now) if self.is_dc else []
        return self.executor.fire(event.name, event.now)

    def _mend_journal(self, now: Moment) -> list[Wish]:
        """A journal that is broken is followed by another, as soon as the disk takes it."""
        if self.keeper.broken is None:
            return []
        return self._generation() if self.abreast else [self.keeper.again(now)]

    def _decide(self, now: Moment) -> list[Wish]:
        shared = self.replica.shared
        if not self.is_dc or set(self.members) - set(shared.reported) or shared.underway:
            return []  # What others run, and what they are still doing, is not known yet.
        was, replica = self.coordinator.converged, self.replica
        wishes = self.coordinator.decide(replica, self.members, now)
        if self.coordinator.converged and not was:
            fields = {
                "version": str(replica.cib.version),
                "commit": replica.commit,
                "problems": list(self.coordinator.problems),
            }
            wishes.append(Emit("converged", fields))
        return wishes

    def _publish(self) -> PublishAttributes:
        return PublishAttributes(transient(node_state(self.replica.cib, self.name)))


def _sent(envelope: Envelope) -> list[Effect]:
    try:
        return [Send(data) for data in parcels(envelope)]
    except MessageError as error:
        # No member would take it: a fault of ours, which must not go unnoticed, nor take other wishes with it.
        return [Emit("daemon", {"what": "internal-error", "text": f"{type(error).__name__}: {error}"})]


def _next_call_id(state: NodeState) -> int:
    ids = (integer(entry.attributes.get("call-id"), 0) for history in state.history for entry in history.entries)
    return 1 + max(ids, default=0)
