"""Ask a real daemon for its status very often, with answers larger than a socket's buffer.

    python tests/benchmarks/status_calls.py [--calls 20000] [--resources 600]

Prints the size of an answer, the calls a second, how long single calls took and the processor time of both sides; and the daemon's
descriptors, memory and what its peers hold of connections before and after. Ends with 1 when a call failed, or when descriptors or
connections were lost.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from daemon.conftest import Node

from reconciler.cli.node.client import ClientError

WARM = 200


def descriptors(node: Node) -> int:
    return len(os.listdir(f"/proc/{node.running.pid}/fd"))


def memory_mib(node: Node) -> float:
    (line,) = [
        line for line in Path(f"/proc/{node.running.pid}/status").read_text().splitlines() if line.startswith("VmRSS:")
    ]
    return int(line.split()[1]) / 1024


def held(node: Node) -> dict[str, int]:
    """What the daemon counts as held by its peers; the one connection is that which asks."""
    gauges = node.client.get("/v1/metrics")["gauges"]
    return {name: gauges[name] for name in ("connections", "streams", "bytes_in_requests_and_answers")}


def processor_s(node: Node) -> float:
    fields = Path(f"/proc/{node.running.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def quantiles(took_s: list[float]) -> str:
    """How long calls took, in milliseconds."""
    took_s = sorted(took_s)
    shown = [f"{share:.1%} {took_s[int(share * (len(took_s) - 1))] * 1000:.0f}" for share in (0.5, 0.99, 0.999, 1)]
    return ", ".join(shown)


def disabled(count: int) -> str:
    """A configuration of resources that are not to run, so that the status is long and the machine is not busy."""
    lines = ["cluster: {name: test, options: {stonith-enabled: false}}", "primitives:"]
    for number in range(count):
        lines.append(
            f"  resource-{number:05d}: {{agent: ocf:test:File, params: {{log: /dev/null}}, meta: {{target-role: Stopped}}}}"
        )
    return "\n".join([*lines, ""])


def main() -> int:
    """Run, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--resources", type=int, default=600)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        node = Node(Path(directory))
        node.sources = "  {}"
        node.start()
        node.client.post("/v1/proposals", {"files": {"site.yaml": disabled(args.resources)}})
        node.wait(lambda: len(node.status()["resources"]) == args.resources, "the resources are there", 120)
        node.wait(lambda: bool(node.status()["converged"]), "rest", 120)
        size = len(json.dumps(node.status()))
        for _ in range(WARM):
            node.status()
        before, slots, memory, began = descriptors(node), held(node), memory_mib(node), time.monotonic()
        daemon_s, own_s = processor_s(node), time.process_time()
        took_s: list[float] = []
        for number in range(args.calls):
            try:
                since = time.monotonic()
                node.status()
                took_s.append(time.monotonic() - since)
            except ClientError as error:
                print(
                    f"call {number} after {time.monotonic() - began:.0f} s: {error}; the daemon: {node.running.poll()}"
                )
                print(node.daemon_log()[-3000:])
                return 1
        seconds = time.monotonic() - began
        time.sleep(1)
        after, slots_after = descriptors(node), held(node)
        print(f"{args.calls} status calls of {size:,} bytes in {seconds:.0f} s ({args.calls / seconds:.0f}/s)")
        print(f"a call took (ms, of so many): {quantiles(took_s)}")
        print(f"processor: daemon {processor_s(node) - daemon_s:.0f} s, client {time.process_time() - own_s:.0f} s")
        print(f"held {slots} before, {slots_after} after")
        print(
            f"descriptors {before} before, {after} after; memory {memory:.0f} MiB before, {memory_mib(node):.0f} MiB after"
        )
        node.stop()
    return 0 if after <= before and slots_after == slots else 1


if __name__ == "__main__":
    sys.exit(main())
