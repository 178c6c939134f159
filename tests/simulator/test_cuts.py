"""What each side of a cut may begin, where two sides can be quorate at once or only one can: with and without fencing.

The safety rules 1 and 2: never active twice, and no start and no activation on a side that others may outvote unseen.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import pytest

from reconciler.analysis.recording import Launched
from reconciler.controller import events as ev
from reconciler.controller.envelope import Envelope, seal
from reconciler.controller.messages import Activate, AgentOrder, Run
from reconciler.controller.quorum.votes import Votequorum
from reconciler.controller.telling import undecided_view
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Colocation, Location, Order
from reconciler.model.resource import Agent, Group, Operation, Primitive
from reconciler.simulator import host as host_module
from reconciler.simulator.cluster import SimulatedCluster
from reconciler.simulator.disk import Disk

DEVICE = Primitive("power", Agent("stonith", "fence_lab"))


def resource(id: str) -> Primitive:
    return Primitive(id, Agent("ocf", "Dummy", "reconciler"), operations=(Operation("monitor", "10s"),))


def configuration(*names: str, fencing: bool, prefer: dict[str, str], **options: str) -> Configuration:
    written = {"stonith-enabled": str(fencing).lower()} | {n.replace("_", "-"): v for n, v in options.items()}
    likes = tuple(Location(f"{n}-{node}", resource=n, node=node, score="100") for n, node in prefer.items())
    return Configuration(
        options=plain(written), resources=(*((DEVICE,) if fencing else ()), *map(resource, names)), constraints=likes
    )


def cluster_of(
    count: int, *, fencing: bool, seed: int = 1, qdevice: str | None = None, **quorum: object
) -> SimulatedCluster:
    """So many nodes, `a` on the first and `b` on the last one."""
    names = [f"n{number}" for number in range(1, count + 1)]
    service = Votequorum.of(dict.fromkeys(names, 1), qdevice_votes=int(qdevice is not None), **quorum)  # type: ignore[arg-type]
    cluster = SimulatedCluster(names, seed, service)
    cluster.network.qdevice = qdevice
    cluster.start()
    cluster.apply(wanted(cluster, "a", "b", fencing=fencing), "n1")
    assert cluster.until(lambda: cluster.world.where("a") == ["n1"] and cluster.world.where("b") == [names[-1]])
    cluster.run(15_000)
    return cluster


def wanted(cluster: SimulatedCluster, *resources: str, fencing: bool, **options: str) -> Configuration:
    names = list(cluster.hosts)
    return configuration(*resources, fencing=fencing, prefer={"a": names[0], "b": names[-1]}, **options)


def commit_of(cluster: SimulatedCluster, name: str) -> str | None:
    node = cluster.hosts[name].node
    return None if node is None else node.replica.commit


def confirm(cluster: SimulatedCluster, at: str, target: str) -> None:
    host = cluster.hosts[at]
    host.tell(ev.ConfirmAsked(host.now, target, "alice"))


def is_quorate(cluster: SimulatedCluster, name: str) -> bool:
    node = cluster.hosts[name].node
    return node is not None and node.quorate


class Cut(NamedTuple):
    """A cut after which `side` is quorate by the quorum service although it is no majority of all votes."""

    name: str
    count: int
    side: tuple[str, ...]
    quorum: dict[str, object]
    both: bool = False
    """Whether the other side is quorate, too."""


CUTS = (
    Cut("two_node, and both waited for all", 2, ("n1",), {"two_node": True}, both=True),
    Cut("two_node without waiting for all", 2, ("n1",), {"two_node": True, "wait_for_all": False}, both=True),
    Cut("auto_tie_breaker", 4, ("n1", "n2"), {"auto_tie_breaker": True}),
    Cut("a quorum device", 2, ("n1",), {"qdevice": "n1"}),
)
by_name = pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.name)


def cut_off(cut: Cut, *, fencing: bool, seed: int = 1) -> SimulatedCluster:
    cluster = cluster_of(cut.count, fencing=fencing, seed=seed, **cut.quorum)  # type: ignore[arg-type]
    rest = [name for name in cluster.hosts if name not in cut.side]
    cluster.network.cut([cut.side, rest])
    return cluster


@by_name
def test_without_fencing_nobody_begins_anything_before_an_operator_says_who_is_off(cut: Cut) -> None:
    """Both sides may be quorate, and neither can know what became of the other."""
    cluster = cut_off(cut, fencing=False)
    first, rest = commit_of(cluster, "n1"), [name for name in cluster.hosts if name not in cut.side]
    for side in (cut.side, rest):
        cluster.apply(wanted(cluster, "a", "b", "c", fencing=False), side[0])
    cluster.run(120_000)
    assert all(is_quorate(cluster, name) for name in cut.side)
    assert is_quorate(cluster, rest[0]) is cut.both
    assert {commit_of(cluster, name) for name in cluster.hosts} == {first}, "no side has activated anything"
    assert cluster.world.where("a") == ["n1"], "what runs on a side that is quorate goes on"
    assert cluster.world.where("b") in ([], [list(cluster.hosts)[-1]])
    assert cluster.world.doubles == []


@by_name
def test_without_fencing_a_confirmation_lets_the_side_go_on(cut: Cut) -> None:
    cluster = cut_off(cut, fencing=False)
    for name in cluster.hosts:
        if name not in cut.side:
            cluster.hosts[name].power_off()
    cluster.run(60_000)
    assert cluster.world.where("b") == []
    second = cluster.apply(wanted(cluster, "a", "b", "c", fencing=False), "n1")
    for name in cluster.hosts:
        if name not in cut.side:
            confirm(cluster, "n1", name)
    assert cluster.until(lambda: commit_of(cluster, "n1") == second, 90_000)
    assert cluster.until(lambda: len(cluster.world.where("b")) == 1 and len(cluster.world.where("c")) == 1, 30_000)
    assert cluster.world.doubles == []
    cluster.heal()
    assert cluster.until(lambda: all(commit_of(cluster, name) == second for name in cluster.hosts), 60_000)
    cluster.run(60_000)
    assert cluster.world.doubles == []


@by_name
@pytest.mark.parametrize("seed", range(4))
def test_with_fencing_the_side_goes_on_once_the_other_is_down(cut: Cut, seed: int) -> None:
    """Whichever side is the faster: only what is left activates and starts, and nobody loses what was activated."""
    cluster = cut_off(cut, fencing=True, seed=seed)
    offered = {
        name: cluster.apply(wanted(cluster, "a", "b", "c", fencing=True, batch_limit=str(place)), name)
        for place, name in enumerate(cluster.hosts, start=1)
    }
    begun: list[tuple[str, str]] = []

    def watcher(host, event, effects) -> None:
        for effect in effects:
            if isinstance(effect, ev.Emit) and effect.type == "activated":
                begun.append((host.name, effect.fields["proposal"]))
                others = [one for one in cluster.hosts.values() if (one.name in cut.side) != (host.name in cut.side)]
                assert not any(one.on and one.node is not None for one in others), "before the other side was down"

    cluster.watch.append(watcher)
    assert cluster.until(lambda: bool(begun), 120_000)
    assert cluster.until(lambda: all(len(cluster.world.where(name)) == 1 for name in "abc"), 60_000)
    cluster.watch.remove(watcher)
    cluster.heal()
    cluster.run(120_000)
    assert begun[0][1] in offered.values()
    histories = [[one.commit for one in host.node.replica.activations] for host in cluster.hosts.values() if host.node]
    assert len(histories) == cut.count
    assert all(begun[0][1] in history for history in histories), "what was activated then is in every history"
    assert all(len(cluster.world.where(name)) == 1 for name in "abc")
    assert cluster.world.doubles == []


@by_name
def test_with_fencing_that_fails_nothing_begins(cut: Cut) -> None:
    cluster = cluster_of(cut.count, fencing=True, **cut.quorum)  # type: ignore[arg-type]
    cluster.fencing_fails = True
    cluster.network.cut([cut.side, [name for name in cluster.hosts if name not in cut.side]])
    first = commit_of(cluster, "n1")
    cluster.apply(wanted(cluster, "a", "b", "c", fencing=True), "n1")
    cluster.run(120_000)
    assert {commit_of(cluster, name) for name in cluster.hosts} == {first}
    assert cluster.world.where("c") == []
    assert cluster.world.doubles == []


def test_who_went_cleanly_is_no_riddle() -> None:
    cluster = cluster_of(2, fencing=False, two_node=True)
    cluster.hosts["n2"].tell(ev.StopAsked(cluster.hosts["n2"].now))
    assert cluster.until(lambda: cluster.hosts["n2"].left is not None, 30_000)
    second = cluster.apply(wanted(cluster, "a", "b", "c", fencing=False), "n1")
    assert cluster.until(lambda: commit_of(cluster, "n1") == second and cluster.world.where("b") == ["n1"], 30_000)


def test_who_left_knows_so_when_it_is_back_though_nobody_is_there() -> None:
    """That it had left was written, and the process ended before the disk had it: it fenced the other one, and took its term.

    Found by 20,000 lives (seed 12410): two histories under one term.
    """
    for seed in range(1, 21):
        cluster = cluster_of(2, fencing=True, seed=seed, two_node=True, wait_for_all=False)
        cluster.hosts["n2"].tell(ev.StopAsked(cluster.hosts["n2"].now))
        assert cluster.until(lambda: cluster.hosts["n2"].left is not None, 30_000)  # noqa: B023  # called at once
        second = cluster.apply(wanted(cluster, "a", "b", "c", fencing=True), "n1")
        assert cluster.until(lambda: commit_of(cluster, "n1") == second, 30_000)  # noqa: B023  # called at once
        cluster.hosts["n1"].crash()
        cluster.hosts["n2"].start()
        cluster.run(60_000)
        assert is_quorate(cluster, "n2")
        assert commit_of(cluster, "n2") != second
        assert cluster.hosts["n1"].boot == 1, "nobody was fenced who may know better"
        assert cluster.world.where("c") in ([], ["n1"])


def test_what_was_known_before_a_boot_says_nothing_of_the_others() -> None:
    """n1 had seen n2 go, and lost its power: meanwhile n2 may have come, thought n1 lost, and gone on."""
    cluster = cluster_of(2, fencing=False, two_node=True, wait_for_all=False)
    cluster.hosts["n2"].tell(ev.StopAsked(cluster.hosts["n2"].now))
    assert cluster.until(lambda: cluster.hosts["n2"].left is not None, 30_000)
    cluster.run(5_000)
    first = commit_of(cluster, "n1")
    cluster.hosts["n1"].power_off()
    cluster.network.cut([["n1"], ["n2"]])
    cluster.hosts["n1"].power_on()
    cluster.run(5_000)
    cluster.apply(wanted(cluster, "a", "b", "c", fencing=False), "n1")
    cluster.run(60_000)
    assert is_quorate(cluster, "n1")
    assert commit_of(cluster, "n1") == first
    assert cluster.world.running == {}


def test_a_restart_of_the_daemon_forgets_nothing_of_the_others() -> None:
    cluster = cluster_of(2, fencing=False, two_node=True)
    cluster.hosts["n2"].tell(ev.StopAsked(cluster.hosts["n2"].now))
    assert cluster.until(lambda: cluster.hosts["n2"].left is not None, 30_000)
    cluster.run(5_000)
    cluster.hosts["n1"].crash()
    cluster.run(1_000)
    cluster.hosts["n1"].start()
    second = cluster.apply(wanted(cluster, "a", "b", "c", fencing=False), "n1")
    cluster.run(2_000)
    cluster.offer(second, "n1")
    assert cluster.until(lambda: commit_of(cluster, "n1") == second, 30_000)


def test_with_a_grace_of_the_operators_the_side_starts_but_activates_nothing() -> None:
    """`lost-node-grace` says how long a lost node may run what it ran: of the configuration it says nothing."""
    cluster = cluster_of(2, fencing=False, two_node=True)
    second = cluster.apply(wanted(cluster, "a", "b", fencing=False, lost_node_grace="40s"), "n1")
    assert cluster.until(lambda: commit_of(cluster, "n2") == second)
    cluster.run(5_000)
    cluster.hosts["n2"].power_off()
    cluster.run(30_000)
    assert cluster.world.where("b") == []
    assert cluster.until(lambda: cluster.world.where("b") == ["n1"], 30_000)
    cluster.apply(wanted(cluster, "a", "b", "c", fencing=False), "n1")
    cluster.run(30_000)
    assert commit_of(cluster, "n1") == second


def test_what_a_side_waited_for_before_it_had_quorum_is_not_over_once_it_may_not_be_alone_with_it() -> None:
    """For an instant it had no quorum, so nobody else was thought to have it: the wait that began then ended in the next view.

    Found by 20,000 lives (seed 4377): what ran on the other side was started, too.
    """
    cluster = cluster_of(2, fencing=False, two_node=True)
    cluster.network.cut([["n1"], ["n2"]])
    cluster.run(10_000)
    assert is_quorate(cluster, "n1")
    assert is_quorate(cluster, "n2")
    cluster.network.verdicts_late = True
    cluster.hosts["n1"].crash()
    cluster.run(1_000)
    cluster.hosts["n1"].start()
    cluster.run(120_000)
    assert is_quorate(cluster, "n1")
    assert cluster.world.where("b") == ["n2"]
    assert cluster.world.doubles == []


def test_a_grace_that_is_activated_while_a_node_is_lost_begins_at_once() -> None:
    """It was asked for when the members changed, and never again: what the operator committed to end the wait ended nothing."""
    cluster = cluster_of(3, fencing=False)
    frozen = cluster.apply(wanted(cluster, "a", "b", fencing=False, no_quorum_policy="freeze"), "n1")
    assert cluster.until(lambda: commit_of(cluster, "n3") == frozen, 30_000)
    cluster.run(5_000)
    cluster.hosts["n3"].power_off()
    cluster.run(120_000)
    assert cluster.world.where("b") == []
    cluster.apply(wanted(cluster, "a", "b", fencing=False, no_quorum_policy="freeze", lost_node_grace="20s"), "n1")
    cluster.run(15_000)
    assert cluster.world.where("b") == []
    assert cluster.until(lambda: len(cluster.world.where("b")) == 1, 10_000)


def test_a_lost_node_goes_by_the_configuration_that_it_has() -> None:
    """It was cut off under `freeze`, and lets run what it runs: that the others turned to `stop` since ends nothing there."""
    cluster = cluster_of(3, fencing=False)
    frozen = cluster.apply(wanted(cluster, "a", "b", fencing=False, no_quorum_policy="freeze"), "n1")
    assert cluster.until(lambda: commit_of(cluster, "n3") == frozen, 30_000)
    cluster.run(5_000)
    cluster.network.cut([["n1", "n2"], ["n3"]])
    cluster.run(60_000)
    stopping = cluster.apply(wanted(cluster, "a", "b", fencing=False, no_quorum_policy="stop"), "n1")
    assert cluster.until(lambda: commit_of(cluster, "n1") == stopping, 30_000)
    cluster.hosts["n2"].crash()
    cluster.run(500)
    cluster.hosts["n2"].start()
    cluster.run(120_000)
    assert cluster.world.doubles == []
    assert cluster.world.where("b") == ["n3"]


def cut_off_amid_an_activation(seed: int) -> tuple[SimulatedCluster, bool]:
    """Under `freeze` the policy `stop` is activated, which takes no action; what is sent then does not reach n3, and it is cut off.

    Whether n3 has not got it.
    """
    cluster = cluster_of(3, fencing=False, seed=seed)
    frozen = cluster.apply(wanted(cluster, "a", "b", fencing=False, no_quorum_policy="freeze"), "n1")
    assert cluster.until(lambda: commit_of(cluster, "n3") == frozen, 30_000)
    cluster.run(5_000)
    node, network = cluster.hosts["n1"].node, cluster.network
    assert node is not None
    assert node.is_dc
    stopping = cluster.apply(wanted(cluster, "a", "b", fencing=False, no_quorum_policy="stop"), "n1")

    def accepted() -> bool:
        proposal = node.replica.proposals.get(stopping)
        return proposal is not None and len(proposal.answers) == 3

    assert cluster.until(accepted, 10_000)
    arrive = network._arrive
    network._arrive = lambda ring, member: None if member == "n3" else arrive(ring, member)  # type: ignore[method-assign]
    cluster.run(500)
    assert commit_of(cluster, "n1") == commit_of(cluster, "n2") == stopping
    network.cut([["n1", "n2"], ["n3"]])
    del network._arrive  # type: ignore[method-assign]
    cluster.run(120_000)
    return cluster, commit_of(cluster, "n3") == frozen


def test_who_is_cut_off_amid_an_activation_goes_by_what_it_has() -> None:
    """Nothing is to be done, so the DC is done within milliseconds: that says nothing of a member which has not told that it has it."""
    lacking = 0
    for seed in range(1, 9):
        cluster, lacks = cut_off_amid_an_activation(seed)
        assert cluster.world.doubles == []
        lacking += lacks
        if lacks:
            assert cluster.world.where("b") == ["n3"]
    assert lacking > 0, "else this tests nothing"


def test_who_could_not_write_what_it_took_over_tells_that_it_has_it_once_it_can() -> None:
    cluster = cluster_of(3, fencing=False)
    cluster.hosts["n3"].crash()
    cluster.run(5_000)
    second = cluster.apply(wanted(cluster, "a", "b", fencing=False, no_quorum_policy="freeze"), "n1")
    assert cluster.until(lambda: commit_of(cluster, "n1") == second, 30_000)
    node = cluster.hosts["n1"].node
    assert node is not None
    disk = cluster.hosts["n3"].disk
    assert isinstance(disk, Disk)
    begun: list[bytes] = []
    write = disk.write

    def refusing(record: object) -> bool:
        """A promise has room, and the state of the others has not."""
        if isinstance(record, bytes) and commit_of(cluster, "n3") == second:
            begun.append(record)
            return False
        return write(record)  # type: ignore[arg-type]

    disk.write = refusing  # type: ignore[method-assign]
    cluster.hosts["n3"].start()
    assert cluster.until(lambda: commit_of(cluster, "n3") == second, 30_000)
    cluster.run(3_000)
    assert begun, "else this tests nothing"
    assert not node.parts.confirmation.everywhere(node.members)
    del disk.write  # type: ignore[method-assign]
    assert cluster.until(lambda: node.parts.confirmation.everywhere(node.members), 30_000)


@pytest.mark.parametrize("tied", ["group", "orders"])
def test_a_lost_node_has_the_time_for_all_stops_that_follow_each_other(
    tied: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each stop takes most of its time: together they take longer than the longest one may."""
    cluster = cluster_of(3, fencing=False)
    names = ("w", "x", "y", "z")
    chain = tuple(Order(f"{one}-{other}", first=one, then=other) for one, other in pairwise(names))
    where = Location("there", resource="g" if tied == "group" else "w", node="n1", score="100")
    near = tuple(Colocation(f"{one}-near", resource=one, with_resource="w", score="INFINITY") for one in names[1:])
    members = tuple(resource(name) for name in names)
    made = Configuration(
        options=plain({"stonith-enabled": "false"}),
        resources=(Group("g", members),) if tied == "group" else members,
        constraints=(where,) if tied == "group" else (where, *chain, *near),
    )
    cluster.apply(made, "n1")
    assert cluster.until(lambda: set(cluster.world.on("n1")) == set(names))
    cluster.run(15_000)
    monkeypatch.setattr(host_module, "AGENT_US", (18_000_000, 19_000_000))
    cluster.network.cut([["n1"], ["n2", "n3"]])
    assert cluster.until(lambda: cluster.world.on("n1") == [], 200_000), "it has stopped by itself"
    assert cluster.world.doubles == []
    assert cluster.until(lambda: len(cluster.world.where("z")) == 1, 300_000), "and the others go on"
    assert cluster.world.doubles == []


