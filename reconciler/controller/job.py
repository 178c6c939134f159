"""What a node has in hand for a resource: one run of an operation, an operation that recurs, and the newest result."""

from __future__ import annotations

from reconciler.analysis.recording import Launched
from reconciler.controller.messages import AgentOrder, Run
from reconciler.controller.moment import Moment
from reconciler.frozen import replace
from reconciler.model.operation import AgentResult, OperationStatus

_BEGINNINGS = frozenset({"start", "promote", "migrate_from"})
_ENDINGS = frozenset({"stop", "demote"})
_HEAD, _TAIL = 1024, 3072
"""Characters of an agent's output that are kept."""

Gate = tuple[int, int, int]
"""Orders that came together: their term, their transition, and the action of the first one."""
Cause = tuple[int, int]
"""What an order is part of: a term, and a transition in it."""
Key = tuple[str, str, int]
"""A recurring operation: resource, task, interval in milliseconds."""


class Job:
    """One run of an operation: ordered once, recurring, or (`adopting`) to find out what runs after a restart.

    `started`: the resource was started here, and not stopped since. `stood`: this node stood still while it ran. `holder`: what else was
    started here that its agent knows by the name of this one. `unkept`: why this node could not remember that it did it. `ends`: what
    does not recur any more once it is the turn of this one.
    """

    __slots__ = (
        "adopting",
        "ends",
        "gate",
        "holder",
        "order",
        "recurring",
        "started",
        "stood",
        "term",
        "transition",
        "unkept",
    )

    def __init__(
        self,
        order: AgentOrder,
        cause: Cause,
        recurring: Recurring | None = None,
        adopting: bool = False,
        gate: Gate | None = None,
        started: bool = False,
        holder: str | None = None,
        ends: Recurring | None = None,
    ) -> None:
        self.order = order
        self.ends = ends
        self.holder = holder
        self.started = started
        self.gate = gate
        self.term, self.transition = cause
        self.recurring = recurring
        self.adopting = adopting
        self.unkept: str | None = None
        self.stood = False
        """Whether this node stood still while it ran: that no answer came in time says nothing then."""

    @property
    def launched(self) -> Launched:
        """What is run."""
        return self.order.launched


class Recurring:
    """A recurring operation that is in force; `reported` is the result that the cluster knows."""

    __slots__ = ("again", "cause", "order", "queued", "reported", "unwatched", "watch_from_ms")

    def __init__(self, order: AgentOrder, cause: Cause) -> None:
        self.order = order
        self.cause = cause
        self.reported: tuple[int, OperationStatus] | None = None
        self.queued = False
        self.again = False
        """Whether something hinted at a failure while it ran, which the run may have missed."""
        self.unwatched = False
        """Whether the resource's processes are no longer watched, because of a hint."""
        self.watch_from_ms = 0
        """Before that (monotonic) they are not watched anew."""

    @property
    def key(self) -> Key:
        """What tells it from the others."""
        launched = self.order.launched
        return launched.resource, launched.task, launched.interval_ms

    @property
    def timer(self) -> str:
        """The name of its timer."""
        return "recurring " + " ".join(map(str, self.key))


class LastResult:
    """The newest result of a resource here, with the agent's output, which is not replicated."""

    __slots__ = ("at_ms", "interval_ms", "result", "task")

    def __init__(self, task: str, interval_ms: int, result: AgentResult, at_ms: int) -> None:
        self.task = task
        self.interval_ms = interval_ms
        self.result = result
        self.at_ms = at_ms


def ends(order: AgentOrder) -> bool:
    """Whether an order ends something that runs."""
    return order.launched.task in _ENDINGS


def begins(order: AgentOrder) -> bool:
    """Whether an order makes something active."""
    return order.launched.task in _BEGINNINGS


def is_remembered(order: AgentOrder) -> bool:
    """Whether after an order something is active, or has parameters, otherwise than before: nobody may forget that."""
    return begins(order) or order.launched.task == "reload-agent"


def gate_of(message: Run) -> Gate:
    """What the orders of a message wait for, if they do."""
    return message.term, message.transition, message.orders[0].action


def last_result(job: Job, result: AgentResult, now: Moment) -> LastResult:
    """What is kept of a run's result."""
    kept = replace(result, output=_ends_of(result.output))
    return LastResult(job.launched.task, job.launched.interval_ms, kept, now.wall_ms)


def _ends_of(output: str) -> str:
    """The output, or of a long one how it begins and how it ends: the first error is often what counts, and the last what is said of it."""
    if len(output) <= _HEAD + _TAIL:
        return output
    return f"{output[:_HEAD]}\n[... {len(output) - _HEAD - _TAIL} characters left out ...]\n{output[-_TAIL:]}"
