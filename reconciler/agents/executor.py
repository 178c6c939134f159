"""The one entry to agents: an `AgentCall` goes in, an `AgentResult` comes out, whatever happens in between.

Used by the daemon's loop for every operation, and by `reconciler agents test` for one after the other.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from functools import partial

from reconciler.agents.attributes import MOST_NAMES, AttributeChanges, AttributeJournals
from reconciler.agents.cgroup import delegated_tree
from reconciler.agents.command import AgentCommand
from reconciler.agents.installed import Roots, find
from reconciler.agents.launch import Limits
from reconciler.agents.lsb import lsb_command
from reconciler.agents.ocf import ocf_command
from reconciler.agents.process import ProcessRunner
from reconciler.agents.redaction import Redaction
from reconciler.agents.results import LONGEST_REASON, failure, lsb_result, ocf_result
from reconciler.agents.stonith import stonith_command, unreadable_parameters
from reconciler.agents.systemd import SystemdUnits
from reconciler.agents.tracing import traced
from reconciler.frozen import field, frozen, replace
from reconciler.model.attributes import secret_name
from reconciler.model.duration import DEFAULT_TIMEOUT_MS
from reconciler.model.operation import AgentCall, AgentResult, OperationStatus, ResultCode

SecretResolver = Callable[[str], str | None]
"""From a secret's name to its value, None when this node can't tell. Called in a thread; must not raise."""

NO_SECRET = "this node can't tell the secret"
"""How the reason of a result begins for which a secret was missing."""
_NODE_MARK = "RECONCILER_RESOURCE"
_WITHOUT_SECRETS = frozenset({"monitor", "demote", "stop", "meta-data"})
"""What is carried out although a secret can't be told: what runs is to be found, and must not keep running for want of a password."""
_RUNS = frozenset({0, 8, 190, 191})
"""Answers of a monitor that count although it was called without a secret: any other may be for want of that."""
SYSTEM_STATE = "/run/resource-agents"


@frozen
class RunnerSettings:
    """What the node's own configuration says about running agents.

    `run_directory` is private to this daemon and need not survive a reboot. `state_directory` is where agents keep their state
    (HA_RSCTMP); None means the system's own where we may write there, else one below `run_directory`. `limit` bounds how many
    agents run at a time. `cgroups` False leaves control groups alone even where one is delegated. `bus` is the address of the
    D-Bus that systemd is on, None for the system's. `limits` are those of what is started, where they are not our own.
    """

    node: str
    run_directory: str
    roots: Roots = field(default_factory=Roots)
    state_directory: str | None = None
    limit: int | None = None
    cgroups: bool = True
    bus: str | None = None
    limits: Limits = field(default_factory=Limits)


