"""Mixing where walks meet: the scores and the copies of the plain walk, in a number of steps that grows with the colocations."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_clusters import cib as small_cib
from small_clusters import colocation, location, plan_of, primitive, scores_of

from reconciler.cib import Cib
from reconciler.model.date import Instant
from reconciler.model.score import INFINITY, add
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.inside import decide
from reconciler.scheduler.placing import tangle
from reconciler.scheduler.placing.additions import NOTHING, addition
from reconciler.scheduler.placing.tangle import Tangle
from reconciler.scheduler.placing.walk import TooLongError, Walk
from reconciler.scheduler.roles import Kind
from reconciler.scheduler.working.cluster import Cluster
from reconciler.scheduler.working.constraints import ColocationPair
from reconciler.scheduler.working.node import ClusterNode, NodeKind
from reconciler.scheduler.working.resource import Resource
from reconciler.scheduler.working.table import NodeTable

SCORES = st.one_of(
    st.sampled_from([0, 1, -1, 2, -3, 7, 500, -500, INFINITY, -INFINITY, INFINITY - 1, 1 - INFINITY]),
    st.integers(-INFINITY, INFINITY),
)
STRENGTHS = st.sampled_from([1, -1, 100, -100, 500_000, -500_000, INFINITY, -INFINITY])


# Additions


@given(st.lists(st.tuples(SCORES, st.booleans()), max_size=7), SCORES)
def test_a_row_of_additions_is_worked_out_before_the_score_is_known(row, score) -> None:
    joined = NOTHING
    for more, asked in row:
        joined = joined.then(addition(more).asked() if asked else addition(more))
    plain, lasts = score, True
    for more, asked in row:
        plain = add(more, plain)
        lasts = lasts and (plain >= 0 or not asked)
    assert joined.of(score) == plain
    assert (score >= joined.alive) is lasts


# The same as the plain walk


@dataclass
class Graph:
    """Resources of which each follows some of those before it, and a table to mix the followers of the first into."""

    cluster: Cluster
    first: Resource
    table: NodeTable


def table_of(scores: list[int | None]) -> NodeTable:
    table = NodeTable()
    for index, score in enumerate(scores):
        if score is not None:
            table.set(index, score)
    return table


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(1, 4))
    cluster = Cluster(Cib(), Instant(0))
    cluster.options.placement_strategy = draw(st.sampled_from(["default", "utilization"]))
    for index in range(count):
        node = ClusterNode(index, f"n{index}", f"n{index}", NodeKind.CLUSTER)
        if (site := draw(st.sampled_from([None, "a", "b"]))) is not None:
            node.attributes["site"] = site
        node.attributes["#uname"] = node.name
        cluster.nodes.append(node)
    cluster.nodes_by_index = cluster.nodes
    cluster.available = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    scores = st.lists(st.one_of(st.none(), SCORES), min_size=count, max_size=count)
    if draw(st.booleans()):  # Where nobody is banned, walks are long.
        scores = st.lists(st.integers(0, 3), min_size=count, max_size=count)
        cluster.available = [True] * count
    resources: list[Resource] = []
    for number in range(draw(st.integers(2, 9))):
        resource = Resource(f"r{number}", draw(st.sampled_from([Kind.PRIMITIVE] * 3 + [Kind.GROUP, Kind.CLONE])))
        resource.placed.table = table_of(draw(scores))
        if resource.kind is Kind.GROUP:
            for member in range(draw(st.integers(0, 2))):
                child = Resource(f"r{number}-{member}", Kind.PRIMITIVE, parent=resource)
                child.placed.table = table_of(draw(scores))
                resource.children.append(child)
        for primary in draw(st.lists(st.sampled_from(resources), max_size=3, unique=True)) if resources else []:
            ends = [primary, *primary.children[-1:]]
            attribute = draw(st.sampled_from([None, None, "site"]))
            ends_at = draw(st.sampled_from(ends))
            pair = ColocationPair("c", resource, ends_at, draw(STRENGTHS), Cause(Why.COLOCATION, "c"))
            pair.node_attribute = attribute
            pair.primary.placed.followers.append(pair)
            resource.placed.colocations.append(pair)
            cluster.colocations.append(pair)
        resources.append(resource)
    return Graph(cluster, resources[0], table_of(draw(scores)))


def shown(table: NodeTable | None, counting: bool) -> object:
    if table is None:
        return None
    return table.scores, table.modes, table.copies if counting else None


@settings(max_examples=600, deadline=None)
@given(graphs(), STRENGTHS, st.booleans(), st.booleans(), st.booleans(), st.sampled_from([None, "site"]))
def test_the_scores_are_those_of_the_plain_walk(graph, strength, forward, positive_only, droppable, attribute) -> None:
    answers = []
    for kind in (Walk, Tangle):
        walk = kind(graph.cluster, forward=forward, positive_only=positive_only)
        walk.left = 10**9
        share = strength / INFINITY
        start = graph.table.copy()
        mixed = walk.mix(graph.first, start, attribute or "#uname", share, droppable)
        assert start.scores == graph.table.scores, "it is mixed into a copy"
        answers.append((shown(mixed, walk.counting),))
        collected = kind(graph.cluster, forward=forward)
        collected.left = 10**9
        answers[-1] += (shown(collected.collect(graph.first), walk.counting),)
    assert answers[0] == answers[1]


# How long it takes


def entangled(count: int, *, score: int | str = "INFINITY", reach: int = 3, **more: object) -> Cib:
    """So many resources, each colocated with the next few; they run on n1, and some would rather be elsewhere."""
    names = [f"r{number:03}" for number in range(count)]
    pairs = [(name, other) for place, name in enumerate(names) for other in names[place + 1 : place + 1 + reach]]
    constraints = [colocation(*pair, score) for pair in pairs]
    constraints += [location(names[-1], "n2", 10), location(names[count // 2], "n1", 3)]
    return small_cib(
        *(primitive(name) for name in names),
        constraints=constraints,
        active={name: ["n1"] for name in names},
        defaults={"resource-stickiness": "1"},
        **more,
    )


def steps(given_cib: Cib, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many steps all walks of a run take, and how often it is worked out what mixing a resource in does."""
    taken = 0
    for kind, name in ((Walk, "step"), (Tangle, "step"), (Tangle, "_row_with")):
        function = getattr(kind, name)

        def counted(walk: Walk, *given: object, function=function) -> object:
            nonlocal taken
            taken += 1
            return function(walk, *given)

        monkeypatch.setattr(kind, name, counted)
    decided = decide(given_cib, Instant(1_700_000_000), show_scores=False)
    assert decided.plan.messages == ()
    return taken


