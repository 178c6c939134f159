"""What the DC does with a plan: what it holds back, launches, refuses and takes for done, and when it asks again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from reconciler.cib import Cib
from reconciler.controller.coordinator import OVERDUE, RECHECK, RETRY, Coordinator
from reconciler.controller.events import Broadcast, ClearTimer, Emit, SetTimer, Wish
from reconciler.controller.fencing.record import Down, Fencing
from reconciler.controller.membership.presence import Presence
from reconciler.controller.messages import Observe, Release, Reported, Run
from reconciler.controller.moment import Moment
from reconciler.controller.replica import Replica
from reconciler.controller.restarts import Restarts
from reconciler.controller.shared import Shared
from reconciler.controller.standing import Member
from reconciler.controller.transition import Transition
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.date import Instant
from reconciler.model.resource import Agent
from reconciler.model.status import HistoryEntry, NodeState, ResourceHistory, Status
from reconciler.scheduler import schedule
from reconciler.scheduler.plan import ActionKind, Change, Plan, PlannedAction, Terms, Verb

NOW = Moment(1_800_000_000_000, 1_000)
PLAN = schedule(Cib(), Instant(1_800_000_000))
DUMMY = Agent("ocf", "Dummy", "reconciler")
MINUTE_MS = 60_000


def at(mono_ms: int) -> Moment:
    return Moment(NOW.wall_ms - NOW.mono_ms + mono_ms, mono_ms)


def act(id: int, task: str, resource: str = "a", after: tuple[int, ...] = (), **more: Any) -> PlannedAction:
    """An action of an agent on n1."""
    key = f"{resource}_{task}_0"
    known = {"node": "n1", "node_id": "n1", "timeout_ms": 20_000, "agent": DUMMY} | more
    return PlannedAction(
        id, ActionKind.RESOURCE, task, key, resource=resource, primitive_id=resource, triggers=after, **known
    )


def mark(id: int, *after: int) -> PlannedAction:
    """A point that nobody carries out."""
    return PlannedAction(id, ActionKind.PSEUDO, "all_stopped", f"point_{id}", triggers=after)


def plan(*actions: PlannedAction, **more: Any) -> Plan:
    return replace(PLAN, actions=actions, **more)


def replica(shared: Shared) -> Replica:
    one = Replica("n1")
    one.shared = shared
    return one


class Dc:
    """A DC whose scheduler answers as a test says."""

    def __init__(self, shared: Shared | None = None) -> None:
        self.coordinator = Coordinator("n1", "run")
        self.replica = replica(shared or Shared(nodes={"n1": Member(Presence.ONLINE)}))

    def asked(self, answer: Plan, now: Moment = NOW, members: Iterable[str] = ("n1", "n2")) -> list[Wish]:
        """The state has changed, and this is the scheduler's answer."""
        self.coordinator.bounded = lambda cib, ask: (answer, ())
        self.coordinator.stale = self.coordinator.stale or "a test"
        return self.coordinator.decide(self.replica, members, now)

    def again(self, now: Moment = NOW) -> list[Wish]:
        return self.coordinator.decide(self.replica, ("n1", "n2"), now)

    @property
    def transition(self) -> Transition:
        assert self.coordinator.transition is not None
        return self.coordinator.transition

    def report(self, action: int, failed: bool = False, **more: Any) -> list[Wish]:
        """The answer to an action of the transition under way."""
        told = Reported(
            self.transition.term, self.transition.number, action, "a", "start", 0, "n1", int(failed), 0, failed, "", 1,
            (), NOW.wall_ms,
        )  # fmt: skip
        return self.coordinator.reported(replace(told, **more))


@pytest.fixture
def dc() -> Dc:
    return Dc()


def orders(wishes: list[Wish]) -> list[str]:
    """What agents are ordered to do."""
    runs = [wish.message for wish in wishes if isinstance(wish, Broadcast) and isinstance(wish.message, Run)]
    return [f"{one.launched.resource} {one.launched.task}" for run in runs for one in run.orders]


