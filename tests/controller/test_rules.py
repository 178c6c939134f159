"""Rules of the controller, each with what would happen if it did not hold; written against events and messages, not against parts."""

from __future__ import annotations

import re

import pytest

from reconciler.analysis.soundness import Violation
from reconciler.controller import events as ev
from reconciler.controller.envelope import Envelope, seal, unseal
from reconciler.controller.messages import (
    Accept,
    Activate,
    Joined,
    MessageError,
    Observe,
    Propose,
)
from reconciler.controller.moment import Moment
from reconciler.controller.replica import Replica
from reconciler.controller.shared import Prepared, agreed
from reconciler.controller.transition import Transition
from reconciler.frozen import replace
from reconciler.model.score import INFINITY
from reconciler.simulator.cluster import SimulatedCluster

from .written import configuration, primitive, sent

HOUR_MS = 3_600_000


# Asking again


def test_the_pause_between_equal_plans_doubles_up_to_five_minutes(single, world):
    world.failing["a", "start"] = 1
    single.apply(configuration(primitive("a"), start_failure_is_fatal="false"))
    single.run(2 * HOUR_MS)
    told = [event["text"] for event in single.events("daemon") if event["what"] == "not-converging"]
    pauses = [int(found[1]) for text in told if (found := re.search(r"next try in (\d+) s", text))]
    assert pauses[:11] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert set(pauses[11:]) == {300}
    calls = world.calls.count("a start")
    single.run(HOUR_MS)
    assert world.calls.count("a start") - calls in (11, 12)


def test_a_clock_that_is_set_makes_the_node_think_at_once(single, world):
    """Here a failure has expired by the new clock; by the timer it would be an hour until somebody looked."""
    meta = {"migration-threshold": "1", "failure-timeout": "1h"}
    single.apply(configuration(primitive("a", meta=meta), cluster_recheck_interval="24h"))
    single.converge()
    del world.running["a"]
    single.run(11_000)
    single.converge()
    assert world.running == {}
    before = single.mono_ms
    single.clock_offset_ms += 2 * HOUR_MS
    single.feed(ev.ProcessesGone(single.now, "nothing of ours"))
    single.converge()
    assert world.running == {"a": {}}
    assert single.mono_ms - before < 1000


def test_a_clock_that_drifts_less_than_a_second_is_no_news(single):
    single.apply(configuration(primitive("a")))
    single.converge()
    told = len(single.events("converged"))
    for _ in range(5):
        single.clock_offset_ms += 900
        single.feed(ev.Quiet(single.now))
    assert len(single.events("converged")) == told
    single.clock_offset_ms -= 1000
    single.feed(ev.Quiet(single.now))
    assert len(single.events("converged")) == told + 1


def die_and_recover(single, resource: str, ms: int) -> int:
    """The resource's process dies as often as it runs, for so long; how often it was started again."""
    end, begun = single.mono_ms + ms, single.world.calls.count(f"{resource} start")
    while single.mono_ms < end:
        if resource in single.world.running and not single.agents:
            del single.world.running[resource]
            single.feed(ev.ProcessesGone(single.now, resource))
        if not single.tick():
            single.mono_ms += 100
    return single.world.calls.count(f"{resource} start") - begun


def test_recoveries_are_capped_over_all_resources_and_that_is_said(single, world):
    """Whatever it is that makes services look failed: a manager that restarts them without end makes it worse."""
    single.apply(configuration(primitive("a"), primitive("b")))
    single.converge()
    assert 60 <= die_and_recover(single, "a", 59_000) <= 61
    (event,) = [event for event in single.events("daemon") if event["what"] == "restart-cap"]
    told = re.fullmatch(r"6[01] recoveries within a minute are too many; the next ones wait ([0-9]+) s", event["text"])
    assert told is not None
    assert 1 <= int(told[1]) <= 60, "the first of them was less than a minute ago"
    assert "a" not in world.running
    assert [problem["text"] for problem in single.node.coordinator.problems] == [event["text"]]
    single.run(61_000)
    assert "a" in world.running, "they only wait"


def test_a_change_is_not_held_back_by_recoveries(single, world):
    single.apply(configuration(primitive("a"), primitive("b")))
    single.converge()
    die_and_recover(single, "a", 30_000)
    assert "a" not in world.running
    before = single.mono_ms
    single.apply(configuration(primitive("a"), primitive("c")))
    single.converge()
    assert set(world.running) == {"a", "c"}
    assert single.mono_ms - before < 5_000


