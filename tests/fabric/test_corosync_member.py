"""A node over corosync, with a link that the test speaks for: what the listener is told, and what an operator is."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

import pytest

from reconciler.controller.membership.events import View
from reconciler.fabric.corosync import link, member
from reconciler.fabric.corosync.assembly import mark, message
from reconciler.fabric.corosync.events import (
    GroupChanged,
    NodesFaulty,
    NodesRead,
    Process,
    QuorumTold,
    Received,
    Ring,
    RingFormed,
)
from reconciler.fabric.corosync.link import FormingTime, LinkLost, LinkTold, LinkUp
from reconciler.fabric.corosync.member import CorosyncFabric

OWN, OTHER = Process(1, 10), Process(2, 10)
UP: list[LinkTold] = [
    LinkUp(OWN),
    FormingTime(3.0),
    NodesRead({1: "h1", 2: "h2"}),
    QuorumTold(Ring(1, 1), True, 2, 0, (1, 2)),
    GroupChanged((OWN, OTHER), joined=(OWN,)),
    RingFormed(Ring(1, 1)),
]
MARK = Received(OTHER, mark("a" * 32, "", {OWN: "h1", OTHER: "h2"}))


class Speaker:
    """Stands for the thread that talks to corosync."""

    made: list[Speaker]

    def __init__(self, node: str, tell: Callable[[Speaker, list[LinkTold]], None], before: Speaker | None) -> None:
        self.sent: list[bytes] = []
        self.joined, self.closed, self.slow, self.waited = False, False, False, False
        self.taken_in: list[LinkTold] = []
        self.turned_s, self.owed_since_s = 0.0, None
        self._tell = tell
        type(self).made.append(self)

    async def tell(self, *told: LinkTold) -> None:
        self._tell(self, list(told))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def forget(self) -> None:
        self.sent.clear()

    def again_slowly(self) -> None:
        self.slow = True

    def close(self) -> None:
        self.closed = True

    def taken(self, told: list[LinkTold]) -> None:
        self.taken_in += told

    def wait(self, _: float | None) -> bool:
        self.waited = True
        return True


class Listener:
    def __init__(self) -> None:
        self.views: list[View] = []
        self.messages: list[tuple[str, bytes]] = []

    def view_changed(self, view: View) -> None:
        self.views.append(view)

    def delivered(self, sender: str, data: bytes) -> None:
        self.messages.append((sender, data))


@pytest.fixture(autouse=True)
def speaker(monkeypatch: pytest.MonkeyPatch) -> None:
    Speaker.made = []
    monkeypatch.setattr(member, "CorosyncLink", Speaker)
    assert link.CorosyncLink is not Speaker


def begun() -> tuple[CorosyncFabric, Listener, Speaker]:
    fabric, listener = CorosyncFabric("h1"), Listener()
    fabric.join(listener)
    return fabric, listener, Speaker.made[-1]


def test_in_a_view_what_is_sent_goes_to_the_group_and_comes_back() -> None:
    async def live() -> None:
        fabric, listener, speaker = begun()
        fabric.broadcast(b"too early")
        await speaker.tell(*UP)
        assert len(speaker.sent) == 1, "its mark"
        await speaker.tell(MARK)
        fabric.broadcast(b"hello")
        assert speaker.sent == [message(b"hello")]
        await speaker.tell(Received(OWN, message(b"hello")), Received(OTHER, message(b"welcome")))
        assert [view.members for view in listener.views] == [("h1", "h2")]
        assert listener.messages == [("h1", b"hello"), ("h2", b"welcome")]
        assert fabric.trouble is None
        fabric.leave()
        assert speaker.closed

    asyncio.run(live())


def test_without_corosync_it_is_alone_without_quorum_says_what_to_do_and_comes_back() -> None:
    async def live() -> None:
        fabric, listener, speaker = begun()
        await speaker.tell(*UP, MARK)
        for _ in range(2):
            await speaker.tell(
                LinkLost("listen: corosync says it is not running, or has ended (2)", "start corosync on this host")
            )
        fabric.broadcast(b"to myself")
        alone = listener.views[-1]
        assert [view.members for view in listener.views] == [("h1", "h2"), ("h1",)]
        assert not alone.ring.quorate
        assert listener.messages == [("h1", b"to myself")]
        assert fabric.trouble is not None
        assert "start corosync on this host" in fabric.trouble
        await speaker.tell(*UP)
        assert fabric.trouble is not None, "nobody has taken it in yet"
        await speaker.tell(MARK)
        assert listener.views[-1].members == ("h1", "h2")
        assert fabric.trouble is None
        fabric.leave()

    asyncio.run(live())


def test_a_node_list_that_cannot_be_used_any_more_costs_nobody_the_place_and_is_told() -> None:
    async def live() -> None:
        fabric, listener, speaker = begun()
        await speaker.tell(*UP, MARK)
        await speaker.tell(NodesFaulty("read corosync's node list: node 3 has no name", "give it one"))
        assert [view.members for view in listener.views] == [("h1", "h2")]
        assert fabric.trouble is not None
        assert "node 3 has no name (give it one)" in fabric.trouble
        assert "the one before counts" in fabric.trouble
        await speaker.tell(NodesRead({1: "h1", 2: "h2"}))
        assert fabric.trouble is None
        fabric.leave()

    asyncio.run(live())


def test_between_two_views_nothing_is_sent() -> None:
    async def live() -> None:
        fabric, listener, speaker = begun()
        await speaker.tell(*UP, MARK)
        fabric.broadcast(b"of the view before")
        await speaker.tell(GroupChanged((OWN,), left=(OTHER,)))
        fabric.broadcast(b"of no view")
        assert [data for data in speaker.sent if data.startswith(message(b""))] == []
        assert len(listener.views) == 1
        fabric.leave()

    asyncio.run(live())


def test_a_corosync_that_does_not_answer_counts_as_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own time is 3 s, and one more; the link's thread has not turned since the beginning of time."""
    monkeypatch.setattr(member, "_LOOK_S", 0.01)
    now = [100.0]
    monkeypatch.setattr(member, "monotonic", lambda: now[0])

    async def live() -> None:
        fabric, listener, speaker = begun()
        await speaker.tell(*UP, MARK)
        speaker.joined, speaker.turned_s = True, now[0]
        for _ in range(40):
            now[0] += 0.5
            await asyncio.sleep(0.015)
            if len(Speaker.made) > 1:
                break
        assert 104.0 < now[0] < 106.0
        assert speaker.closed
        assert [view.members for view in listener.views] == [("h1", "h2"), ("h1",)]
        assert fabric.trouble is not None
        assert "corosync does not answer" in fabric.trouble
        await speaker.tell(Received(OTHER, message(b"of a place that was given up")))
        assert listener.messages == []
        await Speaker.made[1].tell(*UP, MARK)
        assert listener.views[-1].members == ("h1", "h2")
        fabric.leave()

    asyncio.run(live())


