"""Events and log lines are bounded by what they hold, not only by how many they are."""

from __future__ import annotations

import json
import logging

import pytest

from reconciler.daemon.events import EventLog
from reconciler.daemon.log import LOG, say, set_up
from reconciler.errors import Finding, Place
from reconciler.sources.source import StatusReport


def test_events_with_many_findings_push_out_older_ones_sooner() -> None:
    log = EventLog("r")
    for number in range(100):
        log.add("rejected", {"source": "s", "commit": str(number), "findings": [{}] * 1000}, 0.0)
    _, events = log.since("0")
    assert [event["commit"] for event in events] == [str(number) for number in range(80, 100)]
    assert log.since("r-50")[1][0]["type"] == "gap"
    for _ in range(3000):
        log.add("daemon", {}, 0.0)
    assert len(log.after(0)) == 2000


def test_a_line_of_the_log_holds_the_first_of_a_long_list(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("text", "info")
    try:
        say(logging.INFO, "found", findings=[{"code": f"c{number}"} for number in range(10_000)])
        said = capsys.readouterr().err
    finally:
        LOG.handlers.clear()
        LOG.propagate = True
    assert len(said) < 1000
    assert '"c19"' in said
    assert '"c20"' not in said
    assert "and 9980 more" in said


def test_a_source_shows_the_first_hundred_of_what_is_wrong() -> None:
    report = StatusReport("s", "directory", lambda _: None)
    report.failed(tuple(Finding("file-name", Place(f"{number}"), "odd") for number in range(10_000)))
    assert len(report.status.findings) == 101
    assert report.status.findings[-1].text == "9,900 more were found"
    assert len(json.dumps([str(finding) for finding in report.status.findings])) < 10_000