def test_once_all_have_settled_on_another_policy_a_lost_node_goes_by_that() -> None:
    cluster = cluster_of(3, fencing=False)
    frozen = cluster.apply(wanted(cluster, "a", "b", fencing=False, no_quorum_policy="freeze"), "n1")
    assert cluster.until(lambda: commit_of(cluster, "n3") == frozen, 30_000)
    cluster.run(5_000)
    stopping = cluster.apply(wanted(cluster, "a", "b", fencing=False, no_quorum_policy="stop"), "n1")
    assert cluster.until(lambda: commit_of(cluster, "n3") == stopping, 30_000)
    cluster.run(5_000)
    cluster.network.cut([["n1", "n2"], ["n3"]])
    assert cluster.until(lambda: cluster.world.where("b") not in ([], ["n3"]), 120_000)
    assert cluster.world.doubles == []


def last_two_of_five(*, fencing: bool) -> SimulatedCluster:
    cluster = cluster_of(5, fencing=fencing, last_man_standing=True)
    cluster.network.cut([["n1", "n2", "n3"], ["n4"], ["n5"]])
    cluster.run(40_000)
    assert is_quorate(cluster, "n1")
    return cluster


def test_the_last_men_standing_begin_nothing_before_all_others_are_known_to_be_off() -> None:
    cluster = last_two_of_five(fencing=False)
    second = cluster.apply(wanted(cluster, "a", "b", "c", fencing=False), "n1")
    assert cluster.until(lambda: commit_of(cluster, "n1") == second, 30_000), "three of five are a majority"
    cluster.network.cut([["n1", "n2"], ["n3"], ["n4"], ["n5"]])
    cluster.run(40_000)
    assert is_quorate(cluster, "n1")
    third = cluster.apply(wanted(cluster, "a", "b", "c", "d", fencing=False), "n1")
    cluster.run(60_000)
    assert commit_of(cluster, "n1") == second
    for name in ("n3", "n4", "n5"):
        cluster.hosts[name].power_off()
        confirm(cluster, "n1", name)
    cluster.offer(third, "n1")
    assert cluster.until(lambda: commit_of(cluster, "n1") == third, 90_000)
    assert cluster.until(lambda: len(cluster.world.where("d")) == 1, 30_000)
    assert cluster.world.doubles == []


