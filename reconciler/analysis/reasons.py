"""Why a line of a plan is as it is: what keeps a resource from the node it leaves, what makes another one better, what failed.

Read from the plan and its decisions. A reason names something that is so now and without which the line would be another one; what an
operation did earlier is none. `tests/analysis/counterfactuals.py` takes away what is named and asks again.
"""

from __future__ import annotations

import re
from typing import assert_never

from reconciler.analysis.causes import words
from reconciler.analysis.definition_reasons import changed
from reconciler.analysis.fencing_reasons import fenced
from reconciler.analysis.history_reasons import failed_migration, interrupted_migration, unlisted_failure
from reconciler.analysis.placement_reasons import awaited, blocked_start, leaves, node_obstacle, obstacle, waits_for
from reconciler.analysis.promotion_reasons import not_promoted, promoted
from reconciler.analysis.reason import Reason, failure, is_so, origin, sets_target_role
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.decision import Decision, Decisions, Impossible
from reconciler.scheduler.plan import Change, Plan, Verb
from reconciler.scheduler.roles import Kind, Role

_ROLE_CAUSES = frozenset({Why.TARGET_ROLE, Why.STOP_ALL, Why.ORPHAN})
_AWAITED = re.compile(r"(?P<state>unrunnable|required) (?P<resource>\S+)(?: (?P<task>\w+))?\Z")
_ONE_OF_SET = "one-or-more:"
_FOLLOWING = frozenset({Why.CONTAINER, Why.REMOTE})


def reason_of(change: Change, plan: Plan) -> Reason:
    """The reason of a line of the plan, whose decisions were asked for."""
    made = plan.decisions
    assert made is not None
    if change.verb is Verb.FENCE:
        return fenced(change, plan)
    leaf = next((one for one in made.resources if one.kind is Kind.PRIMITIVE and one.id == change.subject), None)
    if leaf is None:
        return _told(change, change.cause)
    return _ReasonLine(change, plan, made, leaf).reason()


def _told(change: Change, cause: Cause | None) -> Reason:
    """The scheduler's own cause, where it is one; else its text."""
    if cause is not None and is_so(cause) and cause.why not in (Why.BASE_SCORE, Why.ROLE):
        return Reason(_waiting(change.reason or "", cause) or words(cause), cause)
    return Reason(change.reason or "it can't stay as it is")


def _waiting(told: str, cause: Cause) -> str | None:
    """What an order has it wait for, from Pacemaker's words; None where they are others."""
    what = _AWAITED.match(told)
    if what is None or cause.why is not Why.ORDER:
        return None
    if _ONE_OF_SET in what["resource"]:
        return f"none of what it has to come after can run ({words(cause)})"
    waited = awaited(what["task"] or "start", what["resource"])
    return f"it waits for {waited}{', which is not possible' if what['state'] == 'unrunnable' else ''} ({words(cause)})"


