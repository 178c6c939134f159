"""Why a resource leaves a node or stays away from it: what forbids the node, or makes another one better."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.analysis.causes import subject, words
from reconciler.analysis.reason import Reason, is_so, ticket_text
from reconciler.model.score import INFINITY, show
from reconciler.scheduler.cause import Cause, Contribution, Why
from reconciler.scheduler.decision import DecidedNode, Decision, Decisions, Impossible
from reconciler.scheduler.roles import Kind, Role

_BY_ITSELF = frozenset({Why.LOCATION, Why.TICKET, Why.MIGRATION_THRESHOLD, Why.FAILURE, Why.DISCOVERY})
"""Bans that stay when the state of the node is mended."""

_MUTUAL = frozenset({Why.COLOCATION, Why.GROUP, Why.CONTAINER})
"""What hangs on others, which leave the node for the same reason."""


def leaves(leaf: Decision, made: Decisions, node: str | None) -> Reason | None:
    """Why a resource does not stay where it is: what forbids that node, else what makes the other one better."""
    here = None if node is None else made.node(node)
    if here is None or leaf.node is None:
        return None
    score = leaf.scores.get(here.name)
    if node_obstacle(here) is not None or score is None or score < 0:
        return _anyway(obstacle(leaf, here), leaf, here.name)
    return better(leaf, here.name)


def chosen(leaf: Decision, made: Decisions) -> Reason | None:
    """What decided for the node that a resource is to run on: what makes it better than the next best; None where it has none."""
    usable = [
        node.name
        for node in made.nodes
        if node.name != leaf.node and node_obstacle(node) is None and leaf.scores.get(node.name, -1) >= 0
    ]
    if leaf.node is None:
        return None
    if not usable:
        return _only(leaf, made)
    own, second = leaf.scores.get(leaf.node, 0), max(usable, key=lambda name: leaf.scores[name])
    if own > leaf.scores[second]:
        if (why := better(leaf, second)) is not None:
            return Reason(f"{leaf.node} was chosen: {why.text}", why.cause, why.also)
        scores = f"its score is {show(own)}, and {show(leaf.scores[second])} is that of the next best, {second}"
        return Reason(f"{leaf.node} was chosen: {scores}")
    if leaf.node in leaf.active_on:
        return Reason(f"{leaf.node} was chosen: it is there already, and no other node is better")
    return Reason(f"{leaf.node} was chosen: of those that can run it none is better")


def _only(leaf: Decision, made: Decisions) -> Reason:
    """No other node can run it: what forbids those that could be used."""
    text = f"{leaf.node} was chosen: no other node can run it"
    others = [node for node in made.nodes if node.name != leaf.node and node.name in leaf.scores]
    bans = [obstacle(leaf, node).cause for node in others if node_obstacle(node) is None]
    named = tuple(dict.fromkeys(cause for cause in bans if cause is not None and cause.why is not Why.CLONE_LIMIT))
    if not named and bans:
        return Reason(f"{text} (they have instances of their own)")
    if not named:
        return Reason(text)
    more = f", and {len(named) - 3} more" if len(named) > 3 else ""
    return Reason(f"{text} ({'; '.join(words(cause) for cause in named[:3])}{more})", named[0], named[1:])


def _anyway(reason: Reason, leaf: Decision, here: str) -> Reason:
    """With what makes the other node better even without what forbids this one."""
    if reason.cause is None:
        return reason
    along = frozenset(term.cause for term in leaf.contributions.get(here, ()) if term.cause.why in _MUTUAL)
    if (more := better(leaf, here, along | frozenset(reason.causes))) is not None and more.cause is not None:
        text = f"{reason.text}; {more.text} anyway"
        return Reason(text, reason.cause, (*reason.also, *more.causes), reason.follows)
    kept = any(term.cause.why is Why.STICKINESS for term in leaf.contributions.get(here, ()))
    if reason.cause.why is Why.UTILIZATION and not kept:
        text = f"{reason.text}, and nothing else keeps it there (resource-stickiness is 0)"
        return Reason(text, reason.cause, (*reason.also, Cause(Why.STICKINESS, leaf.id)), reason.follows)
    return reason


def better(leaf: Decision, than: str, besides: frozenset[Cause] = frozenset()) -> Reason | None:
    """What makes the resource's node better than another one: without it, it would not be; None when their scores are the same.

    What is named in `besides` does not count.
    """
    differences: dict[Cause, int] = {}
    for name, sign in ((leaf.node or "", 1), (than, -1)):
        for term in leaf.contributions.get(name, ()):
            if term.cause not in besides:
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
    (first, difference), more = ranked[0], "".join(f", and so does {subject(cause)}" for cause in found[1:])
    text = f"{subject(first)} makes {leaf.node} better than {than} by {show(min(difference, INFINITY))}{more}"
    return Reason(text, first, tuple(found[1:]))


def obstacle(leaf: Decision, node: DecidedNode) -> Reason:
    """What keeps a node from running the resource: its state, else a ban; limits of a clone count only where nothing else does."""
    score = leaf.scores.get(node.name)
    bans = [term for term in leaf.contributions.get(node.name, ()) if term.score <= -INFINITY and is_so(term.cause)]
    bans = [term for term in bans if term.cause.why is not Why.CLONE_LIMIT] or bans
    if (state := node_obstacle(node)) is not None:
        also = tuple(dict.fromkeys(term.cause for term in bans if term.cause.why in _BY_ITSELF))
        more = "".join(f"; besides, {_ban_clause(leaf, cause)}" for cause in also)
        follows = node.name if node.unclean or (node.remote and node.shutdown) else ""
        return Reason(f"{node.name} is {state}{more}", Cause(Why.NODE_STATE, node.name, state), also, follows)
    if score is not None and score < 0:
        cause = bans[0].cause if bans else _worst(leaf.contributions.get(node.name, ()))
        if cause is None and leaf.assigned is not None and is_so(leaf.assigned):
            cause = leaf.assigned
        if cause is None:
            return Reason(f"its score on {node.name} is {show(score)}")
        also = tuple(dict.fromkeys(one.cause for one in bans if one.cause != cause))
        told = [one for one in also if not (one.why is Why.FAILURE is cause.why)]
        more = "".join(f", and {_ban_text(leaf, one)}" for one in told)
        return Reason(_ban_text(leaf, cause) + more, cause, also)
    for cause in (leaf.next_role_cause, leaf.assigned):
        if leaf.node is None and cause is not None and cause.why is Why.ORDER:
            return Reason(f"{words(cause)}: nothing that it has to come after can be on {node.name}", cause)
    if score is None and not leaf.contributions.get(node.name):
        text = f"no location constraint allows it on {node.name}, and the cluster is opt-in (symmetric-cluster: false)"
        return Reason(text, Cause(Why.BASE_SCORE, "symmetric-cluster"))
    return Reason("another node was better")


def lacks(leaf: Decision, node: DecidedNode) -> str | None:
    """What a node that can be used lacks to be chosen; None when something forbids it."""
    score, best = leaf.scores.get(node.name), leaf.scores.get(leaf.node or "")
    if score is None or best is None or score < 0 or node_obstacle(node) is not None or not leaf.managed:
        return None
    if best > score:
        return f"it lacks {best - score + 1 if best < INFINITY else 'a score of INFINITY'} to be better"
    if leaf.node in leaf.active_on:
        return "it is as good, and what runs stays where it is"
    return "it is as good, and the other was taken by the order of nodes (fewer resources, then name)"


def _ban_clause(leaf: Decision, cause: Cause) -> str:
    """What forbids a node, as a sentence."""
    if cause.why in (Why.LOCATION, Why.DISCOVERY):
        return f"{subject(cause)} forbids it there"
    return _ban_text(leaf, cause)


def _ban_text(leaf: Decision, cause: Cause) -> str:
    if cause.why is Why.TICKET:
        held = next((one for one in leaf.tickets if one.cause == cause), None)
        return ticket_text(cause.detail, held is not None and held.granted, cause)
    if cause.why is Why.ORDER:
        return f"nothing that it has to come after can be there ({words(cause)})"
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
        first = made.resources[hindrance.resource]
        if first.node is None and not first.active_on and first.kind is Kind.PRIMITIVE and first.number != leaf.number:
            return _unplaced(first, made)
    for hindrance in start.hindrances:
        if hindrance.resource not in (leaf.number, leaf.owner):
            text = words(hindrance.cause) if hindrance.cause is not None else "an order"
            waited = awaited(hindrance.task, made.resources[hindrance.resource].id)
            return Reason(f"it waits for {waited}, which is not possible ({text})", hindrance.cause)
    return None


def awaited(task: str, name: str) -> str:
    """A task of a resource as what something waits for."""
    return f"the {_NOUNS.get(task, task)} of {name}"


_NOUNS = {
    "monitor": "probe",
    "running": "start",
    "notified": "start",
    "stopped": "stop",
    "promote": "promotion",
    "promoted": "promotion",
    "demote": "demotion",
    "demoted": "demotion",
}


def _unplaced(first: Decision, made: Decisions) -> Reason:
    """What has to run first, and can run nowhere: what forbids the nodes that could be used."""
    usable = [node for node in made.nodes if node.name in first.scores and node_obstacle(node) is None]
    bundles = frozenset(one.id for one in made.resources if one.kind is Kind.BUNDLE)
    bans = [
        first.assigned,
        *(obstacle(first, node).cause for node in usable),
        _taken(first, made, bundles, len(usable)),
    ]
    causes = tuple(dict.fromkeys(cause for cause in bans if cause is not None and is_so(cause)))
    text = f"it waits for {first.id}, which can run nowhere"
    if not causes:
        return Reason(text)
    phrases = "; ".join(dict.fromkeys(_unplaced_text(cause, bundles) for cause in causes))
    return Reason(f"{text}: {phrases}", causes[0], causes[1:])


def _taken(first: Decision, made: Decisions, bundles: frozenset[str], nodes: int) -> Cause | None:
    """The limit of a bundle that has more replicas than the nodes may have together."""
    bundle, _, index = first.id.rpartition("-")
    bundle = bundle.rpartition("-")[0]
    if bundle not in bundles or not index.isdecimal():
        return None
    others = [one for one in made.resources if one.node is not None and _is_container(one.id, bundle)]
    clone = (one.limits for one in made.resources if one.limits and one.id in (f"{bundle}-clone", f"{bundle}-master"))
    most = nodes * max((limits.clone_node_max for limits in clone), default=1)
    full = len(others) >= most or int(index) >= most
    return Cause(Why.CLONE_LIMIT, bundle, "clone-node-max") if full else None


def _is_container(id: str, bundle: str) -> bool:
    """Whether the id is that of a replica's container: the bundle's, the technology and a number."""
    rest = id.removeprefix(f"{bundle}-").split("-")
    return len(rest) == 2 and rest[0] in ("docker", "podman", "rkt") and rest[1].isdecimal()


def _unplaced_text(cause: Cause, bundles: frozenset[str]) -> str:
    if cause.why is Why.CLONE_LIMIT and cause.subject in bundles:
        return f"a node has a replica of {cause.subject} already (replicas-per-host)"
    return words(cause)