def told(wishes: list[Wish], type: str) -> list[Any]:
    return [wish.fields for wish in wishes if isinstance(wish, Emit) and wish.type == type]


def timers(wishes: list[Wish]) -> dict[str, int]:
    return {wish.name: wish.at_ms for wish in wishes if isinstance(wish, SetTimer)}


# What is not begun yet


def remembered(node: str, **last: tuple[str, str]) -> NodeState:
    """The state of a node with the last operation of each resource, and its result."""
    histories = tuple(
        ResourceHistory(
            name,
            {},
            (
                HistoryEntry(
                    f"{name}_last_0",
                    {"operation": task, "rc-code": code, "op-status": "0", "interval": "0", "call-id": "1"},
                ),
            ),
        )
        for name, (task, code) in last.items()
    )
    return NodeState(node, node, history=histories)


def missing_n2(presence: Presence, *, fencing: bool = False, contested: bool = False) -> Shared:
    """n2 runs a, and is gone; others may be quorate, too, if that is contested."""
    configuration = Configuration(options=plain({"stonith-enabled": str(fencing).lower()}))
    states = (remembered("n2", a=("start", "0"), b=("stop", "0"), c=("monitor", "7")),)
    return Shared(
        cib=Cib(configuration=configuration, status=Status(nodes=states)),
        nodes={"n1": Member(Presence.ONLINE), "n2": Member(presence)},
        votes={"n1": 1, "n2": 1},
        quorate=True,
        contested=contested,
    )


BEGINNINGS = ["start", "promote", "migrate_to", "migrate_from"]
OTHERS = ["stop", "demote", "monitor", "notify"]


@pytest.mark.parametrize("presence", [Presence.PENDING, Presence.UNCLEAN])
@pytest.mark.parametrize("task", BEGINNINGS + OTHERS)
def test_without_fencing_what_may_run_on_a_lost_node_is_begun_nowhere(task: str, presence: Presence) -> None:
    dc = Dc(missing_n2(presence))
    wishes = dc.asked(plan(act(1, task), act(2, task, "b")))
    assert orders(wishes) == ([f"b {task}"] if task in BEGINNINGS else [f"a {task}", f"b {task}"])


@pytest.mark.parametrize("presence", [Presence.ONLINE, Presence.DOWN, Presence.WAITED])
def test_who_is_there_or_down_or_was_waited_for_holds_nothing_back(presence: Presence) -> None:
    assert orders(Dc(missing_n2(presence)).asked(plan(act(1, "start")))) == ["a start"]


def test_with_fencing_the_order_of_the_plan_is_enough() -> None:
    assert orders(Dc(missing_n2(Presence.UNCLEAN, fencing=True)).asked(plan(act(1, "start")))) == ["a start"]


def promoted_on_n2(presence: Presence) -> Shared:
    """n2 has a promoted and runs b, and is gone; there is fencing."""
    shared = missing_n2(presence, fencing=True)
    states = (remembered("n2", a=("promote", "0"), b=("start", "0")),)
    return replace(shared, cib=replace(shared.cib, status=Status(nodes=states)))


@pytest.mark.parametrize("presence", [Presence.ONLINE, Presence.UNCLEAN, Presence.DOWN, Presence.PENDING])
def test_what_is_promoted_where_only_the_process_is_gone_is_promoted_nowhere_else(presence: Presence) -> None:
    """With fencing, too: a plan waits for the fencing of who is to be fenced, and this one may be back before that."""
    dc = Dc(promoted_on_n2(presence))
    begun = plan(act(1, "start"), act(2, "promote", "a:1"), act(3, "promote", "b"), act(4, "start", "c", (2,)))
    wishes = dc.asked(begun)
    held = presence is Presence.PENDING
    assert orders(wishes) == (["a start", "b promote"] if held else ["a start", "a:1 promote", "b promote"])
    assert sorted(dc.transition.actions) == ([1, 3] if held else [1, 2, 3, 4])


