"""Recorded results: their order in time, and which of them are current."""

from __future__ import annotations

import pytest
from histories import entry
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.status import HistoryEntry
from reconciler.scheduler.recalling.history import compare_entries, current_range, sort_entries

OTHER = "2:7:0:22222222-2222-2222-2222-222222222222"

ORDERS = [
    pytest.param(
        entry("start", call=1, transition=9), entry("stop", call=2, transition=3), -1, id="by call id on one node"
    ),
    pytest.param(entry("start", call=3), entry("stop", call=2), 1, id="whichever comes first"),
    pytest.param(
        entry("start", call=2, id="a", age_s=5),
        entry("stop", call=2, id="b", age_s=1),
        -1,
        id="by time for the same call",
    ),
    pytest.param(
        entry("start", call=9, age_s=5, on_node="n1"),
        entry("stop", call=2, age_s=1, on_node="n2"),
        -1,
        id="by time on different nodes",
    ),
    pytest.param(entry("start", call=-1), entry("stop", call=-1), 0, id="two under way can't be told apart"),
    pytest.param(entry("start", call=1, id="x"), entry("stop", call=2, id="x"), 0, id="nor can what has the same id"),
    pytest.param(
        entry("start", call=5, transition=3),
        entry("stop", call=-1, transition=4),
        -1,
        id="what is under way: by transition",
    ),
    pytest.param(
        entry("start", call=5, transition=4),
        entry("stop", call=-1, transition=3),
        1,
        id="the transition before this one",
    ),
    pytest.param(
        entry("start", call=5, transition=4),
        entry("stop", call=-1, transition=4),
        -1,
        id="in one transition it is the later",
    ),
    pytest.param(
        entry("start", call=5, transition=9),
        entry("stop", call=-1, **{"transition-magic": f"0:0;{OTHER}"}),
        -1,
        id="and so it is under another DC",
    ),
]


@pytest.mark.parametrize(("left", "right", "expected"), ORDERS)
def test_which_is_earlier(left: HistoryEntry, right: HistoryEntry, expected: int) -> None:
    assert compare_entries(left, right, same_node=True) == expected
    assert compare_entries(right, left, same_node=True) == -expected


def test_what_cannot_be_told_apart_comes_in_reverse_order() -> None:
    entries = [entry("start", call=-1, id=id) for id in "abc"]
    assert [one.id for one in sort_entries(entries)] == ["c", "b", "a"]


@given(st.lists(st.integers(0, 20), unique=True))
def test_entries_with_calls_of_their_own_are_sorted_by_them(calls: list[int]) -> None:
    entries = [entry("monitor", call=call) for call in calls]
    assert [one.attributes["call-id"] for one in sort_entries(entries)] == [str(call) for call in sorted(calls)]


START, STOP, PROMOTE = entry("start"), entry("stop"), entry("promote")
FAILED_STOP, FOUND, LOST = (
    entry("stop", 1),
    entry("monitor", interval_ms=10_000),
    entry("monitor", 7, interval_ms=10_000),
)

RANGES = [
    pytest.param([], (-1, -1), id="nothing"),
    pytest.param([START, FOUND], (0, -1), id="a start"),
    pytest.param([START, STOP, START], (2, 1), id="the last start and the last stop"),
    pytest.param([START, FAILED_STOP], (0, -1), id="a stop that failed is none"),
    pytest.param([entry("migrate_from")], (0, -1), id="arriving is a start"),
    pytest.param([FOUND, PROMOTE, FOUND], (1, -1), id="without a start, a promotion stands for it"),
    pytest.param([LOST, FOUND, FOUND], (1, -1), id="or the first monitor that found it running"),
    pytest.param([FOUND, STOP, FOUND, FOUND], (2, 1), id="after the last stop"),
]


@pytest.mark.parametrize(("entries", "expected"), RANGES)
def test_what_is_current(entries: list[HistoryEntry], expected: tuple[int, int]) -> None:
    assert current_range(entries) == expected
