"""Measure three nodes in a lab on this machine: `python tests/benchmarks/cluster.py [--runs 6] [WHAT …]`.

commit   a configuration is given to a node's API, until the first agent is called
lost     a node loses its power, until the first agent is called elsewhere: without fencing (lost-node-grace 0), and with the lab's device
hundred  100 resources are added at once, until the cluster is at rest; CPU of each daemon, and of one that is not the DC per result
memory   memory (PSS) of each daemon with 100 resources

Every figure is a median with minimum and maximum. The agents are a small shell script that notes when it was called. Three daemons, their
agents and the network share this machine's processors, so that each takes longer than on a machine of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from lab.harness import Lab, wait_until

from reconciler.agents.installed import Roots
from reconciler.cli.node.client import Client
from reconciler.fabric.lab.wire import LabError

NODES = ("n1", "n2", "n3")
HUNDRED = 100
AGENT = """#!/bin/sh
echo "$(date +%s.%N) $__OCF_ACTION $1 $OCF_RESOURCE_INSTANCE $OCF_RESKEY_CRM_meta_on_node" >>NOTES
state=$HA_RSCTMP/bench-$OCF_RESOURCE_INSTANCE
case $1 in
  start) : >"$state" ;;
  stop) rm -f "$state" ;;
  monitor) [ -e "$state" ] || exit 7 ;;
  meta-data) echo '<resource-agent name="bench"><version>1.1</version><parameters/><actions/></resource-agent>' ;;
