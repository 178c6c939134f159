"""Which parameter it was: why a resource whose definition changed is restarted or told its new parameters."""

from __future__ import annotations

from reconciler.analysis.reason import Reason
from reconciler.model.status import HistoryEntry
from reconciler.scheduler.cause import Cause
from reconciler.scheduler.decision import Decision
from reconciler.scheduler.digest import digest, digested_texts
from reconciler.scheduler.plan import Plan


def changed(leaf: Decision, cause: Cause, plan: Plan) -> Reason:
    """What of its definition is another one than in the result that `cause` names.

    Only the digest of the former parameters was recorded: a parameter that is new is found by it, one that has another value is told by
    being the only one.
    """
    if cause.detail == "agent":
        return Reason("its agent is another one than what runs", cause)
    texts = _parameters(leaf, plan)
    entry = _entry(leaf, cause, plan)
    recorded = None if entry is None else entry.result.digest
    if entry is None or recorded is None:
        return Reason("with which parameters it was started was not recorded", cause)
    if not texts:
        return Reason("it has no parameters any more, and was started with some", cause)
    new = [name for name in texts if digest({key: text for key, text in texts.items() if key != name}) == recorded]
    if new:
        return Reason(f"its parameter {new[0]} is new", cause)
    if len(texts) == 1:
        return Reason(f"its parameter {next(iter(texts))} changed", cause)
    if digest({}) == recorded:
        return Reason(f"its parameters are new: {', '.join(sorted(texts))}", cause)
    if (names := (entry.result.restart_names or "").split()) and entry.result.restart_digest is not None:
        return Reason(f"a parameter changed that can't be reloaded ({', '.join(names)})", cause)
    return Reason(f"one or more of its parameters changed or are gone (it has {', '.join(sorted(texts))})", cause)


def _parameters(leaf: Decision, plan: Plan) -> dict[str, str]:
    """The parameters that it will have."""
    for task in ("start", "reload-agent", "stop"):
        for action in plan.actions:
            if action.resource == leaf.id and action.task == task:
                return digested_texts(action.attributes) if action.digested is None else dict(action.digested)
    return {}


def _entry(leaf: Decision, cause: Cause, plan: Plan) -> HistoryEntry | None:
    """The result that told the change."""
    for state in plan.cib.status.nodes:
        if state.name in leaf.active_on or state.id in leaf.active_on:
            for history in state.history:
                for entry in history.entries:
                    if entry.id == cause.detail and history.id in (leaf.id, leaf.config_id, leaf.history_name):
                        return entry
    return None
