"""Steady states: a cluster of healthy nodes under a configuration, and what a cluster comes to when it is left alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from reconciler.analysis.execution import simulate_execution
from reconciler.cib import FEATURE_SET, Cib
from reconciler.cib.departing import succeeded, whole
from reconciler.frozen import frozen, replace
from reconciler.model.cluster import Configuration, NodeDefinition
from reconciler.model.date import Instant
from reconciler.model.status import NodeState, Status
from reconciler.scheduler import schedule
from reconciler.scheduler.plan import ActionKind, Plan

MOST_ROUNDS = 12
"""How many transitions a cluster gets to come to rest before it counts as restless."""

_ONLINE = {"in_ccm": "true", "crmd": "online", "join": "member", "expected": "member"}


@frozen
class SteadyState:
    """What a cluster came to: the state in the end, and the plan of each transition on the way that was not empty.

    `final` is the plan that told it was at rest: an empty one, or one that only waits for nodes that can't be fenced. None when it is
    `restless` (not within the rounds) or `stuck` (a transition could not be finished).
    """

    cib: Cib
    plans: tuple[Plan, ...]
    final: Plan | None = None
    restless: bool = False
    stuck: bool = False


def healthy(configuration: Configuration, nodes: Iterable[str] = ()) -> Cib:
    """A quorate cluster of all full members of the configuration (and `nodes`), online, with nothing ever run on them."""
    known = {node.name for node in configuration.nodes}
    added = tuple(NodeDefinition(name) for name in nodes if name not in known)
    configuration = replace(configuration, nodes=configuration.nodes + added)
    members = [node for node in configuration.nodes if node.type in (None, "member")]
    states = tuple(NodeState(node.identity, node.name, dict(_ONLINE)) for node in members)
    return Cib(
        configuration,
        Status(states),
        have_quorum=True,
        dc_id=members[0].identity if members else None,
        feature_set=FEATURE_SET,
    )


def settle(
    cib: Cib,
    now: Instant,
    *,
    rounds: int = MOST_ROUNDS,
    unfenceable: Collection[str] = frozenset(),
    decisions: bool = False,
    sanitized: bool = False,
) -> SteadyState:
    """Let the cluster decide and act until nothing is left to do, every action ending as expected.

    Only the fencing of the `unfenceable` nodes never succeeds, and what waits for it is not done. The plans have their `decisions` when
    asked for; `sanitized` as for `schedule`.
    """
    plans: list[Plan] = []
    for _ in range(rounds):
        plan = schedule(cib, now, decisions=decisions, sanitized=sanitized)
        if plan.empty:
            return SteadyState(cib, tuple(plans), plan)
        possible = _without_fencing(plan, unfenceable) if unfenceable else plan
        if possible.empty:
            return SteadyState(cib, tuple(plans), plan)
        plans.append(plan)
        execution = simulate_execution(possible, cib)
        if execution.unfinished:
            return SteadyState(execution.cib, tuple(plans), stuck=True)
        cib = execution.cib
    return SteadyState(cib, tuple(plans), restless=True)


def _without_fencing(plan: Plan, nodes: Collection[str]) -> Plan:
    """The plan without the fencing of the nodes, and without everything that comes after it."""
    impossible = {action.id for action in plan.actions if action.task == "stonith" and action.node in nodes}
    while True:
        waiting = {action.id for action in plan.actions if not impossible.isdisjoint(action.triggers)}
        if waiting <= impossible:
            break
        impossible |= waiting
    actions = tuple(action for action in plan.actions if action.id not in impossible)
    return replace(plan, actions=actions if any(action.kind is not ActionKind.PSEUDO for action in actions) else ())


def steady(configuration: Configuration, now: Instant, nodes: Iterable[str] = ()) -> SteadyState:
    """The healthy cluster after it has started everything that the configuration wants."""
    return settle(healthy(configuration, nodes), now)


def under(cib: Cib, configuration: Configuration) -> Cib:
    """The same observed cluster under another configuration; members that it does not name stay known as nodes.

    What it removes is stopped first, as far as it runs. A node keeps the id under which its state is known, whatever id the
    configuration gives it: what was observed of it stays so.
    """
    named = {node.name for node in configuration.nodes}
    members = {state.name: state.id for state in cib.status.nodes}
    nodes = tuple(
        node if members.get(node.name, node.identity) == node.identity else replace(node, id=members[node.name])
        for node in configuration.nodes
    )
    kept = tuple(node for node in cib.configuration.nodes if node.name not in named and node.name in members)
    return whole(succeeded(cib, replace(configuration, nodes=nodes + kept)))
