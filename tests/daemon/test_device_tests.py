"""Whether fence devices answer: what is kept of it, what is asked of an agent, and that no machine is ever switched off by it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reconciler.agents.executor import AgentRunner, RunnerSettings
from reconciler.agents.installed import Roots
from reconciler.analysis.fence_devices import lists_its_hosts
from reconciler.daemon.device_record import MOST_DEVICES, DeviceAnswer, DeviceRecord, read_devices
from reconciler.daemon.device_tests import DeviceCall, DeviceQuestion, DeviceTests, question_of
from reconciler.daemon.fencing import AgentFencing
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration
from reconciler.model.metadata import AgentAction, AgentMetadata
from reconciler.model.resource import Agent, Primitive

AGENT = Agent("stonith", "fence_test")


# What is kept.


def test_the_last_success_outlives_failures_and_the_process(tmp_path: Path) -> None:
    path = str(tmp_path / "record")
    record = DeviceRecord(path)
    assert record.devices == {}
    record.note("power", True, 100, "")
    record.note("power", False, 200, "no\n route " + "x" * 500)
    record.note("gone", True, 200, "")
    record.note("other", False, 300, "never")
    record.keep({"power", "other"})
    known = DeviceRecord(path).devices
    assert known["other"] == DeviceAnswer(False, 300, None, "never")
    assert (known["power"].works, known["power"].at_s, known["power"].success_s) == (False, 200, 100)
    assert known["power"].why.startswith("no route xxx")
    assert len(known["power"].why) == 160
    assert sorted(known) == ["other", "power"], "what is not configured any more is forgotten"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "1",
        "[" * 100_000,
        '{"power": {"works": 1, "at": 1, "success_at": null, "why": ""}}',
        '{"power": {"works": true, "at": -1, "success_at": null, "why": ""}}',
        '{"power": {"works": true, "at": 1e400, "success_at": null, "why": ""}}',
        '{"power": {"works": true, "at": 1, "success_at": "2", "why": ""}}',
        json.dumps({f"d{i}": {"works": True, "at": 1, "success_at": 1, "why": ""} for i in range(MOST_DEVICES + 1)}),
        json.dumps({"power": {"works": True, "at": 1, "success_at": 1, "why": "x" * 300_000}}),
    ],
)
def test_what_can_not_be_read_is_as_never_tested(tmp_path: Path, text: str) -> None:
    assert read_devices(text) == {}
    (tmp_path / "record").write_text(text)
    assert DeviceRecord(str(tmp_path / "record")).devices == {}


# What is asked.


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "1",
        '{"id": "a", "nodes": [1], "devices": []}',
        '{"id": "a", "nodes": "n1", "devices": []}',
        json.dumps({"id": "a", "nodes": ["n"] * 65, "devices": []}),
        json.dumps({"id": "a" * 70_000, "nodes": [], "devices": []}),
    ],
)
def test_what_is_no_question_is_not_answered(value: object) -> None:
    assert question_of(value) is None


def test_a_question_names_nodes_and_devices() -> None:
    told = question_of('{"id": "a", "nodes": ["n1"], "devices": ["power"]}')
    assert told == DeviceQuestion("a", ("n1",), ("power",))


@pytest.mark.parametrize(
    ("params", "lists"),
    [
        ({}, True),
        ({"pcmk_host_check": "dynamic-list", "pcmk_host_list": "n1"}, True),
        ({"pcmk_host_list": "n1"}, False),
        ({"pcmk_host_map": "n1:1"}, False),
        ({"pcmk_host_check": "none"}, False),
        ({"pcmk_host_check": "status"}, False),
    ],
)
def test_who_is_asked_for_its_hosts(params: dict[str, str], lists: bool) -> None:
    assert lists_its_hosts(Configuration(), Primitive("power", AGENT, params=plain(params))) is lists


@pytest.fixture
def runner_settings(tmp_path: Path) -> RunnerSettings:
    (tmp_path / "sbin").mkdir()
    roots = Roots(ocf=(), lsb=(), stonith=(str(tmp_path / "sbin"),))
    return RunnerSettings("n2", str(tmp_path / "run"), roots, str(tmp_path / "state"), limit=1, cgroups=False)


def tried(
    settings: RunnerSettings, tmp_path: Path, script: str, *, lists: bool = False, timeout_ms: int = 20_000
) -> tuple[bool, str, list[str]]:
    """Whether the device works, why not, and what its agent was asked to do."""
    program = Path(settings.roots.stonith[0]) / "fence_test"
    asked = tmp_path / "asked"
    program.write_text(f'#!/bin/sh\ntold=$(cat)\necho "$told" | grep ^action= >> {asked}\n{script}\n')
    program.chmod(0o755)

    async def known(_: Agent) -> AgentMetadata | None:
        return AgentMetadata("fence_test", actions=(AgentAction("list"), AgentAction("off")))

    async def go() -> tuple[bool, str]:
        runner = AgentRunner(settings)
        try:
            call = DeviceCall("power", AGENT, {"ip": "10.0.0.9", "pcmk_host_list": "n1"}, lists, timeout_ms)
            return await AgentFencing(runner, known).test(call)
        finally:
            runner.close()

    works, why = asyncio.run(go())
    return works, why, asked.read_text().splitlines() if asked.exists() else []


def test_a_device_that_answers_works(runner_settings: RunnerSettings, tmp_path: Path) -> None:
    assert tried(runner_settings, tmp_path, "exit 0") == (True, "", ["action=monitor"])


def test_where_the_device_knows_its_hosts_it_is_asked_for_them(runner_settings: RunnerSettings, tmp_path: Path) -> None:
    assert tried(runner_settings, tmp_path, "exit 0", lists=True) == (True, "", ["action=monitor", "action=list"])
    only_list = 'case "$told" in *action=list*) echo "no hosts here" >&2; exit 1;; esac'
    assert tried(runner_settings, tmp_path, only_list, lists=True)[:2] == (False, "no hosts here")


def test_what_an_agent_says_last_is_why(runner_settings: RunnerSettings, tmp_path: Path) -> None:
    script = "echo connecting; echo 'Unable to connect/login to fencing device' >&2; exit 1"
    works, why, _ = tried(runner_settings, tmp_path, script)
    assert (works, why) == (False, "Unable to connect/login to fencing device")


def test_a_device_that_hangs_fails_in_its_time(runner_settings: RunnerSettings, tmp_path: Path) -> None:
    works, why, _ = tried(runner_settings, tmp_path, "sleep 60", timeout_ms=300)
    assert not works
    assert "300 ms" in why


def test_an_agent_that_is_missing_is_told(runner_settings: RunnerSettings) -> None:
    async def go() -> tuple[bool, str]:
        runner = AgentRunner(runner_settings)
        try:

            async def known(_: Agent) -> AgentMetadata | None:
                return None

            return await AgentFencing(runner, known).test(DeviceCall("power", AGENT, {}, True, 1_000))
        finally:
            runner.close()

    assert asyncio.run(go()) == (False, "fence agent fence_test is not installed")


def test_questions_wait_for_each_other_and_no_more_than_a_few(tmp_path: Path) -> None:
    begun: list[Any] = []
    node = SimpleNamespace(name="n1")
    shell: Any = SimpleNamespace(node=node, supervisor=SimpleNamespace(begin=begun.append))

    async def never(_: DeviceCall) -> tuple[bool, str]:
        raise AssertionError("nothing is configured")

    def hear(tests: DeviceTests, *nodes: str) -> None:
        value = json.dumps({"id": "q", "nodes": nodes, "devices": []})
        tests.heard({"node": "n2", "name": "#fence-test", "value": value})

    async def go() -> None:
        tests = DeviceTests(shell, never, DeviceRecord(str(tmp_path / "record")))
        hear(tests, "n2")
        assert begun == [], "others are asked"
        for _ in range(10):
            hear(tests)
        assert len(begun) == 4
        for answer in begun:
            answer.close()

    asyncio.run(go())
