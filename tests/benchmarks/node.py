"""Measure one node: the daemon with its agents, as a user runs them.

    python tests/benchmarks/node.py                 # everything, six runs each
    python tests/benchmarks/node.py change recovery # only these
    python tests/benchmarks/node.py --runs 12

change    a file in a watched directory is written, until the first agent is called, less the debounce
recovery  a service is killed, until its agent has started it again, with a monitor every 10 s; and the manager's own share
hundred   100 resources are added at once, until all run: wall time, and CPU of everything against the bare agents' own
startup   `reconciler status` and `reconciler validate`, whole processes
idle      memory (PSS) and CPU of the daemon with 100 resources, besides its agents

Every figure is a median with minimum and maximum. The agents are a small shell script that notes when it was called.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.cli.node.client import Client, ClientError

DEBOUNCE_S = 0.2

AGENT = """#!/bin/sh
# Runs nothing, or with `pidfile` a process; notes every call.
printf '%s %s %s\\n' "$(date +%s.%N)" "$OCF_RESOURCE_INSTANCE" "$1" >>"$OCF_RESKEY_log"
state="$OCF_RESKEY_run/$OCF_RESOURCE_INSTANCE"
case "$1" in
  meta-data)
    cat <<'XML'
<?xml version="1.0"?>
<resource-agent name="noted"><version>1.0</version><longdesc lang="en">x</longdesc><shortdesc lang="en">x</shortdesc>
<parameters><parameter name="log"><content type="string"/></parameter><parameter name="run"><content type="string"/></parameter>
<parameter name="pidfile"><content type="string"/></parameter></parameters>
<actions><action name="start" timeout="20s"/><action name="stop" timeout="20s"/><action name="monitor" timeout="20s" interval="10s"/>
<action name="meta-data" timeout="5s"/></actions></resource-agent>
XML
    exit 0 ;;
  start)
    [ -z "$OCF_RESKEY_pidfile" ] || { setsid sleep 100000 </dev/null >/dev/null 2>&1 & echo $! >"$OCF_RESKEY_pidfile"; }
    : >"$state"; exit 0 ;;
  stop) [ ! -s "$OCF_RESKEY_pidfile" ] || kill -9 "$(cat "$OCF_RESKEY_pidfile")" 2>/dev/null; rm -f "$state"; exit 0 ;;
  monitor)
    [ -e "$state" ] || exit 7
    [ -z "$OCF_RESKEY_pidfile" ] || kill -0 "$(cat "$OCF_RESKEY_pidfile")" 2>/dev/null || exit 7
    exit 0 ;;
  *) exit 3 ;;
