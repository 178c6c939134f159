"""Reasons come along: of every score that isn't the node's own, and of every assignment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from finished import Finished
from small_clusters import cib, clone, colocation, group, location, plan_of, primitive, ticket
from test_placement_examples import EXAMPLES
from test_placement_oddities import LINES, PLACES, SCORES
from test_placement_rules import RULES

from reconciler.cib import Cib
from reconciler.scheduler.cause import Cause, Why
from reconciler.scheduler.roles import Kind
from reconciler.scheduler.working.resource import Resource

ALL = [pytest.param(row.values[0], id=str(row.id)) for row in (*EXAMPLES, *SCORES, *LINES, *PLACES, *RULES)]


def all_resources(plan: Finished) -> Iterator[Resource]:
    waiting = list(plan.cluster.resources)
    while waiting:
        resource = waiting.pop()
        yield resource
        waiting += resource.children


def resource_of(plan: Finished, id: str) -> Resource:
    return next(resource for resource in all_resources(plan) if resource.id == id)


@pytest.mark.parametrize("given", ALL)
def test_every_score_and_every_assignment_has_a_reason(given: Cib) -> None:
    plan = plan_of(given)
    for resource in all_resources(plan):
        explained = {change.node for change in resource.placed.contributions}
        for index, score in resource.placed.table.scores.items():
            own = plan.cluster.nodes_by_index[index].base_score
            assert score in (0, own) or explained & {index, -1}, f"{resource.id} on node {index}: {score}"
        if resource.kind is Kind.PRIMITIVE and resource.placed.settled:
            assert resource.placed.assigned is not None, resource.id


REASONS = [
    pytest.param(
        cib(primitive("A"), active={"A": ["n2"]}, defaults={"resource-stickiness": "5"}),
        "A",
        Cause(Why.STICKINESS, "A"),
        id="it sticks to where it is",
    ),
    pytest.param(
        cib(primitive("A"), constraints=[location("A", "n2", 5)]),
        "A",
        Cause(Why.LOCATION, "loc-A-n2-5"),
        id="a location prefers the node",
    ),
    pytest.param(
        cib(primitive("A"), constraints=[location("A", node, "-INFINITY") for node in ("n1", "n2")]),
        "A",
        Cause(Why.LOCATION, "loc-A-n1--INFINITY"),
        id="locations ban every node, and the one applied last is named",
    ),
    pytest.param(
        cib(primitive("A", {"target-role": "Stopped"})),
        "A",
        Cause(Why.TARGET_ROLE, "A"),
        id="it is to be stopped",
    ),
    pytest.param(
        cib(primitive("A"), options={"stop-all-resources": "true"}),
        "A",
        Cause(Why.STOP_ALL, "stop-all-resources"),
        id="everything is to be stopped",
    ),
    pytest.param(
        cib(primitive("A"), constraints=[ticket("A")]),
        "A",
        Cause(Why.TICKET, "ticket-A-None-None", "T"),
        id="its ticket isn't held",
    ),
    pytest.param(
        cib(primitive("A", {"is-managed": "false"}), active={"A": ["n1"]}),
        "A",
        Cause(Why.UNMANAGED, "A"),
        id="nobody may move it",
    ),
    pytest.param(
        cib(
            primitive("A", {"migration-threshold": "1"}),
            active={"A": ["n1"]},
            attributes={node: {"fail-count-A#monitor_10000": "3"} for node in ("n1", "n2")},
        ),
        "A",
        Cause(Why.MIGRATION_THRESHOLD, "A", "3"),
        id="it failed too often where it is, and elsewhere",
    ),
    pytest.param(
        cib(
            primitive("A"),
            primitive("B", {"target-role": "Stopped"}),
            constraints=[colocation("A", "B", "INFINITY")],
        ),
        "A",
        Cause(Why.COLOCATION, "col-A-B-INFINITY", "B"),
        id="what it must be with doesn't run",
    ),
    pytest.param(
        cib(group("G", primitive("a", {"target-role": "Stopped"}), "b")),
        "b",
        Cause(Why.GROUP, "G", "a"),
        id="the member before it doesn't run",
    ),
    pytest.param(
        cib(clone("C", primitive("c"), {"clone-max": "3"})),
        "c:2",
        Cause(Why.CLONE_LIMIT, "C", "clone-node-max"),
        id="every node has an instance already",
    ),
]


@pytest.mark.parametrize(("given", "id", "cause"), REASONS)
def test_reasons_of_assignments(given: Cib, id: str, cause: Cause) -> None:
    assert resource_of(plan_of(given), id).placed.assigned == cause
