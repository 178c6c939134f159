"""How the result of an operation is remembered in the status, so that a later run of the scheduler understands it.

An entry holds what the operation was, how it ended and the digests of its parameters; a failure also counts in a transient attribute of
the node. What is simulated and what was really executed is recorded by the same rules.
Source: the scheduler's specification, part 1, sections 13 to 15, part 3, section 19.2; Pacemaker Explained, "Status".
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.cib import FEATURE_SET
from reconciler.cib.entry_names import (
    fail_count_name,
    failure_id,
    last_failure_name,
    last_id,
)
from reconciler.cib.observations import AttributeRaised, AttributeSet, EntryForgotten, Observation, Recorded
from reconciler.frozen import field, frozen
from reconciler.model.operation import OperationStatus
from reconciler.model.resource import Agent
from reconciler.model.status import HistoryEntry, NodeState
from reconciler.scheduler.digest import digest, digested_texts

PENDING_CODE = 193
"""The result code of an operation that has not ended."""

_UNRECORDED = frozenset({"cancel", "delete", "notify", "meta-data"})
_RELOADS = frozenset({"reload", "reload-agent"})
_MIGRATIONS = frozenset({"migrate_to", "migrate_from"})
_COUNTED = frozenset({"start", "stop", "promote", "demote"})
_INFINITE = "INFINITY"


@frozen
class AgentTraits:
    """What recording needs to know of an agent: whether it reloads, and which of its parameters it takes over by that."""

    reloads: bool = False
    restart_parameters: tuple[str, ...] = ()
    """Names of its parameters that it does not take over by a reload."""


@frozen
class Launched:
    """An operation with all that its entry tells: `attributes` are all parameters and `CRM_meta_*` values it was called with.

    `transition_key` is `action:transition:expected result:uuid`; `resource` the id under which the node remembers it.
    """

    resource: str
    task: str
    node: str
    node_id: str
    agent: Agent
    transition_key: str
    target_rc: int = 0
    interval_ms: int = 0
    attributes: Mapping[str, str] = field(default_factory=dict)
    traits: AgentTraits = field(default_factory=AgentTraits)
    start_failure_is_fatal: bool = True
    digested: Mapping[str, str] | None = None
    """The parameters that the scheduler digests, where they are others than `digested_texts` makes of the attributes."""
    instance: str | None = None
    """The name under which its agent knows it, where it was started under another one than it has now."""


@frozen
class OperationOutcome:
    """How an operation ended: code, status, when (epoch seconds), durations in milliseconds, and the agent's reason."""

    rc: int
    status: OperationStatus
    at_s: int
    call_id: int
    execution_ms: int = 0
    queue_ms: int = 0
    exit_reason: str = ""


def is_failure(launched: Launched, outcome: OperationOutcome) -> bool:
    """Whether an ended operation counts as failed: it did not run, or its result is not the expected one."""
    if outcome.status in (OperationStatus.PENDING, OperationStatus.CANCELLED):
        return False
    return outcome.rc != launched.target_rc or outcome.status is not OperationStatus.DONE


def pending(launched: Launched, at_s: int) -> tuple[Observation, ...]:
    """What says that an operation was started and has not ended; nothing for operations that are not remembered."""
    if launched.task in _UNRECORDED | _RELOADS:
        return ()
    outcome = OperationOutcome(PENDING_CODE, OperationStatus.PENDING, at_s, -1)
    return (_recorded(launched, outcome, entry_id(launched), launched.task),)


def ended(launched: Launched, outcome: OperationOutcome) -> tuple[Observation, ...]:
    """What is to be remembered of an ended operation: its entries, and a failure's count."""
    if launched.task in _UNRECORDED:
        return ()
    failed = is_failure(launched, outcome)
    task = _recorded_task(launched.task, failed)
    seen: list[Observation] = []
    if failed:
        seen.append(_recorded(launched, outcome, failure_id(launched.resource), task))
    if not failed or not launched.interval_ms:
        seen.append(_recorded(launched, outcome, entry_id(launched), task))
    return (*seen, *(_counted(launched, outcome) if failed else ()))


