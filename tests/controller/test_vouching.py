"""What a member says or builds upon once its disk has it, and what becomes of it where the disk fails."""

from __future__ import annotations

import pytest

from reconciler.controller import events as ev
from reconciler.controller.membership.events import View
from reconciler.controller.messages import Heard, Kept, Observe, Release
from reconciler.controller.node import Node
from reconciler.controller.quorum.votes import RingVerdict
from reconciler.frozen import replace
from reconciler.simulator.cluster import SimulatedCluster
from reconciler.simulator.host import Host

from .among import cluster_of, emitted, hear, node_of, of_kind, run_of, synchronised, told
from .written import configuration, primitive


@pytest.fixture
def host() -> Host:
    """The second of three members: it is not the DC."""
    return cluster_of("n1", "n2", "n3").hosts["n2"]


@pytest.fixture
def node(host: Host) -> Node:
    assert host.node is not None
    return host.node


# Orders that are heard


def vouched(effects: list[ev.Effect]) -> list[int]:
    """The transitions of the orders that this member says to have heard."""
    return [message.transition for message in told(effects) if isinstance(message, Heard)]


def test_that_it_has_heard_an_order_a_member_says_once_its_disk_has_it(host: Host, node: Node) -> None:
    effects = hear(host, "n1", run_of(node, "start", on="n3"))
    assert [effect.record.kind for effect in of_kind(effects, ev.Write)] == ["M"]
    assert vouched(effects) == []
    assert vouched(synchronised(host, effects)) == [9]


def test_of_what_the_disk_has_not_it_says_so_with_the_next_generation_that_has_it(host: Host, node: Node) -> None:
    failed = hear(host, "n1", run_of(node, "start", on="n3"))
    assert vouched(synchronised(host, failed, "no space left")) == []
    again = node.step(ev.TimerFired(host.now, "generation"))
    assert vouched(synchronised(host, again, "no space left")) == []
    again = node.step(ev.TimerFired(host.now, "generation"))
    assert vouched(synchronised(host, again)) == [9]
    again = hear(host, "n1", run_of(node, "start", on="n3", transition=10))
    assert vouched(synchronised(host, again)) == [10], "each is told once"


def test_in_another_view_nobody_waits_for_a_word_on_what_was_heard_before(host: Host, node: Node) -> None:
    effects = hear(host, "n1", run_of(node, "start", on="n3"))
    node.replica.partition = replace(node.replica.partition, view="another")
    assert vouched(synchronised(host, effects)) == []


def test_nor_is_it_given_late_where_the_view_has_changed(host: Host, node: Node) -> None:
    view = node.replica.partition.view
    synchronised(host, hear(host, "n1", run_of(node, "start", on="n3")), "no space left")
    node.step(ev.ViewChanged(host.now, View("another", ("n1", "n2"), RingVerdict(True, 2), ("n1", "n2"))))
    node.replica.partition = replace(node.replica.partition, view=view, installed=True)
    assert vouched(synchronised(host, node.step(ev.TimerFired(host.now, "generation")))) == []


# What takes effect once it is durable


@pytest.mark.parametrize(("leaves", "waits"), [("n2", True), ("n3", False)])
def test_who_leaves_knows_of_it_when_it_comes_back(host: Host, node: Node, leaves: str, waits: bool) -> None:
    """Its own release waits for its disk; that of another is taken in at once."""
    effects = hear(host, "n1", Release(leaves, node.replica.term, 1, 1))
    assert node.replica.shared.nodes[leaves].leaving is not waits
    assert bool(of_kind(effects, ev.Sync)) is waits
    left = effects + synchronised(host, effects)
    assert node.replica.shared.nodes[leaves].leaving
    assert bool(of_kind(left, ev.Leave)) is waits


def test_what_comes_meanwhile_waits_in_its_order(host: Host, node: Node) -> None:
    effects = hear(host, "n1", Release("n2", node.replica.term, 1, 1))
    later = hear(host, "n3", Observe((), "a", 0)) + hear(host, "n3", Observe((), "b", 0))
    assert of_kind(later, ev.Write) == []
    assert not node.abreast
    answered = synchronised(host, effects)
    assert len(of_kind(answered, ev.Write)) == 2
    assert node.abreast


def test_a_member_that_cannot_keep_what_the_others_decided_ends(host: Host, node: Node) -> None:
    effects = hear(host, "n1", Release("n2", node.replica.term, 1, 1))
    (leave,) = of_kind(synchronised(host, effects, "no space left"), ev.Leave)
    assert leave.why == "this node can't keep what the others have decided: no space left"
    assert not node.replica.shared.nodes["n2"].leaving


def promising(host: Host, node: Node) -> list[ev.Effect]:
    """The third member is lost: those who are left promise a new term."""
    return node.step(ev.ViewChanged(host.now, View("another", ("n1", "n2"), RingVerdict(True, 2), ("n1", "n2"))))


def test_a_promise_is_told_once_it_is_durable(host: Host, node: Node) -> None:
    before = node.replica.own.promised
    effects = promising(host, node)
    assert [effect.record.kind for effect in of_kind(effects, ev.Write)] == ["T"]
    assert told(effects) == []
    (hello,) = told(synchronised(host, effects))
    assert (hello.promised, hello.early) == (before + 1, True)


def test_who_can_promise_nothing_ends(host: Host, node: Node) -> None:
    (leave,) = of_kind(synchronised(host, promising(host, node), "no space left"), ev.Leave)
    assert leave.why == "this node can't promise anything: no space left"


def test_a_node_alone_goes_on_though_its_disk_keeps_no_promise() -> None:
    cluster = SimulatedCluster(("n1",), 1)
    host = cluster.hosts["n1"]
    host.disk.full = True
    cluster.start()
    cluster.run(5_000)
    assert host.node is not None
    assert host.node.dc == "n1"


# What is taken over


@pytest.mark.parametrize("failing", [False, True], ids=["its disk takes it", "its disk fails for a while"])
def test_what_was_taken_over_is_said_to_be_kept_once_a_generation_has_it(failing: bool) -> None:
    cluster = cluster_of("n1", "n2", "n3")
    late = cluster.hosts["n3"]
    late.crash()
    cluster.run(5_000)
    commit = cluster.apply(configuration(primitive("a")), "n1")
    assert cluster.until(lambda: node_of(cluster, "n2").replica.commit == commit)
    kept: list[str] = []

    def watch(host: Host, event: ev.Event, effects: list[ev.Effect]) -> None:
        if host is late:
            kept.extend(message.commit for message in told(effects) if isinstance(message, Kept))
            if failing and emitted(effects, "view"):
                late.disk.full = True

    cluster.watch.append(watch)
    late.start()
    cluster.run(8_000)
    assert node_of(cluster, "n3").replica.commit == commit
    assert kept == ([] if failing else [commit])
    failing = late.disk.full = False
    cluster.run(15_000)
    assert kept == [commit]


def test_what_is_synchronised_after_a_failed_write_is_not_durable(host: Host, node: Node) -> None:
    """The disk may answer well all the same: what could not be written is not among what it has."""
    effects = hear(host, "n1", run_of(node, "start", on="n3"))
    node.step(ev.NotWritten(host.now, "no space left"))
    assert vouched(synchronised(host, effects)) == []
    assert vouched(synchronised(host, node.step(ev.TimerFired(host.now, "generation")))) == [9]
