"""Feeding this machine's watchdog device, as long as the node says that it may be fed, from the daemon's own loop.

It is armed once the node is a member among those who have quorum, so that a machine that boots is not reset again and again. A daemon that
ends in order and runs nothing stops it; one that leaves something running has it wait for the next daemon, a bounded time. The next one
takes over what it finds armed, and feeds it for as long as that before it knows whether it may. A daemon that is killed leaves it armed as
it is. Source: the design of the cluster, "Quorum"; sbd(8), "watch".
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

from reconciler.daemon.config import SelfFencingConfig
from reconciler.daemon.log import say
from reconciler.daemon.shell import Shell
from reconciler.daemon.watchdog_device import WatchdogDevice, WatchdogError
from reconciler.daemon.watchdog_record import ArmedWatchdog, WatchdogRecord

_FED_EVERY_S = 1.0
_FED_WITHIN = 4
"""As often it is fed at the least in its time, where that is short."""
_AGAIN_S = 0.1
"""How soon it is tried anew whether it may be fed: who waits for its disk may be abreast in a moment."""
_OPEN_AGAIN_S = 5.0
_SHORTEST_S = 2


class WatchedNode(Protocol):
    """The node whose machine the device is of."""

    @property
    def member(self) -> bool:
        """Whether it is heard in an installed view with quorum."""

    @property
    def may_feed(self) -> bool:
        """Whether the device may be fed now."""

    @property
    def active(self) -> bool:
        """Whether something runs here that others may start, too."""


class NodeOfShell:
    """The node that a shell drives: `turning` is whether it was told everything that waits."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    @property
    def member(self) -> bool:
        """Whether it is heard in an installed view with quorum."""
        node = self._shell.node
        return node.quorate and node.is_heard

    @property
    def may_feed(self) -> bool:
        """Whether the device may be fed now."""
        return self._shell.node.feeds_watchdog(turning=self._shell.abreast)

    @property
    def active(self) -> bool:
        """Whether something runs here that others may start, too."""
        return self._shell.node.cut_off.endangers


