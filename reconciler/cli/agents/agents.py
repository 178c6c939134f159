"""List, describe and test resource agents.

An agent is written CLASS:[PROVIDER:]TYPE, as in a configuration: ocf:heartbeat:IPaddr2, systemd:nginx, stonith:fence_ipmilan.

`test` runs an agent through its whole life on this machine, so give it the parameters of a resource that nobody needs. It
refuses to touch one that is active. Exit codes: 0 every check passed, 1 some did not, or the agent can't be tested."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, assert_never

from reconciler.cli.options import UsageError, only_one
from reconciler.cli.terminal.printing import say
from reconciler.errors import ReconcilerError
from reconciler.frozen import frozen

if TYPE_CHECKING:
    from reconciler.agents.installed import Roots
    from reconciler.agents.suite import Check
    from reconciler.model.metadata import AgentMetadata, AgentParameter
    from reconciler.model.resource import Agent

_CLASSES = ("ocf", "stonith", "lsb", "systemd")


class AgentError(ReconcilerError):
    """The agent that was asked for can't be used."""

    code = "agent"


@frozen
class Listing:
    """Which agents are listed."""

    ocf_root: tuple[str, ...]
    json: bool
    standard: str | None
    provider: str | None

    def __post_init__(self) -> None:
        if self.standard not in (None, "ocf"):
            only_one((f"--class {self.standard}", True), ("--provider", self.provider))


@frozen
class Info:
    """The agent that is described."""

    ocf_root: tuple[str, ...]
    json: bool
    agent: str


@frozen
class Trial:
    """The agent that is tested, and the resource that it is given."""

    ocf_root: tuple[str, ...]
    json: bool
    agent: str
    parameters: tuple[str, ...]
    name: str
    timeout: str | None
    verbose: bool


Options = Listing | Info | Trial


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the three actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list the installed agents")
    listing.set_defaults(kind=Listing)
    listing.add_argument("--class", dest="standard", choices=_CLASSES, help="only agents of this class")
    listing.add_argument("--provider", help="only OCF agents of this provider")
    info = actions.add_parser("info", help="show what an agent says about itself")
    info.set_defaults(kind=Info)
    info.add_argument("agent", metavar="AGENT")
    test = actions.add_parser("test", help="run an agent through its life and check what it does")
    test.set_defaults(kind=Trial)
    test.add_argument("agent", metavar="AGENT", help="the agent, or the path of an OCF agent that is not installed")
    test.add_argument(
        "-o", "--option", dest="parameters", metavar="NAME=VALUE", action="append", default=[], help="a parameter"
    )
    test.add_argument("--name", default="reconciler-test", help="the resource's name (reconciler-test)")
    test.add_argument("--timeout", metavar="DURATION", help="for every action, instead of what the agent advises")
    test.add_argument("-v", "--verbose", action="store_true", help="show the checks that passed, too")
    for action in (listing, info, test):
        action.add_argument("--json", action="store_true", help="print JSON")
        action.add_argument(
            "--ocf-root", action="append", default=[], metavar="DIR", help="where OCF agents are (/usr/lib/ocf)"
        )


def run(options: Options) -> int:
    """Carry out one action."""
    match options:
        case Listing():
            return _list(options)
        case Info():
            return _info(options)
        case Trial():
            return _test(options)
        case _:
            assert_never(options)


def _list(options: Listing) -> int:
    from reconciler.agents.installed import installed

    agents = [str(agent) for agent in installed(_roots(options), options.standard, options.provider)]
    for line in [json.dumps(agents)] if options.json else agents:
        say(line)
    return 0


def _info(options: Info) -> int:
    from reconciler.agents.metadata import MetadataLookup

    agent = parse_agent(options.agent)
    metadata = MetadataLookup(_roots(options)).describe(agent)
    if metadata is None:
        raise _not_installed(agent, _roots(options))
    if options.json:
        print(_as_json(agent, metadata))
        return 0
    for line in _described(agent, metadata):
        say(line)
    return 0


def _test(options: Trial) -> int:
    import asyncio

    from reconciler.agents.executor import AgentRunner, RunnerSettings
    from reconciler.agents.metadata import MetadataLookup
    from reconciler.agents.suite import ActiveError, AgentSuite, Subject

    parameters, timeout_ms = _parameters(options.parameters), _timeout(options.timeout)
    with tempfile.TemporaryDirectory(prefix="reconciler-test-") as directory:
        os.chmod(directory, 0o755)
        agent, roots = _subject(options, directory)
        subject = Subject(agent, options.name, parameters)
        checks: list[Check] = []

        async def go() -> AgentSuite:
            runner = AgentRunner(RunnerSettings(os.uname().nodename, os.path.join(directory, "run"), roots))
            lookup = MetadataLookup(roots, os.path.join(directory, "cache"))
            suite = AgentSuite(runner, lookup, subject, _reporter(options, checks), timeout_ms)
            try:
                await suite.run()
            finally:
                runner.close()
            return suite

        try:
            suite = asyncio.run(go())
        except ActiveError:
            raise AgentError(f"{agent} is active with these parameters; testing would stop it") from None
    _conclude(options, agent, checks, suite.passed, suite.failed)
    return 1 if suite.failed else 0


