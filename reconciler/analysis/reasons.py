"""Why a line of a plan is as it is: what keeps a resource from the node it leaves, what makes another one better, what failed.

Read from the decisions of the same run. A reason names something that is so now and without which the line would be another one;
what an operation did earlier is none.
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.analysis.causes import words
from reconciler.frozen import frozen
from reconciler.model.score import INFINITY, show
from reconciler.model.text import integer
from reconciler.scheduler.cause import Cause, Contribution, Why
from reconciler.scheduler.decision import DecidedNode, Decision, Decisions, Impossible
from reconciler.scheduler.plan import Change, FailedAction, Verb
from reconciler.scheduler.roles import Kind, Role

_ROLE_CAUSES = frozenset({Why.TARGET_ROLE, Why.STOP_ALL, Why.ORPHAN})
_RESULTS = {
    1: "error",
    2: "invalid parameter",
    3: "unimplemented",
    4: "insufficient privileges",
    5: "not installed",
    6: "not configured",
    7: "not running",
    8: "promoted",
    9: "promoted and failed",
}


@frozen
class Reason:
    """A phrase that can follow "because", and what it comes from; None for what is neither configured nor recorded."""

    text: str
    cause: Cause | None = None


def reason_of(change: Change, made: Decisions, failures: Iterable[FailedAction]) -> Reason | None:
    """The reason of a resource's line; None where the scheduler's own cause is the best there is."""
    leaf = next((one for one in made.resources if one.kind is Kind.PRIMITIVE and one.id == change.subject), None)
    if leaf is None:
        return None
    failed = failure(leaf, change.from_node, failures) if leaf.failed else None
    match change.verb:
        case Verb.RECOVER:
            return failed
        case Verb.STOP:
            return failed if change.blocked and leaf.blocked else _stops(leaf, made, change.from_node)
        case Verb.MOVE | Verb.MIGRATE:
            return failed or leaves(leaf, made, change.from_node)
        case Verb.PROMOTE:
            return Reason(promoted(leaf, made))
        case Verb.DEMOTE:
            return failed or not_promoted(leaf, made)
        case Verb.START if not change.blocked and change.cause is not None and change.cause.why is Why.ROLE:
            return Reason(f"it is to run, and {change.to_node} can run it", change.cause)
        case _:
            return None


def failure(leaf: Decision, node: str | None, failures: Iterable[FailedAction]) -> Reason | None:
    """The newest failure of the resource on a node that still counts."""
    found = [one for one in failures if one.resource == leaf.id and not one.masked and node in (None, one.node)]
    newest = max(found, key=lambda one: integer(one.entry.attributes.get("last-rc-change")), default=None)
    return None if newest is None else Reason(failure_text(newest))


def failure_text(failed: FailedAction) -> str:
    """A failure as a phrase: which operation, where, with what result."""
    entry = failed.entry.attributes
    code = integer(entry.get("rc-code"), -1)
    result = f"{code} ({_RESULTS[code]})" if code in _RESULTS else str(code)
    tail = f": {entry['exit-reason']}" if entry.get("exit-reason") else ""
    return f"its {entry.get('operation')} failed on {failed.node} with {result}{tail}"


def _stops(leaf: Decision, made: Decisions, node: str | None) -> Reason | None:
    cause = leaf.next_role_cause
    if cause is not None and cause.why in _ROLE_CAUSES:
        found = origin(made, leaf, cause)
        return Reason(words(found), found)
    here = None if node is None else made.node(node)
    if leaf.next_role > Role.STOPPED and leaf.node is not None:
        start = blocked_start(leaf)
        return None if start is None else waits_for(start, leaf, made)
    return None if here is None else obstacle(leaf, here)


def leaves(leaf: Decision, made: Decisions, node: str | None) -> Reason | None:
    """Why a resource does not stay where it is: what forbids that node, else what makes the other one better."""
    here = None if node is None else made.node(node)
    if here is None or leaf.node is None:
        return None
    score = leaf.scores.get(here.name)
    if node_obstacle(here) is not None or score is None or score < 0:
        return obstacle(leaf, here)
    return better(leaf, here.name)


def better(leaf: Decision, than: str) -> Reason | None:
    """What most makes the resource's node better than another one; None when their scores are the same."""
    differences: dict[Cause, int] = {}
    for name, sign in ((leaf.node or "", 1), (than, -1)):
        for term in leaf.contributions.get(name, ()):
            differences[term.cause] = differences.get(term.cause, 0) + sign * term.score
    cause, difference = max(differences.items(), key=lambda one: (one[1], one[0].subject), default=(None, 0))
    if cause is None or difference <= 0:
        return None
    return Reason(f"{words(cause)} makes {leaf.node} better than {than} by {show(min(difference, INFINITY))}", cause)