@pytest.mark.parametrize("score", ["INFINITY", 500, -500])
def test_the_work_does_not_grow_with_the_number_of_ways(score, monkeypatch) -> None:
    """Each of n resources is walked from once: 26 of them, each colocated with the next three, have millions of ways."""
    with monkeypatch.context() as patch:
        small = steps(entangled(26, score=score), patch)
    with monkeypatch.context() as patch:
        large = steps(entangled(52, score=score), patch)
    assert small < 20_000
    assert large < 8 * small, "less than with the cube"


def test_a_walk_that_takes_too_long_is_given_up() -> None:
    state = decide(entangled(26), Instant(1_700_000_000)).cluster
    first = next(resource for resource in state.resources if resource.id == "r025")
    assert len(first.placed.followers) == 3
    with pytest.raises(TooLongError):
        Walk(state).mix(first, first.placed.table, "#uname", 1.0, True)


def test_preferences_of_all_are_counted_once_for_each_way() -> None:
    """Four in a row, each with the next two: r3 is preferred by itself, r2, r1 twice and r0 three times."""
    plan = plan_of(entangled(4, score=INFINITY - 1, reach=2))
    assert scores_of(plan, "r003")["n1"] == str(1 + 1 + 2 * 1 + 3 * 1 + 2 * 3 - 3 * 1)


def test_a_circle_that_takes_for_ever_comes_to_an_end_that_is_told(monkeypatch) -> None:
    names = [f"r{number:02}" for number in range(14)]
    pairs = [(name, other) for name in names for other in names if name != other]
    given_cib = small_cib(*(primitive(name) for name in names), constraints=[colocation(*pair, 5) for pair in pairs])
    monkeypatch.setattr(tangle, "MOST_STEPS", 5000)
    plan = plan_of(given_cib)
    assert len(plan.placements) == len(names)
    assert plan.plan.messages == ("colocations are too entangled: some preferences of dependents are not counted",)
