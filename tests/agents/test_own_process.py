"""ocf:reconciler:process: a command line as a resource."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from machine import needs_root

from reconciler.agents import procfs
from reconciler.agents.executor import RunnerSettings
from reconciler.model.operation import AgentResult, OperationStatus
from reconciler.model.resource import Agent

Run = Callable[..., AgentResult]
AGENT = Agent("ocf", "process", "reconciler")


@pytest.fixture
def process(run: Run, settings: RunnerSettings):  # type: ignore[no-untyped-def]
    """Runs operations of the agent, and kills what a failed test left running."""

    def call(operation: str, timeout_ms: int = 20_000, **parameters: str) -> AgentResult:
        return run(AGENT, operation, "svc", timeout_ms, **parameters)

    call.pidfile = Path(settings.state_directory or "") / "process-svc.pid"  # type: ignore[attr-defined]
    yield call
    for pid in procfs.marked(
        f"RECONCILER_RESOURCE={settings.run_directory}/svc"
    ):  # Ours: other nodes have an "svc" as well.
        os.kill(pid, signal.SIGKILL)


def pid_of(process) -> int:  # type: ignore[no-untyped-def]
    return int(process.pidfile.read_text().split()[0])


def test_life_of_a_process(process) -> None:  # type: ignore[no-untyped-def]
    command = {"command": "exec sleep 600"}
    assert process("monitor", **command).code == 7
    assert process("start", **command).code == 0
    pid = pid_of(process)
    assert process("start", **command).code == 0
    assert pid_of(process) == pid
    assert process("monitor", **command).code == 0
    assert process("stop", **command).code == 0
    assert not procfs.is_alive(pid)
    assert process("stop", **command).code == 0
    assert process("monitor", **command).code == 7


def test_killed_process_is_not_running_and_starts_again(process) -> None:  # type: ignore[no-untyped-def]
    process("start", command="exec sleep 600")
    os.kill(pid_of(process), signal.SIGKILL)
    time.sleep(0.05)
    assert process("monitor", command="exec sleep 600").code == 7
    assert process("start", command="exec sleep 600").code == 0


def test_command_that_ends_at_once_fails_to_start(process, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    log = tmp_path / "log"
    result = process("start", command="echo no such luck; exit 3", logfile=str(log))
    assert result.code == 1
    assert result.exit_reason == "the command ended with exit code 3 before it was ready: no such luck"
    assert log.read_text() == "no such luck\n"
    assert process("monitor", command="x").code == 7


STORIES = [
    ("echo one; echo two >&2; exit 3", "the command ended with exit code 3 before it was ready: one | two"),
    ("exit 1", "the command ended with exit code 1 before it was ready"),
    ("echo dying; kill -9 $$", "the command was ended by signal 9 before it was ready: dying"),
    ("exec /nonexistent/program", "exit code 127 before it was ready"),
    ("seq 1 100000; echo last; exit 2", "exit code 2 before it was ready: 99997 | 99998 | 99999 | 100000 | last"),
    ("printf 'a\\033[31mb\\n'; exit 4", "exit code 4 before it was ready: a[31mb"),
]


@pytest.mark.parametrize("log", [False, True], ids=["no log file", "a log file"])
@pytest.mark.parametrize(("command", "reason"), STORIES)
def test_a_failed_start_says_the_exit_code_and_the_last_lines(process, tmp_path: Path, command, reason, log) -> None:  # type: ignore[no-untyped-def]
    where = {"logfile": str(tmp_path / "log")} if log else {}
    if log:
        (tmp_path / "log").write_text("of a former start\n")
    result = process("start", command=command, ready_file=str(tmp_path / "never"), **where)
    assert result.code == 1
    assert reason in result.exit_reason
    assert "of a former start" not in result.output + result.exit_reason
    if "seq" in command and not log:
        assert "\n1\n2\n" in f"\n{result.output}", "the first lines are kept as well"
    assert not list(process.pidfile.parent.glob("*.pipe"))


def test_what_ended_later_says_its_last_lines_until_it_is_stopped(process) -> None:  # type: ignore[no-untyped-def]
    process("start", command="echo begun; sleep 0.5; seq 1 9999; echo no space left >&2; exit 5")
    end = time.monotonic() + 10
    while (result := process("monitor", command="x")).code == 0:
        assert time.monotonic() < end
    assert (result.code, result.exit_reason) == (
        7,
        "the command has ended: 9996 | 9997 | 9998 | 9999 | no space left",
    )
    assert process("stop", command="x").code == 0
    assert (process("monitor", command="x").exit_reason, list(process.pidfile.parent.iterdir())) == ("", [])


def test_output_without_a_log_file_is_bounded_and_never_hinders_the_command(process, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = tmp_path / "done"
    assert process("start", command=f"head -c 50000000 /dev/zero; touch {done}; exec sleep 600").code == 0
    end = time.monotonic() + 20
    while not done.exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    assert sum(path.stat().st_size for path in process.pidfile.parent.iterdir()) < 20_000
    assert process("monitor", command="x").code == 0
    assert process("stop", command="x").code == 0


def test_stop_takes_the_whole_group(process, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    pids = tmp_path / "pids"
    process("start", command=f"sleep 600 & echo $! >{pids}; sleep 600 & echo $! >>{pids}; wait", ready_file=str(pids))
    assert process("stop", command="x").code == 0
    assert not any(procfs.is_alive(int(pid)) for pid in pids.read_text().split())


def test_process_that_ignores_the_signal_is_killed(process, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ready = tmp_path / "ready"
    process("start", command=f"trap '' TERM; touch {ready}; while :; do sleep 0.1; done", ready_file=str(ready))
    before = time.monotonic()
    assert process("stop", command="x", stop_timeout="1").code == 0
    assert 0.9 < time.monotonic() - before < 4


def test_stop_signal(process, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ended = tmp_path / "ended"
    ready = tmp_path / "ready"
    command = f"trap 'touch {ended}; exit' USR1; touch {ready}; while :; do sleep 0.02; done"
    process("start", command=command, ready_file=str(ready))
    assert process("stop", command="x", stop_signal="SIGUSR1").code == 0
    assert ended.exists()


def test_what_a_dead_process_left_behind_is_an_error_and_stop_clears_it(process, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    child = tmp_path / "child"
    process("start", command=f"sleep 600 & echo $! >{child}; wait", ready_file=str(child))
    os.kill(pid_of(process), signal.SIGKILL)
    time.sleep(0.05)
    result = process("monitor", command="x")
    assert result.code == 1
    assert child.read_text().strip() in result.exit_reason
    assert process("stop", command="x").code == 0
    assert not procfs.is_alive(int(child.read_text()))


def test_number_of_another_process_is_never_touched(process) -> None:  # type: ignore[no-untyped-def]
    process.pidfile.parent.mkdir(parents=True, exist_ok=True)
    for content in (f"{os.getpid()} 1", f"{os.getpid()}", "1 1", "-1 1", "x", "", "0 0"):
        process.pidfile.write_text(f"{content}\n")
        assert process("monitor", command="x").code == 7, content
        assert process("stop", command="x").code == 0, content
        assert not process.pidfile.exists()


def unused_port() -> int:
    """A port on which nothing listens, and which no connection is given by chance (those come from 32768 on)."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("0.0.0.0", port := 20_000 + secrets.randbelow(12_000)))
            return port


