"""A fault of the program in one step, at one place on one node: care for what runs goes on, and nobody is left with another state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reconciler.controller import events as ev
from reconciler.controller.node import Node
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.constraint import Location
from reconciler.model.resource import Agent, Operation, Primitive
from reconciler.simulator.cluster import SimulatedCluster
from reconciler.simulator.host import Host

DEVICE = Primitive("power", Agent("stonith", "fence_lab"))
PLACES: dict[str, Callable[[Node], tuple[Any, str]]] = {
    "an agent's end, before it was looked at": lambda node: (node.parts.outbox, "set_attributes"),
    "an agent's end, of what recurs": lambda node: (node.executor, "_recurred"),
    "an agent's end, its report": lambda node: (node.executor, "_report"),
    "an agent's end, what comes next": lambda node: (node.executor, "_next"),
    "an agent's end, after all": lambda node: (node.cut_off, "ended"),
    "what recurs is due": lambda node: (node.executor, "_run_recurring"),
    "orders are queued": lambda node: (node.executor, "_enqueue"),
    "an agent is called": lambda node: (node.executor, "_run"),
    "the DC decides": lambda node: (node.coordinator, "decide"),
    "a ping is due": lambda node: (node.entering.standstill, "beat"),
    "a message is taken in": lambda node: (node.intake, "_take_in"),
    "what follows from a message": lambda node: (node.following, "followed"),
    "a view is announced": lambda node: (node.entering, "announced"),
    "a view is installed": lambda node: (node.parts.joining, "install"),
    "fencing is decided": lambda node: (node.fencer, "decide"),
    "the disk has answered": lambda node: (node.keeper, "durable"),
}
OF_THE_DC = ("the DC decides", "fencing is decided")
OF_SEVERAL = ("a ping is due", "a view is announced", "a view is installed", "fencing is decided")
ON_THE_DC = (
    *OF_THE_DC,
    "a message is taken in",
    "what follows from a message",
    "a view is installed",
    "an agent is called",
)
ON_ANOTHER = tuple(place for place in PLACES if place not in OF_THE_DC)
ALONE = tuple(place for place in PLACES if place not in OF_SEVERAL)
HOME = {"a": "n1", "b": "n2", "c": "n3"}


def configuration(*more: str) -> Configuration:
    services = tuple(
        Primitive(name, Agent("ocf", "Dummy", "reconciler"), operations=(Operation("monitor", "10s"),))
        for name in (*HOME, *more)
    )
    likes = tuple(Location(f"{name}-home", resource=name, node=node, score="100") for name, node in HOME.items())
    return Configuration(options=plain({"stonith-enabled": "true"}), resources=(DEVICE, *services), constraints=likes)


def running(*names: str) -> SimulatedCluster:
    cluster = SimulatedCluster(names, 1)
    cluster.start()
    cluster.apply(configuration(), names[0])
    assert cluster.until(lambda: all(cluster.world.where(name) for name in HOME))
    cluster.run(15_000)
    return cluster


def put_in(host: Host, place: Callable[[Node], tuple[Any, str]], met: list[ev.Event]) -> None:
    """Let the place fail once, with the wishes of the step lost, and the node be told of it as the daemon does."""
    node = host.node
    assert node is not None
    part, name = place(node)
    works, step = getattr(part, name), node.step

    def fails(*args: Any, **named: Any) -> Any:
        delattr(part, name)
        raise ValueError("a fault of the program")

    def driven(event: ev.Event) -> list[ev.Effect]:
        try:
            return step(event)
        except ValueError as error:
            met.append(event)
            return step(ev.Unhandled(event.now, event, str(error)))

    assert callable(works)
    setattr(part, name, fails)
    node.step = driven  # type: ignore[method-assign]


def assert_cared_for(cluster: SimulatedCluster, commit: str) -> None:
    """Everything runs once, as committed, and what fails is noticed and mended."""
    assert {one.replica.commit for one in nodes(cluster)} == {commit}
    assert len({one.replica.shared.chain for one in nodes(cluster)}) == 1
    assert [one.name for one in nodes(cluster) if one.executor.running and one.coordinator.busy] == []
    for name in (*HOME, "d"):
        (where,) = cluster.world.where(name)
        del cluster.world.running[where, name]
    assert cluster.until(lambda: all(cluster.world.where(name) for name in (*HOME, "d")), 60_000), "it is monitored"
    assert [one for one in cluster.world.doubles if one.resource != "power"] == []


def nodes(cluster: SimulatedCluster) -> list[Node]:
    return [host.node for host in cluster.hosts.values() if host.node is not None]


@pytest.mark.parametrize(("on_dc", "place"), [(True, one) for one in ON_THE_DC] + [(False, one) for one in ON_ANOTHER])
def test_a_fault_in_one_step_of_a_member_ends_nobodys_care(on_dc: bool, place: str) -> None:
    cluster = running("n1", "n2", "n3")
    host = next(one for one in cluster.hosts.values() if one.node is not None and one.node.is_dc is on_dc)
    met: list[ev.Event] = []
    put_in(host, PLACES[place], met)
    commit = cluster.apply(configuration("d"), "n2")
    cluster.run(30_000)
    if not met:  # It is something of a view.
        lost = next(one for one in cluster.hosts.values() if one is not host)
        lost.crash()
        cluster.run(30_000)
        lost.start()
    cluster.run(60_000)
    assert len(met) == 1
    assert len(nodes(cluster)) == 3, "nobody was fenced for it"
    assert {one.members for one in nodes(cluster)} == {("n1", "n2", "n3")}
    assert_cared_for(cluster, commit)


@pytest.mark.parametrize("place", ALONE)
def test_a_fault_in_one_step_of_a_node_alone_ends_no_care(place: str) -> None:
    cluster = running("n1")
    met: list[ev.Event] = []
    put_in(cluster.hosts["n1"], PLACES[place], met)
    commit = cluster.apply(configuration("d"), "n1")
    cluster.run(90_000)
    assert len(met) == 1
    if commit != nodes(cluster)[0].replica.commit:
        cluster.offer(commit, "n1")  # As a source does that sees that it was refused.
        cluster.run(60_000)
    assert_cared_for(cluster, commit)
