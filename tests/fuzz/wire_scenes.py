"""Members in the states in which messages meet them, and valid messages of every kind, both out of simulated clusters."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from reconciler.cib.canonical import to_json, to_variant
from reconciler.cib.observations import (
    AttributeRaised,
    AttributeSet,
    EntryForgotten,
    HistoryForgotten,
    NodeObserved,
    Recorded,
    ResourceForgotten,
)
from reconciler.controller import events as ev
from reconciler.controller.envelope import parcels, unseal
from reconciler.controller.fencing.messages import FenceConfirmed, FenceEnded, FenceGivenUp, FenceOrdered, FenceWanted
from reconciler.controller.fencing.record import FenceCause, FenceOrder, FenceProgress, Ordered
from reconciler.controller.fencing.topology import FenceStep
from reconciler.controller.membership.events import View
from reconciler.controller.messages import (
    Abandoned,
    Cleanup,
    CommitPack,
    Compiled,
    Exclude,
    GraceOver,
    Joined,
    Message,
    NodeForgotten,
    NoPack,
    Observe,
    Refresh,
    Reject,
    Release,
    SelfReset,
    Shutdown,
    WantCommit,
)
from reconciler.controller.node import Node
from reconciler.controller.quorum.votes import RingVerdict
from reconciler.controller.shared import Shared
from reconciler.errors import Finding, Place
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Location
from reconciler.model.resource import Agent, Operation, Primitive
from reconciler.model.status import HistoryEntry
from reconciler.simulator.cluster import SimulatedCluster
from reconciler.simulator.host import Host

NAMES = ("n1", "n2", "n3")
_MOST_OF_A_KIND = 40

Plain = dict[str, Any]

_ENTRY = HistoryEntry(
    "a_last_0", {"operation": "start", "rc-code": "0", "op-status": "0", "interval": "0", "call-id": "7"}
)
_SEEN = (
    Recorded("n3", "a", {"class": "ocf", "provider": "reconciler", "type": "Dummy"}, _ENTRY),
    EntryForgotten("n3", "a", "a_last_0"),
    ResourceForgotten("n3", "a"),
    HistoryForgotten("n3", False),
    AttributeSet("n3", "fail-count-a#start_0", "INFINITY"),
    AttributeSet("n3", "word", None),
    AttributeRaised("n3", "fail-count-a#monitor_10000"),
    NodeObserved("n3", "n3", {"join": "member", "crmd": None}),
)


class Seat(NamedTuple):
    """A member as it was: its node, its timers, and the tokens of what the disk and agents owe it."""

    node: Node
    timers: Mapping[str, int]
    syncs: tuple[int, ...]
    agents: tuple[int, ...]


class Scene(NamedTuple):
    """A moment of a cluster: the members that are real, and what the others hold, who are played; all repositories have `commits`."""

    name: str
    seats: Mapping[str, Seat]
    view: View
    mono_ms: int
    held: Shared
    commits: Mapping[str, Configuration]


class Known(NamedTuple):
    """Scenes by name, and by kind of message some in their plain form, as JSON."""

    scenes: Mapping[str, Scene]
    messages: Mapping[str, tuple[str, ...]]


@cache
def recorded() -> Known:
    """What the scripts here give: always the same."""
    made = Recorder()
    for script in (_alone, _three, _without_quorum, _joining, _fencing, _seldom):
        script(made)
    kinds = sorted(made.messages)
    return Known({one.name: one for one in made.scenes}, {kind: tuple(made.messages[kind]) for kind in kinds})


def copied(node: Node) -> Node:
    """Another node in the same state. Values that never change are shared, and it reads and writes as the daemon's does."""
    replica = node.replica
    memo: dict[int, Any] = {id(one): one for one in (replica.shared, replica.own, replica.partition, replica._cib)}
    memo[id(node.intake.unseal)], memo[id(node.parcels)] = unseal, parcels
    return copy.deepcopy(node, memo)


