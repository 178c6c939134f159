"""A member that nobody tells anything applies the policy by itself, before others start what it runs."""

from __future__ import annotations

import pytest

from reconciler.controller import events as ev
from reconciler.controller.cut_off import CUT_OFF_TIMER
from reconciler.controller.membership.events import View
from reconciler.controller.moment import Moment
from reconciler.controller.quorum.self_stop import ALONE_MS
from reconciler.controller.quorum.votes import RingVerdict
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Order
from reconciler.model.operation import AgentResult
from reconciler.model.resource import Agent, Clone, Operation, Primitive
from reconciler.model.status import HistoryEntry, ResourceHistory

AGENT = Agent("ocf", "Dummy", "reconciler")


def primitive(id: str) -> Primitive:
    return Primitive(id, AGENT, params=plain({"value": id}), operations=(Operation("monitor", "10s"),))


def running(single, policy: str) -> None:
    """Two resources, the second after the first, and one that is promoted."""
    single.world.scores["db"] = "10"
    resources = (primitive("a"), primitive("b"), Clone("dbs", primitive("db"), meta=plain({"promotable": "true"})))
    order = Order("o", first="a", then="b")
    options = plain({"stonith-enabled": "false", "no-quorum-policy": policy})
    single.apply(Configuration(options=options, resources=resources, constraints=(order,)))
    single.converge()
    assert set(single.world.running) == {"a", "b", "db"}
    single.world.calls.clear()


def cut_off(single, *, quorate: bool = False, members: tuple[str, ...] = ("n1", "n2")) -> None:
    """A view in which nothing that we send arrives."""
    single.send = lambda data: None
    single.feed(ev.ViewChanged(single.now, View("deaf", members, RingVerdict(quorate, 2), members)))


def acts(single) -> list[str]:
    return [call for call in single.world.calls if "monitor" not in call]


def test_what_is_promoted_goes_first_and_what_was_started_last_of_what_is_tied_together(single) -> None:
    """What no order ties to each other does not wait for each other."""
    running(single, "stop")
    cut_off(single)
    single.run(4_900)
    assert acts(single) == []
    single.run(2_000)
    assert acts(single) == ["db demote", "b stop", "db stop", "a stop"]
    assert single.world.running == {}
    assert "by itself" in next(e for e in single.events("daemon") if e["what"] == "cut-off")["text"]


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ("demote", ["db demote", "b stop", "db stop", "a stop"]),
        ("freeze", []),
        ("ignore", []),
        ("suicide", ["db demote", "b stop", "db stop", "a stop"]),
    ],
)
def test_each_policy_is_applied(single, policy, wanted) -> None:
    running(single, policy)
    cut_off(single)
    single.run(10_000)
    assert acts(single) == wanted


def test_who_has_lost_the_quorum_fences_itself_at_once(single) -> None:
    running(single, "suicide")
    wished = watch(single)
    cut_off(single)
    single.run(10)
    assert len(wished) == 1


def test_nobody_fences_itself_because_members_come_and_go(single) -> None:
    running(single, "suicide")
    wished = watch(single)
    cut_off(single, quorate=True)
    single.run(4_900)
    assert wished == []
    assert acts(single) == []
    single.run(200)
    assert len(wished) == 1, "it is cut off after all"


def test_who_runs_nothing_does_not_fence_itself(single) -> None:
    options = plain({"stonith-enabled": "false", "no-quorum-policy": "suicide"})
    single.apply(Configuration(options=options))
    single.converge()
    wished = watch(single)
    cut_off(single)
    single.run(60_000)
    assert wished == []


def watch(single) -> list[ev.FenceItself]:
    """What the node wishes to be done to itself from now on."""
    wished: list[ev.FenceItself] = []
    carry_out = single.carry_out

    def watching(effects: list[object]) -> None:
        wished.extend(effect for effect in effects if isinstance(effect, ev.FenceItself))
        carry_out(effects)

    single.carry_out = watching
    return wished


