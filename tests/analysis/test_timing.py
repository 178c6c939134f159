"""Steps and durations of a plan, from what the history recorded."""

from __future__ import annotations

import pytest

from reconciler.analysis.steady import steady
from reconciler.analysis.timing import Timing, in_order
from reconciler.cib import Cib
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration, NodeDefinition
from reconciler.model.constraint import Constraint, Location, Order
from reconciler.model.date import Instant
from reconciler.model.resource import Agent, Operation, Primitive, Resource
from reconciler.model.status import HistoryEntry
from reconciler.scheduler import schedule
from reconciler.scheduler.plan import ActionKind, Change, Plan, PlannedAction, Verb

NOW = Instant(1_700_000_000)
DUMMY = Agent("ocf", "Dummy", "pacemaker")
TIMES = {("a", "stop"): 200, ("a", "start"): 1000, ("b", "stop"): 30, ("b", "start"): 400}


def resource(name: str) -> Primitive:
    return Primitive(name, DUMMY, operations=(Operation("monitor", "10s"),))


def running(*resources: Resource, constraints: tuple[Constraint, ...] = ()) -> Cib:
    """Everything runs on n1, started at a time when nothing was measured."""
    options = plain({"stonith-enabled": "false", "resource-stickiness": "1"})
    here = tuple(Location(f"on-{one.id}", one.id, node="n1", score="10") for one in resources)
    configuration = Configuration(
        "test", options, nodes=(NodeDefinition("n1"), NodeDefinition("n2")), resources=resources
    )
    return steady(replace(configuration, constraints=(*here, *constraints)), NOW).cib


def measured(cib: Cib, times: dict[tuple[str, str], int]) -> Cib:
    """The same with durations (ms) by resource and operation, and no others."""
    nodes = []
    for state in cib.status.nodes:
        histories = []
        for history in state.history:
            plain_entries = [
                HistoryEntry(one.id, {k: v for k, v in one.attributes.items() if k != "exec-time"})
                for one in history.entries
            ]
            known = [
                HistoryEntry(
                    f"{history.id}_{task}", {"operation": task, "exec-time": str(ms), "rc-code": "0", "call-id": "0"}
                )
                for (name, task), ms in times.items()
                if name == history.id
            ]
            histories.append(replace(history, entries=(*plain_entries, *known)))
        nodes.append(replace(state, history=tuple(histories)))
    return replace(cib, status=replace(cib.status, nodes=tuple(nodes)))


def moved(cib: Cib, *names: str) -> Plan:
    """The plan when n1 is no place for these any more."""
    bans = tuple(Location(f"ban-{name}", name, node="n1", score="-INFINITY") for name in names)
    configuration = replace(cib.configuration, constraints=cib.configuration.constraints + bans)
    return schedule(replace(cib, configuration=configuration), NOW)


def told(plan: Plan, times: dict[tuple[str, str], int], cib: Cib) -> dict[str, tuple[int, int | None]]:
    """The step and duration of each change, as the durations tell."""
    timing = Timing(plan, measured(cib, times).status)
    return {change.subject: (timing.step(change), timing.duration_ms(change)) for change in plan.changes}


def test_a_move_lasts_as_long_as_stop_and_start() -> None:
    cib = running(resource("a"))
    assert told(moved(cib, "a"), TIMES, cib) == {"a": (1, 1200)}


@pytest.mark.parametrize("unknown", [("a", "stop"), ("a", "start")])
def test_a_duration_that_was_never_recorded_is_unknown(unknown: tuple[str, str]) -> None:
    cib = running(resource("a"))
    times = {key: ms for key, ms in TIMES.items() if key != unknown}
    assert told(moved(cib, "a"), times, cib) == {"a": (1, None)}


def test_what_a_resource_waits_for_counts() -> None:
    cib = running(resource("a"), resource("b"), constraints=(Order("o", "a", "b"),))
    plan = moved(cib, "a", "b")
    assert told(plan, TIMES, cib) == {"b": (1, 30 + 200 + 1000 + 400), "a": (2, 1200)}


