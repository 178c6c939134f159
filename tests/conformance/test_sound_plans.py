"""The independent checker finds nothing wrong with the plan of any published case, nor with what random clusters come to."""

from __future__ import annotations

import random

import pytest
from published_cases import catalogue, needs_cases, xml_of

from reconciler.analysis.failures import cases, strike
from reconciler.analysis.soundness import violations
from reconciler.analysis.steady import settle, steady
from reconciler.interop.reading.cib import read_cib
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration, NodeDefinition
from reconciler.model.constraint import Colocation, Constraint, Location, Order
from reconciler.model.date import Instant
from reconciler.model.resource import Agent, Clone, Group, Operation, Primitive, Resource
from reconciler.scheduler import schedule

NOW = Instant(1_700_000_000)


@needs_cases
def test_no_published_case_has_an_unsound_plan() -> None:
    found = {}
    for case in catalogue():
        cib = read_cib(xml_of(case["name"]).read_bytes())
        plan = schedule(cib, None if cib.execution_date is not None else NOW)
        if broken := violations(cib, plan):
            found[case["name"]] = broken
    assert found == {}


def random_configuration(seed: int) -> Configuration:
    """A few nodes and resources with constraints that can't contradict each other: later depends on earlier only.

    Everything sticks a little: without that, Pacemaker (and so we) exchanges the instances of a clone for ever.
    """
    chance = random.Random(seed)
    nodes = tuple(NodeDefinition(f"n{i}") for i in range(1, chance.randint(2, 4) + 1))
    resources: list[Resource] = []
    for number in range(chance.randint(2, 7)):
        primitive = Primitive(
            f"r{number}",
            Agent("ocf", "Dummy", "pacemaker"),
            meta=plain({"resource-stickiness": str(chance.choice((1, 100)))}),
            operations=(Operation("monitor", "10s"),),
        )
        match chance.randrange(4):
            case 0:
                resources.append(
                    Clone(f"c{number}", primitive, meta=plain({"interleave": chance.choice(("true", "false"))}))
                )
            case 1:
                resources.append(Group(f"g{number}", (primitive, Primitive(f"m{number}", primitive.agent))))
            case _:
                resources.append(primitive)
    constraints: list[Constraint] = []
    for number in range(1, len(resources)):
        then, first = resources[number].id, resources[chance.randrange(number)].id
        match chance.randrange(4):
            case 0:
                constraints.append(Order(f"o{number}", first, then))
            case 1:
                constraints.append(Colocation(f"k{number}", then, first, score=chance.choice(("INFINITY", "50"))))
            case 2:
                node = chance.choice(nodes).name
                constraints.append(Location(f"l{number}", then, node=node, score=str(chance.randint(-100, 100))))
    options = plain({"stonith-enabled": "false"})
    return Configuration("r", options=options, nodes=nodes, resources=tuple(resources), constraints=tuple(constraints))


@pytest.mark.parametrize("seed", range(40))
def test_what_a_cluster_comes_to_is_sound_and_leaves_nothing_to_do(seed: int) -> None:
    started = steady(random_configuration(seed), NOW)
    assert started.final is not None, "planning the outcome plans nothing"
    for plan in started.plans:
        assert violations(plan.cib, plan) == ()
    for case in cases(started.cib, 1):
        settled = settle(strike(started.cib, case, NOW), NOW)
        assert settled.final is not None, case.name
        for plan in settled.plans:
            assert violations(plan.cib, plan) == (), case.name