def test_a_view_that_is_installed_in_time_ends_the_waiting(single) -> None:
    running(single, "stop")
    send = single.send
    cut_off(single)
    single.run(4_000)
    single.send = send
    single.join()
    single.settle()
    single.run(30_000)
    assert acts(single) == []


def test_who_is_alone_by_right_waits_for_nobody(single) -> None:
    """A slow disk does not make a cluster of one node stop its resources."""
    running(single, "stop")
    cut_off(single, quorate=True, members=("n1",))
    single.run(60_000)
    assert acts(single) == []


def test_what_was_stopped_meanwhile_is_told_in_the_next_view(single) -> None:
    running(single, "stop")
    send = single.send
    cut_off(single)
    single.run(10_000)
    assert single.world.running == {}
    single.send = send
    single.join()
    single.settle()
    single.converge()
    assert set(single.world.running) == {"a", "b", "db"}
    single.assert_nothing_to_do()


def test_a_stop_waits_for_no_monitor(single) -> None:
    """The others count the stops alone: a monitor that hangs when the network goes would make them longer by its timeout."""
    running(single, "stop")
    cut_off(single)
    single.latency_ms = 30_000
    single.feed(ev.ProcessesGone(single.now, "b"))
    assert [call.operation for _, _, call in single.agents] == ["monitor"], "it looks, and is not answered"
    single.latency_ms = 10
    single.run(5_000)
    single.run(1_000)
    assert acts(single)[-1] == "a stop"
    assert single.world.running == {}


# When, by the policy and the view


def out_of_a_view(single) -> None:
    single.node.replica.partition = replace(single.node.replica.partition, installed=False)


def node_with(single, policy: str) -> None:
    options = plain({"stonith-enabled": "false", "no-quorum-policy": policy})
    single.apply(Configuration(options=options, resources=(primitive("a"),)))
    single.converge()


@pytest.mark.parametrize(
    ("policy", "members", "quorate", "after_ms"),
    [
        ("stop", ("n1", "n2"), False, ALONE_MS),
        ("stop", ("n1", "n2"), True, ALONE_MS),
        ("stop", ("n1",), False, ALONE_MS),
        ("stop", ("n1",), True, None),
        ("demote", ("n1", "n2"), True, ALONE_MS),
        ("suicide", ("n1", "n2"), True, ALONE_MS),
        ("suicide", ("n1", "n2"), False, 0),
        ("ignore", ("n1", "n2"), False, None),
        ("freeze", ("n1", "n2"), False, ALONE_MS),
    ],
)
def test_time_runs_from_the_announcement_of_a_view(single, policy, members, quorate, after_ms) -> None:
    node_with(single, policy)
    wishes = single.node.cut_off.announced(View("v", members, RingVerdict(quorate, 1), members), single.now)
    timers = [wish.at_ms - single.mono_ms for wish in wishes if isinstance(wish, ev.SetTimer)]
    assert timers == ([] if after_ms is None else [after_ms])
    assert (ev.ClearTimer(CUT_OFF_TIMER) in wishes) is (policy == "stop" and quorate and members == ("n1",))


def test_without_a_view_time_runs_too(single) -> None:
    node_with(single, "suicide")
    (timer,) = single.node.cut_off.announced(None, single.now)
    assert timer.at_ms == single.mono_ms


@pytest.mark.parametrize(("stood_ms", "left_ms"), [(1_000, 4_000), (3_999, 1_001), (4_500, 1_000), (60_000, 1_000)])
def test_who_stood_still_has_what_is_left_of_the_time_and_a_second_at_least(
    single, stood_ms: int, left_ms: int
) -> None:
    node_with(single, "stop")
    last = Moment(single.now.wall_ms - stood_ms, single.mono_ms - stood_ms)
    (timer,) = single.node.cut_off.stood_still(last, single.now)
    assert timer == ev.SetTimer(CUT_OFF_TIMER, single.mono_ms + left_ms)
    out_of_a_view(single)
    assert single.node.cut_off.stood_still(last, single.now) == [], "time runs from the announcement already"


def test_who_stood_still_and_goes_on_by_its_policy_has_nothing_to_wait_for(single) -> None:
    node_with(single, "ignore")
    assert single.node.cut_off.stood_still(single.now, single.now) == []


