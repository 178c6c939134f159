"""What was carried out, as `crm_simulate` tells it.

Source: the scheduler's specification, part 3, section 19; observation of `crm_simulate`.
"""

from __future__ import annotations

from reconciler.analysis.execution import Execution, Step
from reconciler.analysis.status_edit import CountedFailure
from reconciler.cib.entry_names import fail_count_name, last_failure_name
from reconciler.crm.outline import Outline
from reconciler.scheduler.plan import ActionKind


def add_execution(outline: Outline, execution: Execution) -> None:
    """Add the actions that were carried out."""
    outline.begin("Executing Cluster Transition")
    for step in execution.steps:
        outline.item(_line(step))
        if step.rc is not None:
            outline.plain(f"Pretending action {step.action.id} failed with rc={step.rc}")
        add_counted(outline, step.counted)
    outline.end()


def add_counted(outline: Outline, counted: CountedFailure | None) -> None:
    """Add how a failure was counted in a node's attributes, if it was."""
    if counted is None:
        return
    names = (counted.resource, counted.task, counted.interval_ms)
    for name, value in ((fail_count_name(*names), "value++"), (last_failure_name(*names), str(counted.at_s))):
        outline.item(f"Injecting attribute {name}={value} into /node_state '{counted.node_id}'")


def _line(step: Step) -> str:
    action = step.action
    if action.kind is ActionKind.PSEUDO:
        return f"Pseudo action:   {action.key}{f' on {action.node}' if action.task == 'stonith' else ''}"
    if action.task == "stonith":
        return f"Fencing {action.node} ({step.fencing})"
    if action.kind is ActionKind.CLUSTER:
        subject = f" for {action.primitive_id}" if action.primitive_id is not None else ""
        return f"Cluster action:  {action.task}{subject} on {action.node}"
    interval = f"={action.interval_ms}" if action.interval_ms and action.task != "delete" else ""
    return f"Resource action: {step.name:<15} {action.task}{interval} on {action.node}"
