"""What a node costs and how quickly it acts: `python tests/benchmarks/node.py [--rounds 7] [--resources 100]`.

Real daemons, real agents; medians. The manager's own share is what is left when the agents' own times are taken off.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from daemon.conftest import Node

DEBOUNCE_MS = 50


@contextmanager
def running_node() -> Iterator[Node]:
    """A node with a daemon, in a directory of its own."""
    with tempfile.TemporaryDirectory() as directory:
        node = Node(Path(directory))
        node.start()
        try:
            yield node
        finally:
            node.stop()


def events_since(node: Node, cursor: str) -> list[dict[str, Any]]:
    """What happened after the cursor."""
    return list(node.client.events(since=cursor, follow=False))


def cursor(node: Node) -> str:
    """Where the node's story stands."""
    return str(events_since(node, "0")[-1]["cursor"])


def cpu_s(pid: int) -> tuple[float, float]:
    """CPU seconds of a process, and of its children that have ended."""
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    tick = os.sysconf("SC_CLK_TCK")
    return (int(words[11]) + int(words[12])) / tick, (int(words[13]) + int(words[14])) / tick


def pss_mib(pid: int) -> float:
    """The proportional set size."""
    line = next(line for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) / 1024


def change_to_first_call(rounds: int) -> list[float]:
    """From a changed directory at rest to the first agent call, in milliseconds."""
    found = []
    with running_node() as node:
        node.write(node.configuration({"a": "0", "b": "0", "c": "0"}))
        node.at_rest_with({"a": "0", "b": "0", "c": "0"})
        for number in range(1, rounds + 1):
            time.sleep(0.3)
            since = cursor(node)
            node.write(node.configuration({"a": str(number), "b": "0", "c": "0"}))
            began = time.time()
            node.at_rest_with({"a": str(number), "b": "0", "c": "0"})
            first = next(event for event in events_since(node, since) if event["type"] == "action_started")
            found.append((first["at"] - began) * 1000 - DEBOUNCE_MS)
    return found


def killed_to_running(rounds: int) -> tuple[list[float], list[float]]:
    """From a killed process to its service running again with a 10 s monitor: whole, and the manager's own share."""
    whole, own = [], []
    command = f"sleep {100_000 + os.getpid()}"
    with running_node() as node:
        node.write(
            "cluster: {options: {stonith-enabled: false}}\n"
            f"primitives:\n  web:\n    agent: ocf:reconciler:process\n    params: {{command: exec {command}}}\n"
            "    operations: {monitor: {interval: 10s, timeout: 20s}}\n"
        )
        node.wait(lambda: node.roles() == {"web": "Started"} and node.status()["converged"], "it runs")
        for _ in range(rounds):
            time.sleep(0.8)
            since = cursor(node)
            began = time.time()
            subprocess.run(["pkill", "-9", "-xf", command], check=True)
            node.wait(lambda since=since: started(node, since) is not None, "it runs again")
            done = started(node, since)
            assert done is not None
            spent = {
                event["operation"]: event["execution_ms"]
                for event in reversed(events_since(node, since))
                if event["type"] in ("action_done", "action_failed")
            }
            whole.append((done["at"] - began) * 1000)
            own.append(whole[-1] - sum(spent.get(name, 0) for name in ("monitor", "stop", "start")))
        node.client.post("/v1/shutdown", {"resources": True})
        node.running.wait(20)
        node.start()
    return whole, own


def started(node: Node, since: str) -> dict[str, Any] | None:
    """The start that was done after the cursor."""
    done = (event for event in events_since(node, since) if event["type"] == "action_done")
    return next((event for event in done if event["operation"] == "start"), None)


def many_at_once(resources: int) -> dict[str, float]:
    """Resources added at once until all run: seconds, CPU of the manager and of all its agents; then an idle node's costs."""
    values = {f"r{number}": "1" for number in range(resources)}
    with running_node() as node:
        pid = node.running.pid
        time.sleep(0.5)
        before, began = cpu_s(pid), time.monotonic()
        node.write(node.configuration(values))
        node.wait(lambda: len(node.states()) == resources and node.client.get("/v1/health")["converged"], "all", 300)
        seconds, after = time.monotonic() - began, cpu_s(pid)
        time.sleep(2)
        idle, began = cpu_s(pid), time.monotonic()
        time.sleep(20)
        own_s = cpu_s(pid)[0] - idle[0]
        return {
            "seconds": seconds,
            "manager_cpu_s": after[0] - before[0],
            "agents_cpu_s": after[1] - before[1],
            "idle_cpu_percent": 100 * own_s / (time.monotonic() - began),
            "pss_mib": pss_mib(pid),
        }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--resources", type=int, default=100)
    args = parser.parse_args()
    first = change_to_first_call(args.rounds)
    print(f"change in a watched directory to first agent call, after the debounce: {statistics.median(first):.0f} ms")
    whole, own = killed_to_running(args.rounds)
    print(
        f"service killed to running again: {statistics.median(whole):.0f} ms, manager's own {statistics.median(own):.0f} ms"
    )
    runs = [many_at_once(args.resources) for _ in range(max(1, args.rounds // 2))]
    for name in runs[0]:
        print(f"{args.resources} resources at once: {name} {statistics.median(run[name] for run in runs):.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