def entry_id(launched: Launched) -> str:
    """The id of the entry of an operation that went as expected."""
    if launched.interval_ms or launched.task in _MIGRATIONS:
        return f"{launched.resource}_{launched.task}_{launched.interval_ms}"
    return last_id(launched.resource)


def forget_failures(state: NodeState, resource: str) -> tuple[Observation, ...]:
    """What makes a node forget a resource's failures: counts, times and the entry of the last one."""
    seen: list[Observation] = [
        AttributeSet(state.id, name, None)
        for block in state.transient
        for name in sorted(block.values)
        if name.startswith((f"fail-count-{resource}#", f"last-failure-{resource}#"))
    ]
    wanted = failure_id(resource)
    for history in state.history:
        if history.id == resource and any(entry.id == wanted for entry in history.entries):
            seen.append(EntryForgotten(state.id, resource, wanted))
    return tuple(seen)


def _recorded_task(task: str, failed: bool) -> str:
    """A reload that worked stands for a start with the new parameters; one that failed tells what a monitor would."""
    if task in _RELOADS:
        return "monitor" if failed else "start"
    return task


def _recorded(launched: Launched, outcome: OperationOutcome, id: str, task: str) -> Recorded:
    return Recorded(
        launched.node_id,
        launched.resource,
        _agent_keys(launched.agent),
        HistoryEntry(id, _entry(launched, outcome, task)),
    )


def _agent_keys(agent: Agent) -> dict[str, str]:
    keys = {"class": agent.standard, "type": agent.type}
    return keys if agent.provider is None else keys | {"provider": agent.provider}


def _entry(launched: Launched, outcome: OperationOutcome, task: str) -> dict[str, str]:
    magic = f"{int(outcome.status)}:{outcome.rc};{launched.transition_key}"
    entry = {
        "operation": task,
        "operation_key": f"{launched.resource}_{launched.task}_{launched.interval_ms}",
        "interval": str(launched.interval_ms),
        "call-id": str(outcome.call_id),
        "rc-code": str(outcome.rc),
        "op-status": str(int(outcome.status)),
        "transition-key": launched.transition_key,
        "transition-magic": magic,
        "crm_feature_set": FEATURE_SET,
        "on_node": launched.node,
        "last-rc-change": str(outcome.at_s),
        "exec-time": str(outcome.execution_ms),
        "queue-time": str(outcome.queue_ms),
    }
    if outcome.exit_reason:
        entry["exit-reason"] = outcome.exit_reason
    for side in ("migrate_source", "migrate_target") if launched.task in _MIGRATIONS else ():
        if value := launched.attributes.get(f"CRM_meta_{side}"):
            entry[side] = value
    return entry | _digests(launched)


def _digests(launched: Launched) -> dict[str, str]:
    """Digests of the parameters; for an agent that reloads also of those that a reload would not take over."""
    texts = digested_texts(launched.attributes) if launched.digested is None else dict(launched.digested)
    found = {"op-digest": digest(texts)}
    if not launched.traits.reloads or launched.interval_ms:
        return found
    names = launched.traits.restart_parameters
    found["op-force-restart"] = f" {' '.join(names)} " if names else " "
    found["op-restart-digest"] = digest({name: value for name, value in texts.items() if name in names})
    return found


def _counted(launched: Launched, outcome: OperationOutcome) -> tuple[Observation, ...]:
    """A failure's count: a failed stop counts as infinitely many, and so does a failed start where that is fatal."""
    if not launched.interval_ms and launched.task not in _COUNTED:
        return ()
    count = fail_count_name(launched.resource, launched.task, launched.interval_ms)
    fatal = launched.task == "stop" or (launched.task == "start" and launched.start_failure_is_fatal)
    return (
        AttributeSet(launched.node_id, count, _INFINITE) if fatal else AttributeRaised(launched.node_id, count),
        AttributeSet(
            launched.node_id,
            last_failure_name(launched.resource, launched.task, launched.interval_ms),
            str(outcome.at_s),
        ),
    )