@pytest.mark.parametrize("kind", ["command", "port", "file"])
def test_started_means_ready(process, tmp_path: Path, kind: str) -> None:  # type: ignore[no-untyped-def]
    flag = tmp_path / "flag"
    port = unused_port()
    listen = f"import socket,time; s=socket.create_server(('127.0.0.1',{port})); time.sleep(600)"
    checks = {
        "command": {"ready_command": f"test -e {flag}", "command": f"sleep 0.4; touch {flag}; exec sleep 600"},
        "file": {"ready_file": str(flag), "command": f"sleep 0.4; touch {flag}; exec sleep 600"},
        "port": {"ready_port": str(port), "command": f'sleep 0.4; exec python3 -c "{listen}"'},
    }[kind]
    before = time.monotonic()
    started = process("start", logfile=str(tmp_path / "log"), **checks)
    assert started.code == 0, (started, (tmp_path / "log").read_text())
    assert time.monotonic() - before > 0.35
    assert process("monitor", **checks).code == 0
    if kind == "file":
        flag.unlink()
        result = process("monitor", **checks)
        assert (result.code, "there is no file" in result.exit_reason) == (1, True)
    assert process("stop", **checks).code == 0


def test_service_that_never_gets_ready_is_ended_with_the_call(process, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    result = process("start", timeout_ms=600, command="exec sleep 600", ready_file=str(tmp_path / "never"))
    assert result.status is OperationStatus.TIMED_OUT
    assert not procfs.is_alive(pid_of(process))
    assert process("monitor", command="x").code == 7


@needs_root
def test_user(process, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    log = tmp_path / "log"
    assert (
        process(
            "start", command="id -un; exec sleep 600", user="nobody", logfile=str(log), ready_command=f"grep . {log}"
        ).code
        == 0
    )
    assert log.read_text().splitlines()[0] == "nobody"
    assert os.stat(f"/proc/{pid_of(process)}").st_uid != 0
    assert process("stop", command="x").code == 0


@pytest.mark.parametrize(
    ("code", "parameters"),
    [
        (6, {}),
        (6, {"command": "x", "stop_timeout": "soon"}),
        (6, {"command": "x", "ready_port": "http"}),
        (6, {"command": "x", "stop_signal": "NONE"}),
        (5, {"command": "x", "user": "nobody-of-that-name"}),
        (5, {"command": "x", "directory": "/nonexistent"}),
        (5, {"command": "x", "pidfile": "/nonexistent/pid"}),
        (0, {"command": "x", "stop_signal": "SIGINT", "stop_timeout": "0"}),
    ],
)
def test_validation(process, code: int, parameters: dict[str, str]) -> None:  # type: ignore[no-untyped-def]
    assert process("validate-all", **parameters).code == code
