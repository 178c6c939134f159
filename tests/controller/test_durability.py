"""Nothing is built on what the disk does not hold, and what follows when it refuses."""

from __future__ import annotations

from reconciler.cib.observations import AttributeSet, transient
from reconciler.controller import events as ev
from reconciler.controller.messages import Activate, Observe

from .written import configuration, primitive


def test_nothing_is_built_on_what_is_not_durable_yet(single, world):
    """The disk takes its time: no acceptance before what is accepted, no activation before it is kept, and what came meanwhile waits."""
    waiting = []
    single.sync = waiting.append
    commit = single.apply(configuration(primitive("a")))
    assert single.events("accepted") == []
    single.feed(ev.Durable(single.now, waiting.pop()))
    assert [event["commit"] for event in single.events("accepted")] == [commit]
    assert single.node.replica.commit is None
    assert single.node.abreast is False
    single.broadcast(Observe((AttributeSet("n1", "x", "1"),), "", 0))
    single.settle()
    assert "x" not in transient(single.cib.status.nodes[0])
    assert world.calls == [], "nothing is decided from a state that lacks a message"
    single.feed(ev.Durable(single.now, waiting.pop()))
    assert single.node.replica.commit == commit
    assert transient(single.cib.status.nodes[0])["x"] == "1"


def test_after_a_failed_write_only_a_new_generation_counts(single, world):
    """What is written after a gap can't be read: the state has to be written as a whole before anything is built on it."""
    single.apply(configuration(primitive("a")))
    single.converge()
    single.full = True
    single.broadcast(Observe((AttributeSet("n1", "x", "1"),), "", 0))
    single.settle()
    assert [event["what"] for event in single.events("daemon")][-1] == "store-failed"
    single.full, written = False, len(single.journal)
    single.broadcast(Observe((AttributeSet("n1", "y", "2"),), "", 0))
    single.settle()
    assert len(single.journal) == written
    commit = single.apply(configuration(primitive("a"), primitive("b")))
    assert single.node.replica.commit == commit
    assert [event["what"] for event in single.events("daemon")][-1] == "store-restored"
    live = single.node.replica.shared
    single.crash()
    restored = single.node.replica.shared
    assert (restored.commit, transient(restored.cib.status.nodes[0])["x"]) == (live.commit, "1")


def test_a_generation_is_tried_again_by_itself(single):
    single.full = True
    single.broadcast(Observe((AttributeSet("n1", "x", "1"),), "", 0))
    single.settle()
    single.run(30_000)
    assert single.node.keeper.broken is not None
    single.full = False
    single.run(11_000)
    assert single.node.keeper.broken is None
    single.crash()
    assert transient(single.cib.status.nodes[0])["x"] == "1"


def test_a_journal_that_has_grown_long_is_replaced_by_a_snapshot(single):
    for number in range(60):
        single.broadcast(Observe((AttributeSet("n1", "x", f"{number}" + "x" * 100_000),), "", 0))
        single.settle()
    assert 0 < len(single.journal) - single.kept < 50
    single.crash()
    assert transient(single.cib.status.nodes[0])["x"].startswith("59x")


def test_what_can_be_neither_kept_nor_taken_back_ends_the_node(single):
    """The activation may be in the journal or not: only the next start can tell, and until then nobody is told anything."""
    single.drop = Activate
    begin = single.begin
    single.begin = lambda token, snapshot: single.pending.append(ev.NotDurable(single.now, token, "read-only"))
    single.apply(configuration(primitive("a")))
    assert "nor taken back" in (single.left or "")
    assert (single.events("rejected"), single.events("activated")) == ([], [])
    single.begin = begin


def test_nothing_new_is_decided_once_the_end_has_begun(single, world):
    single.apply(configuration(primitive("a")))
    single.converge()
    del world.running["a"]
    single.feed(ev.Ending(single.now))
    assert single.kept == len(single.journal), "the next start reads one snapshot"
    world.calls.clear()
    single.run(60_000)
    assert "a start" not in world.calls
