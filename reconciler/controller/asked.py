"""What operators ask for at any time, as observations: worked out where it is delivered, from what all members know by then."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.analysis.recording import forget_failures
from reconciler.cib.activity import is_pending
from reconciler.cib.entry_names import last_id
from reconciler.cib.observations import Observation, ResourceForgotten
from reconciler.model.operation import OperationStatus
from reconciler.model.recorded import RecordedResult
from reconciler.model.status import NodeState, ResourceHistory, Status

_RUNNING_AFTER = frozenset({"start", "promote", "demote", "migrate_from"})


def cleaned_up(status: Status, resources: Iterable[str]) -> tuple[Observation, ...]:
    """What makes all nodes forget the failures of resources."""
    resources = tuple(resources)
    return tuple(seen for state in status.nodes for resource in resources for seen in _cleaned(state, resource))


def refreshed(status: Status, resources: Iterable[str]) -> tuple[Observation, ...]:
    """What makes all nodes forget what they know of resources that nothing monitors, so that they are looked up again.

    What is monitored is asked at once instead, by the node on which it runs; what is under way will tell by itself.
    """
    wanted = frozenset(resources)
    return tuple(
        ResourceForgotten(state.id, history.id)
        for state in status.nodes
        for history in state.history
        if history.id in wanted and not (is_pending(history) or _is_monitored(history))
    )


def _cleaned(state: NodeState, resource: str) -> list[Observation]:
    """What makes a node forget a resource's failures; all that it knows of it only where it can't be running.

    Were a running one forgotten, a probe with changed parameters would not see it, and it would be started a second time.
    """
    seen = list(forget_failures(state, resource))
    history = next((history for history in state.history if history.id == resource), None)
    if history is None or is_pending(history) or _was_started(history):
        return seen
    if seen or any(_has_failed(entry.result) for entry in history.entries):
        seen.append(ResourceForgotten(state.id, resource))
    return seen


def _is_monitored(history: ResourceHistory) -> bool:
    """Whether a recurring monitor is in force."""
    return any(entry.result.task == "monitor" and entry.result.recurs for entry in history.entries)


def _was_started(history: ResourceHistory) -> bool:
    """Whether the last lasting operation that is remembered as done left the resource running."""
    last = next((entry.result for entry in history.entries if entry.id == last_id(history.id)), None)
    return last is not None and last.task in _RUNNING_AFTER and not _has_failed(last)


def _has_failed(result: RecordedResult) -> bool:
    ended = result.status in (OperationStatus.DONE, OperationStatus.PENDING)
    return not ended or result.rc != max(result.target_rc, 0)
