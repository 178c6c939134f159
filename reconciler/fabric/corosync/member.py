"""A node's place in a cluster of several machines, over the corosync of its host.

Without corosync a node is alone, without quorum: it goes on caring for what runs, as its policy says, and comes back as somebody new as
soon as corosync is there. That corosync stands still counts as that, too: it answers no call, or does not deliver what it was given.
"""

from __future__ import annotations

import asyncio
import uuid
from time import monotonic

from reconciler.controller.membership.events import View
from reconciler.controller.quorum.votes import RingVerdict
from reconciler.fabric.corosync import assembly
from reconciler.fabric.corosync.assembly import Announce, AtRest, Deliver, Out, SendMark, ViewAssembly
from reconciler.fabric.corosync.events import NodesFaulty, NodesRead
from reconciler.fabric.corosync.link import CorosyncLink, FormingTime, LinkLost, LinkTold, LinkUp
from reconciler.fabric.corosync.window import Patience
from reconciler.fabric.embedded import FabricListener

_LOOK_S = 0.5
_ALONE_AFTER_S = 5.0
"""How long a view is awaited before this node takes itself for alone."""


class CorosyncFabric:
    """The fabric of a node of several machines. It lives in the running loop, and its calls to corosync in a thread."""

    kind = "corosync"

    def __init__(self, node: str) -> None:
        self.node = node
        self._apart: str | None = None
        self._faulty: str | None = None
        self._listener: FabricListener | None = None
        self._link: CorosyncLink | None = None
        self._known: ViewAssembly | None = None
        self._alone = False
        self._patience = Patience(_ALONE_AFTER_S)
        self._viewless_since_s = 0.0
        self._looking: asyncio.TimerHandle | None = None

    @property
    def trouble(self) -> str | None:
        """Why this node is not in the group, or what is wrong with corosync's node list, and what to do about it; None when all is well."""
        return self._apart or self._faulty

    def join(self, listener: FabricListener) -> None:
        """Become a member; from now on the listener is told."""
        self._listener = listener
        self._viewless_since_s = monotonic()
        self._loop = asyncio.get_running_loop()
        self._connect(self._link)
        self._look()

    def broadcast(self, data: bytes) -> None:
        """Send to all members of the view; while there is no cluster, to ourselves. Between two views there is nobody to send to."""
        if self._known is not None and self._known.view is not None and self._link is not None:
            self._link.send(assembly.message(data))
        elif self._alone and self._listener is not None:
            self._listener.delivered(self.node, data)

    def leave(self) -> None:
        """Be no member any more. The link ends by itself, and another one waits for that."""
        self._listener, self._known, self._alone = None, None, False
        if self._looking is not None:
            self._looking.cancel()
        if self._link is not None:
            self._link.close()

    def gone(self, within_s: float) -> None:
        """Wait until the group was left and the last words are sent, but no longer: a corosync that stands still takes neither."""
        if self._link is not None:
            self._link.wait(within_s)

    def _connect(self, before: CorosyncLink | None) -> None:
        self._known = None
        self._link = CorosyncLink(self.node, self._tell, before)

    def _tell(self, link: CorosyncLink, told: list[LinkTold]) -> None:
        """In the link's thread: what it was told is taken in by the loop."""
        self._loop.call_soon_threadsafe(self._take, link, told)

    def _take(self, link: CorosyncLink, told: list[LinkTold]) -> None:
        link.taken(told)
        if link is not self._link or self._listener is None:
            return
        for one in told:
            match one:
                case LinkUp(process):
                    self._known = ViewAssembly(process)
                    self._patience = Patience(_ALONE_AFTER_S)
                case FormingTime(seconds, asks_device):
                    self._patience.forming_s, self._patience.asks_device = seconds, asks_device
                case LinkLost(why, advice):
                    self._known = None
                    self._be_alone(why, advice)
                case NodesFaulty(why, advice):
                    self._faulty = (
                        f"corosync's node list was changed, and the one before counts: {_advised(why, advice)}"
                    )
                case _:
                    if isinstance(one, NodesRead):
                        self._faulty = None
                    self._step(link, one)
        self._step(link, AtRest())

    def _step(self, link: CorosyncLink, event: assembly.Event) -> None:
        """What was told after we are out is of a place that we have given up."""
        if self._known is None:
            return
        had_view = self._known.view is not None
        self._known, effects = assembly.step(self._known, event)
        if had_view and self._known.view is None:
            link.forget()
            self._viewless_since_s = monotonic()
        for effect in effects:
            self._carry_out(link, effect)

    def _carry_out(self, link: CorosyncLink, effect: assembly.Effect) -> None:
        listener = self._listener
        if listener is None:
            return
        match effect:
            case Announce(view):
                link.forget()
                self._alone, self._apart = False, None
                listener.view_changed(view)
            case Deliver(sender, data):
                listener.delivered(sender, data)
            case SendMark(base, names):
                link.send(assembly.mark(uuid.uuid4().hex, base, names))
            case Out(why, advice):
                self._known = None
                link.again_slowly()
                self._be_alone(why, advice)

    def _be_alone(self, why: str, advice: str) -> None:
        self._apart = f"this node is not in the cluster, and cares for what runs by itself: {_advised(why, advice)}"
        if not self._alone and self._listener is not None:
            self._alone = True
            own = (self.node,)
            self._listener.view_changed(View(uuid.uuid4().hex, own, RingVerdict(False, 1), own))

    def _look(self) -> None:
        """Once in a while: does corosync still answer?"""
        self._looking = self._loop.call_later(_LOOK_S, self._look)
        link, now_s = self._link, monotonic()
        if link is None:
            return
        if link.joined and self._patience.is_over(now_s, link.turned_s, link.owed_since_s):
            link.close()
            self._be_alone(
                "corosync does not answer", "see whether corosync runs on this host, and gets processor time"
            )
            self._connect(link)
            return
        has_view = self._known is not None and self._known.view is not None
        if not has_view and not self._alone and now_s - self._viewless_since_s > _ALONE_AFTER_S:
            self._be_alone("corosync has formed no ring yet", "see corosync-cfgtool -s and the log of corosync")


def _advised(why: str, advice: str) -> str:
    return f"{why} ({advice})" if advice else why