def test_each_of_many_resources_may_be_recovered_once_a_minute(single, world):
    names = [f"r{number}" for number in range(90)]
    single.apply(configuration(*map(primitive, names)))
    single.converge()
    world.running.clear()
    single.run(15_000)
    assert set(world.running) == set(names)
    assert not [event for event in single.events("daemon") if event["what"] == "restart-cap"]


def test_a_plan_that_breaks_a_rule_is_not_carried_out(single, world):
    """The second program that looks at plans has found a fault of the first: doing nothing is safer than doing that."""
    ask = single.node.coordinator.bounded
    found = Violation("started twice", "a would run on n1 and n2")
    single.node.coordinator.bounded = lambda cib, make: (ask(cib, make)[0], (found,))
    single.apply(configuration(primitive("a")))
    single.run(1000)
    assert world.calls == []
    (event,) = [event for event in single.events("daemon") if event["what"] == "unsound-plan"]
    assert event["text"] == "started twice: a would run on n1 and n2"
    assert [problem["text"] for problem in single.node.coordinator.problems] == [event["text"]]
    single.node.coordinator.bounded = ask
    single.apply(configuration(primitive("a"), primitive("b")))
    single.converge()
    assert set(world.running) == {"a", "b"}


# What operators ask for


def test_a_refresh_looks_up_again_what_was_only_probed(single, world):
    single.apply(configuration(primitive("a", meta={"target-role": "Stopped"})))
    single.converge()
    assert world.calls == ["a monitor"]
    single.feed(ev.RefreshAsked(single.now, ("a",)))
    single.converge()
    assert world.calls == ["a monitor", "a monitor"]


def test_a_refresh_asks_a_monitored_resource_at_once(single, world):
    single.apply(configuration(primitive("a")))
    single.converge()
    del world.running["a"]
    before = single.mono_ms
    single.feed(ev.RefreshAsked(single.now, ("a",)))
    single.converge()
    assert world.running == {"a": {}}
    assert single.mono_ms - before < 100
    assert "a refresh was asked for" not in [message.why for message in sent(single, Observe)], "nothing is forgotten"


def test_a_refresh_has_what_is_not_monitored_probed_again(single, world):
    single.apply(configuration(primitive("a", interval=None), primitive("b", interval=None)))
    single.converge()
    world.calls.clear()
    del world.running["a"]
    single.feed(ev.RefreshAsked(single.now, ("a",)))
    single.converge()
    assert world.calls == ["a monitor", "a start"]
    assert world.running == {"a": {}, "b": {}}


def test_a_refresh_forgets_nothing_of_what_is_under_way(single, world):
    single.apply(configuration(primitive("a", interval=None)))
    while "start" not in [call.operation for _, _, call in single.agents]:
        single.tick()
    single.feed(ev.RefreshAsked(single.now, ("a",)))
    assert sent(single, Observe) == []
    single.converge()
    assert world.calls == ["a monitor", "a start"]


def test_a_cleanup_spares_what_is_under_way(single, world):
    """Were the start forgotten that goes on, a probe would not see it, and it would be started twice."""
    single.apply(configuration(primitive("a")))
    single.converge()
    del world.running["a"]
    single.feed(ev.ProcessesGone(single.now, "a"))
    while "start" not in [call.operation for _, _, call in single.agents]:
        single.tick()
    world.calls.clear()
    single.feed(ev.CleanupAsked(single.now, ("a",)))
    assert "failures were cleaned up" in [event["why"] for event in single.events("transition_aborted")]
    (history,) = single.cib.status.nodes[0].history
    assert "-1" in [entry.attributes["op-status"] for entry in history.entries], "the start is still known to go on"
    single.converge()
    assert world.calls == ["a start", "a monitor=10000"]


def test_the_phase_says_what_the_node_is_about(single, world):
    """`running` also while nothing is changed but an agent is being asked: whoever waits for rest must wait for that as well."""
    assert single.node.phase == "idle"
    single.apply(configuration(primitive("a")))
    assert single.node.phase == "running"
    assert single.node.coordinator.busy
    single.converge()
    assert not single.node.coordinator.busy
    assert single.node.phase == "idle"
    while not single.agents:
        single.tick()
    assert not single.node.coordinator.busy
    assert single.node.phase == "running"
    single.converge()
    single.feed(ev.StopAsked(single.now))
    assert single.node.phase == "stopping"
    while single.left is None:
        single.tick()
    assert single.node.phase == "stopping"


