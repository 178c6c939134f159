"""Carrying out fencing orders: by the fence agents of this node. How that went is the agent's word; what follows, the core decides.

Source: ClusterLabs, Fence Agent API; Pacemaker Explained, "Fencing" (pcmk_host_argument, pcmk_host_map, pcmk_ACTION_action).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from reconciler.analysis.fence_devices import port_of
from reconciler.controller.events import CallFenceAgent
from reconciler.daemon.device_tests import DeviceCall
from reconciler.daemon.log import say
from reconciler.model.metadata import AgentMetadata
from reconciler.model.operation import AgentCall, AgentResult, OperationStatus, ResultCode
from reconciler.model.resource import Agent

_METADATA_S = 5.0
"""How long an agent's description is waited for: a node that has to be fenced can't wait for an agent that hangs."""
_LONGEST_OUTPUT = 4000
_NO_ARGUMENT = "none"


class FenceAgents(Protocol):
    """What calls agents."""

    async def run(self, call: AgentCall) -> AgentResult:
        """Carry out one operation."""


Metadata = Callable[[Agent], Awaitable[AgentMetadata | None]]


class AgentFencing:
    """Fences by calling the agent that the device names, with the parameters of the device and the name that it has for the target."""

    def __init__(self, agents: FenceAgents, metadata: Metadata) -> None:
        self._agents = agents
        self._metadata = metadata

    async def __call__(self, call: CallFenceAgent) -> tuple[bool, str]:
        """Whether the device did what the order says, and if not why; what the agent printed is in the log."""
        order, device = call.order, call.order.step.device
        if call.agent is None:
            return False, f"{device} is not configured any more"
        parameters = {**call.parameters, **await self._target(call.agent, call.parameters, order.target)}
        result = await self._agents.run(
            AgentCall(device, call.agent, order.step.action, 0, order.timeout_ms, parameters)
        )
        succeeded = result.status is OperationStatus.DONE and result.code == ResultCode.OK
        level = logging.INFO if succeeded else logging.ERROR
        output = result.output.strip()[-_LONGEST_OUTPUT:]
        say(level, "a fence agent has ended", device=device, target=order.target, code=result.code, output=output)
        return succeeded, "" if succeeded else _why(result)

    async def test(self, call: DeviceCall) -> tuple[bool, str]:
        """Whether a device answers, and if not why. It is asked under another name than its own: nothing is started by it."""
        own = f"{call.device}:test"
        known = await self._described(call.agent) if call.lists else None
        lists = known is not None and known.action("list") is not None
        # To start a device is to ask its agent for its `monitor`.
        for action in ("start", "stop", "list") if lists else ("start", "stop"):
            result = await self._agents.run(AgentCall(own, call.agent, action, 0, call.timeout_ms, call.parameters))
            if result.status is not OperationStatus.DONE or result.code != ResultCode.OK:
                return False, _why(result)
        return True, ""

    async def _target(self, agent: Agent, parameters: Mapping[str, str], target: str) -> dict[str, str]:
        """The parameters that name the target. An agent that takes neither a port nor a plug fences just one node."""
        named = {"nodename": target}
        argument = parameters.get("pcmk_host_argument") or await self._argument(agent)
        if argument != _NO_ARGUMENT and argument not in parameters:
            named[argument] = port_of(parameters, target)
        return named

    async def _argument(self, agent: Agent) -> str:
        found = await self._described(agent)
        if found is None:
            return "port"
        return next((name for name in ("plug", "port") if name in found.parameters), _NO_ARGUMENT)

    async def _described(self, agent: Agent) -> AgentMetadata | None:
        try:
            async with asyncio.timeout(_METADATA_S):
                return await self._metadata(agent)
        except TimeoutError:
            return None


def _why(result: AgentResult) -> str:
    """The reason that was given, else the last thing that the agent said."""
    said = result.output.strip().rpartition("\n")[2].strip()
    return result.exit_reason or said or f"the agent ended with code {result.code}"
