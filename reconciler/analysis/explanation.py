"""Why a resource is, or is not, where it is: the chain of reasons, the scores term by term, and what would change the answer.

Everything is read from the decisions of a plan. Edits are found from the reasons, and each is tried: only those after which
the scheduler answers otherwise are offered.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from reconciler.analysis.causes import cause_place, words
from reconciler.analysis.edits import Edit, both
from reconciler.analysis.placement_reasons import blocked_start, chosen, leaves, node_obstacle, obstacle, runs
from reconciler.analysis.promotion_reasons import not_promoted, promoted
from reconciler.analysis.reason import blocked_by, failure_text, origin
from reconciler.analysis.reasons import reason_of
from reconciler.analysis.remedies import remedies
from reconciler.cib import Cib
from reconciler.cib.departing import names_departing
from reconciler.errors import Place, ReconcilerError
from reconciler.frozen import frozen
from reconciler.language.text.nearest import nearest
from reconciler.model.date import Instant
from reconciler.model.score import INFINITY
from reconciler.scheduler import schedule
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.decision import DecidedNode, Decision, Decisions, Impossible
from reconciler.scheduler.plan import FailedAction, Plan, Verb
from reconciler.scheduler.roles import Role

MOST_TRIES = 24
"""How many edits are tried at most."""

DEEPEST = 8
"""How many resources a chain of reasons follows."""


class UnknownResource(ReconcilerError):
    """There is no such resource, or node, to explain."""

    code = "unknown-resource"


@frozen
class Link:
    """One reason in a chain, and where it was written."""

    text: str
    place: Place | None = None


@frozen
class Term:
    """What one cause contributes to a node's score; `replaced` means that it set the score."""

    score: int
    text: str
    place: Place | None
    replaced: bool = False


@frozen
class NodeScore:
    """How a node stands for the resource: its score (None: no candidate), what keeps it from being used, and the terms."""

    node: str
    score: int | None
    obstacle: str | None
    terms: tuple[Term, ...]
    lacks: str | None = None


@frozen
class Explanation:
    """The answer for one primitive instance."""

    resource: str
    headline: str
    chain: tuple[Link, ...]
    nodes: tuple[NodeScore, ...]
    edits: tuple[Edit, ...]


def explain(cib: Cib, now: Instant, name: str, on: str | None = None) -> tuple[Explanation, ...]:
    """An answer for each primitive that the name stands for, in order; `on` asks about one node.

    Raises `UnknownResource` when there is no such resource or node.
    """
    case = _Case.of(cib, now)
    found = _named(case.made, name)
    if not found:
        raise UnknownResource(
            f"there is no resource {name!r}{_near(name, [one.config_id for one in case.made.resources])}"
        )
    node = None if on is None else case.made.node(on)
    if on is not None and node is None:
        raise UnknownResource(f"there is no node {on!r}{_near(on, [one.name for one in case.made.nodes])}")
    return tuple(_answer(case, leaf, node) for leaf in found)


@frozen
class _Case:
    """What is explained: the CIB at a moment, and what was decided for it."""

    cib: Cib
    now: Instant
    made: Decisions
    plan: Plan

    @property
    def failures(self) -> tuple[FailedAction, ...]:
        return self.plan.failures

    @classmethod
    def of(cls, cib: Cib, now: Instant) -> _Case:
        plan = schedule(cib, now, decisions=True)
        assert plan.decisions is not None
        return cls(cib, now, plan.decisions, plan)

    def place(self, cause: Cause | None) -> Place | None:
        return None if cause is None else cause_place(self.cib.configuration, cause)

    def link(self, cause: Cause) -> Link:
        if cause.why is Why.TARGET_ROLE and cause.subject in names_departing(self.cib.configuration):
            return Link(f"{cause.subject} is no longer in the configuration, and known only until it has stopped")
        return Link(words(cause), self.place(cause))


def _near(name: str, known: list[str]) -> str:
    near = nearest(name, known)
    return f"; did you mean {near!r}?" if near is not None else ""


