"""Nodes go by their names, whatever a former version called them, and what is told of somebody unknown is left out."""

from __future__ import annotations

import pytest

from reconciler.cib import Cib
from reconciler.cib.observations import AttributeSet, NodeObserved, Observation
from reconciler.controller.members import NODE_NAME, by_name, states_by_name
from reconciler.model.cluster import Configuration, NodeDefinition
from reconciler.model.status import NodeState, Status

CIB = Cib(
    configuration=Configuration(nodes=(NodeDefinition("n1", id="1"), NodeDefinition("n3", id="3"))),
    status=Status(nodes=(NodeState("n1", "n1"), NodeState("n2", "n2"))),
)


def value(node: str) -> AttributeSet:
    return AttributeSet(node, "x", "1")


@pytest.mark.parametrize(
    ("told", "seen", "unknown"),
    [
        ((value("n1"), value("n2")), (value("n1"), value("n2")), ()),
        ((value("1"), value("n1")), (value("n1"), value("n1")), ()),
        ((value("n9"), value("n1"), value("n8")), (value("n1"),), ("n9", "n8")),
        ((value("3"),), (), ("3",)),
        ((NodeObserved("n9", "n9", {}), value("n9")), (NodeObserved("n9", "n9", {}), value("n9")), ()),
        ((NodeObserved("7", "n7", {}), value("7")), (NodeObserved("n7", "n7", {}), value("n7")), ()),
        ((NodeObserved("n1", "n1", {}),), (NodeObserved("n1", "n1", {}),), ()),
        ((value("n9"), NodeObserved("n9", "n9", {})), (NodeObserved("n9", "n9", {}),), ("n9",)),
    ],
    ids=[
        "by their names", "by the id of a former version", "nobody knows them", "one that is configured and was never seen",
        "one that is told of first", "one that is told of by its id", "one that is known", "one that is told of too late",
    ],
)  # fmt: skip
def test_what_is_observed_goes_by_the_names_of_known_nodes(
    told: tuple[Observation, ...], seen: tuple[Observation, ...], unknown: tuple[str, ...]
) -> None:
    assert by_name(CIB, told) == (seen, unknown)


def test_a_node_has_one_state_and_of_two_the_later_one() -> None:
    """A former version kept one under an id, and one under the name once that was known."""
    plain = Status(nodes=(NodeState("n1", "n1"), NodeState("n2", "n2")))
    assert states_by_name(plain) is plain
    twice = Status(nodes=(NodeState("1", "n1"), NodeState("n2", "n2"), NodeState("7", "n1", {"crmd": "online"})))
    assert states_by_name(twice).nodes == (NodeState("n1", "n1", {"crmd": "online"}), NodeState("n2", "n2"))


@pytest.mark.parametrize(
    ("name", "may"),
    [("n1", True), ("a", True), ("db-1.example_x", True), ("-a", False), ("a-", False), ("", False), ("a b", False)],
)
def test_a_node_is_called_what_a_host_may_be_called(name: str, may: bool) -> None:
    assert bool(NODE_NAME.fullmatch(name)) is may
    assert not NODE_NAME.fullmatch("n" * 256)
    assert NODE_NAME.fullmatch("n" * 255)
