"""How long a node may need to stop what it runs: the longest chain counts, and never less than it can take."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.cib import Cib
from reconciler.controller.stopping import chains_of, longest_stop_ms, stopping_ms
from reconciler.model.attributes import AttributeBlock, Defaults, plain
from reconciler.model.cluster import Configuration, Tag
from reconciler.model.constraint import Constraint, Order, ResourceSet
from reconciler.model.resource import Agent, Bundle, Clone, Group, Operation, Primitive, Resource, Template
from reconciler.model.rule import DateExpression, Rule
from reconciler.model.status import NodeState, Status

AGENT = Agent("ocf", "Dummy", "reconciler")
WHEN = (Rule(expressions=(DateExpression("gt", start="2030-01-01"),)),)


def stop(timeout: str, name: str = "stop") -> Operation:
    return Operation(name, "0", attributes={"timeout": timeout})


def one(id: str, *operations: Operation, template: str | None = None) -> Primitive:
    return Primitive(id, None if template else AGENT, template=template, operations=operations)


def seconds(
    *resources: Resource, constraints: tuple[Constraint, ...] = (), busy: bool = False, **more: object
) -> float:
    configuration = Configuration(resources=resources, constraints=constraints, **more)  # type: ignore[arg-type]
    nodes = tuple(NodeState(name, name) for name in ("n1", "n2", "n3"))
    return stopping_ms(Cib(configuration=configuration, status=Status(nodes=nodes)), busy=busy) / 1000


A, B, C = (one(id, stop("10s")) for id in "abc")


@pytest.mark.parametrize(
    ("resources", "constraints", "wanted"),
    [
        ((), (), 20),
        ((A,), (), 10),
        ((A, B, C), (), 10),
        ((A, B, one("c", stop("30s"))), (), 30),
        ((A, B, one("c")), (), 20),
        ((Group("g", (A, B, C)),), (), 30),
        ((A, B, C), (Order("o", first="a", then="b"),), 20),
        ((A, B, C), (Order("o", first="a", then="b"), Order("p", first="c", then="b", kind="Optional")), 30),
        ((A, B, C), (Order("o", sets=(ResourceSet(("a", "b")), ResourceSet(("c",)))),), 30),
        ((A, Group("g", (B, C))), (Order("o", first="a", then="g", symmetrical="false"),), 30),
        ((Clone("k", A), B), (), 10),
        ((Clone("k", A, meta=plain({"clone-node-max": "3", "clone-max": "9"})),), (), 30),
        ((Clone("k", A, meta=plain({"ordered": "true"})),), (), 30),
        ((Clone("k", A, meta=plain({"ordered": "true", "clone-max": "5"})),), (), 50),
        ((Clone("k", one("a", stop("10s"), stop("15s", "demote")), legacy_promotable=True),), (), 30),
        ((Clone("k", A, meta=plain({"promotable": "true"})),), (), 40),
        ((Clone("k", A, meta=plain({"notify": "true"})),), (), 80),
        ((Clone("k", Group("g", (A, B))), C), (Order("o", first="k", then="c"),), 30),
        ((Bundle("u", "docker", {"image": "x"}, primitive=A),), (), 80),
        ((one("a", stop("7s"), stop("90s", "start")),), (), 7),
    ],
)
def test_the_longest_chain_counts(
    resources: tuple[Resource, ...], constraints: tuple[Constraint, ...], wanted: float
) -> None:
    assert seconds(*resources, constraints=constraints) == wanted


def test_defaults_of_operations_count_where_nothing_else_is_said() -> None:
    minute = Defaults(operations=plain({"timeout": "60s"}))
    assert seconds(one("a"), defaults=minute) == 60
    assert seconds(A, defaults=minute) == 10
    assert seconds(one("a", Operation("stop")), defaults=minute) == 60
    assert seconds(one("a"), defaults=Defaults(operations=plain({"timeout": "5s"}))) == 5
    sometimes = (AttributeBlock({"timeout": "5s"}, rules=WHEN), AttributeBlock({"timeout": "40s"}, rules=WHEN))
    assert seconds(one("a"), defaults=Defaults(operations=sometimes)) == 40
    assert seconds(one("a"), defaults=Defaults(operations=sometimes[:1])) == 20, "or the rule does not pass"
    meta = Operation("stop", meta=(AttributeBlock({"timeout": "70s"}, rules=WHEN),))
    assert seconds(one("a", meta), defaults=minute) == 70


def test_tags_and_templates_stand_for_what_they_name() -> None:
    template = Template("t", AGENT, operations=(stop("50s"),))
    made = one("a", template="t"), one("b", template="t"), C
    assert seconds(*made, templates=(template,)) == 50
    assert seconds(*made, templates=(template,), constraints=(Order("o", first="t", then="c"),)) == 150
    tagged = (Order("o", first="x", then="c"),)
    assert seconds(A, B, C, constraints=tagged, tags=(Tag("x", ("a", "b")),)) == 30
    assert seconds(A, B, C, constraints=tagged, tags=(Tag("x", ("a",)),)) == 20


def test_who_was_about_something_may_have_to_end_that_first() -> None:
    slow = one("a", stop("10s"), stop("90s", "start"))
    assert seconds(slow) == 10
    assert seconds(slow, busy=True) == 100
    assert seconds(A, busy=True) == 30, "of a start nothing is said"


def test_what_can_not_all_be_done_at_once_takes_turns() -> None:
    assert seconds(*(one(f"r{n}", stop("10s")) for n in range(16))) == 10
    assert seconds(*(one(f"r{n}", stop("10s")) for n in range(17))) == 20
    assert seconds(*(one(f"r{n}", stop("10s")) for n in range(33))) == 30
    one_by_one = plain({"batch-limit": "1"})
    assert seconds(A, B, C, options=one_by_one) == 30


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] != pair[1]), max_size=12))
def test_no_order_leads_out_of_a_chain(pairs: list[tuple[int, int]]) -> None:
    """The bound is that of the longest way along the orders, or more."""
    orders = tuple(Order(f"o{n}", first=f"r{min(p)}", then=f"r{max(p)}") for n, p in enumerate(pairs))
    resources = tuple(one(f"r{n}", stop("10s")) for n in range(10))
    chains = chains_of(Configuration(resources=resources, constraints=orders))
    depth = dict.fromkeys(range(10), 1)
    for low, high in sorted((min(p), max(p)) for p in pairs):
        depth[high] = max(depth[high], depth[low] + 1)
    assert all(chains[order.first or ""] == chains[order.then or ""] for order in orders)
    assert seconds(*resources, constraints=orders) >= 10 * max(depth.values())


def test_what_a_group_in_a_clone_has_in_it_is_one_chain() -> None:
    clone = Clone("k", Group("g", (A, B)))
    chains = chains_of(Configuration(resources=(clone, C)))
    assert all(chains[one] == chains[other] for one, other in pairwise(("k", "g", "a", "b")))
    assert chains.get("c", "c") != chains["a"]


def test_a_stop_that_nobody_configured_has_the_default() -> None:
    assert longest_stop_ms(Configuration()) == 20_000
    assert longest_stop_ms(Configuration(resources=(A, one("b")))) == 20_000
    assert longest_stop_ms(Configuration(resources=(A, B))) == 10_000


@pytest.mark.parametrize(("nodes", "wanted_s"), [(0, 10), (1, 10), (2, 20), (3, 30)])
def test_instances_of_an_ordered_clone_stop_one_after_the_other_on_each_node_that_is_known(
    nodes: int, wanted_s: int
) -> None:
    """Before any is known there is one: this one."""
    configuration = Configuration(resources=(Clone("k", A, meta=plain({"ordered": "true"})),))
    status = Status(nodes=tuple(NodeState(f"n{number}", f"n{number}") for number in range(nodes)))
    assert stopping_ms(Cib(configuration=configuration, status=status), busy=False) == wanted_s * 1000
