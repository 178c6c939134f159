"""The product's fencing itself, in every interleaving of a small scope: what the model of fencing says, its code keeps.

Two peers and a target. Messages are delivered at once, for the order of messages is the fabric's business; what is in between is the
agent, which strikes, fails, or is heard by nobody, and everything that may happen to the target and the peers meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from exploring import Explored, Step, explore

from reconciler.controller.fencing import delivery
from reconciler.controller.fencing.delivery import Present, delivered, installed
from reconciler.controller.fencing.executor import FenceCall, FenceExecutor
from reconciler.controller.fencing.messages import FenceConfirmed, FenceOrdered
from reconciler.controller.fencing.ordering import Circumstances, decide
from reconciler.controller.fencing.record import FenceOrder, Fencing, Wanted
from reconciler.controller.fencing.topology import Device
from reconciler.frozen import replace

LEVELS = ((Device("ipmi"),),)
MOST_ORDERS, MOST_CUTS, MOST_RESTARTS, MOST_BOOTS = 2, 2, 1, 2


class World(NamedTuple):
    """The target as it is (`boot` counts its lives), what the members share, and the agents that were called."""

    alive: bool = True
    member: bool = True
    boot: int = 0
    runs: bool = True
    elsewhere: bool = False
    known: int = 0  # The life of the target that the members saw last.
    processes: tuple[int, int] = (0, 0)
    fencing: Fencing = Fencing()
    executors: tuple[FenceExecutor, FenceExecutor] = (FenceExecutor("n1", "0"), FenceExecutor("n2", "0"))
    agents: tuple[tuple[FenceOrder, str], ...] = ()
    cuts: int = 0
    restarts: int = 0

    def members(self) -> dict[str, Present]:
        found = {f"n{peer + 1}": Present(str(self.processes[peer]), f"b{peer}") for peer in (0, 1)}
        return found | {"n3": Present(str(self.boot), str(self.boot))} if self.member else found


def key(world: World) -> str:
    """Times and what was only written down for people make no difference."""
    return repr(world._replace(fencing=replace(world.fencing, history=()), executors=()))


def installed_anew(world: World) -> World:
    """A view was installed: the record follows, and who is not there is unclean unless it left cleanly or is down already."""
    unclean = {} if world.member else {"n3": str(world.known)}
    known = world.boot if world.member else world.known
    return world._replace(fencing=installed(world.fencing, world.members(), unclean, "reboot", 0), known=known)


def steps(world: World) -> Iterator[Step[World]]:
    yield from order(world)
    yield from place(world)
    yield from happen(world)
    for agent in world.agents:
        yield from act(world, agent)
    yield "an operator confirms", tell(world, FenceConfirmed("n3", "ann", 0)) if not world.alive else world


def tell(world: World, message) -> World:
    return world._replace(fencing=delivered(world.fencing, message, world.members()))


def order(world: World) -> Iterator[Step[World]]:
    if world.fencing.numbers.get("n3", 0) >= MOST_ORDERS:
        return
    record = world.fencing.records.get("n3")
    now = world.fencing
    if isinstance(record, Wanted):
        now = replace(now, records={"n3": replace(record, not_before_ms=0)})
    for one in decide(now, lambda target: LEVELS, Circumstances(1, world.members(), True), 0).orders:
        after = tell(world._replace(fencing=now), FenceOrdered(one, 0))
        executors, agents = list(after.executors), after.agents
        for index, executor in enumerate(executors):
            executors[index], wish = executor.ordered(one)
            if isinstance(wish, FenceCall):
                agents = (*agents, (one, "called"))
        yield f"order {one.number} by {one.executor}", after._replace(executors=tuple(executors), agents=agents)


def place(world: World) -> Iterator[Step[World]]:
    """Where the resource may start: elsewhere once the target is down, or is there and runs it not; there, if it is clean."""
    is_clean = "n3" not in world.fencing.records
    if world.elsewhere:
        return
    if world.fencing.is_down("n3") or (is_clean and world.member and not world.runs):
        yield "the resource starts elsewhere", world._replace(elsewhere=True)
    if is_clean and world.member and not world.runs:
        yield "the resource starts on the target", world._replace(runs=True)


def happen(world: World) -> Iterator[Step[World]]:
    if world.cuts < MOST_CUTS and world.member:
        cut = world._replace(member=False, cuts=world.cuts + 1)
        yield "the target is cut off", installed_anew(cut)
        yield "the target dies", installed_anew(cut._replace(alive=False, runs=False))
    if not world.alive and world.boot < MOST_BOOTS:
        yield "the target boots", world._replace(alive=True, boot=world.boot + 1)
    if world.alive and not world.member and world.fencing.fenced.get("n3") != str(world.boot):
        yield "the target is back", installed_anew(world._replace(member=True))
    if world.restarts < MOST_RESTARTS:
        for peer in (0, 1):
            processes = tuple(number + (index == peer) for index, number in enumerate(world.processes))
            executors = tuple(
                FenceExecutor(f"n{index + 1}", str(processes[index])) if index == peer else executor
                for index, executor in enumerate(world.executors)
            )
            after = world._replace(processes=processes, executors=executors, restarts=world.restarts + 1)
            yield f"the process of n{peer + 1} is another", installed_anew(after)


def act(world: World, agent: tuple[FenceOrder, str]) -> Iterator[Step[World]]:
    one, phase = agent
    others = tuple(other for other in world.agents if other is not agent)
    if phase == "called":
        struck = world._replace(agents=(*others, (one, "succeeded")))
        if world.alive:
            dead = struck._replace(alive=False, runs=False, member=False)
            struck = installed_anew(dead) if world.member else dead
        yield f"the agent of order {one.number} strikes", struck
        yield f"the agent of order {one.number} fails", world._replace(agents=(*others, (one, "failed")))
        return
    index = int(one.executor[1:]) - 1
    if world.executors[index].incarnation != one.incarnation:
        yield f"nobody hears of order {one.number}", world._replace(agents=others)
        return
    executor, told = world.executors[index].ended(one, phase == "succeeded", "", 0)
    executors = tuple(executor if place == index else other for place, other in enumerate(world.executors))
    yield f"order {one.number} has {phase}", tell(world._replace(executors=executors, agents=others), told)


def fault(world: World) -> str | None:
    if world.alive and world.runs and world.elsewhere:
        return "the resource is active twice"
    record = world.fencing.records.get("n3")
    left = world.fencing.numbers.get("n3", 0) < MOST_ORDERS
    if world.fencing.is_open("n3") and left and not isinstance(record, Wanted):
        awaited = any(
            one == record.order and world.executors[int(one.executor[1:]) - 1].incarnation == one.incarnation
            for one, _ in world.agents
        )
        if not awaited:
            return "an order is under way that nobody carries out"
    if not world.member and record is None:
        return "the target is lost, and nobody knows"
    return None


def search() -> Explored[World]:
    return explore(World(), steps, fault, most_states=300_000, key=key)


def test_the_machine_keeps_the_rules_in_every_interleaving() -> None:
    found = search()
    assert found.fault is None, str(found)
    assert found.states > 2_000, "the scope is too small to say anything"


def test_the_search_finds_a_result_that_counts_for_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def any_order(now, term, target, number):
        known = now.records.get(target)
        return known if known is not None and hasattr(known, "order") else None

    monkeypatch.setattr(delivery, "_awaited", any_order)
    assert search().fault is not None


def test_the_search_finds_an_order_that_is_not_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    at_installation = delivery._at_installation

    def keeps(record, target, members):
        kept = at_installation(record, target, members)
        return record if hasattr(record, "order") and kept is not None else kept

    monkeypatch.setattr(delivery, "_at_installation", keeps)
    assert search().fault == "an order is under way that nobody carries out"


def test_the_search_finds_a_member_that_may_be_confirmed_to_be_off(monkeypatch: pytest.MonkeyPatch) -> None:
    confirm = delivery._confirm
    monkeypatch.setattr(delivery, "_confirm", lambda now, message, members: confirm(now, message, {}))

    def mistaken(world: World) -> Iterator[Step[World]]:
        yield from steps(world)
        yield "an operator errs", tell(world, FenceConfirmed("n3", "ann", 0)) if world.member else world

    found = explore(World(), mistaken, fault, most_states=300_000, key=key)
    assert found.fault == "the resource is active twice"
