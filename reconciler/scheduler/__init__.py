"""Decide: `(CIB, now) -> Plan`, as Pacemaker decides, with the reason for everything.

`inside.decide` reads as the list of the stages. A stage takes the working state of the run (`working.cluster.Cluster`), fills what is
its own, and reads what the stages before it filled. The rooms, from the ground up: `working`, `evaluating`, `noting`, `reading`,
`constraining` beside `recalling`, `placing`, `acting`, `ordering`, `answer`. Names of stages and rules are those of the specification
(`1-inputs-and-state`, `2-placement`, `3-actions-and-graph`), whose sections the docstrings name.

What comes out are values: a `Plan`, with its `Decisions` when asked, or how things are `Standing`. They know nothing of the run that
they came from, which ends with it. Only Pacemaker's own texts (`reconciler.crm`) look into a run, by way of `inside`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.cib import Cib
    from reconciler.model.date import Instant
    from reconciler.scheduler.plan import Plan
    from reconciler.scheduler.standing import Standing

# Whoever only reads a plan doesn't load the stages: the functions do.


def schedule(cib: Cib, now: Instant | None = None, *, sanitized: bool = False, decisions: bool = False) -> Plan:
    """Decide what runs where, and what has to be done for it in which order.

    The answer depends on the arguments only. `now` may be left out where the CIB has an execution date. A `sanitized` CIB may lack
    private parameters, as a saved one of Pacemaker does: a change of those alone then doesn't count. With `decisions` the plan
    tells them all.
    **Raises** `ReconcilerError` when there is neither a time nor an execution date. Nothing of the CIB is changed.
    Source: part 3, section 2.
    """
    from reconciler.scheduler.inside import decide

    return decide(cib, now, show_scores=False, sanitized=sanitized, decisions=decisions).plan


def look(cib: Cib, now: Instant) -> Standing:
    """How things stand: what configuration and status tell of nodes and resources at the moment, with nothing decided."""
    from reconciler.scheduler.answer.standing import standing
    from reconciler.scheduler.state import read_state

    return standing(read_state(cib, now))
