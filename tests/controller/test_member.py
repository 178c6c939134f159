"""What a node says of itself and of the cluster, alone and among others, and what it sends when."""

from __future__ import annotations

import pytest

from reconciler.cib import Cib
from reconciler.controller import events as ev
from reconciler.controller.fencing.messages import FenceConfirmed
from reconciler.controller.flow import WINDOW_BYTES
from reconciler.controller.messages import (
    Cleanup,
    NodeForgotten,
    Observe,
    Ping,
    Problem,
    Refresh,
    Release,
    Settled,
    Shutdown,
)
from reconciler.controller.node import Node
from reconciler.controller.pulse import PULSE_TIMER
from reconciler.controller.replica import Replica
from reconciler.controller.shared import Shared
from reconciler.frozen import replace
from reconciler.model.status import HistoryEntry, NodeState, ResourceHistory, Status
from reconciler.simulator.cluster import SimulatedCluster
from reconciler.simulator.host import Host

from .among import cluster_of, hear, node_of, of_kind, run_of, synchronised, told

# Whether anything is left to do


def test_that_nothing_is_left_to_do_is_the_dcs_word_for_the_state_as_it_is(
    cluster: SimulatedCluster, host: Host, node: Node
) -> None:
    problem = Problem("a", "it can't run anywhere")
    hear(host, "n1", Settled(str(node.replica.cib.version), None, (problem,), 0))
    assert node.converged
    assert node.problems == ({"resource": "a", "text": "it can't run anywhere"},)
    hear(host, "n3", Observe((), "nothing", 0))
    assert node.converged, "it is the same state"
    hear(host, "n3", Shutdown("n3", 0))
    assert not node.converged
    first = node_of(cluster, "n1")
    first.coordinator.problems = ({"resource": "b", "text": "the DC's own"},)
    assert first.problems == ({"resource": "b", "text": "the DC's own"},)
    assert first.converged is first.coordinator.converged is True


def test_a_node_to_which_nobody_said_anything_has_no_problems_and_is_not_done(node: Node) -> None:
    node.replica.shared = replace(node.replica.shared, settled=None)
    assert (node.problems, node.converged) == ((), False)


def test_before_it_knows_what_runs_here_a_node_is_recovering_and_never_done(cluster: SimulatedCluster) -> None:
    node = node_of(cluster, "n1")
    assert (node.phase, node.converged) == ("idle", True)
    node.entering.reported = False
    assert (node.phase, node.converged) == ("recovering", False)
    node.replica.partition = replace(node.replica.partition, members=())
    assert node.phase == "idle", "who is no member has nobody to tell"
    node.entering.recovered = False
    assert node.phase == "recovering"


def test_a_node_says_what_it_is_about(cluster: SimulatedCluster, host: Host, node: Node) -> None:
    hear(host, "n1", run_of(node, "stop", on="n2"))
    assert node.phase == "running"
    assert node_of(cluster, "n1").phase == "idle"
    node.step(ev.StopAsked(host.now))
    assert node.phase == "stopping"


def test_among_others_it_is_known_who_takes_part_and_who_decides(cluster: SimulatedCluster, node: Node) -> None:
    assert (node.members, node.dc, node.is_dc, node.quorate) == (("n1", "n2", "n3"), "n1", False, True)
    assert node_of(cluster, "n1").is_dc
    node.replica.partition = replace(node.replica.partition, installed=False)
    assert (node.dc, node.is_dc, node.quorate) == (None, False, False)


@pytest.mark.parametrize(
    ("members", "votes", "alone"),
    [
        (("n2",), {"n2": 1}, True),
        (("n2",), {}, True),
        (("n2",), {"n1": 1, "n2": 1}, False),
        (("n1", "n2"), {"n2": 1}, False),
        ((), {"n2": 1}, False),
    ],
    ids=["the only one", "before there are votes", "others are lost", "others came", "in no view"],
)
def test_who_has_nobody_beside_it_in_or_outside_its_view_is_alone(
    node: Node, members: tuple[str, ...], votes: dict[str, int], alone: bool
) -> None:
    """A word broken by the disk of one that is alone harms nobody else."""
    node.replica.shared = replace(node.replica.shared, votes=votes)
    node.replica.partition = replace(node.replica.partition, members=members)
    assert node.parts.alone is alone


