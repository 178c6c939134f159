"""A node: everything it does is a function of the events it is told of. `step(event)` answers what the node wishes.

It does no I/O, reads no clock and draws no random number, so the daemon, a laboratory and a simulation drive the same code. What happens
is handed on to the machine whose business it is; the shared state changes only where a message is delivered. The node that joined
first among the members is the DC.
Source: the design of the cluster.
"""

from __future__ import annotations

from collections import deque
from typing import assert_never

from reconciler.cib.observations import AttributeSet, Observation, ResourceForgotten, transient
from reconciler.controller.coordinator import OVERDUE, RECHECK, RETRY, Coordinator
from reconciler.controller.envelope import Assembly, Chunk, Envelope, may_send, parcels, unseal
from reconciler.controller.events import (
    Broadcast,
    CleanupAsked,
    CommitArrived,
    Delivered,
    Durable,
    Effect,
    Emit,
    Ending,
    Event,
    Examined,
    Finished,
    Leave,
    NotDurable,
    NotWritten,
    ProcessesGone,
    PublishAttributes,
    Quiet,
    RefreshAsked,
    Send,
    Started,
    StopAsked,
    TimerFired,
    TipSeen,
    ViewChanged,
    Wish,
)
from reconciler.controller.executor import Executor
from reconciler.controller.journal import message_record, prepared_record, skipped_record, snapshot_bytes
from reconciler.controller.keeper import (
    GENERATION_TIMER,
    SYNC_TIMER,
    Answer,
    Keeper,
    Purpose,
    Routine,
    TakeBack,
    TakeIn,
)
from reconciler.controller.members import node_state
from reconciler.controller.messages import (
    Accept,
    Activate,
    Cleanup,
    Joined,
    Message,
    MessageError,
    Observe,
    Propose,
    Refresh,
    Reject,
    Release,
    Reported,
    Run,
    Shutdown,
)
from reconciler.controller.moment import Moment
from reconciler.controller.proposals import EXAMINE_TIMER, Proposals
from reconciler.controller.recovery import Recovery
from reconciler.controller.replica import Partition, Replica
from reconciler.controller.shared import Prepared, Shared, moved_on
from reconciler.controller.telling import ordered, recovered, reported, skipped, unknown_node
from reconciler.controller.tips import OFFER_TIMER, Tips
from reconciler.frozen import replace
from reconciler.model.status import NodeState
from reconciler.model.text import integer

