"""What a node tells of its own watchdog device, and when others may count on that."""

from __future__ import annotations

import pytest

from reconciler.cib import Cib
from reconciler.controller import events as ev
from reconciler.controller.fencing.messages import FenceOrdered
from reconciler.controller.fencing.record import FenceCause, FenceOrder, FenceProgress, Fencing, Ordered, Wanted
from reconciler.controller.fencing.topology import FenceStep
from reconciler.controller.installing import without_promises
from reconciler.controller.membership.presence import Presence
from reconciler.controller.messages import Settled
from reconciler.controller.shared import Shared, deliver
from reconciler.controller.standing import Member
from reconciler.controller.watchdogs import Uncounted, promised, wait_ms
from reconciler.frozen import replace
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration

from .among import cluster_of, node_of


def test_what_a_node_promises_is_known_on_it_and_can_be_taken_back() -> None:
    cluster = cluster_of("n1", "n2", "n3")
    host, node = cluster.hosts["n2"], node_of(cluster, "n2")
    assert node.self_resets == {}
    host.tell(ev.WatchdogPromised(60_000, host.now))
    cluster.run(100)
    assert node.self_resets == node_of(cluster, "n3").self_resets == {"n2": 60_000}
    host.tell(ev.WatchdogPromised(0, host.now))
    cluster.run(100)
    assert node.self_resets == {}


# When it counts

VOTES = {"n1": 1, "n2": 1, "n3": 1}
WITHIN_MS = 60_000


def nodes(**others: Presence) -> dict[str, Member]:
    """Three members that have all promised, but for those that stand otherwise."""
    return {
        name: Member(others.get(name, Presence.ONLINE), boot=f"boot-{name}", resets_within_ms=WITHIN_MS)
        for name in VOTES
    }


def cib(**options: str) -> Cib:
    written = {"stonith-watchdog-timeout": "-1"} | {name.replace("_", "-"): value for name, value in options.items()}
    return Cib(configuration=Configuration(options=plain(written)))


def waits(
    configured: Cib, known: dict[str, Member], boot: str = "boot-n3", *, decides: bool = True, stops_alone: bool = True
) -> int | Uncounted:
    return wait_ms(configured, known, VOTES, "n3", boot, decides=decides, stops_alone=stops_alone)


LOST = nodes(n3=Presence.UNCLEAN)


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (waits(cib(), LOST), WITHIN_MS),
        (waits(cib(), nodes()), WITHIN_MS),
        (waits(cib(stonith_watchdog_timeout="60s"), LOST), WITHIN_MS),
        (waits(cib(stonith_watchdog_timeout="61s"), LOST), 61_000),
        (waits(cib(stonith_watchdog_timeout="59999ms"), LOST), Uncounted.TOO_SHORT),
        (waits(cib(stonith_watchdog_timeout="0"), LOST), Uncounted.UNSET),
        (waits(Cib(), LOST), Uncounted.UNSET),
        (waits(cib(), LOST, "another"), Uncounted.UNPROMISED),
        (waits(cib(), {**LOST, "n3": replace(LOST["n3"], resets_within_ms=0)}), Uncounted.UNPROMISED),
        (waits(cib(), {}), Uncounted.UNPROMISED),
        (waits(cib(no_quorum_policy="fence"), LOST), WITHIN_MS),
        (waits(cib(no_quorum_policy="freeze"), LOST), Uncounted.BEGINS),
        (waits(cib(no_quorum_policy="ignore"), LOST), Uncounted.BEGINS),
        (waits(cib(no_quorum_policy="demote"), LOST), Uncounted.BEGINS),
        (waits(cib(), LOST, stops_alone=False), Uncounted.MAY_BEGIN),
        (waits(cib(), LOST, decides=False), Uncounted.NOT_EXCLUSIVE),
        (waits(cib(), nodes(n3=Presence.UNCLEAN, n2=Presence.DOWN)), Uncounted.NOT_EXCLUSIVE),
        (waits(cib(), nodes(n2=Presence.PENDING)), Uncounted.NOT_EXCLUSIVE),
    ],
)
def test_when_a_watchdog_counts_and_how_long_it_is_waited_for(found: int | Uncounted, wanted: int | Uncounted) -> None:
    assert found == wanted


def test_a_promise_is_of_a_member_in_its_present_boot() -> None:
    known = nodes(n2=Presence.UNCLEAN)
    assert promised(known, "n1", "boot-n1", 5)["n1"].resets_within_ms == 5
    assert promised(known, "n1", "another", 5) is known
    assert promised(known, "n2", "boot-n2", 5) is known
    assert promised(known, "n9", "boot-n9", 5) is known


# Orders

ORDER = FenceOrder(
    term=1,
    target="n3",
    number=1,
    boot="boot-n3",
    place=FenceProgress(),
    steps=(FenceStep("watchdog", "reboot", True, waits=True),),
    tries=1,
    last_level=True,
    executor="n1",
    incarnation="",
    timeout_ms=WITHIN_MS,
)
WANTED = Wanted("n3", "boot-n3", FenceCause.LOST, "reboot", "it was lost", 0)
SHARED = Shared(
    cib=cib(), quorate=True, nodes=LOST, votes=VOTES, stops_alone=True, fencing=Fencing({"n3": WANTED}), term=1
)


def test_an_order_to_wait_for_a_watchdog_is_in_force_where_it_waits_long_enough() -> None:
    after = deliver(SHARED, "n1", FenceOrdered(ORDER, 1))
    assert after.fencing.records["n3"] == Ordered(WANTED, ORDER)


@pytest.mark.parametrize(
    ("shared", "order"),
    [
        (SHARED, replace(ORDER, timeout_ms=WITHIN_MS - 1)),
        (SHARED, replace(ORDER, boot="another")),
        (replace(SHARED, contested=True), ORDER),
        (replace(SHARED, withheld=True), ORDER),
        (replace(SHARED, quorate=False), ORDER),
        (replace(SHARED, stops_alone=False), ORDER),
        (replace(SHARED, nodes=nodes(n3=Presence.UNCLEAN, n2=Presence.DOWN)), ORDER),
        (replace(SHARED, cib=cib(no_quorum_policy="freeze")), ORDER),
    ],
)
def test_whoever_orders_it_by_another_state_orders_nothing(shared: Shared, order: FenceOrder) -> None:
    assert deliver(shared, "n1", FenceOrdered(order, 1)).fencing == shared.fencing


def test_what_a_former_version_does_not_know_is_not_told_to_it() -> None:
    waiting = replace(SHARED, fencing=Fencing({"n3": Ordered(WANTED, ORDER)}))
    told = without_promises(waiting)
    assert all(one.resets_within_ms == 0 for one in told.nodes.values())
    assert (told.fencing.records, told.stops_alone) == ({"n3": WANTED}, False)


def test_a_settled_cluster_knows_that_all_stop_alone_once_nobody_is_lost() -> None:
    shared = replace(SHARED, stops_alone=False, nodes=nodes(), fencing=Fencing())
    settled = Settled(str(shared.cib.version), None, (), 1)
    assert deliver(shared, "n1", settled).stops_alone
    assert not deliver(replace(shared, nodes=LOST), "n1", settled).stops_alone
    assert not deliver(replace(shared, cib=cib(no_quorum_policy="demote")), "n1", settled).stops_alone
    assert not deliver(shared, "n1", replace(settled, version="0.9.0")).stops_alone
    assert deliver(replace(SHARED, nodes=LOST), "n1", settled).stops_alone, "who was lost since went by the same"