def test_the_last_men_standing_fence_all_others_first() -> None:
    cluster = last_two_of_five(fencing=True)
    cluster.network.cut([["n1", "n2"], ["n3"], ["n4"], ["n5"]])
    second = cluster.apply(wanted(cluster, "a", "b", "c", fencing=True), "n1")
    assert cluster.until(lambda: commit_of(cluster, "n1") == second, 120_000)
    assert cluster.until(lambda: all(len(cluster.world.where(name)) == 1 for name in "abc"), 60_000)
    assert cluster.world.doubles == []


def test_a_minority_whose_policy_is_to_fence_ends_itself_and_the_others_go_on() -> None:
    cluster = cluster_of(3, fencing=False)
    commit = cluster.apply(wanted(cluster, "a", "b", fencing=False, no_quorum_policy="suicide"), "n1")
    assert cluster.until(lambda: all(commit_of(cluster, name) == commit for name in cluster.hosts))
    cluster.run(5_000)
    cluster.hosts["n2"].crash()
    cluster.run(1_000)
    cluster.hosts["n2"].start()
    cluster.run(20_000)
    assert all(host.boot == 1 for host in cluster.hosts.values()), "members that come and go are no loss of quorum"
    cluster.network.cut([["n1"], ["n2", "n3"]])
    assert cluster.until(lambda: cluster.hosts["n1"].boot > 1, 10_000)
    assert cluster.until(lambda: len(cluster.world.where("a")) == 1, 60_000)
    cluster.run(60_000)
    assert [host.boot for host in cluster.hosts.values()] == [2, 1, 1], "and not again and again"
    assert cluster.world.doubles == []


