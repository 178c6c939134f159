"""The resources of a status document: what is known of each, in the words of operators.

A status is asked for often, by monitoring and by `apply`, and most of it is the same as the last time: what is said of a resource is kept
until the CIB or the last result of it is another one.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

from reconciler.cib import Cib
from reconciler.cib.entry_names import fail_count_name
from reconciler.cib.observations import transient
from reconciler.cib.parting import names_of
from reconciler.controller.job import LastResult
from reconciler.controller.telling import status_word
from reconciler.daemon.counts import CHANGING
from reconciler.model.operation import OperationStatus
from reconciler.model.outcome import outcome_word
from reconciler.model.recorded import RecordedResult
from reconciler.model.score import read as read_score
from reconciler.model.status import ResourceHistory
from reconciler.scheduler.roles import Role
from reconciler.scheduler.standing import Standing, StandingResource

_CHANGES_ROLE = frozenset({"start", "stop", "promote", "demote", "migrate_from", "migrate_to"})
_STOPPED = "stopped"


class _Described(NamedTuple):
    """What was said of a resource, and what else than the CIB that was made of."""

    result: LastResult | None
    children: list[dict[str, Any]]
    document: dict[str, Any]


class ResourceStatus:
    """What is said of the resources of one CIB. `result_of` is what this node saw last of a resource.

    The documents belong to whoever keeps this: they are the same objects every time, and not to be changed.
    """

    def __init__(self, cib: Cib, standing: Standing, result_of: Callable[[str], LastResult | None]) -> None:
        self._standing = standing
        self._result_of = result_of
        self._histories: dict[str, list[ResourceHistory]] = {}
        for state in cib.status.nodes:
            for history in state.history:
                self._histories.setdefault(history.id, []).append(history)
        self._fail_counts = _fail_counts(cib)
        self._departing = frozenset[str]().union(*map(names_of, cib.departing.resources))
        self._said: dict[int, _Described] = {}

    def documents(self) -> list[dict[str, Any]]:
        """What is known of each resource that is shown, with its parts."""
        return [self._document(resource) for resource in self._standing.resources if _is_shown(resource)]

    def _document(self, resource: StandingResource) -> dict[str, Any]:
        children = [self._document(child) for child in resource.children if _is_shown(child)]
        name = resource.history_name or (resource.config_id if not resource.unique else resource.id)
        result = self._result_of(name)
        said = self._said.get(id(resource))
        if said is None or said.result is not result or not _same(said.children, children):
            said = _Described(result, children, self._say(resource, children, name, result))
            self._said[id(resource)] = said
        return said.document

    def _say(
        self, resource: StandingResource, children: list[dict[str, Any]], name: str, result: LastResult | None
    ) -> dict[str, Any]:
        histories = self._histories.get(name, []) if not children else []
        return {
            "id": resource.id,
            "kind": resource.kind.name.lower(),
            "agent": None if resource.agent is None else str(resource.agent),
            "role": _role(resource, children),
            "nodes": sorted(resource.active_on),
            "managed": resource.managed,
            "maintenance": resource.maintenance,
            "failed": resource.failed or any(child["failed"] for child in children),
            "blocked": resource.blocked or any(child["blocked"] for child in children),
            "orphan": resource.orphan,
            "departing": resource.config_id in self._departing,
            "disabled": (resource.target_role or "").lower() == _STOPPED,
            "pending": resource.pending_task,
            "state": _state_word(resource, children),
            "since_at": _since(histories),
            "fail_count": self._fail_counts.get(_count_name(name), 0),
            "last": _last(histories, result),
            "children": children,
        }


def _is_shown(resource: StandingResource) -> bool:
    """An orphan that runs nowhere is only a memory."""
    return not resource.orphan or bool(resource.active_on) or resource.failed


def _role(resource: StandingResource, children: list[dict[str, Any]]) -> str:
    """The word for its role; a collective has the highest of its parts."""
    if not children:
        return str(resource.role if resource.role is not Role.UNKNOWN else Role.STOPPED)
    order = [str(role) for role in Role]
    return max((str(child["role"]) for child in children), key=lambda word: order.index(word) if word in order else 0)


def _state_word(resource: StandingResource, children: list[dict[str, Any]]) -> str:
    """What it is about, in a word: the change that is under way, else a failure, else its role."""
    if resource.pending_task in CHANGING:
        return CHANGING[resource.pending_task]
    if resource.failed or any(child["failed"] for child in children):
        return "Failed"
    changing = {child["state"] for child in children} & set(CHANGING.values())
    return min(changing) if changing else _role(resource, children)


def _since(histories: list[ResourceHistory]) -> int | None:
    """When its role last changed: the newest start, stop or change of role that is remembered."""
    times = [
        result.changed_s or 0
        for result in _results(histories)
        if result.task in _CHANGES_ROLE and result.status == OperationStatus.DONE
    ]
    return max(times, default=0) or None


def _results(histories: list[ResourceHistory]) -> list[RecordedResult]:
    return [entry.result for history in histories for entry in history.entries]


def _same(left: list[dict[str, Any]], right: list[dict[str, Any]]) -> bool:
    """Whether these are the same objects, which is cheaper to tell than whether they are equal."""
    return len(left) == len(right) and all(map(operator.is_, left, right))


def _count_name(resource: str) -> str:
    """How the names of all attributes begin that count failures of a resource."""
    return fail_count_name(resource, "", 0).partition("#")[0]


def _fail_counts(cib: Cib) -> dict[str, int]:
    """The failures on all nodes, by how the names of the attributes begin."""
    counts: dict[str, int] = {}
    for state in cib.status.nodes:
        for attribute, value in transient(state).items():
            name = attribute.partition("#")[0]
            counts[name] = counts.get(name, 0) + read_score(value)
    return counts


def _last(histories: list[ResourceHistory], result: LastResult | None) -> dict[str, Any] | None:
    """The newest result; what this node itself saw last comes with the agent's output."""
    if result is not None:
        return {
            "operation": result.task,
            "interval_ms": result.interval_ms,
            "node": None,
            "rc": result.result.code,
            "status": status_word(int(result.result.status)),
            "outcome": outcome_word(result.result.code, int(result.result.status)),
            "at": result.at_ms / 1000,
            "exit_reason": result.result.exit_reason,
            "output": result.result.output,
            "execution_ms": result.result.execution_ms,
        }
    results = [result for result in _results(histories) if not result.is_pending]
    newest = max(results, key=_age, default=None)
    return None if newest is None else recorded_to_plain(newest)


def _age(result: RecordedResult) -> int:
    return -1 if result.call_id is None else result.call_id


def recorded_to_plain(result: RecordedResult) -> dict[str, Any]:
    """What is known of a result, from its entry in the history."""
    status = int(OperationStatus.INVALID) if result.status is None else result.status
    return {
        "operation": result.task or "",
        "interval_ms": result.interval_ms,
        "node": result.on_node,
        "rc": result.rc,
        "status": status_word(status),
        "outcome": outcome_word(result.rc, status),
        "at": float(result.changed_s or 0),
        "exit_reason": result.exit_reason or "",
        "output": "",
        "execution_ms": result.execution_ms or 0,
    }