def test_who_can_be_no_member_is_alone_and_comes_back_slowly() -> None:
    async def live() -> None:
        fabric, listener, speaker = begun()
        await speaker.tell(*UP, Received(OTHER, mark("b" * 32, "", {OWN: "h9", OTHER: "h2"})))
        assert speaker.slow
        assert [view.members for view in listener.views] == [("h1",)]
        assert fabric.trouble is not None
        assert "others call it h9" in fabric.trouble
        fabric.leave()

    asyncio.run(live())


def alone_after(monkeypatch: pytest.MonkeyPatch, *told: LinkTold, turns: bool, seconds: float = 60.0) -> float | None:
    """After how many seconds a node takes itself for alone: a call does not end, or (`turns`) what was sent does not come back."""
    monkeypatch.setattr(member, "_LOOK_S", 0.001)
    now = [100.0]
    monkeypatch.setattr(member, "monotonic", lambda: now[0])
    found: list[float] = []

    async def live() -> None:
        fabric, _, speaker = begun()
        await speaker.tell(*UP, MARK)
        await speaker.tell(*told)
        speaker.joined, speaker.turned_s, began_s = True, now[0], now[0]
        speaker.owed_since_s = now[0] if turns else None
        while now[0] - began_s < seconds and len(Speaker.made) == 1:
            now[0] += 0.5
            speaker.turned_s = now[0] if turns else began_s
            await asyncio.sleep(0.003)
        if len(Speaker.made) > 1:
            found.append(now[0] - began_s)
        fabric.leave()

    asyncio.run(live())
    return found[0] if found else None


def test_how_long_it_is_waited_follows_what_corosync_runs_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fifth node and a longer token make a ring take longer; the members went alone at the next loss of one."""
    assert alone_after(monkeypatch, turns=False) in (4.5, 5.0)
    Speaker.made.clear()
    assert alone_after(monkeypatch, FormingTime(6.5), turns=False) in (8.0, 8.5)


def test_while_corosync_answers_a_ring_may_begin_anew_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second host that is lost while a ring forms takes the same time again."""
    found = alone_after(monkeypatch, FormingTime(6.0), turns=True)
    assert found is not None
    assert 13.0 < found <= 14.0


def test_a_ring_that_asks_a_quorum_device_may_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that comes had the others stop what they ran: their corosync waited for the device before it delivered anything."""
    found = alone_after(monkeypatch, FormingTime(2.2), turns=True)
    assert found is not None
    assert 5.0 < found <= 6.0
    Speaker.made.clear()
    found = alone_after(monkeypatch, FormingTime(2.2, asks_device=True), turns=True)
    assert found is not None
    assert 9.0 < found <= 10.0


def test_who_hears_nothing_is_alone_before_the_others_may_start_what_runs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """They hold it for lost after one forming, and wait 10 s and a stop. It sends once in a second, and looks twice."""
    for forming_s, asks_device in itertools.product((1.0, 3.6, 8.0, 20.0), (False, True)):
        Speaker.made.clear()
        found = alone_after(monkeypatch, FormingTime(forming_s, asks_device), turns=True)
        assert found is not None
        assert found + 1.0 < forming_s + 10.0


def test_to_leave_holds_nothing_up_and_the_last_words_have_their_time() -> None:
    async def live() -> None:
        fabric, _, speaker = begun()
        await speaker.tell(*UP, MARK)
        assert len(speaker.taken_in) == len(UP) + 1
        fabric.leave()
        assert speaker.closed
        assert not speaker.waited
        fabric.gone(1.0)
        assert speaker.waited

    asyncio.run(live())
