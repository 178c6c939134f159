"""What follows on a node from a message that was taken in: for its agents, its timers, its sources, and as the DC.

Source: the design of the cluster, "Orders and results", "Configuration travels as git objects".
"""

from __future__ import annotations

from typing import assert_never

from reconciler.cib.observations import AttributeSet, EntryForgotten, ResourceForgotten
from reconciler.controller.entering import Entering
from reconciler.controller.events import Broadcast, Emit, Examined, Leave, SetTimer, Wish
from reconciler.controller.fencing.delivery import has_fenced, message_target
from reconciler.controller.fencing.messages import (
    FenceConfirmed,
    FenceEnded,
    FenceGivenUp,
    FenceOrdered,
    FenceWanted,
    FencingMessage,
)
from reconciler.controller.job import ends, gate_of, is_remembered
from reconciler.controller.journal import prepared_record
from reconciler.controller.keeper import SendAcceptance, Vouch
from reconciler.controller.members import node_state
from reconciler.controller.membership.messages import Exclude, Hello, Ready
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
    WantCommit,
)
from reconciler.controller.moment import Moment
from reconciler.controller.parts import Parts
from reconciler.controller.shared import Shared, allowed, graces, moved_between, moved_on
from reconciler.controller.telling import converged, ordered, reported

INHERITED_TIMER = "inherited "
"""How the names of the timers begin that end the wait for what a node was doing when the view began."""
_INHERITED_MS = 60_000
"""How much longer than its timeout such an order may take."""


