"""Feeding this machine's watchdog device, as long as the node says that it may be fed, from the daemon's own loop.

It is armed once the node is a member among those who have quorum, so that a machine that boots is not reset again and again. A daemon that
ends in order and runs nothing stops it; one that leaves something running has it wait for the next daemon, a bounded time. The next one
takes over what it finds armed, and feeds it for as long as that before it knows whether it may. A daemon that is killed leaves it armed as
it is.

The others may count on that: what is told them (`promise`) holds in this start of the machine, whatever becomes of this daemon and of
those after it. So the record says it before they hear it, no daemon of this start takes longer times than were promised, none opens the
device (which feeds it) whose time is over, and what a later one needs to know is written before the device gets a longer time.
Source: the design of the cluster, "Quorum"; sbd(8), "watch".
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any

from reconciler.daemon.config import SelfFencingConfig
from reconciler.daemon.log import say
from reconciler.daemon.watchdog_device import WatchdogDevice, WatchdogError
from reconciler.daemon.watchdog_record import ArmedWatchdog, WatchdogRecord
from reconciler.daemon.watchdog_terms import HEARD_S, WatchdogTerms, probed
from reconciler.daemon.watched_node import WatchedNode

_FED_EVERY_S = 1.0
_FED_WITHIN = 4
"""As often it is fed at the least in its time, where that is short."""
_AGAIN_S = 0.1
"""How soon it is tried anew whether it may be fed: who waits for its disk may be abreast in a moment."""
_OPEN_AGAIN_S = 5.0
_SHORTEST_S = 2
_NEVER_S = float("-inf")
_NO_MORE_S = float("inf")


class Watchdog:
    """The device of one daemon. `told` hears what becomes of it, and whether that is as it should be.

    `promise` hears what the others may count on: within how many milliseconds after this node was a member with quorum for the last time
    this machine is reset, if something runs here; 0 when nothing is promised. Without it nobody is there to whom it would be.
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
        promise: Callable[[int], None] | None = None,
    ) -> None:
        self._config = config
        self._record = record
        self._node = node
        self._told = told
        self._clock = clock
        self._open = open_device
        self._promise = promise
        self._path = config.watchdog
        """The configured device, or the one that was promised to reset this machine."""
        self._asked = WatchdogTerms(config.timeout_s, config.handover_s)
        self._terms: WatchdogTerms | None = None
        """What was promised in this start of the machine; the record has it, too."""
        self._promised_ms: int | None = None
        """What was told of it."""
        self._granted: WatchdogTerms | None = None
        """What the device has granted, and may be promised."""
        self._unpromised: str | None = None
        """Why nothing can be promised with this device."""
        self._device: WatchdogDevice | None = None
        self._timeout_s = 0
        self._until_s: float | None = None
        """Until when it is fed whatever the node says; None once the node was a member."""
        self._fires_by_s = _NEVER_S
        """Until when a device fires that a former daemon left armed and that was not opened."""
        self._open_at_s = _NEVER_S
        self._note_at_s = _NEVER_S
        self._noted = True
        self._starves: str | None = None
        self._unfed_s: float | None = None
        """Since when it is not fed."""
        self._said = False
        self._over = False
        self.trouble: str | None = None
        """What keeps it from being armed or fed, for the status."""
        self.kept: str | None = None
        """Which device or times are kept to though the configuration names others, until the others count on them no more."""
        self._uncounted_s: float | None = None
        """Since when they do not, as far as is known."""

    @property
    def armed_s(self) -> int | None:
        """After how long without being fed it resets the machine; None when it is not armed by us."""
        return None if self._device is None else self._timeout_s

    @property
    def timeout_s(self) -> int:
        """The time that is asked for, in seconds: no longer than what was promised."""
        return self._asked.timeout_s

    @property
    def needed(self) -> bool:
        """Whether there is a device to be fed, now or later."""
        return self._path is not None

    def document(self) -> dict[str, Any] | None:
        """What is told of the device, where one is armed."""
        if self._device is None:
            return None
        fed = self._unfed_s is None and self._starves is None
        within_s = self._promised_ms / 1000 if self._promised_ms else None
        why = None if within_s is not None else self._unpromised or self.trouble
        told = {"path": self._device.path, "timeout_s": self._timeout_s, "fed": fed}
        return told | {"resets_within_s": within_s, "unpromised": why}

    async def run(self) -> None:
        """Feed it, for ever."""
        while True:
            await asyncio.sleep(self.beat())

    def take_over(self) -> None:
        """What a former daemon left armed is fed from now on, or stopped where the configuration names it no longer.

        What was promised stands whatever that names, and is told here: so this comes before the node takes part.
        """
        left = self._record.read()
        if left is not None:
            self._resume(left)
        self._tell_promise()

    def beat(self) -> float:
        """One turn: arm it, feed it, or leave it alone; after how many seconds the next one is due."""
        if self._path is None or self._starves is not None or self._over:
            return _FED_EVERY_S
        if self._device is None:
            self._arm_if_wanted()
            self._tell_promise()
            return _FED_EVERY_S
        member = self._node.member
        if member and self._until_s is not None:
            self._until_s = None
            self._noted = False
        if self.kept is not None:
            self._take_back(self._device, member)
        elif member:
            self._vouch(self._device)
        if self.armed_s is None:
            return _AGAIN_S
        if not self._noted and self._clock() >= self._note_at_s:
            self._note()
        may = self._node.may_feed or (self._until_s is not None and self._clock() < self._until_s)
        self._say_whether(may)
        if may:
            self._feed(self._device)
        self._tell_promise()
        return min(_FED_EVERY_S, self._timeout_s / _FED_WITHIN) if may else _AGAIN_S

    def starve(self, why: str) -> int | None:
        """Never feed it again, and have it reset this machine soon; within how many seconds it does, None when it is not armed."""
        if self._starves is not None and self._device is not None:
            return self._timeout_s  # To tell it the time again would feed it.
        self._starves, self._until_s = why, self._clock()
        if self._path is None:
            return None
        if self._device is None and (fires_in_s := self._fires_by_s - self._clock()) > 0:
            self._note()
            return int(fires_in_s) + 1  # It runs already, and opening it would feed it.
        if self._device is None:
            self._arm()
        if self._device is None:
            return None
        if not self._note() and self._terms is not None:
            return self._timeout_s  # The next daemon may take it over: what is promised counts on no more than that.
        try:
            self._timeout_s = self._device.set_timeout(_SHORTEST_S)
        except WatchdogError as error:
            say(logging.ERROR, "the watchdog could not be hurried", reason=str(error))
        return self._timeout_s

    def end(self, *, in_order: bool, comes_back: bool) -> None:
        """The daemon is about to end. Who leaves something running leaves the device running: for a longer time when the end is `in_order`.

        Who has lost the quorum gets no longer time by that, and who does not come back as a member leaves none to the next daemon. Who runs
        nothing has it fed until the daemon has `ended`: something may begin yet.
        """
        device = self._device
        if device is None or (self._starves is None and not self._node.active):
            return
        self._device, self._over = None, True
        if self._starves is not None:
            device.leave()
        elif in_order and not self._is_lost:
            self._hand_over(device)
        else:
            if not (comes_back or in_order):
                self._until_s = self._clock()
                self._note()
            self._leave(device)

    def ended(self, *, in_order: bool, comes_back: bool) -> None:
        """Nothing can begin any more: who runs nothing stops the device."""
        self.end(in_order=in_order, comes_back=comes_back)
        device, self._device, self._over = self._device, None, True
        if device is not None:
            self._stop(device) if device.stops else self._hand_over(device)

    def renew(self) -> None:
        """The record may have been removed: leave word again. **Raises** OSError."""
        if self._device is not None:
            self._record.write(self._state)

    # What a former daemon has left

    def _resume(self, left: ArmedWatchdog) -> None:
        if left.starved is not None:
            self._path, self._starves, self._terms = left.path, left.starved, left.terms
            return
        if left.terms is None and left.path != self._config.watchdog:
            self._stop_former(left.path)
            return
        self._path, self._terms = left.path, left.terms
        wanted, self._asked = self._asked, self._asked.at_most(left.terms)
        if left.path != self._config.watchdog or wanted != self._asked:
            self._keep_to(left.path)
        self._bridge(left)

    def _keep_to(self, path: str) -> None:
        """The others count on a device and on times that the configuration does not name (any more)."""
        asked = self._asked
        self.kept = (
            f"{path} goes on guarding this machine, with timeout {asked.timeout_s} s and handover {asked.handover_s} s, whatever node.yaml"
            " says now: the other nodes were promised that, until most of them have heard that it is taken back"
        )
        say(logging.WARNING, self.kept)

    def _take_back(self, device: WatchdogDevice, member: bool) -> None:
        """What the configuration says counts once nobody counts on what was promised.

        Whoever is a member has been answered by most of the votes, lately: who has been one for longer than that since the promise is gone
        from the state knows that most of them have heard it, and no quorum without them does not.
        """
        now_s = self._clock()
        if not member or self._node.counted_on:
            self._uncounted_s = None
            return
        self._uncounted_s = now_s if self._uncounted_s is None else self._uncounted_s
        if now_s - self._uncounted_s <= HEARD_S:
            return
        say(logging.INFO, "the other nodes have heard that they can't count on the watchdog: it is as node.yaml says")
        self.kept = self._terms = None
        self._asked = WatchdogTerms(self._config.timeout_s, self._config.handover_s)
        if self._path == self._config.watchdog:
            self._set_back(device)
            self._note()
        elif device.stops:
            self._device, self._path = None, self._config.watchdog
            self._open_at_s = _NEVER_S
            self._stop(device)
        else:
            self._unpromised = f"{device.path} can't be stopped by its driver, and is fed until this machine boots"
            self._note()

    def _bridge(self, left: ArmedWatchdog) -> None:
        """For a while it is fed before it is known whether it may, in all by all daemons that follow each other without being members."""
        now_s, longest_s = self._clock(), self._asked.handover_s
        until_s = now_s + longest_s if left.until_s is None else min(left.until_s, now_s + longest_s)
        fresh = ArmedWatchdog(left.path, until_s, left.terms)
        if not (fresh == left or self._written(fresh)) and left.until_s is None:
            until_s = now_s  # The next one would take the same time again.
        self._until_s = until_s
        if now_s < until_s:
            self._arm()
        if self._device is None and left.terms is not None:
            self._fires_by_s = now_s + max(left.terms.timeout_s, left.terms.handover_s)

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

    # What is done with the device

    @property
    def _is_lost(self) -> bool:
        """Whether the node is no member, and not only while members come and go."""
        return not self._node.member and (self._said or self._until_s is not None)

    @property
    def _state(self) -> ArmedWatchdog:
        return ArmedWatchdog(self._path or "", self._until_s, self._terms, self._starves)

    def _arm_if_wanted(self) -> None:
        now_s = self._clock()
        if self._terms is not None and now_s > self._fires_by_s:
            self._withdraw("the device that was promised to reset this machine does not run")
        bridging = self._until_s is not None and now_s < self._until_s
        if (self._node.member or bridging) and now_s >= self._open_at_s:
            self._arm()

    def _withdraw(self, why: str) -> None:
        say(logging.ERROR, "the other nodes can't count on the watchdog any more", reason=why)
        self._terms = None
        self._record.clear()

    def _arm(self) -> None:
        path = self._path or ""
        self._open_at_s = self._clock() + _OPEN_AGAIN_S
        try:
            device = self._open(path)
        except WatchdogError as error:
            self._fail(str(error))
            return
        try:
            self._timeout_s = device.set_timeout(self._asked.timeout_s)
        except WatchdogError as error:
            self._open_at_s = _NO_MORE_S  # Opening it armed it: not again and again.
            self._fail(str(error))
            self._unable(device)
            return
        self._device, self.trouble = device, None
        if self._terms is not None and self._timeout_s > self._terms.timeout_s:
            self._until_s = self._clock()
            self._unpromised = f"{path} takes the time no longer that it took before"
            self._withdraw(self._unpromised)
        self._note()
        self._told(True, f"{path} ({device.name}) {self._what_it_does(device)}")

    def _unable(self, device: WatchdogDevice) -> None:
        """It can't be told its time: nobody has counted on it and it is stopped, or it resets this machine."""
        if self._terms is None:
            self._stop(device)
            return
        self._fires_by_s = self._clock() + max(self._terms.timeout_s, self._terms.handover_s)
        device.leave()

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
        """What runs here is guarded until the next daemon is there; where the device can't wait for so long, by nobody.

        Where that was promised it is left as it is then.
        """
        self._until_s = self._clock() + self._asked.handover_s
        if not self._note() and self._terms is not None:
            self._leave(device)
            return
        try:
            granted_s = device.set_timeout(self._asked.handover_s)
        except WatchdogError as error:
            self._fail(str(error))
            granted_s = 0 if device.stops else self._timeout_s
        if self._terms is not None and not self._asked.handover_s <= granted_s <= self._terms.handover_s:
            self._set_back(device)
            self._leave(device)
            return
        if granted_s < self._asked.handover_s and device.stops:
            say(logging.WARNING, "the watchdog can't wait for the next daemon, and is stopped", device=device.path)
            self._stop(device)
            return
        if granted_s != self._asked.handover_s:
            self._until_s = self._clock() + granted_s
            self._note()
        say(
            logging.WARNING,
            f"the watchdog resets this machine in {granted_s} s if no daemon is back",
            device=device.path,
        )
        device.leave()

    def _set_back(self, device: WatchdogDevice) -> None:
        try:
            self._timeout_s = device.set_timeout(self._asked.timeout_s)
        except WatchdogError as error:
            self._fail(str(error))

    def _leave(self, device: WatchdogDevice) -> None:
        text = f"something runs here, and the watchdog resets this machine in {self._timeout_s} s if no daemon feeds it"
        say(logging.WARNING, text, device=device.path)
        device.leave()

    # What the others may count on

    def _vouch(self, device: WatchdogDevice) -> None:
        """As a member: promise what this device keeps, once it is found out and written down; shorter times are promised anew."""
        if self._promise is None or self._clock() < self._note_at_s:
            return
        if self._terms is not None:
            self._agree(WatchdogTerms(self._timeout_s, self._asked.handover_s).at_most(self._terms))
        elif self._granted is not None:
            self._agree(self._granted)
        elif self._unpromised is None and not self._probe(device):
            say(logging.WARNING, "no node can count on this watchdog", reason=self._unpromised, device=device.path)

    def _agree(self, terms: WatchdogTerms) -> None:
        if terms != self._terms:
            former, self._terms = self._terms, terms
            self._terms = terms if self._note() else former

    def _probe(self, device: WatchdogDevice) -> bool:
        """Whether it takes the times that would be promised; `_unpromised` says why not."""
        try:
            self._granted = probed(device, self._asked, self._timeout_s)
        except WatchdogError as error:
            self._unpromised = str(error)
            with contextlib.suppress(WatchdogError):
                self._timeout_s = device.timeout_s
        return self._granted is not None

    def _tell_promise(self) -> None:
        holds = self.kept is None and (self._device is None or self.trouble is None)
        within_ms = self._terms.within_ms if self._terms is not None and holds else 0
        if self._promise is not None and within_ms != self._promised_ms:
            self._promised_ms = within_ms
            self._promise(within_ms)

    def _note(self) -> bool:
        """Whether a later daemon learns how things are; it is tried again where not."""
        self._noted = self._written(self._state)
        if not self._noted:
            self._note_at_s = self._clock() + _OPEN_AGAIN_S
        return self._noted

    def _written(self, armed: ArmedWatchdog) -> bool:
        try:
            self._record.write(armed)
        except OSError as error:
            say(logging.WARNING, "a later daemon will not learn how the watchdog is", reason=str(error))
            return False
        return True
