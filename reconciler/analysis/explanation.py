"""Why a resource is, or is not, where it is: the chain of reasons, the scores term by term, and what would change the answer.

Everything is read from a finished run of the scheduler. Edits are found from the reasons, and each is tried: only those after which
the scheduler answers otherwise are offered.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterator, Mapping

from reconciler.analysis.causes import cause_place, words
from reconciler.analysis.edits import Edit, both
from reconciler.analysis.remedies import remedies
from reconciler.cib import Cib
from reconciler.errors import Place, ReconcilerError
from reconciler.frozen import frozen
from reconciler.model.date import Instant
from reconciler.model.score import INFINITY
from reconciler.scheduler import schedule
from reconciler.scheduler.cause import Cause, Contribution, Why
from reconciler.scheduler.recalling.fail_counts import fail_count
from reconciler.scheduler.roles import Role
from reconciler.scheduler.working.action import Action
from reconciler.scheduler.working.cluster import Cluster
from reconciler.scheduler.working.node import ClusterNode
from reconciler.scheduler.working.resource import Resource

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
    plan = schedule(cib, now, show_scores=False)
    cluster = plan.cluster
    found = _named(cluster, name)
    if not found:
        known = [one.config_id for top in cluster.resources for one in (top, *_descendants(top))]
        raise UnknownResource(f"there is no resource {name!r}{_near(name, known)}")
    node = None if on is None else cluster.node_index.get(on)
    if on is not None and node is None:
        raise UnknownResource(f"there is no node {on!r}{_near(on, [one.name for one in cluster.nodes])}")
    return tuple(_answer(cib, now, cluster, leaf, node) for leaf in found)


def _near(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, sorted(set(known)), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _named(cluster: Cluster, name: str) -> list[Resource]:
    tops = [top for top in cluster.resources if name in (top.id, top.config_id)]
    if tops:
        return [leaf for top in tops for leaf in top.leaves() if not leaf.internal]
    inner = [
        one
        for top in cluster.resources
        for one in _descendants(top)
        if name in (one.id, one.config_id, one.history_name)
    ]
    return [leaf for one in inner for leaf in one.leaves()]


def _descendants(resource: Resource) -> Iterator[Resource]:
    for child in resource.children:
        yield child
        yield from _descendants(child)


def _answer(cib: Cib, now: Instant, cluster: Cluster, leaf: Resource, on: ClusterNode | None) -> Explanation:
    chain = tuple(_chain(cluster, leaf, on, frozenset()))
    wanted = _Wanted(leaf.id, leaf.config_id, on.name if on is not None else None)
    edits: tuple[Edit, ...] = ()
    if not wanted.fulfilled(cluster):
        edits = tuple(_working_edits(cib, now, cluster, leaf, on, wanted))
    return Explanation(leaf.id, _headline(cluster, leaf, on), chain, _scores(cluster, leaf), edits)


@frozen
class _Wanted:
    """What an edit has to bring about: the resource runs (on the node, if one was asked about)."""

    resource: str
    config_id: str
    node: str | None

    def fulfilled(self, cluster: Cluster) -> bool:
        found = [leaf for leaf in _named(cluster, self.config_id) if leaf.id == self.resource or self.node is not None]
        return any(
            runs(leaf) and (self.node is None or (leaf.node is not None and leaf.node.name == self.node))
            for leaf in found
        )


def runs(leaf: Resource) -> bool:
    """Whether the primitive runs once the plan was carried out: it is wanted, placed, and its start is possible."""
    if leaf.next_role <= Role.STOPPED or leaf.node is None or (leaf.blocked and not leaf.active_on):
        return False
    return _blocked_start(leaf) is None


def _blocked_start(leaf: Resource) -> Action | None:
    """The start that would be needed and is not possible."""
    starts = [action for action in leaf.actions if action.task == "start" and action.node in (None, leaf.node)]
    for start in starts:
        if not start.runnable and (leaf.role <= Role.STOPPED or not start.optional):
            return start
    return None


def _headline(cluster: Cluster, leaf: Resource, on: ClusterNode | None) -> str:
    now = _now(leaf)
    if not leaf.managed:
        return f"{leaf.id} {now} and stays so: nothing may be done to it"
    if not runs(leaf):
        return f"{leaf.id} {now} and {'stays stopped' if not leaf.active_on else 'will be stopped'}"
    assert leaf.node is not None
    place = leaf.node.name
    if leaf.active_on == [leaf.node]:
        then = f"{_change(leaf)} there"
    else:
        then = f"is to be promoted on {place}" if leaf.next_role is Role.PROMOTED else f"is to run on {place}"
    return f"{leaf.id} {now}, and {then}" + (f", not on {on.name}" if on is not None and on is not leaf.node else "")


def _now(leaf: Resource) -> str:
    where = ", ".join(node.name for node in leaf.active_on)
    if not where:
        return "is stopped"
    return f"is promoted on {where}" if leaf.role is Role.PROMOTED else f"runs on {where}"


def _change(leaf: Resource) -> str:
    """What happens to a primitive that stays on its node."""
    if any(action.task == "start" and not action.optional for action in leaf.actions):
        return "will be restarted"
    if leaf.next_role is Role.PROMOTED and leaf.role is not Role.PROMOTED:
        return "will be promoted"
    return "will be demoted" if leaf.role is Role.PROMOTED and leaf.next_role is not Role.PROMOTED else "stays"


def _chain(cluster: Cluster, leaf: Resource, on: ClusterNode | None, seen: frozenset[str]) -> Iterator[Link]:
    """The reasons, the nearest first; another resource's reasons follow where they are the cause."""
    if leaf.id in seen or len(seen) >= DEEPEST:
        return
    seen |= {leaf.id}
    if not leaf.managed:
        yield from _unmanaged(cluster, leaf)
        return
    if leaf.next_role is Role.STOPPED or leaf.node is None:
        yield from _nowhere(cluster, leaf, seen)
    elif (start := _blocked_start(leaf)) is not None:
        yield from _waiting(cluster, leaf, start, seen)
    else:
        yield from _placed(cluster, leaf, on)
    for failed in cluster.failed:
        if failed.resource is leaf and not failed.masked:
            yield Link(_failure_text(failed.entry.attributes, failed.node.name))


