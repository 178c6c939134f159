"""The agent tester: sound agents pass, and each kind of broken contract is found by the check that is for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from reconciler.agents.executor import AgentRunner, RunnerSettings
from reconciler.agents.metadata import MetadataLookup
from reconciler.agents.suite import ActiveError, AgentSuite, Check, CheckResult, Subject
from reconciler.model.resource import Agent

SOUND = """
state="$HA_RSCTMP/$OCF_RESOURCE_INSTANCE.state"
metadata() { cat <<END
<resource-agent name="probe" version="1.0"><version>1.1</version><longdesc>long</longdesc><shortdesc>short</shortdesc>
<parameters><parameter name="needed" required="1"><content type="string"/></parameter></parameters>
<actions><action name="start" timeout="5s"/><action name="stop" timeout="5s"/><action name="monitor" timeout="5s"/>
<action name="promote" timeout="5s"/><action name="demote" timeout="5s"/>
<action name="meta-data" timeout="5s"/><action name="validate-all" timeout="5s"/></actions></resource-agent>
END
}
case $1 in
meta-data) metadata ;;
validate-all) [ -n "$OCF_RESKEY_needed" ] || exit 6 ;;
start) [ -e "$state" ] || echo 0 >"$state" ;;
stop) rm -f "$state" ;;
monitor) [ -e "$state" ] || exit 7; exit "$(cat "$state")" ;;
promote) [ -e "$state" ] || exit 7; echo 8 >"$state"; crm_attribute -p -v 1 ;;
demote) [ -e "$state" ] || exit 7; echo 0 >"$state" ;;
*) exit 3 ;;
esac
"""

Test = Callable[..., list[Check]]


@pytest.fixture
def try_out(settings: RunnerSettings, agent: Callable[..., Agent], tmp_path_factory: pytest.TempPathFactory) -> Test:
    """Tests the agent that a script makes; the failed checks."""

    def run(body: str, parameters: dict[str, str] | None = None) -> list[Check]:
        probe = agent(body)
        checks: list[Check] = []

        async def go() -> None:
            runner = AgentRunner(settings)
            lookup = MetadataLookup(settings.roots, str(tmp_path_factory.mktemp("cache")))
            subject = Subject(probe, "r", {"needed": "x"} if parameters is None else parameters)
            suite = AgentSuite(runner, lookup, subject, checks.append)
            await suite.run()
            assert suite.passed + suite.failed == sum(check.verdict is not CheckResult.NOTE for check in checks)

        asyncio.run(go())
        return [check for check in checks if check.verdict is CheckResult.FAILED]

    return run


def test_sound_agent_passes(try_out: Test) -> None:
    assert try_out(SOUND) == []


@pytest.mark.parametrize(
    ("right", "wrong", "text"),
    [
        ("monitor) [ -e", "monitor) exit 0; [ -e", None),
        ("exit 7; exit", "exit 1; exit", "a probe of what never ran says 'not running' (7)"),
        ("start) [ -e", 'start) [ ! -e "$state" ] || exit 1; [ -e', "starting what runs succeeds"),
        ('stop) rm -f "$state"', 'stop) rm "$state"', "stopping what is stopped succeeds"),
        ('stop) rm -f "$state"', "stop) exit 0", "a monitor of what was stopped says 'not running' (7)"),
        ("*) exit 3", "*) exit 0", "an action that does not exist is 'unimplemented' (3)"),
        ("|| exit 6", "|| exit 0", "validate-all misses the required 'needed'"),
        ("echo 8", "echo 0", "a monitor of what is promoted says so (8)"),
        ("promote) [", "promote) exit 3; [", "promote succeeds"),
        ("demote) [", 'demote) [ "$(cat "$state")" = 8 ] || exit 1; [', "demoting what is not promoted succeeds"),
        ("start) [", "start) sleep 60; [", "start succeeds"),
        ('<action name="promote" timeout="5s"/>', "", "promote and demote are advertised together or not at all"),
        ('name="start" timeout="5s"', 'name="start"', "each advertised action has a timeout"),
        ('<action name="monitor" timeout="5s"/>', "", "it advertises what every agent has"),
        ('name="probe"', 'name="other"', "the description names the agent"),
        ("<longdesc>long</longdesc>", "", "it has a short and a long text"),
        ('name="needed" required="1"', 'name="nee-ded"', "parameter names fit into an environment"),
        ("</resource-agent>", "", "the description can be read"),
        ("meta-data) metadata", "meta-data) metadata; exit 1", "the description can be read"),
    ],
)
def test_each_broken_promise_is_found(try_out: Test, right: str, wrong: str, text: str | None) -> None:
    body = SOUND.replace(right, wrong, 1)
    assert body != SOUND
    if text is None:
        with pytest.raises(ActiveError):
            try_out(body)
        return
    failed = try_out(body)
    assert text in [check.text for check in failed]
    assert all(
        check.detail
        for check in failed
        if check.text == text and "advertised together" not in text and "texts" not in text and "text" not in text
    )


def test_unknown_parameter_is_found(try_out: Test) -> None:
    (failed,) = try_out(SOUND, {"needed": "x", "surplus": "1"})
    assert failed.detail == "unknown: surplus"


def test_resource_is_stopped_even_when_its_monitor_lies(try_out: Test, settings: RunnerSettings) -> None:
    body = SOUND.replace('monitor) [ -e "$state" ] || exit 7; exit "$(cat "$state")"', "monitor) exit 7")
    assert try_out(body)
    from pathlib import Path

    assert list(Path(settings.state_directory or "").iterdir()) == []
