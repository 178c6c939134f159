"""A node of one in virtual time: what it does, tells and remembers, script by script."""

from __future__ import annotations

import json

import pytest

from reconciler.analysis.recording import AgentTraits, Launched
from reconciler.cib.observations import AttributeSet, NodeObserved, ResourceForgotten, transient
from reconciler.controller import events as ev
from reconciler.controller.envelope import LARGEST_SENT_BYTES, Envelope, seal, unseal
from reconciler.controller.journal import restore, snapshot_bytes
from reconciler.controller.messages import Accept, Activate, Observe, Order, Propose, Reported, Run
from reconciler.controller.shared import Prepared, agreed, differing
from reconciler.errors import Finding, Place
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration, Node
from reconciler.model.resource import Agent, Clone, Group, Operation, Primitive

OPTIONS = {"stonith-enabled": "false"}


def primitive(id: str, *, interval: str = "10s", meta: dict[str, str] | None = None, **params: str) -> Primitive:
    """A primitive with a recurring monitor."""
    agent = Agent("ocf", "Dummy", "reconciler")
    return Primitive(
        id, agent, params=plain(params), meta=plain(meta or {}), operations=(Operation("monitor", interval),)
    )


def configuration(*resources, **options: str) -> Configuration:
    """A configuration without fencing."""
    written = {name.replace("_", "-"): value for name, value in options.items()}
    return Configuration(options=plain(OPTIONS | written), resources=resources)


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


def test_a_failed_monitor_recovers_the_resource_and_counts(single, world):
    single.apply(configuration(primitive("a")))
    single.converge()
    del world.running["a"]
    world.calls.clear()
    single.run(11_000)
    single.converge()
    assert world.calls == ["a monitor=10000", "a stop", "a start", "a monitor=10000"]
    attributes = single.cib.status.nodes[0].transient[0].values
    assert attributes["fail-count-a#monitor_10000"] == "1"
    assert single.now.epoch_s - int(attributes["last-failure-a#monitor_10000"]) <= 1


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


def test_a_failed_start_is_fatal_until_it_is_cleaned_up(single, world):
    world.failing["a", "start"] = 1
    single.apply(configuration(primitive("a")))
    single.converge()
    assert world.calls.count("a start") == 1
    (problem,) = [p for p in single.events("converged")[-1]["problems"] if "start" in p["text"]]
    assert "asked to fail" in problem["text"]
    del world.failing["a", "start"]
    single.run(3_600_000)
    assert world.calls.count("a start") == 1
    single.feed(ev.CleanupAsked(single.now, ("a",)))
    single.converge()
    assert "a" in world.running


def test_a_start_that_may_fail_again_is_tried_more_and_more_rarely(single, world):
    world.failing["a", "start"] = 1
    single.apply(configuration(primitive("a"), start_failure_is_fatal="false"))
    single.run(60_000)
    first = world.calls.count("a start")
    assert 5 <= first <= 12, first
    single.run(60_000)
    assert world.calls.count("a start") - first <= 2
    assert [event for event in single.events("daemon") if event["what"] == "not-converging"]


def test_a_threshold_ends_the_tries(single, world):
    single.apply(configuration(primitive("a", meta={"migration-threshold": "1"})))
    single.converge()
    del world.running["a"]
    single.run(11_000)
    single.converge()
    assert "a" not in world.running


def test_a_failure_expires(single, world):
    single.apply(configuration(primitive("a", meta={"migration-threshold": "1", "failure-timeout": "60s"})))
    single.converge()
    del world.running["a"]
    single.run(11_000)
    single.converge()
    assert "a" not in world.running
    single.run(70_000)
    assert "a" in world.running


def test_a_failed_stop_blocks(single, world):
    single.apply(configuration(primitive("a", x="1")))
    single.converge()
    world.failing["a", "stop"] = 1
    single.apply(configuration(primitive("a", x="2")))
    single.converge()
    assert world.running == {"a": {"x": "1"}}
    assert world.calls.count("a start") == 1


