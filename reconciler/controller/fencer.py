"""Fencing as part of a node: what the DC orders, what a member carries out that an order names, and what is told until it is delivered.

Source: the design of the cluster, "Fencing, per target"; Pacemaker Explained, "Fencing" (pcmk_* parameters, stonith-action).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from reconciler.analysis.fence_devices import (
    agent_of,
    by_watchdog,
    delay_base_ms,
    enabled,
    kept_from,
    level_names,
    levels,
    parameters,
    unfencing_level,
)
from reconciler.cib import Cib
from reconciler.controller.events import Broadcast, CallFenceAgent, Emit, FenceAgentEnded, FenceItself, SetTimer, Wish
from reconciler.controller.fencing.demand import ASK, demand_of
from reconciler.controller.fencing.executor import FenceCall, FenceExecutor
from reconciler.controller.fencing.messages import FenceEnded, FenceGivenUp, FenceOrdered, FencingMessage
from reconciler.controller.fencing.ordering import Circumstances, decide, overdue_ms
from reconciler.controller.fencing.record import (
    Down,
    FenceCause,
    FenceOrder,
    FenceProgress,
    Fencing,
    HistoryLine,
    Ordered,
    Record,
    Wanted,
)
from reconciler.controller.fencing.topology import Device, Levels
from reconciler.controller.membership.presence import Presence
from reconciler.controller.moment import Moment
from reconciler.controller.shared import Shared, allowed, watchdog_wait
from reconciler.controller.standing import option, present
from reconciler.controller.watchdogs import Uncounted, leaves_to_watchdog
from reconciler.frozen import replace
from reconciler.model.duration import interval_ms
from reconciler.model.resource import Primitive
from reconciler.model.text import integer, is_true
from reconciler.model.watchdogs import WATCHDOG

FENCE_TIMER = "fence"
"""When the DC looks again at what is to be fenced."""
LATE_TIMER = "fence late "
"""How the names of the timers begin that give an order up."""
WATCHED_TIMER = "watched"
"""When the time of a watchdog is over that is waited for."""
_ACTIONS = ("off", "reboot", "on")
_MOST_ADDED = 2
"""How many lines one message adds to the history."""


class Fencer:
    """A node's part in fencing; what is to be fenced, and how far that has come, is in the shared state."""

    def __init__(self, name: str, incarnation: str) -> None:
        self.name = name
        self._executor = FenceExecutor(name, incarnation)
        self._given: set[tuple[int, str, int]] = set()
        """The orders of ours that were not delivered yet."""
        self.halted = False
        """Whether nobody is fenced from here for now: this node stood still."""
        self.priority_delay_ms: Callable[[str, Moment], int] = lambda target, now: 0
        """How much longer to wait before a lost node is fenced, as more depends on it than on those who are here."""
        self._held: list[FenceOrder] = []
        self._waiting: dict[FenceOrder, int] = {}
        """The orders of ours that wait for a watchdog, and until when, by the monotonic clock."""
        self._seen: set[str] = set()
        """Who was a member beside us since this process was started."""
        self._quorate_since_ms: int | None = None
        """When this process was first in a view with quorum, by the monotonic clock."""

    def as_somebody_new(self, incarnation: str) -> None:
        """We are another member from now on: orders for the one before are not ours."""
        self._executor = FenceExecutor(self.name, incarnation)
        self._waiting.clear()

    def installed(self, shared: Shared, now: Moment, *, dc: bool) -> list[Wish]:
        """A view was installed: tell again what was not delivered, and as the DC go on with what is to be fenced."""
        self._given.clear()
        self._seen.update(present(shared.nodes))
        if shared.quorate and self._quorate_since_ms is None:
            self._quorate_since_ms = now.mono_ms
        wishes: list[Wish] = [Broadcast(told) for told in self._executor.again()]
        for record in shared.fencing.records.values():
            if isinstance(record, Ordered):
                wishes.append(_late(record.order, now))
        return wishes + (self.decide(shared, now) if dc else [])

    def decide(self, shared: Shared, now: Moment) -> list[Wish]:
        """As the DC: give the orders that can be given."""
        if self.halted or not shared.fencing.records:
            return []
        booting, until_ms = self._may_be_booting(shared, now)
        fencing = _without(shared.fencing, booting)
        around = Circumstances(
            shared.term,
            present(shared.nodes),
            may_fence=allowed(shared).fence,
            one_at_a_time=not is_true(option(shared.cib, "concurrent-fencing", "false")),
        )

        def levels_for(target: str) -> Levels:
            later_ms = self.priority_delay_ms(target, now) if _is_lost(fencing.records[target]) else 0
            return levels_of(
                shared.cib,
                target,
                unfencing=fencing.is_to_be_unfenced(target),
                later_ms=later_ms,
                watchdog=_watchdog(shared, fencing.records[target]),
            )

        decision = decide(fencing, levels_for, around, now.wall_ms)
        wishes: list[Wish] = []
        for order in decision.orders:
            if order.id not in self._given:
                self._given.add(order.id)
                wishes.append(Broadcast(FenceOrdered(order, now.wall_ms)))
        again = [until_ms] if booting else []
        if decision.again_at_ms is not None:
            again.append(now.mono_ms + max(decision.again_at_ms - now.wall_ms, 0) + 1)
        if again:
            wishes.append(SetTimer(FENCE_TIMER, min(again)))
        for target in decision.unreachable:
            if demand_of(fencing.records[target]) is not None:
                wishes.append(Broadcast(FenceGivenUp(shared.term, target, 0, now.wall_ms)))
                continue
            text = f"{target} is to be fenced, and no device can do that{_uncounted(shared, fencing.records[target])}"
            wishes.append(Emit("fencing", {"target": target, "what": "unreachable", "text": text}))
        return wishes

    def _may_be_booting(self, shared: Shared, now: Moment) -> tuple[frozenset[str], int]:
        """Who is not fenced yet, and until when: machines that are switched on together are not there at the same moment.

        As long as the DC was not in a view with quorum for `dc-deadtime`, it waits for those whom it has never seen there. It is who came
        first: all others have begun no earlier. Nothing that may run on who is waited for is started elsewhere meanwhile.
        """
        if self._quorate_since_ms is None:
            return frozenset(), now.mono_ms
        until_ms = self._quorate_since_ms + interval_ms(option(shared.cib, "dc-deadtime", "20s"))
        if now.mono_ms >= until_ms:
            return frozenset(), until_ms
        lost = (one for one in shared.fencing.records.values() if isinstance(one, Wanted))
        return frozenset(
            one.target for one in lost if one.cause is FenceCause.LOST and one.target not in self._seen
        ), until_ms

    def delivered(
        self, message: FencingMessage, before: Fencing, shared: Shared, now: Moment, *, dc: bool
    ) -> list[Wish]:
        """A message about fencing was delivered: carry out an order that names us, and as the DC go on."""
        wishes: list[Wish] = list(_told(message, before, shared.fencing))
        if isinstance(message, FenceEnded):
            self._executor = self._executor.told(message)
        if isinstance(message, FenceOrdered):
            self._given.discard(message.order.id)
            record = shared.fencing.records.get(message.order.target)
            if isinstance(record, Ordered) and record.order == message.order:
                wishes += [_late(record.order, now), *self._ordered(record.order, shared.cib, now)]
                wishes += self._obeyed(record.order, shared)
        return wishes + (self.decide(shared, now) if dc else [])

    def ended(self, event: FenceAgentEnded) -> list[Wish]:
        """The agent of an order of ours has ended."""
        self._executor, told = self._executor.ended(event.order, event.succeeded, event.why, event.now.wall_ms)
        return [Broadcast(told)]

    def resume(self, shared: Shared, now: Moment, *, dc: bool) -> list[Wish]:
        """Go on with what had to wait, as far as it is still in force."""
        held, self._held = self._held, []
        wishes: list[Wish] = []
        for order in held:
            record = shared.fencing.records.get(order.target)
            if isinstance(record, Ordered) and record.order == order:
                may = allowed(shared).fence
                wishes += self._ordered(order, shared.cib, now) if may else self._refused(order, now)
        return wishes + (self.decide(shared, now) if dc else [])

    def late(self, timer: str, shared: Shared, now: Moment) -> list[Wish]:
        """As the DC: an order has taken longer than it can; it is given up, whatever becomes of it."""
        target, _, number = timer.removeprefix(LATE_TIMER).rpartition(" ")
        record = shared.fencing.records.get(target)
        if not isinstance(record, Ordered) or str(record.order.number) != number:
            return []
        return [Broadcast(FenceGivenUp(record.order.term, target, record.order.number, now.wall_ms))]

    def _refused(self, order: FenceOrder, now: Moment) -> list[Wish]:
        """An order of a view that might fence had to wait here until one that may not: it fails, and nobody is called."""
        self._executor, answer = self._executor.ordered(order)
        if isinstance(answer, FenceCall):
            why = "it stood still, and those who are here may fence nobody now"
            self._executor, answer = self._executor.ended(order, False, why, now.wall_ms)
        return [] if answer is None else [Broadcast(answer)]

    def waited(self, shared: Shared, heard_since: Callable[[str], Moment | None], now: Moment) -> list[Wish]:
        """Whose watchdog was waited for long enough is down, once most of the votes without it have heard us since.

        Otherwise they might have gone on with it meanwhile, in a view of which we have not been told. `heard_since` says when they last
        have, not counting the target.
        """
        wishes: list[Wish] = []
        for order, until_ms in sorted(self._waiting.items(), key=lambda pair: pair[0].id):
            record = shared.fencing.records.get(order.target)
            if not (isinstance(record, Ordered) and record.order == order):
                del self._waiting[order]
                continue
            since = None if self.halted or now.mono_ms < until_ms else heard_since(order.target)
            if since is None or since.mono_ms < until_ms:
                continue
            del self._waiting[order]
            is_here = shared.nodes[order.target].presence is Presence.ONLINE
            why = "it is still a member, although its watchdog was to reset it" if is_here else ""
            self._executor, told = self._executor.ended(order, not is_here, why, now.wall_ms)
            wishes.append(Broadcast(told))
        return wishes

    def _obeyed(self, order: FenceOrder, shared: Shared) -> list[Wish]:
        """Whose watchdog is waited for, and who hears that, ends its machine: from now on nothing feeds the device."""
        known = shared.nodes.get(self.name)
        if not order.step.waits or order.target != self.name or known is None or known.boot != order.boot:
            return []
        return [FenceItself("the cluster fences this node, and waits for its watchdog")]

    def _wait(self, order: FenceOrder, now: Moment) -> list[Wish]:
        self._waiting[order] = now.mono_ms + order.timeout_ms
        return [SetTimer(WATCHED_TIMER, min(self._waiting.values()))]

    def _ordered(self, order: FenceOrder, cib: Cib, now: Moment) -> list[Wish]:
        if self.halted:
            self._held.append(order)
            return []
        self._executor, answer = self._executor.ordered(order)
        match answer:
            case FenceCall() if order.step.waits:
                return self._wait(order, now)
            case FenceCall():
                return [_call(order, cib)]
            case FenceEnded():
                return [Broadcast(answer)]
            case None:
                return []


