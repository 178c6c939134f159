"""Ends at random moments amid fetches (more of them: `python tests/benchmarks/fetch_kills.py`)."""

from __future__ import annotations

import random

import pytest

from .conftest import Node, Operator
from .fetch_kills import fetch_kills


@pytest.mark.timeout(300)
def test_no_end_amid_a_fetch_leaves_a_lock_or_a_deaf_source(stopped_node: Node, operator: Operator) -> None:
    stopped_node.sources = f"  site: {{git: 'file://{operator.remote}', poll: 60s, local: true}}"
    counts = fetch_kills(stopped_node, operator, random.Random(3), rounds=12)
    assert all(counts.values()), counts