def _named(made: Decisions, name: str) -> list[Decision]:
    tops = [top for top in made.tops if name in (top.id, top.config_id)]
    if tops:
        return [leaf for top in tops for leaf in made.leaves(top) if not leaf.internal]
    inner = [
        one for one in made.resources if one.owner is not None and name in (one.id, one.config_id, one.history_name)
    ]
    return [leaf for one in inner for leaf in made.leaves(one)]


def _answer(case: _Case, leaf: Decision, on: DecidedNode | None) -> Explanation:
    chain = tuple(_chain(case, leaf, on, frozenset()))
    wanted = _Wanted(leaf.id, leaf.config_id, on.name if on is not None else None)
    edits: tuple[Edit, ...] = ()
    if not wanted.fulfilled(case.made):
        edits = tuple(_working_edits(case, leaf, on, wanted))
    elif (left := _leaving(case.made, leaf)) is not None:
        stays = _Wanted(leaf.id, leaf.config_id, left.name)
        edits = tuple(_working_edits(case, leaf, left, stays))
    elif on is None and _lacks_promotion(case.made, leaf):
        edits = tuple(_working_edits(case, leaf, None, _Wanted(leaf.id, leaf.config_id, leaf.node, promoted=True)))
    return Explanation(leaf.id, _headline(leaf, on), chain, _scores(case, leaf), edits)


def _leaving(made: Decisions, leaf: Decision) -> DecidedNode | None:
    """The node that a running resource is to leave for another one."""
    if not leaf.active_on or leaf.node is None or leaf.node in leaf.active_on:
        return None
    return made.node(leaf.active_on[0])


def _lacks_promotion(made: Decisions, leaf: Decision) -> bool:
    """Whether an instance is to be demoted, or could be promoted where none is."""
    limits = made.root(leaf).limits
    if limits is None or not limits.promotable or not limits.promoted_max or leaf.next_role is Role.PROMOTED:
        return False
    others = (one for one in made.leaves(made.root(leaf)) if one.config_id == leaf.config_id)
    return leaf.role is Role.PROMOTED or not any(one.next_role is Role.PROMOTED for one in others)


@frozen
class _Wanted:
    """What an edit has to bring about: the resource runs (on the node, if one was asked about), and is promoted if that was asked."""

    resource: str
    config_id: str
    node: str | None
    promoted: bool = False

    def fulfilled(self, made: Decisions) -> bool:
        found = [leaf for leaf in _named(made, self.config_id) if leaf.id == self.resource or self.node is not None]
        return any(self._is_met(leaf) for leaf in found)

    def _is_met(self, leaf: Decision) -> bool:
        in_role = leaf.next_role is Role.PROMOTED or not self.promoted
        return runs(leaf) and in_role and self.node in (None, leaf.node)


def _headline(leaf: Decision, on: DecidedNode | None) -> str:
    now = _now(leaf)
    if not leaf.managed:
        return f"{leaf.id} {now} and stays so: nothing may be done to it"
    if not runs(leaf):
        return f"{leaf.id} {now} and {'stays stopped' if not leaf.active_on else 'will be stopped'}"
    if leaf.active_on == (leaf.node,):
        then = f"{_change(leaf)} there"
    else:
        then = f"is to be promoted on {leaf.node}" if leaf.next_role is Role.PROMOTED else f"is to run on {leaf.node}"
    return f"{leaf.id} {now}, and {then}" + (f", not on {on.name}" if on is not None and on.name != leaf.node else "")


def _now(leaf: Decision) -> str:
    where = ", ".join(leaf.active_on)
    if not where:
        return "is stopped"
    return f"is promoted on {where}" if leaf.role is Role.PROMOTED else f"runs on {where}"


def _change(leaf: Decision) -> str:
    """What happens to a primitive that stays on its node."""
    if leaf.starts:
        return "will be restarted"
    if leaf.next_role is Role.PROMOTED and leaf.role is not Role.PROMOTED:
        return "will be promoted"
    return "will be demoted" if leaf.role is Role.PROMOTED and leaf.next_role is not Role.PROMOTED else "stays"


