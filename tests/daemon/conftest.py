"""A real daemon for one test: its own directories, a real agent that keeps a log, real git, a client on the real socket."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from control_groups import remove_control_groups

from reconciler.cli.node.client import Client, ClientError

AGENT = """\
    #!/bin/sh
    # A service that is a file. It notes every call, and calls out when it is started twice or stopped with other parameters.
    note() { echo "$OCF_RESOURCE_INSTANCE $*" >> "$OCF_RESKEY_log"; }
    here="$OCF_RESKEY_log.$OCF_RESOURCE_INSTANCE.state"
    while [ "$1" = start ] && [ -e "$OCF_RESKEY_log.hold" ]; do sleep 0.02; done
    [ -z "$OCF_RESKEY_delay" ] || [ "$1" = monitor ] || sleep "$OCF_RESKEY_delay"
    case $1 in
    start)
        [ ! -e "$here" ] || { note "VIOLATION started twice"; exit 1; }
        [ ! -e "$OCF_RESKEY_log.fail-start" ] || { note start-failed; echo "ocf-exit-reason:asked to fail"; exit 1; }
        echo "$OCF_RESKEY_value" > "$here"; note "start $OCF_RESKEY_value"; exit 0;;
    stop)
        [ ! -e "$OCF_RESKEY_log.fail-stop" ] || { note stop-failed; exit 1; }
        if [ -e "$here" ] && [ "$(cat "$here")" != "$OCF_RESKEY_value" ]; then
            note "VIOLATION stopped with $OCF_RESKEY_value instead of $(cat "$here")"
        fi
        rm -f "$here"; note "stop $OCF_RESKEY_value"; exit 0;;
    monitor)
        note "monitor $OCF_RESKEY_value"
        [ -e "$here" ] && [ "$(cat "$here")" = "$OCF_RESKEY_value" ] && exit 0
        exit 7;;
    meta-data)
        cat <<END
    <?xml version="1.0"?>
    <resource-agent name="File"><version>1.1</version><longdesc>x</longdesc><shortdesc>x</shortdesc>
    <parameters>
    <parameter name="log" required="1"><longdesc>x</longdesc><shortdesc>x</shortdesc><content type="string"/></parameter>
    <parameter name="value"><longdesc>x</longdesc><shortdesc>x</shortdesc><content type="string"/></parameter>
    <parameter name="delay"><longdesc>x</longdesc><shortdesc>x</shortdesc><content type="string"/></parameter>
    </parameters>
    <actions><action name="start" timeout="20s"/><action name="stop" timeout="20s"/>
    <action name="monitor" timeout="20s" interval="10s"/><action name="meta-data" timeout="5s"/></actions></resource-agent>
    END
        exit 0;;
    *) exit 3;;
    esac