def _failure_text(entry: Mapping[str, str], node: str) -> str:
    tail = f": {entry['exit-reason']}" if entry.get("exit-reason") else ""
    return f"its {entry.get('operation')} failed on {node} with {entry.get('rc-code')}{tail}"


def _unmanaged(cluster: Cluster, leaf: Resource) -> Iterator[Link]:
    configuration = cluster.cib.configuration
    if cluster.options.maintenance_mode:
        yield Link(
            "the option maintenance-mode is true", cause_place(configuration, Cause(Why.UNMANAGED, "maintenance-mode"))
        )
    elif cluster.options.stonith_enabled and not cluster.has_fence_device:
        yield Link("fencing-enabled is true, and there is no fence device: nothing is started or stopped without one")
    elif leaf.blocked:
        frozen = [rule for rule in leaf.root.tickets + leaf.tickets if rule.policy == "freeze"]
        yield Link(
            words(frozen[0].cause)
            if frozen
            else "an operation failed in a way that blocks it (on-fail: block, or a failed stop)"
        )
    elif leaf.maintenance:
        yield Link("it is in maintenance", cause_place(configuration, Cause(Why.UNMANAGED, leaf.config_id)))
    elif any(node.maintenance for node in leaf.active_on):
        yield Link(f"{leaf.active_on[0].name} is in maintenance")
    elif leaf.orphan:
        yield Link("it is no longer in the configuration, and stop-orphan-resources is false")
    else:
        yield Link("is-managed is false", cause_place(configuration, Cause(Why.UNMANAGED, leaf.config_id)))


def _nowhere(cluster: Cluster, leaf: Resource, seen: frozenset[str]) -> Iterator[Link]:
    role_cause = leaf.next_role_cause
    if role_cause is not None and role_cause.why in (Why.TARGET_ROLE, Why.STOP_ALL, Why.ORPHAN):
        yield _link(cluster, _origin(leaf, role_cause))
        return
    obstacles = [(node, _obstacle(cluster, leaf, node)) for node in cluster.nodes if node.index in leaf.table]
    if not obstacles:
        yield Link(
            "it is allowed on no node: the cluster is opt-in (symmetric-cluster: false), and no constraint names one"
        )
        return
    yield Link("no node can run it")
    followed: list[Resource] = []
    for node, (text, cause) in obstacles:
        yield Link(f"{node.name}: {text}", None if cause is None else cause_place(cluster.cib.configuration, cause))
        if cause is not None and (other := _other(cluster, leaf, cause)) is not None and other not in followed:
            followed.append(other)
    for other in followed:
        yield from _follow(cluster, other, seen)


