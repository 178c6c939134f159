"""Time `reconciler simulate` against `crm_simulate` on the same files, whole process against whole process, alternately.

    python tests/benchmarks/scheduler.py                          # a few sizes, deciding only
    python tests/benchmarks/scheduler.py --sizes 16x1000 --states running failed --mode -S --runs 3
    python tests/benchmarks/scheduler.py --in-process 16x1000     # deciding alone, without reading XML

Prints medians, the ratio pair by pair, peak memory, and how both grow with resources times nodes. Needs Debian's pacemaker-cli-utils.
"""

from __future__ import annotations

import argparse
import gc
import math
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from reconciler.analysis.failures import Case, strike
from reconciler.analysis.steady import healthy, settle
from reconciler.cib import Cib
from reconciler.frozen import replace
from reconciler.interop.writing.cib import write_cib
from reconciler.model.attributes import plain
from reconciler.model.cluster import Configuration, NodeDefinition
from reconciler.model.constraint import Colocation, Order
from reconciler.model.date import Instant
from reconciler.model.resource import Agent, Clone, Group, Operation, Primitive, Resource
from reconciler.scheduler import schedule

NOW = Instant(1_700_000_000)
STATES = ("stopped", "running", "failed")


def primitive(name: str) -> Primitive:
    """One Dummy with a recurring monitor."""
    return Primitive(
        name, Agent("ocf", "Dummy", "pacemaker"), operations=(Operation("monitor", "10s", id=f"{name}-m"),)
    )


def block(number: int) -> tuple[list[Resource], list[Colocation | Order]]:
    """Twenty primitives as a mixed cluster has them: two groups of four, a clone, eleven alone of which four are a chain."""
    groups = [Group(f"g{number}-{i}", tuple(primitive(f"g{number}-{i}-{j}") for j in range(4))) for i in range(2)]
    clone = Clone(f"c{number}", primitive(f"c{number}-i"), meta=plain({"interleave": "true"}))
    alone = [primitive(f"p{number}-{i}") for i in range(11)]
    links = [(clone.id, groups[0].id), (groups[0].id, groups[1].id)]
    links += [(alone[i].id, alone[i + 1].id) for i in range(3)]
    constraints: list[Colocation | Order] = []
    for first, then in links:
        constraints.append(Order(f"o-{first}-{then}", first, then))
        constraints.append(Colocation(f"c-{then}-{first}", then, first, score="INFINITY"))
    return [*groups, clone, *alone], constraints


def configuration(nodes: int, resources: int, mixed: bool) -> Configuration:
    """A regular cluster of the size."""
    found: list[Resource] = [Primitive("fencing", Agent("stonith", "fence_ssh"))]
    constraints: list[Colocation | Order] = []
    number = 0
    while resources > 0:
        if mixed and resources >= 20:
            more, links = block(number)
            found += more
            constraints += links
            resources -= 20
        else:
            found.append(primitive(f"r{number}"))
            resources -= 1
        number += 1
    members = tuple(NodeDefinition(f"node{i}", id=str(i)) for i in range(1, nodes + 1))
    return Configuration("bench", nodes=members, resources=tuple(found), constraints=tuple(constraints))


def cib(state: str, nodes: int, resources: int, mixed: bool) -> Cib:
    """The cluster with nothing known yet, at rest, or at the moment when a node is lost."""
    fresh = replace(healthy(configuration(nodes, resources, mixed)), execution_date=NOW.epoch_s)
    if state == "stopped":
        return fresh
    rest = settle(fresh, NOW).cib
    return rest if state == "running" else strike(rest, Case(lost=("node2",)), NOW)


def write(path: Path, state: str, nodes: int, resources: int, mixed: bool) -> None:
    """Write the cluster's CIB into a file."""
    path.write_bytes(write_cib(cib(state, nodes, resources, mixed)))


def _apart(function: Callable[..., None], *args: object) -> None:
    """Call in a process of its own: memory that this one has ever had would count as its children's."""
    process = multiprocessing.get_context("spawn").Process(target=function, args=args)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit("the file could not be made")


