"""What the DC does about the targets that are wanted: it gives orders, one step at a time for each, and gives up what can't end."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from reconciler.controller.fencing.delivery import Present
from reconciler.controller.fencing.record import FenceOrder, FenceProgress, Fencing, Ordered, Wanted
from reconciler.controller.fencing.topology import Device, Levels, steps
from reconciler.frozen import frozen

MARGIN_MS = 60_000
"""How much longer than its timeout an order may take before it is given up."""


@frozen
class FenceDecision:
    """The orders to give now; when to look again (cluster time, None: not by itself); and the targets that nothing can fence."""

    orders: tuple[FenceOrder, ...]
    again_at_ms: int | None
    unreachable: tuple[str, ...]


@frozen
class Circumstances:
    """In what the DC decides: the term, the members, whether it may fence, and whether one target at a time."""

    term: int
    members: Mapping[str, Present]
    may_fence: bool
    one_at_a_time: bool = False


def decide(now: Fencing, levels: Callable[[str], Levels], around: Circumstances, at_ms: int) -> FenceDecision:
    """Give what orders can be given. An order is sent once: the caller asks again when it was delivered, or when something else changed."""
    if not around.may_fence:
        return FenceDecision((), None, ())
    orders: list[FenceOrder] = []
    unreachable: list[str] = []
    waits: list[int] = []
    busy = any(isinstance(record, Ordered) and not record.order.step.waits for record in now.records.values())
    for target, record in sorted(now.records.items()):
        if not isinstance(record, Wanted):
            continue
        if record.not_before_ms > at_ms:
            waits.append(record.not_before_ms)
            continue
        order = make_order(record, now.numbers.get(target, 0) + 1, levels(target), around)
        calls = busy or any(not one.step.waits for one in orders)
        if around.one_at_a_time and calls and (order is None or not order.step.waits):
            continue  # But nobody is called where a watchdog is waited for.
        if order is None:
            unreachable.append(target)
        else:
            orders.append(order)
    return FenceDecision(tuple(orders), min(waits, default=None), tuple(unreachable))


def make_order(wanted: Wanted, number: int, levels: Levels, around: Circumstances) -> FenceOrder | None:
    """The order for the step that is next; None when there is no device for it, or no member that may use it.

    Where the topology has fewer levels or steps than before, the tries begin anew.
    """
    if not levels:
        return None
    place = wanted.place
    if place.level >= len(levels) or place.step >= len(steps(levels[place.level], wanted.action)):
        place = FenceProgress(rounds=place.rounds)
    level = levels[place.level]
    planned = steps(level, wanted.action)
    step = planned[place.step]
    device = next(one for one in level if one.name == step.device)
    executor = choose_executor(device, wanted.target, around.members, place.tries)
    if executor is None:
        return None
    first = place.level == place.step == place.tries == place.rounds == 0
    return FenceOrder(
        term=around.term,
        target=wanted.target,
        number=number,
        boot=wanted.boot,
        place=place,
        steps=planned,
        tries=device.tries(step.action),
        last_level=place.level + 1 >= len(levels),
        executor=executor,
        incarnation=around.members[executor].incarnation,
        timeout_ms=device.timeout_ms(step.action),
        delay_ms=device.delay_ms if first else 0,
        delay_most_ms=max(device.delay_ms, device.delay_most_ms) if first else 0,
    )


def choose_executor(device: Device, target: str, members: Mapping[str, Present], tries: int) -> str | None:
    """Who calls the agent: another one at each try, and the target itself only when nobody else can."""
    able = sorted(name for name in members if name not in device.kept_from)
    others = [name for name in able if name != target]
    if others:
        return others[tries % len(others)]
    return able[0] if able else None


def overdue_ms(order: FenceOrder) -> int:
    """How long after its delivery an order is given up."""
    return order.delay_most_ms + order.timeout_ms + MARGIN_MS
