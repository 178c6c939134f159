"""Configured orders: kinds, symmetry, sets, clones, and what an order means for collectives.

Each row is a sentence, a cluster, what waits for what, and the summary (specification part 3, sections 11 and 14).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from small_clusters import clone, colocation, group, location, plan_of, primitive
from small_transitions import cib, order, ordered_sets, summary, unchanged, waits

from reconciler.cib import Cib
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import NodeDefinition, Tag
from reconciler.model.constraint import Constraint, ResourceSet

STOPPED = {"target-role": "Stopped"}
BOTH = {"A": ["n1"], "B": ["n1"]}


def pair(*constraints: Constraint, stopped: bool = False, active: Mapping[str, Sequence[str]] | None = None) -> Cib:
    """A and B on one node; A is to be stopped if asked so."""
    first = primitive("A", STOPPED if stopped else None)
    return unchanged(cib(first, primitive("B"), nodes=("n1",), constraints=constraints, active=active))


def four(*sets: str | ResourceSet, **more: str) -> Cib:
    """A to D on one node, ordered in sets."""
    constraint = ordered_sets(*sets, **more)
    return unchanged(cib(*map(primitive, "ABCD"), nodes=("n1",), constraints=[constraint]))


def one_set(members: str, **more: str) -> ResourceSet:
    return ResourceSet(tuple(members), id=f"set-{members}", **more)


def starts(*pairs: str) -> list[str]:
    """`AB` stands for "B starts after A"."""
    return sorted(f"{first}_start_0 n1 -> {then}_start_0 n1" for first, then in pairs)


ORDERS = [
    pytest.param(pair(order("A", "B")), starts("AB"), ["Start A", "Start B"], id="a start waits for the other"),
    pytest.param(
        pair(order("A", "B"), stopped=True, active=BOTH),
        ["B_stop_0 n1 -> A_stop_0 n1"],
        ["Stop A: node availability", "Stop B: required A start"],
        id="what comes after stops, and first, when its forerunner has to stop",
    ),
    pytest.param(
        pair(order("A", "B"), stopped=True),
        [],
        ["Start B: unrunnable A start (blocked)"],
        id="what comes after can't start without its forerunner",
    ),
    pytest.param(
        pair(order("A", "B", kind="Optional"), stopped=True, active=BOTH),
        [],
        ["Stop A: node availability"],
        id="optional: the stop of one leaves the other alone",
    ),
    pytest.param(
        pair(order("A", "B", kind="optional")),
        starts("AB"),
        ["Start A", "Start B"],
        id="optional: when both start it holds; the word's case does not matter",
    ),
    pytest.param(
        pair(order("A", "B", score="0"), stopped=True, active=BOTH),
        [],
        ["Stop A: node availability"],
        id="a score of 0 means optional",
    ),
    pytest.param(
        pair(order("A", "B", kind="often"), stopped=True),
        [],
        ["Start B: unrunnable A start (blocked)"],
        id="an unknown kind means mandatory",
    ),
    pytest.param(
        pair(order("A", "B", symmetrical="false"), stopped=True, active=BOTH),
        [],
        ["Stop A: node availability"],
        id="asymmetric: what is active already stays",
    ),
    pytest.param(
        pair(order("A", "B", symmetrical="false"), stopped=True),
        [],
        ["Start B: unrunnable A start (blocked)"],
        id="asymmetric: what is not active can't start",
    ),
    pytest.param(
        pair(order("A", "B", first_action="stop", then_action="start"), stopped=True, active={"A": ["n1"]}),
        ["A_stop_0 n1 -> B_start_0 n1"],
        ["Stop A: node availability", "Start B"],
        id="a start may wait for a stop",
    ),
    pytest.param(
        pair(order("nobody", "B")), [], ["Start A", "Start B"], id="an order with an unknown resource is ignored"
    ),
    pytest.param(four("ABC"), starts("AB", "BC"), None, id="the members of a set follow one another"),
    pytest.param(
        four(one_set("ABC", sequential="false")), [], None, id="but for those of a set that is not sequential"
    ),
    pytest.param(
        four("ABC", kind="Serialize"), starts("AB", "AC", "BC"), None, id="serialized: each member with all later ones"
    ),
    pytest.param(
        four("AB", "CD"),
        starts("AB", "AC", "AD", "BC", "BD", "CD"),
        None,
        id="between sets all pairs are ordered, though members follow one another by default",
    ),
    pytest.param(
        four(one_set("AB", sequential="true"), one_set("CD", sequential="true")),
        starts("AB", "BC", "CD"),
        None,
        id="but sets that say they are sequential are joined at their ends",
    ),
    pytest.param(
        four(one_set("AB", sequential="false", require_all="false"), one_set("C")),
        [
            "A_start_0 n1 -> one-or-more:set-AB",
            "B_start_0 n1 -> one-or-more:set-AB",
            "one-or-more:set-AB -> C_start_0 n1",
        ],
        None,
        id="of a set without require-all, one is enough",
    ),
    pytest.param(
        unchanged(
            cib(
                *(primitive(id, STOPPED) for id in "ABC"),
                nodes=("n1",),
                active={id: ["n1"] for id in "ABC"},
                constraints=[ordered_sets(one_set("C"), one_set("AB", sequential="false", require_all="false"))],
            )
        ),
        ["A_stop_0 n1 -> C_stop_0 n1", "B_stop_0 n1 -> C_stop_0 n1"],
        None,
        id="but all of it waits when everything stops",
    ),
    pytest.param(
        replace(
            four(),
            configuration=replace(
                four().configuration,
                tags=(Tag("both", ("A", "B")),),
                constraints=(order("both", "C"),),
            ),
        ),
        starts("AC", "BC"),
        None,
        id="a tag stands for its members, in no order among themselves",
    ),
]


@pytest.mark.parametrize(("given", "expected", "changes"), ORDERS)
def test_what_an_order_means(given: Cib, expected: list[str], changes: list[str] | None) -> None:
    plan = plan_of(given)
    assert waits(plan) == expected
    if changes is not None:
        assert [_without_place(line) for line in summary(plan)] == changes


def test_an_unknown_kind_is_told() -> None:
    assert any("often" in message for message in plan_of(pair(order("A", "B", kind="often"))).plan.messages)


INTERLEAVE = {"interleave": "true"}
C, D = primitive("c"), primitive("d")
NOT_ON_N1 = location("C", "n1", "-INFINITY")


def stopping(of_c: dict[str, str], of_d: dict[str, str]) -> Cib:
    """Clones C and D stop on two nodes, D before C."""
    clones = clone("C", C, {**STOPPED, **of_c}), clone("D", D, {**STOPPED, **of_d})
    everywhere = {"c": ["n1", "n2"], "d": ["n1", "n2"]}
    return unchanged(cib(*clones, active=everywhere, constraints=[order("C", "D")]))


def node(name: str, cpu: str) -> NodeDefinition:
    return NodeDefinition(name, id=name, utilization=plain({"cpu": cpu}))


COLLECTIVES = [
    pytest.param(
        unchanged(cib(group("G", "a", "b"), primitive("A"), nodes=("n1",), constraints=[order("G", "A")])),
        "A_start running",
        ["G_running_0 -> A_start_0 n1"],
        id="what follows a group waits until all of it runs",
    ),
    pytest.param(
        unchanged(cib(clone("C", C, {"notify": "true"}), primitive("A"), nodes=("n1",), constraints=[order("C", "A")])),
        "A_start confirmed-post C_running",
        ["C_confirmed-post_notify_running_0 -> A_start_0 n1"],
        id="what follows a clone with notifications waits until they are confirmed",
    ),
    pytest.param(
        unchanged(cib(group("G", "a", "b"), nodes=("n1",))),
        "G_start a_start b_start",
        ["G_start_0 -> a_start_0 n1", "G_start_0 -> b_start_0 n1", "a_start_0 n1 -> b_start_0 n1"],
        id="members of a group don't wait for all of it",
    ),
    pytest.param(
        unchanged(
            cib(
                clone("C", C, {"clone-min": "2"}),
                primitive("A"),
                nodes=("n1", "n2", "n3"),
                constraints=[order("C", "A")],
            )
        ),
        "one-or-more A_start",
        ["clone-one-or-more:C-then-A -> A_start_0 n1"],
        id="clone-min: enough instances are enough",
    ),
    pytest.param(
        unchanged(cib(clone("C", C), clone("D", D, INTERLEAVE), constraints=[order("C", "D"), NOT_ON_N1])),
        "C_running D_start c:0_start d:0_start d:1_start",
        [
            "C_running_0 -> D_start_0",
            "D_start_0 -> d:1_start_0 n2",
            "c:0_start_0 n2 -> C_running_0",
            "c:0_start_0 n2 -> d:1_start_0 n2",
        ],
        id="interleaved: an instance follows the one on its node, and can't run where there is none",
    ),
    pytest.param(
        unchanged(cib(clone("C", C), clone("D", D), constraints=[order("C", "D"), NOT_ON_N1])),
        "c:0_start d:0_start d:1_start D_start C_running",
        [
            "C_running_0 -> D_start_0",
            "D_start_0 -> d:0_start_0 n1",
            "D_start_0 -> d:1_start_0 n2",
            "c:0_start_0 n2 -> C_running_0",
        ],
        id="not interleaved: all instances of one follow all of the other",
    ),
    pytest.param(
        stopping({}, INTERLEAVE),
        "c:0_stop c:1_stop d:0_stop d:1_stop",
        ["d:0_stop_0 n1 -> c:0_stop_0 n1", "d:1_stop_0 n2 -> c:1_stop_0 n2"],
        id="interleaved stops: it is the clone stopping first that says so",
    ),
    pytest.param(
        stopping(INTERLEAVE, {}), "c:0_stop c:1_stop d:0_stop d:1_stop", [], id="and not the one stopping after"
    ),
    pytest.param(
        unchanged(
            cib(
                primitive("P"),
                primitive("D"),
                active={"D": ["n1"]},
                constraints=[colocation("D", "P", "-INFINITY"), location("P", "n1", "INFINITY")],
            )
        ),
        "start stop",
        ["D_stop_0 n1 -> D_start_0 n2", "D_stop_0 n1 -> P_start_0 n1"],
        id="what must never share a node makes room first",
    ),
    pytest.param(
        unchanged(
            cib(
                primitive("A", utilization={"cpu": "1"}),
                nodes=(node("n1", "1"),),
                options={"placement-strategy": "utilization"},
            )
        ),
        "start load",
        ["load_stopped_n1 -> A_start_0 n1"],
        id="with utilization, a start waits until all that leaves the node has left",
    ),
    pytest.param(
        unchanged(
            cib(
                primitive("A", utilization={"cpu": "1"}),
                primitive("B", utilization={"cpu": "1"}),
                nodes=(node("n1", "1"), node("n2", "1")),
                active={"A": ["n1"]},
                options={"placement-strategy": "utilization"},
                constraints=[location("A", "n1", "-INFINITY")],
            )
        ),
        "stop B_start load_stopped_n1",
        ["A_stop_0 n1 -> load_stopped_n1", "load_stopped_n1 -> B_start_0 n1"],
        id="with utilization, what leaves a node makes room for what comes",
    ),
]


@pytest.mark.parametrize(("given", "about", "expected"), COLLECTIVES)
def test_what_an_order_means_for_collectives(given: Cib, about: str, expected: list[str]) -> None:
    assert waits(plan_of(given), about) == expected


def test_what_must_run_with_something_blocked_is_blocked_too() -> None:
    resources = (primitive("P"), primitive("D"), primitive("Z", STOPPED))
    constraints = [order("Z", "P"), colocation("D", "P", "INFINITY")]
    plan = plan_of(unchanged(cib(*resources, nodes=("n1",), constraints=constraints)))
    assert [_without_place(line) for line in summary(plan)] == [
        "Start P: unrunnable Z start (blocked)",
        "Start D: colocation with P (blocked)",
    ]


def test_what_should_run_with_something_blocked_may_run_without() -> None:
    resources = (primitive("P"), primitive("D"), primitive("Z", STOPPED))
    constraints = [order("Z", "P"), colocation("D", "P", 100)]
    plan = plan_of(unchanged(cib(*resources, nodes=("n1",), constraints=constraints)))
    assert [_without_place(line) for line in summary(plan)] == ["Start P: unrunnable Z start (blocked)", "Start D"]


def _without_place(line: str) -> str:
    before, _, after = line.partition(" (")
    return before + (after.partition(")")[2] if "->" in after else f" ({after}" if after else "")
