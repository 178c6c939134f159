"""The transition graph as a DOT drawing.

Source: the scheduler's specification, part 3, section 17.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.printable import printable
from reconciler.scheduler.inside import decide
from reconciler.scheduler.plan import Plan
from reconciler.scheduler.working.action import Action, Edge
from reconciler.scheduler.working.cluster import Cluster
from reconciler.scheduler.working.effects import LOAD


def drawing(plan: Plan) -> str:
    """The drawing of what the plan does; it is decided once more for that."""
    return dot_text(decide(plan.cib, plan.now, show_scores=False).cluster)


def dot_text(cluster: Cluster, *, all_actions: bool = False, with_ids: bool = False) -> str:
    """The drawing of a scheduled cluster's actions: what will be done, and with `all_actions` what could be."""
    labels = {action.id: _label(action, with_ids) for action in cluster.actions}
    lines = [' digraph "g" {']
    printed: set[int] = set()
    for action in reversed(cluster.actions):
        line = _node_line(action, labels[action.id], all_actions)
        if line is not None:
            printed.add(action.id)
            lines.append(line)
    for action in reversed(cluster.actions):
        lines += _edge_lines(action, labels, printed, all_actions)
    lines.append("}")
    return "\n".join(lines) + "\n"


def _node_line(action: Action, label: str, all_actions: bool) -> str | None:
    font = "orange" if action.pseudo else "black"
    if action.in_graph:
        style, colour = "bold", "green"
    elif action.resource is not None and not action.resource.managed:
        if not all_actions:
            return None
        style, colour, font = "dashed", "red", "purple"
    elif action.optional:
        if not all_actions:
            return None
        style, colour = "dashed", "blue"
    else:
        style, colour = "dashed", "red"
    return f'"{label}" [ style={style} color="{colour}" fontcolor="{font}"]'


def _edge_lines(action: Action, labels: dict[int, str], printed: set[int], all_actions: bool) -> Iterator[str]:
    for edge in action.inputs:
        style = _edge_style(edge, printed, all_actions)
        if style is not None:
            yield f'"{labels[edge.first.id]}" -> "{labels[action.id]}" [ style = {style}]'


def _edge_style(edge: Edge, printed: set[int], all_actions: bool) -> str | None:
    if edge.trigger:
        return "bold"
    if not edge.effects:
        return None
    between_printed = edge.first.id in printed and edge.then.id in printed and edge.effects != LOAD
    return "dashed" if between_printed or all_actions else None


def _label(action: Action, with_id: bool) -> str:
    text = printable(_name(action)).replace("\\", "\\\\").replace('"', '\\"')
    return f"{text} ({action.id})" if with_id else text


def _name(action: Action) -> str:
    host = action.node.name if action.node is not None else None if action.pseudo else "<none>"
    at = "" if host is None else f" {host}"
    prefix = "Cancel " if action.task == "cancel" else ""
    if action.resource is not None and action.resource.found.history_name is not None:
        return f"{prefix}{_history_key(action, action.resource.found.history_name)}{at}"
    if action.task == "stonith":
        return f"stonith '{action.meta.get('stonith_action', '')}'{at}"
    if action.resource is not None and host is not None:
        return f"{prefix}{action.key}{at}"
    return f"{prefix}{action.task}{at}" if host is not None else action.key


def _history_key(action: Action, name: str) -> str:
    """The action's key with the name under which the history knows the resource."""
    if action.task in ("notify", "notified"):
        return f"{name}_{action.meta.get('notify_key_type')}_notify_{action.meta.get('notify_key_operation')}_0"
    return f"{name}_{action.cancelled_task or action.task}_{action.interval_ms}"
