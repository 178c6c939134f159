"""What corosync tells becomes views that all have alike: by hand, and by what real corosync told on three hosts (tests/corosync/traces).

The processes of a trace talked, and sent no marks. A mark takes the place of the first message that its sender sent after it wanted one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

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
from reconciler.frozen import replace

TRACES = Path(__file__).parents[1] / "corosync" / "traces"
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


# By hand


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
    assert host.wanted[-1].names == {A: "h1", B: "h2", C: "h3"}
    host.tell(Received(second, message(b"of nobody")), Received(A, host.mark), Received(second, message(b"nor this")))
    assert host.delivered == []


def test_who_is_called_otherwise_by_others_goes() -> None:
    host, _, _ = in_view()
    other = mark("f" * 32, "", {A: "somebody", B: "h2"})
    host.tell(GroupChanged((A, B), left=(C,)), Received(B, other))
    assert "others call it somebody" in host.out[0].why
    without = joined(A, A, B)
    without.tell(Received(B, mark("f" * 32, "", {B: "h2"})))
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
        mark("f" * 32, "", {A: "h1", B: "h1"}),
        mark("f" * 32, "", {A: "h1", Process(9, 9): "h9"}),
        mark("f" * 32, "", {A: "h1", B: "x" * 300}),
        mark("f" * 32, "", {A: "h1", B: "h2"}) + b" " * assembly.LARGEST_MARK_BYTES,
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


# By what real corosync told

Line = dict[str, Any]


def lines_of(name: str) -> list[Line]:
    return [json.loads(line) for line in (TRACES / f"{name}.jsonl").read_text().splitlines()]


def event_of(line: Line) -> assembly.Event:
    match line["is"]:
        case "group":
            lists = [tuple(Process(*one) for one in line[name]) for name in ("members", "left", "joined")]
            return GroupChanged(*lists)
        case "ring":
            return RingFormed(Ring(*line["ring"]))
        case "quorum":
            numbers = line["quorate"], line["quorum"], line["qdevice_votes"]
            return QuorumTold(Ring(*line["ring"]), *numbers, tuple(line["hosts"]))
        case "nodes":
            return NodesRead({int(nodeid): name for nodeid, name in line["names"].items()})
        case _:
            return Received(Process(*line["sender"]), message(line["data"].encode()))


class Replay:
    """A trace, told to an assembly for each host."""

    def __init__(self, name: str) -> None:
        self.hosts = {host: Host() for host in NAMES.values()}
        self._changes = dict.fromkeys(self.hosts, 0)
        self._due: dict[str, tuple[int, bytes]] = {}
        """By who wants one, a mark, and how many changes he had been told of."""
        self._sent: dict[str, bytes] = {}
        """By the message whose place it took, a mark."""
        for line in lines_of(name):
            if line["is"] not in ("done", "lost"):
                self._tell(line["host"], line)

    def _tell(self, name: str, line: Line) -> None:
        host, event = self.hosts[name], event_of(line)
        if isinstance(event, GroupChanged):
            if not self._changes[name]:
                host.known = replace(host.known, own=event.joined[0])
            self._changes[name] += 1
        if isinstance(event, Received):
            event = self._marked(line["data"], event)
        before = len(host.wanted)
        host.tell(event, AtRest())
        if len(host.wanted) > before:
            self._due[name] = (self._changes[name], host.mark)

    def _marked(self, text: str, event: Received) -> Received:
        sender, _, changes = text.split()
        if text not in self._sent and sender in self._due and int(changes) >= self._due[sender][0]:
            self._sent[text] = self._due.pop(sender)[1]
        return Received(event.sender, self._sent[text]) if text in self._sent else event

    def views(self, host: str) -> list[tuple[str, bool]]:
        """Who was in the views of a host, and whether they were quorate, since all were in one."""
        all_views = [("".join(name[1] for name in view.members), view.ring.quorate) for view in self.hosts[host].views]
        return all_views[[members for members, _ in all_views].index("123") :]


EXPECTED = {
    "freeze-and-thaw": {
        "h1": [("123", True), ("12", True), ("123", True)],
        "h2": [("123", True), ("12", True), ("123", True)],
        "h3": [("123", True), ("123", True)],
    },
    "partition-and-heal": {
        "h1": [("123", True), ("12", True), ("123", True)],
        "h2": [("123", True), ("12", True), ("123", True)],
        "h3": [("123", True), ("3", False), ("123", True)],
    },
    "one-way-loss": {
        "h1": [("123", True), ("12", True), ("123", True)],
        "h2": [("123", True), ("12", True), ("123", True)],
        "h3": [("123", True), ("3", False), ("123", True)],
    },
    "process-killed": {"h1": [("123", True), ("13", True)], "h2": [("123", True)], "h3": [("123", True), ("13", True)]},
    "corosync-killed": {
        "h1": [("123", True), ("12", True)],
        "h2": [("123", True), ("12", True)],
        "h3": [("123", True)],
    },
    "power-off": {"h1": [("123", True)], "h2": [("123", True), ("23", True)], "h3": [("123", True), ("23", True)]},
}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_what_corosync_told_becomes_these_views(name: str) -> None:
    replay = Replay(name)
    assert {host: replay.views(host) for host in replay.hosts} == EXPECTED[name]


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_who_goes_from_view_to_view_together_is_told_the_same(name: str) -> None:
    replay = Replay(name)
    ids = [view.id for host in replay.hosts.values() for view in host.views]
    by_id = {view.id: view for host in replay.hosts.values() for view in host.views}
    assert all(view == by_id[view.id] for host in replay.hosts.values() for view in host.views)
    for one, other in _pairs(replay.hosts.values()):
        assert len({view.id for view in one.views}) == len(one.views), "no view comes twice"
        for view, after in zip(one.views, one.views[1:], strict=False):
            if (view.id, after.id) in _steps(other):
                assert _in(one, view.id) == _in(other, view.id)
    assert len(set(ids)) < len(ids)


def test_real_corosync_delivers_what_was_sent_before_a_change_to_all_after_it() -> None:
    """The host that thaws talks to a view that it left long ago. Between the change and the mark that is dropped; after the mark a message
    says itself in which view it was sent, and the core skips it.
    """
    late = [line for line in lines_of("freeze-and-thaw") if line["is"] == "message" and line["data"].startswith("h3 ")]
    merged = max(line["t"] for line in lines_of("freeze-and-thaw") if line["is"] == "group" and line["host"] == "h1")
    before = max(int(line["data"].split()[2]) for line in late if line["t"] < merged)
    crossed = {
        line["data"]
        for line in late
        if line["host"] == "h1" and line["t"] >= merged and line["data"].endswith(f" {before}")
    }
    assert crossed
    replay = Replay("freeze-and-thaw")
    taken = {data.decode() for _, sender, data in replay.hosts["h1"].delivered if sender == "h3"}
    assert not crossed & taken


def _pairs(hosts: Iterable[Host]) -> list[tuple[Host, Host]]:
    known = list(hosts)
    return [(one, other) for one in known for other in known if one is not other]


def _steps(host: Host) -> set[tuple[str, str]]:
    return {(view.id, after.id) for view, after in zip(host.views, host.views[1:], strict=False)}


def _in(host: Host, view: str) -> list[tuple[str, bytes]]:
    return [(sender, data) for id, sender, data in host.delivered if id == view]