@pytest.mark.parametrize(
    ("installed", "unsure", "acts"),
    [(True, False, False), (True, True, True), (False, False, True), (False, True, True)],
)
def test_it_acts_where_it_may_be_cut_off(single, installed: bool, unsure: bool, acts: bool) -> None:
    node_with(single, "stop")
    node = single.node
    node.replica.partition = replace(node.replica.partition, installed=installed)
    node.parts.unsure = unsure
    assert bool(node.cut_off.due(single.now)) is acts


@pytest.mark.parametrize(
    ("policy", "quorate", "fences"), [("suicide", False, True), ("suicide", True, False), ("stop", False, False)]
)
def test_in_a_view_without_quorum_whose_policy_is_to_fence_it_fences_itself(single, policy, quorate, fences) -> None:
    node_with(single, policy)
    single.node.replica.shared = replace(single.node.replica.shared, quorate=quorate)
    wishes = single.node.cut_off.installed()
    assert wishes[0] == ev.ClearTimer(CUT_OFF_TIMER)
    assert any(isinstance(wish, ev.FenceItself) for wish in wishes) is fences


@pytest.mark.parametrize(
    ("quorate", "installed", "unsure", "ends", "runs", "turning", "fed"),
    [
        (True, True, False, None, True, True, True),
        (True, True, False, None, True, False, False),
        (False, True, False, None, True, True, False),
        (True, False, False, None, True, True, False),
        (True, True, True, None, True, True, False),
        (True, True, False, "a test", True, True, False),
        (False, False, True, "a test", False, True, True),
        (False, False, False, None, False, False, False),
    ],
)
def test_when_a_watchdog_may_be_fed(single, quorate, installed, unsure, ends, runs, turning, fed) -> None:
    if runs:
        node_with(single, "freeze")
    node = single.node
    node.replica.shared = replace(node.replica.shared, quorate=quorate)
    node.replica.partition = replace(node.replica.partition, installed=installed)
    node.parts.unsure, node.cut_off.ends = unsure, ends
    assert node.feeds_watchdog(turning=turning, now=single.now) is fed