def test_every_member_says_alike_whether_the_cluster_is_at_rest():
    """Only the DC computes what is to be done: the others go by its word."""
    cluster = SimulatedCluster(("n1", "n2", "n3"), 1)
    cluster.start()
    names, phases = set(cluster.hosts), set()
    cluster.watch.append(
        lambda *_: phases.update((name, host.node.phase) for name, host in cluster.hosts.items() if host.node)
    )
    cluster.apply(configuration(primitive("a")), "n1")
    assert cluster.until(lambda: cluster.world.where("a") != [], 10_000)
    assert phases >= {(name, "running") for name in names}
    cluster.run(5_000)
    assert {host.node.phase for host in cluster.hosts.values() if host.node} == {"idle"}


def test_numbers_of_transitions_and_results_go_on_after_a_restart(single, world):
    """Were one used twice, a late answer would be taken for that of another order."""

    def numbers() -> tuple[int, int]:
        entries = [entry for history in single.cib.status.nodes[0].history for entry in history.entries]
        return single.events("planned")[-1]["transition"], max(int(entry.attributes["call-id"]) for entry in entries)

    single.apply(configuration(primitive("a", x="1"), primitive("b")))
    single.converge()
    for value in "23":
        before = numbers()
        single.crash()
        single.converge()
        single.apply(configuration(primitive("a", x=value), primitive("b")))
        single.converge()
        after = numbers()
        assert after[0] > before[0]
        assert after[1] > before[1]


# What is remembered


def test_a_failed_stop_keeps_the_parameters_of_the_start(single, world):
    """The agents here object when they are stopped with other parameters than those they were started with."""
    single.apply(configuration(primitive("a", x="1")))
    single.converge()
    world.failing["a", "stop"] = 1
    single.apply(configuration(primitive("a", x="2")))
    single.converge()
    assert single.node.replica.memory.started["a"].attributes["x"] == "1"
    single.crash()
    single.converge()
    del world.failing["a", "stop"]
    single.feed(ev.CleanupAsked(single.now, ("a",)))
    single.converge()
    assert world.running == {"a": {"x": "2"}}
    assert world.calls.count("a start") == 2


def test_a_failure_keeps_what_the_agent_said_first_and_last(single, world):
    """Until the operation succeeds or the failure is forgotten; what was said by later operations does not take its place."""
    said = "first\n" + "x" * 100_000 + "\nlast"
    call = world.call
    world.call = lambda one: replace(call(one), output=said if one.operation == "start" else "")
    world.failing["a", "start"] = 1
    single.apply(configuration(primitive("a")))
    single.converge()
    kept = single.node.executor.failures["a", "a_start_0"].result.output
    assert kept.startswith("first\nxxx")
    assert kept.endswith("xxx\nlast")
    assert "[... 95915 characters left out ...]" in kept
    assert single.events("action_failed")[-1]["output"] == kept
    del world.failing["a", "start"]
    single.feed(ev.CleanupAsked(single.now, ("a",)))
    single.converge()
    assert single.node.executor.failures == {}


# Deciding on a commit


def joined(node: str, term: int) -> Joined:
    return Joined(node, term, "boot", (), (), 0)


def agreed_on(commit: str, *joins: Joined) -> Replica:
    """A replica in the term after these joins, with a commit that it accepted."""
    replica = Replica("n1")
    for join in joins:
        replica.take_in(join.node, b"", join)
    replica.take_in("n1", b"", Propose(commit, None, "git", "", False, replica.term))
    replica.prepare(commit, Prepared("digest", configuration(primitive("a"))))
    replica.take_in("n1", b"", Accept(commit, None, "digest", replica.term))
    return replica


@pytest.mark.parametrize(("term", "active"), [(1, None), (2, "one"), (3, "one")])
def test_an_activation_of_an_older_term_is_refused(term, active):
    """A DC that was cut off, and whose messages come late, decides nothing any more."""
    replica = agreed_on("one", joined("n1", 0), joined("n2", 1))
    assert replica.term == 2
    replica.take_in("n2", b"", Activate("one", 1, "digest", 0, term))
    assert replica.commit == active


@pytest.mark.parametrize(
    "activation",
    [Activate("one", 2, "digest", 0, 1), Activate("one", 0, "digest", 0, 1), Activate("one", 1, "other", 0, 1)],
    ids=["of another epoch", "of an epoch that was", "of another digest"],
)
def test_an_activation_that_does_not_follow_is_refused(activation):
    replica = agreed_on("one", joined("n1", 0))
    replica.take_in("n1", b"", activation)
    assert (replica.commit, replica.activations) == (None, ())


