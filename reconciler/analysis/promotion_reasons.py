"""Why an instance of a promotable clone is promoted, or is not."""

from __future__ import annotations

from reconciler.analysis.causes import subject, words
from reconciler.analysis.reason import Reason, origin, ticket_text
from reconciler.model.score import INFINITY, show
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.decision import Decision, Decisions
from reconciler.scheduler.roles import Role


def promoted(leaf: Decision, made: Decisions) -> Reason:
    """Why an instance is promoted: its score, and that of who is promoted no more."""
    own = _promotion(leaf)
    cause = Cause(Why.PROMOTION_SCORE, leaf.id)
    others = [one for one in _siblings(made, leaf) if one.role is Role.PROMOTED and one.next_role is not Role.PROMOTED]
    if not others:
        return Reason(f"its promotion score is {show(own)}", cause)
    other = others[0]
    if (ban := _promotion_ban(other)) is not None:
        return Reason(
            f"{other.id} may not be promoted on {other.node} ({words(ban)}), and the promotion score of {leaf.id} is {show(own)}",
            ban,
            (cause,),
        )
    if _promotion(other) < own:
        return Reason(
            f"{leaf.id} has a better promotion score than {other.id}: {show(own)} against {show(_promotion(other))}",
            cause,
        )
    return Reason(f"{other.id} is promoted no more, and the promotion score of {leaf.id} is {show(own)}", cause)


def not_promoted(leaf: Decision, made: Decisions) -> Reason:
    """Why an instance is not to be promoted."""
    cause = leaf.next_role_cause
    if cause is not None and cause.why in (Why.TARGET_ROLE, Why.QUORUM):
        found = origin(made, leaf, cause)
        return Reason(words(found), found)
    if (ban := _promotion_ban(leaf)) is not None:
        return Reason(f"{subject(ban)} forbids that it is promoted on {leaf.node}", ban)
    for needed in (*made.root(leaf).tickets, *leaf.tickets):
        if needed.role is Role.PROMOTED and not needed.usable:
            return Reason(ticket_text(needed.ticket, needed.granted, needed.cause), needed.cause)
    root = made.root(leaf)
    others = [one for one in _siblings(made, leaf) if one.next_role is Role.PROMOTED]
    if others and root.limits is not None and len(others) >= root.limits.promoted_max:
        own, best = _promotion(leaf), min(_promotion(one) for one in others)
        better = tuple(Cause(Why.PROMOTION_SCORE, one.id) for one in others)
        names, limit = ", ".join(one.id for one in others), f"promoted-max is {root.limits.promoted_max}"
        if best > own:
            text = f"{names} has the better promotion score ({show(best)} against {show(own)}), and {limit}"
            return Reason(text, better[0], better[1:])
        drawn = _drawn_away(made, leaf)
        if drawn is not None:
            return Reason(f"{drawn.text}, {names} is promoted, and {limit}", drawn.cause, better)
        return Reason(f"{names} is promoted, and {limit}", better[0], better[1:])
    if _promotion(leaf) > 0 and (drawn := _drawn_away(made, leaf)) is not None:
        return drawn
    text = "nothing gives it a promotion score there (its agent does, or a location with role: Promoted)"
    return Reason(text, Cause(Why.PROMOTION_SCORE, leaf.id))


def _drawn_away(made: Decisions, leaf: Decision) -> Reason | None:
    """A colocation that weighs in the choice: with something that is to run on another node, or of another role."""
    found = (*made.root(leaf).colocations, *leaf.colocations)
    for id, primary in found:
        nodes = [one.node for one in made.leaves(made.resources[primary]) if one.node is not None]
        if nodes and leaf.node not in nodes:
            where = f"{made.resources[primary].id}, which is to run on {nodes[0]}"
            return Reason(f"colocation {id} binds it to {where}", Cause(Why.COLOCATION, id, made.resources[primary].id))
    for id, primary in found:
        other = made.resources[primary].id
        return Reason(f"colocation {id} with {other} weighs in the choice", Cause(Why.COLOCATION, id, other))
    return None


def _siblings(made: Decisions, leaf: Decision) -> list[Decision]:
    return [one for one in made.leaves(made.root(leaf)) if one is not leaf and one.config_id == leaf.config_id]


def _promotion(leaf: Decision) -> int:
    return max(-INFINITY, min(INFINITY, (leaf.promotion or 0) + sum(term.score for term in leaf.promotion_terms)))


def _promotion_ban(leaf: Decision) -> Cause | None:
    return next((term.cause for term in leaf.promotion_terms if term.score <= -INFINITY), None)
