"""What is odd about placement, and kept on purpose (specification part 2, appendix B, with the experiments of its sections).

Each row is a sentence, a cluster, and the scores of primitives when their nodes were chosen.
"""

from __future__ import annotations

import pytest
from small_clusters import (
    REMOTE,
    STATEFUL,
    bundle,
    cib,
    clone,
    colocation,
    expression,
    group,
    location,
    placed,
    plan_of,
    primitive,
    promotable,
    rule_location,
    score_lines,
    scores_of,
    ticket,
)

from reconciler.cib import Cib
from reconciler.model.attributes import plain
from reconciler.model.cluster import NodeDefinition
from reconciler.model.constraint import Constraint
from reconciler.model.resource import Resource

THREE = ("n1", "n2", "n3")
EVERY_NODE = expression("#uname", "defined")


def two(*constraints: Constraint) -> Cib:
    """Two primitives A and B on two nodes."""
    return cib(primitive("A"), primitive("B"), constraints=constraints)


def remotes(*extra_nodes: str) -> Cib:
    """Two new remote nodes; B prefers one of them, A is to avoid B."""
    nodes = [NodeDefinition("n1", id="n1"), *(NodeDefinition(name, id=name, type="remote") for name in extra_nodes)]
    return cib(
        primitive("ra", agent=REMOTE),
        primitive("rb", agent=REMOTE),
        primitive("A"),
        primitive("B"),
        nodes=nodes,
        constraints=[location("B", "ra", 100), location("A", "ra", 5), colocation("A", "B", -20)],
    )


def chain() -> Cib:
    """B follows A, A follows X, both by half; B prefers n2."""
    constraints = [colocation("A", "X", 500_000), colocation("B", "A", 500_000), location("B", "n2", 1000)]
    return cib(primitive("X"), primitive("A"), primitive("B"), constraints=constraints)


def grouped(*order: str) -> Cib:
    """The group G follows X, Y follows G by a tenth and prefers n2; in this order in the configuration."""
    made = {"G": group("G", "a", "b"), "X": primitive("X"), "Y": primitive("Y")}
    constraints = [location("Y", "n2", 1000), colocation("G", "X", "INFINITY"), colocation("Y", "G", 100_000)]
    return cib(*(made[id] for id in order), constraints=constraints)


def follows_role(score: int | str, role: str, target: str | None = None) -> Cib:
    """X with the role of Y, which is on n1, or stopped."""
    meta = {"target-role": target} if target else None
    constraints: list[Constraint] = [location("Y", "n1", 100), colocation("X", "Y", score, with_role=role)]
    return cib(primitive("Y", meta), primitive("X"), constraints=constraints)


def follows_stopped(*locations: Constraint) -> Cib:
    """A is to follow B by 500, but B is stopped."""
    constraints = [*locations, colocation("A", "B", 500)]
    return cib(primitive("A"), primitive("B", {"target-role": "Stopped"}), constraints=constraints)


def clones(maximum: int) -> Cib:
    """The clone B is to follow the clone A by 20; A has one instance, on n2."""
    return cib(
        clone("A", primitive("a"), {"clone-max": "1"}),
        clone("B", primitive("b"), {"clone-max": str(maximum)}),
        nodes=THREE,
        constraints=[location("A", "n2", 5), colocation("B", "A", 20)],
    )


def with_utilization(resources: list[tuple[str, str]], capacities: list[str], strategy: str) -> Cib:
    """Resources that need cpu, nodes that have some, and B bound to A where both exist."""
    nodes = [
        NodeDefinition(f"n{number}", id=f"n{number}", utilization=plain({"cpu": cpu}, id=f"u{number}"))
        for number, cpu in enumerate(capacities, 1)
    ]
    made = [primitive(id, utilization={"cpu": cpu}) for id, cpu in resources]
    bound = [colocation("B", "A", "INFINITY")] if [id for id, _ in resources] == ["A", "B"] else []
    return cib(*made, nodes=nodes, constraints=bound, options={"placement-strategy": strategy})