class AgentRunner:
    """Runs operations of resources on this node."""

    def __init__(self, settings: RunnerSettings, resolve_secret: SecretResolver | None = None) -> None:
        """Create what agents need below the run directory. **Raises** OSError when it can't be written."""
        os.makedirs(settings.run_directory, mode=0o755, exist_ok=True)
        self.settings = settings
        self.cgroups = delegated_tree(settings.node, settings.run_directory) if settings.cgroups else None
        self.processes = ProcessRunner(
            settings.limit, self.cgroups, directory=settings.run_directory, limits=settings.limits
        )
        self.shortage = self.processes.shortage
        self.attributes = AttributeJournals(settings.run_directory)
        self._resolve = resolve_secret or _no_secret
        self._state = settings.state_directory or state_directory(settings.run_directory)
        os.makedirs(self._state, exist_ok=True)
        self._units = SystemdUnits(settings.bus, self.shortage)
        self._devices: set[str] = set()
        self.trace = False
        """Whether each command of agents that are shell scripts is shown in their output."""
        self.lacking: dict[str, tuple[str, ...]] = {}
        """By resource: the secrets that its last call needed and this node could not tell."""
        if self.cgroups is not None:
            self.cgroups.sweep()

    async def run(self, call: AgentCall) -> AgentResult:
        """Carry out one operation. Ends at the latest a grace and two seconds after its deadline; raises only if cancelled."""
        if call.timeout_ms <= 0:
            call = replace(call, timeout_ms=DEFAULT_TIMEOUT_MS)
        parameters, missing = await self._with_secrets(call)
        self._note_lack(call, missing)
        if missing and call.operation not in _WITHOUT_SECRETS:
            return _without_secrets(missing)
        result = _redacted(await self._dispatch(call, parameters), _secrets(call, parameters))
        runs = result.status is OperationStatus.DONE and result.code in _RUNS
        if not missing or call.operation != "monitor" or runs:
            return result
        return replace(result, status=OperationStatus.NO_SECRETS, exit_reason=_reason(missing))

    def _note_lack(self, call: AgentCall, missing: list[str]) -> None:
        if missing and call.operation not in ("stop", "meta-data"):
            self.lacking[call.resource] = tuple(missing)
        elif call.operation != "meta-data":
            self.lacking.pop(call.resource, None)

    def close(self) -> None:
        """Give up connections. What runs goes on running."""
        self._units.close()
        if self.processes.calls is not None:
            self.processes.calls.close()
        if self.cgroups is not None:
            self.cgroups.close()

    @property
    def whole(self) -> bool:
        """Whether what agents need below the run directory is there."""
        return self.attributes.whole and (self.processes.calls is None or os.path.exists(self.processes.calls.path))

    def renew(self) -> None:
        """Make what agents need below the run directory anew, where it was removed. **Raises** OSError."""
        os.makedirs(self.settings.run_directory, mode=0o755, exist_ok=True)
        os.makedirs(self._state, exist_ok=True)
        if self.processes.calls is not None:
            self.processes.calls.renew()
        self.attributes.renew()

    def mark(self, resource: str) -> str:
        """The `NAME=value` that every process of the resource carries in its environment, unless it dropped it itself."""
        return f"{_NODE_MARK}={self.settings.run_directory}/{resource}"

    async def _dispatch(self, call: AgentCall, parameters: Mapping[str, str]) -> AgentResult:
        match call.agent.standard:
            case "ocf":
                return await self._run_ocf(call, parameters)
            case "lsb":
                return await self._run_lsb(call)
            case "systemd":
                return await self._units.run(call)
            case "service":
                return await self._run_service(call)
            case "stonith":
                return await self._run_stonith(call, parameters)
            case other:
                return _not_installed(f"there is no agent class '{other}'")

    async def _run_ocf(self, call: AgentCall, parameters: Mapping[str, str]) -> AgentResult:
        path = find(call.agent, self.settings.roots)
        if path is None:
            return _not_installed(f"agent {call.agent} is not installed")
        journal = self.attributes.environment()
        extra = journal | {"HA_RSCTMP": self._state} | self._marked(call.resource)
        command = ocf_command(call, path, self.settings.roots, self.settings.node, parameters, extra)
        if self.trace:
            argv = traced(command.argv)
            if argv is None:
                return failure(ResultCode.UNIMPLEMENTED, f"{path} is no shell script: it can't be traced")
            command = replace(command, argv=argv)
        ended = await self.processes.run(command)
        return await self._with_attributes(ocf_result(ended, call.timeout_ms), journal)

    async def _with_attributes(self, result: AgentResult, journal: Mapping[str, str]) -> AgentResult:
        """The result with the node attributes that the agent set; what it did counts even when those can't be read."""
        try:
            changes = await self.shortage.outlast(partial(self._collected, journal))
        except OSError as error:
            return _with_reason(result, f"the node attributes that it set are lost: {error.strerror}")
        if changes.refused:
            few = f"{len(changes.refused)} more that it set were not taken"
            result = _with_reason(result, f"this node has {MOST_NAMES} node attributes: {few}")
        if not changes.values:
            return result
        return replace(result, attributes=changes.values, delays_ms=changes.delays_ms)

    async def _collected(self, journal: Mapping[str, str]) -> AttributeChanges:
        return self.attributes.collect(journal)

    async def _run_lsb(self, call: AgentCall) -> AgentResult:
        path = find(call.agent, self.settings.roots)
        if path is None:
            return _not_installed(f"init script {call.agent.type} is not installed")
        command = lsb_command(call, path)
        if command is None:
            return _unimplemented(call)
        ended = await self.processes.run(self._with_mark(command, call.resource))
        return lsb_result(ended, call.operation, call.timeout_ms)

    async def _run_service(self, call: AgentCall) -> AgentResult:
        """An init script where there is one, else a systemd unit."""
        script = replace(call.agent, standard="lsb")
        if find(script, self.settings.roots) is not None:
            return await self._run_lsb(replace(call, agent=script))
        return await self._units.run(replace(call, agent=replace(call.agent, standard="systemd")))

    async def _run_stonith(self, call: AgentCall, parameters: Mapping[str, str]) -> AgentResult:
        if call.operation == "stop":
            self._devices.discard(call.resource)
            return AgentResult(ResultCode.OK)
        if call.operation == "monitor" and call.resource not in self._devices:
            return AgentResult(ResultCode.NOT_RUNNING)
        path = find(call.agent, self.settings.roots)
        if path is None:
            return _not_installed(f"fence agent {call.agent.type} is not installed")
        if unreadable := unreadable_parameters(parameters):
            reason = f"a fence agent can't be given a line end or '=': {', '.join(unreadable)}"
            return failure(ResultCode.INVALID_PARAMETER, reason)
        ended = await self.processes.run(stonith_command(call, path, parameters))
        result = ocf_result(ended, call.timeout_ms)
        if call.operation == "start" and result.code == ResultCode.OK and result.status is OperationStatus.DONE:
            self._devices.add(call.resource)
        return result

    async def _with_secrets(self, call: AgentCall) -> tuple[dict[str, str], list[str]]:
        """The parameters with secrets resolved, and the names of those that this node can't resolve."""
        names = {name: secret for name, value in call.parameters.items() if (secret := secret_name(value)) is not None}
        if not names:
            return dict(call.parameters), []
        # In a thread: a provider may ask a program, and the loop must not wait for that.
        known = await asyncio.to_thread(
            lambda: {secret: self._resolve(secret) for secret in sorted(set(names.values()))}
        )
        given = {name: known[names[name]] if name in names else value for name, value in call.parameters.items()}
        missing = sorted(secret for secret, value in known.items() if value is None)
        return {name: value for name, value in given.items() if value is not None}, missing

    def _marked(self, resource: str) -> dict[str, str]:
        name, _, value = self.mark(resource).partition("=")
        return {name: value}

    def _with_mark(self, command: AgentCommand, resource: str) -> AgentCommand:
        return replace(command, environment={**command.environment, **self._marked(resource)})