def _reporter(options: Trial, checks: list[Check]) -> Any:
    """Keeps every check, and prints it as soon as it is done, unless JSON is asked for at the end."""
    from reconciler.agents.suite import CheckResult

    signs = {CheckResult.PASSED: "ok  ", CheckResult.FAILED: "FAIL", CheckResult.NOTE: "note"}

    def report(check: Check) -> None:
        checks.append(check)
        if not options.json and (options.verbose or check.verdict is not CheckResult.PASSED):
            say(f"{signs[check.verdict]}  {check.text}" + (f": {check.detail}" if check.detail else ""))
            sys.stdout.flush()

    return report


def _conclude(options: Trial, agent: Agent, checks: list[Check], passed: int, failed: int) -> None:
    if options.json:
        rows = [{"text": one.text, "verdict": one.verdict.value, "detail": one.detail} for one in checks]
        print(json.dumps({"agent": str(agent), "checks": rows, "passed": passed, "failed": failed}, sort_keys=True))
    elif failed:
        say(f"{agent} failed {failed} of {passed + failed} checks")
    else:
        say(f"{agent} passed all {passed} checks")


def parse_agent(text: str) -> Agent:
    """The agent that a text names. **Raises** UsageError."""
    from reconciler.model.resource import Agent

    parts = text.split(":")
    if len(parts) == 3 and parts[0] == "ocf" and all(parts):
        return Agent("ocf", parts[2], parts[1])
    standard, _, name = text.partition(":")
    if standard in ("stonith", "lsb", "systemd", "service") and name:
        return Agent(standard, name)
    raise UsageError(f"'{text}' names no agent: expected CLASS:[PROVIDER:]TYPE, as in ocf:heartbeat:IPaddr2")


def _subject(options: Trial, directory: str) -> tuple[Agent, Roots]:
    """The agent to test, and where it is; a path becomes an agent of the provider `path`."""
    from dataclasses import replace

    from reconciler.model.resource import Agent

    roots = _roots(options)
    if "/" not in options.agent:
        return parse_agent(options.agent), roots
    path = os.path.abspath(options.agent)
    if not os.path.isfile(path):
        raise AgentError(f"there is no file {path}")
    provider = os.path.join(directory, "ocf", "resource.d", "path")
    os.makedirs(provider)
    os.symlink(path, os.path.join(provider, os.path.basename(path)))
    own = os.path.join(directory, "ocf")
    return Agent("ocf", os.path.basename(path), "path"), replace(roots, ocf=(own, *roots.ocf))


def _roots(options: Options) -> Roots:
    from reconciler.agents.installed import Roots

    return Roots(ocf=tuple(os.path.abspath(root) for root in options.ocf_root)) if options.ocf_root else Roots()


def _parameters(options: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for option in options:
        name, separator, value = option.partition("=")
        if not separator or not name:
            raise UsageError(f"'{option}' is no parameter: expected NAME=VALUE")
        pairs[name] = value
    return pairs


def _timeout(text: str | None) -> int | None:
    from reconciler.model.duration import simple_ms

    milliseconds = simple_ms(text)
    if text is not None and not milliseconds:
        raise UsageError(f"'{text}' is no duration: expected a number with ms, s, m or h")
    return milliseconds


def _not_installed(agent: Agent, roots: Roots) -> AgentError:
    from reconciler.agents.installed import installed
    from reconciler.language.text.nearest import nearest

    near = nearest(str(agent), [str(one) for one in installed(roots)])
    return AgentError(f"{agent} is not installed here" + (f"; did you mean {near}?" if near is not None else ""))


def _as_json(agent: Agent, metadata: AgentMetadata) -> str:
    from dataclasses import asdict

    return json.dumps({"agent": str(agent), **asdict(metadata)}, sort_keys=True)


def _described(agent: Agent, metadata: AgentMetadata) -> Iterator[str]:
    yield f"{agent}" + (f" {metadata.version}" if metadata.version else "")
    yield from (line for line in (metadata.short_description,) if line)
    if metadata.long_description:
        yield ""
        yield from metadata.long_description.splitlines()
    if metadata.parameters:
        yield ""
        yield "parameters (* required):"
        for parameter in metadata.parameters.values():
            yield from _parameter_lines(parameter)
    if metadata.actions:
        yield ""
        yield "advised operations:"
    for action in metadata.actions:
        facts = (("timeout", action.timeout), ("interval", action.interval), ("role", action.role))
        words = [f"{name}={value}" for name, value in (*facts, ("depth", action.depth)) if value]
        yield f"  {action.name:14} {' '.join(words)}".rstrip()


def _parameter_lines(parameter: AgentParameter) -> Iterator[str]:
    facts = [parameter.type or "string"]
    facts += [f"default {parameter.default!r}"] if parameter.default else []
    facts += [f"one of {', '.join(parameter.values)}"] if parameter.values else []
    facts += [word for word in ("unique", "reloadable", "deprecated") if getattr(parameter, word)]
    facts += [f"use {', '.join(parameter.replaced_by)} instead"] if parameter.replaced_by else []
    yield f"  {parameter.name}{'*' if parameter.required else ''} ({'; '.join(facts)})"
    yield from (f"      {line.strip()}" for line in parameter.description.splitlines() if line.strip())
