"""Which agents each member has: a plan is made on one machine, and what it wants may run on another.

Each daemon that is not alone tells it of its own machine some time after its start, and again when something was installed or removed, as a
node attribute (`#agents`), packed. Nothing is decided by it: what an agent that is missing comes to, its call tells.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import zlib
from typing import Any

from reconciler.agents.installed import Roots, agent_directories, installed
from reconciler.cib.observations import transient
from reconciler.controller.events import AttributesTold
from reconciler.daemon.shell import Shell, moment

ATTRIBUTE = "#agents"
_LARGEST_PACKED = 64 * 1024
_LARGEST = 512 * 1024


class AgentLists:
    """This node's part: it tells what is installed here, and knows what the others have told."""

    def __init__(self, shell: Shell, roots: Roots) -> None:
        self._shell = shell
        self._roots = roots
        self._state: tuple[int | None, ...] = ()
        self._packed: str | None = None

    async def look(self) -> None:
        """Tell what is installed, if others are there to hear it; what they know is not sent once more."""
        if len(self._shell.node.members) < 2:
            return
        state = await asyncio.to_thread(_state, self._roots)
        if state != self._state:
            names = await asyncio.to_thread(lambda: [str(agent) for agent in installed(self._roots)])
            self._state, self._packed = state, packed_names(names)
        self._shell.tell(AttributesTold(moment(), {ATTRIBUTE: self._packed}))

    def document(self) -> dict[str, Any]:
        """By node the agents that it has; who has not told is not in it."""
        cib = self._shell.node.replica.cib
        told = {state.name: transient(state).get(ATTRIBUTE) for state in cib.status.nodes}
        return {node: unpacked_names(text) for node, text in sorted(told.items()) if text}


def packed_names(names: list[str]) -> str | None:
    """Names as a short text; None where there are so many that it would be none."""
    packed = base64.b64encode(zlib.compress("\n".join(sorted(names)).encode(), 9)).decode()
    return packed if len(packed) <= _LARGEST_PACKED else None


def unpacked_names(text: str) -> list[str]:
    """The names that a text holds, whoever wrote it; none, where it holds none that can be read."""
    if len(text) > _LARGEST_PACKED:
        return []
    try:
        data = zlib.decompressobj().decompress(base64.b64decode(text, validate=True), _LARGEST)
        return [name for name in data.decode().split("\n") if name]
    except (binascii.Error, zlib.error, ValueError):
        return []


def _state(roots: Roots) -> tuple[int | None, ...]:
    """When something was last put into the directories of agents, or taken out."""
    return tuple(map(_changed_ns, agent_directories(roots)))


def _changed_ns(directory: str) -> int | None:
    try:
        return os.stat(directory).st_mtime_ns
    except OSError:
        return None
