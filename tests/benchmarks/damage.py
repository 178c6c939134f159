"""Damage a node's state files at random: `python tests/benchmarks/damage.py [--rounds 1000] [--seed N]`.

Prints how often which outcome came of it, and ends with an error at the first that would go by an older configuration without a doubt.
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
from daemon.damage import damage_run, make_state


def main() -> int:
    """Run, and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        node = Node(Path(directory))
        node.start()
        newest = make_state(node)
        began = time.monotonic()
        counts = damage_run(node.path / "state", newest, node.path / "scratch", random.Random(args.seed), args.rounds)
    print(f"{args.rounds} damages in {time.monotonic() - began:.0f} s")
    for outcome, count in counts.most_common():
        print(f"{count:6}  {outcome}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