def test_an_invalid_commit_changes_nothing(single, world):
    single.apply(configuration(primitive("a")))
    single.converge()
    version = single.cib.version
    single.feed(ev.CommitArrived(single.now, "bad", "test", "x"))
    single.converge()
    assert (single.cib.version, single.node.replica.commit) == (version, f"{1:040x}")
    assert single.events("rejected")[-1]["commit"] == "bad"


def test_an_activation_that_cannot_be_kept_is_refused(single, world):
    single.apply(configuration(primitive("a")))
    single.converge()
    single.drop = Activate
    commit = single.apply(configuration(primitive("b")))
    single.converge()
    assert set(world.running) == {"a"}
    assert single.events("rejected")[-1]["commit"] == commit
    single.drop = None
    single.apply(configuration(primitive("b")), commit)
    single.converge()
    assert set(world.running) == {"b"}


def test_of_two_proposals_the_second_is_judged_on_top_of_the_first(single):
    first, second = configuration(primitive("a")), configuration(primitive("b"))
    single.commits |= {"one": first, "two": second}
    single.pending.append(ev.CommitArrived(single.now, "one", "x", ""))
    single.feed(ev.CommitArrived(single.now, "two", "y", ""))
    single.converge()
    assert [event["commit"] for event in single.events("activated")] == ["one", "two"]
    assert single.node.replica.activations[-1].parent == "one"


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


def test_what_was_examined_on_top_of_another_commit_does_not_count(single):
    """The answer to an examination comes after another commit became active: it is examined again, and only that counts."""
    single.apply(configuration(primitive("a")), "one")
    single.converge()
    single.commits["two"] = configuration(primitive("b"))
    single.node.step(ev.CommitArrived(single.now, "two", "x", ""))
    replica = single.node.replica
    replica.take_in("n1", b"", Propose("two", "zero", "x", "", False, replica.term))
    replica.take_in("n1", b"", Accept("two", "zero", "digest", replica.term))
    replica.take_in("n1", b"", Propose("two", "one", "x", "", False, replica.term))
    assert agreed(replica.shared, ("n1",)) is None
    replica.take_in("n1", b"", Accept("two", "zero", "digest", replica.term))
    assert agreed(replica.shared, ("n1",)) is None
    replica.take_in("n1", b"", Accept("two", "one", "digest", replica.term))
    accepted = agreed(replica.shared, ("n1",))
    assert accepted is not None
    assert accepted.commit == "two"


def test_members_that_understand_a_commit_differently_refuse_it(single):
    replica = single.node.replica
    replica.take_in("n1", b"", Propose("two", None, "x", "", False, replica.term))
    replica.take_in("n1", b"", Accept("two", None, "one digest", replica.term))
    assert agreed(replica.shared, ("n1", "n2")) is None
    assert differing(replica.shared, ("n1", "n2")) is None
    replica.take_in("n2", b"", Accept("two", None, "other digest", replica.term))
    assert agreed(replica.shared, ("n1", "n2")) is None
    assert differing(replica.shared, ("n1", "n2")) is not None


def test_silence_is_never_acceptance(single):
    single.commits["slow"] = configuration()
    single.feed(ev.TimerFired(single.now, "recheck"))
    effects = single.node.step(ev.CommitArrived(single.now, "slow", "x", ""))
    (proposed,) = [effect.data for effect in effects if isinstance(effect, ev.Send)]
    told = single.node.step(ev.Delivered(single.now, "n1", proposed))
    single.carry_out([effect for effect in told if not isinstance(effect, ev.Examine)])
    assert "examine slow" in single.timers
    single.run(61_000)
    assert "no answer" in single.events("rejected")[-1]["reason"]
    assert single.node.replica.commit is None


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


