"""What corosync tells becomes views that all have alike: event by event. What real corosync told is replayed in tests/corosync."""

from __future__ import annotations

import pytest

from reconciler.controller.membership.events import View
from reconciler.fabric.corosync import assembly
from reconciler.fabric.corosync.assembly import (
    Announce,
    AtRest,
    Deliver,
    Out,
    SendMark,
    ViewAssembly,
    mark,
    message,
    step,
)
from reconciler.fabric.corosync.events import GroupChanged, NodesRead, Process, QuorumTold, Received, Ring, RingFormed

NAMES = {1: "h1", 2: "h2", 3: "h3"}
A, B, C = Process(1, 10), Process(2, 10), Process(3, 10)


class Host:
    """An assembly, with what it was told and what came of it."""

    def __init__(self, own: Process | None = None) -> None:
        self.known = ViewAssembly(own or Process(0, 0))
        self.views: list[View] = []
        self.delivered: list[tuple[str, str, bytes]] = []
        self.wanted: list[SendMark] = []
        self.out: list[Out] = []

    def tell(self, *events: assembly.Event) -> Host:
        for event in events:
            self.known, effects = step(self.known, event)
            for effect in effects:
                match effect:
                    case Announce(view):
                        self.views.append(view)
                    case Deliver(sender, data):
                        self.delivered.append((self.views[-1].id, sender, data))
                    case SendMark():
                        self.wanted.append(effect)
                    case Out():
                        self.out.append(effect)
        return self

    @property
    def mark(self) -> bytes:
        """The bytes of the mark that was wanted last."""
        return mark(f"{self.known.own.nodeid:016x}{len(self.wanted):016x}", self.wanted[-1].base, self.wanted[-1].names)


def verdict(seq: int, *hosts: int, quorate: bool = True) -> QuorumTold:
    return QuorumTold(Ring(hosts[0], seq), quorate, 2, 0, hosts)


def ring(seq: int, *hosts: int) -> tuple[RingFormed, QuorumTold]:
    return RingFormed(Ring(hosts[0], seq)), verdict(seq, *hosts)


def joined(own: Process, *members: Process) -> Host:
    """A host that has just come into a group of these members, in a ring of all hosts."""
    told = (NodesRead(NAMES), GroupChanged(members, joined=(own,)), *ring(1, 1, 2, 3), AtRest())
    return Host(own).tell(*told)


def in_view() -> tuple[Host, Host, Host]:
    """Three hosts in one view."""
    hosts = joined(A, A, B, C), joined(B, A, B, C), joined(C, A, B, C)
    for host in hosts:
        host.tell(Received(A, hosts[0].mark))
    return hosts


def test_the_first_mark_makes_the_view_and_all_have_the_same() -> None:
    hosts = joined(A, A, B, C), joined(B, A, B, C), joined(C, A, B, C)
    marks = [Received(host.known.own, host.mark) for host in hosts]
    for host in hosts:
        host.tell(marks[1], marks[0], marks[2])
    (first, second, third) = (host.views for host in hosts)
    assert first == second == third
    assert [view.members for view in first] == [("h1", "h2", "h3")]
    assert first[0].ring.quorate
    assert first[0].hosts == first[0].nodes == ("h1", "h2", "h3")


def test_what_is_delivered_between_a_change_and_the_mark_is_of_nobody() -> None:
    host, *_ = in_view()
    host.tell(Received(B, message(b"one")), GroupChanged((A, B), left=(C,)), Received(B, message(b"two")), AtRest())
    host.tell(Received(A, host.mark), Received(B, message(b"three")))
    assert [(view, data) for view, _, data in host.delivered] == [
        (host.views[0].id, b"one"),
        (host.views[1].id, b"three"),
    ]


def test_nothing_is_taken_in_before_the_verdict_of_the_ring() -> None:
    first, second, _ = in_view()
    change = (GroupChanged((A, B), left=(C,)), RingFormed(Ring(1, 2)))
    second.tell(*change, verdict(2, 1, 2), AtRest())
    first.tell(*change, AtRest())
    assert len(first.wanted) == 1, "it has no verdict, so it sends no mark"
    first.tell(Received(B, second.mark), Received(B, message(b"early")))
    assert len(first.views) == 1
    first.tell(verdict(2, 1, 2, quorate=False))
    assert [view.members for view in first.views] == [("h1", "h2", "h3"), ("h1", "h2")]
    assert not first.views[1].ring.quorate
    assert first.delivered == [(first.views[1].id, "h2", b"early")]


def test_another_verdict_makes_another_view_once() -> None:
    hosts = in_view()
    for host in hosts:
        host.tell(verdict(1, 1, 2, 3, quorate=False), AtRest(), AtRest())
        assert len(host.wanted) == 2, "one for the configuration, and one for the verdict"
    late = Received(C, hosts[2].mark)
    for host in hosts:
        host.tell(Received(A, hosts[0].mark), late, AtRest())
        assert [view.ring.quorate for view in host.views] == [True, False]
        assert len(host.wanted) == 2
    assert hosts[0].views == hosts[1].views == hosts[2].views


