"""The thread that talks to corosync: it connects, joins the group, hands on what is told, and sends.

Calls to corosync wait for as long as corosync stands still, so nothing else may depend on this thread.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable

from reconciler.fabric.corosync.assembly import BEAT
from reconciler.fabric.corosync.connection import Connection
from reconciler.fabric.corosync.events import Process, Received, Told
from reconciler.fabric.corosync.library import Corosync, CorosyncError
from reconciler.fabric.corosync.window import Window
from reconciler.frozen import frozen

GROUP = "reconciler"
_AGAIN_S = 1.0
_SLOW_AGAIN_S = 10.0
"""For what only an operator can mend: each attempt to join disturbs the others."""
_TURN_S = 0.5
_BUSY_S = 0.002
"""How soon what corosync did not take is tried again."""
_SENT_AT_ONCE = 64
_ASK_S = 1.0
"""How often corosync is asked how long it takes."""
MOST_UNTAKEN_BYTES = 64 * 1024 * 1024
"""What the loop has not taken in. Who stands still for so long leaves the group, instead of filling the memory."""


@frozen
class LinkUp:
    """We are in the group, as this process."""

    process: Process


@frozen
class FormingTime:
    """How long a ring may take to form without a lost host, and whether it asks a quorum device besides: told when the link is up, and
    when corosync runs with something else.
    """

    seconds: float
    asks_device: bool = False


@frozen
class LinkLost:
    """There is no connection: why, and what to do about it."""

    why: str
    advice: str


LinkTold = LinkUp | FormingTime | LinkLost | Told


class CorosyncLink:
    """A place in the group for as long as it can be had. `tell` is called in this thread, with what was told in its order."""

    def __init__(
        self, node: str, tell: Callable[[CorosyncLink, list[LinkTold]], None], before: CorosyncLink | None = None
    ) -> None:
        self.turned_s = time.monotonic()
        """When the thread last did something."""
        self.joined = False
        self._node = node
        self._tell = tell
        self._before = before
        self._window = Window()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._slow = False
        self._forming = FormingTime(0.0)
        self._untaken_bytes = 0
        self._wake: int | None = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="corosync", daemon=True)
        self._thread.start()

    @property
    def owed_since_s(self) -> float | None:
        """Since when something that was sent should have come back."""
        return self._window.owed_since_s

    def send(self, data: bytes) -> None:
        """Send to the group, when it can be."""
        with self._lock:
            self._window.put(data)
        self._rouse()

    def forget(self) -> None:
        """What has not been sent is of a view that is over."""
        with self._lock:
            self._window.forget()

    def again_slowly(self) -> None:
        """Leave the group, and come back after a while."""
        self._slow = True
        self._rouse()

    def close(self) -> None:
        """Leave the group, and end; nothing is told any more."""
        self._over.set()
        self._rouse()

    def taken(self, told: list[LinkTold]) -> None:
        """The loop has taken in what it was told."""
        with self._lock:
            self._untaken_bytes = max(0, self._untaken_bytes - _size(told))

    def wait(self, seconds: float | None) -> bool:
        """Wait until the thread has ended; whether it has."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _rouse(self) -> None:
        """Have the thread look at once; once it has ended, its descriptor may be somebody else's."""
        with self._lock:
            if self._wake is not None:
                os.eventfd_write(self._wake, 1)

    # In the thread

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        if self._before is not None:
            self._before.wait(None)
            self._before = None
        try:
            while not self._over.is_set():
                if self._untaken_bytes <= MOST_UNTAKEN_BYTES:  # Else a loop that stands still would be given even more.
                    self._try()
                self._over.wait(_SLOW_AGAIN_S if self._slow else _AGAIN_S)
                self._slow = False
        finally:
            with self._lock:
                descriptor, self._wake = self._wake, None
            if descriptor is not None:
                os.close(descriptor)

    def _try(self) -> None:
        """Be in the group until that ends."""
        try:
            connection = Connection(Corosync())
            try:
                connection.join(GROUP, self._node)
                self._window = Window()
                self.turned_s = time.monotonic()
                self._forming = FormingTime(connection.forming_s, connection.asks_device)
                self._say([LinkUp(connection.process), self._forming])
                self.joined = True
                self._serve(connection)
            finally:
                self.joined = False
                connection.close()
        except CorosyncError as error:
            self._say([LinkLost(str(error), error.advice)])
        except Exception as error:  # noqa: BLE001 - Whatever it is, nobody may go on believing that this node is in the group.
            self._say([LinkLost(f"a fault of this program: {type(error).__name__}: {error}", "")])

    def _serve(self, connection: Connection) -> None:
        poll, wake = select.poll(), self._wake
        if wake is None:
            raise AssertionError("the thread serves after its end")
        for descriptor in (*connection.descriptors, wake):
            poll.register(descriptor, select.POLLIN)
        refused, asked_s = False, self.turned_s
        while not (self._over.is_set() or self._slow):
            poll.poll(1000 * (_BUSY_S if refused or connection.unfinished else self._turn_s()))
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(wake)
            self.turned_s = time.monotonic()
            if told := connection.dispatch():
                self._take(told, connection.process)
                self._say(list(told))
                self._must_be_taken()
            refused = not self._send_waiting(connection)
            if self.turned_s - asked_s >= _ASK_S:
                asked_s = self.turned_s
                self._ask(connection)
        self._send_waiting(connection)  # The last words, as far as corosync takes them.

    def _turn_s(self) -> float:
        """How long the thread may wait: a beat is due on time."""
        beat_s = self._window.beat_in_s(time.monotonic())
        return _TURN_S if beat_s is None else min(beat_s, _TURN_S)

    def _take(self, told: list[Told], own: Process) -> None:
        """Note what comes, and what of ours came back."""
        for one in told:
            if not isinstance(one, Received):
                continue
            self._window.heard(self.turned_s)
            if one.sender == own:
                self._window.returned(self.turned_s)
            if one.data == BEAT:
                self._window.beaten(ours=one.sender == own)

    def _must_be_taken(self) -> None:
        """Raises CorosyncError when the loop has not taken in too much of what it was told."""
        if self._untaken_bytes > MOST_UNTAKEN_BYTES:
            raise CorosyncError(
                "take in what the group says: this node stood still, and has left the group",
                advice="see whether it gets processor time and memory",
            )

    def _ask(self, connection: Connection) -> None:
        """How long a ring takes depends on the nodelist and on what a reload has changed."""
        forming = FormingTime(connection.forming_s, connection.asks_device)
        if forming != self._forming:
            self._forming = forming
            self._say([forming])

    def _send_waiting(self, connection: Connection) -> bool:
        """Send what waits; whether corosync took all that it was given."""
        for _ in range(_SENT_AT_ONCE):
            with self._lock:
                data = self._window.next
            if data is None:
                break
            if not connection.send(data):
                return False
            with self._lock:
                self._window.took(data, time.monotonic())
        if self._window.beat_in_s(self.turned_s) == 0 and connection.send(BEAT):
            self._window.sent(len(BEAT), self.turned_s)
        return True

    def _say(self, told: list[LinkTold]) -> None:
        if self._over.is_set():
            return
        with self._lock:
            self._untaken_bytes += _size(told)
        self._tell(self, told)


def _size(told: list[LinkTold]) -> int:
    return sum(len(one.data) for one in told if isinstance(one, Received))