def test_a_node_alone_that_has_not_seen_all_waits() -> None:
    cluster = cluster_of(2, fencing=False, two_node=True)
    for host in cluster.hosts.values():
        host.power_off()
        cluster.network.service[host.name] = Votequorum.of({"n1": 1, "n2": 1}, two_node=True)
    cluster.network.cut([["n1"], ["n2"]])
    cluster.hosts["n1"].power_on()
    cluster.run(60_000)
    assert not is_quorate(cluster, "n1")
    assert cluster.world.running == {}
    cluster.heal()
    assert cluster.until(lambda: len(cluster.world.where("a")) == 1 and len(cluster.world.where("b")) == 1, 60_000)
    assert cluster.world.doubles == []


def test_what_a_dc_begins_all_the_same_is_taken_by_nobody() -> None:
    """Every member asks for itself, whatever the DC thinks."""
    cluster = cluster_of(2, fencing=False, two_node=True)
    cluster.network.cut([["n1"], ["n2"]])
    cluster.run(10_000)
    commit = cluster.apply(wanted(cluster, "a", "b", "c", fencing=False), "n1")
    cluster.run(2_000)
    host = cluster.hosts["n1"]
    node = host.node
    assert node is not None
    assert node.replica.shared.withheld
    proposal = node.replica.proposals[commit]
    shared = node.replica.shared
    start = Launched("c", "start", "n1", "n1", Agent("ocf", "Dummy", "x"), "1:9:0:u")
    stop = replace(start, resource="a", task="stop")
    begun = [
        Activate(commit, shared.cib.version.epoch + 1, proposal.answers["n1"], 1, shared.term),
        Run(shared.term, 9, (AgentOrder(1, 20_000, start),), 1),
    ]
    for message in begun:
        before = node.skipped
        data = seal(Envelope(shared.cluster, node.replica.partition.view, "n1", message))
        effects = node.step(ev.Delivered(host.now, "n1", data))
        assert node.skipped == before + 1
        assert not any(isinstance(effect, ev.RunAgent | ev.RecordActive) for effect in effects)
    data = seal(
        Envelope(shared.cluster, node.replica.partition.view, "n1", Run(shared.term, 9, (AgentOrder(1, 1, stop),), 1))
    )
    effects = node.step(ev.Delivered(host.now, "n1", data))
    assert any(isinstance(effect, ev.RunAgent) for effect in effects), "what ends something needs nobody's leave"


