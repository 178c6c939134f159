"""A busy node for a while: `python tests/benchmarks/soak.py [--minutes 15] [--resources 40]`.

Services that fail and recover, monitors every second, pushes good and bad, requests of all kinds, followers that come and go. Once a
minute it prints memory, descriptors, threads, the size of the state and held connections.

It ends with 1 when the memory has grown by more than a tenth between the first third and the last, when connections are held that nobody
has, when the node at rest holds more descriptors at the end than at the beginning (amid the work they are as many as there are agents
being called), or when the node ended or met a fault of ours.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from daemon.conftest import Node

from reconciler.cli.node.client import ClientError

SAMPLE_S = 5.0
GROWTH = 1.1
ASKERS = 2
SLACK = 3
"""Descriptors of what comes and goes at rest, too: a look into the watched directory, a git process."""


class Sample(NamedTuple):
    """The daemon at one moment; `slots` are the connections that it counts as held, the one that asks included."""

    memory_mib: float
    descriptors: int
    threads: int
    state_mib: float
    slots: int
    held_bytes: int


def sample(node: Node) -> Sample:
    lines = Path(f"/proc/{node.running.pid}/status").read_text().splitlines()
    fields = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
    state = sum(path.stat().st_size for path in (node.path / "state").glob("*-*"))
    descriptors = len(os.listdir(f"/proc/{node.running.pid}/fd"))
    gauges = node.client.get("/v1/metrics")["gauges"]
    return Sample(
        int(fields["VmRSS"][0]) / 1024,
        descriptors,
        int(fields["Threads"][0]),
        state / 1024 / 1024,
        gauges["connections"],
        gauges["bytes_in_requests_and_answers"],
    )


def ask(node: Node, over: threading.Event, dice: random.Random) -> None:
    """Requests of all kinds, until it is over."""
    while not over.wait(0.05):
        try:
            match dice.randrange(5):
                case 0 | 1:
                    node.status()
                case 2:
                    node.client.get("/v1/cib")
                case 3:
                    node.client.get("/v1/history")
                case _:
                    next(node.client.events(since="0", timeout_s=1), None)
        except ClientError as error:
            if not over.is_set():
                print(f"a request failed: {error}", flush=True)


def disturb(node: Node, number: int, names: list[str], dice: random.Random) -> None:
    """One disturbance: a service that fails, a change, or nonsense."""
    match dice.randrange(4):
        case 0 | 1:
            (node.path / f"agents.log.{dice.choice(names)}.state").unlink(missing_ok=True)
        case 2:
            values = {name: str(number) if name == names[number % len(names)] else "1" for name in names}
            node.write(node.configuration(values, interval="1s"))
        case _:
            node.write(node.configuration({"a": "1"}) + "nonsense: [\n")


def at_rest(node: Node, names: list[str]) -> Sample:
    """The daemon when all run, and nothing is asked or monitored."""
    wanted = dict.fromkeys(names, "1")
    node.write(node.configuration(wanted, interval="1h"))
    node.wait(lambda: node.states() == wanted and bool(node.client.get("/v1/health")["converged"]), "all run", 120)
    node.wait(lambda: node.client.get("/v1/metrics")["gauges"]["agents_running"] == 0, "no agent is called", 60)
    time.sleep(2)
    return sample(node)


def soak(node: Node, minutes: float, names: list[str], dice: random.Random) -> list[Sample]:
    """The samples of the whole time."""
    node.write(node.configuration(dict.fromkeys(names, "1"), interval="1s"))
    over = threading.Event()
    askers = [threading.Thread(target=ask, args=(node, over, random.Random(number))) for number in range(ASKERS)]
    for asker in askers:
        asker.start()
    samples: list[Sample] = []
    end, number = time.monotonic() + minutes * 60, 0
    while time.monotonic() < end and node.running.poll() is None:
        number += 1
        disturb(node, number, names, dice)
        time.sleep(SAMPLE_S)
        samples.append(sample(node))
        if node.journal.stat().st_size > 1_000_000:
            os.truncate(node.journal, 0)
        if number % 12 == 1:
            last = samples[-1]
            print(
                f"{number * SAMPLE_S / 60:5.1f} min  {last.memory_mib:6.1f} MiB  {last.descriptors:3} descriptors  "
                f"{last.threads:2} threads  state {last.state_mib:5.1f} MiB  {last.slots} slots",
                flush=True,
            )
    over.set()
    for asker in askers:
        asker.join()
    return samples


def main() -> int:
    """Run, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--resources", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        node = Node(Path(directory))
        node.client.timeout_s = 60
        node.start()
        names = [f"r{number}" for number in range(args.resources)]
        before = at_rest(node, names)
        samples = soak(node, args.minutes, names, random.Random(args.seed))
        after = at_rest(node, names)
        counters = node.client.get("/v1/metrics")["counters"]
        faults = "Traceback" in node.daemon_log() or counters["failures_of_the_loop"]
        ended = node.stop()
    third = len(samples) // 3
    first = statistics.median(one.memory_mib for one in samples[:third])
    last = statistics.median(one.memory_mib for one in samples[-third:])
    print(f"memory: median {first:.1f} MiB in the first third, {last:.1f} MiB in the last")
    print(f"at rest: {before} before, {after} after")
    most = max(one.slots for one in samples)
    print(f"slots: at most {most} of those that ask at once, {before.slots} at rest before, {after.slots} after")
    grown = last > first * GROWTH or after.descriptors > before.descriptors + SLACK
    # Two ask, and so does the sample; a connection that was answered may be about to end.
    grown = grown or most > 2 * ASKERS + 2 or (after.slots, after.held_bytes) != (1, 0)
    print(f"counters: {counters}")
    return int(bool(grown or faults or ended))


if __name__ == "__main__":
    sys.exit(main())
