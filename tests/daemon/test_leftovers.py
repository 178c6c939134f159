"""An agent that a dead daemon had begun is waited for before anything else touches its resource."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from reconciler.agents import procfs
from reconciler.agents.calls import Call, CallTable, read_table, tables
from reconciler.daemon.leftovers import find_leftovers, outlive_leftovers
from reconciler.frozen import replace

from .conftest import Node


def test_a_start_that_a_dead_daemon_had_begun_is_waited_for(node: Node) -> None:
    node.hold_starts()
    node.write(node.configuration({"a": "1"}))
    node.wait(lambda: running(f"{node.path}/ocf/resource.d/test/File start") is not None, "it starts")
    node.kill()
    node.start()
    assert node.client.get("/v1/health")["phase"] == "recovering"
    assert node.states() == {}
    node.release_starts()
    node.at_rest_with({"a": "1"})
    assert node.log().count("a start 1") == 1
    assert [event for event in events(node) if event.get("what") == "leftover"]


def test_a_table_that_was_removed_is_made_anew_with_what_goes_on(tmp_path: Path) -> None:
    table = CallTable(str(tmp_path), "x", 4)
    call = Call("mark=1", "a", "start", 7.0)
    ended, _ = table.begin(replace(call, resource="b")), table.begin(call)
    table.end(ended)
    table.renew()
    os.unlink(table.path)
    table.renew()
    assert read_table(table.path) == [call]
    table.begin(replace(call, resource="c"))
    assert {one.resource for one in read_table(table.path)} == {"a", "c"}


def test_a_service_that_lives_on_is_not_waited_for(node: Node) -> None:
    node.write(
        "cluster: {options: {stonith-enabled: false}}\n"
        "primitives:\n  p:\n    agent: ocf:reconciler:process\n    params: {command: sleep 777}\n"
        "    operations: {monitor: {interval: 10s}}\n"
    )
    node.wait(lambda: node.roles() == {"p": "Started"} and node.status()["converged"], "it runs")
    node.kill()
    node.start()
    node.wait(lambda: node.status()["converged"] and node.roles() == {"p": "Started"}, "it is adopted")
    assert not [event for event in events(node) if event.get("what") == "leftover"]
    node.client.post("/v1/shutdown", {"resources": True})
    assert node.running.wait(15) == 0


def test_the_daemon_can_be_ended_while_it_waits(node: Node) -> None:
    node.hold_starts()
    node.write(node.configuration({"a": "1"}))
    node.wait(lambda: running(f"{node.path}/ocf/resource.d/test/File start") is not None, "it starts")
    node.kill()
    node.start()
    assert node.client.get("/v1/health")["phase"] == "recovering"
    assert node.stop() == 0
    assert node.states() == {}, "it did not wait for the agent, which only we let go on"
    node.release_starts()
    node.wait(lambda: node.states() == {"a": "1"}, "the agent goes on")
    node.start()
    node.at_rest_with({"a": "1"})


def events(node: Node) -> list[dict[str, Any]]:
    return list(node.client.events(since="0", follow=False))


def test_a_service_whose_command_line_looks_like_an_agent_s_survives_a_restart(node: Node) -> None:
    service = node.path / "httpd"
    service.write_text("#!/bin/sh\nsleep 778\n")
    service.chmod(0o755)
    node.write(
        "cluster: {options: {stonith-enabled: false}}\n"
        "primitives:\n  looks-like-one:\n    agent: ocf:reconciler:process\n"
        f"    params: {{command: setsid {service} -k start}}\n"
        "    operations: {start: {timeout: 2s}, monitor: {interval: 10s}}\n"
    )
    node.wait(lambda: running(f"{service} -k start") is not None, "its process is there")
    pid = running(f"{service} -k start")
    assert pid is not None
    try:
        node.wait(lambda: runs(node, "looks-like-one"), "it runs")
        assert os.getsid(pid) == pid, "it leads a session, as an agent does"
        time.sleep(2.5)  # The deadline of the start has passed.
        node.kill()
        node.start()
        node.wait(lambda: runs(node, "looks-like-one"), "it is adopted")
        assert running(f"{service} -k start") == pid
        assert not [event for event in events(node) if event.get("what") == "leftover"]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def runs(node: Node, resource: str) -> bool:
    return bool(node.status()["converged"]) and node.roles() == {resource: "Started"}


def test_an_agent_that_a_dead_daemon_had_begun_is_ended_at_its_deadline(node: Node) -> None:
    text = node.configuration({"a": "1"}, delay="60")
    node.write(text.replace("operations: {", "operations: {start: {timeout: 3s}, "))
    agent = f"{node.path}/ocf/resource.d/test/File start"
    began = time.monotonic()
    node.wait(lambda: running(agent) is not None, "it starts")
    pid = running(agent)
    node.kill()
    node.start()
    node.wait(lambda: running(agent) != pid, "the agent is ended")
    assert time.monotonic() - began > 1, "not before its time"
    node.wait(lambda: any(event.get("what") == "leftover" for event in events(node)), "it is told")


CALLER = """
import asyncio, sys
from reconciler.agents.executor import AgentRunner, RunnerSettings
from reconciler.agents.installed import Roots
from reconciler.model.operation import AgentCall
from reconciler.model.resource import Agent