ALL_EQUAL = {"n1": "0", "n2": "0"}
BANNED = {"n1": "-INFINITY", "n2": "-INFINITY"}

SCORES = [
    pytest.param(
        cib(primitive("A"), constraints=[rule_location("A", EVERY_NODE, score="100", boolean_op="or")], offline=["n2"]),
        {"A": {"n1": "100", "n2": "-INFINITY"}},
        id="a rule joined by or brings in the base score, which bans a node that is offline",
    ),
    pytest.param(
        cib(primitive("A"), constraints=[rule_location("A", EVERY_NODE, score="100")], offline=["n2"]),
        {"A": {"n1": "100", "n2": "100"}},
        id="a rule joined by and doesn't",
    ),
    pytest.param(
        cib(primitive("A"), constraints=[rule_location("A", EVERY_NODE, score="100", role="Started")]),
        {"A": ALL_EQUAL},
        id="a rule for the role Started never applies",
    ),
    pytest.param(
        cib(primitive("A"), constraints=[location("A", "n1", 100, "Started")]),
        {"A": {"n1": "100", "n2": "0"}},
        id="a node and score for the role Started does",
    ),
    pytest.param(
        cib(primitive("A"), constraints=[location("A", "n1", score) for score in (999_990, 20, -50)]),
        {"A": {"n1": "999960", "n2": "0"}},
        id="locations are applied newest first, so what is written last is in time to be counted",
    ),
    pytest.param(
        cib(primitive("A"), constraints=[location("A", "n1", score) for score in (-50, 20, 999_990)]),
        {"A": {"n1": "INFINITY", "n2": "0"}},
        id="locations are applied newest first, so what is written first comes after saturation",
    ),
    pytest.param(
        remotes(),
        {"A": {"n1": "0", "ra": "-15", "rb": "-20"}},
        id="remote nodes that nobody has seen or configured are all the same place",
    ),
    pytest.param(
        remotes("ra", "rb"),
        {"A": {"n1": "0", "ra": "-15", "rb": "0"}},
        id="configured remote nodes are told apart",
    ),
    pytest.param(
        two(location("A", "n2", -3), colocation("A", "B", 10)),
        {"B": {"n1": "0", "n2": "1"}},
        id="a tiny part of a dislike becomes a liking of 1",
    ),
    pytest.param(
        cib(
            primitive("A"),
            primitive("B"),
            nodes=THREE,
            constraints=[location("A", "n2", -3), location("A", "n3", 3), colocation("A", "B", -10)],
        ),
        {"B": {"n1": "0", "n2": "0", "n3": "-1"}},
        id="what the dependent dislikes doesn't attract a primary that it avoids",
    ),
    pytest.param(
        cib(
            primitive("A"),
            primitive("B"),
            nodes=THREE,
            constraints=[
                *(location("A", f"n{i}", s) for i, s in ((1, 250), (2, 749), (3, 750))),
                colocation("A", "B", 2000),
            ],
        ),
        {"B": {"n1": "1", "n2": "1", "n3": "2"}},
        id="parts are rounded half away from zero, and to 1 at least",
    ),
    pytest.param(
        chain(),
        {"X": {"n1": "0", "n2": "500"}},
        id="a follower's follower counts by its own factor alone",
    ),
    pytest.param(
        grouped("G", "X", "Y"),
        {"X": {"n1": "0", "n2": "200"}},
        id="what follows a group whose turn has come counts twice",
    ),
    pytest.param(
        grouped("X", "G", "Y"),
        {"X": ALL_EQUAL, "a": {"n1": "0", "n2": "-INFINITY"}},
        id="what follows a group before its turn counts not at all",
    ),
    pytest.param(
        follows_role(-20, "Promoted"),
        {"X": {"n1": "-20", "n2": "0"}},
        id="a negative score acts as long as the role does not match",
    ),
    pytest.param(
        follows_role(-20, "Stopped", "Stopped"),
        {"X": ALL_EQUAL},
        id="a role that matches switches a negative score off",
    ),
    pytest.param(
        follows_role("INFINITY", "Promoted"),
        {"X": ALL_EQUAL},
        id="a positive score acts only when the role matches",
    ),
    pytest.param(
        follows_role("INFINITY", "Stopped", "Stopped"),
        {"X": BANNED},
        id="together with what is stopped on purpose there is no node",
    ),
    pytest.param(
        follows_stopped(location("A", "n1", 600), location("A", "n2", 100)),
        {"A": {"n1": "100", "n2": "-400"}},
        id="an optional colocation with what can't run is subtracted",
    ),
    pytest.param(
        follows_stopped(),
        {"A": ALL_EQUAL},
        id="but not when that would leave no node",
    ),
    pytest.param(
        two(location("A", "n1", "-INFINITY"), location("B", "n1", "-INFINITY"), colocation("A", "B", -500)),
        {"A": {"n1": "-INFINITY", "n2": "0"}},
        id="optional anti-colocation gives way when there is only one node",
    ),
    pytest.param(
        clones(3),
        {"b:0": {"n1": "0", "n2": "0", "n3": "0"}},
        id="instances ignore an optional liking of their clone when there is one for every node",
    ),
    pytest.param(
        clones(2),
        {"b:0": {"n1": "0", "n2": "20", "n3": "0"}},
        id="and heed it when there are fewer",
    ),
    pytest.param(
        cib(
            primitive("A"),
            primitive("B"),
            constraints=[colocation("A", "B", "INFINITY"), colocation("B", "A", "INFINITY"), location("A", "n2", 5)],
        ),
        {"B": {"n1": "0", "n2": "5"}, "A": {"n1": "-INFINITY", "n2": "15"}},
        id="of a pair that follow each other the one that is asked second is placed first",
    ),
    pytest.param(
        cib(primitive("A", {"target-role": "Stopped"}), constraints=[location("A", "n1", 100)]),
        {"A": BANNED},
        id="what is to be stopped is banned from every node",
    ),
    pytest.param(
        cib(primitive("A", {"is-managed": "false"}), active={"A": ["n1"]}, constraints=[location("A", "n1", -5)]),
        {"A": {"n1": "INFINITY", "n2": "0"}},
        id="what is unmanaged shows infinity where it is active",
    ),
    pytest.param(
        cib(primitive("A"), constraints=[location("A", "n9", 5)]),
        {"A": ALL_EQUAL},
        id="a location on an unknown node is ignored",
    ),
    pytest.param(
        cib(primitive("A"), constraints=[location("A", "N2", 5)]),
        {"A": {"n1": "0", "n2": "5"}},
        id="a location finds its node in any case of letters",
    ),
]


