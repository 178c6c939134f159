"""End the daemon or its fetches at many random moments amid pushes: `python tests/benchmarks/fetch_kills.py [--rounds 200] [--seed N]`.

Prints how often what was ended, and fails when a lock is left, or a push is not followed any more.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from daemon.conftest import Node, Operator
from daemon.fetch_kills import fetch_kills


def main() -> int:
    """Run, and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        node, operator = Node(Path(directory)), Operator(Path(directory))
        node.sources = f"  site: {{git: 'file://{operator.remote}', poll: 60s, local: true}}"
        began = time.monotonic()
        try:
            counts = fetch_kills(node, operator, random.Random(args.seed), args.rounds)
        finally:
            if node.process is not None and node.process.poll() is None:
                node.stop()
    told = ", ".join(f"{what} {count}" for what, count in counts.items())
    print(
        f"{args.rounds} ends amid fetches in {time.monotonic() - began:.0f} s ({told}): nothing left, every push followed"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