def _secrets(call: AgentCall, parameters: Mapping[str, str]) -> Redaction:
    """What of the call must not be shown."""
    return Redaction(
        parameters[name] for name, value in call.parameters.items() if secret_name(value) and name in parameters
    )


def _redacted(result: AgentResult, secrets: Redaction) -> AgentResult:
    """The result without the values of secrets, which a tracing agent prints, and one that sets an attribute may tell everybody."""
    attributes = {name: None if value is None else secrets.text(value) for name, value in result.attributes.items()}
    reason = secrets.beginning(result.exit_reason, LONGEST_REASON)
    return replace(result, output=secrets.text(result.output), exit_reason=reason, attributes=attributes)


def _without_secrets(missing: list[str]) -> AgentResult:
    return failure(ResultCode.NOT_CONFIGURED, _reason(missing), OperationStatus.NO_SECRETS)


def _reason(missing: list[str]) -> str:
    return f"{NO_SECRET} {', '.join(missing)}"


def _no_secret(_name: str) -> None:
    return None


def state_directory(run_directory: str) -> str:
    """Where agents keep their state unless the node's configuration says otherwise."""
    if os.geteuid() == 0 or os.access(SYSTEM_STATE, os.W_OK):
        return SYSTEM_STATE
    return os.path.join(run_directory, "resource-agents")


def _with_reason(result: AgentResult, more: str) -> AgentResult:
    return replace(result, exit_reason=f"{result.exit_reason}; {more}" if result.exit_reason else more)


def _not_installed(reason: str) -> AgentResult:
    return failure(ResultCode.NOT_INSTALLED, reason, OperationStatus.NOT_INSTALLED)


def _unimplemented(call: AgentCall) -> AgentResult:
    return failure(ResultCode.UNIMPLEMENTED, f"agents of class {call.agent.standard} have no action '{call.operation}'")