@pytest.mark.parametrize("unknown", [("a", "stop"), ("a", "start")])
def test_what_it_waits_for_unmeasured_makes_it_unknown(unknown: tuple[str, str]) -> None:
    cib = running(resource("a"), resource("b"), constraints=(Order("o", "a", "b"),))
    times = {key: ms for key, ms in TIMES.items() if key != unknown}
    assert told(moved(cib, "a", "b"), times, cib) == {"b": (1, None), "a": (2, None)}


def test_what_was_unmeasured_before_it_began_does_not_matter() -> None:
    cib = running(resource("a"), resource("b"), constraints=(Order("o", "a", "b"),))
    times = {key: ms for key, ms in TIMES.items() if key != ("b", "stop")}
    assert told(moved(cib, "a", "b"), times, cib) == {"b": (1, None), "a": (2, 1200)}


def test_what_has_nothing_to_do_with_each_other_begins_at_once() -> None:
    cib = running(resource("a"), resource("b"))
    assert told(moved(cib, "a", "b"), TIMES, cib) == {"a": (1, 1200), "b": (1, 430)}


def test_the_longest_recorded_time_of_all_nodes_counts() -> None:
    cib = running(resource("a"))
    slow = measured(cib, TIMES)
    nodes = list(slow.status.nodes)
    entry = HistoryEntry("a_start_slow", {"operation": "start", "exec-time": "5000"})
    nodes[1] = replace(nodes[1], history=tuple(replace(h, entries=(*h.entries, entry)) for h in nodes[1].history))
    plan = moved(cib, "a")
    timing = Timing(plan, replace(slow.status, nodes=tuple(nodes)))
    assert timing.duration_ms(plan.changes[0]) == 5200


def test_a_stop_has_no_end_of_its_outage() -> None:
    cib = running(resource("a"))
    both = tuple(Location(f"ban-{node}", "a", node=node, score="-INFINITY") for node in ("n1", "n2"))
    plan = schedule(replace(cib, configuration=replace(cib.configuration, constraints=both)), NOW)
    timing = Timing(plan, measured(cib, TIMES).status)
    assert [change.verb for change in plan.changes] == [Verb.STOP]
    assert timing.duration_ms(plan.changes[0]) == 200
    assert timing.down_ms(plan.changes[0]) is None


def test_nobody_knows_how_long_a_fencing_takes() -> None:
    fencing = PlannedAction(1, ActionKind.CLUSTER, "stonith", "stonith-n1-reboot", node="n1")
    start = PlannedAction(2, ActionKind.RESOURCE, "start", "a_start_0", resource="a", node="n2", triggers=(1,))
    cib = running(resource("a"))
    plan = replace(schedule(cib, NOW), actions=(start, fencing))
    timing = Timing(plan, measured(cib, TIMES).status)
    fence, recovery = Change(Verb.FENCE, "n1"), Change(Verb.START, "a")
    assert (timing.step(fence), timing.duration_ms(fence)) == (1, None)
    assert (timing.step(recovery), timing.duration_ms(recovery)) == (2, 1000)


def test_what_does_not_happen_is_in_the_first_step_and_takes_unknown_time() -> None:
    cib = running(resource("a"))
    timing = Timing(moved(cib, "a"), cib.status)
    never = Change(Verb.START, "z", blocked=True)
    assert (timing.step(never), timing.duration_ms(never)) == (1, None)


def test_a_circle_comes_last_and_ends() -> None:
    def action(number: int, *triggers: int) -> PlannedAction:
        return PlannedAction(number, ActionKind.PSEUDO, "x", str(number), triggers=triggers)

    ordered = in_order((action(1, 2), action(2, 1), action(3, 4), action(4, 99)))
    assert [one.id for one in ordered] == [4, 3, 1, 2]