@pytest.mark.parametrize(("given", "scores"), SCORES)
def test_scores(given: Cib, scores: dict[str, dict[str, str]]) -> None:
    plan = plan_of(given)
    assert {id: scores_of(plan, id) for id in scores} == scores


LINES = [
    pytest.param(
        cib(
            clone("C", primitive("c")),
            primitive("X"),
            nodes=THREE,
            constraints=[location("C", "n3", 500), location("X", "n3", 100), colocation("C", "X", -10)],
            active={"c": ["n1"]},
        ),
        "c:0",
        ["c:0: n1 1, n2 0, n3 490", "c:0: n1 1, n2 0, n3 480"],
        id="an instance that is tried twice has its clone's constraints twice",
    ),
    pytest.param(
        cib(clone("C", primitive("c"), {"clone-max": "2"}), active={"c": ["n2"]}, failed={"c": ["n1"]}),
        "c:",
        ["c:1: n1 0, n2 1", "c:0: n1 1, n2 -INFINITY"],
        id="an instance that failed is placed after the others",
    ),
    pytest.param(
        cib(promotable("P", "p", {"clone-max": "2"}), nodes=THREE, active={"p": THREE}),
        "promotion ",
        ["promotion p:2: none 0", "promotion p:0: n1 -1", "promotion p:1: n2 -1"],
        id="an instance too many is ranked with 0, on no node",
    ),
    pytest.param(
        cib(
            promotable("P", group("g", "a")),
            primitive("X"),
            constraints=[location("X", "n1", 100), colocation("P", "X", "INFINITY", role="Promoted")],
            active={"a": ["n1", "n2"]},
            attributes={"n1": {"master-a": "5"}, "n2": {"master-a": "9"}},
        ),
        "promotion ",
        ["promotion g:0: n1 105", "promotion g:1: n2 9"],
        id="of a cloned group no instance is kept from promotion by a colocation of roles",
    ),
    pytest.param(
        cib(
            promotable("P", "p"),
            primitive("X"),
            constraints=[location("X", "n1", 100), colocation("P", "X", "INFINITY", role="Promoted")],
            active={"p": ["n1", "n2"]},
            attributes={"n1": {"master-p": "5"}, "n2": {"master-p": "9"}},
        ),
        "promotion ",
        ["promotion p:0: n1 INFINITY", "promotion p:1: n2 -INFINITY"],
        id="of a cloned primitive the others are",
    ),
    pytest.param(
        cib(promotable("P", "p", {"clone-max": "2"}), nodes=THREE, active={"p": THREE}),
        "p:2: ",
        [],
        id="nor is a node looked for",
    ),
    pytest.param(
        cib(promotable("P", "p"), active={"p": ["n2"]}, failed={"p": ["n1"]}),
        "promotion ",
        ["promotion p:1: n2 -1", "promotion p:0: n1 -1"],
        id="of two with the same rank the one that failed comes last",
    ),
    pytest.param(
        cib(
            clone("C", primitive("c", {"migration-threshold": "1"})),
            active={"c": ["n1"]},
            attributes={"n1": {"fail-count-c#start_0": "1"}},
        ),
        "clone C: ",
        ["clone C: n1 -INFINITY, n2 0"],
        id="an instance that failed too often bans its clone as such",
    ),
    pytest.param(
        cib(clone("C", primitive("c")), constraints=[location("c", "n2", 5)], active={"c": ["n1"]}),
        "clone C: ",
        ["clone C: n1 0, n2 5"],
        id="the name that histories know an instance by means its clone",
    ),
    pytest.param(
        cib(clone("C", primitive("c")), constraints=[location("c", "n2", 5)]),
        "clone C: ",
        ["clone C: n1 0, n2 0"],
        id="and nothing as long as there is no history",
    ),
    pytest.param(
        cib(
            bundle(
                "B",
                primitive("b", {"container-attribute-target": "host"}, agent=STATEFUL),
                replicas=1,
                promoted_max=1,
            ),
            active={"B-podman-0": ["n1"], "B-0": ["n1"]},
            attributes={"n1": {"master-b": "7"}},
        ),
        "promotion ",
        ["promotion b:0: B-0 7"],
        id="promotion scores may be those of the container's host",
    ),
    pytest.param(
        cib(
            bundle("B", primitive("b", agent=STATEFUL), replicas=1, promoted_max=1),
            active={"B-podman-0": ["n1"], "B-0": ["n1"]},
            attributes={"n1": {"master-b": "7"}},
        ),
        "promotion ",
        ["promotion b:0: B-0 -1"],
        id="but only if that is asked for",
    ),
    pytest.param(
        cib(promotable("P", "p"), active={"p": ["n1", "n2"]}, constraints=[location("P", "n1", 10)]),
        "promotion ",
        ["promotion p:0: n1 -1", "promotion p:1: n2 -1"],
        id="without promotion scores nothing is promoted, whatever the preferred node",
    ),
    pytest.param(
        cib(promotable("P", "p"), active={"p": ["n1", "n2"]}, constraints=[location("P", "n2", 10, "Promoted")]),
        "promotion ",
        ["promotion p:1: n2 9", "promotion p:0: n1 -1"],
        id="a location for the promoted role promotes without promotion scores",
    ),
]


