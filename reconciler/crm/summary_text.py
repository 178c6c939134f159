"""The transition summary: one line for everything that changes.

Source: the scheduler's specification, part 3, section 18.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.crm.outline import Outline
from reconciler.scheduler.plan import Change, Verb


def add_summary(outline: Outline, changes: Sequence[Change]) -> None:
    """Add the summary; its columns are as wide as the widest entry needs."""
    outline.begin("Transition Summary")
    width, detail_width = _widths(changes)
    for change in changes:
        if change.verb is Verb.FENCE:
            outline.item(_fencing(change))
        else:
            columns = f"{change.verb.value:<8}   {change.subject:<{width}}   ( {_details(change):>{detail_width}} )"
            outline.item(columns + _reason(change))
    outline.end()


def _fencing(change: Change) -> str:
    reason = f" '{change.reason}'" if change.reason is not None else ""
    guest = f" (resource: {change.guest})" if change.guest is not None else ""
    return f"Fence ({change.detail}) {change.subject}{guest}{reason}"


def _widths(changes: Sequence[Change]) -> tuple[int, int]:
    """The widths of the columns of ids and details: an id that is too long makes room for two more."""
    width = detail_width = 5
    for change in changes:
        if change.verb is Verb.FENCE:
            continue
        if len(change.subject) > width:
            width = len(change.subject) + 2
        detail_width = max(detail_width, len(_details(change)))
    return width, detail_width


def _details(change: Change) -> str:
    """From where to where, with roles where they are more than started and stopped."""
    origin, target, role, next_role = change.from_node, change.to_node, change.from_role, change.to_role
    roles_shown = role in ("Unpromoted", "Promoted") or next_role == "Promoted"
    if origin is None:
        return f"{role} -> {next_role} {target}" if roles_shown else f"{target}"
    if target is None or (origin == target and role == next_role):
        return f"{role} {origin}" if roles_shown else origin
    if role == next_role:
        return f"{origin} -> {target} {role}" if roles_shown else f"{origin} -> {target}"
    if origin == target:
        return f"{role} -> {next_role} {origin}"
    return f"{role} {origin} -> {next_role} {target}"


def _reason(change: Change) -> str:
    if change.reason is None:
        return "  blocked" if change.blocked else ""
    return f"  due to {change.reason}{' (blocked)' if change.blocked else ''}"
