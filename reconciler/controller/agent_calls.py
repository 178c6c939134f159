"""What an order means to an agent, and what its answer means to the history: parameters as they were at the start, names, secrets.

Nothing here has a state: the executor asks what to call an agent with, and what to tell of what came back.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.analysis.recording import Launched, OperationOutcome, ended
from reconciler.cib.moving import Names
from reconciler.cib.observations import EntryForgotten, Observation, ResourceForgotten
from reconciler.controller.job import Job, Key
from reconciler.controller.memory import under_new_name
from reconciler.controller.messages import AgentOrder
from reconciler.frozen import replace
from reconciler.model.operation import AgentCall, AgentResult, OperationStatus, ResultCode
from reconciler.model.text import integer

RUNNING_CODES = frozenset({0, 8, 190, 191})
"""What an agent says of a resource that runs: plain, promoted, and both with less than it should have."""
META = "CRM_meta_"


def agent_call(order: AgentOrder) -> AgentCall:
    """The agent's call for an order: parameters apart from meta-attributes."""
    launched = order.launched
    return AgentCall(
        resource=launched.instance or launched.resource,
        agent=launched.agent,
        operation=launched.task,
        interval_ms=launched.interval_ms,
        timeout_ms=order.timeout_ms,
        parameters={
            name: value
            for name, value in launched.attributes.items()
            if not name.startswith(META) and name != "crm_feature_set"
        },
        meta={name: value for name, value in launched.attributes.items() if name.startswith(META)},
    )


def as_known(job: Job, result: AgentResult) -> AgentResult:
    """What counts of a monitor that could not look for want of a secret, which is this node's trouble: that things are as they were known.

    Where nothing is known, the resource isn't there if the agent says so; else it can't be here, as without the software for it.
    """
    if result.status is not OperationStatus.NO_SECRETS or job.launched.task != "monitor":
        return result
    if job.recurring is not None:
        code, status = job.recurring.reported or (job.launched.target_rc, OperationStatus.DONE)
        return replace(result, code=code, status=status)
    if job.started:
        return replace(result, code=int(ResultCode.OK), status=OperationStatus.DONE)
    if result.code == ResultCode.NOT_RUNNING:
        return replace(result, status=OperationStatus.DONE)
    return replace(result, code=int(ResultCode.NOT_INSTALLED), status=OperationStatus.NOT_INSTALLED)


def holder_of(launched: Launched, started: Mapping[str, Launched]) -> str | None:
    """What was moved here while it ran, if its agent still knows it by the name of this resource: what is asked would be asked of that."""
    name = launched.instance or launched.resource
    return next(
        (one.resource for one in started.values() if one.instance == name != one.resource != launched.resource), None
    )


def held_by(holder: str, launched: Launched) -> AgentResult:
    """The answer where the name of a resource is in use: it does not run, and can't be started, before the other one has stopped."""
    reason = f"to its agent, {holder} has this name here as long as it runs: it was moved"
    if launched.task == "monitor":
        return AgentResult(int(ResultCode.NOT_RUNNING), exit_reason=reason)
    if launched.task in ("stop", "demote"):
        return AgentResult(int(ResultCode.OK), exit_reason=reason)
    return AgentResult(int(ResultCode.ERROR), exit_reason=reason)


def unkept(reason: str) -> AgentResult:
    """The answer where a node could not remember, after a crash, that it had done what it was ordered: it does not do it."""
    return AgentResult(
        int(ResultCode.ERROR),
        exit_reason=f"not begun: this node's disk can't keep that it was ({reason}); mend the disk, then clean up the resource",
    )


def observations_of(launched: Launched, outcome: OperationOutcome) -> tuple[Observation, ...]:
    """What the history is told of an operation that has ended so."""
    match launched.task:
        case "delete":
            return (ResourceForgotten(launched.node_id, launched.resource),)
        case "cancel":
            resource, task, interval_ms = cancelled(launched)
            return (EntryForgotten(launched.node_id, resource, f"{resource}_{task}_{interval_ms}"),)
    return ended(launched, outcome)


def cancelled(launched: Launched) -> Key:
    """The recurring operation that a cancel is about."""
    task = launched.attributes.get(f"{META}operation", "monitor")
    return launched.resource, task, integer(launched.attributes.get(f"{META}interval"))


def as_started(launched: Launched, started: Launched) -> Launched:
    """A stop or a probe with the parameters and the agent of the start, and its own meta-attributes."""
    attributes = {name: value for name, value in started.attributes.items() if not name.startswith(META)}
    attributes |= {name: value for name, value in launched.attributes.items() if name.startswith(META)}
    return replace(launched, agent=started.agent, attributes=attributes, digested=started.digested)


def probe_attributes(attributes: Mapping[str, str]) -> dict[str, str]:
    """What a probe is called with: what is said of one operation of the resource is not said of a probe."""
    dropped = {f"{META}{name}" for name in ("interval", "name", "op_target_rc", "timeout", "start_delay", "on_fail")}
    return {name: value for name, value in attributes.items() if name not in dropped}


def renamed_order(order: AgentOrder, names: Names) -> AgentOrder:
    """The order once resources have other names."""
    launched = under_new_name(order.launched, names)
    return order if launched is order.launched else replace(order, launched=launched)
