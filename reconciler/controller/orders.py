"""From an action of a plan to the order that a node receives: everything that executing and recording it takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.analysis.recording import Launched
from reconciler.cib import Cib
from reconciler.controller.members import node_state
from reconciler.controller.messages import AgentOrder
from reconciler.model.resource import Agent
from reconciler.scheduler.plan import Plan, PlannedAction

_UNDIGESTED = frozenset({"cancel", "delete", "notify"})
_NO_AGENT = Agent("", "")
# Ten thousand probes in one message were more than any member takes, and so were two hundred orders with large parameters: refused by
# our own reader, their actions ran for ever.
_BUNDLE_BYTES = 1024 * 1024
# However small: a message is taken in in one step, and a node does nothing else meanwhile.
_MOST_TOGETHER = 200


def make_order(plan: Plan, action: PlannedAction, cib: Cib, transition: int, run: str) -> AgentOrder:
    """The order for a resource action of the plan; `run` is the identity of the cluster's current run in its keys."""
    launched = Launched(
        resource=history_id(action, cib),
        task=action.task,
        node=action.node or "",
        node_id=action.node or "",
        agent=action.agent or _NO_AGENT,
        transition_key=f"{action.id}:{transition}:{action.target_rc}:{run}",
        target_rc=action.target_rc,
        interval_ms=0 if action.task in _UNDIGESTED else action.interval_ms,
        attributes=action.attributes,
        start_failure_is_fatal=plan.terms.start_failure_is_fatal,
        digested=action.digested,
    )
    return AgentOrder(action.id, action.timeout_ms, launched)


def bundles(orders: Iterable[tuple[AgentOrder, int]]) -> Iterator[tuple[AgentOrder, ...]]:
    """Orders in their order, each with its size in bytes; as many together as a message of a bounded size takes."""
    together: list[AgentOrder] = []
    size = 0
    for order, more in orders:
        if together and (size + more > _BUNDLE_BYTES or len(together) == _MOST_TOGETHER):
            yield tuple(together)
            together, size = [], 0
        together.append(order)
        size += more
    if together:
        yield tuple(together)


def history_id(action: PlannedAction, cib: Cib) -> str:
    """The id under which the node remembers the resource: the configured one, unless only the long one is known there."""
    name = action.primitive_id or action.resource or ""
    if action.long_id is None or action.node is None:
        return name
    known = {history.id for history in node_state(cib, action.node).history}
    return action.long_id if name not in known and action.long_id in known else name
