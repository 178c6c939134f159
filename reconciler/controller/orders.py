"""From an action of a plan to the order that a node receives: everything that executing and recording it takes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from operator import attrgetter

from reconciler.analysis.entry_names import digested_texts
from reconciler.analysis.recording import Launched
from reconciler.cib import Cib
from reconciler.controller.members import node_state
from reconciler.controller.messages import Order, order_bytes
from reconciler.model.resource import Agent
from reconciler.scheduler.answer.action_attributes import attributes as attributes_of
from reconciler.scheduler.evaluating.digests import calculate
from reconciler.scheduler.plan import Plan, PlannedAction
from reconciler.scheduler.working.cluster import Cluster

_DIGESTED_AS = {"reload-agent": "start", "reload": "start"}
_UNDIGESTED = frozenset({"cancel", "delete", "notify"})
_NO_AGENT = Agent("", "")
# Ten thousand probes in one message were more than any member takes, and so were two hundred orders with large parameters: refused by
# our own reader, their actions ran for ever.
_BUNDLE_BYTES = 1024 * 1024
_MOST_TOGETHER = 200


def make_order(plan: Plan, action: PlannedAction, cib: Cib, transition: int, run: str) -> Order:
    """The order for a resource action of the plan; `run` is the identity of the cluster's current run in its keys."""
    attributes = _attributes(plan.cluster, action)
    launched = Launched(
        resource=history_id(action, cib),
        task=action.task,
        node=action.node or "",
        node_id=action.node or "",
        agent=action.agent or _NO_AGENT,
        transition_key=f"{action.id}:{transition}:{action.target_rc}:{run}",
        target_rc=action.target_rc,
        interval_ms=0 if action.task in _UNDIGESTED else action.interval_ms,
        attributes=attributes,
        start_failure_is_fatal=plan.cluster.options.start_failure_is_fatal,
        digested=_digested(plan.cluster, action, attributes),
    )
    return Order(action.id, action.timeout_ms, launched)


def bundles(orders: Iterable[Order]) -> Iterator[tuple[Order, ...]]:
    """Orders in their order, as many together as a message of a bounded size takes."""
    together: list[Order] = []
    size = 0
    for order in orders:
        more = order_bytes(order)
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


def _attributes(cluster: Cluster, action: PlannedAction) -> dict[str, str]:
    """Parameters and `CRM_meta_*` values of an action; the scheduler's working state keeps actions in order of their numbers."""
    place = bisect_left(cluster.actions, action.id, key=attrgetter("id"))
    return attributes_of(cluster, cluster.actions[place])


def _digested(cluster: Cluster, action: PlannedAction, attributes: dict[str, str]) -> dict[str, str] | None:
    """The parameters as the scheduler digests them, unless the attributes say the same."""
    found = cluster.resource_index.get(action.resource or "")
    node = cluster.node_index.get(action.node or "")
    if not found or node is None or action.task in _UNDIGESTED:
        return None
    task = _DIGESTED_AS.get(action.task, action.task)
    texts = calculate(cluster, found[0], task, action.interval_ms, node).texts
    return None if texts == digested_texts(attributes) else dict(texts)
