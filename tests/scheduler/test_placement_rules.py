"""The rules of placement beside the oddities: what changes scores before and while resources are assigned.

Each row is a sentence, a cluster, and the scores of primitives when their nodes were chosen (specification part 2, sections 7 to 13, 20).
"""

from __future__ import annotations

import pytest
from small_clusters import (
    bundle,
    cib,
    clone,
    colocated_sets,
    colocation,
    expression,
    group,
    held,
    location,
    plan_of,
    primitive,
    promotable,
    rule_location,
    scores_of,
    ticket,
)

from reconciler.cib import Cib
from reconciler.model.attributes import plain
from reconciler.model.cluster import NodeDefinition
from reconciler.model.constraint import Location, ResourceSet
from reconciler.model.rule import AttributeExpression
from reconciler.scheduler.working.table import NEVER

THREE = ("n1", "n2", "n3")
HEALTH = {"n1": {"#health-a": "red"}, "n2": {"#health-a": "yellow"}, "n3": {"#health-a": "green", "#health-b": "-7"}}
COLOURS = {"node-health-red": "-50", "node-health-yellow": "-20", "node-health-green": "3", "node-health-base": "100"}


def healthy(strategy: str, meta: dict[str, str] | None = None) -> Cib:
    options = {"node-health-strategy": strategy, **COLOURS}
    return cib(primitive("A", meta), nodes=THREE, attributes=HEALTH, options=options)


def failing(threshold: str | None, *counts: tuple[str, str]) -> Cib:
    """A on n1 with fail counts by operation."""
    meta = {"migration-threshold": threshold} if threshold else None
    attributes = {"n1": {f"fail-count-A#{operation}": count for operation, count in counts}}
    return cib(primitive("A", meta), active={"A": ["n1"]}, attributes=attributes)


def influenced(critical: str, influence: str | None = None, *, active: bool = True) -> Cib:
    """D sticks to n2 and has to follow P, which is on n1, or nowhere."""
    more = {"influence": influence} if influence else {}
    return cib(
        primitive("P"),
        primitive("D", {"resource-stickiness": "100", "critical": critical}),
        constraints=[colocation("D", "P", "INFINITY", **more)],
        active={"P": ["n1"] if active else [], "D": ["n2"]},
    )


def racks(*values: str | None) -> list[NodeDefinition]:
    """Nodes in racks, or in none."""
    return [
        NodeDefinition(
            f"n{number}", id=f"n{number}", attributes=plain({"rack": value} if value else {}, id=f"a{number}")
        )
        for number, value in enumerate(values, 1)
    ]


def sticky(*, outer: str | None = None, inner: str | None = None, defaults: str | None = None) -> Cib:
    """A clone active on n1, with stickiness given in some places."""
    key = "resource-stickiness"
    child = primitive("c", {key: inner} if inner else None)
    made = clone("C", child, {key: outer} if outer else None)
    return cib(made, active={"c": ["n1"]}, defaults={key: defaults} if defaults else None)


ON_N2 = expression("#uname", "eq", "n2")
BANNED = {"n1": "-INFINITY", "n2": "-INFINITY"}
FREE = {"n1": "0", "n2": "0"}

