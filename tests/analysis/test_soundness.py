"""Every rule of the checker finds a plan that breaks it, and a sound plan breaks none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reconciler.analysis.soundness import left_running, violations
from reconciler.analysis.steady import healthy, steady
from reconciler.cib import Cib
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration, NodeDefinition
from reconciler.model.constraint import Colocation, Constraint, Location, Order
from reconciler.model.date import Instant
from reconciler.model.resource import Agent, Clone, Operation, Primitive, Resource
from reconciler.model.status import HistoryEntry, ResourceHistory
from reconciler.scheduler import schedule
from reconciler.scheduler.plan import ActionKind, Plan, PlannedAction

NOW = Instant(1_700_000_000)
DUMMY = Agent("ocf", "Dummy", "pacemaker")


def primitive(name: str) -> Primitive:
    return Primitive(name, DUMMY, operations=(Operation("monitor", "10s"),))


def cluster(
    *resources: Resource, constraints: tuple[Constraint, ...] = (), options: dict[str, str] | None = None
) -> Configuration:
    return Configuration(
        "test",
        options=plain({"stonith-enabled": "false", **(options or {})}),
        nodes=(NodeDefinition("n1"), NodeDefinition("n2")),
        resources=resources,
        constraints=constraints,
    )


def planned(configuration: Configuration) -> tuple[Cib, Plan]:
    cib = healthy(configuration)
    return cib, schedule(cib, NOW)


def moved(configuration: Configuration, *more: Constraint) -> tuple[Cib, Plan]:
    """The plan by which the running cluster follows further constraints."""
    cib = steady(configuration, NOW).cib
    cib = replace(cib, configuration=replace(cib.configuration, constraints=cib.configuration.constraints + more))
    return cib, schedule(cib, NOW)


def changed(plan: Plan, wanted: Callable[[PlannedAction], bool], **fields: object) -> Plan:
    """The plan with other fields in the actions that are wanted; there must be one."""
    assert any(wanted(action) for action in plan.actions)
    actions = tuple(replace(a, **fields) if wanted(a) else a for a in plan.actions)  # type: ignore[arg-type]
    return replace(plan, actions=actions)


def rules(cib: Cib, plan: Plan) -> set[str]:
    return {violation.rule for violation in violations(cib, plan)}


def is_start(name: str) -> Callable[[PlannedAction], bool]:
    return lambda action: action.resource == name and action.task == "start"


def test_sound_plans_have_no_violations() -> None:
    configuration = cluster(
        primitive("a"),
        primitive("b"),
        Clone("c", primitive("ci")),
        constraints=(Order("o", "a", "b"), Colocation("k", "b", "a", score="INFINITY")),
    )
    assert violations(*planned(configuration)) == ()
    assert violations(*moved(configuration, Location("l", "a", node="n1", score="-INFINITY"))) == ()


def test_a_circle_of_triggers_is_found() -> None:
    cib, plan = planned(cluster(primitive("a")))
    start = next(filter(is_start("a"), plan.actions))
    probe = next(action for action in plan.actions if action.task == "monitor" and action.interval_ms == 0)
    assert rules(cib, changed(plan, lambda action: action.id == probe.id, triggers=(start.id,))) == {"acyclic"}


def test_a_start_that_does_not_wait_for_the_stop_elsewhere_is_found() -> None:
    cib, plan = moved(cluster(primitive("a")), Location("l", "a", node="n1", score="-INFINITY"))
    assert rules(cib, plan) == set()
    assert rules(cib, changed(plan, is_start("a"), triggers=())) == {"one-active"}


def test_starts_on_two_nodes_are_found() -> None:
    cib, plan = planned(cluster(primitive("a")))
    start = next(filter(is_start("a"), plan.actions))
    other = "n2" if start.node == "n1" else "n1"
    plan = replace(plan, actions=(*plan.actions, replace(start, id=999, node=other)))
    assert rules(cib, plan) == {"one-active"}


def test_too_many_instances_of_a_clone_on_a_node_are_found() -> None:
    cib, plan = planned(cluster(Clone("c", primitive("i"))))
    placements = tuple(replace(placement, node="n1") for placement in plan.placements)
    assert rules(cib, changed(replace(plan, placements=placements), is_start("i:0"), node="n1")) == {"clone-limit"}


@pytest.mark.parametrize("named", ["a", "g"])
def test_a_start_on_a_banned_node_is_found(named: str) -> None:
    from reconciler.model.resource import Group

    resource: Resource = primitive("a") if named == "a" else Group("g", (primitive("a"),))
    ban = Location("l", named, node="n1", score="-INFINITY")
    cib, plan = planned(cluster(resource, constraints=(ban,)))
    assert rules(cib, plan) == set()
    assert rules(cib, changed(plan, is_start("a"), node="n1")) == {"ban"}


def test_a_start_that_does_not_wait_for_its_prerequisite_is_found() -> None:
    cib, plan = planned(cluster(primitive("a"), primitive("b"), constraints=(Order("o", "a", "b"),)))
    assert rules(cib, changed(plan, is_start("b"), triggers=())) == {"prerequisite"}


def test_a_start_without_its_prerequisite_is_found() -> None:
    cib, plan = planned(cluster(primitive("a"), primitive("b"), constraints=(Order("o", "a", "b"),)))
    plan = replace(plan, actions=tuple(action for action in plan.actions if not is_start("a")(action)))
    assert rules(cib, plan) == {"prerequisite"}


@pytest.mark.parametrize(("score", "node"), [("INFINITY", "elsewhere"), ("-INFINITY", "beside")])
def test_a_start_against_a_mandatory_colocation_is_found(score: str, node: str) -> None:
    colocation = Colocation("k", "b", "a", score=score)
    cib, plan = planned(cluster(primitive("a"), primitive("b"), constraints=(colocation,)))
    primary = next(placement.node for placement in plan.placements if placement.resource == "a")
    other = "n2" if primary == "n1" else "n1"
    broken = changed(plan, is_start("b"), node=other if node == "elsewhere" else primary)
    assert rules(cib, broken) == {"together"}


def test_an_action_on_a_node_that_is_to_be_fenced_is_found() -> None:
    cib, plan = planned(cluster(primitive("a")))
    fencing = PlannedAction(999, ActionKind.CLUSTER, "stonith", "stonith-n1-reboot", node="n1", node_id="n1")
    plan = replace(plan, actions=(*plan.actions, fencing))
    assert "fenced-node" in rules(cib, plan)


def test_a_start_on_a_node_that_is_not_online_is_found() -> None:
    cib, plan = planned(cluster(primitive("a")))
    start = next(filter(is_start("a"), plan.actions))
    states = tuple(
        replace(state, attributes={**state.attributes, "crmd": "offline"}) if state.name == start.node else state
        for state in cib.status.nodes
    )
    cib = replace(cib, status=replace(cib.status, nodes=states))
    assert rules(cib, plan) == {"unavailable-node"}


def test_what_runs_is_read_from_the_history_not_from_the_plan() -> None:
    """A scheduler that misreads the status would start a second one and say that none runs."""
    cib = steady(cluster(primitive("a"), constraints=(Location("here", "a", node="n1", score="5"),)), NOW).cib
    unseen = replace(cib, status=healthy(cib.configuration).status)
    moved_away = replace(
        unseen, configuration=replace(cib.configuration, constraints=(Location("there", "a", node="n2", score="5"),))
    )
    plan = schedule(moved_away, NOW)
    assert [placement.active_on for placement in plan.placements] == [()]
    assert rules(cib, plan) == {"one-active"}


@pytest.mark.parametrize(
    ("operation", "code", "status", "left"),
    [
        ("start", "0", "0", True),
        ("monitor", "0", "0", True),
        ("monitor", "8", "0", True),
        ("migrate_from", "0", "0", True),
        ("start", "1", "0", False),
        ("start", "0", "-1", False),
        ("stop", "0", "0", False),
        ("stop", "1", "0", False),
        ("migrate_to", "0", "0", False),
    ],
)
def test_only_what_is_beyond_doubt_counts_as_running(operation: str, code: str, status: str, left: bool) -> None:
    older = HistoryEntry(
        "a_monitor", {"operation": "monitor", "rc-code": "7" if left else "0", "op-status": "0", "call-id": "3"}
    )
    newest = HistoryEntry("a_last_0", {"operation": operation, "rc-code": code, "op-status": status, "call-id": "12"})
    assert left_running(ResourceHistory("a", {}, (newest, older))) is left
