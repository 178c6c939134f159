"""A member sends no more ahead of the slowest one than a window, and keeps its order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconciler.controller.events import Send
from reconciler.controller.flow import ANSWER_BYTES, WINDOW_BYTES, Flow

PIECE = 256 * 1024


def sends(count: int, size: int = PIECE) -> list[Send]:
    return [Send(bytes([number % 256]) * size) for number in range(count)]


def test_what_is_beyond_the_window_waits_until_the_slowest_has_heard() -> None:
    flow = Flow("n1")
    flow.begin(("n1", "n2", "n3"))
    wanted = sends(20)
    assert flow.send(wanted) == wanted[:16]
    assert flow.waiting == 4
    assert flow.confirmed("n2", {"n1": 8 * PIECE}) == []
    assert flow.confirmed("n1", {"n1": 16 * PIECE}) == []
    assert flow.confirmed("n3", {"n1": 2 * PIECE}) == wanted[16:18]
    assert flow.confirmed("n3", {"n1": PIECE}) == [], "no word is taken back"
    assert flow.confirmed("n3", {"n1": 9 * PIECE}) == wanted[18:]


def test_nothing_overtakes_what_waits() -> None:
    flow = Flow("n1")
    flow.begin(("n1", "n2"))
    wanted = sends(17)
    flow.send(wanted)
    assert flow.send(sends(1, 10)) == []


def test_a_node_alone_waits_for_nobody() -> None:
    flow = Flow("n1")
    flow.begin(("n1",))
    assert flow.send(sends(100)) == sends(100)
    assert not flow.delivered("n1", 10 * ANSWER_BYTES)


def test_another_view_forgets_what_waited() -> None:
    flow = Flow("n1")
    flow.begin(("n1", "n2"))
    flow.send(sends(20))
    flow.begin(("n1", "n2"))
    assert flow.waiting == 0
    assert len(flow.send(sends(20))) == 16


def test_after_so_much_was_heard_a_ping_says_so() -> None:
    flow = Flow("n2")
    flow.begin(("n1", "n2"))
    assert [flow.delivered("n1", PIECE) for _ in range(8)] == [False, False, False, True] * 2
    assert flow.heard == {"n1": 8 * PIECE, "n2": 0}


@given(st.lists(st.tuples(st.sampled_from(["send", "n1", "n2", "n3"]), st.integers(1, PIECE)), max_size=200))
def test_never_more_than_the_window_is_on_its_way_and_all_arrives_in_order(steps: list[tuple[str, int]]) -> None:
    flow = Flow("n1")
    flow.begin(("n1", "n2", "n3"))
    asked, gone, heard = [], [], dict.fromkeys(("n1", "n2", "n3"), 0)
    for what, size in steps:
        if what == "send":
            asked.append(Send(bytes(size)))
            gone += flow.send(asked[-1:])
        else:
            heard[what] = min(heard[what] + size * 8, sum(len(one.data) for one in gone))
            gone += flow.confirmed(what, {"n1": heard[what]})
        assert sum(len(one.data) for one in gone) - min(heard.values()) <= WINDOW_BYTES
    for node in heard:
        gone += flow.confirmed(node, {"n1": 1 << 40})
    assert gone == asked
