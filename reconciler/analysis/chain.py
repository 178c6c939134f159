"""The chain of reasons why a resource is where it is, or nowhere: the nearest first, another resource's where they are the cause."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.analysis.causes import cause_place, words
from reconciler.analysis.placement_reasons import awaited, blocked_start, chosen, lacks, leaves, obstacle, runs
from reconciler.analysis.promotion_reasons import not_promoted, promoted
from reconciler.analysis.reason import blocked_by, failure_text, origin
from reconciler.analysis.reasons import reason_of
from reconciler.cib import Cib
from reconciler.cib.departing import names_departing
from reconciler.errors import Place
from reconciler.frozen import frozen
from reconciler.model.cluster import Configuration
from reconciler.model.date import Instant
from reconciler.model.watchdogs import Uncountable, why_uncountable
from reconciler.scheduler import schedule
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.decision import DecidedNode, Decision, Decisions, Impossible
from reconciler.scheduler.plan import Change, FailedAction, Plan, Verb
from reconciler.scheduler.roles import Role

MOST_REASONS = 4
"""How many reasons are told in one phrase."""

DEEPEST = 8
"""How many resources a chain of reasons follows."""


@frozen
class Link:
    """One reason in a chain, and where it was written."""

    text: str
    place: Place | None = None


def why_idle(plan: Plan, cib: Cib, now: Instant, leaf: Decision) -> str:
    """Why a primitive does not run under a plan whose decisions were asked for: the first reasons as one phrase."""
    assert plan.decisions is not None
    texts = [link.text for link in chain(DecidedState(cib, now, plan.decisions, plan), leaf, None, frozenset())]
    if texts[0] == _NOWHERE:
        return _alike(texts[1:], [node.name for node in plan.decisions.nodes])
    if texts[0].endswith(_NOT_NOW):
        del texts[0]
    return "; ".join(text.removesuffix(":") for text in texts[:MOST_REASONS])


def _alike(texts: list[str], nodes: list[str]) -> str:
    """The reasons by node, or the one that all nodes have, without what follows from them."""
    split = [text.partition(": ") for text in texts]
    by_node = [(name, reason) for name, _, reason in split if name in nodes]
    if len({reason for _, reason in by_node}) == 1:
        return f"{_NOWHERE}: {by_node[0][1]}"
    told = [f"{name}: {reason}" for name, reason in by_node[:MOST_REASONS]]
    return "; ".join([_NOWHERE, *told, *(["…"] if len(by_node) > MOST_REASONS else [])])


_NOWHERE = "no node can run it"
_NOT_NOW = ", but it can't be started now"


@frozen
class DecidedState:
    """What is explained: the CIB at a moment, and what was decided for it."""

    cib: Cib
    now: Instant
    made: Decisions
    plan: Plan

    @property
    def failures(self) -> tuple[FailedAction, ...]:
        return self.plan.failures

    @classmethod
    def of(cls, cib: Cib, now: Instant) -> DecidedState:
        plan = schedule(cib, now, decisions=True)
        assert plan.decisions is not None
        return cls(cib, now, plan.decisions, plan)

    def place(self, cause: Cause | None) -> Place | None:
        return None if cause is None else cause_place(self.cib.configuration, cause)

    def link(self, cause: Cause) -> Link:
        if cause.why is Why.TARGET_ROLE and cause.subject in names_departing(self.cib.configuration):
            return Link(f"{cause.subject} is no longer in the configuration, and known only until it has stopped")
        return Link(words(cause), self.place(cause))


def chain(state: DecidedState, leaf: Decision, on: DecidedNode | None, seen: frozenset[str]) -> Iterator[Link]:
    """The reasons, the nearest first; another resource's reasons follow where they are the cause."""
    if leaf.id in seen or len(seen) >= DEEPEST:
        return
    seen |= {leaf.id}
    if not leaf.managed:
        yield from _unmanaged(state, leaf)
        return
    if (stop := held_stop(state, leaf)) is not None:
        yield from _stuck(state, leaf, stop)
    elif leaf.next_role is Role.STOPPED or leaf.node is None:
        yield from _nowhere(state, leaf, seen)
    elif (start := blocked_start(leaf)) is not None:
        yield from _waiting(state, leaf, start, seen)
    else:
        yield from _placed(state, leaf, on)
    for failed in state.failures:
        if failed.resource == leaf.id and not failed.masked:
            yield Link(failure_text(failed))