# What is asked for


def test_what_an_operator_asks_of_a_member_all_are_told(host: Host, node: Node) -> None:
    now, at_ms = host.now, host.now.wall_ms
    boot = node.replica.shared.nodes["n3"].boot
    for event, message in [
        (ev.CleanupAsked(now, ("a",)), Cleanup(("a",), at_ms)),
        (ev.RefreshAsked(now, ("a",)), Refresh(("a",), at_ms)),
        (ev.ConfirmAsked(now, "n3", "alice"), FenceConfirmed("n3", "alice", at_ms, boot)),
        (ev.ConfirmAsked(now, "n9", "alice"), FenceConfirmed("n9", "alice", at_ms, "")),
        (ev.ForgetAsked(now, "n3"), NodeForgotten("n3", at_ms)),
        (ev.StopAsked(now), Shutdown("n2", at_ms)),
    ]:
        assert told(node.step(event)) == [message]


def test_what_is_asked_for_before_a_view_is_installed_is_told_in_it(host: Host, node: Node) -> None:
    node.replica.partition = replace(node.replica.partition, installed=False)
    assert told(node.step(ev.CleanupAsked(host.now, ("a",)))) == []
    again = [wish.message for wish in node.parts.outbox.again(host.now) if isinstance(wish, ev.Broadcast)]
    assert again == [Cleanup(("a",), host.now.wall_ms)]


# How much is sent ahead


def test_signs_of_life_wait_for_nobody_and_all_else_for_the_slowest(host: Host, node: Node) -> None:
    flow = node.parts.flow
    assert len(flow.send([ev.Send(bytes(WINDOW_BYTES))])) == 1
    pings = [one for _ in range(5) for one in told(node.step(ev.TimerFired(host.now, PULSE_TIMER)))]
    assert [type(one) for one in pings] == [Ping]
    assert told(node.step(ev.CleanupAsked(host.now, ("a",)))) == []
    shared = node.replica.shared
    heard = {"n2": WINDOW_BYTES}
    ping = Ping("n1", 9, shared.term, shared.seq, shared.beside, shared.chain, str(shared.cib.version), heard, 0)
    assert told(hear(host, "n1", ping)) == []
    assert told(hear(host, "n3", replace(ping, node="n3"))) == []
    assert told(hear(host, "n2", replace(ping, node="n2"))) == [Cleanup(("a",), host.now.wall_ms)]


def test_a_node_alone_sends_as_much_as_it_likes() -> None:
    cluster = cluster_of("n1")
    node, host = node_of(cluster, "n1"), cluster.hosts["n1"]
    node.parts.flow.send([ev.Send(bytes(WINDOW_BYTES))])
    assert told(node.step(ev.CleanupAsked(host.now, ("a",)))) == [Cleanup(("a",), host.now.wall_ms)]


# What the disk is asked


def test_a_long_journal_is_replaced_once_everything_that_was_delivered_is_in_the_state(host: Host, node: Node) -> None:
    node.keeper._written_bytes = 1 << 30
    waits = of_kind(hear(host, "n1", Release("n2", node.replica.term, 1, 1)), ev.Sync, ev.Begin)
    assert [type(effect) for effect in waits] == [ev.Sync], "a snapshot would lack what is still to be taken in"
    assert len(of_kind(synchronised(host, waits), ev.Begin)) == 1


def test_the_numbers_of_calls_go_on_after_the_highest_that_is_known() -> None:
    def entry(id: str, call_id: str | None) -> HistoryEntry:
        attributes = {"operation": "monitor", "rc-code": "0", "call-id": call_id}
        return HistoryEntry(id, {name: value for name, value in attributes.items() if value is not None})

    histories = tuple(
        ResourceHistory(name, {}, (entry(f"{name}_last_0", number),)) for name, number in (("a", "7"), ("b", None))
    )
    status = Status(nodes=(NodeState("n1", "n1", history=histories),))
    for known, number in ((Cib(status=status), 8), (Cib(), 1)):
        assert Node("n1", "run", Replica("n1", Shared(cib=known)), "boot").executor.next_call_id == number
