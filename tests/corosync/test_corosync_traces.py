"""What real corosync told on three hosts (`traces`, made by `record`), and what becomes of it; the simulator's network does the same.

The processes of a trace talked, and sent no marks. A mark takes the place of the first message that its sender sent after it wanted one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from reconciler.controller.membership.events import View
from reconciler.controller.quorum.votes import Votequorum
from reconciler.fabric.corosync import assembly
from reconciler.fabric.corosync.assembly import Announce, AtRest, Deliver, SendMark, ViewAssembly, mark, message
from reconciler.fabric.corosync.events import GroupChanged, NodesRead, Process, QuorumTold, Received, Ring, RingFormed
from reconciler.frozen import replace
from reconciler.simulator.clock import Clock
from reconciler.simulator.network import Network

TRACES = Path(__file__).with_name("traces")
HOSTS = ("h1", "h2", "h3")
SECOND_US = 1_000_000
BEFORE = [("123", True)]
WITHOUT_3 = [("123", True), ("12", True)]
EXPECTED = {
    "freeze-and-thaw": {
        "h1": [*WITHOUT_3, ("123", True)],
        "h2": [*WITHOUT_3, ("123", True)],
        "h3": [*BEFORE, ("123", True)],
    },
    "partition-and-heal": {
        "h1": [*WITHOUT_3, ("123", True)],
        "h2": [*WITHOUT_3, ("123", True)],
        "h3": [*BEFORE, ("3", False), ("123", True)],
    },
    "one-way-loss": {
        "h1": [*WITHOUT_3, ("123", True)],
        "h2": [*WITHOUT_3, ("123", True)],
        "h3": [*BEFORE, ("3", False), ("123", True)],
    },
    "process-killed": {"h1": [*BEFORE, ("13", True)], "h2": BEFORE, "h3": [*BEFORE, ("13", True)]},
    "corosync-killed": {"h1": WITHOUT_3, "h2": WITHOUT_3, "h3": BEFORE},
    "power-off": {"h1": BEFORE, "h2": [*BEFORE, ("23", True)], "h3": [*BEFORE, ("23", True)]},
}
"""By what happens, the views of each host since all were in one, and whether they were quorate. Who stood still is never told."""
Line = dict[str, Any]


class Told:
    """What one process was told: views, and in which of them it got which messages."""

    def __init__(self) -> None:
        self.views: list[View] = []
        self.delivered: list[tuple[str, str, str]] = []

    @property
    def summary(self) -> list[tuple[str, bool]]:
        """Who was in the views, and whether they were quorate, since all were in one."""
        found = [("".join(name[1] for name in view.members), view.ring.quorate) for view in self.views]
        return found[[members for members, _ in found].index("123") :]

    @property
    def steps(self) -> set[tuple[str, str]]:
        """The views, each with the one after it."""
        return {(view.id, after.id) for view, after in zip(self.views, self.views[1:], strict=False)}

    def within(self, view: str) -> list[tuple[str, str]]:
        """What was delivered in a view, in its order."""
        return [(sender, data) for id, sender, data in self.delivered if id == view]


def assert_alike(told: Iterable[Told]) -> None:
    """No view comes twice, it is the same for all, and who goes from one to the next together has been told the same in it."""
    known = list(told)
    by_id = {view.id: view for one in known for view in one.views}
    together = 0
    for one in known:
        assert len({view.id for view in one.views}) == len(one.views)
        assert all(view == by_id[view.id] for view in one.views)
        for other in known:
            for view, _ in one.steps & other.steps:
                assert one.within(view) == other.within(view)
                together += one is not other
    assert together > 0


# Real corosync, and the assembly


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


class Replayed(Told):
    """A host of a trace, with its assembly."""

    def __init__(self) -> None:
        super().__init__()
        self.known = ViewAssembly(Process(0, 0))
        self.changes = 0
        self.marks = 0

    def tell(self, event: assembly.Event) -> bytes | None:
        """Tell it something; the mark that it wants then."""
        wanted = None
        if isinstance(event, GroupChanged):
            if not self.changes:
                self.known = replace(self.known, own=event.joined[0])
            self.changes += 1
        for one in (event, AtRest()):
            self.known, effects = assembly.step(self.known, one)
            for effect in effects:
                match effect:
                    case Announce(view):
                        self.views.append(view)
                    case Deliver(sender, data):
                        self.delivered.append((self.views[-1].id, sender, data.decode()))
                    case SendMark(base, names):
                        self.marks += 1
                        wanted = mark(f"{self.known.own.nodeid:016x}{self.marks:016x}", base, names)
        return wanted


def replay(name: str) -> dict[str, Replayed]:
    """What the hosts of a trace have been told by their assemblies."""
    hosts = {host: Replayed() for host in HOSTS}
    due: dict[str, tuple[int, bytes]] = {}
    sent: dict[str, bytes] = {}
    for line in lines_of(name):
        if line["is"] in ("done", "lost"):
            continue
        host, event = hosts[line["host"]], event_of(line)
        if isinstance(event, Received):
            sender, _, changes = line["data"].split()
            if line["data"] not in sent and sender in due and int(changes) >= due[sender][0]:
                sent[line["data"]] = due.pop(sender)[1]
            if line["data"] in sent:
                event = Received(event.sender, sent[line["data"]])
        if (wanted := host.tell(event)) is not None:
            due[line["host"]] = host.changes, wanted
    return hosts


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_what_corosync_told_becomes_these_views(name: str) -> None:
    hosts = replay(name)
    assert {host: told.summary for host, told in hosts.items()} == EXPECTED[name]
    assert_alike(hosts.values())


def test_real_corosync_delivers_what_was_sent_before_a_change_to_all_after_it() -> None:
    """The host that thaws talks to a view that it left long ago. Between the change and the mark that is dropped; after the mark a message
    says itself in which view it was sent, and the core skips it.
    """
    lines = lines_of("freeze-and-thaw")
    late = [line for line in lines if line["is"] == "message" and line["data"].startswith("h3 ")]
    merged = max(line["t"] for line in lines if line["is"] == "group" and line["host"] == "h1")
    before = max(int(line["data"].split()[2]) for line in late if line["t"] < merged)
    crossed = {
        line["data"]
        for line in late
        if line["host"] == "h1" and line["t"] >= merged and line["data"].endswith(f" {before}")
    }
    assert crossed
    taken = {data for _, sender, data in replay("freeze-and-thaw")["h1"].delivered if sender == "h3"}
    assert not crossed & taken


# The simulator's network


class Talkers:
    """Three processes over the simulator's network that talk as those of the traces did: who, how many, and in which view."""

    def __init__(self, seed: int) -> None:
        self.clock = Clock()
        self.network: Network[str] = Network(self.clock, Random(seed), Votequorum.of(dict.fromkeys(HOSTS, 1)))
        self.told = {host: Told() for host in HOSTS}
        self._numbers = dict.fromkeys(HOSTS, 0)
        self._dead: set[str] = set()
        for host in HOSTS:
            self.network.join(host, lambda host=host: self._receive(host))  # type: ignore[misc]
            self._talk(host)

    def live(self, seconds: float) -> None:
        end_us = self.clock.now_us + int(seconds * SECOND_US)
        while self.clock.turn(end_us):
            pass

    def kill(self, host: str) -> None:
        self._dead.add(host)
        self.network.leave(host)

    def _talk(self, host: str) -> None:
        if host not in self._dead and host not in self.network.frozen and self.told[host].views:
            self.network.send(host, f"{host} {self._numbers[host]} {self.told[host].views[-1].id}")
            self._numbers[host] += 1
        self.clock.after(SECOND_US // 20, lambda: self._talk(host))

    def _receive(self, host: str) -> None:
        while (found := self.network.receive(host)) is not None:
            if isinstance(found, View):
                self.told[host].views.append(found)
            elif self.told[host].views:
                self.told[host].delivered.append((self.told[host].views[-1].id, found.sender, found.payload))


def freeze(talkers: Talkers) -> None:
    talkers.network.freeze("h3")
    talkers.live(6)
    talkers.network.thaw("h3")


def partition(talkers: Talkers) -> None:
    talkers.network.cut([["h1", "h2"], ["h3"]])
    talkers.live(6)
    talkers.network.heal()


def one_way(talkers: Talkers) -> None:
    talkers.network.slow.add("h3")
    talkers.network.cut([["h1", "h2"], ["h3"]])
    talkers.live(10)
    talkers.network.heal()


ACTS: dict[str, Callable[[Talkers], None]] = {
    "freeze-and-thaw": freeze,
    "partition-and-heal": partition,
    "one-way-loss": one_way,
    "process-killed": lambda talkers: talkers.kill("h2"),
    "corosync-killed": lambda talkers: talkers.network.power_off("h3"),
    "power-off": lambda talkers: talkers.network.power_off("h1"),
}


def played(name: str, seed: int) -> Talkers:
    talkers = Talkers(seed)
    talkers.live(1)
    ACTS[name](talkers)
    talkers.live(8)
    return talkers


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_the_simulators_network_tells_what_corosync_told(name: str, seed: int) -> None:
    talkers = played(name, seed)
    assert {host: told.summary for host, told in talkers.told.items()} == EXPECTED[name]
    assert_alike(talkers.told.values())


def test_the_simulators_network_delivers_across_views_too() -> None:
    crossed = {
        name
        for name in ("freeze-and-thaw", "partition-and-heal", "power-off")
        for seed in range(20)
        for told in played(name, seed).told.values()
        for view, _, data in told.delivered
        if data.split()[2] != view
    }
    assert "freeze-and-thaw" in crossed
    assert len(crossed) > 1