def held_stop(state: DecidedState, leaf: Decision) -> Change | None:
    """The stop that it should make and can't."""
    found = (one for one in state.plan.changes if one.subject == leaf.id and one.verb is Verb.STOP and one.blocked)
    return next(found, None)


def _stuck(state: DecidedState, leaf: Decision, held: Change) -> Iterator[Link]:
    """It runs on, though it should be stopped or go elsewhere."""
    why = reason_of(held, state.plan)
    yield Link(why.text, state.place(why.cause))
    for name in leaf.active_on if leaf.node not in (None, *leaf.active_on) else ():
        if (wanted := leaves(leaf, state.made, name)) is not None:
            yield Link(f"it is to leave {name} for {leaf.node}: {wanted.text}", state.place(wanted.cause))


def _unmanaged(state: DecidedState, leaf: Decision) -> Iterator[Link]:
    made = state.made
    here = next((node for node in made.nodes if node.name in leaf.active_on and node.maintenance), None)
    if made.maintenance_mode:
        yield Link("the option maintenance-mode is true", state.place(Cause(Why.UNMANAGED, "maintenance-mode")))
    elif made.fencing_enabled and not made.fence_device:
        yield Link(f"fencing-enabled is true, and there is no fence device{_without_device(state.cib.configuration)}")
    elif leaf.blocked:
        frozen = [one for one in made.root(leaf).tickets + leaf.tickets if one.policy == "freeze"]
        yield Link(words(frozen[0].cause) if frozen else blocked_by(leaf, state.failures))
    elif leaf.maintenance:
        yield Link("it is in maintenance", state.place(Cause(Why.UNMANAGED, leaf.config_id)))
    elif here is not None:
        yield Link(f"{here.name} is in maintenance")
    elif leaf.orphan:
        yield Link("it is no longer in the configuration, and stop-orphan-resources is false")
    else:
        yield Link("is-managed is false", state.place(Cause(Why.UNMANAGED, leaf.config_id)))


def _without_device(configuration: Configuration) -> str:
    """What follows, and why it is so where nodes are to be fenced by their watchdogs."""
    match why_uncountable(configuration):
        case None:
            return ", and have-watchdog does not say that nodes have a watchdog: nothing is started or stopped without"
        case Uncountable.UNSET:
            return ": nothing is started or stopped without one"
        case why:
            return f", and no node counts as fenced by its watchdog ({why.value}): nothing is started or stopped"


def _nowhere(state: DecidedState, leaf: Decision, seen: frozenset[str]) -> Iterator[Link]:
    role_cause = leaf.next_role_cause
    if role_cause is not None and role_cause.why in (Why.TARGET_ROLE, Why.STOP_ALL, Why.ORPHAN):
        yield state.link(origin(state.made, leaf, role_cause))
        return
    obstacles = [(node, obstacle(leaf, node)) for node in state.made.nodes if node.name in leaf.scores]
    if not obstacles:
        yield Link(
            "it is allowed on no node: the cluster is opt-in (symmetric-cluster: false), and no constraint names one"
        )
        return
    yield Link(_NOWHERE)
    followed: list[Decision] = []
    for node, found in obstacles:
        cause = found.cause
        yield Link(f"{node.name}: {without_name(found.text, node)}", state.place(cause))
        if cause is not None and (other := _other(state.made, leaf, cause)) is not None and other not in followed:
            followed.append(other)
    for other in followed:
        yield from _follow(state, other, seen)