def test_what_would_follow_on_something_held_back_is_held_back_however_far_behind() -> None:
    dc = Dc(missing_n2(Presence.UNCLEAN))
    following = (act(4, "start", "e", (3,)), mark(3, 2), act(2, "start", "d", (1,)), act(1, "start"))
    wishes = dc.asked(plan(*following, act(5, "start", "b"), act(6, "start", "c", (5,))))
    assert orders(wishes) == ["b start"]
    assert sorted(dc.transition.actions) == [5, 6]


def test_what_waits_is_said_when_there_is_nothing_else_to_do() -> None:
    dc = Dc(missing_n2(Presence.UNCLEAN))
    wishes = dc.asked(plan(act(1, "start"), mark(2, 1), mark(3)))
    why = "may still run on n2: gone, and not known to be off"
    assert [event["text"] for event in told(wishes, "daemon")] == [f"a {why}"]
    assert dc.coordinator.problems == ({"resource": "a", "text": f"it waits: it {why}"},)
    assert dc.coordinator.transition is None
    assert not dc.coordinator.converged
    assert RECHECK in timers(wishes), "it is looked at again"


def contested_start() -> Plan:
    """A resource is restarted, one is started and one is stopped for good; one probe, and a stop that waits for the last."""
    return plan(
        act(1, "stop"), act(2, "start", after=(1,)), act(3, "stop", "b"), act(4, "monitor", "c"),
        act(5, "migrate_to", "d"), act(6, "demote", "e"), act(7, "promote", "e", (6,)), act(8, "stop", "f", (2,)),
    )  # fmt: skip


def test_where_others_may_be_quorate_what_is_not_begun_is_not_ended_either() -> None:
    """A stop alone would end a service that goes on elsewhere later."""
    dc = Dc(missing_n2(Presence.UNCLEAN, fencing=True, contested=True))
    assert orders(dc.asked(contested_start())) == ["b stop", "c monitor"]
    assert sorted(dc.transition.actions) == [3, 4]


def test_where_nobody_else_can_be_quorate_or_all_are_accounted_for_the_plan_is_carried_out() -> None:
    everything = ["a stop", "b stop", "c monitor", "d migrate_to", "e demote"]
    assert orders(Dc(missing_n2(Presence.UNCLEAN, fencing=True)).asked(contested_start())) == everything
    dc = Dc(missing_n2(Presence.DOWN, fencing=True, contested=True))
    assert orders(dc.asked(contested_start())) == everything


def test_where_others_may_be_quorate_what_waits_is_said() -> None:
    dc = Dc(missing_n2(Presence.UNCLEAN, fencing=True, contested=True))
    wishes = dc.asked(plan(act(1, "start"), act(2, "start", "b")))
    why = "may be started elsewhere, too, by n2: gone, and not known to be off"
    assert [event["text"] for event in told(wishes, "daemon")] == [f"a, b {why}"]


# Launching


def test_orders_of_one_moment_travel_together_and_the_rest_when_its_turn_comes(dc: Dc) -> None:
    wishes = dc.asked(plan(act(1, "start"), act(2, "start", "b"), act(3, "start", "c", (1, 2))))
    assert orders(wishes) == ["a start", "b start"]
    dc.report(1)
    assert orders(dc.again()) == []
    dc.report(2)
    assert orders(dc.again()) == ["c start"]


def test_to_look_again_is_done_by_nobody(dc: Dc) -> None:
    wishes = dc.asked(plan(act(1, "probe_again"), act(2, "start", after=(1,))))
    assert orders(wishes) == ["a start"]


