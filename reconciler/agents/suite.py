"""Whether an agent keeps the contract that a cluster relies on: it is run through its whole life and watched.

The checks are those that operators know from ocf-tester, and those on which decisions of a scheduler rest: starting and stopping
twice, honest monitors, roles, what is advertised and not there, refusing bad parameters.
Source: OCF Resource Agent API 1.1, "Actions", "Return codes", "Meta data".
"""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Callable, Mapping

from reconciler.agents.executor import AgentRunner
from reconciler.agents.installed import find
from reconciler.agents.metadata import MetadataLookup
from reconciler.agents.metadata_xml import MetadataError
from reconciler.frozen import frozen
from reconciler.model.duration import simple_ms
from reconciler.model.metadata import AgentMetadata
from reconciler.model.operation import AgentCall, AgentResult, OperationStatus, ResultCode
from reconciler.model.resource import Agent

_RECURRING_MS = 10_000
_NO_ACTION = "reconciler-no-such-action"
_REQUIRED_ACTIONS = ("start", "stop", "monitor", "meta-data")
_PARAMETER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNIMPLEMENTED = frozenset({ResultCode.UNIMPLEMENTED})
_OK = frozenset({ResultCode.OK})
_STOPPED = frozenset({ResultCode.NOT_RUNNING})
_PROMOTED = frozenset({ResultCode.PROMOTED})


class CheckResult(enum.Enum):
    """How a check ended; a note is neither good nor bad."""

    PASSED = "passed"
    FAILED = "failed"
    NOTE = "note"


@frozen
class Check:
    """One thing that was looked at, and what came of it."""

    text: str
    verdict: CheckResult
    detail: str = ""


class ActiveError(Exception):
    """The resource runs already: testing would stop what somebody may need."""


@frozen
class Subject:
    """What is tested: an agent with the parameters of a resource that must not be in use."""

    agent: Agent
    resource: str
    parameters: Mapping[str, str]


