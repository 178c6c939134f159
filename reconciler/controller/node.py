"""A node: everything it does is a function of the events it is told of. `step(event)` answers what the node wishes.

It does no I/O, reads no clock and draws no random number, so the daemon, a laboratory and a simulation drive the same code. What happens
is handed on to the machine whose business it is; the shared state changes only where a message is delivered.
Source: the design of the cluster.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import assert_never

from reconciler.analysis.fence_devices import by_watchdog
from reconciler.cib.moving import renamed_attribute
from reconciler.controller.coordinator import OVERDUE, RECHECK, RETRY
from reconciler.controller.cut_off import CUT_OFF_TIMER, CutOff
from reconciler.controller.dampening import DAMPEN_TIMER
from reconciler.controller.entering import GRACE_TIMER, Entering
from reconciler.controller.envelope import MEMBERSHIP, OLDEST, PROTOCOL, UNCOUNTED, Envelope, parcels
from reconciler.controller.events import (
    AttributesTold,
    Broadcast,
    CleanupAsked,
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
    FenceAsked,
    Finished,
    ForgetAsked,
    HeldUp,
    Lacking,
    NotDurable,
    NotWritten,
    PackMade,
    PackTaken,
    ProcessesGone,
    Quiet,
    RefreshAsked,
    Send,
    Started,
    StopAsked,
    TimerFired,
    TipSeen,
    Unhandled,
    ViewChanged,
    WatchdogPromised,
    Wish,
)
from reconciler.controller.faults import Faults
from reconciler.controller.fencer import FENCE_TIMER, LATE_TIMER, WATCHED_TIMER
from reconciler.controller.fencing.messages import FenceConfirmed, FenceWanted
from reconciler.controller.fencing.record import FenceCause
from reconciler.controller.following import INHERITED_TIMER, Following
from reconciler.controller.intake import Intake
from reconciler.controller.joining import WAIT_TIMER
from reconciler.controller.journal import prepared_record
from reconciler.controller.keeper import GENERATION_TIMER, SYNC_TIMER, SendAcceptance
from reconciler.controller.messages import (
    COMPILER,
    Cleanup,
    Message,
    MessageError,
    NodeForgotten,
    Problem,
    Refresh,
    Settled,
    Shutdown,
)
from reconciler.controller.moment import Moment
from reconciler.controller.outbox import KEPT
from reconciler.controller.parts import Parts
from reconciler.controller.proposals import EXAMINE_TIMER
from reconciler.controller.pulse import PULSE_TIMER
from reconciler.controller.quorum.self_stop import FRESH_MS, may_feed_watchdog
from reconciler.controller.replica import Replica
from reconciler.controller.returning import RETURN_TIMER
from reconciler.controller.shared import Prepared, watchdog_wait
from reconciler.controller.standing import fences
from reconciler.controller.tips import OFFER_TIMER
from reconciler.controller.watchdogs import Uncounted
from reconciler.frozen import replace

# A clock that is slewed moves less between two events; expiries and date rules count in seconds.
_CLOCK_SET_MS = 1000
_MOST_PROBLEMS = 100
_LONGEST_PROBLEM = 1000
_IN_ORDER = (Delivered, ViewChanged, Examined)
"""What waits while the disk is being waited for, and keeps its order."""


class Node:
    """One node with all its machines. `run` is a name for this run of the node that no other run ever had.

    `protocols` are the oldest and the newest that it speaks, `compiler` is the level of what compiles its commits.
    """

    def __init__(
        self,
        name: str,
        run: str,
        replica: Replica,
        boot: str,
        protocols: tuple[int, int] = (OLDEST, PROTOCOL),
        compiler: int = COMPILER,
    ) -> None:
        self.name = name
        self.replica = replica
        self.parts = Parts(name, run, replica, boot, protocols, compiler)
        self.executor = self.parts.executor
        self.coordinator = self.parts.coordinator
        self.proposals = self.parts.proposals
        self.tips = self.parts.tips
        self.keeper = self.parts.keeper
        self.fencer = self.parts.fencer
        self.cut_off = CutOff(self.parts, run)
        self.entering = Entering(self.parts, self.cut_off)
        self.following = Following(self.parts, self.entering)
        self.intake = Intake(self.parts, self.entering, self.following)
        self.faults = Faults(self.parts, self.entering, self.cut_off)
        self.stopping = False
        self.ending = False
        self._to_settle = False
        """Whether the others have not heard yet that nothing is left to do."""
        self.parcels: Callable[[Envelope], Iterable[bytes]] = parcels
        self._later: deque[Delivered | ViewChanged | Examined] = deque()
        self._clock_ms: int | None = None

    @property
    def members(self) -> tuple[str, ...]:
        """The members of the view."""
        return self.parts.members

    @property
    def quorate(self) -> bool:
        """Whether they have quorum."""
        return self.parts.quorate

    @property
    def dc(self) -> str | None:
        """The DC of the installed view."""
        return self.replica.dc

    @property
    def is_dc(self) -> bool:
        """Whether this node is the DC."""
        return self.parts.is_dc

    @property
    def converged(self) -> bool:
        """Whether nothing is left to do, by the DC's word, and nothing has changed since; never said before this node has looked."""
        if self._recovering:
            return False
        if self.is_dc:
            return self.coordinator.converged
        settled = self.replica.shared.settled
        return settled is not None and settled.version == str(self.replica.cib.version)

    @property
    def problems(self) -> tuple[Mapping[str, str], ...]:
        """What is not as wanted although nothing can be done."""
        if self.is_dc:
            return self.coordinator.problems
        settled = self.replica.shared.settled
        return () if settled is None else tuple({"resource": p.resource, "text": p.text} for p in settled.problems)

    @property
    def skipped(self) -> int:
        """How many messages were delivered that nobody takes."""
        return self.intake.skipped

    @property
    def recovered(self) -> bool:
        """Whether it is known what runs here."""
        return self.entering.recovered

    @property
    def stays_away(self) -> str | None:
        """Why this node is no member for a while, though it could be; None when it is, or is about to be."""
        return self.entering.returning.told

    @property
    def abreast(self) -> bool:
        """Whether the state has everything that was delivered."""
        return not (self._later or self.keeper.holding)

    @property
    def phase(self) -> str:
        """What the node is about: recovering, idle, running or stopping."""
        if self._recovering:
            return "recovering"
        if self.stopping:
            return "stopping"
        busy = self.coordinator.busy if self.is_dc else not self.converged
        return "running" if busy or not self.executor.idle else "idle"

    @property
    def _recovering(self) -> bool:
        """Whether what runs here is not known yet, or not told to the others."""
        return not self.recovered or (not self.entering.reported and self.name in self.members)

    @property
    def is_heard(self) -> bool:
        """Whether a view is installed in which this node, as far as it knows, is heard by the others."""
        return self.replica.partition.installed and not self.parts.unsure and self.cut_off.ends is None

    @property
    def self_resets(self) -> Mapping[str, int]:
        """By node that has promised, in its present boot, that its watchdog resets it: within how many milliseconds."""
        nodes = self.replica.shared.nodes
        return {name: one.resets_within_ms for name, one in sorted(nodes.items()) if one.resets_within_ms}

    def watchdog_counts(self, target: str) -> str | None:
        """Why a node would not count as fenced by its own watchdog, if it were lost now; None when it would."""
        shared = self.replica.shared
        if self.replica.partition.installed and not self.parts.self_resets.spoken:
            return "a member of an earlier version does not know of watchdogs"
        if not fences(shared.cib):
            return "fencing is off"
        if not by_watchdog(shared.cib.configuration, target):
            return "fence devices are configured for it, and no level that names its watchdog"
        known = watchdog_wait(shared, target, self._boot_of(target))
        return known.value if isinstance(known, Uncounted) else None

    def feeds_watchdog(self, *, turning: bool, now: Moment) -> bool:
        """Whether a watchdog device of this machine may be fed now; `turning` says whether the loop around this node turns.

        Who waits for its disk does not take in that it was cut off; who stood still is not told; who gives up its place is no member; and
        who is not answered may be cut off without having been told, as by a fabric that stands still.
        """
        return may_feed_watchdog(
            turning=turning and self.abreast,
            quorate=self.quorate,
            installed=self.is_heard,
            fresh=self._is_fresh(now),
            active=self.cut_off.endangers,
        )

    def _is_fresh(self, now: Moment) -> bool:
        """Whether most of the votes have lately answered us; where the members have less than that, nobody counts on watchdogs."""
        shared = self.replica.shared
        own = sum(shared.votes.get(member, 0) for member in self.members)
        if shared.contested or 2 * own <= sum(shared.votes.values()):
            return True
        since = self.parts.pulse.heard_since(shared.votes, now)
        return since is not None and now.since_ms(since) <= FRESH_MS

    def step(self, event: Event) -> list[Effect]:
        """Take one event; what to do about it, in this order."""
        wishes: list[Wish] = []
        if not self.parts.alone or self.parts.unsure:
            event = replace(event, now=self.parts.clock.at(event.now, dc=self.is_dc))
            wishes = self.entering.standstill.turn(event.now)
        effects = self._border(self._notice_clock(event.now) + wishes)
        if isinstance(event, _IN_ORDER) and not self.abreast:
            self._later.append(event)
        else:
            effects += self._border(self._handle(event))
        while self._later and not self.keeper.holding:
            # One by one: what is wished before a view is of the one before.
            effects += self._border(self._handle(replace(self._later.popleft(), now=event.now)))
        if self.keeper.wants_generation and self.abreast:
            effects += self._border(self.parts.generation())
        self.executor.handed()
        return effects

    def _handle(self, event: Event) -> list[Wish]:
        match event:
            case Quiet() | HeldUp():
                return self._at_leisure(event)
            case Started():
                self.parts.proposals.distrust(event.trouble)
                begun = self.parts.recovery.begin(self.replica, self.executor, event.now)
                return self.parts.generation() + begun + self.entering.join_if_ready()
            case ViewChanged() | Delivered():
                return self._of_the_group(event)
            case NotWritten() | Durable() | NotDurable():
                return self.intake.disk_answered(event)
            case Finished():
                return self._finished(event)
            case TimerFired():
                return self._timer_fired(event)
            case TipSeen():
                return self._tip_seen(event)
            case Examined():
                return self._examined(event)
            case CommitArrived() | Lacking() | PackMade() | PackTaken():
                return self._of_commit(event)
            case ProcessesGone():
                return self.executor.check(event.resource, event.now)
            case CleanupAsked() | RefreshAsked() | StopAsked() | ConfirmAsked() | FenceAsked() | ForgetAsked():
                return self._asked(event)
            case AttributesTold() | WatchdogPromised():
                return self._told_by_the_daemon(event)
            case FenceAgentEnded():
                return self.fencer.ended(event)
            case Ending() | Unhandled():
                return self._of_the_program(event)
            case _:
                assert_never(event)

    def _told_by_the_daemon(self, event: AttributesTold | WatchdogPromised) -> list[Wish]:
        """Something of this machine that the others have to know."""
        if isinstance(event, AttributesTold):
            return self.parts.outbox.set_attributes(event.values, self.parts.attributes(), event.now)
        return self.parts.self_resets.promised(event.within_ms)

    def _of_the_group(self, event: ViewChanged | Delivered) -> list[Wish]:
        if self.cut_off.ends is not None:
            return []  # It was on its way to who is no member any more.
        if isinstance(event, Delivered):
            return self.intake.delivered(event)
        self.intake.view_changed()
        return self.entering.announced(event.view, event.now)

    def _of_the_program(self, event: Ending | Unhandled) -> list[Wish]:
        """The process is about to end, or a fault of it was met."""
        if isinstance(event, Unhandled):
            return self.faults.met(event)
        self.ending = True
        return self.parts.generation() if self.abreast else []

    def _of_commit(self, event: CommitArrived | Lacking | PackMade | PackTaken) -> list[Wish]:
        match event:
            case CommitArrived():
                return self.parts.packs.arrived(event)
            case Lacking():
                return self.parts.packs.lacking(event)
            case PackMade():
                return self.parts.packs.made(event)
            case PackTaken():
                return self.parts.packs.taken(event)
            case _:
                assert_never(event)

    def _at_leisure(self, event: Quiet | HeldUp) -> list[Wish]:
        """Nothing waits to be told: decide, or look, where deciding is held up."""
        if isinstance(event, HeldUp):
            looks = self.recovered and self.executor.idle
            return self.parts.recovery.look_again(self.replica, self.executor, event.now) if looks else []
        return self._decide(event.now) if self.abreast and not self.ending else []

    def _asked(
        self, event: CleanupAsked | RefreshAsked | StopAsked | ConfirmAsked | FenceAsked | ForgetAsked
    ) -> list[Wish]:
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
                return [Broadcast(FenceConfirmed(target, operator, event.now.wall_ms, self._boot_of(target)))]
            case FenceAsked(now, target, action, operator):
                boot = self._boot_of(target)
                return [Broadcast(FenceWanted(target, boot, FenceCause.ASKED, action, operator, now.wall_ms))]
            case ForgetAsked(_, node):
                return [Broadcast(NodeForgotten(node, event.now.wall_ms))]
            case _:
                assert_never(event)

    def _boot_of(self, target: str) -> str:
        """The last life of a node that is known."""
        known = self.replica.shared.nodes.get(target)
        return "" if known is None else known.boot

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
        if isinstance(message, KEPT):
            self.parts.outbox.wait(message)
        if partition.installed or isinstance(message, MEMBERSHIP):
            spoken = partition.protocol if partition.installed else self.parts.protocols[0]
            sent = self._sent(Envelope(self.replica.shared.cluster, partition.view, self.name, message, spoken))
            counts = partition.installed and len(partition.members) > 1 and not isinstance(message, UNCOUNTED)
            return self.parts.flow.send(sent) if counts else sent
        return []

    def _sent(self, envelope: Envelope) -> list[Effect]:
        try:
            return [Send(data) for data in self.parcels(envelope)]
        except MessageError as error:
            # No member would take it: a fault of ours, which must not go unnoticed, nor take other wishes with it.
            return [Emit("daemon", {"what": "internal-error", "text": f"{type(error).__name__}: {error}"})]

    def _notice_clock(self, now: Moment) -> list[Wish]:
        """A clock that was set may change what date rules and expiries say."""
        offset = now.wall_ms - now.mono_ms
        known, self._clock_ms = self._clock_ms, offset
        if known is None or abs(known - offset) < _CLOCK_SET_MS or not self.replica.partition.installed:
            return []
        return self.coordinator.changed("the clock was set")

    def _tip_seen(self, event: TipSeen) -> list[Wish]:
        """What a source says before this node takes part is looked at once it does."""
        if not self.replica.partition.installed:
            self.tips.keep(event.tip)
            return []
        return self.tips.seen(event.tip, event.now)

    def _finished(self, event: Finished) -> list[Wish]:
        wanted, delays_ms = self._attributes(event)
        wishes = self.parts.outbox.set_attributes(wanted, self.parts.attributes(), event.now, delays_ms)
        told, more = self.executor.finished(event.token, event.result, event.traits, event.now)
        if told is not None:
            more.insert(0, Broadcast(told))
        self.parts.outbox.told(more)
        return wishes + more + self.cut_off.ended(event.now) + self.entering.join_if_ready()

    def _attributes(self, event: Finished) -> tuple[Mapping[str, str | None], Mapping[str, int]]:
        """The node attributes that an agent set, for the resource as it is called now, and the delays of those that have one."""
        launched, result = self.executor.running[event.token].launched, event.result
        if launched.instance is None:
            return result.attributes, result.delays_ms
        names = {launched.instance: launched.resource}
        wanted = {renamed_attribute(name, names): value for name, value in result.attributes.items()}
        return wanted, {renamed_attribute(name, names): delay_ms for name, delay_ms in result.delays_ms.items()}

    def _examined(self, event: Examined) -> list[Wish]:
        """A commit was judged: what it compiles to is durable before anybody learns that it is valid."""
        if not self.proposals.is_open(event):
            return []
        if event.configuration is None:
            return self.proposals.refused(event)
        prepared = Prepared(event.digest, event.configuration, event.allow)
        self.replica.prepare(event.commit, prepared)
        written = self.keeper.write(prepared_record(event.commit, prepared), event.now, begins=True)
        return [*written, *self.parts.sync(SendAcceptance(event))]

    def _timer_fired(self, event: TimerFired) -> list[Wish]:
        if event.name in (RECHECK, RETRY):
            return self.coordinator.changed("time has passed") if self.is_dc else []
        if event.name == PULSE_TIMER:
            return self.entering.standstill.beat(event.now)
        if event.name in (WAIT_TIMER, RETURN_TIMER) or event.name.startswith(GRACE_TIMER):
            return self.entering.due(event.name, event.now)
        if event.name == CUT_OFF_TIMER:
            return self.cut_off.due(event.now)
        if event.name.startswith(INHERITED_TIMER):
            return self.following.inherited_overdue(event.name) if self.is_dc else []
        if event.name.startswith(DAMPEN_TIMER):
            held = self.replica.shared.held
            return self.parts.dampening.due(event.name, held, self.members, event.now) if self.is_dc else []
        if event.name == FENCE_TIMER:
            return self.fencer.decide(self.replica.shared, event.now) if self.is_dc else []
        if event.name == WATCHED_TIMER:
            return self.entering.standstill.watched(event.now)
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
        return self.parts.generation() if self.abreast else [self.keeper.again(now)]

    def _decide(self, now: Moment) -> list[Wish]:
        shared = self.replica.shared
        if self.proposals.holds_still:
            return []  # An order that is on its way when names move would be for a resource that nobody knows.
        if not self.is_dc or self.parts.unsure or set(self.members) - set(shared.reported) or shared.underway:
            return []  # What others run, and what they are still doing, is not known yet.
        was = self.coordinator.converged
        wishes = self.coordinator.decide(self.replica, self.members, now)
        if self.coordinator.converged != was:
            self._to_settle = self.coordinator.converged
        return wishes + self._settle(now)

    def _settle(self, now: Moment) -> list[Wish]:
        """As the DC, done with everything: say so. After an activation not before each member has told that it has the configuration, too.

        Who is lost before that may go by a former one, and one that has it can't be told from one that has not.
        """
        shared, coordinator = self.replica.shared, self.coordinator
        if not (self._to_settle and coordinator.converged):
            return []
        if shared.ends_within_ms != 0 and not self.parts.confirmation.everywhere(self.members):
            return []
        self._to_settle = False
        problems = tuple(
            Problem(one["resource"], one["text"][:_LONGEST_PROBLEM]) for one in coordinator.problems[:_MOST_PROBLEMS]
        )
        return [Broadcast(Settled(str(self.replica.cib.version), self.replica.commit, problems, now.wall_ms))]
