"""Lines of the transition summary: each row is a change and its line, most of them as the published cases have them."""

from __future__ import annotations

import pytest

from reconciler.crm.outline import Outline
from reconciler.crm.summary_text import add_summary
from reconciler.scheduler.plan import Change, Verb


def lines(*changes: Change, fancy: bool = True) -> list[str]:
    outline = Outline(fancy=fancy)
    add_summary(outline, changes)
    return outline.lines


PRIMITIVE = {"from_role": "Started", "to_role": "Started"}


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (Change(Verb.START, "A", None, "n1", "Stopped", "Started"), "  * Start      A       (    n1 )"),
        (Change(Verb.STOP, "A", "n1", None, "Started", "Stopped"), "  * Stop       A       (    n1 )"),
        (Change(Verb.MOVE, "B", "n1", "n2", **PRIMITIVE), "  * Move       B       ( n1 -> n2 )"),
        (Change(Verb.RESTART, "A", "n1", "n1", **PRIMITIVE), "  * Restart    A       (    n1 )"),
        (Change(Verb.PROMOTE, "s:1", "a", "a", "Unpromoted", "Promoted"), "  * Promote    s:1     ( Unpromoted -> Promoted a )"),
        (Change(Verb.STOP, "s:0", "b", None, "Unpromoted", "Stopped"), "  * Stop       s:0     ( Unpromoted b )"),
        (Change(Verb.START, "s:0", None, "b", "Stopped", "Promoted"), "  * Start      s:0     ( Stopped -> Promoted b )"),
        (Change(Verb.MOVE, "s", "a", "b", "Promoted", "Promoted"), "  * Move       s       ( a -> b Promoted )"),
        (
            Change(Verb.MOVE, "s", "a", "b", "Promoted", "Unpromoted"),
            "  * Move       s       ( Promoted a -> Unpromoted b )",
        ),
        (
            Change(Verb.START, "B", None, "n1", "Stopped", "Started", reason="unrunnable A start", blocked=True),
            "  * Start      B       (    n1 )  due to unrunnable A start (blocked)",
        ),
        (Change(Verb.START, "B", None, "n1", "Stopped", "Started", blocked=True), "  * Start      B       (    n1 )  blocked"),
        (Change(Verb.FENCE, "n1", detail="off", reason="node is unclean"), "  * Fence (off) n1 'node is unclean'"),
    ],
)  # fmt: skip
def test_line(change: Change, line: str):
    assert lines(change) == ["Transition Summary:", line]


def test_an_id_that_is_too_long_makes_room_for_two_more_and_the_widest_detail_decides():
    found = lines(
        Change(Verb.START, "short", None, "n1", "Stopped", "Started"),
        Change(Verb.MOVE, "a-long-name", "node-one", "node-two", **PRIMITIVE),
    )
    assert found[1:] == [
        "  * Start      short           (                   n1 )",
        "  * Move       a-long-name     ( node-one -> node-two )",
    ]


def test_without_ornament_there_is_neither_title_nor_bullet():
    found = lines(Change(Verb.START, "A", None, "n1", "Stopped", "Started"), fancy=False)
    assert found == ["Start      A       (    n1 )"]
