"""The thread that talks to corosync, with a connection that the test speaks for."""

from __future__ import annotations

import os
import queue
import time

import pytest

from reconciler.fabric.corosync import link, window
from reconciler.fabric.corosync.assembly import BEAT
from reconciler.fabric.corosync.events import GroupChanged, Process, Received, Told
from reconciler.fabric.corosync.library import CorosyncError
from reconciler.fabric.corosync.link import CorosyncLink, FormingTime, LinkLost, LinkTold, LinkUp

OWN, OTHER = Process(1, 10), Process(2, 10)
WITHIN_S = 20


class FakeConnection:
    """Gives back what it is sent, unless it is told to refuse or to fail."""

    refusals = 0
    failure: Exception | None = None
    made = 0
    forming_s = 3.0
    asks_device = False
    newest: FakeConnection

    def __init__(self, _: object) -> None:
        type(self).made += 1
        type(self).newest = self
        self.process, self.unfinished = OWN, False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)
        self.descriptors = (self._wake,)
        self._back: list[Told] = [GroupChanged((OWN,), joined=(OWN,))]
        self.closed = False

    def join(self, group: str, node: str) -> None:
        if node == "nobody":
            raise CorosyncError("join the cluster: nobody is not in corosync's nodelist", advice="add it")
        os.eventfd_write(self._wake, 1)

    def send(self, data: bytes) -> bool:
        if type(self).refusals:
            type(self).refusals -= 1
            return False
        self.hear(Received(OWN, data))
        return True

    def hear(self, told: Told) -> None:
        self._back.append(told)
        os.eventfd_write(self._wake, 1)

    def dispatch(self) -> list[Told]:
        if (failure := type(self).failure) is not None:
            type(self).failure = None
            raise failure
        back, self._back = self._back, []
        return back

    def close(self) -> None:
        os.close(self._wake)


@pytest.fixture(autouse=True)
def corosync(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeConnection.refusals, FakeConnection.failure, FakeConnection.made = 0, None, 0
    FakeConnection.forming_s, FakeConnection.asks_device = 3.0, False
    monkeypatch.setattr(link, "Corosync", object)
    monkeypatch.setattr(link, "Connection", FakeConnection)
    monkeypatch.setattr(link, "_AGAIN_S", 0.01)


class Heard:
    """What a link has told."""

    def __init__(self, node: str = "h1", before: CorosyncLink | None = None) -> None:
        self._told: queue.Queue[LinkTold] = queue.Queue()
        self.link = CorosyncLink(node, self._tell, before)

    def _tell(self, _: CorosyncLink, told: list[LinkTold]) -> None:
        for one in told:
            self._told.put(one)

    def next(self, *kinds: type) -> LinkTold:
        """The next thing of these kinds."""
        end = time.monotonic() + WITHIN_S
        while True:
            one = self._told.get(timeout=max(0.0, end - time.monotonic()))
            if isinstance(one, kinds):
                return one


def test_it_joins_sends_in_order_and_beats_when_nothing_else_is_said() -> None:
    heard = Heard()
    assert heard.next(LinkUp) == LinkUp(OWN)
    heard.link.send(b"one")
    heard.link.send(b"two")
    found = []
    while found[-2:] != [b"one", b"two"]:
        told = heard.next(Received)
        assert isinstance(told, Received)
        found.append(told.data)
    assert set(found) <= {b"one", b"two", BEAT}
    assert heard.next(Received) == Received(OWN, BEAT)
    heard.link.close()
    assert heard.link.wait(WITHIN_S)


def test_one_member_beats_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "BEAT_S", 3600.0)
    monkeypatch.setattr(window, "_STAND_BY_S", 3600.0)
    heard = Heard()
    assert heard.next(Received) == Received(OWN, BEAT), "the first one"
    FakeConnection.newest.hear(Received(OTHER, BEAT))
    assert heard.next(Received) == Received(OTHER, BEAT)
    monkeypatch.setattr(window, "BEAT_S", 0.05)
    time.sleep(0.7)  # The thread turns twice a second.
    heard.link.send(b"one")
    assert heard.next(Received) == Received(OWN, b"one"), "no beat before it"
    monkeypatch.setattr(window, "_STAND_BY_S", 0.0)
    heard.link.send(b"two")
    assert [heard.next(Received) for _ in range(2)] == [Received(OWN, b"two"), Received(OWN, BEAT)]
    heard.link.close()
    assert heard.link.wait(WITHIN_S)


def test_what_corosync_does_not_take_is_sent_again() -> None:
    heard = Heard()
    heard.next(LinkUp)
    heard.next(Received)
    FakeConnection.refusals = 5
    heard.link.send(b"again")
    while heard.next(Received) != Received(OWN, b"again"):
        pass
    assert FakeConnection.refusals == 0
    heard.link.close()
    assert heard.link.wait(WITHIN_S)


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (CorosyncError("listen: corosync says it is not running, or has ended (2)", 2, "start it"), "not running"),
        (RuntimeError("nobody thought of that"), "a fault of this program: RuntimeError: nobody thought of that"),
    ],
)
def test_whatever_ends_a_connection_is_told_and_another_is_made(failure: Exception, text: str) -> None:
    heard = Heard()
    heard.next(LinkUp)
    FakeConnection.failure = failure
    heard.link.send(b"x")
    lost = heard.next(LinkLost)
    assert isinstance(lost, LinkLost)
    assert text in lost.why
    heard.next(LinkUp)
    assert FakeConnection.made == 2
    heard.link.close()
    assert heard.link.wait(WITHIN_S)


def test_who_may_not_join_hears_why_and_what_to_do() -> None:
    heard = Heard("nobody")
    assert heard.next(LinkLost) == LinkLost("join the cluster: nobody is not in corosync's nodelist", "add it")
    heard.link.close()
    assert heard.link.wait(WITHIN_S)


def test_the_next_link_waits_until_the_one_before_has_left() -> None:
    """A process can be in a group once."""
    first = Heard()
    first.next(LinkUp)
    second = Heard(before=first.link)
    time.sleep(0.1)
    assert FakeConnection.made == 1
    first.link.close()
    second.next(LinkUp)
    assert first.link.wait(0)
    second.link.close()
    assert second.link.wait(WITHIN_S)
    second.link.close()
    second.link.send(b"too late for anybody")


def test_how_long_a_ring_takes_is_told_again_when_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "_ASK_S", 0.01)
    heard = Heard()
    assert heard.next(FormingTime) == FormingTime(3.0)
    FakeConnection.forming_s = 6.5
    assert heard.next(FormingTime) == FormingTime(6.5)
    FakeConnection.asks_device = True
    assert heard.next(FormingTime) == FormingTime(6.5, asks_device=True)
    heard.link.close()
    assert heard.link.wait(WITHIN_S)


def test_who_takes_nothing_in_leaves_the_group_until_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "MOST_UNTAKEN_BYTES", 1000)
    heard = Heard()
    up = heard.next(LinkUp)
    for _ in range(20):
        heard.link.send(b"x" * 100)
    lost = heard.next(LinkLost)
    assert isinstance(lost, LinkLost)
    assert "stood still" in lost.why
    time.sleep(0.2)
    assert FakeConnection.made == 1, "nothing more is heard as long as it is not taken in"
    heard.link.taken([up, Received(OWN, b"x" * 100_000)])  # All of it.
    assert heard.next(LinkUp) == up
    heard.link.close()
    assert heard.link.wait(WITHIN_S)