esac
"""


class Bench:
    """A lab whose nodes have the noting agent."""

    def __init__(self, directory: Path, options: str, devices: str = "") -> None:
        self.notes = directory / "notes"
        self.notes.touch()
        self.lab = Lab(directory / "lab")
        self.head = (
            f"cluster: {{name: bench, options: {{{options}}}}}\nnodes: {{n1: {{}}, n2: {{}}, n3: {{}}}}\n{devices}"
        )
        self._serial = 0
        agents = directory / "ocf" / "resource.d" / "bench"
        agents.mkdir(parents=True)
        (agents / "noting").write_text(AGENT.replace("NOTES", str(self.notes)))
        (agents / "noting").chmod(0o755)
        with contextlib.redirect_stdout(None):
            self.lab.up(self.head)
        for node in NODES:
            self._give_agents(node, directory / "ocf")
            self.lab.tell("restart", node)
        wait_until(lambda: all(self.lab.view_of(node) == list(NODES) for node in NODES), "all nodes are there")
        wait_until(self.at_rest, "rest")

    def _give_agents(self, node: str, root: Path) -> None:
        path = self.lab.directory / node / "node.yaml"
        config = json.loads(path.read_text())
        config["agents"]["ocf-roots"] = [str(root), *Roots().ocf]
        config["sources"] = {}
        path.write_text(json.dumps(config))

    def give(self, names: list[str], node: str = "n1") -> float:
        """Have these resources; when that was asked for."""
        self._serial += 1
        monitor = "operations: {monitor: {interval: 1h}}"
        lines = [f"  {name}: {{agent: 'ocf:bench:noting', {monitor}}}\n" for name in names]
        text = self.head + ("primitives:\n" + "".join(lines) if lines else "") + f"# {self._serial}\n"
        at = time.time()
        allow = [] if names else ["mass_remove:resources", "stop_all:resources"]
        self.client(node).post("/v1/proposals", {"files": {"all.yaml": text}, "message": "bench", "allow": allow})
        return at

    def client(self, node: str) -> Client:
        return Client(str(self.lab.directory / node / "node.sock"), 10)

    def calls(self, since: float) -> list[tuple[float, str, str, str]]:
        """When which action of which resource was called on which node."""
        lines = (line.split() for line in self.notes.read_text().splitlines())
        found = [(float(line[0]), *line[-3:]) for line in lines if len(line) >= 4]
        return sorted(one for one in found if one[0] >= since and one[1] != "meta-data")  # type: ignore[misc]

    def at_rest(self) -> bool:
        found = [self.lab.status(node) for node in NODES]
        return all(one.get("converged") for one in found) and len({one["cib"]["version"] for one in found}) == 1

    def runs(self, names: list[str]) -> bool:
        """Whether these, and no others, run, by the word of all nodes."""

        def started(status: dict[str, Any]) -> set[str]:
            return {one["id"] for one in status.get("resources", ()) if one["nodes"] and "/" not in one["id"]}

        return self.at_rest() and all(started(self.lab.status(node)) - {"power"} == set(names) for node in NODES)

    def pid(self, node: str) -> int:
        return int(self.lab.nodes()[node]["pid"])


def commit(runs: int) -> Iterator[tuple[str, list[float]]]:
    """From the request to the first agent."""
    took = []
    with bench("fencing-enabled: false") as made:
        for number in range(runs):
            names = [f"r{one}" for one in range(number + 1)]
            at = made.give(names, NODES[number % 3])
            wait_until(lambda names=names: made.runs(names), "it runs")
            took.append((made.calls(at)[0][0] - at) * 1000)
    yield "commit to first agent call, ms", took


def lost(runs: int) -> Iterator[tuple[str, list[float]]]:
    """From the loss of the node that runs a resource to the start of it elsewhere."""
    device = (
        "fencing: {devices: {power: {agent: 'stonith:fence_of_real_machines', params: {pcmk_host_list: n1 n2 n3}}}}\n"
    )
    for how, options, devices in (
        ("without fencing", "fencing-enabled: false, lost-node-grace: 0", ""),
        ("fenced", "", device),
    ):
        took = []
        with bench(options, devices) as made:
            made.give(["r"])
            wait_until(lambda: made.runs(["r"]), "it runs")
            for _ in range(runs):
                where = next(one for one in made.lab.status("n1")["resources"] if one["id"] == "r")["nodes"][0]
                at = time.time()
                made.lab.tell("off", where)
                wait_until(lambda at=at: any(call[1] == "start" for call in made.calls(at)), "it is started elsewhere")
                took.append((next(call[0] for call in made.calls(at) if call[1] == "start") - at) * 1000)
                made.lab.tell("restart", where)
                wait_until(lambda: made.runs(["r"]), "the node is back")
        yield f"node lost to first agent call, {how}, ms (with switching it off)", took


def hundred(runs: int) -> Iterator[tuple[str, list[float]]]:
    """A hundred at once, and what that takes of each daemon."""
    names = [f"r{one:03}" for one in range(HUNDRED)]
    wall, results, per_result, pss = [], [], [], []
    with bench("fencing-enabled: false") as made:
        for number in range(runs):
            before = {node: cpu_ms(made.pid(node)) for node in NODES}
            at = made.give(names)
            wait_until(lambda: made.runs(names), "they run", 120)
            calls = made.calls(at)
            wall.append(calls[-1][0] - at)
            results.append(float(len(calls)))
            dc = made.lab.dc()
            spent = [cpu_ms(made.pid(node)) - before[node] for node in NODES if node != dc]
            per_result += [one / len(calls) for one in spent]
            pss += [pss_mib(made.pid(node)) for node in NODES]
            if number + 1 < runs:
                made.give([])
                wait_until(lambda: made.runs([]), "they are gone", 120)
    yield "100 resources added until the last agent was called, s", wall
    yield "results of that", results
    yield "CPU of a daemon that is not the DC, per result of anybody, ms", per_result
    yield "memory of a daemon (PSS), MiB", pss


def cpu_ms(pid: int) -> float:
    """What a process itself has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def pss_mib(pid: int) -> float:
    """Its share of the memory."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


@contextlib.contextmanager
def bench(options: str, devices: str = "") -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as directory:
        made = Bench(Path(directory), options, devices)
        try:
            yield made
        finally:
            with contextlib.suppress(LabError):
                made.lab.tell("down")


WHAT: dict[str, Callable[[int], Iterator[tuple[str, list[float]]]]] = {
    "commit": commit,
    "lost": lost,
    "hundred": hundred,
}


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[*WHAT, []], metavar="WHAT")
    parser.add_argument("--runs", type=int, default=6)
    args = parser.parse_args()
    for what in args.what or WHAT:
        for name, values in WHAT[what](args.runs):
            print(f"{name}: {statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