def test_what_is_lost_does_not_hold_up_the_cluster_for_ever(single, world):
    """The order of one operation and the result of another never come."""
    single.apply(configuration(primitive("a"), primitive("b")))
    single.converge()
    single.apply(configuration(primitive("a", x="1"), primitive("b", x="1"), primitive("c")))
    send, lost = single.send, []

    def lossy(data):
        message = unseal(data).message
        if len(lost) < 2 and isinstance(message, Run | Reported) and (not lost or type(message) is not type(lost[0])):
            lost.append(message)
        else:
            send(data)

    single.send = lossy
    single.apply(configuration(primitive("a", x="2"), primitive("b", x="2"), primitive("d")))
    single.run(3_600_000)
    assert {type(message) for message in lost} == {Run, Reported}
    assert [event for event in single.events("action_failed") if "no answer" in event["exit_reason"]]
    assert world.running == {"a": {"x": "2"}, "b": {"x": "2"}, "d": {}}
    single.assert_nothing_to_do()


def test_a_call_is_not_given_up_while_others_end(single, world):
    """As many calls wait for each other as it takes to be late; none is given up."""
    single.apply(configuration(*(primitive(f"r{number:02d}") for number in range(30))))
    ready: list = []
    while not single.node.coordinator.converged:
        ready, single.agents = sorted([*ready, *single.agents]), []
        if not ready:
            assert single.tick()
            continue
        (_, token, call), *ready = ready
        single.mono_ms += 60_000
        single.feed(ev.Finished(single.now, token, world.call(call)))
        for name, at_ms in sorted(single.timers.items()):
            if at_ms <= single.mono_ms and name in single.timers:
                del single.timers[name]
                single.feed(ev.TimerFired(single.now, name))
    assert single.events("action_failed") == []
    assert len(world.running) == 30


def test_a_node_that_stood_still_waits_for_its_calls_again(single, world):
    single.apply(configuration(primitive("a")))
    while not [call for _, _, call in single.agents if call.operation == "start"]:
        single.tick()
    ((_, token, call),) = single.agents
    single.agents.clear()
    single.mono_ms += 24 * 3_600_000
    del single.timers["overdue"]
    single.feed(ev.TimerFired(single.now, "overdue"))
    assert single.events("action_failed") == []
    assert "overdue" in single.timers
    single.feed(ev.Finished(single.now, token, world.call(call)))
    single.converge()
    assert world.running == {"a": {}}


def test_a_commit_that_arrives_amid_an_activation_is_not_lost(single):
    """The activation is in the journal, but not delivered yet, when the next commit comes."""
    single.apply(configuration(primitive("a")), "one")
    single.converge()
    single.commits |= {"two": configuration(primitive("b")), "three": configuration(primitive("c"))}
    send = single.send

    def slow(data):
        send(data)
        message = unseal(data).message
        if isinstance(message, Activate) and message.commit == "two":
            held = single.pending.pop()
            single.carry_out(single.node.step(ev.CommitArrived(single.now, "three", "git", "")))
            proposed = single.pending.pop()
            single.pending += [held, proposed]

    single.send = slow
    single.feed(ev.CommitArrived(single.now, "two", "git", ""))
    single.converge()
    assert [event["commit"] for event in single.events("activated")] == ["one", "two", "three"]
    assert single.events("rejected") == []
    assert single.node.replica.activations[-1].parent == "two"


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


def test_a_proposal_that_makes_room_for_another_leaves_nothing(single):
    replica = single.node.replica
    for number in range(200):
        commit = f"{number:040x}"
        replica.take_in("n1", b"", Propose(commit, None, "x", "", False, replica.term))
        replica.prepare(commit, Prepared("digest", configuration()))
    assert len(replica.proposals) < 100
    assert set(replica.own.prepared) == set(replica.proposals)


