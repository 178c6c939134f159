"""A few histories of each size: every decision is the reference program's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from published_cases import needs_cases, needs_oracle

from .clusters import FEATURES, Cluster
from .lives import live

FIRST_SEED, SEEDS, STEPS = 71_000, 16, 3


@needs_cases
@needs_oracle
@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEEDS))
def test_every_step_is_decided_as_the_reference_does(seed: int, tmp_path: Path) -> None:
    told = [(step.number, step.words, step.differences) for step in live(seed, STEPS, tmp_path)]
    assert [one for one in told if one[2]] == []


def test_every_feature_is_met() -> None:
    clusters = [Cluster(seed) for seed in range(60)]
    assert {feature for cluster in clusters for feature in cluster.on} == set(FEATURES)
    kinds = {kind for cluster in clusters for kind in cluster.kinds.values()}
    assert kinds == {"primitive", "group", "clone", "promotable", "bundle", "guest", "remote"}
