"""A minute of random faults (more: `python tests/corosync/soak.py --seconds 600`)."""

from __future__ import annotations

import pytest

from .breakable import BreakableCluster
from .soak import Soak


@pytest.mark.timeout(400)
def test_a_minute_of_random_faults_costs_no_acknowledged_commit_and_runs_nothing_twice(
    cluster: BreakableCluster,
) -> None:
    found = Soak(cluster, 1, print).live(60)
    print("\n".join(found.lines()))
    assert found.wrong == []
    assert found.faults.total() > 1
    assert found.outcomes.acknowledged
