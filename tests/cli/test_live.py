"""Commands against a running node: a real daemon with real agents, that follows no source of its own."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from daemon.conftest import Node

from reconciler.cli.planning import saved
from reconciler.frozen import replace

from .conftest import Run

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A running node without sources; `write` changes the directory `source`, from which the tests apply."""
    made = Node(tmp_path)
    made.sources = "  {}"
    made.start()
    yield made
    made.stop()
    assert made.violations() == []


@pytest.fixture
def cli(node: Node, run: Run) -> Cli:
    """Run a command that talks to the node."""
    return lambda *words, **more: run(*words, env={"RECONCILER_SOCKET": node.client.path}, **more)


@pytest.fixture
def active(node: Node, cli: Cli) -> Node:
    """The node runs `a` with the value 1, in version 0.1.0."""
    node.write(node.configuration({"a": "1"}))
    save_and_apply(cli)
    return node


def save_and_apply(cli: Cli, *words: str) -> subprocess.CompletedProcess[str]:
    saved = cli("plan", "source", "--out", "saved.plan")
    assert saved.returncode == 0, saved.stderr
    done = cli("apply", "saved.plan", *words)
    assert done.returncode == 0, done.stderr
    return done


def test_a_saved_plan_is_carried_out(node: Node, cli: Cli) -> None:
    node.write(node.configuration({"a": "1", "b": "1"}))
    done = save_and_apply(cli, "--yes", "-m", "two services")
    assert node.states() == {"a": "1", "b": "1"}
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert any(line.startswith("active: ") for line in lines)
    assert any(line.startswith("  start a on n1: done in ") for line in lines)
    assert lines[-1].endswith("is active, and the cluster is at rest")


def test_status_is_one_screen_for_people_and_an_object_for_machines(active: Node, cli: Cli) -> None:
    done = cli("status")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "Cluster test   node n1   quorate   at rest   the service runs"
    assert "  n1: online  (DC)" in lines
    assert any(line.split()[:3] == ["a", "Started", "n1"] for line in lines)
    answer = json.loads(cli("status", "--json").stdout)
    assert answer["counts"]["running"] == 1
    assert ": ok, " in cli("status", "--verbose").stdout