def test_who_was_fenced_and_boots_alone_does_not_go_on_from_what_it_knew() -> None:
    """Lives 120002 and 120095: it fenced the one that had gone on without it, and began the same term once more, from an older state."""
    cluster = cluster_of(2, fencing=True, two_node=True, wait_for_all=False)
    first = cluster.hosts["n1"]
    cluster.hosts["n2"].power_off()
    assert cluster.until(lambda: cluster.world.where("b") == ["n1"], 60_000)
    second = cluster.apply(wanted(cluster, "a", "b", "c", fencing=True), "n1")
    assert cluster.until(lambda: commit_of(cluster, "n1") == second, 30_000)
    cluster.network.cut([["n1"], ["n2"]])
    cluster.hosts["n2"].power_on()
    cluster.run(60_000)
    assert is_quorate(cluster, "n2")
    assert first.boot == 1, "it fences nobody"
    assert {host for host, _ in cluster.world.running} == {"n1"}
    first.power_off()
    cluster.run(30_000)
    assert cluster.world.running == {}, "it can't know what was decided without it"
    confirm(cluster, "n2", "n1")
    assert cluster.until(lambda: cluster.world.where("a") == ["n2"] and cluster.world.where("b") == ["n2"], 30_000)
    assert cluster.world.doubles == []