"""


class Node:
    """A daemon with its directories. `configuration` writes the watched directory, `log` is what the agents noted."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.source = path / "source"
        self.source.mkdir()
        provider = path / "ocf" / "resource.d" / "test"
        provider.mkdir(parents=True)
        agent = provider / "File"
        agent.write_text(textwrap.dedent(AGENT))
        agent.chmod(0o755)
        self.journal = path / "agents.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.client = Client(str(path / "run" / "reconciler.sock"), timeout_s=10)
        self.sources = "  here: {directory: source, debounce: 50ms, rescan: 5s}"
        self.extra = ""
        self.program = ["-m", "reconciler"]

    def start(self, *options: str) -> None:
        """Start the daemon and wait until it answers."""
        self.launch(*options)
        self.wait(self.answers, "the daemon answers")

    def launch(self, *options: str) -> None:
        """Start the daemon, and wait for nothing."""
        (self.path / "node.yaml").write_text(
            f"node: n1\nstate: state\nrun: run\nsources:\n{self.sources}\n"
            f"agents: {{ocf-roots: [ocf, /usr/lib/ocf], state: agents}}\n{self.extra}\n"
        )
        command = [sys.executable, *self.program, "run", "--config", str(self.path / "node.yaml"), *options]
        with open(self.path / "daemon.log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def answers(self) -> bool:
        try:
            return bool(self.client.get("/v1/health")["pid"] == self.running.pid)
        except ClientError as error:
            if self.running.poll() is not None or error.code not in ("no-daemon", "timeout", "daemon"):
                raise AssertionError(f"the daemon does not serve: {self.daemon_log()}") from error
            return False

    @property
    def running(self) -> subprocess.Popen[bytes]:
        assert self.process is not None
        return self.process

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the daemon; its exit code."""
        self.running.send_signal(number)
        return self.running.wait(20)

    def kill(self) -> None:
        """End it as a crash does."""
        self.running.kill()
        self.running.wait()

    def daemon_log(self) -> str:
        return (self.path / "daemon.log").read_text()

    def log(self) -> list[str]:
        return self.journal.read_text().splitlines() if self.journal.exists() else []

    def configuration(self, values: dict[str, str], *, interval: str = "10s", delay: str = "", more: str = "") -> str:
        """The text of a configuration: resources of the test agent with a value each, whose changes take `delay` seconds."""
        wait = f", delay: '{delay}'" if delay else ""
        lines = ["cluster: {name: test, options: {stonith-enabled: false}}", "primitives:" if values else ""]
        for name, value in values.items():
            lines += [
                f"  {name}:",
                "    agent: ocf:test:File",
                f"    params: {{log: {self.journal}, value: '{value}'{wait}}}",
                f"    operations: {{monitor: {{interval: {interval}, timeout: 5s}}}}",
            ]
        return "\n".join([*lines, more, ""])

    def write(self, text: str, name: str = "site.yaml") -> None:
        """Change the watched directory, atomically."""
        fresh = self.source / f".{name}.new"
        fresh.write_text(text)
        fresh.rename(self.source / name)

    def status(self) -> dict[str, Any]:
        return self.client.get("/v1/status")

    def roles(self) -> dict[str, str]:
        return {resource["id"]: resource["role"] for resource in self.status()["resources"]}

    def states(self) -> dict[str, str]:
        """What really runs, by the agents' own files."""
        prefix = f"{self.journal.name}."
        states = {}
        for path in sorted(self.path.glob(f"{prefix}*.state")):
            with contextlib.suppress(FileNotFoundError):  # It was just stopped.
                states[path.name[len(prefix) : -len(".state")]] = path.read_text().strip()
        return states

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}\n{self.daemon_log()[-4000:]}"
            time.sleep(0.02)

    def at_rest_with(self, states: dict[str, str]) -> None:
        """Wait until just this runs, and the node has nothing left to do."""

        def rests() -> bool:
            return self.states() == states and bool(self.client.get("/v1/health")["converged"])

        self.wait(rests, f"{states} runs (now {self.states()})")

    def hold_starts(self) -> None:
        """From now on a start goes on until `release_starts`."""
        self.path.joinpath(f"{self.journal.name}.hold").touch()

    def release_starts(self) -> None:
        self.path.joinpath(f"{self.journal.name}.hold").unlink()

    def violations(self) -> list[str]:
        return [line for line in self.log() if "VIOLATION" in line]


@pytest.fixture
def stopped_node(tmp_path: Path) -> Iterator[Node]:
    """A node whose daemon is not started yet."""
    yield from made_in(tmp_path)


@pytest.fixture
def open_node() -> Iterator[Node]:
    """The same where other users get in; pytest's own directories are closed by each run that begins, of whichever checkout."""
    with tempfile.TemporaryDirectory(prefix="node-") as directory:
        os.chmod(directory, 0o755)
        yield from made_in(Path(directory))


def made_in(directory: Path) -> Iterator[Node]:
    """A node there; afterwards its daemon has ended, and no agent has complained."""
    made = Node(directory)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            made.process.wait(15)
        made.process.kill()
    remove_control_groups("n1", str(directory / "run"))
    assert made.violations() == []


@pytest.fixture
def node(stopped_node: Node) -> Node:
    """A node with a running daemon that watches a directory."""
    stopped_node.start()
    return stopped_node


class Operator:
    """An operator's work tree, pushing to a bare repository."""

    def __init__(self, path: Path) -> None:
        self.remote = path / "remote.git"
        self.tree = path / "tree"
        self.environment = {
            **os.environ,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_AUTHOR_NAME": "Ops",
            "GIT_AUTHOR_EMAIL": "ops@example.org",
            "GIT_COMMITTER_NAME": "Ops",
            "GIT_COMMITTER_EMAIL": "ops@example.org",
        }
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.remote), cwd=path)
        self.git("init", "--quiet", "--initial-branch=main", str(self.tree), cwd=path)
        (self.tree / "cluster.d").mkdir()

    def git(self, *words: str, cwd: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *words], cwd=cwd or self.tree, env=self.environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def push(self, text: str | bytes, *, name: str = "cluster.d/site.yaml", force: bool = False) -> str:
        """Commit a file and push it; the commit."""
        path = self.tree / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", "a change")
        self.git("push", "--quiet", *(["--force"] if force else []), str(self.remote), "HEAD:main")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)
