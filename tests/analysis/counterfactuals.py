"""A cited cause is taken away and the scheduler asked again: the line of the plan has to be another one.

python tests/analysis/counterfactuals.py [EVERY]     # rates over every EVERYth published case (1)
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from published_cases import catalogue, xml_of

from reconciler.analysis import edits
from reconciler.analysis.edits import Edit
from reconciler.analysis.reasons import Reason, reason_of
from reconciler.cib import Cib
from reconciler.interop.reading.cib import read_cib
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Colocation, Constraint, Order
from reconciler.model.date import Instant
from reconciler.scheduler import schedule
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.plan import Change, Plan, Verb


class Trial(NamedTuple):
    """A line of a plan, its reason, and whether taking the cause away made it another line; None when nothing can be taken away."""

    case: str
    change: Change
    reason: Reason | None
    holds: bool | None


def trials(case: str, cib: Cib, now: Instant) -> Iterator[Trial]:
    """A trial for each line that is about a resource."""
    plan = schedule(cib, now, decisions=True)
    assert plan.decisions is not None
    for change in plan.changes:
        if change.verb is Verb.FENCE:
            continue
        reason = reason_of(change, plan.decisions, plan.failures)
        edit = None if reason is None or reason.cause is None else without(reason.cause, plan, change)
        holds = None if edit is None else change not in _lines(schedule(edit.apply(cib), now))
        yield Trial(case, change, reason, holds)


def _lines(plan: Plan) -> set[Change]:
    return set(plan.changes)


def without(cause: Cause, plan: Plan, change: Change) -> Edit | None:
    """The edit that takes a cause away; None for what is no single thing to take away."""
    match cause.why:
        case Why.LOCATION:
            return edits.remove_constraint(cause.subject)
        case Why.COLOCATION | Why.ORDER:
            return _independent(plan.cib.configuration, cause.subject)
        case Why.TICKET:
            return edits.grant_ticket(cause.detail)
        case Why.TARGET_ROLE:
            return edits.set_meta(cause.subject, "target-role", "Started")
        case Why.MIGRATION_THRESHOLD | Why.FAILURE:
            names = (change.subject, change.subject.partition(":")[0])
            return edits.both(*(edits.forget(name) for name in names))
        case Why.STOP_ALL:
            return edits.set_option("stop-all-resources", "false")
        case Why.QUORUM:
            return edits.regain_quorum()
        case Why.NODE_STATE:
            node = None if plan.decisions is None else plan.decisions.node(cause.subject)
            return None if node is None or node.remote else _healthy(cause)
        case _:
            return None


def _independent(configuration: Configuration, id: str) -> Edit:
    """Take away a constraint together with the others between the same two: each of them may be enough."""
    pairs = {one.id: _pair(one) for one in configuration.constraints}
    same = [other for other, pair in pairs.items() if other == id or (pair and pair == pairs.get(id))]
    edit = edits.remove_constraint(id)
    for other in same:
        edit = edits.both(edit, edits.remove_constraint(other))
    return edit


def _pair(constraint: Constraint) -> frozenset[str | None]:
    if isinstance(constraint, Order):
        return frozenset({constraint.first, constraint.then} - {None})
    return (
        frozenset({constraint.resource, constraint.with_resource} - {None})
        if isinstance(constraint, Colocation)
        else frozenset()
    )


def _healthy(cause: Cause) -> Edit:
    node, state = cause.subject, cause.detail
    if "standby" in state:
        return edits.clear_node_attribute(node, "standby", "")
    if "maintenance" in state:
        return edits.clear_node_attribute(node, "maintenance", "")
    if "shutting down" in state:
        return edits.clear_node_attribute(node, "shutdown", "")
    return edits.bring_online(node)


def published(every: int = 1) -> Iterator[Trial]:
    """The trials of every so manyth published case."""
    for case in catalogue()[::every]:
        cib = read_cib(xml_of(case["name"]).read_bytes())
        now = Instant(cib.execution_date or 1_600_000_000)
        yield from trials(case["name"], cib, now)


def main(every: int) -> None:
    """Print the rates."""
    told: Counter[tuple[str, str]] = Counter()
    held: Counter[tuple[str, str]] = Counter()
    kinds: Counter[tuple[str, str]] = Counter()
    for trial in published(every):
        why = (
            "none"
            if trial.reason is None
            else "no cause"
            if trial.reason.cause is None
            else trial.reason.cause.why.value
        )
        key = (trial.change.verb.value, why)
        kinds[key] += 1
        if trial.holds is not None:
            told[key] += 1
            held[key] += trial.holds
            if not trial.holds:
                print("does not hold:", trial.case, trial.change.verb.value, trial.change.subject, trial.reason)
    for key in sorted(kinds):
        rate = f"{held[key]}/{told[key]}" if told[key] else "-"
        print(f"{key[0]:12} {key[1]:20} {kinds[key]:5} lines, holds {rate}")
    print(f"{sum(held.values())} of {sum(told.values())} hold")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
