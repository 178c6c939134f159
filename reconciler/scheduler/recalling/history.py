"""Recorded results: their order in time, and which of them are current.

Source: the scheduler's specification, part 1, sections 13.2 and 13.6, appendix A.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from reconciler.model.text import integer

if TYPE_CHECKING:
    from reconciler.model.status import HistoryEntry


def sort_entries(entries: Sequence[HistoryEntry]) -> list[HistoryEntry]:
    """One resource's entries of one node from the earliest to the latest; of equals the later written comes first."""
    return _merge_sort(list(reversed(entries))) if len(entries) > 1 else list(entries)


def _merge_sort(entries: list[HistoryEntry]) -> list[HistoryEntry]:
    """A stable merge sort that splits in halves: the comparison is no total order, so how it is sorted shows."""
    if len(entries) < 2:
        return entries
    middle = len(entries) // 2
    left, right = _merge_sort(entries[:middle]), _merge_sort(entries[middle:])
    merged: list[HistoryEntry] = []
    taken_left = taken_right = 0
    while taken_left < len(left) and taken_right < len(right):
        if compare_entries(left[taken_left], right[taken_right], same_node=True) <= 0:
            merged.append(left[taken_left])
            taken_left += 1
        else:
            merged.append(right[taken_right])
            taken_right += 1
    return merged + left[taken_left:] + right[taken_right:]


def compare_entries(left: HistoryEntry, right: HistoryEntry, *, same_node: bool) -> int:
    """Negative when left is earlier than right, positive when later, zero when that can't be told.

    `same_node` says whether both are of one node where they don't tell themselves.
    """
    ours, theirs = left.attributes, right.attributes
    if "on_node" in ours and "on_node" in theirs:
        same_node = ours["on_node"].lower() == theirs["on_node"].lower()
    if same_node and left.id == right.id:
        return 0
    call, other_call = integer(ours.get("call-id"), -1), integer(theirs.get("call-id"), -1)
    if call == -1 and other_call == -1:
        return 0
    if same_node and call >= 0 and call < other_call:
        return -1
    if same_node and other_call >= 0 and call > other_call:
        return 1
    if call >= 0 and other_call >= 0 and (not same_node or call == other_call):
        return _compare_changes(ours.get("last-rc-change"), theirs.get("last-rc-change"))
    return _compare_magic(ours.get("transition-magic"), theirs.get("transition-magic"), call, other_call)


def is_later(left: HistoryEntry, right: HistoryEntry, *, same_node: bool) -> bool:
    """Whether left is known to be later than right."""
    return compare_entries(left, right, same_node=same_node) > 0


def _compare_changes(ours: str | None, theirs: str | None) -> int:
    left, right = integer(ours, -1), integer(theirs, -1)
    if left >= 0 and left < right:
        return -1
    return 1 if right >= 0 and left > right else 0


def _compare_magic(ours: str | None, theirs: str | None, call: int, other_call: int) -> int:
    """Order a pending entry and a finished one by the transitions that they belong to."""
    left, right = _transition(ours), _transition(theirs)
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


def _transition(magic: str | None) -> tuple[int, str] | None:
    """Number and uuid of the transition in a text `status:rc;action:transition:target:uuid`."""
    if magic is None:
        return None
    fields = magic.partition(";")[2].split(":", 3)
    return (integer(fields[1], -1), fields[3]) if len(fields) == 4 else None


@lru_cache(maxsize=4096)
def interval_of(text: str | None) -> int:
    """The interval of an entry in milliseconds; 0 for one that doesn't recur."""
    return integer(text)


def current_range(entries: Sequence[HistoryEntry]) -> tuple[int, int]:
    """The indices of the last start and the last successful stop among sorted entries, -1 for none (section 13.6).

    Without a start the last promotion or demotion stands for it, or else a monitor that found it running.
    """
    start = stop = implied_start = implied_monitor = -1
    for index, entry in enumerate(entries):
        attributes = entry.attributes
        task = attributes.get("operation")
        if task == "stop":
            if attributes.get("op-status") == "0":
                stop = index
        elif task in ("start", "migrate_from"):
            start = index
        elif task == "monitor":
            if implied_monitor <= stop and attributes.get("rc-code") in ("0", "8"):
                implied_monitor = index
        elif task in ("promote", "demote"):
            implied_start = index
    if start == -1:
        start = implied_start if implied_start != -1 else implied_monitor
    return start, stop