esac
"""


class Lab:
    """A daemon in a directory of its own that watches `conf`."""

    def __init__(self, home: Path, python: str = sys.executable) -> None:
        self.home = home
        self.log = home / "calls"
        self.client = Client(str(home / "node.sock"))
        for name in ("conf", "run", "ocf/resource.d/bench"):
            (home / name).mkdir(parents=True)
        agent = home / "ocf" / "resource.d" / "bench" / "noted"
        agent.write_text(AGENT)
        agent.chmod(0o755)
        (home / "node.yaml").write_text(
            "node: n1\npath: cluster.d\nstate: state\nrun: rundir\nsocket: node.sock\n"
            f"agents: {{ocf-roots: [{home}/ocf, /usr/lib/ocf]}}\n"
            f"sources: {{conf: {{directory: conf, debounce: {int(DEBOUNCE_S * 1000)}ms}}}}\n"
        )
        self.write()
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self.process = subprocess.Popen(
            [python, "-m", "reconciler", "run", "--config", str(home / "node.yaml")],
            stdout=(home / "log").open("w"),
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=home,  # Else `-m` takes the package from where this runs.
        )
        wait(lambda: self._settled() is not None)

    def write(self, *resources: str, extra: str = "") -> None:
        """Write the configuration with these resources."""
        lines = "".join(
            f"  {name}: {{agent: ocf:bench:noted, params: {{log: {self.log}, run: {self.home}/run{extra}}}, "
            "operations: {monitor: {interval: 10s}}}\n"
            for name in resources
        )
        self.write_text(f"primitives:\n{lines}" if lines else "")

    def write_text(self, text: str) -> None:
        """Write the configuration, in one step as an editor does."""
        scratch = self.home / "conf" / ".new"
        scratch.write_text("cluster: {name: bench, options: {fencing-enabled: false}}\n" + text)
        scratch.replace(self.home / "conf" / "bench.yaml")

    def _settled(self) -> dict[str, object] | None:
        try:
            status = self.client.get("/v1/status")
        except ClientError:
            return None
        return status if status["converged"] and status["active"] else None

    def wait_for(self, count: int) -> None:
        """Wait until so many resources run, and nothing is left to do."""
        wait(lambda: (status := self._settled()) is not None and status["counts"]["running"] == count)  # type: ignore[index]

    def calls(self) -> list[tuple[float, str, str]]:
        """When which agent was called for what."""
        if not self.log.exists():
            return []
        found = (line.split() for line in self.log.read_text().splitlines())
        return [(float(at), name, task) for at, name, task in found if task != "meta-data"]

    def cpu_s(self) -> float:
        """CPU that the daemon itself has used, in seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def children_cpu_s(self) -> float:
        """CPU of the agents that the daemon has waited for, in seconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")

    def pss_mib(self) -> float:
        """Memory of the daemon, shared pages divided among those who share them."""
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return int(re.findall(r"^Pss:\s+(\d+)", text, re.MULTILINE)[0]) / 1024

    def close(self) -> None:
        """Stop everything."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        for path in self.home.glob("*.pid"):
            with open(path) as file:
                os.kill(int(file.read()), signal.SIGKILL)