def obstacle(leaf: Decision, node: DecidedNode) -> Reason:
    """What keeps a node from running the resource: its state, else a ban; limits of a clone count only where nothing else does."""
    score = leaf.scores.get(node.name)
    bans = [term for term in leaf.contributions.get(node.name, ()) if term.score <= -INFINITY and is_so(term.cause)]
    bans = [term for term in bans if term.cause.why is not Why.CLONE_LIMIT] or bans
    if (state := node_obstacle(node)) is not None:
        explicit = next((term.cause for term in bans if term.cause.why is Why.LOCATION), None)
        also = "" if explicit is None else f", and {words(explicit)} bans it there"
        return Reason(f"{node.name} is {state}{also}", Cause(Why.NODE_STATE, node.name, state))
    if score is not None and score < 0:
        cause = bans[0].cause if bans else _worst(leaf.contributions.get(node.name, ()))
        if cause is None and leaf.assigned is not None and is_so(leaf.assigned):
            cause = leaf.assigned
        if cause is None:
            return Reason(f"its score on {node.name} is {show(score)}")
        return Reason(_ban_text(leaf, cause), cause)
    cause = leaf.next_role_cause
    if leaf.node is None and cause is not None and cause.why is Why.ORDER:
        return Reason(f"{words(cause)}: nothing that it has to come after can be on {node.name}", cause)
    return Reason("another node was better")


def is_so(cause: Cause) -> bool:
    """Whether the cause is one at all: an operation that went well made nothing happen."""
    return cause.why is not Why.FAILURE or not cause.detail.endswith("rc 0")


def _ban_text(leaf: Decision, cause: Cause) -> str:
    if cause.why is Why.TICKET:
        held = next((one for one in leaf.tickets if one.cause == cause), None)
        return ticket_text(cause.detail, held is not None and held.granted, cause)
    return words(cause)


def _worst(terms: Iterable[Contribution]) -> Cause | None:
    worst = min(
        (term for term in terms if term.score < 0 and is_so(term.cause)), key=lambda term: term.score, default=None
    )
    return None if worst is None else worst.cause


def node_obstacle(node: DecidedNode) -> str | None:
    """Why a node can't be used at all; None when it can."""
    if not node.online:
        return "unclean, and to be fenced" if node.unclean else "offline"
    for flag, text in (
        (node.unclean, "unclean, and to be fenced"),
        (node.pending, "not yet ready (pending)"),
        (node.standby_on_fail, "in standby, because of a failure"),
        (node.standby, "in standby"),
        (node.maintenance, "in maintenance"),
        (node.shutdown, "shutting down"),
    ):
        if flag:
            return text
    return None


def runs(leaf: Decision) -> bool:
    """Whether the primitive runs once the plan was carried out: it is wanted, placed, and its start is possible."""
    if leaf.next_role <= Role.STOPPED or leaf.node is None or (leaf.blocked and not leaf.active_on):
        return False
    return blocked_start(leaf) is None


def blocked_start(leaf: Decision) -> Impossible | None:
    """The start that would be needed and is not possible."""
    for start in leaf.impossible:
        wanted = leaf.role <= Role.STOPPED or not start.optional
        if start.task == "start" and start.node in (None, leaf.node) and wanted:
            return start
    return None