def test_a_refusal_says_whether_it_may_pass(single):
    """A full store, silence: the same commit may be taken later. An invalid one never is."""
    single.full = True
    commit = single.apply(configuration(primitive("a")))
    assert "can't keep it" in single.events("rejected")[-1]["reason"]
    assert single.events("rejected")[-1]["transient"] is True
    single.full = False
    single.drop = Activate
    single.apply(configuration(primitive("a")), commit)
    assert "could not make it durable" in single.events("rejected")[-1]["reason"]
    assert single.events("rejected")[-1]["transient"] is True
    single.drop = None
    single.feed(ev.CommitArrived(single.now, "bad", "test", "x"))
    assert single.events("rejected")[-1]["transient"] is False
    single.examine = lambda *_: None
    single.feed(ev.CommitArrived(single.now, "slow", "test", "x"))
    single.run(61_000)
    assert single.events("rejected")[-1]["commit"] == "slow"
    assert single.events("rejected")[-1]["transient"] is True


def test_any_refusal_fits_into_a_message(single):
    """A thousand findings that quote a value of a megabyte, in a file whose name is no text."""
    finding = Finding("code", Place("\udcff.yaml", 1, 1), "x" * 1_000_001, "y" * 1_000_001)
    single.examine = lambda commit, base: single.pending.append(
        ev.Examined(single.now, commit, base, reason="z" * 1_000_001, findings=(finding,) * 1000)
    )
    single.feed(ev.CommitArrived(single.now, "bad", "test", "x"))
    (rejected,) = single.events("rejected")
    assert rejected["findings"][0]["file"] == "\\udcff.yaml"
    assert 100 <= len(rejected["findings"]) <= 1000


@pytest.mark.parametrize("identity", ["1", "n2", "N1"])
def test_a_node_is_known_by_its_name_whatever_id_a_commit_gives_it(single, world, identity):
    single.apply(configuration(primitive("a")))
    single.converge()
    nodes = (Node("n1", identity), Node("n2"))
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


def test_what_a_former_version_told_under_the_configured_id_is_taken_in(single):
    single.apply(replace(configuration(), nodes=(Node("n1", "1"),)))
    single.broadcast(Observe((NodeObserved("1", "n1", {"x": "2"}), AttributeSet("1", "y", "3")), "", 0))
    single.broadcast(Observe((AttributeSet("1", "z", "4"),), "", 0))
    single.settle()
    (state,) = single.cib.status.nodes
    assert (state.attributes["x"], transient(state)["y"], transient(state)["z"]) == ("2", "3", "4")
    plain_state = json.loads(snapshot_bytes(single.node.replica))
    plain_state["shared"]["cib"]["status"]["nodes"].append({"id": "1", "name": "n1", "attributes": {"later": "1"}})
    (state,) = restore("n1", json.dumps(plain_state).encode(), ())[0].cib.status.nodes
    assert (state.id, state.attributes) == ("n1", {"later": "1"})


# What is around a message


def sealed(single, message, *, sender="n1", **changes) -> bytes:
    """A message as the node itself would send it, but for what is changed."""
    envelope = Envelope("", single.node.replica.partition.view, sender, message)
    return seal(replace(envelope, **changes))


START = Order(1, 20_000, Launched("r", "start", "n1", "n1", Agent("ocf", "Dummy", "reconciler"), "1:9:0:u"))


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


def test_an_answer_to_another_transition_of_the_same_number_ends_nothing(single, world):
    """Both DCs counted their transitions alike; the stop that the second one ordered is still under way."""
    single.apply(configuration(primitive("a")))
    single.converge()
    single.apply(configuration())
    while not [call for _, _, call in single.agents if call.operation == "stop"]:
        single.tick()
    transition = single.node.coordinator.transition
    (action,) = transition.running
    stale = Reported(transition.term - 1, transition.number, action, "a", "stop", 0, "n1", 0, 0, False, "", 1, (), 0)
    single.feed(ev.Delivered(single.now, "n1", sealed(single, stale)))
    assert action in transition.running
    single.feed(ev.Delivered(single.now, "n1", sealed(single, replace(stale, term=transition.term))))
    assert action not in transition.running


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


# The disk


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