@pytest.mark.parametrize(("given", "prefix", "lines"), LINES)
def test_lines(given: Cib, prefix: str, lines: list[str]) -> None:
    assert [line for line in score_lines(plan_of(given)) if line.startswith(prefix)] == lines


PLACES = [
    pytest.param(
        cib(*(primitive(id) for id in "ABC"), nodes=("n10", "n9", "N11")),
        {"A": "N11", "B": "n10", "C": "n9"},
        id="among equals the first name byte by byte wins",
    ),
    pytest.param(
        cib(*(primitive(id) for id in "ABCD"), active={id: ["n1"] for id in "ABCD"}),
        {"A": "n1", "B": "n2", "C": "n1", "D": "n2"},
        id="without any score being active somewhere holds nothing",
    ),
    pytest.param(
        cib(
            *(primitive(id) for id in "ABCD"),
            active={id: ["n1"] for id in "ABCD"},
            constraints=[location(id, node, 5) for id in "ABCD" for node in ("n1", "n2")],
        ),
        dict.fromkeys("ABCD", "n1"),
        id="with a score above 0 everywhere it does",
    ),
    pytest.param(
        cib(
            clone("C", group("g", "a", "b"), {"clone-max": "2"}),
            nodes=THREE,
            constraints=[location("C", "n3", 500)],
            active={"a": ["n1", "n2"], "b": ["n1", "n2"]},
        ),
        dict.fromkeys(("a:0", "b:0", "a:1", "b:1"), "n3"),
        id="both instances of a cloned group end on the better node, although one is the limit",
    ),
    pytest.param(
        cib(
            clone(
                "C",
                primitive("c"),
                {
                    "globally-unique": "true",
                    "clone-max": "4",
                    "clone-node-max": "3",
                    "resource-stickiness": "0",
                },
            ),
            active={"c:0": ["n1"], "c:1": ["n1"], "c:2": ["n1"]},
        ),
        {"c:0": "n1", "c:1": "n1", "c:2": "n2", "c:3": "n2"},
        id="no more instances stay on a node than spreads them evenly",
    ),
    pytest.param(
        cib(
            primitive("A"),
            constraints=[ticket("A", policy="freeze"), location("A", "n2", 500)],
            active={"A": ["n1"]},
        ),
        {"A": "n1"},
        id="what is frozen when its ticket is lost stays where it is",
    ),
    pytest.param(
        cib(
            primitive("vm", {"remote-node": "g", "target-role": "Stopped"}),
            primitive("A"),
            constraints=[location("A", "n1", "-INFINITY"), location("A", "n2", "-INFINITY")],
        ),
        {"A": "g"},
        id="a guest node is accepted before it is there",
    ),
    *(
        pytest.param(
            with_utilization([("A", "2"), ("B", "2")], ["2", "2", "2"], strategy),
            {"A": "n2"},
            id=f"where no node has room for both, table order decides ({strategy})",
        )
        for strategy in ("utilization", "minimal", "balanced")
    ),
    *(
        pytest.param(
            with_utilization([(id, "2") for id in "PQR"], ["8", "10", "6"], strategy),
            dict(zip("PQR", nodes, strict=True)),
            id=f"equal resources on unequal nodes ({strategy})",
        )
        for strategy, nodes in (
            ("default", ("n1", "n2", "n3")),
            ("utilization", ("n1", "n2", "n3")),
            ("minimal", ("n1", "n1", "n1")),
            ("balanced", ("n2", "n1", "n2")),
        )
    ),
    pytest.param(
        cib(
            primitive("A"),
            options={"placement-strategy": "balanced"},
            nodes=[
                NodeDefinition(name, id=name, utilization=plain({"cpu": cpu, "mem": mem}, id=f"u-{name}"))
                for name, cpu, mem in (("n1", "1", "3"), ("n2", "0", "6"), ("n3", "3", "5"))
            ],
        ),
        {"A": "n3"},
        id="more free capacity is no order, and the sort goes around the circle as it always does",
    ),
    pytest.param(
        cib(
            primitive("A", {"is-managed": "false"}, utilization={"mem": "4"}),
            primitive("B", utilization={"mem": "0"}),
            options={"placement-strategy": "utilization"},
            nodes=[
                NodeDefinition("n1", id="n1", utilization=plain({"mem": "1"}, id="u1")),
                NodeDefinition("n2", id="n2"),
            ],
            constraints=[location("B", "n1", 50)],
            active={"A": ["n1"]},
        ),
        {"A": "n1", "B": "n2"},
        id="a node that is overcommitted is refused even by what needs nothing of it",
    ),
    pytest.param(
        cib(
            primitive("A", {"is-managed": "false"}, utilization={"mem": "4"}),
            primitive("B", utilization={"mem": "0"}),
            options={"placement-strategy": "utilization"},
            constraints=[location("B", "n1", 50)],
            active={"A": ["n1"]},
        ),
        {"A": "n1", "B": "n1"},
        id="a node without that capacity is never overcommitted",
    ),
]