@pytest.mark.parametrize(
    ("where", "runs"),
    [
        ({"node": "n2"}, True),
        ({"node": "n2", "router": "n2"}, True),
        ({"node": "n3"}, False),
        ({"node": "n2", "router": "n1"}, False),
        ({"node": None}, False),
    ],
    ids=["a member", "a member by itself", "no member", "by way of another", "nowhere"],
)
def test_only_members_are_ordered_anything(dc: Dc, where: dict[str, Any], runs: bool) -> None:
    wishes = dc.asked(plan(act(1, "start", **where)))
    assert orders(wishes) == (["a start"] if runs else [])
    reasons = [event["exit_reason"] for event in told(wishes, "action_failed")]
    assert reasons == ([] if runs else ["no member of the cluster can run it"])


def test_what_can_not_be_carried_out_has_failed_and_nothing_follows_on_it(dc: Dc) -> None:
    strange = PlannedAction(1, ActionKind.CLUSTER, "dance", "dance-n1", node="n1")
    wishes = dc.asked(plan(strange, act(2, "start", after=(1,))))
    (failed,) = told(wishes, "action_failed")
    assert (failed["key"], failed["status"]) == ("dance-n1", "not-possible")
    assert failed["exit_reason"] == "nothing here can carry it out"
    assert [event["why"] for event in told(wishes, "transition_aborted")] == ["dance-n1 failed"]
    assert orders(wishes) == []
    (done,) = told(wishes, "transition_done")
    assert (done["complete"], done["done"], done["failed"], done["skipped"]) == (False, 0, 1, 1)
    assert dc.coordinator.stale == "dance-n1 failed"


@pytest.mark.parametrize(("task", "key"), [("clear_failcount", "failures"), ("lrm_delete", "history")])
def test_what_is_forgotten_is_forgotten_as_an_answer_to_its_action(dc: Dc, task: str, key: str) -> None:
    dc.replica = replica(
        replace(dc.replica.shared, cib=Cib(status=Status(nodes=(remembered("n1", a=("start", "0")),))))
    )
    wishes = dc.asked(
        plan(PlannedAction(4, ActionKind.CLUSTER, task, f"a_{task}", node="n1", resource="a", primitive_id="a"))
    )
    (message,) = [wish.message for wish in wishes if isinstance(wish, Broadcast)]
    assert isinstance(message, Observe)
    assert (message.term, message.transition, message.action) == (dc.transition.term, dc.transition.number, 4)
    assert f"{key} " in message.why
    assert dc.coordinator.observed(message) == []
    assert dc.transition.done == {4}


def test_a_release_is_an_order_and_its_delivery_the_end_of_its_action(dc: Dc) -> None:
    wishes = dc.asked(plan(PlannedAction(4, ActionKind.CLUSTER, "do_shutdown", "do_shutdown-n2", node="n2")))
    (message,) = [wish.message for wish in wishes if isinstance(wish, Broadcast)]
    assert message == Release("n2", dc.transition.term, dc.transition.number, 4)
    assert dc.coordinator.released(replace(message, action=5)) == []
    assert 4 in dc.transition.running
    dc.coordinator.released(message)
    assert 4 not in dc.transition.running


# Answers


@pytest.mark.parametrize(
    ("other", "ours"), [({}, True), ({"term": 9}, False), ({"transition": 99}, False), ({"action": 2}, False)]
)
def test_an_answer_is_ours_by_term_transition_and_action(dc: Dc, other: dict[str, int], ours: bool) -> None:
    dc.asked(plan(act(1, "start"), act(2, "start", "b", (1,))))
    wishes = dc.report(other.pop("action", 1), **other)
    assert (1 in dc.transition.done) is ours
    assert (told(wishes, "transition_aborted") == []) is ours, "news abort the transition"


def test_news_are_what_is_planned_from_and_are_said_once(dc: Dc) -> None:
    dc.coordinator.converged = True
    news = dc.coordinator.reported(Reported(0, 0, 9, "a", "monitor", 10_000, "n1", 7, 0, True, "", 1, (), NOW.wall_ms))
    assert news == [], "no transition is under way"
    assert dc.coordinator.stale == "a_monitor_10000 on n1 is now 7"
    assert not dc.coordinator.converged
    dc.coordinator.changed("something else")
    assert dc.coordinator.stale == "a_monitor_10000 on n1 is now 7", "the first reason is kept"