class Recorder:
    """Keeps scenes of clusters, and what was sent in them."""

    def __init__(self) -> None:
        self.scenes: list[Scene] = []
        self.messages: dict[str, dict[str, None]] = {}

    def cluster(self, *names: str, seed: int = 1, later: tuple[str, ...] = ()) -> SimulatedCluster:
        """A cluster that is recorded, but for who is started `later`."""
        made = SimulatedCluster((*names, *later), seed)
        made.watch.append(self._note)
        made.start(*names)
        return made

    def keep(self, message: Plain) -> None:
        """Keep a message, if there are not many of its kind."""
        known = self.messages.setdefault(message["is"], {})
        if len(known) < _MOST_OF_A_KIND:
            known[json.dumps(message, sort_keys=True)] = None

    def scene(self, name: str, cluster: SimulatedCluster, *seats: str, held_by: str = "n1") -> None:
        """Keep the moment; who is not among the `seats` is played, and holds what `held_by` holds."""
        taken = {one: _seat(cluster.hosts[one]) for one in seats}
        partition = taken[seats[0]].node.replica.partition
        hosts = tuple(cluster.hosts)
        view = View(
            partition.view, partition.members, RingVerdict(2 * len(partition.members) > len(hosts), 2), hosts, hosts
        )
        held = node_of(cluster, held_by).replica.shared
        self.scenes.append(Scene(name, taken, view, cluster.clock.now_us // 1000, held, cluster.commits))

    def _note(self, host: Host, event: ev.Event, effects: list[ev.Effect]) -> None:
        for effect in effects:
            if isinstance(effect, ev.Send):
                self.keep(json.loads(effect.data)["message"])


def node_of(cluster: SimulatedCluster, name: str) -> Node:
    """The node of a host that has a process."""
    node = cluster.hosts[name].node
    assert node is not None
    return node


def _seat(host: Host) -> Seat:
    assert host.node is not None
    syncs, agents = host.node.keeper._waiting, host.node.executor.running
    return Seat(copied(host.node), dict(host._timers), tuple(sorted(syncs)), tuple(sorted(agents)))


def configuration(*names: str, fencing: bool = False, prefer: str = "n2") -> Configuration:
    """Services of which the first likes a node best, and a fence device when there is fencing."""
    services = tuple(
        Primitive(
            name,
            Agent("ocf", "Dummy", "reconciler"),
            operations=(Operation("monitor", "10s"),),
        )
        for name in names
    )
    return Configuration(
        options=plain({"stonith-enabled": str(fencing).lower()}),
        resources=(*((Primitive("power", Agent("stonith", "fence_lab")),) if fencing else ()), *services),
        constraints=(Location("here", resource=names[0], node=prefer, score="100"),),
    )


def _runs(cluster: SimulatedCluster, resource: str, node: str) -> None:
    assert cluster.until(lambda: cluster.world.where(resource) == [node])
    cluster.run(3_000)


def _alone(made: Recorder) -> None:
    cluster = made.cluster("n1")
    cluster.apply(configuration("a", prefer="n1"), "n1")
    _runs(cluster, "a", "n1")
    made.scene("alone", cluster, "n1")


def _three(made: Recorder) -> None:
    cluster = made.cluster(*NAMES)
    made.scene("nothing is configured", cluster, "n2", "n3")
    cluster.apply(configuration("a"), "n1")
    _runs(cluster, "a", "n2")
    made.scene("at rest, with the DC", cluster, "n1", "n2")
    made.scene("at rest, without the DC", cluster, "n2", "n3")
    cluster.hosts["n3"].lacks.add(f"{2:040x}")
    cluster.hosts["n2"].disk.slow_us = 500_000
    cluster.apply(configuration("a", "b", prefer="n3"), "n1")
    first = node_of(cluster, "n1")
    assert cluster.until(lambda: any(len(one.answers) > 1 for one in first.replica.proposals.values()), 5_000)
    made.scene("a proposal is open, with the DC", cluster, "n1")
    made.scene("a proposal is open", cluster, "n3")
    assert cluster.until(lambda: first.coordinator.transition is not None, 9_000)
    made.scene("amid a transition, with the DC", cluster, "n1")
    made.scene("amid a transition", cluster, "n2")
    second = node_of(cluster, "n2")
    assert cluster.until(lambda: bool(second.executor.running), 9_000)
    made.scene("an agent runs", cluster, "n2")
    cluster.run(9_000)


def _without_quorum(made: Recorder) -> None:
    cluster = made.cluster(*NAMES)
    cluster.apply(configuration("a", "b", prefer="n3"), "n1")
    _runs(cluster, "a", "n3")
    cluster.network.cut([["n1", "n2"], ["n3"]])
    cluster.run(4_000)
    made.scene("just cut off", cluster, "n3", held_by="n3")
    cluster.run(20_000)
    made.scene("without quorum", cluster, "n3", held_by="n3")
    cluster.network.heal()
    cluster.run(9_000)


def _joining(made: Recorder) -> None:
    cluster = made.cluster("n1", "n2", later=("n3",))
    cluster.apply(configuration("a"), "n1")
    _runs(cluster, "a", "n2")
    for name in ("blank, on its way in", "behind, on its way in"):
        cluster.hosts["n3"].start()
        third = node_of(cluster, "n3")
        assert cluster.until(lambda third=third: bool(third.replica.partition.view), 9_000)
        made.scene(name, cluster, "n3")
        cluster.run(9_000)
        cluster.hosts["n3"].crash()
        cluster.apply(configuration("a", "b"), "n1")
        cluster.run(9_000)
    cluster.hosts["n3"].start()
    cluster.run(9_000)
    cluster.hosts["n3"].tell(ev.StopAsked(cluster.hosts["n3"].now))
    cluster.run(9_000)


def _fencing(made: Recorder) -> None:
    cluster = made.cluster(*NAMES, seed=2)
    cluster.world.anonymous = frozenset({"power"})
    cluster.apply(configuration("a", fencing=True, prefer="n3"), "n1")
    _runs(cluster, "a", "n3")
    cluster.devices_slow_us = 20_000_000
    cluster.hosts["n3"].power_off()
    first = node_of(cluster, "n1")
    assert cluster.until(lambda: isinstance(first.replica.shared.fencing.records.get("n3"), Ordered), 30_000)
    cluster.run(50)
    made.scene("a fencing is ordered", cluster, "n1", "n2")
    cluster.run(40_000)
    made.scene("one was fenced", cluster, "n1", "n2")


def _seldom(made: Recorder) -> None:
    """What such lives do not show."""
    commit = f"{1:040x}"
    order = FenceOrder(
        2,
        "n3",
        1,
        "n3-boot-0",
        FenceProgress(),
        (FenceStep("power", "off", True),),
        2,
        True,
        "n2",
        "run-n2-1.1",
        60_000,
    )
    told: tuple[Message, ...] = (
        Abandoned("n2"),
        CommitPack(commit, None, ("UEFDSw==",)),
        NoPack(commit, "it is not here"),
        WantCommit("n3", commit, None, "n1"),
        Compiled(commit, None, "0" * 64, 1, to_json(configuration("a"))),
        Exclude(("n3",), "no sign of life"),
        GraceOver("n3"),
        Joined("n2", 3, "n2-boot-0", ("a",), (), 1),
        NodeForgotten("n3", 1),
        SelfReset("n2", "n2-boot-0", 47_000),
        Cleanup(("a",), 1),
        Refresh(("a",), 1),
        Reject(commit, "no", (Finding("x", Place("a.yaml", 1, 1), "text", "hint"),), 2, 1),
        Release("n3", 2, 1, 3),
        Shutdown("n3", 1),
        FenceOrdered(order, 1),
        FenceOrdered(replace(order, steps=(FenceStep("watchdog", "reboot", True, True),), timeout_ms=47_000), 1),
        FenceEnded("n2", 2, "n3", 1, True, "", 1),
        FenceGivenUp(2, "n3", 1, 1),
        FenceGivenUp(2, "n3", 0, 1),
        FenceConfirmed("n3", "somebody", 1, "n3-boot-0"),
        Observe(_SEEN, "why", 1),
        Observe((AttributeSet("n3", "x", "1"), AttributeSet("n3", "y", None)), "why", 1, dampen_ms=5_000),
        *(Observe((seen,), "why", 1, 1, 1, 1) for seen in _SEEN),
        *(FenceWanted("n3", "n3-boot-0", cause, "reboot", "it was lost", 1) for cause in FenceCause),
        FenceWanted("n2", "n2-boot-0", FenceCause.ASKED, "off", "ann", 1),
        Observe((AttributeSet("n2", "#fence-test", '{"id":"q","nodes":[],"devices":[]}'),), "why", 1),
    )
    for message in told:
        made.keep(to_variant(message))
    made.keep({"is": "chunk", "digest": "0" * 64, "place": 0, "count": 2, "data": "eyJ2Ijoy"})