def _origin(leaf: Resource, cause: Cause) -> Cause:
    """The cause under the name of the group, clone or bundle that a target role is inherited from."""
    owner = leaf
    while cause.why is Why.TARGET_ROLE and owner.parent is not None and "target-role" in owner.parent.meta:
        owner = owner.parent
    return cause._replace(subject=owner.config_id) if owner is not leaf else cause


def _other(cluster: Cluster, leaf: Resource, cause: Cause) -> Resource | None:
    """The other resource that a colocation makes responsible, when that one can't run."""
    if cause.why not in (Why.COLOCATION, Why.GROUP, Why.CONTAINER):
        return None
    for colocation in (*leaf.colocations, *leaf.root.colocations):
        if colocation.cause.subject != cause.subject or colocation.primary is leaf:
            continue
        for primary in colocation.primary.leaves():
            if primary is not leaf and not runs(primary):
                return primary
    return None


def _follow(cluster: Cluster, other: Resource, seen: frozenset[str]) -> Iterator[Link]:
    if other.id not in seen:
        yield Link(f"{other.id} can't run either:")
        yield from _chain(cluster, other, None, seen)


def _obstacle(cluster: Cluster, leaf: Resource, node: ClusterNode) -> tuple[str, Cause | None]:
    """What keeps a node from running the resource: the ban, else the state of the node."""
    score = leaf.table.get(node.index)
    bans = [change for change in _changes(leaf, node) if change.score <= -INFINITY]
    if (state := node_obstacle(node)) is not None and not bans:
        return state, Cause(Why.NODE_STATE, node.name, state)
    if score is not None and score < 0:
        cause = bans[0].cause if bans else _worst(leaf, node)
        return (words(cause), cause) if cause is not None else (f"its score is {score}", None)
    return (state or "another node was better"), None


def _worst(leaf: Resource, node: ClusterNode) -> Cause | None:
    changes = [change for change in _changes(leaf, node) if change.score < 0]
    return min(changes, key=lambda change: change.score).cause if changes else None


def node_obstacle(node: ClusterNode) -> str | None:
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


def _waiting(cluster: Cluster, leaf: Resource, start: Action, seen: frozenset[str]) -> Iterator[Link]:
    """Its place is known, but its start is not possible now."""
    place = leaf.node.name if leaf.node is not None else "no node"
    yield Link(f"it is to run on {place}, but it can't be started now")
    if start.cause is not None and start.cause.why is Why.QUORUM:
        yield _link(cluster, start.cause)
        return
    for edge in start.inputs:
        first = edge.first
        if first.runnable or not edge.effects or first.resource is None or first.resource in (leaf, leaf.parent):
            continue
        text = words(edge.cause) if edge.cause is not None else "an order"
        yield Link(
            f"it waits for {first.task} of {first.resource.id}, which is not possible ({text})",
            None if edge.cause is None else cause_place(cluster.cib.configuration, edge.cause),
        )
        if first.task in ("promote", "promoted"):
            yield from (
                Link(f"{other.id}: {_not_promoted(other)}") for other in first.resource.leaves()[:2] if runs(other)
            )
        blocking = [other for other in first.resource.leaves() if not runs(other)]
        for other in blocking[:1]:
            yield from _follow(cluster, other, seen)
        return
    if start.cause is not None:
        yield _link(cluster, start.cause)
    elif start.reason is not None:
        yield Link(start.reason)