class AgentSuite:
    """Tests one agent; every check is reported as soon as it is done."""

    def __init__(
        self,
        runner: AgentRunner,
        lookup: MetadataLookup,
        subject: Subject,
        report: Callable[[Check], None],
        timeout_ms: int | None = None,
    ) -> None:
        """`timeout_ms` is for every action instead of what the agent advises."""
        self._runner = runner
        self._lookup = lookup
        self._subject = subject
        self._report = report
        self._timeout_ms = timeout_ms
        self._metadata: AgentMetadata | None = None
        self._started = False
        self.failed = 0
        self.passed = 0

    async def run(self) -> None:
        """Go through the agent's life; afterwards the resource is stopped, if the agent can be believed.

        **Raises** ActiveError when the resource runs already; nothing was done then but monitors.
        """
        if not self._describe():
            return
        if self._subject.agent.standard == "stonith":
            await self._try_device()
            return
        await self._refuse_active()
        try:
            await self._validate()
            if await self._live():
                await self._roles()
                await self._extras()
                await self._die()
        finally:
            if self._started:
                await self._run("stop")

    def _describe(self) -> bool:
        """The agent's file and its description."""
        agent = self._subject.agent
        path = find(agent, self._runner.settings.roots)
        if path is not None and agent.standard in ("ocf", "stonith"):
            mode = os.stat(path).st_mode & 0o777
            self._judge("the agent can be read and executed by all", mode & 0o555 == 0o555, f"mode {mode:o}")
        try:
            self._metadata = self._lookup.describe(agent)
        except MetadataError as error:
            return self._judge("the description can be read", False, str(error))
        if not self._judge("the agent is installed", self._metadata is not None):
            return False
        if agent.standard == "ocf":
            self._check_description()
        return True

    def _check_description(self) -> None:
        metadata = self._described
        advertised = {action.name for action in metadata.actions}
        name = self._subject.agent.type
        self._judge("the description names the agent", metadata.name == name, f"it says '{metadata.name}'")
        self._judge("it has a short and a long text", bool(metadata.short_description and metadata.long_description))
        missing = [action for action in _REQUIRED_ACTIONS if action not in advertised]
        self._judge("it advertises what every agent has", not missing, f"missing: {', '.join(missing)}")
        bad = [action.name for action in metadata.actions if simple_ms(action.timeout) is None]
        self._judge("each advertised action has a timeout", not bad, ", ".join(bad))
        odd = [one for one in metadata.parameters if not _PARAMETER_NAME.fullmatch(one)]
        self._judge("parameter names fit into an environment", not odd, ", ".join(odd))
        for left, right in (("promote", "demote"), ("migrate_to", "migrate_from")):
            both = (left in advertised) == (right in advertised)
            self._judge(f"{left} and {right} are advertised together or not at all", both)
        unknown = sorted(set(self._subject.parameters) - set(metadata.parameters))
        self._judge("the given parameters are the agent's", not unknown, f"unknown: {', '.join(unknown)}")

    async def _try_device(self) -> None:
        """A device is only asked: switching something off is no test."""
        await self._expect("start", _OK, "the device can be reached")
        await self._expect("monitor", _OK, "the device can be reached again")
        await self._run("stop")

    async def _refuse_active(self) -> None:
        result = await self._run("monitor")
        if result.status is OperationStatus.DONE and result.code in (ResultCode.OK, *_PROMOTED, 190, 191):
            raise ActiveError(self._subject.resource)
        self._check(result, _STOPPED, "a probe of what never ran says 'not running' (7)")

    async def _validate(self) -> None:
        if self._subject.agent.standard != "ocf":
            return
        if self._advertises("validate-all"):
            await self._expect("validate-all", _OK, "validate-all accepts the parameters")
            await self._validate_without_required()
        result = await self._run(_NO_ACTION)
        self._check(result, _UNIMPLEMENTED, "an action that does not exist is 'unimplemented' (3)")

    async def _validate_without_required(self) -> None:
        required = sorted(one.name for one in self._described.parameters.values() if one.required)
        for name in required:
            if name in self._subject.parameters:
                rest = {key: value for key, value in self._subject.parameters.items() if key != name}
                result = await self._run("validate-all", parameters=rest)
                self._judge(f"validate-all misses the required '{name}'", result.code != 0, _said(result))

    async def _live(self) -> bool:
        """Start, twice; False when there is nothing to go on with."""
        self._started = True
        if not await self._expect("start", _OK, "start succeeds"):
            return False
        running = await self._expect("monitor", _OK, "a monitor of what was started succeeds", _RECURRING_MS)
        await self._expect("monitor", _OK, "a probe of what was started succeeds")
        await self._expect("start", _OK, "starting what runs succeeds")
        await self._expect("monitor", _OK, "it runs on after that")
        return running

    async def _roles(self) -> None:
        if not self._advertises("promote"):
            if self._subject.agent.standard == "ocf":
                self._note("the agent does not support promotion")
            return
        await self._expect("demote", _OK, "demoting what is not promoted succeeds")
        result = await self._run("promote")
        self._check(result, _OK, "promote succeeds")
        if not any(name.startswith("master-") for name in result.attributes):
            self._note("promote sets no promotion score; without scores from elsewhere nothing is ever promoted")
        await self._expect("monitor", _PROMOTED, "a monitor of what is promoted says so (8)", _RECURRING_MS)
        await self._expect("promote", _OK, "promoting what is promoted succeeds")
        await self._expect("demote", _OK, "demote succeeds")
        await self._expect("monitor", _OK, "a monitor of what was demoted succeeds", _RECURRING_MS)

    async def _extras(self) -> None:
        for action in ("notify", "reload-agent", "reload"):
            if self._advertises(action):
                await self._expect(action, _OK, f"{action} succeeds")
        await self._expect("monitor", _OK, "it still runs", _RECURRING_MS)

    async def _die(self) -> None:
        await self._expect("stop", _OK, "stop succeeds")
        self._started = False
        await self._expect("monitor", _STOPPED, "a monitor of what was stopped says 'not running' (7)", _RECURRING_MS)
        await self._expect("stop", _OK, "stopping what is stopped succeeds")
        await self._expect("monitor", _STOPPED, "it is still stopped")

    async def _expect(self, operation: str, codes: frozenset[ResultCode], text: str, interval_ms: int = 0) -> bool:
        return self._check(await self._run(operation, interval_ms), codes, text)

    async def _run(
        self, operation: str, interval_ms: int = 0, parameters: Mapping[str, str] | None = None
    ) -> AgentResult:
        subject = self._subject
        given = subject.parameters if parameters is None else parameters
        call = AgentCall(
            subject.resource, subject.agent, operation, interval_ms, self._timeout_of(operation), dict(given)
        )
        return await self._runner.run(call)

    def _timeout_of(self, operation: str) -> int:
        action = self._described.action(operation)
        advised = simple_ms(action.timeout) if action is not None else None
        return self._timeout_ms or advised or 20_000

    @property
    def _described(self) -> AgentMetadata:
        return self._metadata or AgentMetadata(self._subject.agent.type)

    def _advertises(self, action: str) -> bool:
        return any(one.name == action for one in self._described.actions) and self._subject.agent.standard == "ocf"

    def _check(self, result: AgentResult, codes: frozenset[ResultCode], text: str) -> bool:
        good = result.status is OperationStatus.DONE and result.code in codes
        return self._judge(text, good, _said(result))

    def _judge(self, text: str, good: bool, detail: str = "") -> bool:
        self.passed += good
        self.failed += not good
        self._report(Check(text, CheckResult.PASSED if good else CheckResult.FAILED, "" if good else detail))
        return good

    def _note(self, text: str) -> None:
        self._report(Check(text, CheckResult.NOTE))


def _said(result: AgentResult) -> str:
    """What an unexpected result was."""
    try:
        name = f" ({ResultCode(result.code).name.lower().replace('_', ' ')})"
    except ValueError:
        name = ""
    status = "" if result.status is OperationStatus.DONE else f", {result.status.name.lower().replace('_', ' ')}"
    words = result.exit_reason or (result.output.strip().splitlines() or [""])[-1][:200]
    return f"code {result.code}{name}{status}" + (f": {words}" if words else "")
