"""Every small cluster of the placement tests, put to the reference program: the same score lines in the same order."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from machine import needs
from small_clusters import full_lines, plan_of
from test_placement_examples import EXAMPLES
from test_placement_oddities import LINES, PLACES, SCORES, followed_bundle
from test_placement_rules import RULES

from reconciler.cib import Cib
from reconciler.interop.writing.cib import write_cib

pytestmark = needs("crm_simulate")
ALL = [pytest.param(row.values[0], id=str(row.id)) for row in (*EXAMPLES, *SCORES, *LINES, *PLACES, *RULES)]


@pytest.mark.parametrize("given", [*ALL, pytest.param(followed_bundle(), id="a bundle that is followed")])
def test_the_reference_program_prints_the_same(given: Cib, tmp_path: Path) -> None:
    path = tmp_path / "cib.xml"
    path.write_bytes(write_cib(given))
    ran = subprocess.run(
        ["crm_simulate", "-x", path, "-sQ"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"LC_ALL": "C", "TZ": "UTC"},
    )
    assert full_lines(plan_of(given)) == [line for line in ran.stdout.splitlines() if " score on " in line]