def _is_lost(record: Record) -> bool:
    """Whether a target is wanted for it left, and nothing was tried yet."""
    return isinstance(record, Wanted) and record.cause is FenceCause.LOST and record.place == FenceProgress()


def _without(fencing: Fencing, targets: frozenset[str]) -> Fencing:
    if not targets:
        return fencing
    return replace(fencing, records={name: one for name, one in fencing.records.items() if name not in targets})


def levels_of(
    cib: Cib, target: str, *, unfencing: bool = False, later_ms: int = 0, watchdog: Device | None = None
) -> Levels:
    """How a target can be fenced by the configuration; with `unfencing` how it is given its way back: by all devices that do that.

    Whatever the first try waits for, it waits `later_ms` longer. A level that names the target's own watchdog is one where that counts:
    then `watchdog` is given.
    """
    configuration = cib.configuration
    if unfencing:
        able = unfencing_level(configuration, target)
        return (tuple(_device(cib, primitive) for primitive in able),) if able else ()
    if watchdog is None or not by_watchdog(configuration, target):
        return tuple(
            tuple(_delayed(_device(cib, primitive), cib, primitive, target, later_ms) for primitive in level)
            for level in levels(configuration, target)
        )
    known = {one.id: one for one in enabled(configuration)}
    return tuple(
        tuple(
            watchdog if name == WATCHDOG else _delayed(_device(cib, known[name]), cib, known[name], target, later_ms)
            for name in level
        )
        for level in level_names(configuration, target)
    )


