"""A watchdog device of a simulated host: switches it off when nobody has fed it in time, whatever has become of the process.

It is armed once the node is a member among those who have quorum, so that a host that boots is not switched off again and again; what
feeds it asks the node, as the daemon does. Nobody counts a host as fenced for having one.
"""

from __future__ import annotations

from reconciler.simulator.clock import Clock
from reconciler.simulator.host import Host

_LOOK_MS = 1_000
"""How often it is fed."""
_BOOT_US = 20_000_000


class SimulatedWatchdog:
    """Watches one host from now on; `timeout_ms` after it was fed the last time the host loses its power, and boots."""

    def __init__(self, clock: Clock, host: Host, timeout_ms: int) -> None:
        self._clock = clock
        self._host = host
        self._timeout_ms = timeout_ms
        self._fed_ms: int | None = None
        self._boot = host.boot
        self.fired = 0
        """How often it has switched its host off."""
        self._look()

    @property
    def armed(self) -> bool:
        """Whether it waits to be fed."""
        return self._fed_ms is not None

    def _look(self) -> None:
        self._clock.after(_LOOK_MS * 1000, self._look)
        if self._boot != self._host.boot:
            self._boot, self._fed_ms = (
                self._host.boot,
                None,
            )  # Whoever else switched the host off has disarmed it by that.
        self._feed()
        if self._fed_ms is not None and self._clock.now_ms - self._fed_ms >= self._timeout_ms:
            self.fired += 1
            self._host.power_off()
            self._clock.after(_BOOT_US, self._host.power_on)

    def _feed(self) -> None:
        node = self._host.node
        if node is None or self._host.is_frozen or not node.feeds_watchdog(turning=True):
            return
        if self.armed or (node.quorate and node.is_heard):
            self._fed_ms = self._clock.now_ms
