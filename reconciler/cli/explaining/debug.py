"""Run one operation of a resource by hand, here and now, with the parameters that are in force: what the agent says is shown as it says it.

The cluster is not told: what it monitors it will notice. A start or promotion is refused where the resource would be active twice.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from typing import TYPE_CHECKING

from reconciler.analysis.by_hand import OPERATIONS
from reconciler.cli.node.client import Client, add_socket_argument
from reconciler.cli.terminal.printing import complain, say
from reconciler.errors import ReconcilerError
from reconciler.frozen import frozen

if TYPE_CHECKING:
    from reconciler.agents.executor import AgentRunner
    from reconciler.daemon.config import NodeConfig
    from reconciler.model.operation import AgentCall, AgentResult

REFUSED = 3
DEFAULT_CONFIG = "/etc/reconciler/node.yaml"
_GOOD = frozenset({0, 8, 190, 191})


class ActiveTwice(ReconcilerError):
    """It would make the resource active, or promoted, a second time; nothing was done."""

    code = "active-twice"
    exit_code = REFUSED


@frozen
class Options:
    """What the command line asks for."""

    resource: str
    operation: str
    trace: bool
    config: str | None
    json: bool
    socket: str | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("resource", help="a primitive of the active configuration")
    parser.add_argument("operation", choices=OPERATIONS, help="what its agent is to do")
    parser.add_argument("--trace", action="store_true", help="show each command of an agent that is a shell script")
    parser.add_argument(
        "--config", metavar="FILE", help=f"the node's configuration, for agents and secrets (default: {DEFAULT_CONFIG})"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    add_socket_argument(parser)


def run(options: Options) -> int:
    """Run it; 0 when the agent says that all is well, 1 when it does not."""
    import asyncio

    from reconciler.analysis.by_hand import call_of, refusal
    from reconciler.cli.planning.making import live
    from reconciler.model.date import Instant

    client = Client(options.socket)
    state = live(client, required=True)
    assert state is not None
    status, now = client.get("/v1/status"), Instant(int(time.time()))
    node = str(status["node"])
    call = call_of(state.cib, now, options.resource, node, options.operation)
    known_as = str(status.get("known_to_agents_as", {}).get(call.resource, call.resource))
    if (why := refusal(state.cib, now, options.resource, node, options.operation)) is not None:
        raise ActiveTwice(f"{options.operation} of {options.resource} is refused: {why}")
    result = asyncio.run(_carry_out(options, call, known_as, node))
    return _tell(options, call, node, result)


async def _carry_out(options: Options, call: AgentCall, known_as: str, node: str) -> AgentResult:
    """Call the agent; before a start it is asked whether the resource runs here already.

    As in the cluster, what was started under another name is called by that until its next start.
    """
    from reconciler.frozen import replace
    from reconciler.model.operation import OperationStatus

    with tempfile.TemporaryDirectory(prefix="reconciler-debug-") as directory:
        runner = _runner(options, directory, node)
        try:
            if call.operation == "start" and call.agent.standard != "stonith":
                found = await runner.run(replace(call, resource=known_as, operation="monitor"))
                if found.status is OperationStatus.DONE and found.code in _GOOD:
                    raise ActiveTwice(f"start of {options.resource} is refused: its agent says that it runs here")
            runner.trace = options.trace
            return await runner.run(call if call.operation == "start" else replace(call, resource=known_as))
        finally:
            runner.close()


def _runner(options: Options, directory: str, node: str) -> AgentRunner:
    """What calls agents as the node does: with its agents, their state, and its secrets."""
    from reconciler.agents.executor import AgentRunner, RunnerSettings, state_directory
    from reconciler.daemon.secrets import Secrets

    config = _config(options.config)
    settings = RunnerSettings(node, os.path.join(directory, "run"), cgroups=False)
    if config is None:
        return AgentRunner(settings)
    state = config.agent_state or state_directory(config.run)
    settings = RunnerSettings(
        node, os.path.join(directory, "run"), config.roots, state_directory=state, cgroups=False, bus=config.bus
    )
    return AgentRunner(settings, Secrets(config.secrets).resolve)


def _config(path: str | None) -> NodeConfig | None:
    from reconciler.daemon.config import read_config

    if path is None and not os.path.exists(DEFAULT_CONFIG):
        complain(
            f"reconciler: note: there is no {DEFAULT_CONFIG}: agents are looked for where they usually are (--config)"
        )
        return None
    return read_config(path or DEFAULT_CONFIG)


def _tell(options: Options, call: AgentCall, node: str, result: AgentResult) -> int:
    from reconciler.model.outcome import outcome_word

    outcome = outcome_word(result.code, int(result.status))
    if options.json:
        told = {
            "resource": options.resource,
            "operation": call.operation,
            "node": node,
            "agent": str(call.agent),
            "rc": result.code,
            "outcome": outcome,
            "exit_reason": result.exit_reason,
            "execution_ms": result.execution_ms,
            "output": result.output,
            "attributes": dict(result.attributes),
        }
        print(json.dumps(told, sort_keys=True))
    else:
        for line in result.output.splitlines():
            say(line)
        reason = f": {result.exit_reason}" if result.exit_reason else ""
        say(
            f"{options.resource} {call.operation} on {node}: {outcome} ({result.code}){reason}, {result.execution_ms} ms"
        )
        for name, value in sorted(result.attributes.items()):
            say(f"  it would set {name} to {value}" if value is not None else f"  it would delete {name}")
    return 0 if int(result.status) == 0 and result.code in _GOOD else 1