RULES = [
    *(
        pytest.param(healthy(strategy), {"A": dict(zip(THREE, scores, strict=True))}, id=f"node health, {strategy}")
        for strategy, scores in (
            ("migrate-on-red", ("-INFINITY", "0", "-7")),
            ("only-green", ("-INFINITY", "-INFINITY", "-7")),
            ("progressive", ("50", "80", "96")),
            ("custom", ("-50", "-20", "-4")),
            ("none", ("0", "0", "0")),
        )
    ),
    pytest.param(
        healthy("custom", {"allow-unhealthy-nodes": "true"}),
        {"A": {"n1": "0", "n2": "0", "n3": "0"}},
        id="bad health doesn't concern what allows unhealthy nodes",
    ),
    pytest.param(
        healthy("progressive", {"allow-unhealthy-nodes": "true"}),
        {"A": {"n1": "50", "n2": "80", "n3": "96"}},
        id="good health does",
    ),
    pytest.param(sticky(), {"c:0": {"n1": "1", "n2": "0"}}, id="instances stick a little by default"),
    pytest.param(sticky(inner="7"), {"c:0": {"n1": "7", "n2": "0"}}, id="the stickiness of the inner resource wins"),
    pytest.param(sticky(outer="0"), {"c:0": FREE}, id="a clone may stick not at all"),
    pytest.param(sticky(defaults="9"), {"c:0": {"n1": "9", "n2": "0"}}, id="a default stickiness is for clones, too"),
    pytest.param(
        failing("2", ("monitor_10000", "1"), ("start_0", "1")),
        {"A": {"n1": "-INFINITY", "n2": "0"}},
        id="fail counts of all operations together reach the threshold",
    ),
    pytest.param(failing("3", ("start_0", "2")), {"A": FREE}, id="fewer failures than the threshold ban nothing"),
    pytest.param(
        failing(None, ("start_0", "INFINITY")),
        {"A": {"n1": "-INFINITY", "n2": "0"}},
        id="without a threshold only infinitely many failures ban",
    ),
    pytest.param(failing("0", ("start_0", "INFINITY")), {"A": FREE}, id="a threshold of 0 never bans"),
    pytest.param(
        failing("-3", ("start_0", "1")), {"A": {"n1": "-INFINITY", "n2": "0"}}, id="a negative threshold means 1"
    ),
    pytest.param(
        cib(
            clone("C", primitive("c", {"migration-threshold": "1"}), {"clone-max": "1"}),
            active={"c": ["n1"]},
            attributes={"n1": {"fail-count-c#start_0": "1"}},
        ),
        {"c:0": {"n1": "-INFINITY", "n2": "0"}},
        id="an instance that failed too often bans its whole clone",
    ),
    pytest.param(
        influenced("true"), {"P": {"n1": "0", "n2": "100"}}, id="a critical dependent draws what it follows to itself"
    ),
    pytest.param(influenced("false"), {"P": FREE}, id="one that isn't critical doesn't"),
    pytest.param(
        influenced("true", "false"), {"P": FREE}, id="the constraint's influence wins over the resource's importance"
    ),
    pytest.param(
        influenced("true", "false", active=False),
        {"P": {"n1": "0", "n2": "100"}},
        id="what isn't active yet may be drawn by anything",
    ),
    pytest.param(
        cib(
            primitive("A"),
            primitive("B"),
            nodes=racks("r1", None, None, "R1"),
            constraints=[location("B", "n1", 5), colocation("A", "B", "INFINITY", node_attribute="rack")],
        ),
        {"A": {"n1": "0", "n2": "-INFINITY", "n3": "-INFINITY", "n4": "0"}},
        id="nodes with the same attribute, in any case of letters, are as good as the same",
    ),
    pytest.param(
        cib(
            primitive("A"),
            primitive("B"),
            nodes=racks("r1", None, None, "R1"),
            constraints=[location("B", "n2", 5), colocation("A", "B", "INFINITY", node_attribute="rack")],
        ),
        {"A": {"n1": "-INFINITY", "n2": "0", "n3": "0", "n4": "-INFINITY"}},
        id="nodes without the attribute are as good as the same, too",
    ),
    pytest.param(
        cib(
            group("G", primitive("a"), primitive("b", {"target-role": "Stopped"})),
            primitive("X"),
            constraints=[location("G", "n2", 1), colocation("X", "G", 20)],
        ),
        {"X": {"n1": "0", "n2": "20"}},
        id="an optional colocation looks at a group's first member",
    ),
    pytest.param(
        cib(
            group("G", primitive("a"), primitive("b", {"target-role": "Stopped"})),
            primitive("X"),
            constraints=[location("G", "n2", 1), colocation("X", "G", "INFINITY")],
        ),
        {"X": BANNED},
        id="a mandatory one looks at its last member",
    ),
    pytest.param(
        cib(
            group("G", "a", "b"),
            constraints=[location("G", "n2", 25)],
            active={"a": ["n1"], "b": ["n1"]},
            defaults={"resource-stickiness": "10"},
        ),
        {"a": {"n1": "20", "n2": "25"}, "b": {"n1": "-INFINITY", "n2": "0"}},
        id="a group sticks with the sum of its members, and is preferred once",
    ),
    pytest.param(
        cib(
            group("G", "a", "b", meta={"collocated": "false"}),
            constraints=[location("G", "n2", 25)],
        ),
        {"a": {"n1": "0", "n2": "25"}, "b": {"n1": "0", "n2": "25"}},
        id="members that need not be together have the group's scores each",
    ),
    pytest.param(
        cib(
            clone("A", primitive("a"), {"clone-max": "2"}),
            primitive("X"),
            nodes=THREE,
            constraints=[location("A", "n3", "-INFINITY"), colocation("X", "A", "INFINITY")],
        ),
        {"X": {"n1": "0", "n2": "0", "n3": "-INFINITY"}},
        id="what follows a clone may be with any instance",
    ),
    pytest.param(
        cib(
            clone("A", primitive("a")),
            primitive("X"),
            nodes=THREE,
            constraints=[location("A", "n3", "-INFINITY"), location("X", "n3", 3), colocation("X", "A", 20)],
        ),
        {"X": {"n1": "0", "n2": "0", "n3": "-17"}},
        id="instances that run nowhere are subtracted from what follows by choice",
    ),
    pytest.param(
        cib(
            clone("A", primitive("a"), {"interleave": "true"}),
            clone("B", primitive("b"), {"interleave": "true"}),
            constraints=[location("A", "n1", "-INFINITY"), colocation("B", "A", "INFINITY")],
        ),
        {"b:0": {"n1": "-INFINITY", "n2": "0"}},
        id="of interleaved clones an instance follows its partner",
    ),
    pytest.param(
        cib(
            primitive("A"),
            constraints=[rule_location("A", ON_N2, score_attribute="want")],
            attributes={"n2": {"want": "9"}},
        ),
        {"A": {"n1": "0", "n2": "9"}},
        id="a score may come from a node attribute",
    ),
    pytest.param(
        cib(primitive("A"), constraints=[rule_location("A", expression("#uname", "defined"), score_attribute="want")]),
        {"A": BANNED},
        id="a node that lacks the attribute is banned",
    ),
    pytest.param(
        cib(
            *(primitive(id) for id in ("db-1", "db-2", "web-1")),
            constraints=[
                Location(
                    "l",
                    pattern="^db-(.)$",
                    rules=rule_location("x", AttributeExpression("allowed-%1", "eq", "yes"), score="5").rules,
                )
            ],
            attributes={"n1": {"allowed-1": "yes"}, "n2": {"allowed-2": "yes"}},
        ),
        {"db-1": {"n1": "5", "n2": "0"}, "db-2": {"n1": "0", "n2": "5"}, "web-1": FREE},
        id="what a pattern matched can be used in its rules",
    ),
    pytest.param(
        cib(
            *(primitive(id) for id in ("db-1", "web-1")),
            constraints=[Location("l", pattern="!^db", node="n2", score="5")],
        ),
        {"db-1": FREE, "web-1": {"n1": "0", "n2": "5"}},
        id="a pattern with an exclamation mark means all others",
    ),
    pytest.param(
        cib(
            *(primitive(id) for id in "ABC"),
            tags={"T": ["A", "C"]},
            constraints=[location("T", "n2", 5)],
        ),
        {"A": {"n1": "0", "n2": "5"}, "B": FREE, "C": {"n1": "0", "n2": "5"}},
        id="a tag stands for its members",
    ),
    pytest.param(
        cib(primitive("A"), constraints=[location("A", "n2", 0, resource_discovery="exclusive")]),
        {"A": {"n1": "-INFINITY", "n2": "0"}},
        id="exclusive discovery bans all nodes but those named",
    ),
    pytest.param(
        cib(
            primitive("A"),
            constraints=[
                Location(
                    "l",
                    resource="A",
                    rules=rule_location("x", expression("#uname", "eq", "n9"), score="5").rules,
                    resource_discovery="exclusive",
                )
            ],
        ),
        {"A": BANNED},
        id="even when the rule that names them passes nowhere",
    ),
    pytest.param(cib(primitive("A"), constraints=[ticket("A")]), {"A": BANNED}, id="without its ticket nothing starts"),
    pytest.param(
        cib(primitive("A"), constraints=[ticket("A")], tickets=held(granted="true", standby="false")),
        {"A": FREE},
        id="with its ticket it does",
    ),
    pytest.param(
        cib(primitive("A"), constraints=[ticket("A")], tickets=held(granted="true", standby="true")),
        {"A": BANNED},
        id="a ticket in standby is as good as none",
    ),
    pytest.param(
        cib(primitive("A"), constraints=[ticket("A", policy="freeze")], active={"A": ["n1"]}),
        {"A": FREE},
        id="what is frozen when its ticket is lost stays as it is",
    ),
    pytest.param(
        cib(
            primitive("A"),
            constraints=[ticket("A", policy="freeze")],
            active={"A": ["n1"]},
            tickets=held(granted="true", standby="true"),
        ),
        {"A": BANNED},
        id="in standby nothing is frozen: it stops",
    ),
    pytest.param(
        cib(promotable("P", "p"), constraints=[ticket("P", "Promoted", "stop")], active={"p": ["n1"]}),
        {"p:0": BANNED},
        id="a ticket for the promoted role may stop everything",
    ),
    pytest.param(
        cib(
            primitive("A"),
            clone("C", primitive("c")),
            options={"shutdown-lock": "true"},
            active={"A": ["n1"], "c": ["n1"]},
            attributes={"n1": {"shutdown": "1600000000"}},
        ),
        {"A": {"n1": "0", "n2": "-INFINITY"}, "c:0": {"n1": "-INFINITY", "n2": "0"}},
        id="what ran on a node that shuts down is locked to it, but for instances of clones",
    ),
    pytest.param(
        cib(
            clone("A", primitive("a")),
            clone("B", primitive("b"), {"interleave": "true", "clone-max": "1"}),
            constraints=[colocation("B", "A", 20)],
        ),
        {"b:0": {"n1": "20", "n2": "0"}},
        id="and no other instance",
    ),
    pytest.param(
        cib(
            group("G", "a", primitive("b", {"critical": "false"})),
            active={"a": ["n1"], "b": ["n2"]},
            defaults={"resource-stickiness": "100"},
        ),
        {"a": {"n1": "100", "n2": "0"}},
        id="a member that isn't critical doesn't draw its group",
    ),
    pytest.param(
        cib(
            bundle("B", primitive("b"), replicas=1),
            active={"B-podman-0": ["n1"], "B-0": ["n2"]},
            defaults={"resource-stickiness": "100"},
        ),
        {"B-podman-0": {"n1": "100", "n2": "0"}},
        id="a connection doesn't draw its container",
    ),
    pytest.param(
        cib(
            promotable("P", "p"),
            primitive("X"),
            nodes=["n1"],
            constraints=[colocation("X", "P", -50, with_role="Promoted")],
            active={"p": ["n1"]},
            attributes={"n1": {"master-p": "5"}},
        ),
        {"X": {"n1": "0"}},
        id="what avoids the promoted instance gives way when there is only one node",
    ),
    pytest.param(
        cib(
            primitive("A"),
            bundle("B", primitive("b"), replicas=1),
            constraints=[colocation("A", "B", "INFINITY"), location("B", "n2", 5)],
        ),
        {"A": {"n1": "-INFINITY", "n2": "0"}},
        id="what follows a bundle is where a container is",
    ),
    pytest.param(
        cib(
            *(primitive(id) for id in "ABC"),
            nodes=THREE,
            constraints=[colocated_sets(-7, ["A", "B", "C"]), location("A", "n1", 1)],
        ),
        {"B": {"n1": "-7", "n2": "0", "n3": "0"}, "C": {"n1": "-7", "n2": "-7", "n3": "0"}},
        id="in a set with a negative score each avoids all before it",
    ),
]