@pytest.mark.parametrize(("given", "nodes"), PLACES)
def test_places(given: Cib, nodes: dict[str, str]) -> None:
    plan = plan_of(given)
    assert {id: placed(plan)[id] for id in nodes} == nodes


@pytest.mark.parametrize(("strategy", "order"), [("default", "ABCD"), ("utilization", "DCBA")])
def test_where_capacity_counts_resources_that_care_most_come_first(strategy: str, order: str) -> None:
    plan = plan_of(
        cib(
            *(primitive(id) for id in "ABCD"),
            constraints=[location("D", "n2", 7), location("B", "n2", 5)],
            active={"D": ["n1"], "C": ["n2"]},
            options={"placement-strategy": strategy},
        )
    )
    assert [line[0] for line in score_lines(plan)] == list(order)


def followed_bundle() -> Cib:
    """A bundle after two primitives that follow it."""
    return cib(
        primitive("X"),
        primitive("Y"),
        bundle("B", primitive("b"), replicas=2),
        constraints=[colocation("X", "B", "INFINITY"), colocation("Y", "B", 20)],
    )


def test_a_bundle_is_gone_through_at_every_request() -> None:
    listed = [line for line in score_lines(plan_of(followed_bundle())) if line.startswith("bundle B-clone:")]
    assert listed == [
        "bundle B-clone: B-0 -INFINITY, B-1 -INFINITY, n1 0, n2 0",
        "bundle B-clone: B-0 0, B-1 0, n1 -INFINITY, n2 -INFINITY",
        "bundle B-clone: B-0 0, B-1 0, n1 -INFINITY, n2 -INFINITY",
    ]