def _placed(cluster: Cluster, leaf: Resource, on: ClusterNode | None) -> Iterator[Link]:
    assert leaf.node is not None
    if leaf.assigned is not None:
        place = cause_place(cluster.cib.configuration, leaf.assigned)
        yield Link(f"{leaf.node.name} was chosen: {words(leaf.assigned)}", place)
    if on is not None and on is not leaf.node:
        text, cause = _obstacle(cluster, leaf, on)
        where = f"{on.name}: {text}"
        if cause is None:
            lacks = _lacks(cluster, leaf, on)
            where = f"{on.name}: {lacks}" if lacks else where
        yield Link(where, None if cause is None else cause_place(cluster.cib.configuration, cause))
    if leaf.promotable_root and leaf.next_role is not Role.PROMOTED:
        yield Link(_not_promoted(leaf))
    yield from _expired(cluster, leaf)


def _not_promoted(leaf: Resource) -> str:
    cause = leaf.next_role_cause
    if cause is not None and cause.why in (Why.TARGET_ROLE, Why.QUORUM):
        return f"it is not promoted: {words(_origin(leaf, cause))}"
    clone = leaf.root.clone
    promoted = [other.id for other in leaf.root.leaves() if other.next_role is Role.PROMOTED]
    if promoted and clone is not None and len(promoted) >= clone.promoted_max:
        best = ", ".join(promoted)
        return f"it is not promoted: {best} has the better promotion score, and promoted-max is {clone.promoted_max}"
    return "it is not promoted: nothing gives it a promotion score there (its agent does, or a location with role: Promoted)"


def _expired(cluster: Cluster, leaf: Resource) -> Iterator[Link]:
    """Failures that are remembered and no longer count."""
    for node in cluster.nodes:
        recorded, counting = (
            fail_count(cluster, leaf, node, effective=effective, include_fillers=False) for effective in (False, True)
        )
        if recorded > 0 and counting == 0:
            yield Link(f"its failure on {node.name} no longer counts: failure-timeout has passed")


def _changes(leaf: Resource, node: ClusterNode) -> list[Contribution]:
    return [change for change in leaf.contributions if change.node in (node.index, -1)]


def _scores(cluster: Cluster, leaf: Resource) -> tuple[NodeScore, ...]:
    configuration = cluster.cib.configuration
    found = []
    for node in cluster.nodes:
        terms = tuple(
            Term(change.score, words(change.cause), cause_place(configuration, change.cause), change.replaced)
            for change in _changes(leaf, node)
            if change.score or change.replaced
        )
        score = leaf.table.get(node.index)
        lacks = _lacks(cluster, leaf, node) if leaf.node is not None and node is not leaf.node else None
        found.append(NodeScore(node.name, score, node_obstacle(node), terms, lacks))
    return tuple(
        sorted(
            found, key=lambda one: (one.obstacle is not None, -(one.score if one.score is not None else -INFINITY - 1))
        )
    )


def _lacks(cluster: Cluster, leaf: Resource, node: ClusterNode) -> str | None:
    """What a node that can be used lacks to be chosen; None when something forbids it."""
    score, best = leaf.table.get(node.index), leaf.table.get(leaf.node.index) if leaf.node is not None else None
    if score is None or best is None or score < 0 or node_obstacle(node) is not None:
        return None
    if best > score:
        return f"it lacks {best - score + 1 if best < INFINITY else 'a score of INFINITY'} to be better"
    return "it is as good, and the other was taken by the order of nodes (fewer resources, then name)"


def _link(cluster: Cluster, cause: Cause) -> Link:
    return Link(words(cause), cause_place(cluster.cib.configuration, cause))


def _working_edits(
    cib: Cib, now: Instant, cluster: Cluster, leaf: Resource, on: ClusterNode | None, wanted: _Wanted
) -> Iterator[Edit]:
    """Edits after which the scheduler answers as wanted, the smallest first; pairs only where no single one is enough."""
    candidates = sorted(remedies(cluster, leaf, on), key=lambda edit: edit.weight)
    tried = 0
    found = False
    for edit in candidates[:MOST_TRIES]:
        tried += 1
        if _works(cib, now, edit, wanted):
            found = True
            yield edit
    if found:
        return
    for first, second in itertools.combinations(candidates[:MOST_TRIES], 2):
        if tried >= 3 * MOST_TRIES:
            return
        tried += 1
        pair = both(first, second)
        if _works(cib, now, pair, wanted):
            yield pair
            return


def _works(cib: Cib, now: Instant, edit: Edit, wanted: _Wanted) -> bool:
    return wanted.fulfilled(schedule(edit.apply(cib), now, show_scores=False).cluster)