def _chain(case: _Case, leaf: Decision, on: DecidedNode | None, seen: frozenset[str]) -> Iterator[Link]:
    """The reasons, the nearest first; another resource's reasons follow where they are the cause."""
    if leaf.id in seen or len(seen) >= DEEPEST:
        return
    seen |= {leaf.id}
    if not leaf.managed:
        yield from _unmanaged(case, leaf)
        return
    if leaf.next_role is Role.STOPPED or leaf.node is None:
        yield from _nowhere(case, leaf, seen)
    elif (start := blocked_start(leaf)) is not None:
        yield from _waiting(case, leaf, start, seen)
    else:
        yield from _placed(case, leaf, on)
    for failed in case.failures:
        if failed.resource == leaf.id and not failed.masked:
            yield Link(failure_text(failed))


def _unmanaged(case: _Case, leaf: Decision) -> Iterator[Link]:
    made = case.made
    here = next((node for node in made.nodes if node.name in leaf.active_on and node.maintenance), None)
    if made.maintenance_mode:
        yield Link("the option maintenance-mode is true", case.place(Cause(Why.UNMANAGED, "maintenance-mode")))
    elif made.fencing_enabled and not made.fence_device:
        yield Link("fencing-enabled is true, and there is no fence device: nothing is started or stopped without one")
    elif leaf.blocked:
        frozen = [one for one in made.root(leaf).tickets + leaf.tickets if one.policy == "freeze"]
        yield Link(words(frozen[0].cause) if frozen else blocked_by(leaf, case.failures))
    elif leaf.maintenance:
        yield Link("it is in maintenance", case.place(Cause(Why.UNMANAGED, leaf.config_id)))
    elif here is not None:
        yield Link(f"{here.name} is in maintenance")
    elif leaf.orphan:
        yield Link("it is no longer in the configuration, and stop-orphan-resources is false")
    else:
        yield Link("is-managed is false", case.place(Cause(Why.UNMANAGED, leaf.config_id)))


def _nowhere(case: _Case, leaf: Decision, seen: frozenset[str]) -> Iterator[Link]:
    role_cause = leaf.next_role_cause
    if role_cause is not None and role_cause.why in (Why.TARGET_ROLE, Why.STOP_ALL, Why.ORPHAN):
        yield case.link(origin(case.made, leaf, role_cause))
        return
    obstacles = [(node, obstacle(leaf, node)) for node in case.made.nodes if node.name in leaf.scores]
    if not obstacles:
        yield Link(
            "it is allowed on no node: the cluster is opt-in (symmetric-cluster: false), and no constraint names one"
        )
        return
    yield Link("no node can run it")
    followed: list[Decision] = []
    for node, found in obstacles:
        cause = found.cause
        yield Link(f"{node.name}: {_without_name(found.text, node)}", case.place(cause))
        if cause is not None and (other := _other(case.made, leaf, cause)) is not None and other not in followed:
            followed.append(other)
    for other in followed:
        yield from _follow(case, other, seen)


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


def _follow(case: _Case, other: Decision, seen: frozenset[str]) -> Iterator[Link]:
    if other.id not in seen:
        yield Link(f"{other.id} can't run either:")
        yield from _chain(case, other, None, seen)


def _waiting(case: _Case, leaf: Decision, start: Impossible, seen: frozenset[str]) -> Iterator[Link]:
    """Its place is known, but its start is not possible now."""
    made = case.made
    yield Link(f"it is to run on {leaf.node or 'no node'}, but it can't be started now")
    if start.cause is not None and start.cause.why is Why.QUORUM:
        yield case.link(start.cause)
        return
    for hindrance in start.hindrances:
        if hindrance.resource in (leaf.number, leaf.owner):
            continue
        first = made.resources[hindrance.resource]
        text = words(hindrance.cause) if hindrance.cause is not None else "an order"
        yield Link(
            f"it waits for {hindrance.task} of {first.id}, which is not possible ({text})", case.place(hindrance.cause)
        )
        others = made.leaves(first)
        if hindrance.task in ("promote", "promoted"):
            why = [(other, not_promoted(other, made)) for other in others[:2] if runs(other)]
            yield from (Link(f"{other.id} is not promoted: {one.text}", case.place(one.cause)) for other, one in why)
        blocking = [other for other in others if not runs(other)]
        for other in blocking[:1]:
            yield from _follow(case, other, seen)
        return
    if start.cause is not None:
        yield case.link(start.cause)
    elif start.reason is not None:
        yield Link(start.reason)


