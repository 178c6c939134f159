"""What becomes of small clusters under each failure: tables, one row a case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from reconciler.analysis.failures import Case, cases
from reconciler.analysis.fence_devices import devices, out_of_reach
from reconciler.analysis.steady import steady
from reconciler.analysis.survival import CaseOutcome, ServiceExtent, services, survive
from reconciler.frozen import replace
from reconciler.model.attributes import AttributeBlock, AttributeBlocks, plain
from reconciler.model.cluster import Configuration, FencingLevel, NodeDefinition
from reconciler.model.constraint import Colocation, Constraint, Location, Order
from reconciler.model.date import Instant
from reconciler.model.resource import Agent, Clone, Operation, Primitive, Resource, Template
from reconciler.model.rule import DateExpression, Rule
from reconciler.scheduler import schedule

NOW = Instant(1_700_000_000)
DUMMY = Agent("ocf", "Dummy", "pacemaker")
STATEFUL = Agent("ocf", "Stateful", "pacemaker")
FENCE = Agent("stonith", "fence_dummy")
MONITOR = (Operation("monitor", "10s"),)
FACTS = ("down", "demoted", "reduced", "fenced", "unfenced", "moved", "stopped", "stuck", "restless", "unnoticed")


def service(name: str, **meta: str) -> Primitive:
    return Primitive(
        name, DUMMY, meta=plain({key.replace("_", "-"): text for key, text in meta.items()}), operations=MONITOR
    )


def device(name: str, hosts: str = "", **params: str) -> Primitive:
    return Primitive(name, FENCE, params=plain({**({"pcmk_host_list": hosts} if hosts else {}), **params}))


def on(resource: str, node: str, score: str = "100", role: str | None = None) -> Location:
    return Location(f"{resource}-{node}", resource, node=node, score=score, role=role)


def cluster(
    *resources: Resource,
    nodes: int = 2,
    constraints: tuple[Constraint, ...] = (),
    fencing: bool = False,
    **options: str,
) -> Configuration:
    values = {
        "stonith-enabled": str(fencing).lower(),
        **{name.replace("_", "-"): text for name, text in options.items()},
    }
    members = tuple(NodeDefinition(f"n{number}") for number in range(1, nodes + 1))
    return Configuration("test", options=plain(values), nodes=members, resources=resources, constraints=constraints)


def outcome(configuration: Configuration, case: Case) -> CaseOutcome:
    settled = steady(configuration, NOW)
    assert settled.final is not None
    return survive(settled.cib, services(settled.final), case, NOW)


def facts(found: CaseOutcome) -> dict[str, Any]:
    """Everything about the outcome that is not as if nothing had happened."""
    assert found.violations == ()
    return {name: getattr(found, name) for name in FACTS if getattr(found, name)}


ON_N1 = on("a", "n1")
FENCED = (device("d1", "n1"), device("d2", "n2 n3"), service("a"))
PROMOTABLE = Clone(
    "m",
    Primitive(
        "s", STATEFUL, operations=(Operation("monitor", "10s", {"role": "Promoted"}), Operation("monitor", "11s"))
    ),
    meta=plain({"promotable": "true"}),
)
BOTH_PROMOTE = (on("m", "n1", "20", role="Promoted"), on("m", "n2", "10", role="Promoted"))

TABLE: dict[str, tuple[Configuration, Case, dict[str, Any]]] = {
    "a lost node's service moves": (
        cluster(service("a"), constraints=(ON_N1,)),
        Case(lost=("n1",)),
        {"moved": ("a",)},
    ),
    "another node's loss is nothing": (cluster(service("a"), constraints=(ON_N1,)), Case(lost=("n2",)), {}),
    "a service that may run nowhere else is down": (
        cluster(service("a"), constraints=(ON_N1, on("a", "n2", "-INFINITY"))),
        Case(lost=("n1",)),
        {"down": ("a",)},
    ),
    "what depends on it goes down with it": (
        cluster(
            service("a"),
            service("b"),
            constraints=(ON_N1, on("a", "n2", "-INFINITY"), on("b", "n2"), Order("o", "a", "b")),
        ),
        Case(lost=("n1",)),
        {"down": ("a", "b"), "stopped": ("b",)},
    ),
    "a lost node is fenced before its service starts elsewhere": (
        cluster(*FENCED, nodes=3, fencing=True, constraints=(ON_N1, on("d1", "n2"), on("d2", "n3"))),
        Case(lost=("n1",)),
        {"fenced": ("n1",), "moved": ("a",), "stopped": ("a",)},
    ),
    "with two nodes the one that is left is quorate": (
        cluster(*FENCED, fencing=True, constraints=(ON_N1, on("d1", "n2"), on("d2", "n2"))),
        Case(lost=("n1",)),
        {"fenced": ("n1",), "moved": ("a",), "stopped": ("a",)},
    ),
    "two of three lost leave no quorum": (
        cluster(service("a"), nodes=3, constraints=(on("a", "n3"),)),
        Case(lost=("n1", "n2")),
        {"down": ("a",), "stopped": ("a",)},
    ),
    "with quorum ignored one of three goes on": (
        cluster(service("a"), nodes=3, constraints=(ON_N1,), no_quorum_policy="ignore"),
        Case(lost=("n1", "n2")),
        {"moved": ("a",)},
    ),
    "with quorum frozen what runs goes on and nothing is recovered": (
        cluster(
            service("a"), service("b"), nodes=3, constraints=(on("a", "n3"), on("b", "n1")), no_quorum_policy="freeze"
        ),
        Case(lost=("n1", "n2")),
        {"down": ("b",)},
    ),
    "two of five lost leave quorum": (
        cluster(service("a"), nodes=5, constraints=(ON_N1,)),
        Case(lost=("n1", "n2")),
        {"moved": ("a",)},
    ),
    "without its device a lost node's service must not start elsewhere": (
        cluster(*FENCED, nodes=3, fencing=True, constraints=(ON_N1, on("d1", "n2"), on("d2", "n3"))),
        Case(lost=("n1",), devices=("d1",)),
        {"down": ("a",), "unfenced": ("n1",), "stopped": ("a",)},
    ),
    "without another node's device nothing is amiss": (
        cluster(*FENCED, nodes=3, fencing=True, constraints=(ON_N1, on("d1", "n3"), on("d2", "n3"))),
        Case(lost=("n1",), devices=("d2",)),
        {"fenced": ("n1",), "moved": ("a",), "stopped": ("a",)},
    ),
    "without any device nothing was ever started, and nothing is fenced": (
        cluster(service("a"), fencing=True),
        Case(lost=("n1",)),
        {"unfenced": ("n1",)},
    ),
    "a failure is recovered in place": (
        cluster(service("a"), constraints=(ON_N1,)),
        Case(failed=("a", "n1", False)),
        {"stopped": ("a",)},
    ),
    "a failure for good moves the service": (
        cluster(service("a"), constraints=(ON_N1,)),
        Case(failed=("a", "n1", True)),
        {"moved": ("a",), "stopped": ("a",)},
    ),
    "at its threshold one failure moves it": (
        cluster(service("a", migration_threshold="1"), constraints=(ON_N1,)),
        Case(failed=("a", "n1", False)),
        {"moved": ("a",), "stopped": ("a",)},
    ),
    "a failure for good on the only node is an outage": (
        cluster(service("a"), constraints=(on("a", "n2", "-INFINITY"),)),
        Case(failed=("a", "n1", True)),
        {"down": ("a",), "stopped": ("a",)},
    ),
    "a failure that is to be blocked leaves the service as it is": (
        cluster(
            Primitive("a", DUMMY, operations=(Operation("monitor", "10s", {"on-fail": "block"}),)), constraints=(ON_N1,)
        ),
        Case(failed=("a", "n1", True)),
        {},
    ),
    "what must be with it moves along": (
        cluster(service("a"), service("b"), constraints=(ON_N1, Colocation("c", "b", "a", score="INFINITY"))),
        Case(failed=("a", "n1", True)),
        {"moved": ("a", "b"), "stopped": ("a", "b")},
    ),
    "a failure without a monitor is an outage that nobody notices": (
        cluster(Primitive("a", DUMMY), constraints=(ON_N1,)),
        Case(failed=("a", "n1", False)),
        {"down": ("a",), "unnoticed": True},
    ),
    "a clone has an instance less": (
        cluster(Clone("c", service("i"))),
        Case(lost=("n1",)),
        {"reduced": ("i",)},
    ),
    "a clone's instance that fails for good is gone from its node": (
        cluster(Clone("c", service("i"))),
        Case(failed=("i", "n1", True)),
        {"reduced": ("i",), "stopped": ("i",)},
    ),
    "so is one with an identity": (
        cluster(Clone("c", service("i"), meta=plain({"globally-unique": "true", "clone-node-max": "1"}))),
        Case(failed=("i:0", "n1", True)),
        {"reduced": ("i",), "stopped": ("i",)},
    ),
    "the other instance is promoted": (
        cluster(PROMOTABLE, constraints=BOTH_PROMOTE),
        Case(lost=("n1",)),
        {"reduced": ("s",)},
    ),
    "no instance may be promoted any more": (
        cluster(PROMOTABLE, constraints=BOTH_PROMOTE[:1]),
        Case(lost=("n1",)),
        {"demoted": ("s",), "reduced": ("s",)},
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_what_becomes_of_it(name: str) -> None:
    configuration, case, expected = TABLE[name]
    found = outcome(configuration, case)
    assert facts(found) == expected
    assert found.survived is not bool({"down", "demoted"} & expected.keys())


def test_what_runs_in_the_end_is_told() -> None:
    found = outcome(cluster(PROMOTABLE, constraints=BOTH_PROMOTE), Case(lost=("n1",)))
    assert found.after == {"s": ServiceExtent(("n2",), ("n2",))}


def test_every_case_has_its_name_and_is_there_once() -> None:
    configuration = cluster(device("d"), service("a"), fencing=True, constraints=(ON_N1,))
    cib = steady(configuration, NOW).cib
    assert [(case.kind, case.name) for case in cases(cib, 2)] == [
        ("node", "loss of node n1"),
        ("node", "loss of node n2"),
        ("nodes", "loss of node n1 and node n2"),
        ("device", "loss of node n1 and device d"),
        ("device", "loss of node n2 and device d"),
        ("resource", "failure of a on n1 once"),
        ("resource", "failure of a on n1 for good"),
    ]
    assert len(list(cases(cib, 1))) == 6


def test_members_that_are_away_already_have_no_vote() -> None:
    cib = steady(cluster(service("a"), nodes=5, constraints=(ON_N1,)), NOW).cib
    away = {"n4": "down", "n5": "down"}
    states = tuple(
        replace(state, attributes={"in_ccm": "false", "crmd": "offline", "join": "down", "expected": "down"})
        if state.name in away
        else state
        for state in cib.status.nodes
    )
    cib = replace(cib, status=replace(cib.status, nodes=states))
    before = services(schedule(cib, NOW))
    found = survive(cib, before, Case(lost=("n2",)), NOW)
    assert found.down == ("a",), "two of five are left: without quorum everything stops"
    assert [case.name for case in cases(cib, 1) if case.kind == "node"] == [f"loss of node n{n}" for n in (1, 2, 3)]


WATCHED = plain({"have-watchdog": "true", "stonith-watchdog-timeout": "-1"})
BY_WATCHDOG = (FencingLevel("1", ("d1",), target="n1"), FencingLevel("2", ("watchdog",), target="n1"))


def rule_block(values: Mapping[str, str]) -> AttributeBlocks:
    return (AttributeBlock(values, rules=(Rule((DateExpression("gt", start="2020-01-01"),)),)),)


LEVELS = (FencingLevel("1", ("d1", "d2"), target="n1"), FencingLevel("2", ("d3",), target_pattern="^n[12]$"))


@pytest.mark.parametrize(
    ("resources", "more", "lost", "expected"),
    [
        ((device("d1", "n1, N2"),), {}, (), {"n3"}),
        ((device("d1", pcmk_host_map="n1:3;n3:4"),), {}, (), {"n2"}),
        ((device("d1", "n1", pcmk_host_map="n2:1"),), {}, (), {"n3"}),
        ((device("d1"),), {}, (), set()),
        ((device("d1"),), {}, ("d1",), {"n1", "n2", "n3"}),
        ((device("d1", "n1", pcmk_host_check="none"),), {}, (), set()),
        ((device("d1", "n1", pcmk_host_check="dynamic-list"),), {}, (), set()),
        ((device("d1", "n1", pcmk_host_check="static-list"), device("d2", "n2 n3")), {}, ("d2",), {"n2", "n3"}),
        ((Primitive("d1", FENCE, params=rule_block({"pcmk_host_list": "n1"})),), {}, (), set()),
        ((), {"options": plain({"have-watchdog": "true"})}, (), {"n1", "n2", "n3"}),
        ((device("d1", "n1 n2"),), {"options": plain({"have-watchdog": "true"})}, (), {"n3"}),
        ((), {"options": WATCHED}, (), set()),
        ((device("d1", "n1 n2"),), {"options": WATCHED}, (), set()),
        ((device("d1", "n1 n2"),), {"options": WATCHED}, ("d1",), {"n1", "n2"}),
        ((device("d1"),), {"options": WATCHED, "fencing_levels": BY_WATCHDOG}, ("d1",), {"n2", "n3"}),
        ((device("d1"),), {"fencing_levels": BY_WATCHDOG}, ("d1",), {"n1", "n2", "n3"}),
        ((device("watchdog", "n1"),), {"options": WATCHED}, (), {"n2", "n3"}),
        ((), {"options": plain({**WATCHED[0].values, "no-quorum-policy": "ignore"})}, (), {"n1", "n2", "n3"}),
        ((device("d1"), device("d2"), device("d3")), {"fencing_levels": LEVELS}, ("d2",), set()),
        ((device("d1"), device("d2"), device("d3")), {"fencing_levels": LEVELS}, ("d3",), {"n2"}),
        ((device("d1"), device("d2"), device("d3")), {"fencing_levels": LEVELS}, ("d2", "d3"), {"n1", "n2"}),
    ],
)
def test_which_nodes_are_out_of_reach(
    resources: tuple[Primitive, ...], more: dict[str, Any], lost: tuple[str, ...], expected: set[str]
) -> None:
    configuration = replace(cluster(*resources, nodes=3), **more)
    assert out_of_reach(configuration, ("n1", "n2", "n3"), lost) == expected


def test_a_level_can_aim_at_an_attribute() -> None:
    level = FencingLevel("1", ("d1",), target_attribute="rack", target_value="left")
    configuration = replace(cluster(device("d1"), device("d2", "n2")), fencing_levels=(level,))
    nodes = (
        NodeDefinition("n1", attributes=plain({"rack": "left"})),
        NodeDefinition("n2", attributes=plain({"rack": "right"})),
    )
    configuration = replace(configuration, nodes=nodes)
    assert out_of_reach(configuration, ("n1", "n2"), ("d1",)) == {"n1"}


def test_a_device_may_have_its_agent_and_targets_from_a_template() -> None:
    configuration = replace(
        cluster(Primitive("d", None, template="t"), nodes=2),
        templates=(Template("t", FENCE, params=plain({"pcmk_host_list": "n1"})),),
    )
    assert devices(configuration) == ["d"]
    assert out_of_reach(configuration, ("n1", "n2"), ()) == {"n2"}
