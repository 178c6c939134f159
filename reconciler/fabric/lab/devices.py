"""The fence devices of a lab: all of them are the lab's own, whichever agents the configuration names.

A configuration that is tried out in a lab may be that of real machines, which must not lose their power by it.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from reconciler.controller.events import CallFenceAgent
from reconciler.fabric.lab.member import LabFabric
from reconciler.fabric.lab.wire import LabError
from reconciler.model.operation import AgentCall, AgentResult, ResultCode


class LabDevices(Protocol):
    """What calls agents."""

    async def run(self, call: AgentCall) -> AgentResult:
        """Carry out one operation."""


class LabFencing:
    """Fences by having the lab switch the target off, and on again."""

    def __init__(self, fabric: LabFabric) -> None:
        self._fabric = fabric

    async def __call__(self, call: CallFenceAgent) -> tuple[bool, str]:
        """Whether the lab did it, and if not why. Raises LabError when it is not there."""
        order = call.order
        try:
            async with asyncio.timeout(order.timeout_ms / 1000):
                why = await self._fabric.fence(order.target, order.step.action)
        except TimeoutError:
            return False, f"the lab's fence device did not answer within {order.timeout_ms} ms"
        return not why, why

    async def test(self, timeout_ms: int) -> tuple[bool, str]:
        """Whether the lab's device works, and if not why. Raises LabError when the lab is not there."""
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                why = await self._fabric.fence(self._fabric.node, "monitor")
        except TimeoutError:
            return False, f"the lab's fence device did not answer within {timeout_ms} ms"
        return not why, why

    async def itself(self, node: str) -> None:
        """Have the lab switch this node off and on again. Raises LabError when it is not there, or does not do it."""
        if failed := await self._fabric.fence(node, "reboot"):
            raise LabError(f"end this node: {failed}")


class LabAgents:
    """Calls agents, but none that fences: a device runs here from its start to its stop, and that is all."""

    def __init__(self, agents: LabDevices) -> None:
        self._agents = agents
        self._devices: set[str] = set()

    async def run(self, call: AgentCall) -> AgentResult:
        """Carry out one operation."""
        if call.agent.standard != "stonith":
            return await self._agents.run(call)
        match call.operation:
            case "start":
                self._devices.add(call.resource)
            case "stop":
                self._devices.discard(call.resource)
            case "monitor" if call.resource not in self._devices:
                return AgentResult(ResultCode.NOT_RUNNING)
        return AgentResult(ResultCode.OK)
