"""Keep a thousand services running under the usual limits, and count what should not happen.

    python tests/benchmarks/many.py                          # 1,000 services, five minutes, 1,024 open files (hard: the machine's)
    python tests/benchmarks/many.py --count 450 --hard 1024  # and no more than those

A real daemon starts real processes (`ocf:reconciler:process`, a monitor every 30 s) and keeps them for a while. Printed are the times,
the daemon's descriptors, memory and processor time, and every stop, failure and shortage; then one service is killed, and it is
measured how long it takes until it runs again. Exit code 1 if a service was stopped or has failed although nothing was wrong with it.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from reconciler.cli.node.client import Client, ClientError


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument(
        "--soft", type=int, default=1024, help="the limit of open files that the daemon is started with"
    )
    parser.add_argument("--hard", type=int, help="the one that it may raise that to (default: the machine's)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="many-") as directory:
        return Many(Path(directory), options).run()


class Many:
    """The daemon with its services, and what became of them."""

    def __init__(self, home: Path, options: argparse.Namespace) -> None:
        self.home = home
        self.options = options
        self.client = Client(str(home / "node.sock"), timeout_s=60)
        for name in ("conf", "agents", "logs"):
            (home / name).mkdir()
        (home / "node.yaml").write_text(
            "node: n1\npath: cluster.d\nstate: state\nrun: rundir\nsocket: node.sock\nagents: {state: agents}\n"
            "sources: {conf: {directory: conf}}\n"
        )
        lines = "".join(
            f"  s{number}: {{agent: ocf:reconciler:process, params: {{command: exec sleep 1000000, logfile: {home}/logs/s{number}}}, "
            "operations: {start: {timeout: 120s}, stop: {timeout: 120s}, monitor: {interval: 30s, timeout: 120s}}}\n"
            for number in range(options.count)
        )
        text = f"cluster: {{name: many, options: {{fencing-enabled: false}}}}\nprimitives:\n{lines}"
        (home / "conf" / "many.yaml").write_text(text)

    def run(self) -> int:
        """Start, watch, kill one, stop; the exit code."""
        log = (self.home / "log").open("w")
        command = [sys.executable, "-m", "reconciler", "run", "--config", str(self.home / "node.yaml")]
        daemon = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=self._limited)
        try:
            began = time.monotonic()
            self._until(lambda: self._running() == self.options.count, 1800)
            print(f"{self.options.count} services run after {time.monotonic() - began:.0f} s", flush=True)
            cpu_s = cpu_of(daemon.pid)
            time.sleep(self.options.seconds)
            used = (cpu_of(daemon.pid) - cpu_s) / self.options.seconds
            limit = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)[0]
            descriptors = len(os.listdir(f"/proc/{daemon.pid}/fd"))
            print(
                f"{descriptors} of {limit} descriptors, {memory_of(daemon.pid):.0f} MiB, {100 * used:.1f} % of a processor"
            )
            needless = self._needless()
            print(
                f"in {self.options.seconds:.0f} s: {dict(needless) or 'no stop, no failure, no shortage'}", flush=True
            )
            print(f"a killed service runs again after {1000 * self._recovery_s():.0f} ms")
            self._stop(daemon)
            return 1 if needless else 0
        finally:
            daemon.kill()
            for path in self.home.glob("agents/process-*.pid"):
                kill(int(path.read_text().split()[0]))

    def _limited(self) -> None:
        hard = self.options.hard or resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(self.options.soft, hard), hard))

    def _running(self) -> int:
        try:
            status = self.client.get("/v1/status")
        except ClientError:
            return 0
        return int(status["counts"]["running"]) if status["converged"] else 0

    def _needless(self) -> Counter[str]:
        """What has happened that should not have, by kind; and of the failures that status still shows."""
        found: Counter[str] = Counter()
        for event in self.client.events(since="0", follow=False):
            if event["type"] == "action_started" and event["operation"] == "stop":
                found["stops"] += 1
            if event["type"] == "action_failed":
                found["failures"] += 1
            if event.get("what") in ("shortage", "not-converging"):
                found[event["what"]] += 1
        found["failures"] += len(self.client.get("/v1/status")["failed_actions"])
        return +found

    def _recovery_s(self) -> float:
        path = self.home / "agents" / "process-s0.pid"
        former = path.read_text()
        began = time.monotonic()
        kill(int(former.split()[0]))
        self._until(lambda: path.exists() and path.read_text() not in ("", former), 120)
        return time.monotonic() - began

    def _stop(self, daemon: subprocess.Popen[bytes]) -> None:
        began = time.monotonic()
        self.client.post("/v1/shutdown", {"resources": True})
        daemon.wait(1800)
        print(f"all stopped after {time.monotonic() - began:.0f} s")

    def _until(self, done, seconds: float) -> None:  # type: ignore[no-untyped-def]
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                sys.exit(f"not within {seconds:.0f} s:\n{(self.home / 'log').read_text()[-3000:]}")
            time.sleep(0.5 if seconds > 200 else 0.005)


def cpu_of(pid: int) -> float:
    """Processor seconds of the process itself, without its children's."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int) -> float:
    """Its share of memory in MiB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("Pss:"))) / 1024


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


if __name__ == "__main__":
    sys.exit(main())
