"""Every small cluster of the tests of orders and fencing, put to the reference program: the same graph and the same summary."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from machine import needs
from small_clusters import plan_of
from test_fencing_order import FENCINGS
from test_orders import COLLECTIVES, ORDERS

from reconciler.cib import Cib
from reconciler.crm.dot import dot_text
from reconciler.crm.outline import Outline
from reconciler.crm.summary_text import add_summary
from reconciler.interop.writing.cib import write_cib

pytestmark = needs("crm_simulate")
ALL = [pytest.param(row.values[0], id=str(row.id)) for row in (*ORDERS, *COLLECTIVES, *FENCINGS)]


@pytest.mark.parametrize("given", ALL)
def test_the_reference_program_makes_the_same_graph(given: Cib, tmp_path: Path) -> None:
    path, drawing = tmp_path / "cib.xml", tmp_path / "graph.dot"
    path.write_bytes(
        re.sub(rb"validate-with=\"[^\"]*\"", b'validate-with="none"', write_cib(given))
    )  # The schema forbids what is odd.
    ran = subprocess.run(
        ["crm_simulate", "-x", path, "-S", "-D", drawing],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"LC_ALL": "C", "TZ": "UTC"},
    )
    plan = plan_of(given)
    assert sorted(set(dot_text(plan.cluster).splitlines())) == sorted(set(drawing.read_text().splitlines()))
    outline = Outline()
    add_summary(outline, plan.changes)
    theirs = ran.stdout.partition("Transition Summary:")[2].partition("\n\n")[0]
    assert [line.split() for line in _lines(outline)] == [line.split() for line in theirs.splitlines() if line]


def _lines(outline: Outline) -> list[str]:
    return [line for line in outline.lines if line and not line.startswith("Transition Summary")]