def test_who_was_fenced_and_finds_the_other_again_has_what_that_decided() -> None:
    cluster = cluster_of(2, fencing=True, two_node=True, wait_for_all=False)
    cluster.hosts["n2"].power_off()
    second = cluster.apply(wanted(cluster, "a", "b", "c", fencing=True), "n1")
    assert cluster.until(lambda: commit_of(cluster, "n1") == second, 90_000)
    cluster.network.cut([["n1"], ["n2"]])
    cluster.hosts["n2"].power_on()
    cluster.run(20_000)
    cluster.network.heal()
    assert cluster.until(lambda: commit_of(cluster, "n2") == second, 30_000)
    cluster.run(30_000)
    assert all(len(cluster.world.where(name)) == 1 for name in "abc")
    assert cluster.world.doubles == []


@pytest.mark.parametrize("fencing", [False, True])
@pytest.mark.parametrize("confirmed", [False, True])
def test_two_that_never_met_do_not_form_two_clusters(fencing: bool, confirmed: bool) -> None:
    """Both are quorate alone (two_node without waiting for all), and cut off from each other when the cluster is formed."""
    service = Votequorum.of({"n1": 1, "n2": 1}, two_node=True, wait_for_all=False)
    cluster = SimulatedCluster(("n1", "n2"), 1, service)
    cluster.network.cut([["n1"], ["n2"]])
    cluster.start()
    cluster.run(5_000)
    for name in cluster.hosts:
        cluster.offer(cluster.apply(wanted(cluster, "a", "b", fencing=fencing), name), name)
    cluster.run(30_000)
    assert [commit_of(cluster, name) for name in cluster.hosts] == [None, None]
    assert cluster.world.running == {}
    if confirmed:
        cluster.hosts["n2"].power_off()
        host = cluster.hosts["n1"]
        host.tell(ev.ConfirmAsked(host.now, "n2", "an operator"))
        cluster.run(5_000)
        commit = cluster.apply(wanted(cluster, "a", "b", fencing=fencing), "n1")
        assert cluster.until(lambda: commit_of(cluster, "n1") == commit and cluster.world.where("a") == ["n1"])
    cluster.network.heal()
    cluster.hosts["n2"].power_on()
    cluster.run(20_000)
    commit = cluster.apply(wanted(cluster, "a", "b", fencing=fencing), "n1")
    assert cluster.until(lambda: {commit_of(cluster, name) for name in cluster.hosts} == {commit})
    assert cluster.until(lambda: cluster.world.where("a") == ["n1"] and cluster.world.where("b") == ["n2"])
    assert cluster.world.doubles == []


