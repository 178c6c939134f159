"""What is configured is probed, started, watched, changed and stopped, and what agents answer is followed."""

from __future__ import annotations

from reconciler.analysis.recording import AgentTraits
from reconciler.cib.observations import AttributeSet
from reconciler.controller import events as ev
from reconciler.controller.envelope import LARGEST_SENT_BYTES
from reconciler.controller.messages import Observe
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.resource import Agent, Clone, Group

from .written import configuration, primitive


def test_a_configuration_is_probed_started_and_monitored(single, world):
    single.apply(configuration(primitive("a"), primitive("b")))
    single.converge()
    assert world.calls == ["a monitor", "b monitor", "a start", "b start", "a monitor=10000", "b monitor=10000"]
    single.assert_nothing_to_do()


def test_what_runs_already_is_adopted_by_its_probe(single, world):
    world.running["a"] = {}
    single.apply(configuration(primitive("a")))
    single.converge()
    assert "a start" not in world.calls
    assert not single.events("action_failed")
    single.assert_nothing_to_do()


def test_a_changed_parameter_restarts_with_the_old_parameters_for_the_stop(single, world):
    single.apply(configuration(primitive("a", ip="1")))
    single.converge()
    world.calls.clear()
    single.apply(configuration(primitive("a", ip="2")))
    single.converge()
    assert world.calls == ["a stop", "a start", "a monitor=10000"]
    assert world.running == {"a": {"ip": "2"}}


def test_a_removed_resource_is_stopped_and_forgotten(single, world):
    single.apply(configuration(primitive("a"), primitive("b")))
    single.converge()
    single.apply(configuration(primitive("b")))
    single.converge()
    assert set(world.running) == {"b"}
    assert {history.id for history in single.cib.status.nodes[0].history} == {"b"}
    assert set(single.node.replica.memory.started) == {"b"}
    single.assert_nothing_to_do()


def test_a_group_starts_in_order_and_stops_in_reverse(single, world):
    single.apply(configuration(Group("g", (primitive("one"), primitive("two")))))
    single.converge()
    single.apply(configuration(Group("g", (primitive("one", x="1"), primitive("two")))))
    world.calls.clear()
    single.converge()
    changes = [call for call in world.calls if "monitor" not in call]
    assert changes == ["two stop", "one stop", "one start", "two start"]


def test_a_promotable_clone_is_promoted_where_its_agent_says(single, world):
    world.scores["db"] = "10"
    clone = Clone("dbs", primitive("db"), meta=plain({"promotable": "true"}))
    single.apply(configuration(clone))
    single.converge()
    assert world.promoted == {"db"}
    single.assert_nothing_to_do()


def test_gone_processes_make_the_monitor_run_at_once(single, world):
    single.apply(configuration(primitive("a")))
    single.converge()
    del world.running["a"]
    before = single.mono_ms
    single.feed(ev.ProcessesGone(single.now, "a"))
    single.converge()
    assert world.running == {"a": {}}
    assert single.mono_ms - before < 100


def test_an_unchanged_monitor_result_is_not_told(single):
    single.apply(configuration(primitive("a")))
    single.converge()
    version, written = single.cib.version, len(single.journal)
    single.run(60_000)
    assert (single.cib.version, len(single.journal)) == (version, written)


def test_planning_waits_while_an_outcome_is_unknown(single, world):
    single.apply(configuration(primitive("a")))
    while "a start" not in world.calls:
        single.tick()
    single.apply(configuration())
    planned = len(single.events("planned"))
    single.converge()
    assert world.running == {}
    assert len(single.events("planned")) > planned


def test_a_node_that_is_asked_to_stops_its_resources_and_leaves(single, world):
    single.apply(configuration(primitive("a"), primitive("b")))
    single.converge()
    single.feed(ev.StopAsked(single.now))
    while single.left is None:
        assert single.tick()
    assert world.running == {}


def test_many_resources_travel_in_messages_of_a_bounded_size(single, world):
    single.apply(configuration(*(primitive(f"r{number}") for number in range(450))))
    single.converge()
    assert len(world.running) == 450
    assert max(map(len, single.sent)) <= LARGEST_SENT_BYTES


def test_an_agent_of_another_class_takes_over(single, world):
    single.apply(configuration(primitive("a", x="1")))
    single.converge()
    other = replace(primitive("a", x="1"), agent=Agent("lsb", "dummy"))
    single.apply(configuration(other))
    single.converge()
    assert world.running == {"a": {"x": "1"}}
    assert single.cib.status.nodes[0].history[0].attributes["class"] == "lsb"
    single.assert_nothing_to_do()