def test_a_transition_is_aborted_once_and_that_is_planned_from(dc: Dc) -> None:
    dc.asked(plan(act(1, "start"), act(2, "start", "b")))
    dc.coordinator.converged = True
    (event,) = told(dc.report(1, failed=True), "transition_aborted")
    assert (event["transition"], event["why"]) == (dc.transition.number, "a_start_0 failed")
    assert (dc.coordinator.stale, dc.coordinator.converged) == ("a_start_0 failed", False)
    assert dc.report(2, failed=True) == []
    assert dc.coordinator.stale == "a_start_0 failed"


def test_a_success_after_an_abort_is_no_reason_to_plan(dc: Dc) -> None:
    dc.asked(plan(act(1, "start")))
    assert dc.report(1) == []
    assert dc.coordinator.stale is None


def test_a_transition_that_did_something_is_planned_from_and_one_that_did_not_is_the_end(dc: Dc) -> None:
    dc.asked(plan(act(1, "start")))
    dc.report(1)
    wishes = dc.asked(plan(mark(1)))
    (done,) = told(wishes, "transition_done")
    assert (done["complete"], done["done"], done["failed"], done["skipped"]) == (True, 1, 0, 0)
    assert dc.coordinator.converged
    assert not dc.coordinator.busy


def test_transitions_are_numbered_on_from_the_newest_that_anybody_gave() -> None:
    dc = Dc(Shared(nodes={"n1": Member(Presence.ONLINE)}, transition=41))
    wishes = dc.asked(plan(act(1, "start")))
    assert dc.transition.number == 42
    (event,) = told(wishes, "planned")
    assert (event["transition"], event["actions"]) == (42, 1)
    assert {wish.name for wish in wishes if isinstance(wish, ClearTimer)} == {RECHECK, RETRY}
    dc.report(1)
    dc.asked(plan(act(1, "stop"), mark(2)))
    assert dc.transition.number == 43


def test_what_another_dc_began_is_forgotten_and_all_is_asked_anew(dc: Dc) -> None:
    dc.asked(plan(act(1, "start")))
    dc.coordinator.converged = True
    dc.coordinator.begin_anew("a view")
    assert (dc.coordinator.transition, dc.coordinator.stale, dc.coordinator.converged) == (None, "a view", False)
    assert OVERDUE in timers(dc.asked(plan(act(1, "start")))), "its timer begins anew, too"
    assert RETRY not in timers(dc.asked(plan(act(1, "start")))), "the same actions are no repetition"


# Fencing


def test_what_is_under_way_besides_a_fencing_is_not_done_by_it(dc: Dc) -> None:
    fence = PlannedAction(3, ActionKind.CLUSTER, "stonith", "stonith-n2-off", node="n2")
    dc.asked(plan(act(1, "start", node="n2"), act(2, "start", "b"), fence))
    shared = replace(dc.replica.shared, fencing=Fencing(records={"n2": Down("n2", "boot", "n1", 0)}))
    assert dc.coordinator.fenced(shared, shared, NOW, "n2") == []
    assert sorted(dc.transition.running) == [1, 2]
    assert dc.transition.done == {3}


def test_a_fencing_that_is_over_and_did_not_fence_has_failed(dc: Dc) -> None:
    dc.asked(plan(PlannedAction(3, ActionKind.CLUSTER, "stonith", "stonith-n2-off", node="n2")))
    wishes = dc.coordinator.fenced(dc.replica.shared, dc.replica.shared, NOW, "n2")
    assert [event["why"] for event in told(wishes, "transition_aborted")] == ["stonith-n2-off failed"]
    assert dc.transition.failed == {3}


# Patience


