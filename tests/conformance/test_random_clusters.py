"""Random CIBs: the status, summary, execution, outcome, scores and graph have to be the reference program's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from published_cases import CONFORMANCE, judge, needs_cases, needs_oracle, oracle

from reconciler.crm.simulate import for_conformance

FIRST_SEED, SEEDS = 424_000, 24


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("random")
    generator = CONFORMANCE / "gen_cib.py"
    words = ["--seed", str(FIRST_SEED), "--count", str(SEEDS), "--out", str(directory)]
    subprocess.run([sys.executable, str(generator), *words], check=True, capture_output=True)
    return directory


@needs_cases
@needs_oracle
@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEEDS))
def test_random_cluster(seed: int, documents: Path, tmp_path: Path):
    document, dot = documents / f"fuzz-{seed:05}.xml", tmp_path / "graph.dot"
    expected = oracle("crm_simulate", "--text-fancy", "-S", "-s", "-x", document, "-D", dot)
    assert expected.returncode == 0, f"the reference fails on this input: {expected.stderr.strip()[-80:]}"
    groups = judge().group_members(document)
    ours = judge().from_text(*for_conformance(str(document), []), None, groups)
    assert ours == judge().from_text(expected.stdout, dot.read_text(), None, groups)
