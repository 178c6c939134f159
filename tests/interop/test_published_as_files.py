"""What a Pacemaker CIB may hold comes into files, is planned from them, and goes out again, with the decisions that it had."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest
from oracle.clusters import NOW_S, Cluster
from published_cases import catalogue, needs_cases, xml_of

from reconciler.cib import FEATURE_SET, Cib, Version
from reconciler.cli.inputs.configurations import accepted
from reconciler.errors import Severity
from reconciler.frozen import replace
from reconciler.interop.reading.cib import read_cib
from reconciler.interop.tidying import without_ids
from reconciler.interop.unreadable import readable
from reconciler.interop.writing.cib import write_cib
from reconciler.language import Loaded, load
from reconciler.language.writing.files import to_files
from reconciler.model.cluster import Configuration
from reconciler.model.date import Instant
from reconciler.scheduler import schedule

PARTS = 8
REFUSED: dict[str, str] = {}
"""Published cases that the language refuses, and why."""


def imported(cib: Cib) -> Loaded:
    files = accepted(to_files(readable(without_ids(cib.configuration))[0]))
    return load({name: text.encode() for name, text in files.items()})


def decided(cib: Cib, configuration: Configuration, now: Instant) -> tuple[object, ...]:
    """What changes and which actions that takes; ids that only the XML needed may differ."""
    plan = schedule(replace(cib, configuration=configuration), now)
    lines = [
        (one.verb, one.subject, one.from_node, one.to_node, one.from_role, one.to_role, one.blocked, one.detail)
        for one in plan.changes
    ]
    tasks = [(one.resource or "", re.sub("^one-or-more:.*", "", one.task), one.interval_ms) for one in plan.actions]
    places = sorted((*task, one.node or "") for task, one in zip(tasks, plan.actions, strict=True))
    return lines, places


def exported(configuration: Configuration) -> Configuration:
    document = write_cib(Cib(configuration, version=Version(0, 1, 0), feature_set=FEATURE_SET))
    return read_cib(document).configuration


def check(cib: Cib, now: Instant) -> str:
    """What is wrong with the way into files and out again; empty when nothing is."""
    loaded = imported(cib)
    if loaded.configuration is None:
        return "; ".join(str(one) for one in loaded.findings if one.severity is Severity.ERROR)
    before = decided(cib, cib.configuration, now)
    if decided(cib, loaded.configuration, now) != before:
        return "planned from the files it is decided otherwise"
    return "" if decided(cib, exported(loaded.configuration), now) == before else "exported it is decided otherwise"


@needs_cases
@pytest.mark.parametrize("part", range(PARTS))
def test_every_published_cib_is_imported_planned_and_exported(part: int) -> None:
    wrong = {}
    for case in catalogue()[part::PARTS]:
        cib = read_cib(xml_of(case["name"]).read_bytes())
        if found := check(cib, Instant(cib.execution_date or 1_600_000_000)):
            wrong[case["name"]] = found
    assert {name: found for name, found in wrong.items() if name not in REFUSED} == {}


def test_clusters_of_our_own_making_are_imported_planned_and_exported() -> None:
    wrong = {}
    for seed in range(40):
        if found := check(read_cib(ElementTree.tostring(Cluster(seed).root)), Instant(NOW_S)):
            wrong[seed] = found
    assert wrong == {}
