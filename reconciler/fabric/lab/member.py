"""A node's side of the lab: it takes part in the sequencer's views as long as that is there.

Without it a node is alone, without quorum, and tries again every second: as one whose corosync has died.
"""

from __future__ import annotations

import asyncio
import uuid

from reconciler.controller.membership.events import View
from reconciler.controller.quorum.votes import RingVerdict
from reconciler.fabric.embedded import FabricListener
from reconciler.fabric.lab.sequencer import view_from_plain
from reconciler.fabric.lab.wire import LabError, frame, read_frame

_BEAT_S = 0.25
_AGAIN_S = 1.0


class LabFabric:
    """The fabric of a node in a lab, over the Unix socket of its supervisor. It lives in the running loop."""

    kind = "lab"

    def __init__(self, node: str, path: str) -> None:
        self.node = node
        self.path = path
        self._listener: FabricListener | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self._fencing: dict[int, asyncio.Future[str]] = {}
        self._asked = 0

    def join(self, listener: FabricListener) -> None:
        """Become a member; from now on the listener is told."""
        self._listener = listener
        self._task = asyncio.get_running_loop().create_task(self._stay())

    def broadcast(self, data: bytes) -> None:
        """Send to all members of the view; while there is no network, to ourselves."""
        if self._writer is not None:
            self._writer.write(frame({"is": "send"}, data))
        elif self._listener is not None:
            self._listener.delivered(self.node, data)

    def leave(self) -> None:
        """Be no member any more."""
        self._listener = None
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._disconnect()

    def gone(self, within_s: float) -> None:
        """The lab knows as soon as the socket is closed."""

    async def fence(self, target: str, action: str) -> str:
        """Have the lab's fence device do its work: an empty text, or why it failed. Raises LabError when there is no lab."""
        if self._writer is None:
            raise LabError("ask for fencing: the lab is not there")
        self._asked += 1
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._fencing[self._asked] = answer
        self._writer.write(frame({"is": "fence", "target": target, "action": action, "number": self._asked}))
        return await answer

    async def _stay(self) -> None:
        """Be connected, and alone while that can't be had."""
        alone = False
        while self._listener is not None:
            try:
                reader, self._writer = await asyncio.open_unix_connection(self.path)
                self._writer.write(frame({"is": "join", "node": self.node}))
                alone = False
                await self._listen(reader)
            except OSError:
                pass
            self._disconnect()
            if not alone and self._listener is not None:
                alone = True
                own = (self.node,)
                self._listener.view_changed(View(uuid.uuid4().hex, own, RingVerdict(False, 1), own))
            await asyncio.sleep(_AGAIN_S)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        beating = asyncio.get_running_loop().create_task(self._beat())
        try:
            while (found := await read_frame(reader)) is not None and (listener := self._listener) is not None:
                head, body = found
                match head:
                    case {"is": "view", "view": dict(plain)}:
                        listener.view_changed(view_from_plain(plain))
                    case {"is": "message", "sender": str(sender)}:
                        listener.delivered(sender, body)
                    case {"is": "fenced", "number": int(number), "why": str(why)}:
                        if (answer := self._fencing.pop(number, None)) is not None and not answer.done():
                            answer.set_result(why)
                    case _:
                        raise LabError(f"read a frame: {head['is'][:40]!r} is unknown")
        finally:
            beating.cancel()

    async def _beat(self) -> None:
        """Say that we live, as long as the loop turns."""
        while self._writer is not None:
            self._writer.write(frame({"is": "beat"}))
            await asyncio.sleep(_BEAT_S)

    def _disconnect(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
        lost, self._fencing = self._fencing, {}
        for answer in lost.values():
            if not answer.done():
                answer.set_result("the lab has gone")
