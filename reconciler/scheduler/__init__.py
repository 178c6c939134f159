"""Decide: `(CIB, now) -> Plan`, as Pacemaker decides, with the reason for everything.

`schedule` reads as the list of its stages. A stage takes the working state of the run (`cluster.Cluster`), fills what is its own,
and reads what the stages before it filled. Names of stages and rules are those of the specification
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


def schedule(cib: Cib, now: Instant | None = None, *, show_scores: bool = True, sanitized: bool = False) -> Plan:
    """Decide what runs where, and what has to be done for it in which order.

    The answer depends on the arguments only. `now` may be left out where the CIB has an execution date. Without `show_scores`
    the listing of scores is left out, which is faster; causes and contributions are recorded anyway. A `sanitized` CIB may lack
    private parameters, as a saved one of Pacemaker does: a change of those alone then doesn't count.
    **Raises** `ReconcilerError` when there is neither a time nor an execution date. Nothing of the CIB is changed.
    Source: part 3, section 2.
    """
    # Whoever only reads a plan doesn't load the stages.
    from reconciler.scheduler import (
        applying,
        changes,
        cleanup,
        fencing,
        graph,
        placement,
        probe_orderings,
        probes,
        propagation,
        remote_orderings,
        resource_actions,
        state,
        summary,
    )
    from reconciler.scheduler import constraint_reading as constraints
    from reconciler.scheduler.plan import Plan

    with _without_collections():
        cluster = state.read_state(cib, now)
        cluster.show_scores = show_scores
        cluster.sanitized = sanitized
        constraints.read_constraints(cluster)
        placement.prepare_placement(cluster)
        resource_actions.implicit_orderings(cluster)
        changes.check_changes(cluster)
        placement.place(cluster)
        changes.check_deferred(cluster)
        probes.schedule_probes(cluster)
        cleanup.clear_orphan_fail_counts(cluster)
        resource_actions.create_actions(cluster)
        remote_orderings.order_remote(cluster)
        fencing.schedule_fencing(cluster)
        applying.apply_orderings(cluster)
        propagation.block_colocated(cluster)
        probe_orderings.order_probes(cluster)
        propagation.propagate(cluster)
        graph.drop_invalid_orders(cluster)
        changed = summary.summarise(cluster)
        actions = graph.build_graph(cluster)
        return Plan(actions, changed, summary.placements(cluster), cluster.recheck_by_s, cluster)


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
