"""A watchdog device of a simulated host: switches it off when nobody has fed it in time, whatever has become of the process.

It is armed once the node is a member among those who have quorum, so that a host that boots is not switched off again and again; what
feeds it asks the node, as the daemon does. A process that ends and leaves something running leaves it armed, for a longer time when it
ends in order; the next one takes it over, and feeds it for that time before it knows whether it may. What it so promises, with a margin,
the node tells the others.
"""

from __future__ import annotations

from reconciler.controller import events as ev
from reconciler.controller.node import Node
from reconciler.controller.quorum.self_stop import FRESH_MS
from reconciler.simulator.clock import Clock
from reconciler.simulator.host import Host

_LOOK_MS = 1_000
"""How often it is fed."""
_MARGIN_MS = 2 * _LOOK_MS
"""It is looked at once in so long, and so is whether it may be fed."""


class SimulatedWatchdog:
    """Watches one host from now on; `timeout_ms` after it was fed the last time the host loses its power, and boots in `boot_ms`.

    `handover_ms` is how long it waits for the next process. With `promises` the others may count on it.
    """

    def __init__(
        self,
        clock: Clock,
        host: Host,
        timeout_ms: int,
        handover_ms: int = 0,
        boot_ms: int = 20_000,
        *,
        promises: bool = False,
    ) -> None:
        self._clock = clock
        self._host = host
        self._timeout_ms = timeout_ms
        self._handover_ms = handover_ms
        self._boot_ms = boot_ms
        self._promises = promises
        self._waits_ms = timeout_ms
        """How long it waits at present until it switches the host off."""
        self._fed_ms: int | None = None
        self._until_ms: int | None = None
        """Until when it is fed whatever the node says; None once the node was a member."""
        self._boot = host.boot
        self.fired = 0
        """How often it has switched its host off."""
        host.on_start.append(self._take_over)
        host.on_end.append(self._leave)
        self._look()

    @property
    def armed(self) -> bool:
        """Whether it waits to be fed."""
        return self._fed_ms is not None

    @property
    def within_ms(self) -> int:
        """How soon it switches its host off once the node is not heard any more, at the latest."""
        return self._handover_ms + 2 * self._timeout_ms + FRESH_MS + _MARGIN_MS

    def _look(self) -> None:
        self._clock.after(_LOOK_MS * 1000, self._look)
        self._notice_boot()
        self._feed()
        if self._fed_ms is not None and self._clock.now_ms - self._fed_ms >= self._waits_ms:
            self.fired += 1
            self._host.power_off()
            self._clock.after(self._boot_ms * 1000, self._host.power_on)

    def _notice_boot(self) -> None:
        """Whoever else switched the host off has disarmed it by that."""
        if self._boot != self._host.boot:
            self._boot, self._fed_ms, self._until_ms = self._host.boot, None, None

    def _feed(self) -> None:
        node = self._host.node
        if node is None or self._host.is_frozen:
            return
        member = node.quorate and node.is_heard
        if self.armed and member:
            self._until_ms = None
        bridged = self._until_ms is not None and self._clock.now_ms < self._until_ms
        if not (node.feeds_watchdog(turning=True, now=self._host.now) or bridged):
            return
        if self.armed or member:
            self._arm()

    def _arm(self) -> None:
        fresh = self._fed_ms is None
        self._fed_ms, self._waits_ms = self._clock.now_ms, self._timeout_ms
        if fresh:
            self._promise()

    def _promise(self) -> None:
        if self._promises:
            self._host.tell(ev.WatchdogPromised(self.within_ms, self._host.now))

    def _take_over(self) -> None:
        """A process has started: what it finds armed it feeds for a while, and says so before it is a member."""
        self._notice_boot()
        if self._fed_ms is None:
            return
        if self._until_ms is None:
            self._until_ms = self._clock.now_ms + self._handover_ms
        if self._clock.now_ms < self._until_ms:
            self._fed_ms, self._waits_ms = self._clock.now_ms, self._timeout_ms
        self._promise()

    def _leave(self, node: Node, why: str | None) -> None:
        """The process ends in order, or says why it ends. Where nothing runs it stops the device; an upgrade hands it over."""
        self._notice_boot()
        if self._fed_ms is None:
            return
        if not node.cut_off.endangers:
            self._fed_ms = self._until_ms = None
        elif why is not None:
            self._until_ms = self._clock.now_ms if "fenced" in why else self._until_ms
        elif node.quorate and node.is_heard:
            self._fed_ms, self._waits_ms = self._clock.now_ms, self._handover_ms
            self._until_ms = self._clock.now_ms + self._handover_ms