def test_who_waits_for_its_disk_feeds_no_watchdog(single, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not know what has come meanwhile."""
    assert single.node.feeds_watchdog(turning=True, now=single.now)
    monkeypatch.setattr(type(single.node), "abreast", False)
    assert not single.node.feeds_watchdog(turning=True, now=single.now)


@pytest.mark.parametrize(("reaction", "panics"), [("panic", True), ("Panic", True), ("stop", False), (None, False)])
def test_whom_the_cluster_has_fenced_ends_its_machine_where_that_is_the_reaction(single, reaction, panics) -> None:
    shared = single.node.replica.shared
    options = plain({} if reaction is None else {"fence-reaction": reaction})
    configured = replace(shared.cib.configuration, options=options)
    single.node.replica.shared = replace(shared, cib=replace(shared.cib, configuration=configured))
    *before, last = single.node.cut_off.fenced("it was fenced")
    assert last == ev.Leave("it was fenced")
    assert before == [ev.FenceItself("it was fenced, and fencing-reaction is panic")] * panics


# What, one after the other


def end(single, resource: str, result: AgentResult | None = None) -> str:
    """The call for a resource ends, and what follows begins; what was called."""
    ((_, token, call),) = [one for one in single.agents if one[2].resource == resource]
    single.agents[:] = [one for one in single.agents if one[1] != token]
    answer = result or single.world.call(call)
    single.carry_out(single.node.step(ev.Finished(single.now, token, answer)))
    return f"{call.resource} {call.operation}"


def under_way(single) -> list[str]:
    return sorted(f"{call.resource} {call.operation}" for _, _, call in single.agents)


def test_what_is_tied_together_is_stopped_one_after_the_other_and_the_rest_at_once(single) -> None:
    running(single, "stop")
    out_of_a_view(single)
    single.carry_out(single.node.cut_off.due(single.now))
    assert under_way(single) == ["b stop", "db demote"]
    assert single.node.cut_off.ended(single.now) == [], "both go on"
    assert end(single, "db") == "db demote"
    assert under_way(single) == ["b stop", "db stop"]
    end(single, "b")
    assert under_way(single) == ["a stop", "db stop"]
    end(single, "db")
    end(single, "a")
    assert under_way(single) == []
    assert single.left is None, "the process goes on"


@pytest.mark.parametrize("heard", ["heard", "installed"])
def test_nothing_more_is_stopped_once_it_is_heard_again(single, heard: str) -> None:
    running(single, "stop")
    out_of_a_view(single)
    single.carry_out(single.node.cut_off.due(single.now))
    assert getattr(single.node.cut_off, heard)() == [ev.ClearTimer(CUT_OFF_TIMER)]
    end(single, "db")
    end(single, "b")
    assert under_way(single) == []


def test_who_gives_up_its_place_ends_once_nothing_of_it_runs_and_only_then(single) -> None:
    running(single, "stop")
    cut_off = single.node.cut_off
    wishes = cut_off.give_up("a test", single.now)
    assert "gives up its place" in next(wish for wish in wishes if isinstance(wish, ev.Emit)).fields["text"]
    assert (cut_off.give_up("again", single.now), cut_off.due(single.now)) == ([], [])
    single.carry_out(wishes)
    for resource in ("db", "b", "db", "a"):
        assert single.left is None
        end(single, resource)
    assert single.left == "a test"


def test_who_runs_nothing_ends_at_once(single) -> None:
    assert single.node.cut_off.give_up("a test", single.now) == [ev.ClearTimer(CUT_OFF_TIMER), ev.Leave("a test")]


def test_after_its_machine_was_started_anew_nothing_runs_that_could_be_stopped(single) -> None:
    node_with(single, "stop")
    out_of_a_view(single)
    single.node.parts.recovery.nothing_runs = True
    assert single.node.cut_off.due(single.now) == []


# What is promoted


def last(task: str, code: int) -> HistoryEntry:
    return HistoryEntry("db_last_0", {"operation": task, "rc-code": str(code), "op-status": "0", "interval": "0"})


@pytest.mark.parametrize(
    ("entry", "demoted"),
    [
        (last("promote", 0), True),
        (last("promote", 1), False),
        (last("monitor", 8), True),
        (last("monitor", 191), True),
        (last("monitor", 0), False),
        (last("monitor", 190), False),
        (last("start", 8), False),
        (last("demote", 0), False),
        (None, False),
    ],
)
def test_what_its_history_says_to_be_promoted_is_demoted_first(
    single, entry: HistoryEntry | None, demoted: bool
) -> None:
    running(single, "stop")
    shared = single.node.replica.shared
    (state,) = shared.cib.status.nodes
    kept = tuple(one for one in state.history if one.id != "db")
    made = ResourceHistory("db", {}, () if entry is None else (entry,))
    status = replace(shared.cib.status, nodes=(replace(state, history=(*kept, made)),))
    single.node.replica.shared = replace(shared, cib=replace(shared.cib, status=status))
    out_of_a_view(single)
    single.carry_out(single.node.cut_off.due(single.now))
    assert end(single, "db", AgentResult(0)) == ("db demote" if demoted else "db stop")


def test_what_has_no_history_here_counts_as_started_before_all_others(single) -> None:
    """So it stops last of what is tied together; of two of these the first by name stops first."""
    running(single, "stop")
    shared = single.node.replica.shared
    (state,) = shared.cib.status.nodes
    first = HistoryEntry("b_last_0", {"operation": "start", "rc-code": "0", "op-status": "0", "call-id": "1"})
    status = replace(shared.cib.status, nodes=(replace(state, history=(ResourceHistory("b", {}, (first,)),)),))
    single.node.replica.shared = replace(shared, cib=replace(shared.cib, status=status))
    active = sorted(single.node.cut_off._active(), key=lambda one: one.resource)
    assert [(one.resource, one.started) for one in active] == [("a", 0), ("b", 1), ("db", 0)]
