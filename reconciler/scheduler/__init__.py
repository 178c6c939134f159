"""Decide: `(CIB, now) -> Plan`, as Pacemaker decides, with the reason for everything.

`schedule` reads as the list of its stages. A stage takes the working state of the run (`working.cluster.Cluster`), fills what is its
own, and reads what the stages before it filled. The rooms, from the ground up: `working`, `evaluating`, `noting`, `reading`,
`constraining` beside `recalling`, `placing`, `acting`, `ordering`, `answer`. Names of stages and rules are those of the specification
(`1-inputs-and-state`, `2-placement`, `3-actions-and-graph`), whose sections the docstrings name.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.cib import Cib
    from reconciler.model.date import Instant
    from reconciler.scheduler.plan import Plan
    from reconciler.scheduler.standing import Standing


def schedule(
    cib: Cib,
    now: Instant | None = None,
    *,
    show_scores: bool = True,
    sanitized: bool = False,
    decisions: bool = False,
) -> Plan:
    """Decide what runs where, and what has to be done for it in which order.

    The answer depends on the arguments only. `now` may be left out where the CIB has an execution date. Without `show_scores`
    the listing of scores is left out, which is faster; causes and contributions are recorded anyway. A `sanitized` CIB may lack
    private parameters, as a saved one of Pacemaker does: a change of those alone then doesn't count. With `decisions` the plan
    tells them all.
    **Raises** `ReconcilerError` when there is neither a time nor an execution date. Nothing of the CIB is changed.
    Source: part 3, section 2.
    """
    # Whoever only reads a plan doesn't load the stages.
    from reconciler.scheduler.acting.changes import check_changes, check_deferred
    from reconciler.scheduler.acting.cleanup import clear_orphan_fail_counts
    from reconciler.scheduler.acting.connection import order_remote
    from reconciler.scheduler.acting.fencing import schedule_fencing
    from reconciler.scheduler.acting.kinds import create_actions, implicit_orderings
    from reconciler.scheduler.acting.probes import schedule_probes
    from reconciler.scheduler.answer.decisions import decisions as decided
    from reconciler.scheduler.answer.graph import build_graph, drop_invalid_orders
    from reconciler.scheduler.answer.summary import failures, placements, summarise, terms
    from reconciler.scheduler.constraining.constraints import read_constraints
    from reconciler.scheduler.ordering.applying import apply_orderings
    from reconciler.scheduler.ordering.probes import order_probes
    from reconciler.scheduler.ordering.propagation import block_colocated, propagate
    from reconciler.scheduler.placing.placement import place, prepare_placement
    from reconciler.scheduler.plan import Plan
    from reconciler.scheduler.state import read_state

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
        return Plan(
            cib,
            cluster.now.epoch_s,
            actions,
            changed,
            placements(cluster),
            failures(cluster),
            terms(cluster.options),
            cluster.recheck_by_s,
            tuple(cluster.messages),
            decided(cluster) if decisions else None,
            cluster,
        )


def look(cib: Cib, now: Instant) -> Standing:
    """How things stand: what configuration and status tell of nodes and resources at the moment, with nothing decided."""
    from reconciler.scheduler.answer.standing import standing
    from reconciler.scheduler.state import read_state

    return standing(read_state(cib, now))


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
