"""A failure is recovered from, counted, forgotten and cleaned up as Pacemaker does, and what never answers is given up in time."""

from __future__ import annotations

from reconciler.controller import events as ev
from reconciler.controller.envelope import Envelope, seal, unseal
from reconciler.controller.messages import Reported, Run
from reconciler.frozen import replace

from .written import configuration, primitive


def sealed(single, message, *, sender="n1", **changes) -> bytes:
    """A message as the node itself would send it, but for what is changed."""
    envelope = Envelope("", single.node.replica.partition.view, sender, message)
    return seal(replace(envelope, **changes))


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
