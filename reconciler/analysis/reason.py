"""A reason: a phrase with what it comes from, and the phrases that many kinds of reasons are made of."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.frozen import frozen
from reconciler.model.cluster import Configuration
from reconciler.model.operation import OperationStatus
from reconciler.model.resource import primitives
from reconciler.model.text import integer
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.decision import Decision, Decisions
from reconciler.scheduler.plan import FailedAction

_RESULTS = {
    1: "error",
    2: "invalid parameter",
    3: "unimplemented",
    4: "insufficient privileges",
    5: "not installed",
    6: "not configured",
    7: "not running",
    8: "promoted",
    9: "promoted and failed",
}


@frozen
class Reason:
    """A phrase that can follow "because", and what it comes from; None for what is neither configured nor recorded.

    `also` are causes that decide together with it, or that would be enough without it: with all of them gone, the line is another one.
    `follows` is the resource or node whose own line brings this one about.
    """

    text: str
    cause: Cause | None = None
    also: tuple[Cause, ...] = ()
    follows: str = ""

    @property
    def causes(self) -> tuple[Cause, ...]:
        """All that it names."""
        return self.also if self.cause is None else (self.cause, *self.also)


def failure(leaf: Decision, node: str | None, failures: Iterable[FailedAction]) -> Reason | None:
    """The newest failure of the resource on a node that still counts."""
    found = [one for one in failures if one.resource == leaf.id and not one.masked and node in (None, one.node)]
    newest = max(found, key=lambda one: one.entry.result.changed_s or 0, default=None)
    return None if newest is None else Reason(failure_text(newest), Cause(Why.FAILURE, leaf.id, newest.node))


def result_text(code: int) -> str:
    """What an operation answered, as people call it."""
    return f"{code} ({_RESULTS[code]})" if code in _RESULTS else str(code)


def failure_text(failed: FailedAction) -> str:
    """A failure as a phrase: which operation, where, with what result."""
    recorded = failed.entry.result
    tail = f": {recorded.exit_reason}" if recorded.exit_reason else ""
    if integer(failed.entry.attributes.get("op-status"), -1) == OperationStatus.TIMED_OUT:
        return f"its {recorded.task} timed out on {failed.node}{tail}"
    return f"its {recorded.task} failed on {failed.node} with {result_text(recorded.rc)}{tail}"


def blocked_by(leaf: Decision, failures: Iterable[FailedAction]) -> str:
    """What blocks a resource, and what ends it."""
    failed = failure(leaf, None, failures)
    what = "an operation failed" if failed is None else failed.text
    name = leaf.history_name or leaf.config_id
    return f"{what}: it is blocked until its failures are cleaned up (reconciler cleanup {name})"


def is_so(cause: Cause) -> bool:
    """Whether the cause is one at all: an operation that went well made nothing happen."""
    return cause.why is not Why.FAILURE or not cause.detail.endswith("rc 0")


def ticket_text(ticket: str, granted: bool, cause: Cause) -> str:
    """How a ticket stands that may not be used."""
    state = "granted, but in standby" if granted else "not granted"
    return f"ticket {ticket} is {state} (constraint {cause.subject})"


def sets_target_role(configuration: Configuration, id: str) -> bool:
    """Whether a primitive has a target role of its own, beside what it inherits."""
    found = [one for top in configuration.resources for one in primitives(top) if one.id == id]
    return any("target-role" in block.values for one in found for block in one.meta)


def origin(made: Decisions, leaf: Decision, cause: Cause) -> Cause:
    """The cause under the name of the group, clone or bundle that a target role is inherited from."""
    found = leaf
    while cause.why is Why.TARGET_ROLE:
        owner = made.owner(found)
        if owner is None or owner.target_role is None or owner.target_role != found.target_role:
            break
        found = owner
    return cause._replace(subject=found.config_id) if found is not leaf else cause