def test_a_replica_without_a_node_for_its_container_still_gets_a_host_for_its_connection() -> None:
    nodes = placed(plan_of(cib(bundle("B", primitive("b"), replicas=2), nodes=["n1"])))
    assert nodes["B-podman-1"] is None
    assert nodes["B-1"] == "n1"


@pytest.mark.parametrize(("first", "instances"), [("bundle", 4), ("clone", 2)])
def test_a_clone_has_as_many_instances_as_there_are_nodes_where_it_is_written(first: str, instances: int) -> None:
    made: list[Resource] = [bundle("B", primitive("b"), replicas=2), clone("C", primitive("c"))]
    if first == "clone":
        made.reverse()
    plan = plan_of(cib(*made))
    assert len([id for id in placed(plan) if id.startswith("c:")]) == instances


@pytest.mark.parametrize("policy", ["stop", "freeze", "ignore", "demote", "suicide"])
def test_scores_do_not_depend_on_what_happens_without_quorum(policy: str) -> None:
    options = {"no-quorum-policy": policy}
    plan = plan_of(cib(primitive("A"), primitive("B"), active={"A": ["n1"]}, quorum=False, options=options))
    assert score_lines(plan) == ["A: n1 0, n2 0", "B: n1 0, n2 0"]


def test_standby_moves_without_touching_scores() -> None:
    standby = NodeDefinition("n1", id="n1", attributes=plain({"standby": "on"}, id="a1"))
    given = cib(
        primitive("A"),
        nodes=[standby, NodeDefinition("n2", id="n2")],
        active={"A": ["n1"]},
        defaults={"resource-stickiness": "100"},
    )
    plan = plan_of(given)
    assert scores_of(plan, "A") == {"n1": "100", "n2": "0"}
    assert placed(plan)["A"] == "n2"