def _watchdog(shared: Shared, record: Record) -> Device | None:
    """A target's own watchdog, where it counts for what is wanted: a machine that it resets does not stay off."""
    wanted = record.wanted if isinstance(record, Ordered) else record
    if not isinstance(wanted, Wanted) or (wanted.cause is FenceCause.ASKED and wanted.action == "off"):
        return None
    longest_ms = watchdog_wait(shared, wanted.target, wanted.boot)
    if not isinstance(longest_ms, int):
        return None
    return Device(
        WATCHDOG,
        timeouts_ms=dict.fromkeys(_ACTIONS, longest_ms),
        retries=dict.fromkeys(_ACTIONS, 1),
        kept_from=frozenset({wanted.target}),
        waits=True,
    )


def _uncounted(shared: Shared, record: Record) -> str:
    """Why the watchdog of a target does not do either, where the configuration leaves it to that."""
    if not isinstance(record, Wanted) or not leaves_to_watchdog(shared.cib, record.target):
        return ""
    why = watchdog_wait(shared, record.target, record.boot)
    return f", and its watchdog does not count: {why.value}" if isinstance(why, Uncounted) else ""


def _delayed(device: Device, cib: Cib, primitive: Primitive, target: str, later_ms: int) -> Device:
    values = parameters(cib.configuration, primitive)
    base_ms = delay_base_ms(values, target)
    most_ms = max(base_ms, interval_ms(values.get("pcmk_delay_max")))
    return replace(device, delay_ms=base_ms + later_ms, delay_most_ms=most_ms + later_ms)