@pytest.mark.parametrize(("given", "scores"), RULES)
def test_scores(given: Cib, scores: dict[str, dict[str, str]]) -> None:
    plan = plan_of(given)
    assert {id: scores_of(plan, id) for id in scores} == scores


PAIRS = [
    ("each follows the one before", 7, [["A", "B", "C"]], ["B-A", "C-B"]),
    ("the other way round", 7, [ResourceSet(("A", "B", "C"), ordering="listed")], ["A-B", "B-C"]),
    ("a negative score joins all pairs", -7, [["A", "B", "C"]], ["B-A", "C-A", "C-B"]),
    ("the first of a set follows the last of the next", 7, [["A", "B"], ["C", "D"]], ["B-A", "D-C", "A-D"]),
    (
        "every member of a set without sequence does",
        7,
        [ResourceSet(("A", "B"), sequential="false"), ["C", "D"]],
        ["D-C", "A-D", "B-D"],
    ),
    (
        "and every one is followed",
        7,
        [["A", "B"], ResourceSet(("C", "D"), sequential="false"), ["E", "F"]],
        ["B-A", "A-C", "A-D", "F-E", "C-F", "D-F"],
    ),
    ("a set's own score is for its inside only", 0, [ResourceSet(("A", "B"), score="3"), ["C", "D"]], ["B-A"]),
    ("an unknown member ends its set", 7, [["A", "B", "nobody", "C"]], ["B-A"]),
]


