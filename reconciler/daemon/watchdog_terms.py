"""Within what time a watchdog device resets its machine, whatever becomes of the daemons that feed it.

The kernel feeds a device once more when it is closed, also by the end of its process. So one that was fed for the last time fires up to
twice its time later, if its daemon stands still and is killed just before; until then the next daemon may take it over.
Source: Linux, The Linux Watchdog driver API; Linux, drivers/watchdog/watchdog_dev.c (what a close does).
"""

from __future__ import annotations

from reconciler.controller.quorum.self_stop import FRESH_MS
from reconciler.daemon.watchdog_device import WatchdogDevice, WatchdogError
from reconciler.frozen import frozen

_MARGIN_MS = 2_000
"""A turn of the loop, and what clocks and devices that count in seconds are off by."""
HEARD_S = (FRESH_MS + _MARGIN_MS) / 1000
"""A node that is still a member so long after it has told something knows that most of the votes have heard that."""
_PERIODS = 4
"""Twice until the next daemon takes over, and twice after the last time that it is fed without being a member."""


@frozen
class WatchdogTerms:
    """What a device takes: it fires `timeout_s` after it was fed, and waits `handover_s` for the next daemon.

    That one feeds it no longer than that, either, before it is a member.
    """

    timeout_s: int
    handover_s: int

    @property
    def within_ms(self) -> int:
        """How long after the node was a member with quorum for the last time the machine is reset at the latest, if something runs."""
        return (self.handover_s + _PERIODS * self.timeout_s) * 1000 + FRESH_MS + _MARGIN_MS

    def at_most(self, other: WatchdogTerms | None) -> WatchdogTerms:
        """The shorter one of each."""
        if other is None:
            return self
        return WatchdogTerms(min(self.timeout_s, other.timeout_s), min(self.handover_s, other.handover_s))


def probed(device: WatchdogDevice, asked: WatchdogTerms, timeout_s: int) -> WatchdogTerms:
    """What an open device can be promised to take, having taken each time once; it has `timeout_s` before and after.

    **Raises** WatchdogError, which says why nothing can be promised: it does not take them, or stops by itself when its daemon is killed.
    """
    if not device.stays:
        raise WatchdogError(f"the driver of {device.path} stops it when the daemon is killed")
    handover_s = device.set_timeout(asked.handover_s)
    again_s = device.set_timeout(asked.timeout_s)
    if again_s != timeout_s:
        raise WatchdogError(f"{device.path} does not go back from {handover_s} s to {timeout_s} s, and has {again_s} s")
    if handover_s < asked.handover_s:
        raise WatchdogError(f"{device.path} can't wait {asked.handover_s} s for the next daemon (`handover`)")
    return WatchdogTerms(again_s, handover_s)
