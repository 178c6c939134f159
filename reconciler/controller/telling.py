"""What the API's events say of what happened: for people and programs that follow, never to decide by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from reconciler.analysis.fence_devices import levels
from reconciler.controller.agent_calls import RUNNING_CODES
from reconciler.controller.events import Emit
from reconciler.controller.fencing.record import Down, FenceCause, Ordered, Wanted
from reconciler.controller.membership.events import Installation
from reconciler.controller.messages import AgentOrder, Message, Report, Reported, Settled
from reconciler.controller.shared import Shared, allowed, doubtful_members
from reconciler.model.operation import OperationStatus


def ordered(transition: int, order: AgentOrder) -> Emit:
    """An operation was ordered."""
    launched = order.launched
    fields = {
        "transition": transition,
        "id": order.action,
        "key": f"{launched.resource}_{launched.task}_{launched.interval_ms}",
        "operation": launched.task,
        "resource": launched.resource,
        "node": launched.node,
        "interval_ms": launched.interval_ms,
    }
    return Emit("action_started", fields)


def reported(message: Reported, output: str) -> Emit:
    """An operation has ended; `output` is what its agent said, where that is known."""
    fields: dict[str, Any] = {
        "transition": message.transition,
        "id": message.action,
        "key": f"{message.resource}_{message.task}_{message.interval_ms}",
        "operation": message.task,
        "resource": message.resource,
        "node": message.node,
        "interval_ms": message.interval_ms,
        "rc": message.rc,
        "execution_ms": message.execution_ms,
    }
    if message.failed:
        fields |= {"status": status_word(message.status), "exit_reason": message.exit_reason, "output": output}
    return Emit("action_failed" if message.failed and not _is_discovery(message) else "action_done", fields)


def converged(message: Settled) -> Emit:
    """Nothing is left to do."""
    problems = [{"resource": one.resource, "text": one.text} for one in message.problems]
    return Emit("converged", {"version": message.version, "commit": message.commit, "problems": problems})


def recovered(message: Report) -> Emit:
    """This node takes part again."""
    text = "everything that ran before still runs, or nothing did"
    if message.stopped:
        text = f"no longer running: {', '.join(message.stopped)}"
    return Emit("daemon", {"what": "recovered", "text": text})


def unknown_node(sender: str, message: Message) -> Emit:
    """Something was told of a node that nobody knows."""
    text = f"{sender} told of a node that nobody knows ({type(message).__name__}); that was not taken in"
    return Emit("daemon", {"what": "unknown-node", "text": text})


def installed_view(installation: Installation) -> Emit:
    """A view was installed."""
    doubtful = sorted(installation.doubtful)
    more = "" if installation.quorate else ", no quorum"
    if doubtful:
        more = f", but nothing begins before {', '.join(doubtful)} was fenced, confirmed to be off, or is back"
    fields: dict[str, Any] = {
        "what": "view",
        "members": list(installation.members),
        "excluded": {name: why.value for name, why in sorted(installation.excluded.items())},
        "dc": installation.dc,
        "quorate": installation.quorate,
        "term": installation.rank.decided,
        "doubtful": doubtful,
        "text": f"{', '.join(installation.members)}; DC {installation.dc}{more}",
    }
    return Emit("daemon", fields)


def undecided_view(shared: Shared) -> str | None:
    """What a view that could be quorate at the same time as another may not begin, and what would change that; None where it may."""
    may = allowed(shared)
    if not shared.quorate or may.activate:
        return None
    names = ", ".join(doubtful_members(shared))
    what = "no commit becomes active" if may.start else "nothing is started, and no commit becomes active,"
    cause = "fenced or back" if may.fence else f"back, or `reconciler fence confirm` says that {names} is off"
    return f"{names} may decide, too, as the members are no majority of the votes: {what} before {names} is {cause}"


def open_fencings(shared: Shared) -> Iterator[str]:
    """Who is still to be fenced, which everything may wait for: how far that is, and how the last try failed."""
    for target, record in sorted(shared.fencing.records.items()):
        tries = (one for one in reversed(shared.fencing.history) if one.target == target and one.device)
        failed = next(tries, None)
        why = (
            f"; last, {failed.by} failed with {failed.device}: {failed.why}" if failed and not failed.succeeded else ""
        )
        match record:
            case Ordered(_, order):
                yield f"{target} is being fenced by {order.executor} with {order.step.device}{why}"
            case Wanted():
                able = levels(shared.cib.configuration, target) or record.cause is FenceCause.UNFENCE
                yield f"{target} is to be fenced{why if able else ', and no device can do that'}"
            case Down():
                pass


def lost_tail(commits: Sequence[str]) -> Emit:
    """What this node had decided without the others is given up for what they have."""
    text = "what was delivered here without the others is given up for their history"
    if commits:
        text += f"; these commits were active here: {', '.join(commit[:12] for commit in commits)}"
    return Emit("daemon", {"what": "tail", "commits": list(commits), "text": text})


def skipped(sender: str, reason: str) -> Emit:
    """A message was delivered that nobody takes."""
    return Emit("daemon", {"what": "message-skipped", "text": f"a message from {sender} was skipped: {reason}"})


def status_word(status: int) -> str:
    """The word for how a call went: done, timed-out, error …"""
    try:
        return OperationStatus(status).name.lower().replace("_", "-")
    except ValueError:
        return f"status {status}"


def _is_discovery(message: Reported) -> bool:
    """A probe that finds something running was not expected to, but has not failed."""
    return message.task == "monitor" and not message.interval_ms and message.rc in RUNNING_CODES
