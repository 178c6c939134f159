"""What the API makes of an operator's demand that a node is fenced, where another fencing is under way."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from reconciler.cib import Cib
from reconciler.controller.fencing.record import FenceCause, FenceOrder, FenceProgress, Fencing, Ordered, Wanted
from reconciler.controller.fencing.topology import Device, steps
from reconciler.controller.membership.presence import Presence
from reconciler.controller.node import Node
from reconciler.controller.shared import Shared
from reconciler.controller.standing import Member
from reconciler.daemon.fence_demands import check_demand, longest_s
from reconciler.daemon.http import ApiError
from reconciler.frozen import replace
from reconciler.model.attributes import AttributeBlock
from reconciler.model.cluster import Configuration, NodeDefinition
from reconciler.model.resource import Agent, Primitive

DEVICE = Primitive("ipmi", Agent("stonith", "", "fence_ipmilan"))
CONFIGURATION = Configuration(
    nodes=(NodeDefinition("n1", "n1"), NodeDefinition("n2", "n2")),
    resources=(DEVICE,),
)
REBOOTING = Ordered(
    Wanted("n2", "b2", FenceCause.LOST, "reboot", "it was lost", 0),
    FenceOrder(7, "n2", 1, "b2", FenceProgress(), steps((Device("ipmi"),), "reboot"), 1, True, "n1", "n1-1", 1, 0, 0),
)
MEMBERS = {
    "n1": Member(Presence.ONLINE, 1, "b1", "n1-1"),
    "n2": Member(Presence.UNCLEAN, 2, "b2", "n2-1"),
    "n3": Member(Presence.ONLINE, 3, "b3", "n3-1"),
}


@pytest.fixture
def node() -> Node:
    """One that is a member, while a lost one is being rebooted."""
    shared = Shared(
        cib=Cib(configuration=CONFIGURATION),
        nodes=MEMBERS,
        votes=dict.fromkeys(MEMBERS, 1),
        quorate=True,
        term=7,
        dc="n1",
        fencing=Fencing(records={"n2": REBOOTING}),
    )
    replica = SimpleNamespace(shared=shared, partition=SimpleNamespace(installed=True))
    return cast(Node, SimpleNamespace(name="n1", replica=replica))


def test_what_is_under_way_is_no_other_action_because_somebody_asks_for_it(node: Node) -> None:
    """It would be rebooted, and called switched off for good."""
    with pytest.raises(ApiError, match=r"n2 is being fenced already \(reboot: it was lost\)") as refused:
        check_demand(node, "n2", "off")
    assert refused.value.answer.status == 409
    check_demand(node, "n2", "reboot")


WATCHED = Configuration(
    nodes=CONFIGURATION.nodes,
    options=(AttributeBlock({"have-watchdog": "true", "stonith-watchdog-timeout": "-1"}),),
)


def watched(resets_within_ms: int) -> Node:
    """A member of three without a fence device, one of which is lost that has promised to be reset by its watchdog, or has not."""
    members = {**MEMBERS, "n2": replace(MEMBERS["n2"], resets_within_ms=resets_within_ms)}
    shared = Shared(
        cib=Cib(configuration=WATCHED),
        nodes=members,
        votes=dict.fromkeys(MEMBERS, 1),
        quorate=True,
        term=7,
        dc="n1",
        stops_alone=True,
    )
    replica = SimpleNamespace(shared=shared, partition=SimpleNamespace(installed=True))
    return cast(Node, SimpleNamespace(name="n1", replica=replica))


def test_who_is_fenced_by_its_watchdog_is_waited_for_as_long_as_it_takes() -> None:
    node = watched(202_000)
    check_demand(node, "n2", "reboot")
    assert longest_s(node.replica.shared, "n2", "reboot") >= 202


def test_a_watchdog_switches_nobody_off() -> None:
    with pytest.raises(ApiError, match="its own watchdog alone, which boots it again: --reboot"):
        check_demand(watched(202_000), "n2", "off")


def test_why_a_watchdog_does_not_count_is_said() -> None:
    with pytest.raises(ApiError, match="and its own watchdog does not count: it has not told"):
        check_demand(watched(0), "n2", "reboot")
