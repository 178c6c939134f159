"""Agents of class ocf: one program for each, told by its environment, answering by its exit code.

Source: OCF Resource Agent API 1.1.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from reconciler.agents.command import AgentCommand
from reconciler.agents.environment import base_environment, ocf_environment
from reconciler.agents.installed import OWN_PROVIDER, Roots, ocf_root
from reconciler.model.operation import AgentCall


def ocf_command(
    call: AgentCall, path: str, roots: Roots, node: str, parameters: Mapping[str, str], extra: Mapping[str, str]
) -> AgentCommand:
    """The command line and environment of one call; `extra` are variables that the machine, not the call, decides."""
    environment = base_environment(extra.get("HA_SBIN_DIR"))
    environment |= extra
    environment |= ocf_environment(call, parameters, ocf_root(path, roots), node)
    return AgentCommand(agent_argv(call, path), environment, call.timeout_ms, call.resource, operation=call.operation)


def agent_argv(call: AgentCall, path: str) -> tuple[str, ...]:
    """How the agent is started: our own are shell scripts that need no permission to be executed."""
    if call.agent.provider == OWN_PROVIDER and not os.access(path, os.X_OK):
        return ("/bin/sh", path, call.operation)
    return (path, call.operation)
