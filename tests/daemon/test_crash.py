"""`kill -9` at random moments (more of them: `python tests/benchmarks/crash.py`)."""

from __future__ import annotations

import random

import pytest

from .conftest import Node
from .crash import crash_run


@pytest.mark.timeout(240)
def test_a_crash_at_any_moment_loses_and_mixes_nothing(stopped_node: Node) -> None:
    node = stopped_node
    node.sources = "  {}"
    node.extra = "guards: {hold: []}"
    node.start()
    counts = crash_run(node, random.Random(20), rounds=20)
    assert counts["before"] + counts["after"] == 20