@pytest.mark.parametrize(("score", "sets", "pairs"), [pytest.param(*row[1:], id=row[0]) for row in PAIRS])
def test_what_sets_mean(score: int, sets: list[list[str] | ResourceSet], pairs: list[str]) -> None:
    plan = plan_of(cib(*(primitive(id) for id in "ABCDEF"), constraints=[colocated_sets(score, *sets)]))
    assert [f"{one.dependent.id}-{one.primary.id}" for one in plan.cluster.colocations] == pairs


@pytest.mark.parametrize(
    ("dependent", "primary", "pairs"),
    [("T", "C", ["A-C", "B-C"]), ("C", "T", ["C-A", "C-B"]), ("T", "T", []), ("T", "nobody", [])],
)
def test_tags_in_colocations_stand_for_each_of_their_members(dependent: str, primary: str, pairs: list[str]) -> None:
    plan = plan_of(
        cib(
            *(primitive(id) for id in "ABC"),
            tags={"T": ["A", "B"]},
            constraints=[colocation(dependent, primary, 7)],
        )
    )
    assert [f"{one.dependent.id}-{one.primary.id}" for one in plan.cluster.colocations] == pairs


def test_a_rule_that_passes_on_a_bundles_node_doesnt_have_it_probed() -> None:
    everywhere = rule_location("A", expression("rack", "not_defined"), score="5")
    plan = plan_of(cib(primitive("A"), bundle("B", primitive("b"), replicas=1), constraints=[everywhere]))
    table = plan.cluster.resource_index["A"][0].placed.table
    inside = plan.cluster.node_index["B-0"].index
    assert (table.scores[inside], table.mode(inside)) == (5, NEVER)
    assert not any(action.key == "A_monitor_0" and action.node == "B-0" for action in plan.actions)


def test_primaries_are_placed_by_priority_then_kind_then_name() -> None:
    primaries = [
        primitive("z"),
        primitive("Zcap"),
        group("g", "member"),
        clone("cl", primitive("c")),
        promotable("zp", "zpi"),
        promotable("ap", "api"),
        primitive("important", {"priority": "5"}),
    ]
    plan = plan_of(cib(primitive("X"), *primaries, constraints=[colocation("X", one.id, 1) for one in primaries]))
    first = [colocation.primary.id for colocation in plan.cluster.resource_index["X"][0].placed.colocations]
    assert first == ["important", "ap", "zp", "cl", "g", "Zcap", "z"]
