"""A node: everything it does is a function of the events it is told of. `step(event)` answers what the node wishes.

It does no I/O, reads no clock and draws no random number, so the daemon, a laboratory and a simulation drive the same code. The replicated
state changes only where a message is delivered. The node that joined first among the members is the DC.
Source: the design of the cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from reconciler.analysis.entry_names import last_id
from reconciler.analysis.recording import forget_failures
from reconciler.cib import Cib
from reconciler.cib.observations import AttributeSet, Observation, ResourceForgotten, transient
from reconciler.controller.coordinator import OVERDUE, RECHECK, RETRY, Coordinator
from reconciler.controller.events import (
    Broadcast,
    CleanupAsked,
    CommitArrived,
    Delivered,
    Dropped,
    Effect,
    Emit,
    Event,
    Examined,
    Finished,
    ProcessesGone,
    PublishAttributes,
    Quiet,
    RefreshAsked,
    Started,
    StopAsked,
    TimerFired,
    TipSeen,
    ViewChanged,
)
from reconciler.controller.executor import RUNNING_CODES, Executor
from reconciler.controller.members import node_state
from reconciler.controller.messages import (
    Accept,
    Activate,
    Joined,
    Observe,
    Propose,
    Reject,
    Reported,
    Run,
)
from reconciler.controller.moment import Moment
from reconciler.controller.proposals import EXAMINE_TIMER, Proposals
from reconciler.controller.recovery import Recovery
from reconciler.controller.replica import Partition, Replica
from reconciler.controller.shared import Proposal
from reconciler.controller.tips import OFFER_TIMER, Tips
from reconciler.model.operation import OperationStatus
from reconciler.model.status import NodeState, ResourceHistory
from reconciler.model.text import integer

# A clock that is slewed moves less between two events; expiries and date rules count in seconds.
_CLOCK_SET_MS = 1000


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
        self.members: tuple[str, ...] = ()
        self.quorate = False
        self.recovered = False
        self.stopping = False
        self._held: list[CommitArrived] = []
        self._clock_ms: int | None = None

    @property
    def dc(self) -> str | None:
        """The DC, as every member knows it without a vote."""
        return self.members[0] if self.members and self.recovered else None

    @property
    def is_dc(self) -> bool:
        """Whether this node is the DC."""
        return self.dc == self.name

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
        effects = self._notice_clock(event.now)
        match event:
            case Started():
                pass
            case ViewChanged():
                effects += self._view_changed(event)
            case Delivered():
                effects += self._delivered(event)
            case Finished():
                effects += self._finished(event)
            case TimerFired():
                effects += self._timer_fired(event)
            case CommitArrived():
                effects += self._commit_arrived(event)
            case TipSeen():
                effects += self._tip_seen(event)
            case Examined():
                effects += self.proposals.examined(event)
            case Dropped():
                effects += self._dropped(event)
            case ProcessesGone():
                effects += self.executor.check(event.resource, event.now)
            case CleanupAsked():
                effects += self._cleanup(event)
            case RefreshAsked():
                effects += self._refresh(event)
            case StopAsked():
                effects += self._stop(event)
            case Quiet():
                effects += self._decide(event.now)
            case _:
                assert_never(event)
        return effects

    # Membership and recovery

    def _view_changed(self, event: ViewChanged) -> list[Effect]:
        self.members, self.quorate = event.members, event.quorate
        self.replica.partition = Partition(event.members, event.quorate)
        if not self.recovery.begun:
            return self.recovery.begin(self.replica, self.executor, event.now) + self._join_if_ready(event.now)
        return self.coordinator.changed("the members changed")

    def _join_if_ready(self, now: Moment) -> list[Effect]:
        if self.recovered or not self.recovery.done(self.executor):
            return []
        self.recovered = True
        joined, effects = self.recovery.finish(self.replica, self.executor, now)
        return [Broadcast(joined), *effects]

    def _joined(self, message: Joined, now: Moment) -> list[Effect]:
        effects: list[Effect] = [self._publish()]
        if message.node == self.name:
            effects.append(Emit("daemon", {"what": "recovered", "text": _recovery_text(message)}))
            held, self._held = self._held, []
            for commit in held:
                effects += self._commit_arrived(commit)
        # Who joins begins anew: what was proposed before is proposed again.
        return effects + self.tips.reconsider(now) + self.coordinator.changed(f"{message.node} joined")

    def _commit_arrived(self, event: CommitArrived) -> list[Effect]:
        """A commit that comes before this node takes part waits until it does."""
        if not (self.recovered and self.replica.term):
            self._held.append(event)
            return []
        return self.proposals.arrived(event)

    def _tip_seen(self, event: TipSeen) -> list[Effect]:
        """What a source says before this node takes part is looked at once it does."""
        if not (self.recovered and self.replica.term):
            self.tips.keep(event.tip)
            return []
        return self.tips.seen(event.tip, event.now)

    def _dropped(self, event: Dropped) -> list[Effect]:
        again = self.tips.dropped(event.message, event.now) if isinstance(event.message, Propose) else []
        return self.proposals.dropped(event) + again

    def _notice_clock(self, now: Moment) -> list[Effect]:
        """A clock that was set may change what date rules and expiries say."""
        offset = now.wall_ms - now.mono_ms
        known, self._clock_ms = self._clock_ms, offset
        if known is None or abs(known - offset) < _CLOCK_SET_MS or not self.recovered:
            return []
        return self.coordinator.changed("the clock was set")

    # Delivered messages

    def _delivered(self, event: Delivered) -> list[Effect]:
        replica, message = self.replica, event.message
        commit = getattr(message, "commit", "")
        known, old_digest = replica.proposals.get(commit), replica.digest
        before, ignored = replica.shared.cib, replica.shared.ignored
        replica.deliver(event.sender, message)
        if replica.shared.ignored != ignored:
            return [_unknown_node(event), *self._followed(event, known, old_digest, before)]
        return self._followed(event, known, old_digest, before)

    def _followed(self, event: Delivered, known: Proposal | None, old_digest: str, before: Cib) -> list[Effect]:
        """What follows from a message that was taken in; the other arguments are how things stood before."""
        message, replica = event.message, self.replica
        commit = getattr(message, "commit", "")
        match message:
            case Propose():
                fresh = replica.proposals.get(commit) not in (None, known)
                return self.proposals.proposed(event.sender, message, event.now) if fresh else []
            case Accept():
                accepted = self.proposals.accepted(event.sender, message) if known is not None else []
                return accepted + self._activate(event.now)
            case Reject():
                refused = self.proposals.rejected(event.sender, known, message)
                again = self.tips.rejected(known, message, event.now) if known is not None else []
                return refused + again + self._activate(event.now)
            case Activate():
                activated = self.proposals.activated(known, message, old_digest)
                if not activated:
                    return []
                return activated + self.tips.activated() + self.coordinator.changed("the configuration changed")
            case Observe():
                return self._observed(message, before is not replica.shared.cib)
            case Run():
                return self._ordered(message, event.now)
            case Reported():
                return self._reported(message)
            case Joined():
                return self._joined(message, event.now)
            case _:
                assert_never(message)

    def _activate(self, now: Moment) -> list[Effect]:
        return self.proposals.activate(self.members, now) if self.is_dc and self.quorate else []

    def _observed(self, message: Observe, changed: bool) -> list[Effect]:
        effects: list[Effect] = []
        for seen in message.observations:
            if isinstance(seen, AttributeSet):
                effects.append(Emit("attribute", {"node": seen.node, "name": seen.name, "value": seen.value}))
            elif isinstance(seen, ResourceForgotten) and seen.node == self.name:
                effects += self.executor.forget(seen.resource)
        effects.append(self._publish())
        if changed or message.action:
            effects += self.coordinator.observed(message)
        return effects

    def _ordered(self, message: Run, now: Moment) -> list[Effect]:
        effects: list[Effect] = []
        for order in message.orders:
            launched = order.launched
            fields = {
                "transition": message.transition,
                "id": order.action,
                "key": f"{launched.resource}_{launched.task}_{launched.interval_ms}",
                "operation": launched.task,
                "resource": launched.resource,
                "node": launched.node,
                "interval_ms": launched.interval_ms,
            }
            effects.append(Emit("action_started", fields))
            if launched.node == self.name:
                effects += self.executor.order(order, message.transition, self.replica.memory.started, now)
        return effects

    def _reported(self, message: Reported) -> list[Effect]:
        ours = self.coordinator.reported(message)
        fields: dict[str, Any] = {
            "transition": message.transition,
            "id": message.action,
            "key": f"{message.resource}_{message.task}_{message.interval_ms}",
            "operation": message.task,
            "resource": message.resource,
            "node": message.node,
            "interval_ms": message.interval_ms,
            "rc": message.rc,
            "execution_ms": message.execution_ms,
        }
        if message.failed:
            fields |= {"status": status_word(message.status), "exit_reason": message.exit_reason}
            result = self.executor.results.get(message.resource) if message.node == self.name else None
            fields["output"] = "" if result is None else result.result.output
        word = "action_failed" if message.failed and not _is_discovery(message) else "action_done"
        effects: list[Effect] = [Emit(word, fields), *ours]
        return [*effects, self._publish()] if message.failed else effects

    # The executor's life

    def _finished(self, event: Finished) -> list[Effect]:
        effects = self._set_attributes(event)
        reported, more = self.executor.finished(event.token, event.result, event.traits, event.now)
        if reported is not None:
            effects.append(Broadcast(reported))
        return effects + more + self._join_if_ready(event.now)

    def _set_attributes(self, event: Finished) -> list[Effect]:
        """Node attributes that an agent set, promotion scores above all; only what is news travels."""
        state = node_state(self.replica.cib, self.name)
        known = transient(state)
        news: list[Observation] = [
            AttributeSet(self.name, name, value)
            for name, value in sorted(event.result.attributes.items())
            if known.get(name) != value
        ]
        if not news:
            return []
        return [Broadcast(Observe(tuple(news), "an agent set node attributes", event.now.wall_ms))]

    def _timer_fired(self, event: TimerFired) -> list[Effect]:
        if event.name in (RECHECK, RETRY):
            return self.coordinator.changed("time has passed") if self.is_dc else []
        if event.name == OVERDUE:
            return self.coordinator.overdue(event.now)
        if event.name.startswith(EXAMINE_TIMER):
            commit = event.name.removeprefix(EXAMINE_TIMER)
            return self.proposals.give_up(commit, self.members, event.now) if self.is_dc else []
        if event.name.startswith(OFFER_TIMER):
            return self.tips.due(event.name, event.now)
        return self.executor.fire(event.name, event.now)

    # What operators ask for

    def _cleanup(self, event: CleanupAsked) -> list[Effect]:
        """Forget the failures of resources everywhere; where one had failed, it is looked up again what runs."""
        seen: list[Observation] = []
        for state in self.replica.cib.status.nodes:
            for resource in event.resources:
                seen += _cleaned(state, resource)
        if not seen:
            return []
        effects: list[Effect] = [Broadcast(Observe(tuple(seen), "failures were cleaned up", event.now.wall_ms))]
        for resource in event.resources:
            effects += self.executor.check(resource, event.now)
        return effects

    def _refresh(self, event: RefreshAsked) -> list[Effect]:
        """Look anew at what runs here: what is monitored is asked at once, of the rest is forgotten what is known.

        What is active is never forgotten: were it taken out of the configuration meanwhile, nobody would stop it.
        """
        effects: list[Effect] = []
        seen: list[Observation] = []
        state = node_state(self.replica.cib, self.name)
        for history in state.history:
            if history.id not in event.resources or _is_pending(history):
                continue
            if self.executor.monitors(history.id):
                effects += self.executor.check(history.id, event.now)
            else:
                seen.append(ResourceForgotten(state.id, history.id))
        if seen:
            effects.append(Broadcast(Observe(tuple(seen), "a refresh was asked for", event.now.wall_ms)))
        return effects

    def _stop(self, event: StopAsked) -> list[Effect]:
        self.stopping = True
        seen = AttributeSet(self.name, "shutdown", str(event.now.epoch_s))
        return [Broadcast(Observe((seen,), f"{self.name} is to stop its resources and leave", event.now.wall_ms))]

    def _decide(self, now: Moment) -> list[Effect]:
        if not (self.is_dc and self.replica.term):
            return []
        was, replica = self.coordinator.converged, self.replica
        effects = self.coordinator.decide(replica, self.members, now)
        if self.coordinator.converged and not was:
            fields = {
                "version": str(replica.cib.version),
                "commit": replica.commit,
                "problems": list(self.coordinator.problems),
            }
            effects.append(Emit("converged", fields))
        return effects

    def _publish(self) -> PublishAttributes:
        return PublishAttributes(transient(node_state(self.replica.cib, self.name)))


def _is_pending(history: ResourceHistory) -> bool:
    """Whether an operation of the resource is under way."""
    return any(entry.attributes.get("op-status") == "-1" for entry in history.entries)


def _is_discovery(message: Reported) -> bool:
    """A probe that finds something running was not expected to, but has not failed."""
    return message.task == "monitor" and not message.interval_ms and message.rc in RUNNING_CODES


def status_word(status: int) -> str:
    """The word for how a call went: done, timed-out, error …"""
    try:
        return OperationStatus(status).name.lower().replace("_", "-")
    except ValueError:
        return f"status {status}"


def _recovery_text(message: Joined) -> str:
    if message.stopped:
        return f"no longer running: {', '.join(message.stopped)}"
    return "everything that ran before still runs, or nothing did"


def _cleaned(state: NodeState, resource: str) -> list[Observation]:
    """What makes a node forget a resource's failures; all that it knows of it only where it can't be running.

    Were a running one forgotten, a probe with changed parameters would not see it, and it would be started a second time.
    """
    seen = list(forget_failures(state, resource))
    history = next((history for history in state.history if history.id == resource), None)
    if history is None or _is_pending(history) or _was_started(history):
        return seen
    if seen or any(_has_failed(entry.attributes) for entry in history.entries):
        seen.append(ResourceForgotten(state.id, resource))
    return seen


def _was_started(history: ResourceHistory) -> bool:
    """Whether the last lasting operation that is remembered as done left the resource running."""
    last = next((entry.attributes for entry in history.entries if entry.id == last_id(history.id)), None)
    return last is not None and last.get("operation") in _RUNNING_AFTER and not _has_failed(last)


_RUNNING_AFTER = frozenset({"start", "promote", "demote", "migrate_from"})


def _has_failed(attributes: Mapping[str, str]) -> bool:
    key = attributes.get("transition-key", "").split(":")
    target = key[2] if len(key) > 2 else "0"
    return attributes.get("op-status") not in ("0", "-1") or attributes.get("rc-code") != target


def _next_call_id(state: NodeState) -> int:
    ids = (integer(entry.attributes.get("call-id"), 0) for history in state.history for entry in history.entries)
    return 1 + max(ids, default=0)


def _unknown_node(event: Delivered) -> Emit:
    text = f"{event.sender} told of a node that nobody knows ({type(event.message).__name__}); that was not taken in"
    return Emit("daemon", {"what": "unknown-node", "text": text})
