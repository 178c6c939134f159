"""Every small cluster of the tests about actions, put to the reference program: the same graph, byte for byte, and the same texts."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from histories import NOW
from machine import needs
from test_changes import CLEANUPS, MATRIX
from test_collectives import WHOLES
from test_implicit_orderings import TABLE
from test_migration import ALONE, SHAPES
from test_probes import ASKED
from test_recurring import ROLES, RULES
from test_transition import PROMOTIONS, TRANSITIONS
from test_unfencing import ROWS

from reconciler.cib import Cib
from reconciler.crm.graph_xml import graph_xml
from reconciler.frozen import replace
from reconciler.interop.reading.cib import read_cib
from reconciler.interop.writing.cib import write_cib
from reconciler.model.date import Instant
from reconciler.scheduler.inside import decide

pytestmark = needs("crm_simulate")
TABLES = (TRANSITIONS, PROMOTIONS, RULES, ROLES, MATRIX, CLEANUPS, ASKED, SHAPES, ALONE, WHOLES, TABLE, ROWS)
ALL = [pytest.param(row.values[0], id=str(row.id)) for table in TABLES for row in table]


@pytest.mark.parametrize("given", ALL)
def test_the_reference_program_makes_the_same_graph(given: Cib, tmp_path: Path) -> None:
    path, graph = tmp_path / "cib.xml", tmp_path / "graph.xml"
    written = write_cib(replace(given, execution_date=NOW))
    path.write_bytes(written)
    subprocess.run(
        ["crm_simulate", "-x", path, "-RQ", "-G", graph],
        check=True,
        capture_output=True,
        env=os.environ | {"LC_ALL": "C", "TZ": "UTC"},
    )
    assert _without_recheck(graph_xml(decide(read_cib(written), Instant(NOW), sanitized=True))) == _without_recheck(
        graph.read_text()
    )


def _without_recheck(text: str) -> str:
    """The graph without the moment of the next look, for which we know better where nothing can change."""
    return re.sub(r' recheck-by="[0-9]+"', "", text)
