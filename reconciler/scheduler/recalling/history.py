"""Recorded results: their order in time, and which of them are current.

Source: the scheduler's specification, part 1, sections 13.2 and 13.6, appendix A.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reconciler.model.operation import ResultCode
from reconciler.scheduler.working.table_order import merge_sort

if TYPE_CHECKING:
    from reconciler.model.status import HistoryEntry


def sort_entries(entries: Sequence[HistoryEntry]) -> list[HistoryEntry]:
    """One resource's entries of one node from the earliest to the latest; of equals the later written comes first.

    The comparison is no total order, so how they are sorted shows.
    """
    return merge_sort(entries[::-1], _in_time)


def _in_time(left: HistoryEntry, right: HistoryEntry) -> int:
    return compare_entries(left, right, same_node=True)


def compare_entries(left: HistoryEntry, right: HistoryEntry, *, same_node: bool) -> int:
    """Negative when left is earlier than right, positive when later, zero when that can't be told.

    `same_node` says whether both are of one node where they don't tell themselves.
    """
    ours, theirs = left.result, right.result
    if ours.on_node is not None and theirs.on_node is not None:
        same_node = ours.on_node.lower() == theirs.on_node.lower()
    if same_node and left.id == right.id:
        return 0
    call = -1 if ours.call_id is None else ours.call_id
    other_call = -1 if theirs.call_id is None else theirs.call_id
    if call == -1 and other_call == -1:
        return 0
    if same_node and call >= 0 and call < other_call:
        return -1
    if same_node and other_call >= 0 and call > other_call:
        return 1
    if call >= 0 and other_call >= 0 and (not same_node or call == other_call):
        return _compare_changes(ours.changed_s, theirs.changed_s)
    return _compare_transitions(ours.transition, theirs.transition, call, other_call)


def is_later(left: HistoryEntry, right: HistoryEntry, *, same_node: bool) -> bool:
    """Whether left is known to be later than right."""
    return compare_entries(left, right, same_node=same_node) > 0


def _compare_changes(ours: int | None, theirs: int | None) -> int:
    left, right = -1 if ours is None else ours, -1 if theirs is None else theirs
    if left >= 0 and left < right:
        return -1
    return 1 if right >= 0 and left > right else 0


def _compare_transitions(
    left: tuple[int, str] | None, right: tuple[int, str] | None, call: int, other_call: int
) -> int:
    """Order a pending entry and a finished one by the transitions that they belong to."""
    if left is None or right is None:
        return 0
    if left[1] != right[1] or left[0] == right[0]:
        if other_call == -1:
            return -1
        return 1 if call == -1 else 0
    if left[0] == -1:
        return 1
    if right[0] == -1:
        return -1
    return -1 if left[0] < right[0] else 1


def current_range(entries: Sequence[HistoryEntry]) -> tuple[int, int]:
    """The indices of the last start and the last successful stop among sorted entries, -1 for none (section 13.6).

    Without a start the last promotion or demotion stands for it, or else a monitor that found it running.
    """
    start = stop = implied_start = implied_monitor = -1
    for index, entry in enumerate(entries):
        result = entry.result
        task = result.task
        if task == "stop":
            if result.status == 0:
                stop = index
        elif task in ("start", "migrate_from"):
            start = index
        elif task == "monitor":
            if implied_monitor <= stop and result.rc in (ResultCode.OK, ResultCode.PROMOTED):
                implied_monitor = index
        elif task in ("promote", "demote"):
            implied_start = index
    if start == -1:
        start = implied_start if implied_start != -1 else implied_monitor
    return start, stop