class Following:
    """Hands what was delivered to the machines whose business it is."""

    def __init__(self, parts: Parts, entering: Entering) -> None:
        self.parts = parts
        self._entering = entering

    def followed(self, sender: str, message: Message, before: Shared, now: Moment) -> list[Wish]:
        """What follows from a message that was taken in; `before` is how things stood."""
        changed = self.parts.replica.shared.cib is not before.cib
        match message:
            case Propose():
                return self.parts.proposals.proposed(sender, message, before, now)
            case Accept() | Compiled():
                return self._heard_of_content(sender, message, before, now)
            case Reject():
                return self._rejected(sender, message, before, now) + self._activate(now)
            case Activate():
                activated = self.parts.proposals.activated(message, before)
                if not activated:  # A saved plan is judged anew when the state moved on in between.
                    return self._activate(now) if moved_on(self.parts.replica.shared, message) else []
                names = moved_between(before, self.parts.replica.shared)
                return (
                    activated
                    + self.parts.confirmation.durable()
                    + (self.parts.executor.rename(names, now) if names else [])
                    + self.parts.tips.activated()
                    + self._fence_anew(now)
                    + self.parts.coordinator.fenced(before, self.parts.replica.shared, now)
                    + self._entering.graces_anew(graces(before), now)
                    + self.parts.coordinator.changed("the configuration changed")
                )
            case Observe():
                return self._observed(message, changed, now)
            case Run() | Reported():
                return self._ordered(message, now) if isinstance(message, Run) else self._heard_result(message)
            case Report() | Abandoned():
                return self._heard_of_work(message, now)
            case GraceOver() | SelfReset():
                return [*self._heard_of_a_node(message, before), *self._fence_anew(now)]
            case FenceWanted() | FenceOrdered() | FenceEnded() | FenceGivenUp() | FenceConfirmed():
                return self._heard_fencing(message, before, now)
            case Settled():
                return [converged(message), *self._restated("what was removed has stopped", before)]
            case Heard():
                return self._heard(message, now)
            case (
                Joined()
                | State()
                | Hello()
                | Ready()
                | Exclude()
                | Ping()
                | Kept()
                | WantCommit()
                | CommitPack()
                | NoPack()
            ):
                return []  # They are no part of what is decided.
            case Cleanup() | Refresh() | Shutdown() | Release() | NodeForgotten():
                return self._asked_by(message, before, now)
            case _:
                assert_never(message)

    def _heard_of_a_node(self, message: GraceOver | SelfReset, before: Shared) -> list[Wish]:
        if isinstance(message, GraceOver):
            return self._restated(f"{message.node} did not come back", before)
        # What our watchdog promises may be something else by now than when this was sent.
        return self.parts.self_resets.told() if message.node == self.parts.name else []

    def _fence_anew(self, now: Moment) -> list[Wish]:
        """As the DC: what no device could do, one of the new configuration may, or a watchdog that is armed now."""
        return self.parts.fencer.decide(self.parts.replica.shared, now) if self.parts.is_dc else []

    def _asked_by(
        self, message: Cleanup | Refresh | Shutdown | Release | NodeForgotten, before: Shared, now: Moment
    ) -> list[Wish]:
        """What was asked for was worked out: what follows from it here."""
        match message:
            case Cleanup() | Refresh():
                if isinstance(message, Cleanup) and self.parts.replica.shared.cib is before.cib:
                    return []
                for resource in message.resources if isinstance(message, Cleanup) else ():
                    self.parts.executor.tell_again(resource)
                why = "failures were cleaned up" if isinstance(message, Cleanup) else "a refresh was asked for"
                checked = [wish for resource in message.resources for wish in self.parts.executor.check(resource, now)]
                return self._restated(why, before) + checked
            case Shutdown():
                return self._restated(f"{message.node} is to stop its resources and leave", before)
            case Release():
                return self._released(message)
            case NodeForgotten(node):
                return self._restated(f"{node} is no part of the cluster any more", before)
            case _:
                assert_never(message)

    def inherited_overdue(self, timer: str) -> list[Wish]:
        """As the DC: the time is over in which a node had to end what it was doing when the view began."""
        node = timer.removeprefix(INHERITED_TIMER)
        return [Broadcast(Abandoned(node))] if node in self.parts.replica.shared.underway else []

    def _heard_of_content(self, sender: str, message: Accept | Compiled, before: Shared, now: Moment) -> list[Wish]:
        """What a commit comes to at a member, or has to come to at all of another level."""
        proposals = self.parts.proposals
        if isinstance(message, Accept):
            return proposals.accepted(sender, message, before) + self._activate(now)
        made = proposals.dictated(message)
        if made is None:
            return []
        self.parts.replica.prepare(message.commit, made)
        answer = SendAcceptance(
            Examined(now, message.commit, message.base, made.digest, made.configuration, allow=made.allow)
        )
        written = self.parts.keeper.write(prepared_record(message.commit, made), now, begins=True)
        return [*written, *self.parts.sync(answer)]

    def _rejected(self, sender: str, message: Reject, before: Shared, now: Moment) -> list[Wish]:
        proposal = before.proposals.get(message.commit)
        again = self.parts.tips.rejected(proposal, message, now) if proposal is not None else []
        return self.parts.proposals.rejected(sender, message, before) + again

    def _activate(self, now: Moment) -> list[Wish]:
        # Who stood still may be the DC to itself alone: the others have perhaps gone on with another one.
        if self.parts.unsure or not (self.parts.is_dc and allowed(self.parts.replica.shared).activate):
            return []
        return self.parts.proposals.activate(
            self.parts.members, now, busy=self.parts.coordinator.transition is not None
        )

    def _observed(self, message: Observe, changed: bool, now: Moment) -> list[Wish]:
        self.parts.outbox.heard(message)
        held = self.parts.replica.shared.held
        wishes = self.parts.dampening.observed(held, message.observations, now) if self.parts.is_dc else []
        for seen in message.observations:
            if isinstance(seen, AttributeSet):
                waits = {"held_ms": message.dampen_ms} if message.dampen_ms else {}
                wishes.append(Emit("attribute", {"node": seen.node, "name": seen.name, "value": seen.value, **waits}))
            elif isinstance(seen, ResourceForgotten) and seen.node == self.parts.name:
                wishes += self.parts.executor.forget(seen.resource)
            elif isinstance(seen, EntryForgotten) and seen.node == self.parts.name:
                self.parts.executor.tell_again(seen.resource)
        wishes.append(self.parts.publish())
        if changed or message.action:
            wishes += self.parts.coordinator.observed(message)
        return wishes

    def _restated(self, why: str, before: Shared) -> list[Wish]:
        """What operators asked for was worked out: what of it is forgotten here is not monitored any more."""
        if self.parts.replica.shared.cib is before.cib:
            return []
        known = {history.id for history in node_state(self.parts.replica.cib, self.parts.name).history}
        wishes: list[Wish] = []
        for history in node_state(before.cib, self.parts.name).history:
            if history.id not in known:
                wishes += self.parts.executor.forget(history.id)
        return [*wishes, self.parts.publish(), *self.parts.coordinator.changed(why)]

    def _ordered(self, message: Run, now: Moment) -> list[Wish]:
        wishes: list[Wish] = []
        gate = gate_of(message) if self._must_be_heard(message) else None
        if gate is not None:
            wishes += self.parts.sync(Vouch(Heard(self.parts.name, *gate), self.parts.replica.partition.view))
        for order in message.orders:
            wishes.append(ordered(message.transition, order))
            if order.launched.node == self.parts.name:
                started = self.parts.replica.memory.started
                wishes += self.parts.executor.order(order, message, started, now, gate)
                if ends(order) and not self.parts.quorate:
                    wishes += self.parts.executor.cut_short(order.launched.resource)
        return wishes

    def _must_be_heard(self, message: Run) -> bool:
        """Whether orders wait until most votes have heard them, durably, and who carries them out.

        Whoever comes after knows then what may run, though all others die; with fencing, too, as a node whose process is gone is not
        fenced at once. Who stood still delivers to itself what it sends before it learns that the others go on without it. And a node
        that forgot what it had started with other parameters would stop it with those of before.
        """
        several = self.parts.replica.shared.quorate and len(self.parts.members) > 1
        return several and any(map(is_remembered, message.orders))

    def _heard(self, message: Heard, now: Moment) -> list[Wish]:
        """A member has heard orders: they may be carried out here once most votes have, and this node."""
        gate = (message.term, message.transition, message.action)
        if not self.parts.executor.waits_at(gate):
            return []  # Of others, or open: what nobody asks for any more would stay for as long as the view.
        heard = self.parts.heard.setdefault(gate, set())
        heard.add(message.node)
        votes = self.parts.replica.shared.votes
        most = 2 * sum(votes.get(node, 0) for node in heard) > sum(votes.values())
        # Where the members have no majority, all others are accounted for.
        if self.parts.name not in heard or not (most or heard >= set(self.parts.members)):
            return []
        del self.parts.heard[gate]
        return self.parts.executor.open(gate, now)

    def _heard_result(self, message: Reported) -> list[Wish]:
        self.parts.outbox.heard(message)
        ours = self.parts.coordinator.reported(message)
        # What an agent printed does not travel: it may be long, and may hold what others are not to read.
        result = self.parts.executor.results.get(message.resource) if message.node == self.parts.name else None
        wishes: list[Wish] = [reported(message, "" if result is None else result.result.output), *ours]
        return [*wishes, self.parts.publish()] if message.failed else wishes

    def _heard_fencing(self, message: FencingMessage, before: Shared, now: Moment) -> list[Wish]:
        shared = self.parts.replica.shared
        wishes = self.parts.fencer.delivered(message, before.fencing, shared, now, dc=self.parts.is_dc)
        wishes += self.parts.coordinator.fenced(before, shared, now, message_target(message))
        if has_fenced(before.fencing, shared.fencing, self.parts.name, self.parts.joining.boot):
            # Whom the cluster fenced begins nothing: that it still lives is a fault of the device.
            return [*wishes, *self._entering.fenced("the cluster has fenced this node, which still lives")]
        if shared.cib is not before.cib:
            wishes += self.parts.coordinator.changed(f"{message_target(message)} is fenced")
        if shared.withheld and allowed(shared).activate:
            wishes += self._entering.announced_anew(now)
        return wishes

    def _released(self, message: Release) -> list[Wish]:
        """All resources of a node are stopped, as was asked: it leaves."""
        wishes = self.parts.coordinator.released(message)
        if message.node == self.parts.name:
            wishes.append(Leave("all resources of this node are stopped, as was asked"))
        return wishes

    def _heard_of_work(self, message: Report | Abandoned, now: Moment) -> list[Wish]:
        """What a member runs is known, or is not waited for any more."""
        if isinstance(message, Abandoned):
            return self.parts.coordinator.changed(f"{message.node} has not ended what it was doing")
        wishes: list[Wish] = [self.parts.publish()]
        if message.underway and self.parts.is_dc:
            longest_ms = max(one.timeout_ms for one in message.underway)
            wishes.append(SetTimer(INHERITED_TIMER + message.node, now.mono_ms + longest_ms + _INHERITED_MS))
        if message.node == self.parts.name:
            wishes += self._entering.heard_own(message)
        return wishes + self.parts.coordinator.changed(f"{message.node} told what it runs")
