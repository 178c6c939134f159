"""What one change costs in clusters of several sizes: `python tests/benchmarks/sizes.py [--nodes 3 5 32] [--labs 5] [--plans 32x500]`.

change   a cluster of so many nodes runs twenty resources and is at rest; one more is added at one node. In the simulator, with the real
         scheduler and the bytes that would travel: the messages until all is at rest again and their bytes; the processor time of the
         DC, of another node, and of one delivery; and the time of one plan. It is the time of deciding alone: no disk, no agents, no
         network. What the network adds to a message (corosync seals it and sends it to each) is not in the bytes, nor is what git packs.
lab      the same in a lab of real daemons: what they took from the network, and the processor time of the daemons
plan     the time of one plan alone, at rest and with a node lost

The messages are the same whatever the machine is; the times are those of this machine, one process after the other.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from cluster import cpu_ms
from lab.harness import Lab, wait_until
from scheduler import NOW, cib, configuration

from reconciler.cib import Cib
from reconciler.cli.node.client import Client
from reconciler.controller import events as ev
from reconciler.controller.envelope import unseal
from reconciler.fabric.lab.wire import LabError
from reconciler.frozen import replace
from reconciler.model.cluster import Configuration
from reconciler.scheduler import schedule
from reconciler.simulator.cluster import SimulatedCluster
from reconciler.simulator.host import Host

_RESOURCES = 20
_MOST_MS = 600_000
_SETTLING_MS = 2_000
_UNASKED = frozenset({"Ping"})
"""Kinds of messages that come whatever is done."""


class Cost:
    """What a simulated cluster has done since the last `begin`."""

    def __init__(self, cluster: SimulatedCluster) -> None:
        self.begin()
        self._sent: Callable[[str, bytes], None] = cluster.network.send
        cluster.network.send = self._send  # type: ignore[method-assign]  # The one place where all that is sent goes by.
        for host in cluster.hosts.values():
            self._time(host)

    def begin(self) -> None:
        """Forget what was done so far."""
        self.messages: Counter[str] = Counter()
        self.bytes = 0
        self.cpu_s = defaultdict[str, float](float)
        self.deliveries = 0
        self.plans_s: list[float] = []

    def _send(self, node: str, payload: bytes) -> None:
        kind = type(unseal(payload).message).__name__
        if kind not in _UNASKED:
            self.messages[kind] += 1
            self.bytes += len(payload)
        self._sent(node, payload)

    def _time(self, host: Host) -> None:
        node = host.node
        assert node is not None
        step, bounded = node.step, node.coordinator.bounded

        def timed(event: ev.Event) -> list[ev.Effect]:
            began = time.process_time()
            try:
                return step(event)
            finally:
                self.cpu_s[host.name] += time.process_time() - began
                self.deliveries += isinstance(event, ev.Delivered)

        def planned(cib: Cib, ask: Callable[[], Any]) -> Any:
            began = time.process_time()
            try:
                return bounded(cib, ask)
            finally:
                self.plans_s.append(time.process_time() - began)

        node.step = timed  # type: ignore[method-assign]  # Measured where the daemon calls it.
        node.coordinator.bounded = planned


def change(nodes: int) -> tuple[str, ...]:
    """A row of the first table."""
    before, after = (_named(configuration(nodes, count, mixed=False)) for count in (_RESOURCES, _RESOURCES + 1))
    cluster = SimulatedCluster([node.name for node in before.nodes], seed=1)
    # What one process reads the others need not: a message is read by each.
    cluster.unseal = unseal  # type: ignore[method-assign]
    cluster.start()
    first = next(iter(cluster.hosts))
    _reach(cluster, cluster.apply(before, first))
    cost = Cost(cluster)
    commit = f"{nodes:040x}"
    for name in cluster.hosts:
        if name != first:
            cluster.hosts[name].lacks.add(commit)
    cost.begin()
    _reach(cluster, cluster.apply(after, first, commit, made_here=True))
    dc = next(name for name, host in cluster.hosts.items() if host.node is not None and host.node.is_dc)
    others = [value for name, value in cost.cpu_s.items() if name != dc]
    print(f"# {nodes} nodes: {dict(sorted(cost.messages.items()))}", file=sys.stderr, flush=True)
    return (
        str(nodes),
        str(sum(cost.messages.values())),
        f"{cost.bytes / 1024:.1f}",
        f"{cost.cpu_s[dc] * 1000:.0f}",
        f"{statistics.median(others) * 1000:.0f}",
        f"{sum(others) / cost.deliveries * len(cluster.hosts) / len(others) * 1000:.2f}",
        f"{statistics.median(cost.plans_s) * 1000:.0f}",
    )


def _named(made: Configuration) -> Configuration:
    """Known by their names, as nodes of a cluster are."""
    return replace(made, nodes=tuple(replace(node, id=None) for node in made.nodes))


def _reach(cluster: SimulatedCluster, commit: str) -> None:
    """Until the commit is active everywhere and nothing is left to do."""

    def at_rest() -> bool:
        nodes = [host.node for host in cluster.hosts.values()]
        return all(node is not None and node.replica.commit == commit and node.converged for node in nodes)

    if not cluster.until(at_rest, _MOST_MS):
        raise SystemExit("the simulated cluster does not come to rest")
    cluster.run(_SETTLING_MS)


def lab(nodes: int) -> tuple[str, ...]:
    """A row of the second table."""
    names = [f"n{number}" for number in range(1, nodes + 1)]
    head = "cluster: {name: lab, options: {fencing-enabled: false}}\nnodes: {" + ", ".join(names) + "}\n"
    with tempfile.TemporaryDirectory() as directory:
        made = Lab(Path(directory) / "lab")
        try:
            with contextlib.redirect_stdout(sys.stderr):
                made.up(head, nodes)
            wait_until(lambda: all(made.view_of(name) == names for name in names), "all take part")
            _give(made, names, head, _RESOURCES)
            time.sleep(_SETTLING_MS / 1000)
            before = _spent(made, names)
            _give(made, names, head, _RESOURCES + 1)
            after, dc = _spent(made, names), made.dc()
        finally:
            with contextlib.suppress(LabError):
                made.tell("down")
    took = {name: tuple(late - early for early, late in zip(before[name], after[name], strict=True)) for name in names}
    others = [cpu for name, (_, cpu) in took.items() if name != dc]
    messages = statistics.median(messages for messages, _ in took.values())
    return str(nodes), f"{messages:.0f}", f"{took[dc or ''][1]:.0f}", f"{statistics.median(others):.0f}"


def _give(made: Lab, names: Sequence[str], head: str, count: int) -> None:
    """Have so many resources, at rest."""
    lines = "".join(f"  r{number}: {{agent: ocf:reconciler:Dummy}}\n" for number in range(count))
    answer = _client(made, names[0]).post("/v1/proposals", {"files": {"all.yaml": f"{head}primitives:\n{lines}"}})

    def at_rest() -> bool:
        told = [made.status(name) for name in names]
        return all(one.get("converged") and (one["active"] or {}).get("commit") == answer["commit"] for one in told)

    wait_until(at_rest, "the lab is at rest")


def _spent(made: Lab, names: Sequence[str]) -> dict[str, tuple[float, float]]:
    """What each daemon has taken from the network so far, and its processor time in ms."""
    known = made.nodes()
    counted = {name: _client(made, name).get("/v1/metrics")["counters"]["messages"] for name in names}
    return {name: (counted[name], cpu_ms(int(known[name]["pid"]))) for name in names}


def _client(made: Lab, name: str) -> Client:
    return Client(str(made.directory / name / "node.sock"), 30)


def plan(size: str) -> tuple[str, ...]:
    """A row of the third table."""
    nodes, _, resources = size.partition("x")
    found = []
    for state in ("running", "failed"):
        given = cib(state, int(nodes), int(resources), True)
        took = []
        for _ in range(3):
            began = time.process_time()
            schedule(given, NOW)
            took.append(time.process_time() - began)
        found.append(f"{statistics.median(took) * 1000:.0f}")
    return size, *found


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """As Markdown."""
    print(*(f"| {' | '.join(row)} |" for row in (heads, ["---"] * len(heads), *rows)), sep="\n", flush=True)


def main() -> int:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="*", default=[3, 5, 8, 16, 32])
    parser.add_argument("--labs", type=int, nargs="*", default=[3, 5])
    parser.add_argument("--plans", nargs="*", default=["3x20", "5x100", "16x500", "32x500"])
    args = parser.parse_args()
    heads = ["nodes", "messages", "KiB", "DC, ms", "another, ms", "a delivery, ms", "a plan, ms"]
    table(heads, [change(nodes) for nodes in args.nodes])
    table(["nodes of a lab", "messages", "the DC's daemon, ms", "another, ms"], [lab(nodes) for nodes in args.labs])
    table(["nodes x resources", "a plan at rest, ms", "with a node lost, ms"], [plan(size) for size in args.plans])
    return 0


if __name__ == "__main__":
    sys.exit(main())
