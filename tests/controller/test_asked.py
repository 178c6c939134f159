"""What a cleanup and a refresh make nodes forget, history by history."""

from __future__ import annotations

import pytest

from reconciler.cib.observations import AttributeSet, EntryForgotten, ResourceForgotten
from reconciler.controller.asked import cleaned_up, refreshed
from reconciler.model.attributes import plain
from reconciler.model.status import HistoryEntry, NodeState, ResourceHistory, Status


def entry(id: str, operation: str, rc: int, status: int = 0, interval_ms: int = 0, target: int = 0) -> HistoryEntry:
    told = {
        "operation": operation, "rc-code": str(rc), "op-status": str(status), "interval": str(interval_ms),
        "transition-key": f"1:1:{target}:run",
    }  # fmt: skip
    return HistoryEntry(id, told)


def status(*entries: HistoryEntry, **transient: str) -> Status:
    histories = (
        ResourceHistory("a", {}, entries),
        ResourceHistory("b", {}, (entry("b_last_0", "monitor", 7, target=7),)),
    )
    return Status(nodes=(NodeState("n1", "n1", history=histories, transient=plain(transient) if transient else ()),))


FORGOTTEN = (ResourceForgotten("n1", "a"),)
PROBED = entry("a_last_0", "monitor", 7, target=7)
STARTED = entry("a_last_0", "start", 0)


@pytest.mark.parametrize(
    ("entries", "forgotten"),
    [
        ((PROBED,), False),
        ((STARTED,), False),
        ((entry("a_last_0", "start", 1),), True),
        ((entry("a_last_0", "promote", 1),), True),
        ((entry("a_last_0", "stop", 1),), True),
        ((entry("a_last_0", "stop", 0),), False),
        ((entry("a_last_0", "start", 0, 2),), True),
        ((entry("a_last_0", "start", 193, -1),), False),
        ((entry("a_last_0", "monitor", 5, target=7),), True),
        ((STARTED, entry("a_monitor_10000", "monitor", 1, 0, 10_000)), False),
        ((entry("a_last_0", "promote", 0), entry("a_monitor_10000", "monitor", 1, 0, 10_000)), False),
        ((entry("a_last_0", "demote", 0), entry("a_monitor_10000", "monitor", 1, 0, 10_000)), False),
        ((entry("a_last_0", "migrate_from", 0), entry("a_monitor_10000", "monitor", 1, 0, 10_000)), False),
        ((entry("a_last_0", "stop", 0), entry("a_monitor_10000", "monitor", 1, 0, 10_000)), True),
        ((entry("a_monitor_10000", "monitor", 1, 0, 10_000),), True),
        ((entry("a_monitor_10000", "monitor", 8, 0, 10_000, 8),), False),
        ((entry("a_monitor_10000", "monitor", 0, 0, 10_000, -1),), False),
    ],
)
def test_what_has_failed_is_forgotten_whole_only_where_it_can_not_be_running(
    entries: tuple[HistoryEntry, ...], forgotten: bool
) -> None:
    """A probe with changed parameters would not see it, and it would be started a second time."""
    assert cleaned_up(status(*entries), ("a",)) == (FORGOTTEN if forgotten else ())


def test_counts_and_the_last_failure_are_forgotten_in_any_case() -> None:
    failure = entry("a_last_failure_0", "monitor", 1, 0, 10_000)
    counts = {"fail-count-a#monitor_10000": "1", "last-failure-a#monitor_10000": "5", "fail-count-b#start_0": "1"}
    cleared = (
        AttributeSet("n1", "fail-count-a#monitor_10000", None),
        AttributeSet("n1", "last-failure-a#monitor_10000", None),
        EntryForgotten("n1", "a", "a_last_failure_0"),
    )
    assert cleaned_up(status(STARTED, failure, **counts), ("a",)) == cleared
    assert cleaned_up(status(PROBED, failure, **counts), ("a",)) == (*cleared, *FORGOTTEN)
    assert cleaned_up(status(PROBED, **counts), ("a",)) == (*cleared[:2], *FORGOTTEN)
    assert cleaned_up(Status(nodes=(NodeState("n1", "n1", transient=plain(counts)),)), ("a",)) == cleared[:2]
    assert cleaned_up(status(PROBED, failure, **counts), ()) == ()


@pytest.mark.parametrize(
    ("entries", "forgotten"),
    [
        ((PROBED,), True),
        ((STARTED,), True),
        ((STARTED, entry("a_monitor_10000", "monitor", 0, 0, 10_000)), False),
        ((STARTED, entry("a_check_10000", "check", 0, 0, 10_000)), True),
        ((entry("a_last_0", "start", 193, -1),), False),
    ],
)
def test_a_refresh_forgets_what_is_neither_monitored_nor_under_way(
    entries: tuple[HistoryEntry, ...], forgotten: bool
) -> None:
    assert refreshed(status(*entries), ("a",)) == (FORGOTTEN if forgotten else ())
    assert refreshed(status(*entries), ("c",)) == ()