def _other(made: Decisions, leaf: Decision, cause: Cause) -> Decision | None:
    """The other resource that a colocation makes responsible, when that one can't run."""
    if cause.why not in (Why.COLOCATION, Why.GROUP, Why.CONTAINER):
        return None
    for subject, primary in (*leaf.colocations, *made.root(leaf).colocations):
        if subject != cause.subject or primary == leaf.number:
            continue
        for other in made.leaves(made.resources[primary]):
            if other is not leaf and not runs(other):
                return other
    return None


def _follow(state: DecidedState, other: Decision, seen: frozenset[str]) -> Iterator[Link]:
    if other.id not in seen:
        yield Link(f"{other.id} can't run either:")
        yield from chain(state, other, None, seen)


def _waiting(state: DecidedState, leaf: Decision, start: Impossible, seen: frozenset[str]) -> Iterator[Link]:
    """Its place is known, but its start is not possible now."""
    made = state.made
    yield Link(f"it is to run on {leaf.node or 'no node'}{_NOT_NOW}")
    if start.cause is not None and start.cause.why is Why.QUORUM:
        yield state.link(start.cause)
        return
    for hindrance in start.hindrances:
        if hindrance.resource in (leaf.number, leaf.owner):
            continue
        first = made.resources[hindrance.resource]
        text = words(hindrance.cause) if hindrance.cause is not None else "an order"
        yield Link(
            f"it waits for {awaited(hindrance.task, first.id)}, which is not possible ({text})",
            state.place(hindrance.cause),
        )
        others = made.leaves(first)
        if hindrance.task in ("promote", "promoted"):
            why = [(other, not_promoted(other, made)) for other in others[:2] if runs(other)]
            yield from (Link(f"{other.id} is not promoted: {one.text}", state.place(one.cause)) for other, one in why)
        blocking = [other for other in others if not runs(other)]
        for other in blocking[:1]:
            yield from _follow(state, other, seen)
        return
    if start.cause is not None:
        yield state.link(start.cause)
    elif start.reason is not None:
        yield Link(start.reason)


def _placed(state: DecidedState, leaf: Decision, on: DecidedNode | None) -> Iterator[Link]:
    moving = [name for name in leaf.active_on if name != leaf.node] if leaf.node not in leaf.active_on else []
    for name in moving:
        if (why := leaves(leaf, state.made, name)) is not None:
            yield Link(f"it does not stay on {name}: {why.text}", state.place(why.cause))
    for change in state.plan.changes:
        if change.subject == leaf.id and change.verb in _ANEW:
            why = reason_of(change, state.plan)
            yield Link(f"it is to {change.verb.value.lower()}: {why.text}", state.place(why.cause))
    if (why := chosen(leaf, state.made)) is not None:
        yield Link(why.text, state.place(why.cause))
    if on is not None and on.name != leaf.node:
        why = obstacle(leaf, on)
        lacking = lacks(leaf, on) if why.cause is None else None
        yield Link(f"{on.name}: {lacking or without_name(why.text, on)}", state.place(why.cause))
    limits = state.made.root(leaf).limits
    if limits is not None and limits.promotable:
        if leaf.next_role is Role.PROMOTED and leaf.role is not Role.PROMOTED:
            yield Link(f"it is promoted: {promoted(leaf, state.made).text}")
        elif leaf.next_role is not Role.PROMOTED:
            why = not_promoted(leaf, state.made)
            yield Link(f"it is not promoted: {why.text}", state.place(why.cause))
    for name in leaf.forgiven:
        yield Link(f"its failure on {name} no longer counts: failure-timeout has passed")


_ANEW = frozenset({Verb.RESTART, Verb.RELOAD})
"""What happens to a resource that stays on its node, and has not failed."""


def without_name(text: str, node: DecidedNode) -> str:
    """What is said of a node whose name stands before it."""
    return text.removeprefix(f"{node.name} is ")
