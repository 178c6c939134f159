"""What is told of fencing: each record as it is, the tries newest first, bounded, of all nodes or of one; and how people read it."""

from __future__ import annotations

import pytest

from reconciler.cli.node.fence_history import fence_lines
from reconciler.controller.fencing.record import (
    MOST_HISTORY,
    Down,
    FenceCause,
    FenceOrder,
    FenceProgress,
    Fencing,
    HistoryLine,
    Ordered,
    Wanted,
)
from reconciler.controller.fencing.topology import FenceStep
from reconciler.daemon.fence_records import fencing_document

WANTED = Wanted("n2", "b2", FenceCause.LOST, "reboot", "it was lost", 4_000)
ORDER = FenceOrder(7, "n3", 1, "b3", FenceProgress(), (FenceStep("ipmi", "off", True),), 2, True, "n1", "n1-1", 60_000)
FENCING = Fencing(
    {
        "n2": WANTED,
        "n3": Ordered(Wanted("n3", "b3", FenceCause.FAILED, "off", "the stop of a failed", 5_000), ORDER),
        "n4": Down("n4", "b4", "n1", 6_500),
    },
    history=(
        HistoryLine("n4", "reboot", "ipmi", "n1", 3_000, False, "Connection\ntimed out"),
        HistoryLine("n4", "reboot", "pdu", "n1", 6_500, True),
    ),
)


def test_each_record_is_told_as_it_is() -> None:
    wanted, ordered, down = fencing_document(FENCING)["records"]
    assert wanted == {
        "node": "n2",
        "state": "wanted",
        "action": "reboot",
        "cause": "lost",
        "why": "it was lost",
        "since_at": 4.0,
    }
    assert ordered == {
        "node": "n3",
        "state": "ordered",
        "action": "off",
        "cause": "failed",
        "why": "the stop of a failed",
        "since_at": 5.0,
        "device": "ipmi",
        "by": "n1",
    }
    assert down == {"node": "n4", "state": "down", "by": "n1", "at": 6.5}


def test_the_last_try_comes_first() -> None:
    last, first = fencing_document(FENCING)["history"]
    assert (last["device"], last["succeeded"], last["at"]) == ("pdu", True, 6.5)
    assert first == {
        "node": "n4",
        "what": "reboot",
        "device": "ipmi",
        "by": "n1",
        "at": 3.0,
        "succeeded": False,
        "why": "Connection\ntimed out",
    }


@pytest.mark.parametrize(("node", "records", "lines"), [("n2", 1, 0), ("n4", 1, 2), ("n9", 0, 0)])
def test_one_node_may_be_asked_for(node: str, records: int, lines: int) -> None:
    told = fencing_document(FENCING, node)
    assert (len(told["records"]), len(told["history"])) == (records, lines)
    assert {one["node"] for part in told.values() for one in part} <= {node}


def test_what_is_told_is_bounded() -> None:
    many = tuple(HistoryLine("n2", "off", "ipmi", "n1", at_ms, True) for at_ms in range(MOST_HISTORY + 5))
    told = fencing_document(Fencing(history=many))["history"]
    assert len(told) == MOST_HISTORY
    assert told[0]["at"] == (MOST_HISTORY + 4) / 1000


def test_people_read_what_is_under_way_and_a_table_of_tries() -> None:
    assert list(fence_lines(fencing_document(FENCING))) == [
        "n2: reboot is wanted since 1970-01-01 00:00:04Z, because it was lost",
        "n3: off is under way since 1970-01-01 00:00:05Z, because the stop of a failed: ipmi is asked by n1 to do it",
        "n4: down since 1970-01-01 00:00:06Z, by n1: it stays out until its machine was booted",
        "",
        "WHEN                  NODE  WHAT    DEVICE  BY  RESULT  WHY",
        "1970-01-01 00:00:06Z  n4    reboot  pdu     n1  done",
        "1970-01-01 00:00:03Z  n4    reboot  ipmi    n1  failed  Connection timed out",
    ]


def test_where_nothing_was_fenced_that_is_said() -> None:
    assert list(fence_lines(fencing_document(Fencing()))) == ["Nothing was fenced, as far as is remembered."]