# A clock that is slewed moves less between two events; expiries and date rules count in seconds.
_CLOCK_SET_MS = 1000
_BUILT_UPON = (Activate, Joined)
"""Messages on which something is built that a crash must not take away: they take effect once they are durable."""
_IN_ORDER = (Delivered, ViewChanged, Examined)
"""What waits while the disk is being waited for, and keeps its order."""


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
        self.view = ""
        self.recovered = False
        self.stopping = False
        self.ending = False
        self.skipped = 0
        """How many messages were delivered that nobody takes: of another view, of the wrong sender, or none at all."""
        self._assembly = Assembly()
        self._later: deque[Delivered | ViewChanged | Examined] = deque()
        self._held: list[CommitArrived] = []
        self._clock_ms: int | None = None

    @property
    def members(self) -> tuple[str, ...]:
        """The members of the view, oldest first."""
        return self.replica.partition.members

    @property
    def quorate(self) -> bool:
        """Whether they have quorum."""
        return self.replica.partition.quorate

    @property
    def dc(self) -> str | None:
        """The DC, as every member knows it without a vote."""
        return self.replica.partition.dc if self.recovered else None

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
        if not self.recovered:
            return "recovering"
        if self.stopping:
            return "stopping"
        return "running" if self.coordinator.busy or not self.executor.idle else "idle"

    def step(self, event: Event) -> list[Effect]:
        """Take one event; what to do about it, in this order."""
        wishes = self._notice_clock(event.now)
        if isinstance(event, _IN_ORDER) and not self.abreast:
            self._later.append(event)
        else:
            wishes += self._handle(event)
        while self._later and not self.keeper.holding:
            wishes += self._handle(replace(self._later.popleft(), now=event.now))
        if self.keeper.wants_generation and self.abreast:
            wishes += self._generation()
        return self._border(wishes)

    def _handle(self, event: Event) -> list[Wish]:
        match event:
            case Started():
                return self._generation()
            case ViewChanged():
                return self._view_changed(event)
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
            case CleanupAsked() | RefreshAsked() | StopAsked():
                return self._asked(event)
            case Ending():
                self.ending = True
                return self._generation() if self.abreast else []
            case Quiet():
                return self._decide(event.now) if self.abreast and not self.ending else []
            case _:
                assert_never(event)

    def _asked(self, event: CleanupAsked | RefreshAsked | StopAsked) -> list[Wish]:
        """What operators ask for is told to all: what it means is worked out where it is delivered."""
        match event:
            case CleanupAsked():
                return [Broadcast(Cleanup(event.resources, event.now.wall_ms))]
            case RefreshAsked():
                return [Broadcast(Refresh(event.resources, event.now.wall_ms))]
            case StopAsked():
                self.stopping = True
                return [Broadcast(Shutdown(self.name, event.now.wall_ms))]
            case _:
                assert_never(event)

    def _border(self, wishes: list[Wish]) -> list[Effect]:
        """The wishes as they leave the core: every message with its envelope, large ones in pieces."""
        effects: list[Effect] = []
        for wish in wishes:
            if isinstance(wish, Broadcast):
                envelope = Envelope(self.replica.shared.cluster, self.view, self.name, wish.message)
                effects += _sent(envelope)
            else:
                effects.append(wish)
        return effects

    # The disk

    def _disk_answered(self, event: NotWritten | Durable | NotDurable) -> list[Wish]:
        match event:
            case NotWritten():
                return self.keeper.not_written(event.reason, event.now)
            case Durable():
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
            case Routine():
                return []
            case _:
                assert_never(purpose)

    def _not_durable(self, purpose: Purpose, event: NotDurable) -> list[Wish]:
        """Nothing new begins without the disk; what runs is cared for all the same."""
        match purpose:
            case TakeIn(sender, data, message):
                if not isinstance(message, Activate):
                    return self._take_in(sender, data, message, event.now)
                # It is in the journal, but perhaps not for long: it is refused only once it can't come back at a restart.
                return self._generation(TakeBack(message, event.reason))
            case TakeBack():
                return [Leave(f"the state can't be written, nor taken back: {event.reason}")]
            case Answer():
                return self.proposals.not_kept(purpose.examined, event.reason, event.now)
            case Routine():
                return []
            case _:
                assert_never(purpose)

    # Membership and recovery

    def _view_changed(self, event: ViewChanged) -> list[Wish]:
        self.view = event.view
        self._assembly.forget()
        self.replica.partition = Partition(event.members, event.quorate)
        if not self.recovery.begun:
            return self.recovery.begin(self.replica, self.executor, event.now) + self._join_if_ready(event.now)
        return self.coordinator.changed("the members changed")

    def _join_if_ready(self, now: Moment) -> list[Wish]:
        if self.recovered or not self.recovery.done(self.executor):
            return []
        self.recovered = True
        joined, wishes = self.recovery.finish(self.replica, self.executor, now)
        return [Broadcast(joined), *wishes]

    def _joined(self, message: Joined, now: Moment) -> list[Wish]:
        wishes: list[Wish] = [self._publish()]
        if message.node == self.name:
            wishes.append(recovered(message))
            held, self._held = self._held, []
            for commit in held:
                wishes += self._commit_arrived(commit)
        # Who joins begins anew: what was proposed before is proposed again.
        return wishes + self.tips.reconsider(now) + self.coordinator.changed(f"{message.node} joined")

    def _commit_arrived(self, event: CommitArrived) -> list[Wish]:
        """A commit that comes before this node takes part waits until it does."""
        if not (self.recovered and self.replica.term):
            self._held.append(event)
            return []
        return self.proposals.arrived(event)

    def _tip_seen(self, event: TipSeen) -> list[Wish]:
        """What a source says before this node takes part is looked at once it does."""
        if not (self.recovered and self.replica.term):
            self.tips.keep(event.tip)
            return []
        return self.tips.seen(event.tip, event.now)

    def _notice_clock(self, now: Moment) -> list[Wish]:
        """A clock that was set may change what date rules and expiries say."""
        offset = now.wall_ms - now.mono_ms
        known, self._clock_ms = self._clock_ms, offset
        if known is None or abs(known - offset) < _CLOCK_SET_MS or not self.recovered:
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
        if envelope.cluster != self.replica.shared.cluster:
            return "it is of another cluster"
        if envelope.view != self.view:
            return "it was sent in another view"
        if not isinstance(envelope.message, Chunk) and not may_send(
            sender, envelope.message, self.replica.partition.dc
        ):
            return f"this member may not send a {type(envelope.message).__name__}"
        return None

    def _skip(self, event: Delivered, data: bytes, why: str) -> list[Wish]:
        self.skipped += 1
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
            case Run():
                return self._ordered(message, now)
            case Reported():
                return self._reported(message)
            case Joined():
                return self._joined(message, now)
            case Cleanup():
                if not changed:
                    return []
                checked = [wish for resource in message.resources for wish in self.executor.check(resource, now)]
                return self._restated("failures were cleaned up", before) + checked
            case Refresh():
                checked = [wish for resource in message.resources for wish in self.executor.check(resource, now)]
                return self._restated("a refresh was asked for", before) + checked
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

    def _reported(self, message: Reported) -> list[Wish]:
        ours = self.coordinator.reported(message)
        result = self.executor.results.get(message.resource) if message.node == self.name else None
        wishes: list[Wish] = [reported(message, "" if result is None else result.result.output), *ours]
        return [*wishes, self._publish()] if message.failed else wishes

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
            wishes.append(Broadcast(told))
        return wishes + more + self._join_if_ready(event.now)

    def _set_attributes(self, event: Finished) -> list[Wish]:
        """Node attributes that an agent set, promotion scores above all; only what is news travels."""
        known = transient(node_state(self.replica.cib, self.name))
        news: list[Observation] = [
            AttributeSet(self.name, name, value)
            for name, value in sorted(event.result.attributes.items())
            if known.get(name) != value
        ]
        if not news:
            return []
        return [Broadcast(Observe(tuple(news), "an agent set node attributes", event.now.wall_ms))]

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
        if not (self.is_dc and self.replica.term):
            return []
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
