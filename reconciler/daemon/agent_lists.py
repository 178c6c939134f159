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
from reconciler.controller.members import node_state
from reconciler.daemon.shell import Shell, moment

ATTRIBUTE = "#agents"
_FIRST_LOOK_S = 20.0
"""A start has better things to do."""
_LOOK_S = 60.0
_LARGEST_PACKED = 64 * 1024
_LARGEST = 512 * 1024


class AgentLists:
    """This node's part: it tells what is installed here, and knows what the others have told."""

    def __init__(self, shell: Shell, roots: Roots) -> None:
        self._shell = shell
        self._roots = roots
        self._told: tuple[int | None, ...] = ()

    async def run(self) -> None:
        """Look for changes, for ever."""
        await asyncio.sleep(_FIRST_LOOK_S)
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> None:
        """Tell what is installed, if others are there to hear it and it has changed since."""
        if len(self._shell.node.members) < 2:
            return
        state = await asyncio.to_thread(_state, self._roots)
        if state == self._told:
            return
        packed = await asyncio.to_thread(lambda: packed_names([str(agent) for agent in installed(self._roots)]))
        self._told = state
        self._shell.tell(AttributesTold(moment(), {ATTRIBUTE: packed}))

    def document(self) -> dict[str, Any]:
        """By node the agents that it has; who has not told is not in it."""
        cib = self._shell.node.replica.cib
        told = {state.name: transient(node_state(cib, state.name)).get(ATTRIBUTE) for state in cib.status.nodes}
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
