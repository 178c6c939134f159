"""reconciler agents: list, info and test as a person runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def reconciler(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "reconciler", "agents", *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_own_agents_are_listed() -> None:
    done = reconciler("list", "--class", "ocf", "--provider", "reconciler")
    assert done.returncode == 0
    assert done.stdout.split() == ["ocf:reconciler:Dummy", "ocf:reconciler:Stateful", "ocf:reconciler:process"]
    assert json.loads(reconciler("list", "--provider", "reconciler", "--json").stdout) == done.stdout.split()


def test_info_shows_parameters_and_operations() -> None:
    done = reconciler("info", "ocf:reconciler:process")
    assert done.returncode == 0
    assert "  command* (string)" in done.stdout.splitlines()
    assert "  monitor        timeout=20s interval=10s depth=0" in done.stdout.splitlines()
    described = json.loads(reconciler("info", "--json", "ocf:reconciler:process").stdout)
    assert described["parameters"]["command"]["required"] is True


def test_missing_agent_and_its_nearest_name() -> None:
    done = reconciler("info", "ocf:reconciler:Dumy")
    assert (done.returncode, done.stdout) == (1, "")
    assert "did you mean ocf:reconciler:Dummy?" in done.stderr


@pytest.mark.parametrize("name", ["Dummy", "ocf:Dummy", "ocf::Dummy", "upstart:x", "ocf:a:b:c"])
def test_names_that_are_none(name: str) -> None:
    done = reconciler("info", name)
    assert done.returncode == 64
    assert "expected CLASS:[PROVIDER:]TYPE" in done.stderr


@pytest.mark.parametrize(
    "words", [["test", "ocf:reconciler:Dummy", "-o", "state"], ["test", "ocf:reconciler:Dummy", "--timeout", "soon"]]
)
def test_options_that_are_none(words: list[str]) -> None:
    assert reconciler(*words).returncode == 64


@pytest.mark.parametrize("words", [[], ["test"], ["frobnicate"], ["list", "--class", "nagios"]])
def test_usage_errors(words: list[str]) -> None:
    assert reconciler(*words).returncode == 64


@pytest.mark.parametrize("name", ["Dummy", "Stateful", "process"])
def test_own_agents_pass_their_test(name: str, tmp_path: Path) -> None:
    options = {"process": ["-o", "command=exec sleep 600", "-o", f"pidfile={tmp_path}/pid"]}.get(
        name, ["-o", f"state={tmp_path}/state"]
    )
    done = reconciler("test", f"ocf:reconciler:{name}", "--name", f"test-{name}", *options)
    assert done.returncode == 0, done
    assert "passed all" in done.stdout.splitlines()[-1]


def test_failed_test_says_what_and_ends_with_one(tmp_path: Path) -> None:
    agent = tmp_path / "bad"
    agent.write_text("#!/bin/sh\nexit 0\n")
    agent.chmod(0o755)
    done = reconciler("test", str(agent), "--json")
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert (answer["agent"], answer["failed"]) == ("ocf:path:bad", 1)
    assert answer["checks"][-1]["verdict"] == "failed"
    assert reconciler("test", str(agent)).stdout.splitlines()[-1] == "ocf:path:bad failed 1 of 2 checks"


def test_active_resource_is_not_touched(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.touch()
    done = reconciler("test", "ocf:reconciler:Dummy", "-o", f"state={state}")
    assert done.returncode == 1
    assert "is active" in done.stderr
    assert state.exists()
