"""A minute of random faults (more: `python tests/corosync/soak.py --seconds 600`)."""

from __future__ import annotations

import pytest

from .breakable import BreakableCluster
from .faults import FAULTS
from .soak import Soak

STORM = "one-way loss"
"""While a ring flaps, corosync takes whole processors at real-time priority: three of them leave a small machine nothing for minutes."""


@pytest.mark.timeout(400)
def test_a_minute_of_random_faults_costs_no_acknowledged_commit_and_runs_nothing_twice(
    cluster: BreakableCluster,
) -> None:
    found = Soak(cluster, 1, print).live(60, [fault for fault in FAULTS if fault.name != STORM])
    print("\n".join(found.lines()))
    assert found.wrong == []
    assert found.faults.total() > 1
    assert found.outcomes.acknowledged