def test_a_reloadable_parameter_is_reloaded(single, world):
    world.traits = AgentTraits(reloads=True, restart_parameters=("x",))
    single.apply(configuration(primitive("a", x="1", y="1")))
    single.converge()
    world.calls.clear()
    single.apply(configuration(primitive("a", x="1", y="2")))
    single.converge()
    assert [call for call in world.calls if "monitor" not in call] == ["a reload-agent"]
    world.calls.clear()
    single.apply(configuration(primitive("a", x="2", y="2")))
    single.converge()
    assert [call for call in world.calls if "monitor" not in call] == ["a stop", "a start"]
    single.assert_nothing_to_do()


def test_nothing_more_is_launched_from_a_plan_that_no_longer_holds(single, world):
    single.apply(configuration(Group("g", (primitive("one"), primitive("two")))))
    while "one start" not in [f"{call.resource} {call.operation}" for _, _, call in single.agents]:
        single.tick()
    single.apply(configuration(primitive("one")))
    single.converge()
    assert "two start" not in world.calls
    assert world.running == {"one": {}}


def test_a_monitor_that_ends_after_its_resource_was_told_to_stop_is_no_news(single, world):
    single.apply(configuration(primitive("a", x="1")))
    single.converge()
    while not single.agents:
        single.tick()
    single.apply(configuration(primitive("a", x="2")))
    del world.running["a"]
    single.converge()
    assert not single.events("action_failed")
    assert "fail-count-a#monitor_10000" not in str(single.cib.status)
    assert world.running == {"a": {"x": "2"}}


def test_orders_with_large_parameters_travel_in_messages_of_a_bounded_size(single, world):
    """One parameter of 120,000 bytes in each of 180 resources: 43 MiB of orders."""
    names = [f"r{number:03d}" for number in range(180)]
    single.apply(configuration(*(primitive(name, state="x" * 120_000) for name in names)))
    single.converge()
    assert sorted(world.running) == names
    assert max(map(len, single.sent)) <= LARGEST_SENT_BYTES


def test_an_order_that_no_message_could_carry_fails(single, world):
    large = {f"p{number:03d}": "x" * 100_000 for number in range(60)}
    single.apply(configuration(primitive("large", **large), primitive("b")))
    single.run(10_000)
    assert set(world.running) == {"b"}
    assert {event["resource"] for event in single.events("action_failed")} == {"large"}


def test_a_hint_amid_a_monitor_is_followed_by_another_one(single, world):
    """The agent has looked already when the process dies."""
    single.apply(configuration(primitive("a")))
    single.converge()
    while not single.agents:
        single.tick()
    ((_, token, call),) = single.agents
    single.agents.clear()
    looked = world.call(call)
    world.running.clear()
    single.feed(ev.ProcessesGone(single.now, "a"))
    before = single.mono_ms
    single.feed(ev.Finished(single.now, token, looked))
    single.converge()
    assert world.running == {"a": {}}
    assert single.mono_ms - before < 100


def test_a_hint_that_was_none_leaves_the_resource_watched(single, world):
    """As the watch for the processes does, each hint ends it; a pid file that stays wrong does not make monitors run all the time."""
    single.apply(configuration(primitive("a")))
    single.converge()
    assert single.watched == {"a"}
    for _ in range(3):
        single.watched.clear()
        single.feed(ev.ProcessesGone(single.now, "a"))
        single.run(20_100)
        assert single.watched == {"a"}
    world.calls.clear()
    end = single.mono_ms + 60_000
    while single.mono_ms < end:
        if "a" in single.watched:
            single.watched.clear()
            single.feed(ev.ProcessesGone(single.now, "a"))
        assert single.tick()
    assert 6 <= len(world.calls) <= 15, world.calls


def test_a_node_that_is_to_be_probed_again_holds_up_no_transition(single, world):
    single.broadcast(Observe((AttributeSet("n1", "probe_complete", "false"),), "", 0))
    single.apply(configuration(primitive("a")))
    single.run(60_000)
    assert any(action.task == "probe_again" for action in single.plan().actions)
    assert single.node.coordinator.transition is None
    assert [done["complete"] for done in single.events("transition_done")][-1]


def test_the_newest_result_of_each_resource_is_known_with_what_it_was_about(single, world):
    single.apply(configuration(primitive("a")))
    single.converge()
    single.run(10_000)
    last = single.node.executor.results["a"]
    assert (last.task, last.interval_ms, last.result.code) == ("monitor", 10_000, 0)
    assert single.now.wall_ms - 10_000 <= last.at_ms <= single.now.wall_ms
