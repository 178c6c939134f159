"""Each policy without quorum on each side of a cut: what becomes of what runs there, and who fences whom, with fencing and without.

Five hosts are cut into three and two. `a` runs on n1 in the larger part, `b` on n4 in the smaller one, and `db` everywhere, promoted on n5.
Source: the design of the cluster, "Quorum" (the table of policies); Pacemaker Explained, "no-quorum-policy".
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from reconciler.controller import events as ev
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Location
from reconciler.model.resource import Agent, Clone, Operation, Primitive
from reconciler.simulator.cluster import Devices, SimulatedCluster
from reconciler.simulator.host import Host

AGENT = Agent("ocf", "Dummy", "reconciler")
HOSTS = ("n1", "n2", "n3", "n4", "n5")
LARGER, SMALLER = HOSTS[:3], HOSTS[3:]
LIKES = (
    ("a", "n1", 100, None),
    ("b", "n4", 100, None),
    ("db-all", "n5", 100, "Promoted"),
    ("db-all", "n2", 50, "Promoted"),
)


ALL = " ".join(HOSTS)


class Seen(NamedTuple):
    """What is so: where `a` and `b` run and `db` is promoted, on which hosts `db` runs, who had whom fenced, and who fenced itself."""

    a: str
    b: str
    promoted: str
    db: str
    fences: str = ""
    ended: str = ""


def service(name: str) -> Primitive:
    return Primitive(name, AGENT, operations=(Operation("monitor", "10s"),))


def configuration(policy: str, *, fencing: bool, grace: str = "") -> Configuration:
    options = {"stonith-enabled": str(fencing).lower(), "no-quorum-policy": policy, "stonith-action": "off"}
    options |= {"lost-node-grace": grace} if grace else {}
    device = (Primitive("power", Agent("stonith", "fence_lab")),) if fencing else ()
    database = Clone("db-all", service("db"), meta=plain({"promotable": "true"}))
    likes = tuple(
        Location(f"{name}-{node}", resource=name, node=node, score=str(score), role=role)
        for name, node, score, role in LIKES
    )
    return Configuration(
        options=plain(options), resources=(*device, service("a"), service("b"), database), constraints=likes
    )


class Cut:
    """A cluster before it is cut, and what is witnessed."""

    def __init__(self, policy: str, devices: Devices | None, grace: str = "") -> None:
        self.cluster = SimulatedCluster(HOSTS, 1)
        self.cluster.world.anonymous = frozenset({"power", "db"})
        self.cluster.devices = devices or Devices.WELL
        self.configuration = configuration(policy, fencing=devices is not None, grace=grace)
        self.fencing: set[tuple[str, str]] = set()
        self.ended: set[str] = set()
        self.cluster.watch.append(self._note)
        self.cluster.start()
        self.first = self.cluster.apply(self.configuration, "n1")
        self.cluster.run(20_000)
        assert self.seen() == Seen("n1", "n4", "n5", ALL)

    def _note(self, host: Host, event: ev.Event, effects: list[ev.Effect]) -> None:
        for effect in effects:
            if isinstance(effect, ev.CallFenceAgent):
                self.fencing.add((host.name, effect.order.target))
            if isinstance(effect, ev.FenceItself):
                self.ended.add(host.name)

    def happens(self, ms: int) -> Seen:
        """The cut, and what is so after a time."""
        self.cluster.network.cut([LARGER, SMALLER])
        self.cluster.run(ms)
        return self.seen()

    def seen(self) -> Seen:
        world = self.cluster.world
        promoted = [host for (host, name), one in world.running.items() if name == "db" and one.promoted]
        fences = {f"{'larger' if by in LARGER else 'smaller'}:{target}" for by, target in self.fencing}
        where = [world.where("a"), world.where("b"), promoted, world.where("db"), fences, self.ended]
        return Seen(*(" ".join(sorted(one)) for one in where))

    def doubles(self) -> list[str]:
        return [str(double) for double in self.cluster.world.doubles]


FENCED = "larger:n4 larger:n5"
STOPPED = Seen("n1", "", "", "n1 n2 n3")
DEMOTED = Seen("n1", "", "", ALL)
UNTOUCHED = Seen("n1", "n4", "n5", ALL)
TAKEN_OVER = Seen("n1", "n2", "n2", "n1 n2 n3")
ITSELF = "n4 n5"
OTHERS = "smaller:n1 smaller:n2", "smaller:n1 smaller:n2 smaller:n3"
"""Whom the smaller side has tried to have fenced by then."""
TABLE = {
    # policy, devices: what is so within the grace, and after it
    ("stop", None): (STOPPED, TAKEN_OVER),
    ("stop", Devices.FAILING): (STOPPED._replace(fences=FENCED),) * 2,
    ("stop", Devices.WELL): (TAKEN_OVER._replace(fences=FENCED),) * 2,
    ("demote", None): (DEMOTED, TAKEN_OVER._replace(db=ALL)),
    ("demote", Devices.FAILING): (DEMOTED._replace(fences=FENCED),) * 2,
    ("demote", Devices.WELL): (TAKEN_OVER._replace(fences=FENCED),) * 2,
    ("freeze", None): (UNTOUCHED,) * 2,
    ("freeze", Devices.FAILING): (UNTOUCHED._replace(fences=FENCED),) * 2,
    ("freeze", Devices.WELL): (TAKEN_OVER._replace(fences=FENCED),) * 2,
    ("fence", None): (STOPPED._replace(ended=ITSELF), TAKEN_OVER._replace(ended=ITSELF)),
    ("fence", Devices.FAILING): (STOPPED._replace(fences=FENCED, ended=ITSELF),) * 2,
    ("fence", Devices.WELL): (TAKEN_OVER._replace(fences=FENCED, ended=ITSELF),) * 2,
    ("ignore", None): (UNTOUCHED,) * 2,
    ("ignore", Devices.FAILING): tuple(UNTOUCHED._replace(fences=f"{FENCED} {tried}") for tried in OTHERS),
}
WITHIN_MS, AFTER_MS = 28_000, 72_000
"""Without fencing what a lost node may run is waited for 30 s: 5 s until it acts, 20 s for a stop, and 5 s more."""


@pytest.mark.parametrize(("policy", "devices"), TABLE)
def test_each_policy_on_each_side_of_a_cut(policy: str, devices: Devices | None) -> None:
    within, after = TABLE[policy, devices]
    cut = Cut(policy, devices)
    assert cut.happens(WITHIN_MS) == within
    cut.cluster.run(AFTER_MS)
    assert cut.seen() == after
    assert cut.doubles() == []


def test_under_ignore_with_fencing_one_side_fences_the_other_and_takes_all() -> None:
    """Both try, as neither has to have the quorum: who is faster stays."""
    cut = Cut("ignore", Devices.WELL)
    cut.cluster.network.cut([LARGER, SMALLER])
    cut.cluster.run(WITHIN_MS + AFTER_MS)
    on = tuple(name for name, host in cut.cluster.hosts.items() if host.on)
    assert on in (LARGER, SMALLER)
    seen = cut.seen()
    assert seen.db == " ".join(on)
    assert {seen.a, seen.b, seen.promoted} <= set(on)
    assert cut.doubles() == []


@pytest.mark.parametrize(
    ("policy", "seen", "doubles"),
    [
        ("stop", TAKEN_OVER, 0),
        ("demote", TAKEN_OVER._replace(db=ALL), 0),
        ("fence", TAKEN_OVER._replace(ended=ITSELF), 0),
        ("freeze", Seen("n1", "n2 n4", "n2 n5", ALL), 2),
        ("ignore", Seen("n1", "n2 n4", "n2 n5", ALL), 2),
    ],
)
def test_who_says_how_long_to_wait_without_fencing_dares_it(policy: str, seen: Seen, doubles: int) -> None:
    """Where the smaller side goes on, what it runs is started a second time: that is what the operator said."""
    cut = Cut(policy, None, grace="30s")
    assert cut.happens(WITHIN_MS + AFTER_MS) == seen
    assert len(cut.doubles()) == doubles


@pytest.mark.parametrize("devices", [None, Devices.FAILING])
@pytest.mark.parametrize(
    ("policy", "at_once", "in_time"),
    [
        ("stop", UNTOUCHED, STOPPED),
        ("demote", UNTOUCHED, STOPPED),
        ("freeze", UNTOUCHED, UNTOUCHED),
        ("fence", STOPPED._replace(ended=ITSELF), STOPPED._replace(ended=ITSELF)),
        ("ignore", UNTOUCHED, UNTOUCHED),
    ],
)
def test_a_member_without_an_installed_view_goes_by_the_policy_by_itself(
    policy: str, at_once: Seen, in_time: Seen, devices: Devices | None
) -> None:
    """The disks of the smaller side do not answer, so that no view is installed there: 5 s after it was announced each acts alone."""
    cut = Cut(policy, devices)
    for name in SMALLER:
        cut.cluster.hosts[name].disk.slow_us = 600_000_000
    assert cut.happens(5_500)._replace(fences="") == at_once
    assert not any(installed(cut.cluster, name) for name in SMALLER)
    cut.cluster.run(7_000)
    assert cut.seen()._replace(fences="") == in_time
    assert not any(installed(cut.cluster, name) for name in SMALLER)
    assert cut.doubles() == []


def installed(cluster: SimulatedCluster, name: str) -> bool:
    node = cluster.hosts[name].node
    return node is not None and node.replica.partition.installed


@pytest.mark.parametrize(
    ("policy", "recovered"), [("stop", ""), ("demote", ""), ("freeze", "n4"), ("fence", ""), ("ignore", "n4")]
)
def test_what_fails_on_each_side_is_recovered_where_the_policy_lets_it(policy: str, recovered: str) -> None:
    """Under `freeze` only what the smaller side ran already."""
    cut = Cut(policy, None)
    cut.happens(10_000)
    for key in [("n1", "a"), ("n4", "b")]:
        cut.cluster.world.running.pop(key, None)
    cut.cluster.run(15_000)
    assert (cut.seen().a, cut.seen().b) == ("n1", recovered)
    assert cut.doubles() == []


@pytest.mark.parametrize("policy", ["stop", "demote", "freeze", "fence", "ignore"])
def test_only_the_side_with_quorum_activates_whatever_the_policy(policy: str) -> None:
    cut = Cut(policy, None)
    cut.happens(5_000)
    offered = {side[0]: cut.cluster.apply(cut.configuration, side[0]) for side in (LARGER, SMALLER)}
    cut.cluster.run(15_000)
    active = {name: host.node.replica.commit for name, host in cut.cluster.hosts.items() if host.node is not None}
    assert {active[name] for name in LARGER} == {offered["n1"]}
    assert {active[name] for name in SMALLER if name in active} <= {cut.first}


@pytest.mark.parametrize(("policy", "devices"), [*TABLE, ("ignore", Devices.WELL)])
def test_whatever_the_policy_all_comes_together_again_after_the_cut(policy: str, devices: Devices | None) -> None:
    cut = Cut(policy, devices)
    cut.happens(WITHIN_MS + AFTER_MS)
    cut.cluster.heal()
    cut.cluster.run(60_000)
    cut.cluster.heal()  # Who was being fenced when the devices were mended was switched off then.
    cut.cluster.run(120_000)
    seen = cut.seen()
    assert (seen.a, seen.b, seen.promoted, seen.db) == UNTOUCHED[:4]
    assert cut.doubles() == []
