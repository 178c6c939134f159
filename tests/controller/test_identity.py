"""Who told something, and of whom: names of nodes, senders of messages, the chain of what was heard."""

from __future__ import annotations

import json

import pytest

from reconciler.analysis.recording import Launched
from reconciler.cib.observations import AttributeSet, NodeObserved, ResourceForgotten, transient
from reconciler.controller import events as ev
from reconciler.controller.envelope import Envelope, seal
from reconciler.controller.journal import restore, snapshot_bytes
from reconciler.controller.messages import AgentOrder, Observe, Run
from reconciler.frozen import replace
from reconciler.model.cluster import NodeDefinition
from reconciler.model.resource import Agent

from .written import configuration, primitive

START = AgentOrder(1, 20_000, Launched("r", "start", "n1", "n1", Agent("ocf", "Dummy", "reconciler"), "1:9:0:u"))


def sealed(single, message, *, sender="n1", **changes) -> bytes:
    """A message as the node itself would send it, but for what is changed."""
    envelope = Envelope("", single.node.replica.partition.view, sender, message)
    return seal(replace(envelope, **changes))


@pytest.mark.parametrize("identity", ["1", "n2", "N1"])
def test_a_node_is_known_by_its_name_whatever_id_a_commit_gives_it(single, world, identity):
    single.apply(configuration(primitive("a")))
    single.converge()
    nodes = (NodeDefinition("n1", identity), NodeDefinition("n2"))
    single.apply(replace(configuration(primitive("a"), primitive("b")), nodes=nodes))
    single.converge()
    assert set(world.running) == {"a", "b"}
    assert [(state.id, state.name) for state in single.cib.status.nodes] == [("n1", "n1")]
    single.assert_nothing_to_do()
    single.crash()
    single.converge()
    assert [(state.id, state.name) for state in single.cib.status.nodes] == [("n1", "n1")]
    assert single.node.replica.shared.ignored == 0


def test_an_observation_of_a_node_that_nobody_knows_is_counted_and_told(single):
    seen = (AttributeSet("n9", "x", "1"), AttributeSet("n1", "y", "2"), ResourceForgotten("n9", "a"))
    single.broadcast(Observe(seen, "somebody tells", 0))
    single.settle()
    assert transient(single.cib.status.nodes[0])["y"] == "2"
    assert single.node.replica.shared.ignored == 2
    assert [event["what"] for event in single.events("daemon") if event["what"] not in ("view", "recovered")] == [
        "unknown-node"
    ]


def test_what_is_forgotten_of_another_node_is_watched_here_as_before(single):
    single.apply(configuration(primitive("a")))
    single.converge()
    single.broadcast(Observe((NodeObserved("n2", "n2", {}), ResourceForgotten("n2", "a")), "", 0))
    single.settle()
    assert [recurring.order.launched.resource for recurring in single.node.executor.recurring.values()] == ["a"]
    single.broadcast(Observe((ResourceForgotten("n1", "a"),), "", 0))
    single.settle()
    assert not single.node.executor.recurring, "and what is forgotten here is watched no longer"


def test_what_a_former_version_told_under_the_configured_id_is_taken_in(single):
    single.apply(replace(configuration(), nodes=(NodeDefinition("n1", "1"),)))
    single.broadcast(Observe((NodeObserved("1", "n1", {"x": "2"}), AttributeSet("1", "y", "3")), "", 0))
    single.broadcast(Observe((AttributeSet("1", "z", "4"),), "", 0))
    single.settle()
    (state,) = single.cib.status.nodes
    assert (state.attributes["x"], transient(state)["y"], transient(state)["z"]) == ("2", "3", "4")
    plain_state = json.loads(snapshot_bytes(single.node.replica))
    plain_state["shared"]["cib"]["status"]["nodes"].append({"id": "1", "name": "n1", "attributes": {"later": "1"}})
    (state,) = restore("n1", json.dumps(plain_state).encode(), ())[0].cib.status.nodes
    assert (state.id, state.attributes) == ("n1", {"later": "1"})


@pytest.mark.parametrize(
    ("sender", "changes", "why"),
    [
        ("n1", {"view": "an older view"}, "in another view"),
        ("n1", {"view": ""}, "in another view"),
        ("n1", {"cluster": "another"}, "of another cluster"),
        ("n2", {}, "it says that it is from n1"),
        ("n2", {"sender": "n2"}, "of nobody who takes part"),
    ],
)
def test_an_order_of_another_view_cluster_or_sender_is_not_carried_out(single, world, sender, changes, why):
    """A host that stood still sends on what it had queued, and it is delivered: an order of a DC that is none any more."""
    before = single.node.replica.shared
    data = sealed(single, Run(1, 9, (START,), 0), **changes)
    single.feed(ev.Delivered(single.now, sender, data))
    assert single.agents == []
    assert single.node.skipped == 1
    assert why in single.events("daemon")[-1]["text"]
    after = single.node.replica.shared
    assert replace(after, seq=before.seq, chain=before.chain) == before
    assert after.chain != before.chain, "that it was skipped is known"
    single.crash()
    assert single.node.replica.shared.chain != before.chain


def test_members_that_heard_the_same_have_the_same_chain(new_node):
    nodes = [new_node(), new_node()]
    for single in nodes:
        single.apply(configuration(primitive("a")))
        single.converge()
    one, other = (single.node.replica.shared for single in nodes)
    assert (one.seq, one.chain) == (other.seq, other.chain)
    assert one.seq == len(nodes[0].sent) - 2, "all but the hello and the ready, after which the term began"
    nodes[0].broadcast(Observe((AttributeSet("n1", "x", "1"),), "", 0))
    nodes[1].broadcast(Observe((AttributeSet("n1", "x", "2"),), "", 0))
    [single.settle() for single in nodes]
    assert nodes[0].node.replica.shared.chain != nodes[1].node.replica.shared.chain