def _device(cib: Cib, primitive: Primitive) -> Device:
    values = parameters(cib.configuration, primitive)
    longest_ms = interval_ms(option(cib, "stonith-timeout", "60s"))
    return Device(
        primitive.id,
        timeouts_ms={
            action: interval_ms(values[f"pcmk_{action}_timeout"]) if f"pcmk_{action}_timeout" in values else longest_ms
            for action in _ACTIONS
        },
        retries={
            action: integer(values[f"pcmk_{action}_retries"])
            for action in _ACTIONS
            if f"pcmk_{action}_retries" in values
        },
        kept_from=kept_from(cib.configuration, primitive),
    )


def _call(order: FenceOrder, cib: Cib) -> Wish:
    """The call of a device's agent, with what the configuration says of it now."""
    configuration = cib.configuration
    device = next(
        (one for level in levels(configuration, order.target) for one in level if one.id == order.step.device), None
    )
    agent = None if device is None else agent_of(configuration, device)
    values = {} if device is None else parameters(configuration, device)
    return CallFenceAgent(order, agent, values)


def _late(order: FenceOrder, now: Moment) -> SetTimer:
    return SetTimer(f"{LATE_TIMER}{order.target} {order.number}", now.mono_ms + overdue_ms(order))


def _told(message: FencingMessage, before: Fencing, after: Fencing) -> Iterable[Emit]:
    """What people have to know of it."""
    for line in _added(before, after):
        if line.what == ASK:
            how = "it is down" if line.succeeded else "it was not"
            text = f"{line.by} asked for {line.target} to be fenced: {how}{f' ({line.why})' if line.why else ''}"
            yield Emit("fencing", {"target": line.target, "what": "asked", "text": text})
        elif not line.succeeded:
            text = f"{line.by} could not fence {line.target} ({line.what}) with {line.device}: {line.why}"
            yield Emit("fencing", {"target": line.target, "what": "failed", "text": text})
    for target, record in sorted(after.records.items()):
        known = before.records.get(target)
        if known == record:
            continue
        match record:
            case Ordered(_, order) if order.step.waits:
                text = f"{order.executor} waits {order.timeout_ms / 1000:g} s for the watchdog of {target} to reset it"
                yield Emit("fencing", {"target": target, "what": "ordered", "text": text})
            case Ordered(_, order):
                text = f"{order.executor} fences {target} ({order.step.action}) with {order.step.device}"
                yield Emit("fencing", {"target": target, "what": "ordered", "text": text})
            case Down(_, _, by):
                yield Emit("fencing", {"target": target, "what": "down", "text": f"{target} is down, by {by}"})
            case _:
                yield Emit("fencing", {"target": target, "what": "wanted", "text": f"{target}: {record.reason}"})


def _added(before: Fencing, after: Fencing) -> tuple[HistoryLine, ...]:
    """What a message has added to the history: a try, and how a demand ended by it."""
    for count in range(_MOST_ADDED):
        rest = after.history[: len(after.history) - count]
        if rest == before.history[len(before.history) - len(rest) :]:
            return after.history[len(rest) :]
    return after.history[-_MOST_ADDED:]