class _ReasonLine:
    """One line about a primitive."""

    def __init__(self, change: Change, plan: Plan, made: Decisions, leaf: Decision) -> None:
        self.change = change
        self.plan = plan
        self.made = made
        self.leaf = leaf
        self.failed = failure(leaf, change.from_node, plan.failures) if leaf.failed else None

    def reason(self) -> Reason:
        change, leaf, made = self.change, self.leaf, self.made
        match change.verb:
            case Verb.START:
                return self._start_blocked() if change.blocked else self._starts()
            case Verb.STOP:
                return self._stops()
            case Verb.MOVE | Verb.MIGRATE:
                return self.failed or self._moves()
            case Verb.RECOVER:
                return self.failed or self._recovers()
            case Verb.RESTART | Verb.RELOAD | Verb.RE_PROMOTE:
                return self.failed or self._restarts()
            case Verb.PROMOTE:
                return promoted(leaf, made)
            case Verb.DEMOTE:
                return self.failed or not_promoted(leaf, made)
            case Verb.FENCE:
                return fenced(change, self.plan)
            case _:
                assert_never(change.verb)

    def _starts(self) -> Reason:
        return Reason(f"it is to run, and {self.change.to_node} can run it", Cause(Why.ROLE, self.leaf.id))

    def _start_blocked(self) -> Reason:
        start = blocked_start(self.leaf)
        if start is None:
            return _told(self.change, self.change.cause)
        return self._waits(start)

    def _waits(self, start: Impossible) -> Reason:
        """What a start that is not possible waits for."""
        if start.cause is not None and start.cause.why is Why.QUORUM:
            return Reason(words(start.cause), start.cause)
        if (found := waits_for(start, self.leaf, self.made)) is not None:
            return self._with_what_it_follows(found)
        for hindrance in start.hindrances:
            if hindrance.task == "monitor" and hindrance.cause is not None and hindrance.cause.why is Why.PROBE:
                return self._unprobed()
            if hindrance.task == "stop":
                return self._can_not_stop()
        return _told(self.change, start.cause)

    def _can_not_stop(self) -> Reason:
        """A stop that is not possible: what else has to stop first and can't, or the state of the node."""
        text = f"its stop on {self.change.from_node} is not possible"
        told = _AWAITED.match(self.change.reason or "")
        first = (
            told["resource"] if told is not None and told["state"] == "unrunnable" and told["task"] == "stop" else None
        )
        for other in self.made.resources:
            if other.id == first and (failed := failure(other, None, self.plan.failures)) is not None:
                return Reason(f"{text}: {other.id} has to stop first, and {failed.text}", failed.cause)
        node = self.made.node(self.change.from_node or "")
        if node is not None and (state := node_obstacle(node)) is not None:
            fenced = any(one.verb is Verb.FENCE and one.subject == node.name for one in self.plan.changes)
            lost = f"lost, and can't be fenced{'' if self.plan.cib.have_quorum else ' without quorum'}"
            cause = Cause(Why.NODE_STATE, node.name, state)
            return Reason(f"{text}: {node.name} is {state if fenced or not node.unclean else lost}", cause)
        return Reason(text)

    def _unprobed(self) -> Reason:
        """A start that waits for probes which nobody can make now."""
        silent = [node for node in self.made.nodes if node.unclean or node.pending]
        states = [node_obstacle(node) or "not ready" for node in silent]
        causes = [Cause(Why.NODE_STATE, node.name, state) for node, state in zip(silent, states, strict=True)]
        if not silent:
            return Reason("where it runs is not known yet")
        text = f"whether it runs on {silent[0].name} is not known, which is {states[0]}"
        more = f" (nor on {', '.join(node.name for node in silent[1:])})" if silent[1:] else ""
        follows = silent[0].name if len(silent) == 1 else ""
        return Reason(text + more, causes[0], tuple(causes[1:]), follows)

    def _stops(self) -> Reason:
        leaf, change = self.leaf, self.change
        if change.blocked and leaf.blocked and self.failed is not None:
            return self.failed
        cause = leaf.next_role_cause
        if leaf.target_role == "Stopped" and cause is not None and cause.why is Why.NODE_STATE:
            cause = Cause(Why.TARGET_ROLE, leaf.id)  # A connection: its node ends because it does.
        if cause is not None and cause.why in _ROLE_CAUSES:
            return self._by_its_role(cause)
        if leaf.assigned is not None and leaf.assigned.why is Why.STOP_ALL:
            return self._by_its_role(leaf.assigned)  # Its role was never asked for: no node was to be looked at.
        if leaf.next_role > Role.STOPPED and leaf.node is not None:
            start = blocked_start(leaf)
            return _told(change, change.cause) if start is None else self._waits(start)
        here = None if change.from_node is None else self.made.node(change.from_node)
        return _told(change, change.cause) if here is None else self._with_what_it_follows(obstacle(leaf, here))

    def _by_its_role(self, cause: Cause) -> Reason:
        """All that give it the role: its own setting, and that of what it belongs to."""
        found = origin(self.made, self.leaf, cause)
        if cause.why is not Why.TARGET_ROLE or found.subject == self.leaf.config_id:
            return Reason(words(found), found)
        own = Cause(Why.TARGET_ROLE, self.leaf.config_id)
        if not sets_target_role(self.plan.cib.configuration, self.leaf.config_id):
            return Reason(words(found), found)
        return Reason(f"{words(found)}, and neither is that of {own.subject}", found, (own,))

    def _with_what_it_follows(self, reason: Reason) -> Reason:
        """With the line that brings this one about, where it is the line of what the resource runs in or is reached by."""
        cause = reason.cause
        if cause is None or reason.follows:
            return reason
        if cause.why in (Why.GROUP, Why.COLOCATION) and self._goes_along(cause.detail):
            return Reason(reason.text, cause, reason.also, cause.detail)
        return Reason(reason.text, cause, reason.also, cause.subject) if cause.why in _FOLLOWING else reason

    def _goes_along(self, other: str) -> bool:
        """Whether what this one runs with has a line that leads to the same node."""
        return any(one.subject == other and one.to_node == self.change.to_node for one in self.plan.changes)

    def _moves(self) -> Reason:
        if (found := leaves(self.leaf, self.made, self.change.from_node)) is not None:
            return self._with_what_it_follows(found)
        if len(self.leaf.active_on) > 1:
            return self._active_twice()
        owner = self.made.owner(self.leaf)
        if owner is not None and owner.kind is Kind.GROUP and owner.parts[0] != self.leaf.number:
            first = self.made.resources[owner.parts[0]]
            cause = Cause(Why.GROUP, owner.config_id)
            return Reason(
                f"group {owner.id} runs together, and its first member is to run there", cause, follows=first.id
            )
        text = f"{self.leaf.node} is as good as {self.change.from_node} and has less to run, and nothing keeps it where it is"
        return Reason(f"{text} (resource-stickiness is 0)", Cause(Why.STICKINESS, self.leaf.id))

    def _active_twice(self) -> Reason:
        where = " and ".join(self.leaf.active_on)
        return Reason(f"it is active on {where} at once", Cause(Why.MULTIPLE_ACTIVE, self.leaf.id))

    def _recovers(self) -> Reason:
        """A failure that no operation of its own has: that of the node, or of what it is reached by."""
        leaf = self.leaf
        fenced = {one.subject for one in self.plan.changes if one.verb is Verb.FENCE}
        for name in leaf.active_on:
            if name in fenced:
                return Reason(f"{name}, where it runs, is to be fenced", Cause(Why.FENCING, name), follows=name)
            node = self.made.node(name)
            if node is not None and (state := node_obstacle(node)) is not None:
                return Reason(f"{name} is {state}", Cause(Why.NODE_STATE, name, state), follows=name)
        guest = next((one for one in self.plan.changes if one.verb is Verb.FENCE and one.guest == leaf.id), None)
        if guest is not None:
            return Reason(
                f"the guest node that it is, {guest.subject}, is to be recovered",
                Cause(Why.FENCING, guest.subject),
                follows=guest.subject,
            )
        if (elsewhere := failure(leaf, None, self.plan.failures)) is not None:
            return elsewhere
        return self._active_twice() if len(leaf.active_on) > 1 else self._by_its_actions()

    def _restarts(self) -> Reason:
        leaf = self.leaf
        if len(leaf.active_on) > 1:
            return self._active_twice()
        if (elsewhere := self._failed_inside()) is not None:
            return elsewhere
        return self._by_its_actions()

    def _failed_inside(self) -> Reason | None:
        """A container is restarted because of what failed in it."""
        cause = self._cause_of("stop")
        if cause is None or cause.why is not Why.FAILURE or not is_so(cause):
            return None
        for failed in self.plan.failures:
            if failed.entry.id == cause.subject and failed.resource != self.leaf.id:
                inside = f"{failed.resource}, which it contains, failed ({failed.entry.result.task})"
                return Reason(inside, Cause(Why.FAILURE, failed.resource))
        return None

    def _cause_of(self, *tasks: str) -> Cause | None:
        """Why the resource's actions are done."""
        for task in tasks:
            for action in self.plan.actions:
                if action.resource == self.leaf.id and action.task == task and action.cause is not None:
                    return action.cause
        return None

    def _by_its_actions(self) -> Reason:
        for cause in (self._cause_of("stop", "demote", "reload-agent"), self.change.cause):
            if cause is not None and cause.why is Why.DEFINITION_CHANGE:
                return changed(self.leaf, cause, self.plan)
        if (interrupted := interrupted_migration(self.leaf, self.plan)) is not None:
            return interrupted
        if (unlisted := unlisted_failure(self.leaf, self.change.cause, self.plan)) is not None:
            return unlisted
        other = self.change.reason
        cause = self.change.cause
        if cause is None or not is_so(cause):
            cause = self._cause_of("stop")
        reason = _told(self.change, cause)
        if cause is None or reason.cause is None:
            return (None if other else failed_migration(self.leaf, self.plan)) or reason
        if cause.why in _FOLLOWING:
            return Reason(f"{reason.text}, which is started anew", cause, follows=cause.subject)
        if cause.why is Why.FENCING:
            return Reason(reason.text, cause, follows=cause.subject)
        if other is not None and other.startswith("required ") and cause.why in (Why.ORDER, Why.GROUP, Why.IMPLICIT):
            first, _, task = other.removeprefix("required ").rpartition(" ")
            done = "promoted" if task == "promote" else "started"
            return Reason(f"{first}, which it comes after, is {done} anew ({words(cause)})", cause, follows=first)
        return reason
