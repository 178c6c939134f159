"""What is attacked: a process that reads and decides, and a real daemon that follows a real repository."""

from __future__ import annotations

import json
import os
import random
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from daemon.conftest import Node, Operator

from reconciler.cli.node.client import ClientError

from .inputs import ROOT, commit_object, file_name, graph, request

QUIET_AGENT = """#!/bin/sh
# A service that is a file beside this agent; no parameter reaches anything.
here="$(dirname "$0")/$(printf %s "$OCF_RESOURCE_INSTANCE" | cksum | tr -d ' ').state"
case $1 in
start) : > "$here";;
stop) rm -f "$here";;
monitor) [ -e "$here" ] || exit 7;;
meta-data) cat <<END
<?xml version="1.0"?>
<resource-agent name="Quiet"><version>1.1</version><longdesc>x</longdesc><shortdesc>x</shortdesc><parameters/>
<actions><action name="start" timeout="20s"/><action name="stop" timeout="20s"/><action name="monitor" timeout="20s" interval="10s"/>
<action name="meta-data" timeout="5s"/></actions></resource-agent>
END
;;
*) exit 3;;
esac
"""
_TRY_S = 60.0
_FREEZE_S = 2.0
_GOOD = '{"cluster": {"name": "fuzz", "options": {"fencing-enabled": false}}, "primitives": {"a": {"agent": "ocf:test:Quiet"}}}\n# %d\n'


class Wrong(Exception):
    """Something came of an input that never should."""


class Outcome(NamedTuple):
    """What a worker made of an input: a word, seconds of processor time, and its peak memory in MiB."""

    word: str
    seconds: float
    peak_mib: int


