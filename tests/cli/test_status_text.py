"""What status tells beside the table: every problem once, and what a source that is well has to say."""

from __future__ import annotations

import io
from typing import Any

import pytest

from reconciler.cli.node.status_text import lines
from reconciler.cli.terminal.paint import Paint

QUIET: dict[str, Any] = {
    "cluster": "site", "node": "n1", "takes_part": "yes", "quorate": True, "converged": True, "phase": "idle", "counts": {},
    "active": None, "failed_actions": [], "problems": [], "warnings": [], "sources": [], "rejected": None, "drift": [], "nodes": [],
    "resources": [],
}  # fmt: skip
RESOURCE: dict[str, Any] = {
    "id": "a", "kind": "primitive", "agent": "ocf:x:y", "nodes": [], "role": "Stopped", "failed": False, "children": [],
    "blocked": False, "orphan": False, "maintenance": False, "disabled": False, "managed": True, "pending": None,
    "fail_count": 0, "since_at": None, "last": None,
}  # fmt: skip
FAILED = {"resource": "a", "text": "a start on n1: error", "at": 0, "recovered": False}


def told(**changes: Any) -> list[str]:
    return [line for line in lines(QUIET | changes, Paint(io.StringIO())) if "!" in line]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "quorate   at rest"),
        ({"quorate": False, "converged": False}, "NO QUORUM   idle"),
        ({"takes_part": "joining", "quorate": False, "converged": False}, "joining"),
        (
            {"takes_part": "joining", "quorate": False, "converged": False, "phase": "recovering"},
            "joining   recovering",
        ),
        ({"takes_part": "joining", "quorate": False, "converged": False, "phase": "running"}, "joining"),
        ({"takes_part": "away", "quorate": False, "converged": False}, "KEPT AWAY"),
        ({"takes_part": "cut-off", "quorate": False, "converged": False, "phase": "stopping"}, "CUT OFF   stopping"),
    ],
)
def test_who_takes_no_part_says_nothing_of_a_quorum(changes: dict[str, Any], said: str) -> None:
    head, second, *_ = lines(QUIET | changes, Paint(io.StringIO()))
    assert head == f"Cluster site   node n1   {said}"
    assert second.startswith("This node does not take part") is (changes.get("takes_part", "yes") != "yes")


def test_what_is_wrong_with_deciding_is_told() -> None:
    assert told() == []
    problem = {"resource": "", "text": "deciding took more than 0.5 s of processor time, and was given up"}
    assert told(problems=[problem]) == [f"! {problem['text']}"]


def test_a_problem_of_a_resource_whose_failure_is_told_is_not_told_twice() -> None:
    problems = [{"resource": name, "text": "start is wanted but can not be done"} for name in ("a", "b")]
    failure, other = told(problems=problems, failed_actions=[FAILED])
    assert failure.startswith("! a start on n1: error")
    assert other == "! b: start is wanted but can not be done"


def test_a_watchdog_that_guards_the_machine_is_told_and_whether_it_is_fed() -> None:
    watchdog = {"path": "/dev/watchdog", "timeout_s": 15, "fed": True}
    said = "Watchdog /dev/watchdog guards this node: 15 s"
    assert said in list(lines(QUIET | {"watchdog": watchdog}, Paint(io.StringIO())))
    assert f"{said}, NOT FED" in list(lines(QUIET | {"watchdog": {**watchdog, "fed": False}}, Paint(io.StringIO())))


def test_a_source_that_is_well_tells_what_it_found() -> None:
    finding = {"code": "stale-source", "text": "the newest commit is 9 days old", "hint": "see whether it is the one"}
    source = {
        "name": "site", "kind": "git", "state": "ok", "commit": "c" * 40, "checked_at": 0, "error": None,
        "rejected": None, "findings": [finding],
    }  # fmt: skip
    assert told(sources=[source]) == ["    ! the newest commit is 9 days old [stale-source]"]


def test_what_was_last_seen_on_an_unclean_node_is_not_said_to_run() -> None:
    plain = {
        "role": "Started", "state": None, "failed": False, "blocked": False, "orphan": False, "maintenance": False,
        "disabled": False, "managed": True, "pending": None, "fail_count": 0, "since_at": 0, "kind": "primitive",
        "agent": "ocf:x:y", "last": None, "children": [],
    }  # fmt: skip
    nodes = [{"name": "n1", "state": "online"}, {"name": "n2", "state": "unclean"}]
    resources = [{**plain, "id": "a", "nodes": ["n1"]}, {**plain, "id": "b", "nodes": ["n2"]}]
    status = QUIET | {"nodes": nodes, "resources": resources, "counts": {"wanted": 2, "down": 0}}
    shown = list(lines(status, Paint(io.StringIO())))
    assert "1 of 2 services not known to run" in shown[0]
    assert [line for line in shown if "its node is unclean" in line] == [
        "  b  Started n2 (its node is unclean)  ocf:x:y"
    ]
    assert "all 2 services run" in next(iter(lines(status | {"nodes": nodes[:1]}, Paint(io.StringIO()))))


def test_what_was_wrong_with_what_is_being_started_again_is_not_told() -> None:
    rest = {"nodes": ["n1"], "role": "Started", "pending": "start", "state": "Starting"}
    problem = {"resource": "a", "text": "start on n1: timed out"}
    assert told(problems=[problem], resources=[RESOURCE | rest]) == []
    assert told(problems=[problem], resources=[RESOURCE | rest | {"state": "Stopped"}]) == [f"! a: {problem['text']}"]


def test_a_start_that_failed_is_not_counted_up_to_infinity() -> None:
    shown = lines(QUIET | {"resources": [RESOURCE | {"fail_count": 1000000}]}, Paint(io.StringIO()))
    assert "Stopped (failed for good)" in " ".join(shown)


def test_who_counts_as_fenced_by_its_watchdog_is_told_and_why_another_would_not() -> None:
    watchdogs = {
        "n1": {"resets_within_s": 202.0, "uncounted": None},
        "n2": {"resets_within_s": None, "uncounted": "it has not told"},
    }
    told = list(lines(QUIET | {"watchdogs": watchdogs}, Paint(io.StringIO())))
    assert "Fenced by their own watchdogs, if they are lost: n1 (within 202 s)" in told
    assert "n2 would not count as fenced by its watchdog: it has not told" in told