def waits_for(start: Impossible, leaf: Decision, made: Decisions) -> Reason | None:
    """What a start that is not possible waits for."""
    for hindrance in start.hindrances:
        if hindrance.resource not in (leaf.number, leaf.owner):
            text = words(hindrance.cause) if hindrance.cause is not None else "an order"
            other = made.resources[hindrance.resource].id
            return Reason(f"it waits for {hindrance.task} of {other}, which is not possible ({text})", hindrance.cause)
    return None


def origin(made: Decisions, leaf: Decision, cause: Cause) -> Cause:
    """The cause under the name of the group, clone or bundle that a target role is inherited from."""
    found = leaf
    while cause.why is Why.TARGET_ROLE:
        owner = made.owner(found)
        if owner is None or owner.target_role is None:
            break
        found = owner
    return cause._replace(subject=found.config_id) if found is not leaf else cause


def promoted(leaf: Decision, made: Decisions) -> str:
    """Why an instance is promoted: its score, and that of who is promoted no more."""
    own = _promotion(leaf)
    others = [one for one in _siblings(made, leaf) if one.role is Role.PROMOTED and one.next_role is not Role.PROMOTED]
    if not others:
        return f"its promotion score is {show(own)}"
    other = others[0]
    if (ban := _promotion_ban(other)) is not None:
        return f"{other.id} may not be promoted on {other.node} ({words(ban)}), and the promotion score of {leaf.id} is {show(own)}"
    if _promotion(other) < own:
        return f"{leaf.id} has a better promotion score than {other.id}: {show(own)} against {show(_promotion(other))}"
    return f"{other.id} is promoted no more, and the promotion score of {leaf.id} is {show(own)}"


def not_promoted(leaf: Decision, made: Decisions) -> Reason:
    """Why an instance is not to be promoted."""
    cause = leaf.next_role_cause
    if cause is not None and cause.why in (Why.TARGET_ROLE, Why.QUORUM):
        found = origin(made, leaf, cause)
        return Reason(words(found), found)
    if (ban := _promotion_ban(leaf)) is not None:
        return Reason(f"{words(ban)} forbids that it is promoted on {leaf.node}", ban)
    for needed in (*made.root(leaf).tickets, *leaf.tickets):
        if needed.role is Role.PROMOTED and not needed.usable:
            return Reason(ticket_text(needed.ticket, needed.granted, needed.cause), needed.cause)
    root = made.root(leaf)
    others = [one for one in _siblings(made, leaf) if one.next_role is Role.PROMOTED]
    if others and root.limits is not None and len(others) >= root.limits.promoted_max:
        own, best = _promotion(leaf), min(_promotion(one) for one in others)
        names, limit = ", ".join(one.id for one in others), f"promoted-max is {root.limits.promoted_max}"
        if best > own:
            return Reason(f"{names} has the better promotion score ({show(best)} against {show(own)}), and {limit}")
        return Reason(f"{names} is promoted, and {limit}")
    return Reason("nothing gives it a promotion score there (its agent does, or a location with role: Promoted)")


def ticket_text(ticket: str, granted: bool, cause: Cause) -> str:
    """How a ticket stands that may not be used."""
    state = "granted, but in standby" if granted else "not granted"
    return f"ticket {ticket} is {state} (constraint {cause.subject})"


def _siblings(made: Decisions, leaf: Decision) -> list[Decision]:
    return [one for one in made.leaves(made.root(leaf)) if one is not leaf and one.config_id == leaf.config_id]


def _promotion(leaf: Decision) -> int:
    return max(-INFINITY, min(INFINITY, (leaf.promotion or 0) + sum(term.score for term in leaf.promotion_terms)))


def _promotion_ban(leaf: Decision) -> Cause | None:
    return next((term.cause for term in leaf.promotion_terms if term.score <= -INFINITY), None)
