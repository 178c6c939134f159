"""After a crash of the daemon or a restart of the machine nothing is lost, and nothing that is not so is believed."""

from __future__ import annotations

import pytest

from reconciler.controller import events as ev
from reconciler.controller.journal import restore
from reconciler.controller.node import Node
from reconciler.model.resource import Agent, Primitive

from .written import configuration, primitive


def test_after_a_restart_of_the_machine_nothing_is_believed(single, world):
    single.apply(configuration(primitive("a")))
    single.converge()
    world.running.clear()
    world.calls.clear()
    single.boot = "boot-2"
    single.crash()
    single.converge()
    assert world.calls == ["a monitor", "a start", "a monitor=10000"]


def test_after_a_crash_what_runs_is_adopted_and_what_stopped_is_started(single, world):
    single.apply(configuration(primitive("a"), primitive("b")))
    single.converge()
    del world.running["b"]
    world.calls.clear()
    single.crash()
    single.converge()
    assert "a start" not in world.calls
    assert "b start" in world.calls
    assert "b stop" not in world.calls
    assert "a" in single.watched
    single.assert_nothing_to_do()


def test_a_node_that_has_not_looked_yet_does_not_say_that_it_is_at_rest(single):
    """Its state says that all was done when it ended. What waits for that waits until it knows what runs."""
    single.apply(configuration(primitive("a")))
    single.converge()
    assert single.node.converged
    replica, _ = restore(single.name, single.snapshot, single.journal[single.kept :])
    started = Node(single.name, "run", replica, single.boot)
    assert replica.shared.settled is not None
    assert (started.phase, started.converged) == ("recovering", False)
    single.crash()
    single.converge()
    assert single.node.converged


def test_a_change_activated_before_a_crash_is_still_noticed(single, world):
    single.apply(configuration(primitive("a", x="1")))
    single.converge()
    single.pending.clear()
    single.commits["new"] = configuration(primitive("a", x="2"))
    single.feed(ev.CommitArrived(single.now, "new", "test", ""))
    assert world.running == {"a": {"x": "1"}}
    single.crash(in_flight_done=False)
    single.converge()
    assert world.running == {"a": {"x": "2"}}
    single.assert_nothing_to_do()


@pytest.mark.parametrize("fencing", ["true", "false"])
def test_a_node_that_stopped_its_resources_and_left_runs_them_again_when_it_is_back(single, world, fencing):
    """Nobody else is there to install a view without it: that it was expected to be down stayed in its state."""
    device = Primitive("power", Agent("stonith", "fence_test"))
    single.apply(configuration(primitive("a"), device, stonith_enabled=fencing))
    single.converge()
    single.feed(ev.StopAsked(single.now))
    while single.left is None:
        assert single.tick()
    assert world.running == {}
    single.crash()
    single.converge()
    assert set(world.running) == {"a", "power"}
    (state,) = single.node.replica.cib.status.nodes
    assert state.attributes["expected"] == "member"


def test_a_clock_that_jumps_makes_the_node_think_again(single):
    single.apply(configuration(primitive("a")))
    single.converge()
    single.clock_offset_ms += 3_600_000
    single.feed(ev.Quiet(single.now))
    assert not single.events("planned")[1:]
    assert single.node.coordinator.converged


@pytest.mark.parametrize("moments", range(40))
@pytest.mark.parametrize("done", [True, False], ids=["agents end", "agents never ran"])
def test_a_crash_after_any_number_of_steps_ends_well(single, world, moments, done):
    """From one configuration to another, with a crash after each possible number of things that happened."""
    single.apply(configuration(primitive("a", x="1"), primitive("b")))
    single.converge()
    commit = single.apply(configuration(primitive("a", x="2"), primitive("c")))
    for _ in range(moments):
        single.tick()
    single.crash(in_flight_done=done)
    single.converge()
    assert single.node.replica.commit == commit
    assert world.running == {"a": {"x": "2"}, "c": {}}
    single.assert_nothing_to_do()
