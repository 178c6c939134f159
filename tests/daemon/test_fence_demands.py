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
from reconciler.daemon.fence_demands import check_demand
from reconciler.daemon.http import ApiError
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