@pytest.mark.parametrize("fencing", [False, True], ids=["without fencing", "with fencing"])
def test_a_dc_that_was_cut_off_or_fenced_is_not_the_dc_again_when_it_comes_back(fencing: bool) -> None:
    cluster = cluster_of(3, fencing=fencing)
    for _ in range(2):
        first = next(node.dc for node in (host.node for host in cluster.hosts.values()) if node is not None)
        assert first is not None
        others = [name for name in cluster.hosts if name != first]
        cluster.network.cut([[first], others])
        cluster.run(45_000 if fencing else 4_000)
        second = [host.node.dc for name, host in cluster.hosts.items() if name != first and host.node is not None]
        assert second[0] in others
        assert len(set(second)) == 1
        cluster.network.cut([list(cluster.hosts)])
        cluster.hosts[first].power_on()
        cluster.run(45_000)
        told = {None if host.node is None else (host.node.members, host.node.dc) for host in cluster.hosts.values()}
        assert told == {(tuple(cluster.hosts), second[0])}


def failed_over_with_a_full_disk(count: int, *, fencing: bool) -> SimulatedCluster:
    """`a` ran on n2, whose disk is full by now, can't be started there again, and is to start on n1; a third node is cut off."""
    cluster = SimulatedCluster([f"n{number}" for number in range(1, count + 1)], 1)
    cluster.start()
    wish = configuration("a", "b", fencing=fencing, prefer={"a": "n2", "b": "n1"}, no_quorum_policy="freeze")
    cluster.apply(wish, "n1")
    assert cluster.until(lambda: cluster.world.where("a") == ["n2"] and cluster.world.where("b") == ["n1"])
    cluster.run(15_000)
    for other in list(cluster.hosts)[2:]:
        cluster.hosts[other].power_off()
    cluster.run(40_000)
    cluster.hosts["n2"].disk.full = True
    cluster.world.failing["n2", "a", "start"] = 1
    del cluster.world.running["n2", "a"]
    cluster.until(lambda: cluster.world.where("a") == ["n1"], 60_000)
    return cluster


