"""Programs that misbehave: whatever they do, the call ends in time, in bounds, and leaves only what it should."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from control_groups import in_control_groups

from reconciler.agents import procfs
from reconciler.agents.cgroup import CgroupTree, delegated_tree
from reconciler.agents.command import AgentCommand
from reconciler.agents.process import _KILLED_WITHIN_S, Ended, ProcessRunner, _Child

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


@pytest.fixture
def shell(tree: CgroupTree | None) -> Callable[..., Ended]:
    """Runs a shell script as one command."""

    def run(script: str, timeout_ms: int = 20_000, grace_ms: int = 300, **options: object) -> Ended:
        async def go() -> Ended:
            runner = ProcessRunner(cgroups=tree, grace_ms=grace_ms)
            command = AgentCommand(("/bin/sh", "-c", script), ENVIRONMENT, timeout_ms, **options)  # type: ignore[arg-type]
            return await runner.run(command)

        return asyncio.run(go())

    return run


def gone_within(pid: int, seconds: float) -> bool:
    """Whether the process ends in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not procfs.is_alive(pid):
            return True
        time.sleep(0.01)
    return False


def test_code_and_output_of_both_streams(shell: Callable[..., Ended]) -> None:
    ended = shell("echo out; echo err >&2; exit 7")
    assert (ended.code, ended.signal, ended.timed_out) == (7, None, False)
    assert ended.output == b"out\nerr\n"


def test_standard_input_is_empty_unless_given(shell: Callable[..., Ended]) -> None:
    assert shell("cat").output == b""
    assert shell("cat", standard_input=b"a=1\nb=2\n").output == b"a=1\nb=2\n"


def test_standard_input_larger_than_a_pipe(shell: Callable[..., Ended]) -> None:
    assert shell("wc -c", standard_input=b"x" * 300_000).output.strip() == b"300000"