def test_a_snapshot_can_be_planned_from_without_the_node(active: Node, cli: Cli, run: Run) -> None:
    assert cli("status", "--snapshot", "now.json").stdout == "Wrote the state to now.json.\n"
    active.write(active.configuration({"a": "1", "b": "2"}))
    done = run("plan", "source", "--snapshot", "now.json", "--offline", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["state"] == "snapshot now.json"
    assert [(one["verb"], one["resource"]) for one in document["transitions"]] == [("start", "b")]
    assert run("why", "a", "--snapshot", "now.json").stdout.startswith("a runs on n1")
    assert cli("why", "a").stdout == run("why", "a", "--snapshot", "now.json").stdout


def test_a_stale_plan_is_refused_and_nothing_changes(active: Node, cli: Cli) -> None:
    active.write(active.configuration({"a": "2"}))
    assert cli("plan", "source", "--out", "old.plan").returncode == 0
    active.write(active.configuration({"a": "3"}))
    save_and_apply(cli)
    done = cli("apply", "--yes", "old.plan")
    assert done.returncode == 4
    assert "plan again" in done.stderr
    assert active.states() == {"a": "3"}


def test_a_plan_that_the_cluster_would_not_make_is_stale(active: Node, cli: Cli, tmp_path: Path) -> None:
    """The node compares what it would do with what was saved, in the very same version of the state."""
    active.write(active.configuration({"a": "2"}))
    assert cli("plan", "source", "--out", "other.plan").returncode == 0
    made = saved.read(tmp_path / "other.plan")
    saved.write(tmp_path / "other.plan", replace(made, actions="0" * 64))
    assert made.actions != "0" * 64
    done = cli("apply", "--yes", "other.plan")
    assert done.returncode == 4, done.stderr
    assert "the saved plan is stale" in done.stderr
    assert "[stale-plan]" in done.stderr
    assert active.states() == {"a": "1"}
    save_and_apply(cli)
    assert active.states() == {"a": "2"}


def test_without_a_terminal_a_directory_is_not_applied(active: Node, cli: Cli) -> None:
    active.write(active.configuration({"a": "2"}))
    done = cli("apply", "source", stdin=subprocess.DEVNULL)
    assert done.returncode == 3
    assert "no terminal to ask on" in done.stderr
    assert "restart" in done.stderr, "the plan is shown all the same"
    assert cli("apply", "source", "--yes").returncode == 64, "--yes is for saved plans"
    assert active.states() == {"a": "1"}


def test_nothing_to_do_is_told(active: Node, cli: Cli) -> None:
    done = cli("apply", "source", "--json", stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert (last["type"], last["@message"], last["exit_code"]) == ("summary", "nothing to do", 0)


def test_a_guard_holds_back_until_it_is_allowed(active: Node, cli: Cli) -> None:
    stopped = active.configuration({"a": "1"}).replace("operations:", "meta: {target-role: Stopped}\n    operations:")
    active.write(stopped)
    assert cli("plan", "source", "--out", "stop.plan").returncode == 3
    held = cli("apply", "--yes", "stop.plan")
    assert held.returncode == 3
    assert "--allow stop:a" in held.stderr
    assert active.states() == {"a": "1"}
    done = cli("apply", "--yes", "stop.plan", "--allow", "stop:a")
    assert done.returncode == 0, done.stderr
    assert active.states() == {}


def test_what_is_invalid_is_never_proposed(active: Node, cli: Cli) -> None:
    active.write("cluster: {name: test}\nprimitives:\n  a: {agnet: 'ocf:test:File'}\n")
    done = cli("apply", "source")
    assert done.returncode == 1
    assert "source/site.yaml:3:7" in done.stderr
    assert [entry["version"] for entry in history(cli)] == [
        entry["version"] for entry in history(cli) if entry["active"]
    ]


def test_a_start_that_fails_is_a_failed_apply(node: Node, cli: Cli) -> None:
    (node.path / "agents.log.fail-start").touch()
    node.write(node.configuration({"a": "1"}))
    assert cli("plan", "source", "--out", "saved.plan").returncode == 0
    done = cli("apply", "--yes", "saved.plan")
    assert done.returncode == 1
    assert "start a on n1: FAILED, error: asked to fail" in done.stderr
    assert "is active, with problems" in done.stderr
    assert "a: " in done.stderr.splitlines()[-1]


def test_machines_get_a_stream_of_lines_and_a_file_of_them(node: Node, cli: Cli) -> None:
    node.write(node.configuration({"a": "1"}))
    done = save_and_apply(cli, "--json", "--json-into", "log.jsonl")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = [event["type"] for event in events]
    assert (kinds[0], kinds[-1]) == ("version", "summary")
    known = {"version", "planned_change", "step_start", "step_done", "step_progress", "aborted_replanned", "summary"}
    assert set(kinds) <= known
    assert {"planned_change", "step_start", "step_done"} <= set(kinds)
    assert events[-1]["exit_code"] == 0
    assert all({"@level", "@message", "@timestamp"} <= event.keys() for event in events)
    copied = [json.loads(line) for line in (node.path / "log.jsonl").read_text().splitlines()]
    assert [event["type"] for event in copied] == kinds
    assert done.stderr == ""


def history(cli: Cli) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(cli("history", "--json").stdout)["entries"]
    return entries


def test_versions_are_listed_compared_and_rolled_back(active: Node, cli: Cli) -> None:
    active.write(active.configuration({"a": "2", "b": "1"}))
    save_and_apply(cli, "-m", "a second service")
    new, old = history(cli)
    assert (new["active"], old["active"]) == (True, False)
    lines = cli("history").stdout.splitlines()
    assert lines[0].startswith(f"* {new['version']} ")
    assert lines[0].endswith("a second service")
    assert cli("history", "--limit", "1").stdout.splitlines() == lines[:1]

    compared = cli("diff", old["version"], new["version"])
    assert compared.returncode == 1
    assert "primitives/b" in compared.stdout
    assert cli("diff", new["version"], "source").returncode == 0
    assert cli("diff", "9.9.9", "source").returncode == 2

    done = cli("rollback", "--no-plan")
    assert done.returncode == 0, done.stderr
    assert active.states() == {"a": "1"}
    assert cli("diff", old["version"], history(cli)[0]["version"]).returncode == 0
    assert cli("rollback", "9.9.9", "--no-plan").returncode == 1
    again = cli("rollback", new["commit"], stdin=subprocess.DEVNULL)
    assert again.returncode == 3, "without --no-plan it is asked"
    assert "b" in again.stderr


def test_a_node_without_history_says_so(node: Node, cli: Cli) -> None:
    assert cli("history").stdout == "No configuration was ever active on this node.\n"
    assert "No configuration is active yet." in cli("status").stdout
    done = cli("rollback", "--no-plan")
    assert done.returncode == 1
    assert "no earlier version" in done.stderr


def test_an_apply_that_takes_too_long_is_a_timeout(node: Node, cli: Cli) -> None:
    node.write(node.configuration({"a": "1"}, delay="5"))
    assert cli("plan", "source", "--out", "saved.plan").returncode == 0
    began = time.monotonic()
    done = cli("apply", "saved.plan", "--timeout", "0.5")
    assert done.returncode == 124
    assert "within 0.5 s" in done.stderr  # Active by then or not: a busy machine judges slowly.
    assert time.monotonic() - began < 5, "it has not waited for the agent"
    node.at_rest_with({"a": "1"})


def environment(node: Node) -> dict[str, str]:
    """For a process that talks to the node and, on a terminal, in plain text."""
    return {**os.environ, "RECONCILER_SOCKET": node.client.path, "LC_ALL": "C.UTF-8", "TERM": "dumb", "NO_COLOR": "1"}


@contextlib.contextmanager
def watching(node: Node, *words: str) -> Iterator[subprocess.Popen[str]]:
    """`watch` on the directory, ended in any case."""
    command = [sys.executable, "-m", "reconciler", "watch", "source", "--debounce", "0.05", *words]
    with subprocess.Popen(
        command, cwd=node.path, env=environment(node), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_watch_applies_every_state_of_a_directory(active: Node) -> None:
    active.write(active.configuration({"a": "2"}))
    with watching(active) as process:
        active.at_rest_with({"a": "2"})
        active.write("primitives: [")
        assert process.stderr is not None
        assert any(line.startswith("  site.yaml:2:1: ") for line in process.stderr), "it ended without a word"
        active.write(active.configuration({"a": "3", "b": "1"}))
        active.at_rest_with({"a": "3", "b": "1"})
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_watch_goes_on_when_the_node_was_away(active: Node) -> None:
    with watching(active) as process:
        assert process.stderr is not None
        assert any("is the active configuration already" in line for line in process.stderr)
        active.stop()
        active.write(active.configuration({"a": "2"}))
        assert any("trying again within 30 s" in line for line in process.stderr), "it ended without a word"
        active.start()
        active.write(active.configuration({"a": "3"}))
        active.at_rest_with({"a": "3"})
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_watch_needs_a_directory_and_a_node(node: Node, cli: Cli, run: Run) -> None:
    done = cli("watch", "nowhere")
    assert done.returncode == 1
    assert "watch nowhere" in done.stderr
    assert "Traceback" not in done.stderr
    assert run("watch", "source").returncode == 1


class Terminal:
    """A command on a pseudo-terminal: what it showed, and keys to press."""

    def __init__(self, node: Node, *words: str) -> None:
        self._end, child = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "reconciler", *words],
            cwd=node.path,
            env=environment(node),
            stdin=child,
            stdout=child,
            stderr=child,
        )
        os.close(child)
        self.shown = ""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._end)

    def until(self, text: str, seconds: float = 15) -> str:
        """Wait for a text; what was shown up to its end and not returned yet."""
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            ready, _, _ = select.select([self._end], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"not shown in time: {text!r}; but {self.shown!r}"
            self.shown += os.read(self._end, 65_536).decode()
        before, found, self.shown = self.shown.partition(text)
        return before + found

    def type(self, line: str) -> None:
        os.write(self._end, f"{line}\n".encode())


QUESTION = "Apply? [y/N/d(iff)/w(hy)] "


def test_on_a_terminal_it_is_asked_shown_and_applied(active: Node) -> None:
    active.write(active.configuration({"a": "2"}))
    with Terminal(active, "apply", "source") as terminal:
        assert "restart" in terminal.until(QUESTION).lower()
        terminal.type("d")
        assert "primitives/a/params/value: 1 -> 2" in terminal.until(QUESTION)
        terminal.type("w")
        assert "params.value changed" in terminal.until(QUESTION)
        terminal.type("y")
        terminal.until("is active, and the cluster is at rest")
        assert terminal.process.wait(10) == 0
    assert active.states() == {"a": "2"}


@pytest.mark.parametrize("answer", ["", "n", "what?"])
def test_any_other_answer_is_no(active: Node, answer: str) -> None:
    active.write(active.configuration({"a": "2"}))
    with Terminal(active, "apply", "source") as terminal:
        terminal.until(QUESTION)
        terminal.type(answer)
        terminal.until("not applied")
        assert terminal.process.wait(10) == 3
    assert active.states() == {"a": "1"}


def test_a_saved_plan_is_confirmed_on_a_terminal(active: Node, cli: Cli) -> None:
    active.write(active.configuration({"a": "2"}))
    assert cli("plan", "source", "--out", "saved.plan").returncode == 0
    with Terminal(active, "apply", "saved.plan") as terminal:
        terminal.until("Apply the saved plan for test? [y/N] ")
        terminal.type("n")
        assert terminal.process.wait(10) == 3
    assert active.states() == {"a": "1"}


def test_every_version_and_commit_that_status_prints_is_accepted(active: Node, cli: Cli) -> None:
    line = cli("status").stdout.splitlines()[1].split()
    commit, version = line[1], line[line.index("version") + 1].rstrip(",")
    for name in (commit, version):
        assert cli("show", name).returncode == 0
        assert cli("diff", name, "source").returncode == 0
        assert cli("plan", name, "--detailed-exitcode").returncode == 0
        assert cli("rollback", name, "--no-plan").returncode == 0


def test_status_in_json_follows_a_line_for_each_change(active: Node, cli: Cli) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "reconciler", "status", "--watch", "--json", "--socket", active.client.path],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        first = json.loads(process.stdout.readline())
        assert first["converged"]
        active.write(active.configuration({"a": "2"}))
        save_and_apply(cli)
        version = first["cib"]["version"]
        for line in process.stdout:
            if (now := json.loads(line))["cib"]["version"] != version and now["converged"]:
                break
        assert now["active"]["commit"] != first["active"]["commit"]
    finally:
        process.send_signal(signal.SIGINT)
        process.stdout.close()
        assert process.wait(10) == 0


