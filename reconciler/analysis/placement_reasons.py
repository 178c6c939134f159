"""Why a resource leaves a node or stays away from it: what forbids the node, or makes another one better."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.analysis.causes import words
from reconciler.analysis.reason import Reason, is_so, ticket_text
from reconciler.model.score import INFINITY, show
from reconciler.scheduler.cause import Cause, Contribution, Why
from reconciler.scheduler.decision import DecidedNode, Decision, Decisions, Impossible
from reconciler.scheduler.roles import Role

_BY_ITSELF = frozenset({Why.LOCATION, Why.TICKET, Why.MIGRATION_THRESHOLD, Why.FAILURE, Why.DISCOVERY})
"""Bans that stay when the state of the node is mended."""


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
    """What makes the resource's node better than another one: without it, it would not be; None when their scores are the same."""
    differences: dict[Cause, int] = {}
    for name, sign in ((leaf.node or "", 1), (than, -1)):
        for term in leaf.contributions.get(name, ()):
            differences[term.cause] = differences.get(term.cause, 0) + sign * term.score
    ahead = sum(differences.values())
    ranked = sorted(differences.items(), key=lambda one: (-one[1], one[0].subject))
    found: list[Cause] = []
    for cause, difference in ranked:
        if difference <= 0 or (found and ahead < 0):
            break
        found.append(cause)
        ahead -= difference
    if not found or ahead > 0:
        return None
    (first, difference), more = ranked[0], "".join(f", and so does {words(cause)}" for cause in found[1:])
    text = f"{words(first)} makes {leaf.node} better than {than} by {show(min(difference, INFINITY))}{more}"
    return Reason(text, first, tuple(found[1:]))


def obstacle(leaf: Decision, node: DecidedNode) -> Reason:
    """What keeps a node from running the resource: its state, else a ban; limits of a clone count only where nothing else does."""
    score = leaf.scores.get(node.name)
    bans = [term for term in leaf.contributions.get(node.name, ()) if term.score <= -INFINITY and is_so(term.cause)]
    bans = [term for term in bans if term.cause.why is not Why.CLONE_LIMIT] or bans
    if (state := node_obstacle(node)) is not None:
        also = tuple(dict.fromkeys(term.cause for term in bans if term.cause.why in _BY_ITSELF))
        more = "".join(f", and {_ban_text(leaf, cause)} bans it there" for cause in also)
        follows = node.name if node.unclean else ""
        return Reason(f"{node.name} is {state}{more}", Cause(Why.NODE_STATE, node.name, state), also, follows)
    if score is not None and score < 0:
        cause = bans[0].cause if bans else _worst(leaf.contributions.get(node.name, ()))
        if cause is None and leaf.assigned is not None and is_so(leaf.assigned):
            cause = leaf.assigned
        if cause is None:
            return Reason(f"its score on {node.name} is {show(score)}")
        also = tuple(dict.fromkeys(one.cause for one in bans if one.cause != cause))
        more = "".join(f", and {_ban_text(leaf, one)}" for one in also)
        return Reason(_ban_text(leaf, cause) + more, cause, also)
    cause = leaf.next_role_cause
    if leaf.node is None and cause is not None and cause.why is Why.ORDER:
        return Reason(f"{words(cause)}: nothing that it has to come after can be on {node.name}", cause)
    return Reason("another node was better")


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
        return "unclean: gone, and not known to be off" if node.unclean else "offline"
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
