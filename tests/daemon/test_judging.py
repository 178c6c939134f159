"""Judging in a process that can be killed: nothing that a commit holds takes the node's time, memory or life."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler import version
from reconciler.daemon import compile_apart, replaced
from reconciler.daemon.compile_apart import JudgeError, Workers
from reconciler.language import Loaded, load

GOOD = {
    "a.yaml": b"cluster: {name: x, options: {fencing-enabled: false}}\nprimitives:\n  a: {agent: 'ocf:reconciler:Dummy'}\n"
}


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers()
    yield made
    made.close()


def judge(workers: Workers, files: dict[str, bytes] = GOOD) -> Loaded:
    return workers.load(files, strict=False, agents=None, nodes=("n1",))


def running(workers: Workers) -> list[int]:
    return [worker._process.pid for worker in workers._idle]


def test_a_worker_says_what_loading_says_and_serves_again(workers: Workers) -> None:
    for files in (GOOD, {"a.yaml": b"nonsense: 1\n"}, {}, {"a.yaml": b"\xff\0"}):
        assert judge(workers, files) == load(files, twice=True)
    first = running(workers)
    judge(workers)
    assert running(workers) == first
    begin = time.monotonic()
    judge(workers)
    assert time.monotonic() - begin < 2


LATE = """
import sys
from reconciler.agents.installed import Roots
from reconciler.daemon.compile_apart import AgentSettings, _load, _load_modules, _CompileRequest, _try
_load_modules()
known = set(sys.modules)
agents = AgentSettings(Roots((sys.argv[1],)), sys.argv[1])
loaded = _load(_CompileRequest({"a.yaml": sys.argv[2]}, False, agents, ("n1",)))
_try(loaded, ("n1",))
print(loaded.findings, *sorted(set(sys.modules) - known))
"""


def test_a_worker_that_is_warm_has_imported_what_a_request_takes(tmp_path: Path) -> None:
    agent = tmp_path / "resource.d" / "x" / "plain"
    agent.parent.mkdir(parents=True)
    agent.write_text(
        '#!/bin/sh\necho \'<resource-agent name="plain"><version>1</version><parameters/>'
        '<actions><action name="start" timeout="20s"/></actions></resource-agent>\'\n'
    )
    agent.chmod(0o755)
    text = GOOD["a.yaml"].decode().replace("ocf:reconciler:Dummy", "ocf:x:plain")
    told = subprocess.run(
        [sys.executable, "-c", LATE, str(tmp_path), text], capture_output=True, text=True, timeout=60, check=True
    )
    findings, *modules = told.stdout.rpartition(")")[::2]
    assert "no-metadata" not in findings
    assert [name for name in modules[0].split() if name != "subprocess"] == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_is_killed_is_no_fault_of_the_commit(workers: Workers, number: int) -> None:
    """The kernel takes it first when memory runs out: the commit is judged later."""
    judge(workers)
    (worker,) = workers._idle
    os.kill(worker._process.pid, signal.SIGSTOP)
    sent, real = [], worker.send

    def send(data: bytes, end_s: float) -> None:
        real(data, end_s)
        sent.append(os.kill(worker._process.pid, number))
        os.kill(worker._process.pid, signal.SIGCONT)

    worker.send = send  # type: ignore[method-assign]
    with pytest.raises(JudgeError):
        judge(workers)
    assert judge(workers).configuration is not None


def test_one_that_died_waiting_is_replaced(workers: Workers) -> None:
    judge(workers)
    os.kill(running(workers)[0], signal.SIGKILL)
    time.sleep(0.1)
    assert judge(workers).configuration is not None


def test_none_of_another_version_is_asked(workers: Workers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade puts the files of another version in place before it restarts the daemon: the commit is judged later."""
    program = tmp_path / "version.py"
    program.touch()
    monkeypatch.setattr(version, "__file__", str(program))
    monkeypatch.setattr(replaced, "_LOADED", replaced._identity())
    judge(workers)
    (tmp_path / "unpacked").touch()
    os.replace(tmp_path / "unpacked", program)
    assert judge(workers).configuration is not None, "one that was loaded before is of this version"
    workers.close()
    with pytest.raises(JudgeError, match="replaced by another version"):
        judge(workers)
    program.unlink()
    with pytest.raises(JudgeError, match="replaced by another version"):
        judge(workers)