def timed(command: list[str], timeout_s: float) -> tuple[float, float] | None:
    """Wall seconds and peak MiB of one run; None when it did not finish in time."""
    begin = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "TZ": "UTC"}
    )
    deadline = begin + timeout_s
    while time.perf_counter() < deadline:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid and status:
            raise SystemExit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
        if pid:
            return time.perf_counter() - begin, usage.ru_maxrss / 1024
        time.sleep(0.0005)
    process.kill()
    process.wait()
    return None


def compare(path: Path, mode: str, runs: int, timeout_s: float) -> tuple[float, float] | None:
    """Medians of both programs on a file, printed with the ratio; None when one never finished."""
    ours = [sys.executable, "-m", "reconciler", "simulate", mode, "-x", str(path)]
    theirs = ["crm_simulate", mode, "-x", str(path)]
    pairs = []
    for number in range(runs + 1):
        mine, other = timed(ours, timeout_s), timed(theirs, timeout_s)
        if mine is None or other is None:
            done = [
                f"{name} {result[0]:.2f} s {result[1]:.0f} MiB" if result else f"{name} over {timeout_s:g} s"
                for name, result in (("reconciler", mine), ("crm_simulate", other))
            ]
            print(f"{path.stem:34} {mode}  {', '.join(done)}")
            return None
        if number:  # The first pair warms the caches.
            pairs.append((mine, other))
    mine_s, their_s = (statistics.median(pair[i][0] for pair in pairs) for i in (0, 1))
    mine_mib, their_mib = (max(pair[i][1] for pair in pairs) for i in (0, 1))
    ratio = statistics.median(mine[0] / other[0] for mine, other in pairs)
    print(
        f"{path.stem:34} {mode}  reconciler {mine_s:7.3f} s {mine_mib:5.0f} MiB   crm_simulate {their_s:7.3f} s "
        f"{their_mib:5.0f} MiB   ratio {ratio:5.2f}   ({runs} pairs)",
        flush=True,
    )
    return mine_s, their_s


def exponent(points: list[tuple[int, float]]) -> float:
    """The slope of time over size, both as logarithms."""
    xs, ys = [math.log(size) for size, _ in points], [math.log(seconds) for _, seconds in points]
    mean_x, mean_y = statistics.fmean(xs), statistics.fmean(ys)
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / sum((x - mean_x) ** 2 for x in xs)


def in_process(size: str, mixed: bool, runs: int) -> None:
    """The time of deciding alone, from a CIB in memory."""
    nodes, resources = map(int, size.split("x"))
    for state in STATES:
        subject = cib(state, nodes, resources, mixed)
        gc.collect()
        seconds = []
        for _ in range(runs):
            begin = time.perf_counter()
            schedule(subject, NOW)
            seconds.append(time.perf_counter() - begin)
        print(
            f"{size} {'mixed' if mixed else 'primitives'} {state:8} schedule() median {statistics.median(seconds):.3f} s of {runs}",
            flush=True,
        )


def main() -> int:
    """Run what the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="*", default=["3x20", "8x100", "16x500"], metavar="NODESxRESOURCES")
    parser.add_argument("--states", nargs="*", default=list(STATES), choices=STATES)
    parser.add_argument("--mode", default="-R", choices=("-R", "-S"))
    parser.add_argument("--mixed", action="store_true")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--timeout", type=float, default=300)
    parser.add_argument("--in-process", metavar="SIZE", help="only time deciding, in this process")
    options = parser.parse_args()
    if options.in_process:
        in_process(options.in_process, options.mixed, options.runs)
        return 0
    if shutil.which("crm_simulate") is None:
        print("crm_simulate is not installed (Debian: apt-get install pacemaker-cli-utils)", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as scratch:
        for state in options.states:
            points: list[tuple[int, float, float]] = []
            for size in options.sizes:
                nodes, resources = map(int, size.split("x"))
                path = Path(scratch, f"{size}-{'mixed' if options.mixed else 'primitives'}-{state}.xml")
                _apart(write, path, state, nodes, resources, options.mixed)
                if (found := compare(path, options.mode, options.runs, options.timeout)) is not None:
                    points.append((nodes * resources, *found))
            if len(points) > 1:
                ours, theirs = (exponent([(point[0], point[i]) for point in points]) for i in (1, 2))
                print(f"{state}: time grows with nodes x resources to the power {ours:.2f} (crm_simulate {theirs:.2f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