class Watchdog:
    """The device of one daemon. `told` hears what becomes of it, and whether that is as it should be.

    `clock` counts from the start of the machine, in seconds; `open_device` opens a path.
    """

    def __init__(
        self,
        config: SelfFencingConfig,
        record: WatchdogRecord,
        node: WatchedNode,
        told: Callable[[bool, str], None],
        clock: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
        open_device: Callable[[str], WatchdogDevice] = WatchdogDevice,
    ) -> None:
        self._config = config
        self._record = record
        self._node = node
        self._told = told
        self._clock = clock
        self._open = open_device
        self._device: WatchdogDevice | None = None
        self._timeout_s = 0
        self._until_s: float | None = None
        """Until when it is fed whatever the node says; None once the node was a member."""
        self._open_at_s = float("-inf")
        self._starves: str | None = None
        self._unfed_s: float | None = None
        """Since when it is not fed."""
        self._said = False
        self.trouble: str | None = None
        """What keeps it from being armed or fed, for the status."""

    @property
    def armed_s(self) -> int | None:
        """After how long without being fed it resets the machine; None when it is not armed by us."""
        return None if self._device is None else self._timeout_s

    def document(self) -> dict[str, Any] | None:
        """What is told of the device, where one is armed."""
        if self._device is None:
            return None
        fed = self._unfed_s is None and self._starves is None
        return {"path": self._device.path, "timeout_s": self._timeout_s, "fed": fed}

    async def run(self) -> None:
        """Feed it, for ever."""
        while True:
            await asyncio.sleep(self.beat())

    def take_over(self) -> None:
        """What a former daemon left armed is fed from now on, or stopped where the configuration names it no longer."""
        left = self._record.read()
        if left is None:
            return
        if left.path != self._config.watchdog:
            self._stop_former(left.path)
            return
        self._until_s = self._clock() + self._config.handover_s if left.until_s is None else left.until_s
        self._arm()

    def beat(self) -> float:
        """One turn: arm it, feed it, or leave it alone; after how many seconds the next one is due."""
        if self._config.watchdog is None or self._starves is not None:
            return _FED_EVERY_S
        if self._device is None:
            wanted = self._node.member or self._until_s is not None
            if wanted and self._clock() >= self._open_at_s:
                self._arm()
            return _FED_EVERY_S
        if self._until_s is not None and self._node.member:
            self._until_s = None
            self._note()
        may = self._node.may_feed or (self._until_s is not None and self._clock() < self._until_s)
        self._say_whether(may)
        if may:
            self._feed(self._device)
        return min(_FED_EVERY_S, self._timeout_s / _FED_WITHIN) if may else _AGAIN_S

    def starve(self, why: str) -> int | None:
        """Never feed it again, and have it reset this machine soon; within how many seconds it does, None when it is not armed."""
        self._starves, self._until_s = why, self._clock()
        if self._device is None and self._config.watchdog is not None:
            self._arm()
        if self._device is None:
            return None
        self._note()
        try:
            self._timeout_s = self._device.set_timeout(_SHORTEST_S)
        except WatchdogError as error:
            say(logging.ERROR, "the watchdog could not be hurried", reason=str(error))
        return self._timeout_s

    def end(self, *, in_order: bool, comes_back: bool) -> None:
        """The daemon ends. Who runs nothing stops the device. Otherwise it runs on: for a longer time when the end is `in_order`.

        Who has lost the quorum gets no longer time by that, and who does not come back as a member leaves none to the next daemon.
        """
        device, self._device = self._device, None
        if device is None:
            return
        if self._starves is not None:
            device.leave()
        elif not self._node.active:
            self._stop(device) if device.stops else self._hand_over(device)
        elif in_order and not self._is_lost:
            self._hand_over(device)
        else:
            self._until_s = self._until_s if comes_back or in_order else self._clock()
            self._note()
            text = f"something runs here, and the watchdog resets this machine in {self._timeout_s} s if no daemon feeds it"
            say(logging.WARNING, text, device=device.path)
            device.leave()

    # What is done with the device

    @property
    def _is_lost(self) -> bool:
        """Whether the node is no member, and not only while members come and go."""
        return not self._node.member and (self._said or self._until_s is not None)

    def _arm(self) -> None:
        path = self._config.watchdog or ""
        self._open_at_s = self._clock() + _OPEN_AGAIN_S
        try:
            device = self._open(path)
        except WatchdogError as error:
            self._fail(str(error))
            return
        try:
            self._timeout_s = device.set_timeout(self._config.timeout_s)
        except WatchdogError as error:
            self._open_at_s = float("inf")  # Opening it armed it: not again and again.
            self._fail(str(error))
            self._stop(device)
            return
        self._device, self.trouble = device, None
        self._note()
        self._told(True, f"{path} ({device.name}) {self._what_it_does(device)}")

    def _what_it_does(self, device: WatchdogDevice) -> str:
        asked = "" if self._timeout_s == self._config.timeout_s else f" ({self._config.timeout_s} s were asked for)"
        stays = "" if device.stops else "; its driver can't stop it, so that an end of this daemon resets the machine"
        return f"resets this machine {self._timeout_s} s after this node has failed{asked}{stays}"

    def _feed(self, device: WatchdogDevice) -> None:
        try:
            device.feed()
        except WatchdogError as error:
            self._fail(str(error))
        else:
            self.trouble = None

    def _fail(self, text: str) -> None:
        if self.trouble != text:
            say(logging.ERROR, "the watchdog can't be used", reason=text)
        self.trouble = text

    def _say_whether(self, may: bool) -> None:
        """Say that it is not fed, unless that is over in a moment, as when members come and go."""
        now_s = self._clock()
        if may:
            self._unfed_s = None
            if self._said:
                self._told(True, "the watchdog is fed again")
            self._said = False
            return
        self._unfed_s = now_s if self._unfed_s is None else self._unfed_s
        if now_s - self._unfed_s >= _FED_EVERY_S and not self._said:
            self._said = True
            why = "something runs here, and this node is not known to be a member among those who have quorum"
            self._told(False, f"{why}: the watchdog is not fed, and resets this machine within {self._timeout_s} s")

    def _stop(self, device: WatchdogDevice) -> None:
        try:
            device.stop()
        except WatchdogError as error:
            self._fail(str(error))
            return
        self._record.clear()

    def _hand_over(self, device: WatchdogDevice) -> None:
        """What runs here is guarded until the next daemon is there; where the device can't wait for so long, by nobody."""
        try:
            granted_s = device.set_timeout(self._config.handover_s)
        except WatchdogError as error:
            self._fail(str(error))
            granted_s = 0 if device.stops else self._timeout_s
        if granted_s < self._config.handover_s and device.stops:
            say(logging.WARNING, "the watchdog can't wait for the next daemon, and is stopped", device=device.path)
            self._stop(device)
            return
        self._until_s = self._clock() + granted_s
        self._note()
        say(
            logging.WARNING,
            f"the watchdog resets this machine in {granted_s} s if no daemon is back",
            device=device.path,
        )
        device.leave()

    def _stop_former(self, path: str) -> None:
        try:
            device = self._open(path)
            stops = device.stops
            device.stop()
            if not stops:
                raise WatchdogError(
                    f"{path} can't be stopped by its driver: name it in node.yaml again, or boot this machine"
                )
        except WatchdogError as error:
            say(logging.ERROR, "a watchdog that a former daemon had armed could not be stopped", reason=str(error))
        else:
            say(logging.INFO, "a watchdog that a former daemon had armed is stopped", device=path)
            self._record.clear()

    def _note(self) -> None:
        try:
            self._record.write(ArmedWatchdog(self._config.watchdog or "", self._until_s))
        except OSError as error:
            say(logging.WARNING, "a later daemon will not learn that the watchdog is armed", reason=str(error))
