"""Kill the daemon with SIGKILL at many random moments: `python tests/benchmarks/crash.py [--rounds 100] [--seed N]`.

Prints how often the change had become active before the crash, and ends with 1 when anything was lost, mixed or run twice.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from daemon.conftest import Node
from daemon.crash import crash_run


def main() -> int:
    """Run, and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        node = Node(Path(directory))
        node.sources, node.extra = "  {}", "guards: {hold: []}"
        node.start()
        began = time.monotonic()
        counts = crash_run(node, random.Random(args.seed), args.rounds)
        node.stop()
    seconds = time.monotonic() - began
    print(f"{args.rounds} crashes in {seconds:.0f} s: {counts['before']} before and {counts['after']} after activation")
    return 0


if __name__ == "__main__":
    sys.exit(main())