@pytest.mark.parametrize("fencing", [False, True], ids=["without fencing", "with fencing"])
def test_a_full_disk_does_not_vouch_for_an_order_that_its_node_would_not_know_after_a_crash(fencing: bool) -> None:
    cluster = failed_over_with_a_full_disk(3, fencing=fencing)
    cluster.world.failing.clear()
    cluster.hosts["n2"].crash()
    cluster.hosts["n2"].disk.full = False
    cluster.network.cut([["n1"], ["n2", "n3"]])
    cluster.hosts["n3"].power_on()
    cluster.hosts["n2"].start()
    cluster.run(60_000)
    assert len(cluster.world.where("a")) == 1
    assert [one for one in cluster.world.doubles if one.resource != "power"] == []


def test_once_a_full_disk_has_room_its_node_vouches_and_what_waited_starts() -> None:
    cluster = failed_over_with_a_full_disk(2, fencing=False)
    assert cluster.world.where("a") == []
    cluster.hosts["n2"].disk.full = False
    assert cluster.until(lambda: cluster.world.where("a") == ["n1"], 15_000)


@pytest.mark.parametrize("fencing", [False, True], ids=["without fencing", "with fencing"])
def test_a_side_that_waits_says_for_whom_and_what_ends_that(fencing: bool) -> None:
    cluster = cluster_of(2, fencing=fencing, two_node=True)
    assert undecided(cluster, "n1") is None
    cluster.fencing_fails = True
    cluster.network.cut([["n1"], ["n2"]])
    cluster.run(20_000)
    assert cluster.world.where("b") == ["n2"]
    told = undecided(cluster, "n1") or ""
    assert told.startswith("n2 may decide, too")
    assert ("fenced or back" if fencing else "`reconciler fence confirm` says that n2 is off") in told
    node = cluster.hosts["n1"].node
    assert node is not None
    problems = [one["text"] for one in node.problems if one["resource"] == "b"]
    assert fencing or problems == ["it waits: it may be started elsewhere, too, by n2: gone, and not known to be off"]
    confirm(cluster, "n1", "n2")
    cluster.run(5_000)
    assert undecided(cluster, "n1") is None
    assert node.problems == ()


def undecided(cluster: SimulatedCluster, name: str) -> str | None:
    node = cluster.hosts[name].node
    assert node is not None
    return undecided_view(node.replica.shared)
