"""An order to wait for a target's own watchdog counts only where it waits long enough, by the state in which it is delivered."""

from __future__ import annotations

import pytest
from test_demands import state

from reconciler.controller.fencing.delivery import Present
from reconciler.controller.fencing.messages import FenceOrdered
from reconciler.controller.fencing.ordering import Circumstances, decide
from reconciler.controller.fencing.record import Ordered, Wanted
from reconciler.controller.fencing.topology import Device
from reconciler.controller.shared import Shared, deliver, want_lost
from reconciler.frozen import replace

MEMBERS = {"n1": Present("n1-1", "b1"), "n2": Present("n2-1", "b2")}
NEEDED_MS = 12_000
"""How long n3's watchdog may take."""


def lost(timeout: str, **changes: object) -> Shared:
    """n3 was lost, and had told what its watchdog does."""
    shared = state({"stonith-watchdog-timeout": timeout, "no-quorum-policy": "stop"})
    nodes = {**shared.nodes, "n3": replace(shared.nodes["n3"], resets_within_ms=NEEDED_MS)}
    return replace(want_lost(replace(shared, nodes=nodes, stops_alone=True)), **changes)


@pytest.mark.parametrize(
    ("shared", "waited_ms", "counts"),
    [
        (lost("20s"), 20_000, True),
        (lost("20s"), 19_999, False),
        (lost("-1"), NEEDED_MS, True),
        (lost("-1"), NEEDED_MS - 1, False),
        (lost("5s"), 60_000, False),
        (lost("0"), 60_000, False),
        (lost("20s", quorate=False), 20_000, False),
        (lost("20s", contested=True), 20_000, False),
        (lost("20s", withheld=True), 20_000, False),
        (lost("20s", stops_alone=False), 20_000, False),
        (lost("20s", votes={"n1": 1, "n2": 1, "n3": 2}), 20_000, False),
    ],
    ids=[
        "as configured",
        "less than configured",
        "as it has told",
        "less than it has told",
        "configured too short",
        "none counts",
        "no quorum",
        "contested",
        "decides nothing yet",
        "it may begin something",
        "no majority without it",
    ],
)
def test_an_order_that_waits_too_short_or_where_nobody_may_count_on_it_is_none(
    shared: Shared, waited_ms: int, counts: bool
) -> None:
    levels = ((Device("watchdog", timeouts_ms={"reboot": waited_ms}, waits=True),),)
    (order,) = decide(shared.fencing, lambda target: levels, Circumstances(7, MEMBERS, True), 20).orders
    assert (order.target, order.timeout_ms, order.step.waits) == ("n3", waited_ms, True)
    told = deliver(shared, "n1", FenceOrdered(order, 20))
    assert isinstance(told.fencing.records["n3"], Ordered if counts else Wanted)