def test_a_mark_that_comes_late_makes_no_view_in_place_of_one() -> None:
    host, other, _ = in_view()
    stale = Received(B, other.mark)
    host.tell(stale)
    assert len(host.views) == 1


def test_a_mark_of_the_group_before_leaves_nobody_out_who_came_since() -> None:
    host, newcomer = joined(A, A, B), joined(C, A, B, C)
    stale = Received(A, host.mark)
    host.tell(GroupChanged((A, B, C), joined=(C,)), AtRest(), stale)
    newcomer.tell(stale)
    assert host.views == newcomer.views == []
    assert newcomer.out == []
    for one in (host, newcomer):
        one.tell(Received(A, host.mark))
    assert [view.members for view in newcomer.views] == [("h1", "h2", "h3")]
    assert host.views == newcomer.views


def test_the_ring_alone_makes_a_view() -> None:
    """A host came on which nobody is in the group: who is there has changed, and so may the verdict."""
    host = joined(A, A).tell()
    host.tell(Received(A, host.mark), RingFormed(Ring(1, 2)), verdict(2, 1, 2), AtRest())
    host.tell(Received(A, host.mark))
    assert [(view.members, view.hosts) for view in host.views] == [
        (("h1",), ("h1", "h2", "h3")),
        (("h1",), ("h1", "h2")),
    ]


def test_a_second_process_of_a_host_goes_and_the_first_stays() -> None:
    second = Process(1, 99)
    newcomer = Host(second).tell(
        NodesRead(NAMES), GroupChanged((A, second, B), joined=(second,)), *ring(1, 1, 2, 3), AtRest()
    )
    assert "another process of this host is in the group (10)" in newcomer.out[0].why
    host, *_ = in_view()
    host.tell(GroupChanged((A, second, B, C), joined=(second,)), AtRest())
    assert host.out == []
    assert host.wanted[-1].names == {A: "h1", second: "", B: "h2", C: "h3"}
    host.tell(Received(second, message(b"of nobody")), Received(A, host.mark), Received(second, message(b"nor this")))
    assert host.delivered == []


def test_who_is_called_otherwise_by_others_goes() -> None:
    host, _, _ = in_view()
    other = mark("f" * 32, "", {A: "somebody", B: "h2"})
    host.tell(GroupChanged((A, B), left=(C,)), Received(B, other))
    assert "others call it somebody" in host.out[0].why
    without = joined(A, A, B)
    without.tell(Received(B, mark("f" * 32, "", {A: "", B: "h2"})))
    assert "others do not know it" in without.out[0].why


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"\x01v",
        b"\x01v{",
        b"\x01v[]",
        b"\x01v" + b"[" * 50_000,
        b'\x01v{"view":"x","base":"","members":[[1,10,"h1"]]}',
        mark("f" * 32, "", {}),
        mark("f" * 32, "", {A: "", B: "", C: ""}),
        mark("f" * 32, "", {A: "h1", B: "h1", C: "h3"}),
        mark("f" * 32, "", {A: "h1", B: "h2"}),
        mark("f" * 32, "", {A: "h1", B: "h2", C: "h3", Process(9, 9): "h9"}),
        mark("f" * 32, "", {A: "h1", B: "x" * 300, C: "h3"}),
        mark("f" * 32, "", {A: "h1", B: "h2", C: "h3"}) + b" " * assembly.LARGEST_MARK_BYTES,
    ],
)
def test_what_is_no_mark_makes_no_view(junk: bytes) -> None:
    host = joined(A, A, B, C)
    host.tell(Received(B, junk))
    assert host.views == []
    assert host.out == []
    host.tell(Received(A, host.mark))
    assert len(host.views) == 1


def test_what_waits_for_a_verdict_is_bounded() -> None:
    host = Host(A).tell(NodesRead(NAMES), GroupChanged((A,), joined=(A,)), RingFormed(Ring(1, 1)))
    host.tell(*(Received(A, b"") for _ in range(assembly.MOST_HELD)))
    assert host.out == []
    host.tell(Received(A, b""))
    assert len(host.known.held) == assembly.MOST_HELD
    assert len(host.out) == 1


def test_what_waits_for_a_verdict_is_bounded_in_bytes_and_has_its_room_again_later() -> None:
    half = b"x" * (assembly.MOST_HELD_BYTES // 2)
    host = Host(A).tell(NodesRead(NAMES), GroupChanged((A,), joined=(A,)), RingFormed(Ring(1, 1)))
    host.tell(Received(A, half), Received(A, half))
    assert host.out == []
    host.tell(Received(A, b"x"))
    assert len(host.out) == 1
    host.tell(RingFormed(Ring(1, 2)), Received(A, half), Received(A, half))
    assert len(host.out) == 1, "what was held was of the ring before"
