"""Faults at random moments, a few of them (more: `python tests/lab/faults.py`)."""

from __future__ import annotations

import pytest

from .harness import Lab
from .life import Life


@pytest.mark.timeout(600)
def test_whatever_happens_nothing_runs_twice_and_no_acknowledged_commit_is_lost(lab: Lab) -> None:
    found = Life(lab, 7, print).live({"kill": 2, "partition": 1, "freeze": 1}, commits=6)
    assert found.wrong == []
    assert len(found.outcomes.acknowledged) == 6
