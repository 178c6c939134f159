"""Reasons that only the history of a resource tells: a migration that was not finished, a failure that no list of failures has."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.analysis.reason import Reason, result_text
from reconciler.model.status import HistoryEntry, NodeState
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.decision import Decision
from reconciler.scheduler.plan import Plan


def interrupted_migration(leaf: Decision, plan: Plan) -> Reason | None:
    """A migration whose first half is the last that a node did with the resource: what runs where is not certain."""
    for state, entries in _histories(leaf, plan):
        last = max(entries, key=lambda entry: entry.result.call_id or 0, default=None)
        if last is not None and last.result.task == "migrate_to":
            return Reason(
                f"its migration from {state.name} was not finished", Cause(Why.FAILURE, last.id, state.name or "")
            )
    return None


def failed_migration(leaf: Decision, plan: Plan) -> Reason | None:
    """A migration that failed on the node it was to leave, whatever was done there since."""
    for state, entries in _histories(leaf, plan):
        for entry in entries:
            if entry.result.task == "migrate_to" and entry.result.rc:
                text = f"its migrate_to failed on {state.name} with {result_text(entry.result.rc)}"
                return Reason(text, Cause(Why.FAILURE, entry.id, state.name or ""))
    return None


def unlisted_failure(leaf: Decision, cause: Cause | None, plan: Plan) -> Reason | None:
    """The failure that a cause names by its entry in the history."""
    if cause is None or cause.why is not Why.FAILURE:
        return None
    for state, entries in _histories(leaf, plan):
        for entry in entries:
            told = entry.result
            if entry.id == cause.subject and state.name == cause.detail and told.rc:
                text = f"its {told.task} failed on {state.name} with {result_text(told.rc)}"
                return Reason(text, cause)
    return None


def _histories(leaf: Decision, plan: Plan) -> Iterator[tuple[NodeState, tuple[HistoryEntry, ...]]]:
    names = {leaf.id, leaf.config_id, leaf.history_name}
    for state in plan.cib.status.nodes:
        for history in state.history:
            if history.id in names:
                yield state, history.entries