def test_environment_is_only_what_was_given(shell: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_DAEMON", "1")
    names = {line.partition(b"=")[0] for line in shell("/usr/bin/env").output.splitlines()}
    assert names - {b"PWD", b"_", b"SHLVL", b"OLDPWD"} == {b"PATH", b"RECONCILER_CALL"}


def test_descriptors_are_only_the_three(shell: Callable[..., Ended], tmp_path: Path) -> None:
    with open(tmp_path / "inheritable", "w", encoding="ascii") as file:
        os.set_inheritable(file.fileno(), True)
        assert shell("ls /proc/self/fd").output.split() == [b"0", b"1", b"2", b"3"]  # 3: the directory that ls reads.


def test_ended_by_a_signal(shell: Callable[..., Ended]) -> None:
    ended = shell("kill -KILL $$")
    assert (ended.code, ended.signal) == (None, signal.SIGKILL)


def test_missing_program_is_told_as_the_kernel_tells_it(tree: CgroupTree | None, tmp_path: Path) -> None:
    async def go(path: str) -> Ended:
        return await ProcessRunner(cgroups=tree).run(AgentCommand((path,), ENVIRONMENT))

    plain = tmp_path / "plain"
    plain.write_text("no program")
    assert asyncio.run(go("/nonexistent/agent")).error == 2
    assert asyncio.run(go(str(plain))).error == 13


def test_deadline_kills_a_program_that_hangs(shell: Callable[..., Ended]) -> None:
    before = time.monotonic()
    ended = shell("echo before; sleep 600", timeout_ms=300)
    assert ended.timed_out
    assert not ended.lingers
    assert ended.output == b"before\n"
    assert time.monotonic() - before < 3


def test_deadline_kills_a_program_that_ignores_sigterm(shell: Callable[..., Ended]) -> None:
    before = time.monotonic()
    ended = shell("trap '' TERM; echo $$; while :; do sleep 0.1; done", timeout_ms=400)
    assert ended.timed_out
    assert ended.signal == signal.SIGKILL
    assert time.monotonic() - before < 3
    assert not procfs.is_alive(int(ended.output))


def test_deadline_kills_children_that_fled_into_sessions_of_their_own(
    shell: Callable[..., Ended], tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    fled = f'setsid sh -c \'trap "" TERM HUP; echo $$ >>{pids}; setsid sh -c "echo \\$\\$ >>{pids}; sleep 600" & sleep 600\' &'
    ended = shell(f"{fled} trap '' TERM; sleep 600", timeout_ms=500)
    assert ended.timed_out
    found = [int(line) for line in pids.read_text().split()]
    assert len(found) == 2
    assert all(gone_within(pid, 1) for pid in found)


@pytest.mark.parametrize(("grace_ms", "given_s"), [(60_000, 0.3), (200, 0.2)], ids=["half", "less"])
def test_the_grace_is_at_most_half_of_the_timeout(
    shell: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, grace_ms: int, given_s: float
) -> None:
    """Who was given half a second to stop a service does not wait for minutes until it is killed."""
    waited: list[float] = []
    within = _Child.ends_within

    async def noted(child: _Child, seconds: float) -> bool:
        waited.append(seconds)
        return await within(child, seconds)

    monkeypatch.setattr(_Child, "ends_within", noted)
    before = time.monotonic()
    assert shell("trap '' TERM; while :; do sleep 0.1; done", timeout_ms=600, grace_ms=grace_ms).timed_out
    assert time.monotonic() - before < 15
    assert waited == [0.6, given_s, _KILLED_WITHIN_S]


def test_an_answer_given_to_sigterm_is_still_a_timeout(shell: Callable[..., Ended]) -> None:
    ended = shell("trap 'echo ending; exit 0' TERM; sleep 600 & wait", timeout_ms=300)
    assert ended.timed_out
    assert b"ending" in ended.output


def test_daemon_left_behind_neither_stalls_the_call_nor_dies(shell: Callable[..., Ended], tmp_path: Path) -> None:
    pidfile = tmp_path / "pid"
    daemon = f"setsid sh -c 'echo $$ >{pidfile}; while sleep 0.02; do echo noise; done' &"
    before = time.monotonic()
    ended = shell(f"{daemon} while ! [ -s {pidfile} ]; do sleep 0.01; done; echo started")
    assert ended.code == 0
    assert time.monotonic() - before < 5
    pid = int(pidfile.read_text())
    time.sleep(0.3)  # It prints on, to an output that nobody reads any more.
    try:
        assert procfs.is_alive(pid)
    finally:
        os.kill(pid, signal.SIGKILL)


def test_daemon_left_behind_does_not_hang_on_a_full_pipe(shell: Callable[..., Ended], tmp_path: Path) -> None:
    mark, pidfile = tmp_path / "through", tmp_path / "pid"
    shell(
        f"setsid sh -c 'echo $$ >{pidfile}; sleep 0.2; head -c 1000000 /dev/zero; touch {mark}; sleep 600' &"
        f"while ! [ -s {pidfile} ]; do sleep 0.01; done"
    )
    end = time.monotonic() + 5
    while not mark.exists() and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(int(pidfile.read_text()), signal.SIGKILL)
    assert mark.exists()


def test_one_gigabyte_of_output_is_bounded_and_its_ends_are_kept(shell: Callable[..., Ended]) -> None:
    ended = shell("echo first; head -c 1000000000 /dev/zero; echo last", timeout_ms=60_000)
    assert ended.code == 0
    assert len(ended.output) < 70_000
    assert ended.output.startswith(b"first\n")
    assert ended.output.endswith(b"last\n")
    assert b"bytes left out" in ended.output


def test_output_to_dev_stderr_arrives(shell: Callable[..., Ended]) -> None:
    assert shell("echo a >/dev/stderr; echo b >/dev/stdout; echo c").output == b"a\nb\nc\n"


def test_program_that_closes_its_descriptors(shell: Callable[..., Ended]) -> None:
    ended = shell("exec 0<&- 1>&- 2>&-; sleep 0.1; exit 5")
    assert (ended.code, ended.output) == (5, b"")


def test_fork_storm_dies_with_the_deadline(shell: Callable[..., Ended], tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    ended = shell(
        f"i=0; while [ $i -lt 60 ]; do setsid sh -c 'echo $$ >>{pids}; sleep 600' & i=$((i+1)); done; sleep 600",
        timeout_ms=1500,
    )
    assert ended.timed_out
    found = [int(line) for line in pids.read_text().split()]
    assert len(found) == 60
    assert [pid for pid in found if not gone_within(pid, 2)] == []


def test_cancelled_call_leaves_nothing(tree: CgroupTree | None, tmp_path: Path) -> None:
    pidfile = tmp_path / "pid"

    async def go() -> None:
        runner = ProcessRunner(cgroups=tree)
        task = asyncio.create_task(
            runner.run(AgentCommand(("/bin/sh", "-c", f"echo $$ >{pidfile}; sleep 600"), ENVIRONMENT))
        )
        while not (pidfile.exists() and pidfile.read_text()):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert runner.running == set()

    asyncio.run(go())
    assert gone_within(int(pidfile.read_text()), 1)


def test_limit_holds_calls_back_and_their_deadlines_with_them() -> None:
    async def go() -> list[Ended]:
        runner = ProcessRunner(limit=1)
        command = AgentCommand(("/bin/sleep", "0.3"), ENVIRONMENT, timeout_ms=500)
        return await asyncio.gather(*(runner.run(command) for _ in range(3)))

    ended = asyncio.run(go())
    assert [one.timed_out for one in ended] == [False, False, False]
    assert sorted(one.queue_ms // 250 for one in ended) == [0, 1, 2]


def test_descriptors_are_given_back(shell: Callable[..., Ended]) -> None:
    shell("true")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        shell("echo x")
        shell("sleep 600", timeout_ms=50, grace_ms=10)
    assert len(os.listdir("/proc/self/fd")) == before


def test_control_group_of_a_finished_call_is_removed(tree: CgroupTree | None, shell: Callable[..., Ended]) -> None:
    shell("true", label="web:0")
    if tree is not None:
        assert tree.groups("web:0") == []
        os.rmdir(tree.root)


@in_control_groups
def test_control_group_that_a_call_is_about_to_enter_is_not_swept(tree: CgroupTree, tmp_path: Path) -> None:
    """By the liveness watch of the resource, by a sweep, or by another daemon of this run directory that ends just now."""
    group = tree.create("web")
    assert tree.left_behind("web") == []
    tree.sweep()
    other = [
        sys.executable,
        "-c",
        f"from reconciler.agents.cgroup import CgroupTree; CgroupTree({tree.root!r}).close()",
    ]
    subprocess.run(other, check=True, cwd=Path(__file__).parents[2])
    assert os.path.isdir(group.path)
    tree.release(group)
    assert not os.path.exists(group.path)


@in_control_groups
def test_control_group_of_a_dead_daemon_is_swept(tree: CgroupTree) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    os.mkdir(f"{tree.root}/web@{dead.pid}-1")
    tree.sweep()
    assert tree.groups("web") == []


@in_control_groups
def test_tree_that_was_removed_is_made_again(tree: CgroupTree, shell: Callable[..., Ended]) -> None:
    os.rmdir(tree.root)
    assert tree.left_behind("web") == []
    tree.sweep()
    ended = shell("cat /proc/self/cgroup", label="web")
    assert f"/{os.path.basename(tree.root)}/web@".encode() in ended.output


@in_control_groups
def test_call_without_a_control_group_runs_all_the_same(tree: CgroupTree, shell: Callable[..., Ended]) -> None:
    """No more groups may be made, or there is no memory for one: that is no failure of the resource."""
    root, tree.root = tree.root, f"{tree.root}/cgroup.procs"  # No directory can be made below a file.
    assert shell("echo runs").output == b"runs\n"
    tree.root = root


@in_control_groups
def test_nodes_of_one_name_have_trees_of_their_own(tree: CgroupTree, tmp_path: Path) -> None:
    again, other = delegated_tree("tests", str(tmp_path)), delegated_tree("tests", str(tmp_path / "other"))
    assert again is not None
    assert again.root == tree.root, "the next daemon finds it"
    assert other is not None
    other.close()
    assert other.root != tree.root


def test_variables_that_a_shell_can_not_name_arrive(tree: CgroupTree | None) -> None:
    environment = {**ENVIRONMENT, "OCF_RESKEY_fail-over": "yes = no\n", "LANG": "C"}

    async def go() -> Ended:
        return await ProcessRunner(cgroups=tree).run(AgentCommand(("/usr/bin/env", "-0"), environment))

    ended = asyncio.run(go())
    found = dict(pair.split(b"=", 1) for pair in ended.output.split(b"\0") if pair)
    assert found.pop(b"RECONCILER_CALL")
    assert found == {name.encode(): value.encode() for name, value in environment.items()}


def test_process_that_becomes_another_program_is_known_by_its_mark_all_the_same() -> None:
    """For an instant after the exec the kernel shows no environment: what is killed by its mark must not escape so."""
    missed = 0
    for number in range(200):
        child = subprocess.Popen(["/bin/sleep", "600"], env={"MARK": f"{os.getpid()}-{number}"})
        missed += not procfs.carries(child.pid, f"MARK={os.getpid()}-{number}")
        child.kill()
        child.wait()
    assert missed == 0


def test_orphans_are_reaped_and_children_of_others_are_not() -> None:
    script = """
import os, subprocess, sys, time
sys.path.insert(0, {path!r})
from reconciler.agents.kernel import adopt_orphans
from reconciler.agents.orphans import reap_orphans
assert adopt_orphans()
subprocess.run(["/bin/sh", "-c", "setsid sleep 0.1 & echo $!"], start_new_session=True, check=True)
waited = subprocess.Popen(["/bin/sleep", "0.1"])
time.sleep(0.5)
reaped = reap_orphans(())
assert len(reaped) == 1, reaped
assert waited.wait() == 0
"""
    path = str(Path(__file__).parents[2])
    subprocess.run([sys.executable, "-c", script.format(path=path)], check=True, timeout=20)