def test_a_plan_judges_as_strictly_as_the_node(tmp_path: Path, run: Run) -> None:
    made = Node(tmp_path)
    made.sources = "  {}"
    made.extra = "validate: {strict: true}\n"
    made.start()
    try:
        made.write("primitives: {a: {agent: 'ocf:reconciler:Dummy'}}\ncluster: {options: {fencing-enabled: false}}\n")
        live = run("plan", "source", env={"RECONCILER_SOCKET": made.client.path})
        assert live.returncode == 1
        assert "[fencing-disabled]" in live.stderr
        assert run("plan", "source", "--offline").returncode == 0
    finally:
        made.stop()


def test_a_held_apply_says_how_to_consent_and_consents_travel(active: Node, cli: Cli) -> None:
    active.write(active.configuration({"a": "1", "b": "1", "c": "1"}))
    save_and_apply(cli, "--yes")
    active.write(active.configuration({"c": "1"}))
    assert cli("plan", "source", "--out", "saved.plan").returncode == 3
    held = cli("apply", "saved.plan", "--yes")
    assert held.returncode == 3
    assert "--allow mass_remove:resources" in held.stderr
    done = cli("apply", "saved.plan", "--yes", "--allow", "mass_*")
    assert done.returncode == 0, done.stderr
    assert active.states() == {"c": "1"}
    assert cli("apply", "saved.plan", "--yes", "--allow", "nothing:x").returncode == 64


def test_debug_calls_a_moved_resource_by_the_name_that_its_agent_knows(active: Node, cli: Cli) -> None:
    active.write(active.configuration({"b": "1"}, more="moved: {a: b}"))
    save_and_apply(cli)
    assert active.states() == {"a": "1"}, "nothing was stopped"
    assert active.status()["known_to_agents_as"] == {"b": "a"}
    found = cli("debug", "b", "monitor", "--config", "node.yaml")
    assert found.returncode == 0, found.stdout + found.stderr
    assert cli("debug", "b", "start", "--config", "node.yaml").returncode == 3, "it would be active twice"
    assert cli("debug", "b", "stop", "--config", "node.yaml").returncode == 0
    assert active.states() == {}


def test_a_version_of_the_node_can_be_the_base_of_a_plan(active: Node, cli: Cli) -> None:
    before = history(cli)[0]["version"]
    active.write(active.configuration({"a": "2"}))
    done = cli("plan", "source", "--base", before, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [change["address"] for change in document["config_changes"]] == ["primitives/a/params/value"]
