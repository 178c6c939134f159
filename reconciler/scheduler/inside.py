"""The door to the working state: a run with everything that it found and decided on the way.

For Pacemaker's own texts alone, which show what a plan doesn't tell: actions that are not done, capacities, how scores came about. A
contract keeps everybody else out: a plan is a value, and nobody but the stages changes a working state.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconciler.frozen import frozen
from reconciler.scheduler.placing.capacity import amounts
from reconciler.scheduler.placing.score_lines import PROMOTION
from reconciler.scheduler.reading.index import find
from reconciler.scheduler.recalling.fail_counts import fail_count, last_failure
from reconciler.scheduler.state import read_state

if TYPE_CHECKING:
    from reconciler.cib import Cib
    from reconciler.model.date import Instant
    from reconciler.scheduler.decision import Decisions
    from reconciler.scheduler.plan import Plan, PlannedAction
    from reconciler.scheduler.working.action import Action
    from reconciler.scheduler.working.cluster import Cluster

__all__ = ["PROMOTION", "Decided", "amounts", "decide", "fail_count", "find", "last_failure", "planned", "read_state"]


@frozen
class Decided:
    """A plan, and the working state that it came from."""

    plan: Plan
    cluster: Cluster


def decide(
    cib: Cib, now: Instant | None, *, show_scores: bool = True, sanitized: bool = False, decisions: bool = False
) -> Decided:
    """What `schedule` does, stage by stage. With `show_scores` the working state keeps a listing of the scores, which takes time."""
    # Whoever only reads a state doesn't load the stages.
    from reconciler.scheduler.acting.changes import check_changes, check_deferred
    from reconciler.scheduler.acting.cleanup import clear_orphan_fail_counts
    from reconciler.scheduler.acting.connection import order_remote
    from reconciler.scheduler.acting.fencing import schedule_fencing
    from reconciler.scheduler.acting.kinds import create_actions, implicit_orderings
    from reconciler.scheduler.acting.probes import schedule_probes
    from reconciler.scheduler.answer.graph import build_graph, drop_invalid_orders
    from reconciler.scheduler.answer.summary import failures, placements, summarise, terms
    from reconciler.scheduler.constraining.constraints import read_constraints
    from reconciler.scheduler.ordering.applying import apply_orderings
    from reconciler.scheduler.ordering.probes import order_probes
    from reconciler.scheduler.ordering.propagation import block_colocated, propagate
    from reconciler.scheduler.placing.placement import place, prepare_placement
    from reconciler.scheduler.plan import Plan

    with _without_collections():
        cluster = read_state(cib, now)
        cluster.show_scores = show_scores
        cluster.sanitized = sanitized
        read_constraints(cluster)
        prepare_placement(cluster)
        implicit_orderings(cluster)
        check_changes(cluster)
        place(cluster)
        check_deferred(cluster)
        schedule_probes(cluster)
        clear_orphan_fail_counts(cluster)
        create_actions(cluster)
        order_remote(cluster)
        schedule_fencing(cluster)
        apply_orderings(cluster)
        block_colocated(cluster)
        order_probes(cluster)
        propagate(cluster)
        drop_invalid_orders(cluster)
        changed = summarise(cluster)
        actions = build_graph(cluster)
        plan = Plan(
            cib,
            cluster.now,
            actions,
            changed,
            placements(cluster),
            failures(cluster),
            terms(cluster.options),
            cluster.recheck_by_s,
            tuple(cluster.messages),
            _decisions(cluster) if decisions else None,
        )
        return Decided(plan, cluster)


def _decisions(cluster: Cluster) -> Decisions:
    from reconciler.scheduler.answer.decisions import decisions  # Few plans tell them.

    return decisions(cluster)


def planned(cluster: Cluster, action: Action) -> PlannedAction:
    """An action as it would stand in the plan, without its attributes: also one that is not done."""
    from reconciler.scheduler.answer import graph  # Only a graph in XML asks for it.

    return graph.planned(cluster, action)


@contextmanager
def _without_collections() -> Iterator[None]:
    """Look for no garbage meanwhile: all that a run makes lives until its end, and looking costs as much as deciding."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