run, roots, standard, timeout_ms = sys.argv[1:]
settings = RunnerSettings("n1", run, Roots((roots,), (roots,), (roots,)), roots, cgroups=False)
agent = Agent(standard, "fence_svc" if standard == "stonith" else "svc", "test" if standard == "ocf" else None)
operation = "off" if standard == "stonith" else "stop"
asyncio.run(AgentRunner(settings).run(AgentCall("db", agent, operation, 0, int(timeout_ms), {}, {})))
"""


class Died:
    """A caller that was killed while its agent ran; `agent` is the agent's process."""

    def __init__(self, path: Path, standard: str, script: str, timeout_ms: int) -> None:
        self.run = str(path / "run")
        self.began = time.monotonic()
        noted, place = path / "pid", place_of(path, standard)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"#!/bin/sh\necho $$ > {noted}.new; mv {noted}.new {noted}\n{script}\n")
        place.chmod(0o755)
        caller = subprocess.Popen([sys.executable, "-c", CALLER, self.run, str(path), standard, str(timeout_ms)])
        while not (noted.exists() and self.is_noted_down()):
            assert caller.poll() is None
            time.sleep(0.01)
        self.agent = int(noted.read_text())
        caller.kill()
        caller.wait()

    def is_noted_down(self) -> bool:
        """Whether the caller came to note which process it had started: the agent may have been faster."""
        return any(call.pid is not None for path in tables(self.run) for call in read_table(path))

    def outlived(self) -> tuple[list[tuple[str, str]], float]:
        """What was waited for, and how long after the beginning of the call that was over."""
        found = asyncio.run(outlive_leftovers(self.run, None))
        return [(call.resource, call.operation) for call in found], time.monotonic() - self.began


def place_of(path: Path, standard: str) -> Path:
    return path / {"ocf": "resource.d/test/svc", "lsb": "svc", "stonith": "fence_svc"}[standard]


def operation_of(standard: str) -> str:
    return "off" if standard == "stonith" else "stop"


@pytest.mark.parametrize("standard", ["ocf", "lsb", "stonith"])
def test_every_class_of_agents_is_waited_for(tmp_path: Path, standard: str) -> None:
    died = Died(tmp_path, standard, "sleep 2; exit 0", 30_000)
    assert procfs.is_alive(died.agent)
    found, seconds = died.outlived()
    assert found == [("db", operation_of(standard))]
    assert 1.9 < seconds < 25, "as long as it takes, and not until its deadline"
    assert not procfs.is_alive(died.agent)
    assert not list(Path(died.run).glob("calls*"))


@pytest.mark.parametrize("standard", ["ocf", "lsb", "stonith"])
def test_every_class_of_agents_is_ended_at_its_own_deadline(tmp_path: Path, standard: str) -> None:
    died = Died(tmp_path, standard, f"setsid sleep 600 & echo $! > {tmp_path}/child; sleep 600", 2500)
    found, seconds = died.outlived()
    assert found == [("db", operation_of(standard))]
    assert 2.4 < seconds < 60
    assert not procfs.is_alive(died.agent)
    assert not procfs.is_alive(int((tmp_path / "child").read_text())), "what it had started ends with it"


def test_the_services_of_calls_that_were_over_are_left_alone(tmp_path: Path) -> None:
    died = Died(tmp_path, "lsb", "setsid sleep 31 & exec sleep 0.5", 1000)
    while procfs.is_alive(died.agent) or time.monotonic() - died.began < 1.2:
        time.sleep(0.02)
    assert died.outlived()[0] == []
    with_mark = [pid for pids in procfs.by_mark(f"RECONCILER_RESOURCE={died.run}/").values() for pid in pids]
    assert len(with_mark) == 1
    os.kill(with_mark[0], signal.SIGKILL)


def test_what_may_be_a_service_is_waited_for_and_not_killed(tmp_path: Path) -> None:
    """The caller died between starting the process and noting it down."""
    mark = "RECONCILER_CALL=feed-1"
    table = CallTable(str(tmp_path), "0" * 32, 2)
    table.begin(Call(mark, "db", "start", time.monotonic() + 1))
    child = subprocess.Popen(["sleep", "600"], env=dict([mark.split("=")]), start_new_session=True)
    try:
        began = time.monotonic()
        found = asyncio.run(outlive_leftovers(str(tmp_path), None))
        assert [call.resource for call in found] == ["db"]
        assert 0.9 < time.monotonic() - began < 60
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()


def test_a_number_that_was_given_again_is_another_process(tmp_path: Path) -> None:
    table = CallTable(str(tmp_path), "0" * 32, 1)
    slot = table.begin(Call("RECONCILER_CALL=feed-2", "db", "start", time.monotonic() - 1))
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        table.name(slot, child.pid)
        [call] = read_table(table.path)
        assert call.pid == child.pid
        assert find_leftovers(str(tmp_path), None) == [call]
        assert find_leftovers(str(tmp_path), table.path) == [], "calls of our own are none"
        table._memory[8] ^= 1  # Another time of start.
        assert asyncio.run(outlive_leftovers(str(tmp_path), None)) == []
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()


def test_a_call_that_is_over_is_forgotten_and_names_of_any_length_fit(tmp_path: Path) -> None:
    table = CallTable(str(tmp_path), "0" * 32, 1)
    for name in ("db", "ü" * 1000, "\0" * 300):
        call = Call("RECONCILER_CALL=feed-3", name, "start", 5.0, "/sys/fs/cgroup/x" * 100)
        slot = table.begin(call)
        [read] = read_table(table.path)
        assert (read.mark, read.ends_by_s, read.pid) == (call.mark, 5.0, None)
        assert read.resource in (name, "")
        table.close()
        assert os.path.exists(table.path), "a call goes on"
        table.end(slot)
        assert read_table(table.path) == []
    table.close()
    assert not os.path.exists(table.path)


def running(command: str) -> int | None:
    """The process whose command line ends so."""
    for pid in procfs.all_processes():
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").rstrip("\0").split("\0")
            if " ".join(words).partition("/bin/sh ")[2].startswith(command) and procfs.is_alive(pid):
                return pid
    return None