def _placed(case: _Case, leaf: Decision, on: DecidedNode | None) -> Iterator[Link]:
    moving = [name for name in leaf.active_on if name != leaf.node] if leaf.node not in leaf.active_on else []
    for name in moving:
        if (why := leaves(leaf, case.made, name)) is not None:
            yield Link(f"it does not stay on {name}: {why.text}", case.place(why.cause))
    for change in case.plan.changes:
        if change.subject == leaf.id and change.verb in _ANEW:
            why = reason_of(change, case.plan)
            yield Link(f"it is to {change.verb.value.lower()}: {why.text}", case.place(why.cause))
    if (why := chosen(leaf, case.made)) is not None:
        yield Link(why.text, case.place(why.cause))
    if on is not None and on.name != leaf.node:
        why = obstacle(leaf, on)
        lacking = lacks(leaf, on) if why.cause is None else None
        yield Link(f"{on.name}: {lacking or _without_name(why.text, on)}", case.place(why.cause))
    limits = case.made.root(leaf).limits
    if limits is not None and limits.promotable:
        if leaf.next_role is Role.PROMOTED and leaf.role is not Role.PROMOTED:
            yield Link(f"it is promoted: {promoted(leaf, case.made).text}")
        elif leaf.next_role is not Role.PROMOTED:
            why = not_promoted(leaf, case.made)
            yield Link(f"it is not promoted: {why.text}", case.place(why.cause))
    for name in leaf.forgiven:
        yield Link(f"its failure on {name} no longer counts: failure-timeout has passed")


_ANEW = frozenset({Verb.RESTART, Verb.RELOAD})
"""What happens to a resource that stays on its node, and has not failed."""


def _without_name(text: str, node: DecidedNode) -> str:
    """What is said of a node whose name stands before it."""
    return text.removeprefix(f"{node.name} is ")


def _scores(case: _Case, leaf: Decision) -> tuple[NodeScore, ...]:
    found = []
    for node in case.made.nodes:
        terms = tuple(
            Term(term.score, words(term.cause), case.place(term.cause), term.replaced)
            for term in leaf.contributions[node.name]
            if term.score or term.replaced
        )
        lacking = lacks(leaf, node) if leaf.node is not None and node.name != leaf.node else None
        found.append(NodeScore(node.name, leaf.scores.get(node.name), node_obstacle(node), terms, lacking))
    return tuple(
        sorted(
            found, key=lambda one: (one.obstacle is not None, -(one.score if one.score is not None else -INFINITY - 1))
        )
    )


def lacks(leaf: Decision, node: DecidedNode) -> str | None:
    """What a node that can be used lacks to be chosen; None when something forbids it."""
    score, best = leaf.scores.get(node.name), leaf.scores.get(leaf.node or "")
    if score is None or best is None or score < 0 or node_obstacle(node) is not None:
        return None
    if best > score:
        return f"it lacks {best - score + 1 if best < INFINITY else 'a score of INFINITY'} to be better"
    if leaf.node in leaf.active_on:
        return "it is as good, and what runs stays where it is"
    return "it is as good, and the other was taken by the order of nodes (fewer resources, then name)"


def _working_edits(case: _Case, leaf: Decision, on: DecidedNode | None, wanted: _Wanted) -> Iterator[Edit]:
    """Edits after which the scheduler answers as wanted, the smallest first; pairs only where no single one is enough."""
    if leaf.config_id in names_departing(case.cib.configuration):
        return  # It is to be configured again, which no small edit does.
    proposed = remedies(case.cib.configuration, case.made, case.failures, leaf, on)
    candidates = sorted(proposed, key=lambda edit: edit.weight)
    tried = 0
    found = False
    for edit in candidates[:MOST_TRIES]:
        tried += 1
        if _works(case, edit, wanted):
            found = True
            yield edit
    if found:
        return
    for first, second in itertools.combinations(candidates[:MOST_TRIES], 2):
        if tried >= 3 * MOST_TRIES:
            return
        tried += 1
        pair = both(first, second)
        if _works(case, pair, wanted):
            yield pair
            return


def _works(case: _Case, edit: Edit, wanted: _Wanted) -> bool:
    return wanted.fulfilled(_Case.of(edit.apply(case.cib), case.now).made)