def test_what_runs_has_its_timeout_and_five_minutes_before_it_is_given_up(dc: Dc) -> None:
    wishes = dc.asked(plan(act(1, "start"), act(2, "start", "b", timeout_ms=90_000)))
    due_ms = timers(wishes)[OVERDUE]
    assert due_ms == NOW.mono_ms + 90_000 + 5 * MINUTE_MS
    assert OVERDUE not in timers(dc.again(at(2_000))), "it is set once"
    wishes = dc.coordinator.overdue(at(due_ms))
    assert [event["id"] for event in told(wishes, "action_failed")] == [1, 2]
    assert dc.transition.running == {}


def test_whenever_anything_ends_the_others_have_their_time_anew(dc: Dc) -> None:
    first = timers(dc.asked(plan(act(1, "start"), act(2, "start", "b"))))[OVERDUE]
    dc.report(1)
    assert timers(dc.again(at(9_000)))[OVERDUE] == first + 8_000
    dc.report(2)
    assert ClearTimer(OVERDUE) in dc.asked(plan(mark(1)), at(9_500))


@pytest.mark.parametrize(("late_ms", "given_up"), [(30_000, True), (30_001, False)])
def test_a_timer_that_is_late_says_that_this_node_stood_still(dc: Dc, late_ms: int, given_up: bool) -> None:
    due_ms = timers(dc.asked(plan(act(1, "start"))))[OVERDUE]
    late = at(due_ms + late_ms)
    assert bool(dc.coordinator.overdue(late)) is given_up
    if not given_up:
        assert timers(dc.again(late))[OVERDUE] == late.mono_ms + 20_000 + 5 * MINUTE_MS, "it is patient anew"


def test_a_timer_of_a_transition_that_is_over_gives_nothing_up(dc: Dc) -> None:
    assert dc.coordinator.overdue(NOW) == []
    dc.asked(plan(act(1, "start")))
    dc.coordinator.begin_anew("a view")
    assert dc.coordinator.overdue(at(10 * MINUTE_MS)) == []


# When to ask again

QUARTER_MS = 15 * MINUTE_MS


@pytest.mark.parametrize(
    ("interval", "by_s", "after_ms"),
    [
        (None, None, QUARTER_MS),
        ("5min", None, 5 * MINUTE_MS),
        ("0", None, QUARTER_MS),
        ("2h", None, 120 * MINUTE_MS),
        (None, 60, 61_000),
        ("30s", 60, 30_000),
        ("500ms", None, 1_000),
        (None, -5, 1_000),
        (None, 0, 1_000),
        (None, 1, 2_000),
    ],
)
def test_time_alone_is_a_reason_to_ask_again(dc: Dc, interval: str | None, by_s: int | None, after_ms: int) -> None:
    """Expiries count in whole seconds: only in the next one is the answer another."""
    by = None if by_s is None else NOW.epoch_s + by_s
    wishes = dc.asked(plan(recheck_by_s=by, terms=Terms(recheck_interval=interval)))
    assert dc.coordinator.converged
    assert timers(wishes) == {RECHECK: NOW.mono_ms + after_ms}


def test_the_same_actions_again_and_again_begin_later_and_later(dc: Dc) -> None:
    same = plan(act(1, "start"))
    now_ms, pauses = NOW.mono_ms, []
    dc.asked(same, at(now_ms))
    for _ in range(5):
        dc.report(1)
        wishes = dc.asked(same, at(now_ms))
        pauses.append(timers(wishes).get(RETRY, now_ms) - now_ms)
        if pauses[-1]:
            assert dc.coordinator.transition is None
            assert timers(dc.asked(same, at(now_ms + pauses[-1] - 1))) == {RETRY: now_ms + pauses[-1]}, "not before"
            now_ms += pauses[-1]
            dc.asked(same, at(now_ms))
        assert dc.transition
    assert pauses == [0, 1_000, 2_000, 4_000, 8_000]


