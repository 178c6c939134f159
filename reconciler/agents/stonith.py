"""Agents of class stonith: fence agents, which read `name=value` lines.

As a resource, a device "runs" where it was started: starting asks the agent whether it reaches the device, stopping only forgets it.
Which node is fenced by which devices, in which order, is not decided here.
Source: ClusterLabs, Fence Agent API.
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.agents.command import AgentCommand
from reconciler.agents.environment import base_environment
from reconciler.model.operation import AgentCall

_AGENT_ACTIONS = {"start": "monitor", "meta-data": "metadata"}
FENCING = frozenset({"on", "off", "reboot"})
"""What is done to a node: that waits for no operation of a resource."""
_FOR_THE_CLUSTER = "pcmk_"
"""Parameters that begin so tell the cluster how to use the device; the agent does not know them."""


def stonith_command(call: AgentCall, path: str, parameters: Mapping[str, str]) -> AgentCommand:
    """The fence agent's call: everything it needs comes by standard input, so that no process list shows a password."""
    action = _AGENT_ACTIONS.get(call.operation, call.operation)
    action = parameters.get(f"pcmk_{action}_action") or action
    pairs = {name: value for name, value in parameters.items() if not name.startswith(_FOR_THE_CLUSTER)}
    pairs |= {"action": action}
    content = "".join(f"{name}={value}\n" for name, value in sorted(pairs.items()))
    given = content.encode()
    ahead = call.operation in FENCING
    return AgentCommand((path,), base_environment(), call.timeout_ms, call.resource, given, call.operation, ahead)


def unreadable_parameters(parameters: Mapping[str, str]) -> list[str]:
    """The names of parameters that would not arrive as they are: a line end in a value starts another parameter."""
    return sorted(name for name, value in parameters.items() if "\n" in name + value or "=" in name)