def test_an_activation_of_what_was_not_prepared_here_changes_nothing():
    """It can only be somebody else's fault, and must not end this node."""
    replica = agreed_on("one", joined("n1", 0))
    for commit in ("two", "three"):
        replica.take_in("n1", b"", Propose(commit, None, "git", "", False, replica.term))
        replica.take_in("n1", b"", Accept(commit, None, "digest", replica.term))
    before = replica.shared.cib
    replica.take_in("n1", b"", Activate("two", 1, "digest", 0, replica.term))
    replica.take_in("n1", b"", Activate("four", 1, "digest", 0, replica.term))
    assert (replica.commit, replica.shared.cib) == (None, before)


def test_a_join_clears_proposals():
    """The new member has not examined them: what was agreed on without it must not become active."""
    replica = agreed_on("one", joined("n1", 0))
    replica.take_in("n2", b"", joined("n2", 1))
    assert agreed(replica.shared, ("n1",)) is None
    replica.take_in("n1", b"", Activate("one", 1, "digest", 0, replica.term))
    assert replica.commit is None
    assert (replica.proposals, replica.own.prepared) == ({}, {})


def test_only_own_proposals_are_proposed_again(single):
    """After an activation each member proposes anew what it had proposed itself; otherwise each would propose all."""
    single.apply(configuration(primitive("a")), "one")
    single.converge()
    single.commits |= {"next": configuration(primitive("b"))}
    examine, single.examine = single.examine, lambda commit, base: None
    term = single.node.replica.term
    for proposer, commit in (("n2", "theirs"), ("n1", "ours")):
        message = Propose(commit, "one", "git", "", False, term)
        single.hear(proposer, message)
    single.examine = examine
    told = len(sent(single, Propose))
    single.feed(ev.CommitArrived(single.now, "next", "git", ""))
    assert single.node.replica.commit == "next"
    assert [(message.commit, message.base) for message in sent(single, Propose)[told:]] == [
        ("next", "one"),
        ("ours", "next"),
    ]


def test_a_text_in_a_message_has_a_bound():
    longest = Propose("c", None, "s", "x" * 1_000_000, False, 1)
    sent = Envelope("", "v", "n1", longest)
    assert unseal(seal(sent)) == sent
    with pytest.raises(MessageError, match="longer than"):
        unseal(seal(replace(sent, message=replace(longest, subject="x" * 1_000_001))))


# A plan being executed

NOW = Moment(0, 0)


def plan_to_start(single, *names: str):
    """The plan that starts these, one after its own probe."""
    single.commits["c"] = configuration(*(primitive(name) for name in names))
    single.feed(ev.CommitArrived(single.now, "c", "git", ""))
    while not all(f"{name} monitor" in single.world.calls for name in names):
        single.tick()
    return single.plan()


def test_after_an_abort_only_what_must_follow_still_runs(single):
    plan = plan_to_start(single, "a", "b")
    starts = {action.resource: action.id for action in plan.actions if action.task == "start"}
    urgent = tuple(
        replace(action, priority=INFINITY) if action.id == starts["b"] else replace(action, triggers=())
        for action in plan.actions
    )
    urgent = tuple(replace(action, triggers=()) if action.id == starts["b"] else action for action in urgent)
    transition = Transition(1, 1, replace(plan, actions=urgent), NOW)
    transition.abort("a test")
    assert [action.id for action in transition.launch(NOW)] == [starts["b"]]
    assert not transition.over, "it runs"
    transition.finish(starts["b"], True)
    assert transition.over


@pytest.mark.parametrize(("limit", "at_once"), [(1, 1), (2, 2), (-1, 3), (0, 3)])
def test_so_many_migrations_at_once_leave_a_node(single, limit, at_once):
    plan = plan_to_start(single, "a", "b", "c")
    plan = replace(plan, terms=replace(plan.terms, migration_limit=limit))
    actions = tuple(
        replace(action, task="migrate_to", triggers=()) for action in plan.actions if action.task == "start"
    )
    transition = Transition(1, 1, replace(plan, actions=actions), NOW)
    first = transition.launch(NOW)
    assert len(first) == at_once
    transition.finish(first[0].id, True)
    assert len(transition.launch(NOW)) == min(1, 3 - at_once), "the next takes its place"