@pytest.mark.parametrize(
    "other",
    [plan(act(1, "start", "b")), plan(act(1, "start", node="n2")), plan(act(1, "start"), act(2, "start", "b")), plan()],
    ids=["of another resource", "on another node", "more", "nothing"],
)
def test_other_actions_in_between_end_the_row(dc: Dc, other: Plan) -> None:
    same = plan(act(1, "start"))
    for answer in (same, same, other, same, same):
        assert RETRY not in timers(dc.asked(answer))
        if dc.coordinator.transition is not None:
            dc.report(1)
            dc.coordinator.transition = None


# Too many recoveries


def recoveries(count: int, *more: Change) -> Plan:
    changes = tuple(Change(Verb.RECOVER, f"r{number}", "n1", "n1") for number in range(count))
    return plan(act(1, "start"), changes=(*changes, *more))


@pytest.mark.parametrize(
    ("begun", "known", "waits"), [(59, 0, False), (60, 0, True), (60, 60, True), (60, 61, False), (99, 100, False)]
)
def test_sixty_recoveries_a_minute_or_one_of_each_resource_are_no_storm(begun: int, known: int, waits: bool) -> None:
    restarts = Restarts()
    restarts.begin(recoveries(begun), at(5_000))
    free_ms = restarts.free_at_ms(recoveries(1), known, at(20_000))
    assert free_ms == (65_000 if waits else None)


def test_recoveries_count_for_a_minute(dc: Dc) -> None:
    restarts = Restarts()
    restarts.begin(recoveries(40), at(5_000))
    restarts.begin(recoveries(0), at(6_000))
    restarts.begin(recoveries(40), at(7_000))
    assert restarts.in_window == 80
    assert restarts.free_at_ms(recoveries(1), 0, at(64_999)) == 65_000
    assert restarts.free_at_ms(recoveries(1), 0, at(65_000)) is None
    assert restarts.in_window == 40


def test_a_plan_that_does_anything_else_is_never_held_back() -> None:
    restarts = Restarts()
    restarts.begin(recoveries(100), NOW)
    assert restarts.free_at_ms(recoveries(1), 0, NOW) is not None
    assert restarts.free_at_ms(recoveries(1, Change(Verb.START, "x", None, "n1")), 0, NOW) is None


@pytest.fixture
def storm() -> Callable[[int], Dc]:
    """A DC that began seventy recoveries at once, of so many resources that it knows."""

    def make(known: int) -> Dc:
        resources = {f"r{number}": ("start", "0") for number in range(known)}
        states = (remembered("n1", **resources), remembered("n2", **resources))
        dc = Dc(Shared(nodes={"n1": Member(Presence.ONLINE)}, cib=Cib(status=Status(nodes=states))))
        dc.asked(recoveries(70))
        dc.report(1)
        return dc

    return make


def test_a_storm_of_recoveries_waits_and_is_said_once(storm: Callable[[int], Dc]) -> None:
    dc = storm(70)
    wishes = dc.asked(recoveries(2), at(20_000))
    assert dc.coordinator.transition is None
    assert timers(wishes)[RETRY] == NOW.mono_ms + MINUTE_MS
    text = "70 recoveries within a minute are too many; the next ones wait 41 s"
    assert [event["text"] for event in told(wishes, "daemon")] == [text]
    assert dc.coordinator.problems == ({"resource": "", "text": text},)
    wishes = dc.asked(recoveries(3), at(20_001))
    assert told(wishes, "daemon") == []
    assert timers(wishes)[RETRY] == NOW.mono_ms + MINUTE_MS
    assert dc.coordinator.problems[0]["text"].endswith("wait 41 s"), "a second that has begun counts"
    assert orders(dc.asked(recoveries(3), at(NOW.mono_ms + MINUTE_MS))) == ["a start"]


def test_a_resource_that_two_nodes_remember_is_one(storm: Callable[[int], Dc]) -> None:
    assert orders(storm(71).asked(recoveries(2), at(20_000))) == ["a start"]
    assert orders(storm(70).asked(recoveries(2), at(20_000))) == []