@contextmanager
def lab() -> Iterator[Lab]:
    """A lab that is gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="reconciler-bench."))
    made = Lab(home)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(home)


def wait(condition: Callable[[], bool], timeout_s: float = 120) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("the node did not come to what was waited for")
        time.sleep(0.01)


def show(name: str, values: list[float], unit: str) -> None:
    """One line for one figure."""
    median, least, most = statistics.median(values), min(values), max(values)
    print(f"{name:58} median {median:8.2f} {unit}   min {least:8.2f}   max {most:8.2f}   n {len(values)}", flush=True)


def change(runs: int) -> None:
    """From the change of a file to the first agent call."""
    found = []
    with lab() as node:
        for number in range(runs + 1):
            names = [f"r{i}" for i in range(number + 1)]
            begin = time.time()
            node.write(*names)
            wait(lambda name=names[-1]: any(call[1] == name for call in node.calls()))  # type: ignore[misc]
            first = min(at for at, name, _ in node.calls() if name == names[-1])
            if number:
                found.append((first - begin - DEBOUNCE_S) * 1000)
            node.wait_for(len(names))
    show("change in a directory to first agent call, after debounce", found, "ms")


def recovery(runs: int) -> None:
    """From the death of a service to its start."""
    total, share = [], []
    with lab() as node:
        pidfile = node.home / "service.pid"
        node.write("service", extra=f", pidfile: {pidfile}")
        node.wait_for(1)
        for number in range(runs + 1):
            before = len(node.calls())
            begin = time.time()
            os.kill(int(pidfile.read_text()), signal.SIGKILL)
            wait(lambda seen=before: any(task == "start" for _, _, task in node.calls()[seen:]))  # type: ignore[misc]
            calls = node.calls()[before:]
            monitor, start = (next(at for at, _, task in calls if task == wanted) for wanted in ("monitor", "start"))
            node.wait_for(1)
            status = node.client.get("/v1/status")["resources"][0]
            assert status["role"] == "Started"
            if number:
                total.append((start - begin) * 1000)
                share.append((monitor - begin) * 1000)
    show("killed to its start called again (monitor every 10 s)", total, "ms")
    show("  of which: killed to the monitor that finds it", share, "ms")


REAL_AGENT = Path("/usr/lib/ocf/resource.d/pacemaker/Dummy")


def hundred(runs: int) -> None:
    """100 resources at once: time, and CPU against the bare agents, with the Dummy that the incumbent was measured with."""
    if not REAL_AGENT.exists():
        print(
            f"{REAL_AGENT} is not installed (Debian: apt-get install pacemaker-resource-agents): left out",
            file=sys.stderr,
        )
        return
    wall, ratio, manager, bare = [], [], [], []
    for _ in range(runs):
        with lab() as node:
            own, agents = node.cpu_s(), node.children_cpu_s()
            begin = time.time()
            lines = "".join(
                f"  r{i:03}: {{agent: ocf:pacemaker:Dummy, params: {{state: {node.home}/run/r{i}}}, "
                "operations: {monitor: {interval: 10s}}}\n"
                for i in range(100)
            )
            node.write_text(f"primitives:\n{lines}")
            node.wait_for(100)
            wall.append(time.time() - begin - DEBOUNCE_S)
            own, agents = node.cpu_s() - own, node.children_cpu_s() - agents
            bare.append(_bare_cpu_s(node))
            ratio.append((own + agents) / bare[-1])
            manager.append(own)
    show("100 resources added at once until all run and are monitored", wall, "s")
    show("  CPU of the bare agents' own calls", bare, "s")
    show("  CPU of the daemon itself", manager, "s")
    show("  CPU of all, over the bare agents' own", ratio, "x")


def _bare_cpu_s(node: Lab) -> float:
    """What the same agent calls cost without a manager: a probe, a start and a monitor for each resource."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for number in range(100):
        environment = {
            "PATH": os.environ["PATH"],
            "OCF_ROOT": "/usr/lib/ocf",
            "OCF_RESOURCE_INSTANCE": f"bare{number}",
            "OCF_RESOURCE_TYPE": "Dummy",
            "OCF_RESOURCE_PROVIDER": "pacemaker",
            "OCF_RESKEY_state": f"{node.home}/run/bare{number}",
        }
        for task in ("monitor", "start", "monitor"):
            command = [str(REAL_AGENT), task]
            subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def startup(runs: int) -> None:
    """Whole commands."""
    with lab() as node:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["RECONCILER_SOCKET"] = str(node.home / "node.sock")
        for words in (["status"], ["validate", str(node.home / "conf")]):
            wall, cpu = [], []
            for number in range(runs + 1):
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                begin = time.perf_counter()
                subprocess.run(
                    [sys.executable, "-m", "reconciler", *words], env=environment, stdout=subprocess.DEVNULL, check=True
                )
                if number:
                    after = resource.getrusage(resource.RUSAGE_CHILDREN)
                    wall.append((time.perf_counter() - begin) * 1000)
                    cpu.append((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000)
            show(f"reconciler {words[0]}, wall", wall, "ms")
            show(f"reconciler {words[0]}, CPU", cpu, "ms")


def idle(runs: int) -> None:
    """Memory and CPU with 100 resources that are only monitored."""
    pss, cpu = [], []
    with lab() as node:
        node.write(*(f"r{number:03}" for number in range(100)))
        node.wait_for(100)
        time.sleep(3)
        for _ in range(runs):
            begin, used = time.monotonic(), node.cpu_s()
            time.sleep(10)
            cpu.append((node.cpu_s() - used) / (time.monotonic() - begin) * 100)
            pss.append(node.pss_mib())
    show("idle with 100 resources: PSS of the daemon", pss, "MiB")
    show("idle with 100 resources: CPU of the daemon", cpu, "%")


PARTS = {"change": change, "recovery": recovery, "hundred": hundred, "startup": startup, "idle": idle}


def main() -> int:
    """Measure what the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="what to measure (default: everything)")
    parser.add_argument("--runs", type=int, default=6)
    options = parser.parse_args()
    for name in options.parts or PARTS:
        PARTS[name](options.runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
