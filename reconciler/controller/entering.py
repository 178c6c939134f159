"""How a node comes into a view and goes on from there: what membership wishes, an installation, and the node's own report.

Source: the design of the cluster, "Membership: from a view to an installed state".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from reconciler.cib.moving import carried, renamed_state
from reconciler.controller.coordinator import OVERDUE
from reconciler.controller.cut_off import CutOff
from reconciler.controller.events import (
    Broadcast,
    ClearTimer,
    Emit,
    Join,
    KeepTail,
    Leave,
    RecordActive,
    Rejoin,
    SetTimer,
    Wish,
    Withdraw,
)
from reconciler.controller.installing import installed_of
from reconciler.controller.joining import WAIT_TIMER
from reconciler.controller.journal import installed_record, promised_record
from reconciler.controller.keeper import Adopting, Promising
from reconciler.controller.members import node_state
from reconciler.controller.membership.events import (
    Donate,
    Install,
    Installation,
    JoinAnew,
    MembershipEffect,
    Promise,
    Reannounce,
    Receive,
    Tell,
    View,
    Wait,
)
from reconciler.controller.membership.messages import MembershipMessage
from reconciler.controller.messages import GraceOver, Ping, Report, State
from reconciler.controller.moment import Moment
from reconciler.controller.own import renamed_own
from reconciler.controller.parts import Parts
from reconciler.controller.recovery import corrections
from reconciler.controller.replica import Partition
from reconciler.controller.returning import RETURN_TIMER, Returning
from reconciler.controller.shared import graces
from reconciler.controller.standstill import Standstill
from reconciler.controller.telling import installed_view, lost_tail, recovered
from reconciler.model.status import NodeState

_GIVE_UP_AGAIN_MS = 60_000
GRACE_TIMER = "grace "
"""How the names of the timers begin that end the time in which a node that is gone may be back."""


class Entering:
    """A node on its way into a view."""

    def __init__(self, parts: Parts, cut_off: CutOff) -> None:
        self.parts = parts
        self.standstill = Standstill(parts, cut_off)
        self.returning = Returning(parts.keeper)
        self._cut_off = cut_off
        self.recovered = False
        """Whether it is known what runs here."""
        self.reported = False
        """Whether the others have heard it, since this process was started."""
        self._known: NodeState | None = None
        """What this node knew of itself when the view was installed, until its report is delivered: meanwhile it may hold others' word."""
        self._quorate = False
        """Whether the view that was announced last has quorum, by the machines that are there."""
        self._announced: Moment | None = None
        """When the view at hand was announced."""
        self._gave_up_ms: int | None = None
        """When it last left because it could not take in what was delivered."""

    def heard(self, sender: str, message: MembershipMessage | State, now: Moment) -> list[Wish]:
        """A message of membership was delivered in the view at hand."""
        joining = self.parts.joining
        if isinstance(message, State):
            return self._carry_out(joining.received(message, now), now)
        return self._carry_out(joining.heard(sender, message, now), now)

    def pinged(self, ping: Ping, now: Moment) -> list[Wish]:
        """A member's sign of life was delivered: who holds another state than the others gives it up for theirs."""
        wishes = self.standstill.heard(ping, now)
        if ping.node == self.parts.replica.dc != self.parts.name:
            self.parts.clock.heard(ping.at_ms, now)
        if not self.parts.pulse.strays(self.parts.replica.dc):
            return wishes
        self.parts.replica.doubt()
        text = "this node holds another state than the others after the same messages, and gives it up for theirs"
        told = Emit("daemon", {"what": "diverged", "text": text})
        return [*wishes, told, *self.parts.generation(), *self._leave(text, now, fenced=False)]

    def unhandled(self, reason: str, now: Moment) -> list[Wish]:
        """What was delivered could not be taken in: one of several gives up its place, and comes back to what the others hold.

        A node alone agrees on its view anew, so that orders and examinations that were lost begin anew. What no member can take in has them
        all do so: once in a while, and in between each goes on without it; who then holds another state than the others is told by
        their pings.
        """
        if not self.parts.members:
            return []
        if self._gave_up_ms is not None and now.mono_ms < self._gave_up_ms + _GIVE_UP_AGAIN_MS:
            return []
        self._gave_up_ms = now.mono_ms
        if self.parts.alone:
            return self.announced_anew(now)
        text = f"this node could not take in what was delivered, and joins anew with what the others hold: {reason}"
        told = Emit("daemon", {"what": "not-applied", "text": text})
        return [told, *self._leave(text, now, fenced=False)]

    def give_up(self, why: str, now: Moment) -> list[Wish]:
        """This node can't do what a member has to, and ends: at once where others are quorate with it, who know that its machine is there.

        Where it may be cut off, others think it lost: it joins nobody any more, stops what it runs by the policy, and ends then.
        """
        if self._quorate:
            # What was delivered after what it could not take in must not be taken in either.
            self._cut_off.ends = why
            return [Leave(why)]
        self._stand_apart()
        self.parts.executor.drop_unstarted()
        return [Withdraw(why), *self._cut_off.give_up(why, now)]

    def promised(self, term: int, now: Moment) -> list[Wish]:
        """A promise is durable."""
        return self._carry_out(self.parts.joining.promised(term, now), now)

    def due(self, timer: str, now: Moment) -> list[Wish]:
        """A time is over: in which others had to answer, this node stayed away, or one that is gone might have been back."""
        if timer == WAIT_TIMER:
            return self._carry_out(self.parts.joining.waited(now), now)
        return self._return(now) if timer == RETURN_TIMER else self._grace_over(timer)

    def _grace_over(self, timer: str) -> list[Wish]:
        """As the DC of a quorate view: a node that is gone is not awaited any longer."""
        parts = self.parts
        return [Broadcast(GraceOver(timer.removeprefix(GRACE_TIMER)))] if parts.is_dc and parts.quorate else []

    def announced(self, view: View, now: Moment) -> list[Wish]:
        """What was under way in the view before is over: orders that have not begun, pieces of messages, the DC's transition."""
        self._quorate = view.ring.quorate
        self._announced = now
        self.parts.replica.partition = Partition(view.id, view.members)
        self.parts.pulse.end()
        self.parts.executor.drop_unstarted()
        self.parts.heard.clear()
        self.parts.coordinator.begin_anew("the members changed")
        alone = self._cut_off.announced(view, now)
        return [ClearTimer(OVERDUE), *alone, *self._carry_out(self.parts.joining.announced(view, now), now)]

    def announced_anew(self, now: Moment) -> list[Wish]:
        """Nobody who is missing is doubtful any more: the same view is installed once more, in a term of its own."""
        view = self.parts.joining.view_anew
        return [] if view is None else self.announced(view, now)

    def _carry_out(self, effects: tuple[MembershipEffect, ...], now: Moment) -> list[Wish]:
        return [wish for effect in effects for wish in self._on_membership(effect, now)]

    def _on_membership(self, effect: MembershipEffect, now: Moment) -> list[Wish]:
        match effect:
            case Tell(message):
                return [Broadcast(message)]
            case Promise(term):
                self.parts.replica.promise(term)
                return [*self.parts.keeper.write(promised_record(term), now), *self.parts.sync(Promising(term))]
            case Donate():
                return [Broadcast(self.parts.joining.donation())]
            case Receive():
                return []
            case Wait(until_ms):
                return [SetTimer(WAIT_TIMER, until_ms)]
            case Install(installation):
                return self._install(installation, now)
            case JoinAnew():
                return self._join_anew(effect, now)
            case Reannounce(view):
                return self.announced(view, now)
            case _:
                assert_never(effect)

    def _join_anew(self, effect: JoinAnew, now: Moment) -> list[Wish]:
        """The others go on without this node: it comes back, unless it never can, but not so soon that it keeps them from going on."""
        left = self._leave(effect.why, now, fenced=effect.fenced)
        if effect.for_good:
            return [Leave(f"this node can't be a member: {effect.why}")]
        at_ms = None if effect.fenced else self.returning.excluded(effect.why, now)
        if at_ms is None or (told := self.returning.told) is None:
            return left
        others = [wish for wish in left if not isinstance(wish, Rejoin)]
        stays = Emit("daemon", {"what": "stays-away", "text": told})
        return [Withdraw(told), stays, SetTimer(RETURN_TIMER, at_ms), *others]

    def _return(self, now: Moment) -> list[Wish]:
        """The time is over in which this node stayed away."""
        if self.returning.told is None or self._cut_off.ends is not None:
            return []
        at_ms = self.returning.due(now)
        return [Join()] if at_ms is None else [SetTimer(RETURN_TIMER, at_ms)]

    def fenced(self, why: str) -> list[Wish]:
        """The cluster has fenced this node, which still lives."""
        return self._cut_off.fenced(why)

    def _leave(self, why: str, now: Moment, *, fenced: bool) -> list[Wish]:
        self._stand_apart()
        self.parts.fencer.as_somebody_new(self.parts.joining.incarnation)
        if fenced:
            return self.fenced(f"the cluster has fenced this node: {why}")
        return [Rejoin(why), *self._cut_off.announced(None, now)]

    def _stand_apart(self) -> None:
        self._quorate = False  # To those who go on it is as if lost.
        self.parts.joining.left()
        self.parts.replica.partition = Partition()
        self.parts.pulse.leave()
        self.parts.coordinator.begin_anew("this node is no member")

    def _install(self, installation: Installation, now: Moment) -> list[Wish]:
        """The view is installed: go on from the state of all, and tell what only this node knows."""
        replica = self.parts.replica
        # What is left from a view before was never heard: another view came before the report. A monitor tells a result only once, so a
        # failure that the others' state does not have would be forgotten for ever.
        known = self._known or node_state(replica.shared.cib, self.parts.name)
        adopted, tail = self.parts.joining.adopt(installation)
        lost = tuple(one.commit for one in replica.activations) if tail else ()
        self.parts.joining.install(installation, adopted)
        moved: list[Wish] = []
        believed = node_state(replica.shared.cib, self.parts.name)
        if names := carried(replica.memory.started, known, believed, replica.cib.configuration):
            # They got their new names while this node was away: what it knows itself is under the old ones.
            replica.own, known = renamed_own(replica.own, names), renamed_state(known, names)
            self.parts.recovery.rename(names)
            moved = self.parts.executor.rename(names, now)
        self._known = known
        protocol = installation.agreement.protocol
        replica.partition = Partition(installation.view.id, installation.members, True, protocol)
        wishes: list[Wish] = [ClearTimer(WAIT_TIMER), *self._cut_off.installed(), installed_view(installation), *moved]
        if tail:
            kept = frozenset(one.commit for one in replica.activations)
            gone = tuple(commit for commit in lost if commit not in kept)
            wishes += [lost_tail(gone), KeepTail(gone)]
        if adopted is None:
            wishes += self.parts.keeper.write(installed_record(installed_of(installation)), now)
        else:
            wishes += self.parts.generation(Adopting())
        report, watches = self._report(known, now)
        # What does not hold any more is taken back before anything can be begun here: that is asked for once all have reported.
        wishes += [*self.parts.self_resets.told(), Broadcast(report), *watches]
        wishes += self.parts.outbox.again(now)
        # It became active while this node was away: the node's own repository has to say so, too.
        if adopted is not None and replica.commit is not None:
            wishes.append(RecordActive(replica.commit))
        wishes += self.parts.packs.resumed()
        self.parts.confirmation.begin()
        wishes += self.parts.confirmation.durable() if adopted is None else []
        # What may not be on the disk is nothing to accept anything by: it is judged, and written, once more.
        prepared = replica.own.prepared if self.parts.keeper.broken is None else {}
        accepting = self.parts.keeper.accepting
        wishes += self.parts.proposals.resumed(prepared, now, dc=self.parts.is_dc, accepting=accepting)
        wishes += self.standstill.installed(now, self._heard_by_all(installation))
        self.returning.installed(now)
        wishes += self.graces_anew({}, now)
        wishes += self.parts.dampening.installed(replica.shared.held, now, dc=self.parts.is_dc)
        wishes += self.parts.fencer.installed(replica.shared, now, dc=self.parts.is_dc)
        return [*wishes, *self.parts.tips.reconsider(now), self.parts.publish()]

    def _heard_by_all(self, installation: Installation) -> Moment | None:
        """Since when all members have heard us in this view: they are ready once they have our hello. Where nobody has to be, None."""
        agreement = installation.agreement
        return None if agreement.promised == frozenset(agreement.members) else self._announced

    def _report(self, known: NodeState, now: Moment) -> tuple[Report, list[Wish]]:
        """What this node is and does. `known` is what it knew of itself before it took over the others' state, if it did.

        What has ended and was not told yet follows right after the report: so long it is under way, or the DC would plan without it.
        """
        watches: list[Wish] = []
        underway = self.parts.executor.underway() + self.parts.outbox.untold()
        stopped: tuple[str, ...] = ()
        if not self.reported:
            stopped, seen, watches = self.parts.recovery.finish(self.parts.replica, self.parts.executor, now)
        else:
            busy = {one.resource for one in underway}
            started = self.parts.replica.memory.started
            seen = corrections(node_state(self.parts.replica.shared.cib, self.parts.name), known, busy, started)
        return Report(self.parts.name, self.parts.joining.boot, stopped, underway, tuple(seen), now.wall_ms), watches

    def heard_own(self, report: Report) -> list[Wish]:
        """Our report was delivered: what we hold of ourselves is what we know."""
        self._known = None
        if self.reported:
            return []
        self.reported = True
        self.parts.recovery.nothing_runs = False
        return [recovered(report)]

    def graces_anew(self, before: Mapping[str, int | None], now: Moment) -> list[Wish]:
        """Who is gone may be back for a while; without fencing, what it ran may go on for a while.

        `before` is what was waited for until now. In another view that is nothing: without quorum, say, nobody else could have it.
        """
        wishes: list[Wish] = []
        for name, wait_ms in graces(self.parts.replica.shared).items():
            if name in before and before[name] == wait_ms:
                continue
            timer = GRACE_TIMER + name
            wishes.append(ClearTimer(timer) if wait_ms is None else SetTimer(timer, now.mono_ms + wait_ms))
        return wishes

    def join_if_ready(self) -> list[Wish]:
        """Become a member once it is known what runs here: those who wait for a member's word wait for nothing else."""
        if self.recovered or not self.parts.recovery.done(self.parts.executor):
            return []
        self.recovered = True
        return [Join()]
