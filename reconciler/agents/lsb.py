"""Agents of class lsb: init scripts, which know neither parameters nor roles.

Source: LSB Core, "Init script actions".
"""

from __future__ import annotations

from reconciler.agents.command import AgentCommand
from reconciler.agents.environment import base_environment
from reconciler.model.operation import AgentCall

_ACTIONS = {
    "start": "start",
    "stop": "stop",
    "monitor": "status",
    "status": "status",
    "reload": "reload",
    "reload-agent": "reload",
}


def lsb_command(call: AgentCall, path: str) -> AgentCommand | None:
    """The init script's command line; None for an operation that init scripts do not have."""
    action = _ACTIONS.get(call.operation)
    if action is None:
        return None
    return AgentCommand((path, action), base_environment(), call.timeout_ms, call.resource, operation=call.operation)
