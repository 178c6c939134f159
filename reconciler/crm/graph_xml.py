"""The transition graph as XML, as Pacemaker's controller reads it.

Source: the scheduler's specification, part 3, section 16.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.interop.xml.text import attribute_text
from reconciler.scheduler.inside import Decided, planned
from reconciler.scheduler.plan import ActionKind, Plan, PlannedAction


def graph_xml(decided: Decided) -> str:
    """The whole graph; elements and attributes stand in the order in which Pacemaker writes them."""
    plan = decided.plan
    head = _start("transition_graph", _graph_attributes(plan))
    if not plan.actions:
        return f"{head}/>\n"
    writer = _GraphWriter(decided)
    return "\n".join([f"{head}>", *writer.synapses(), "</transition_graph>"]) + "\n"


def _start(tag: str, values: Mapping[str, str]) -> str:
    """The beginning of a start tag, still open."""
    return f"<{tag}" + "".join(f' {name}="{attribute_text(value)}"' for name, value in values.items())


def _graph_attributes(plan: Plan) -> dict[str, str]:
    terms = plan.terms
    values = {
        "cluster-delay": terms.cluster_delay,
        "stonith-timeout": terms.fencing_timeout,
        "failed-stop-offset": "INFINITY",
        "failed-start-offset": "INFINITY" if terms.start_failure_is_fatal else "1",
        "batch-limit": str(terms.batch_limit),
        "transition_id": "0",
    }
    if terms.migration_limit > 0:
        values["migration-limit"] = str(terms.migration_limit)
    if plan.recheck_by_s is not None:
        values["recheck-by"] = str(plan.recheck_by_s)
    return values


class _GraphWriter:
    """Writes the synapses of one run."""

    def __init__(self, decided: Decided) -> None:
        self.plan = decided.plan
        self.cluster = decided.cluster
        self.planned = {action.id: action for action in decided.plan.actions}
        self.sources = {action.id: action for action in decided.cluster.actions}

    def synapses(self) -> Iterator[str]:
        for number, action in enumerate(self.plan.actions):
            values = {"id": str(number)}
            if action.priority > 0:
                values["priority"] = str(action.priority)
            yield f"  {_start('synapse', values)}>"
            yield "    <action_set>"
            yield from _element(action)
            yield "    </action_set>"
            yield from self._inputs(action)
            yield "  </synapse>"

    def _inputs(self, action: PlannedAction) -> Iterator[str]:
        if not action.triggers:
            yield "    <inputs/>"
            return
        yield "    <inputs>"
        for id in action.triggers:
            # An action may wait for one that never runs, and so is not in the graph itself.
            before = self.planned.get(id) or planned(self.cluster, self.sources[id])
            yield "      <trigger>"
            yield f"        {_start(*_short(before))}/>"
            yield "      </trigger>"
        yield "    </inputs>"


def _short(action: PlannedAction) -> tuple[str, dict[str, str]]:
    """The tag of an action's element, and its attributes."""
    values: dict[str, str] = {"mode": "cib"} if action.cib_only else {}
    values |= {"id": str(action.id), "operation": action.task, "operation_key": action.key}
    if action.internal_key is not None:
        values["internal_operation_key"] = action.internal_key
    if action.node is not None and (action.kind is not ActionKind.PSEUDO or action.task == "stonith"):
        values |= {"on_node": action.node, "on_node_uuid": action.node_id or action.node}
        if action.router is not None:
            values["router_node"] = action.router
    return action.kind.value, values


def _element(action: PlannedAction) -> Iterator[str]:
    tag, values = _short(action)
    if action.shutdown_lock_s is not None:
        values["shutdown-lock"] = str(action.shutdown_lock_s)
    margin = " " * 6
    yield f"{margin}{_start(tag, values)}>"
    if (primitive := _primitive(action)) is not None:
        yield f"{margin}  {_start('primitive', primitive)}/>"
    yield from _attributes(action.attributes, margin + "  ")
    if action.downed:
        yield f"{margin}  <downed>"
        for node in action.downed:
            yield f"{margin}    {_start('node', {'id': node})}/>"
        yield f"{margin}  </downed>"
    if action.maintenance:
        yield f"{margin}  <maintenance>"
        for node, state in action.maintenance:
            yield f"{margin}    {_start('node', {'id': node, 'node_in_maintenance': str(int(state))})}/>"
        yield f"{margin}  </maintenance>"
    yield f"{margin}</{tag}>"


def _primitive(action: PlannedAction) -> dict[str, str] | None:
    if action.kind is ActionKind.PSEUDO or action.primitive_id is None or action.agent is None:
        return None
    values = {"id": action.primitive_id}
    if action.long_id is not None:
        values["long-id"] = action.long_id
    values["class"] = action.agent.standard
    if action.agent.provider is not None:
        values["provider"] = action.agent.provider
    values["type"] = action.agent.type
    return values


def _attributes(values: Mapping[str, str], margin: str) -> Iterator[str]:
    """The attributes element; a name that can't be an XML attribute becomes a child."""
    named = {name: value for name, value in sorted(values.items()) if not name[:1].isdigit()}
    numbered = [(name, value) for name, value in sorted(values.items()) if name[:1].isdigit()]
    head = f"{margin}{_start('attributes', named)}"
    if not numbered:
        yield f"{head}/>"
        return
    yield f"{head}>"
    for name, value in numbered:
        yield f"{margin}  {_start('param', {'name': name, 'value': value})}/>"
    yield f"{margin}</attributes>"
