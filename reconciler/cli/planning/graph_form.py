"""A plan as a graph for people, in the language of graphviz: what is done to services, in which order; a title says for what.

Stops stand apart from starts by colour and shape, monitors and the graph's own points of order are left out, and the order through them is
kept. `--dot` gives the whole graph in crm_simulate's form instead.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.printable import printable
from reconciler.scheduler.plan import ActionKind, Plan, PlannedAction

_SHAPES = {
    "stop": 'shape=octagon, color="#b03030", fontcolor="#b03030"',
    "demote": 'shape=octagon, color="#b03030", fontcolor="#b03030"',
    "stonith": 'shape=diamond, style=bold, color="#b03030", fontcolor="#b03030"',
}
_USUAL = 'shape=box, style=rounded, color="#207020"'


def graph(plan: Plan | None, title: str) -> str:
    """The graph of what a plan does first; of no plan the title alone."""
    actions = {} if plan is None else {one.id: one for one in plan.actions}
    shown = {number: one for number, one in actions.items() if _is_shown(one)}
    lines = ["digraph plan {", f"  label={_quoted(title)}; labelloc=t; rankdir=LR; node [fontname=Helvetica];"]
    for number, one in sorted(shown.items()):
        lines.append(f"  a{number} [label={_quoted(_label(one))}, {_SHAPES.get(one.task, _USUAL)}];")
    for number in sorted(shown):
        lines += [f"  a{before} -> a{number};" for before in sorted(_before(number, actions, shown))]
    return "\n".join([*lines, "}"]) + "\n"


def _is_shown(action: PlannedAction) -> bool:
    return action.kind is not ActionKind.PSEUDO and action.task not in ("monitor", "cancel", "notify")


def _before(number: int, actions: Mapping[int, PlannedAction], shown: Mapping[int, PlannedAction]) -> set[int]:
    """The shown actions that come before one, also through what is not shown."""
    found: set[int] = set()
    seen: set[int] = set()
    waiting = list(actions[number].triggers)
    while waiting:
        at = waiting.pop()
        if at in seen or at not in actions:
            continue
        seen.add(at)
        if at in shown:
            found.add(at)
        else:
            waiting.extend(actions[at].triggers)
    return found


def _label(action: PlannedAction) -> str:
    word = "fence" if action.task == "stonith" else action.task.replace("_", " ")
    return f"{word} {action.resource or action.node or ''}" + (
        f" on {action.node}" if action.resource and action.node else ""
    )


def _quoted(text: str) -> str:
    return '"' + printable(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