def test_one_that_ended_by_itself_just_now_is_no_fault_of_the_commit(workers: Workers) -> None:
    judge(workers)
    (worker,) = workers._idle

    def send(data: bytes, end_s: float) -> None:
        assert worker._process.stdin is not None
        worker._process.stdin.close()
        worker._process.wait()

    worker.send = send  # type: ignore[method-assign]
    assert judge(workers).configuration is not None


def test_workers_are_the_first_to_go_and_end_by_themselves(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    workers.warm()
    (pid,) = running(workers)
    judge(workers)
    assert running(workers) == [pid]
    score = int(Path(f"/proc/{pid}/oom_score_adj").read_text())
    assert score > int(Path("/proc/self/oom_score_adj").read_text())
    limits = Path(f"/proc/{pid}/limits").read_text()
    assert "unlimited" not in next(line for line in limits.splitlines() if line.startswith("Max address space"))
    (worker,) = workers._idle
    assert worker._process.stdin is not None
    worker._process.stdin.close()
    assert worker._process.wait(20) == 0


class Child:
    """What the worker runs instead of the real work."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        monkeypatch.setenv("PYTHONPATH", str(path))
        monkeypatch.setattr(compile_apart, "__name__", "replaced")

    def does(self, *, load: str = "", decide: str = "") -> None:
        """Run these statements before reading, and before deciding."""
        (self.path / "replaced.py").write_text(
            "import sys\n"
            "from reconciler.daemon import compile_apart as real\n"
            f"def load(request, load=real._load):\n    {load or 'pass'}\n    return load(request)\n"
            f"def attempt(*given, attempt=real._try):\n    {decide or 'pass'}\n    return attempt(*given)\n"
            "real._load_modules()\n"
            "real._load, real._try, real._load_modules = load, attempt, int\n"
            "real._MEMORY_BYTES = 512 << 20\n"
            "sys.exit(real.main())\n"
        )


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Child:
    monkeypatch.setattr(compile_apart, "_READ_S", 6.0)
    monkeypatch.setattr(compile_apart, "_TRY_S", 2.0)
    return Child(tmp_path, monkeypatch)


BACKTRACKING = "import re; re.match('^(a+)+$', 'a' * 64 + 'b')"


@pytest.mark.parametrize(
    ("statements", "code", "words"),
    [
        ({"load": BACKTRACKING}, "too-expensive", "reading the files took more than"),
        ({"decide": BACKTRACKING}, "too-expensive", "deciding what to do with it took more than"),
        ({"load": "bytearray(1 << 40)"}, "too-expensive", "memory"),
        ({"decide": "bytearray(1 << 40)"}, "too-expensive", "memory"),
        ({"load": "raise RecursionError('deep')"}, "judging-failed", "RecursionError: deep"),
        ({"decide": "raise KeyError('x')"}, "judging-failed", "KeyError"),
        ({"load": "real._answer(b'L', b'[]')"}, "too-expensive", "not understood"),
        ({"load": "import os; os._exit(9)"}, "too-expensive", "ended with 9"),
    ],
)
def test_what_takes_too_much_or_breaks_is_a_finding(workers: Workers, child: Child, statements, code, words) -> None:
    child.does(**statements)
    loaded = judge(workers)
    assert loaded.configuration is None
    assert [finding.code for finding in loaded.findings] == [code]
    assert words in loaded.findings[0].text
    child.does()
    assert judge(workers).configuration is not None


def test_a_configuration_that_can_t_be_decided_upon_is_refused(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty-six resources that each follow the next three took the decision minutes; or it is quick by now."""
    names = [f"r{n}" for n in range(26)]
    lines = ["cluster: {name: x, options: {stonith-enabled: false}}", "primitives:"]
    lines += [f"  {name}: {{agent: 'ocf:reconciler:Dummy'}}" for name in names]
    lines += ["constraints:", "  colocations:"]
    lines += [
        f"    c{n}-{m}: {{resource: r{n}, with: r{m}, score: {n + m}}}"
        for n in range(26)
        for m in range(n + 1, min(n + 4, 26))
    ]
    monkeypatch.setattr(compile_apart, "_TRY_S", 3.0)
    begin = time.monotonic()
    loaded = judge(workers, {"a.yaml": "\n".join(lines).encode()})
    assert time.monotonic() - begin < 30
    codes = {finding.code for finding in loaded.findings}
    assert loaded.configuration is not None or codes == {"too-expensive"}