class Worker:
    """A worker process, started again whenever it ends."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def try_input(self, kind: str, data: bytes) -> Outcome:
        """What became of an input. Raises Wrong when the worker crashed, ended, or gave no answer."""
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({"kind": kind, "data": data.hex()}).encode() + b"\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], _TRY_S)
        line = process.stdout.readline() if ready else b""
        if not line:
            self.stop()
            raise Wrong(f"the worker ended with {process.returncode}" if ready else f"no answer within {_TRY_S:.0f} s")
        word, seconds, peak, stack = json.loads(line)
        if word == "crashed":
            raise Wrong(stack)
        return Outcome(word, seconds, peak)

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            words = [sys.executable, str(Path(__file__).parent / "worker.py")]
            self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        return self._process


class Daemon:
    """A daemon that follows a repository, and has one service, `a`."""

    def __init__(self, directory: Path) -> None:
        self.node = Node(directory)
        self.operator = Operator(directory)
        agent = directory / "ocf" / "resource.d" / "test" / "Quiet"
        agent.write_text(QUIET_AGENT)
        agent.chmod(0o755)
        self.node.extra = "guards: {hold: []}"  # What comes next removes what came before.
        self.node.sources = f"  site: {{git: 'file://{self.operator.remote}', poll: 60s, local: true}}"
        self.node.client.timeout_s = 60
        self.longest_stall_s = 0.0
        self._log_read = 0
        self._count = 0
        self._push(self._commit(self._tree({b"site.yaml": self._good_text()})))
        self.node.start()
        self._until(lambda status: status["active"] is not None and status["converged"], "the first configuration")

    def stop(self) -> None:
        """End it."""
        self.node.running.kill()
        self.node.running.wait()

    def try_body(self, dice: random.Random) -> bytes:
        """Send a request; what was sent. Raises Wrong."""
        data = request(dice)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_TRY_S)
            connection.connect(self.node.client.path)
            answer = b""
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while part := connection.recv(65_536):
                    answer += part
            except (BrokenPipeError, ConnectionResetError):
                pass
        self._until(lambda status: not status["proposal"], "the end of what may have been proposed")
        if answer and not answer.startswith((b"HTTP/1.1 2", b"HTTP/1.1 4", b"HTTP/1.1 503")):
            raise Wrong(f"answered {answer[:300]!r}")
        return data

    def try_graph(self, dice: random.Random) -> tuple[bytes, str]:
        """Propose constraints drawn at random; what was proposed, and what came of it. Raises Wrong."""
        data = graph(dice, keep="a")
        before = self._active()
        try:
            answer = self.node.client.post("/v1/proposals", {"files": {"site.yaml": data.decode()}})
        except ClientError:
            return data, "refused"
        commit = answer["commit"]

        def is_over(status: dict[str, Any]) -> bool:
            rejected = (status["rejected"] or {}).get("commit") == commit
            return rejected or (status["active"]["commit"] == commit and not status["proposal"])

        self._until(is_over, "a proposal's end")
        active = self._active()
        if active not in (before, commit):
            raise Wrong(f"{active} is active instead of {before} or {commit}")
        return data, "activated" if active == commit else "refused"

    def try_commit(self, dice: random.Random) -> tuple[bytes, str]:
        """Push a hostile commit object."""
        data = commit_object(self._tree({b"site.yaml": self._good_text()}), self._active(), dice)
        return data, self._offer(data)

    def try_name(self, dice: random.Random) -> tuple[bytes, str]:
        """Push a tree with hostile names."""
        files = {
            b"site.yaml": self._good_text(),
            **{file_name(dice): b"# nothing\n" for _ in range(dice.randrange(1, 4))},
        }
        try:
            tree = self._tree(files)
        except subprocess.CalledProcessError:
            return repr(sorted(files)).encode(), "no tree of git"
        return repr(sorted(files)).encode(), self._offer(self._commit_text(tree))

    def check(self) -> None:
        """Whether it lives, answers without a stall, and has met no fault of ours. Raises Wrong."""
        if self.node.running.poll() is not None:
            raise Wrong(f"the daemon ended with {self.node.running.returncode}:\n{self.node.daemon_log()[-3000:]}")
        used, began = self._processor_s(), time.monotonic()
        self.node.client.get("/v1/health")
        # On a busy machine an answer may take its time: a freeze is time that the daemon itself was busy.
        stall = min(time.monotonic() - began, self._processor_s() - used)
        self.longest_stall_s = max(self.longest_stall_s, stall)
        if stall > _FREEZE_S:
            raise Wrong(f"no answer for {stall:.1f} s")
        log = self.node.daemon_log()
        news, self._log_read = log[self._log_read :], len(log)
        if "Traceback" in news or "internal-error" in news:
            raise Wrong(f"a fault is in the log:\n{news[-4000:]}")

    def heal(self) -> None:
        """Push a good commit on top of what is active: it has to take effect. Raises Wrong."""
        commit = self._commit(self._tree({b"site.yaml": self._good_text()}))
        self._push(commit)
        self.node.client.post("/v1/sources/fetch", {})
        self._until(lambda status: status["active"]["commit"] == commit, "a good commit takes effect")

    def _offer(self, data: bytes) -> str:
        before = self._active()
        words = ("hash-object", "-t", "commit", "-w", "--literally", "--stdin")
        commit = self._git(*words, given=data).strip()
        self._push(commit)
        looked = self.node.status()["sources"][0]["checked_at"]
        self.node.client.post("/v1/sources/fetch", {})

        def is_over(status: dict[str, Any]) -> bool:
            source = status["sources"][0]
            seen = (source["checked_at"] or 0) > (looked or 0)
            rejected = (status["rejected"] or {}).get("commit") == commit
            return (
                seen
                and not status["proposal"]
                and (source["state"] == "failed" or rejected or status["active"]["commit"] == commit)
            )

        self._until(is_over, f"an end of {commit}")
        active = self._active()
        if active not in (before, commit):
            raise Wrong(f"{active} is active instead of {before} or {commit}")
        return "activated" if active == commit else "refused"

    def _good_text(self) -> bytes:
        self._count += 1
        return (_GOOD % self._count).encode()

    def _active(self) -> str:
        active = self.node.status()["active"]
        return "" if active is None else str(active["commit"])

    def _tree(self, files: dict[bytes, bytes]) -> str:
        entries = [
            b"100644 blob "
            + self._git("hash-object", "-w", "--stdin", given=content).strip().encode()
            + b"\t"
            + name
            + b"\0"
            for name, content in files.items()
        ]
        inner = self._git("mktree", "-z", given=b"".join(entries)).strip()
        return self._git("mktree", "-z", given=f"040000 tree {inner}\tcluster.d\0".encode()).strip()

    def _commit(self, tree: str) -> str:
        words = ("hash-object", "-t", "commit", "-w", "--literally", "--stdin")
        return self._git(*words, given=self._commit_text(tree)).strip()

    def _commit_text(self, tree: str) -> bytes:
        parent = self._active() if self.node.process is not None else ""
        head = f"tree {tree}\n" + (f"parent {parent}\n" if parent else "")
        person = "Ops <ops@example.org> 1700000000 +0000"
        return f"{head}author {person}\ncommitter {person}\n\nchange {self._count}\n".encode()

    def _push(self, commit: str) -> None:
        """As a push that the remote takes whatever it is: a hostile remote is not fsck'ed."""
        parent = Path(self.node.path / "state" / "repository.git")
        if parent.exists() and self.node.process is not None:
            # What was applied by the API is known here alone; a commit on top of it has to bring it along.
            subprocess.run(
                ["git", f"--git-dir={self.operator.remote}", "fetch", "--quiet", str(parent), "refs/reconciler/active"],
                env=self.operator.environment,
                check=True,
                capture_output=True,
            )
        reference = self.operator.remote / "refs" / "heads" / "main"
        reference.parent.mkdir(parents=True, exist_ok=True)
        reference.write_text(f"{commit}\n")

    def _git(self, *words: str, given: bytes = b"") -> str:
        command = ["git", f"--git-dir={self.operator.remote}", *words]
        done = subprocess.run(command, input=given, env=self.operator.environment, check=True, capture_output=True)
        return done.stdout.decode()

    def _until(self, condition: Any, what: str) -> None:
        end = time.monotonic() + _TRY_S
        while True:
            status = self.node.status()
            if condition(status):
                return
            if time.monotonic() > end:
                shown = {key: status[key] for key in ("active", "rejected", "proposal", "sources", "warnings", "phase")}
                raise Wrong(f"not within {_TRY_S:.0f} s: {what}\n{json.dumps(shown, indent=1)}")
            time.sleep(0.02)

    def _processor_s(self) -> float:
        words = Path(f"/proc/{self.node.running.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
