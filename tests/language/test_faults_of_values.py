"""A value that its setting can't have is found at its place."""

from __future__ import annotations

import pytest
from planted import CLEAN, add, assert_refused, change

FAULTS = {
    # Values of settings
    "meaningless word": ("setting-value", change(("no-quorum-policy: stop", "no-quorum-policy: «stopp"))),
    "a zone that only a data base knows": (
        "setting-value",
        change(("fencing-timeout: 90s", "date-zone: «Europe/Vienna")),
    ),
    "meaningless duration": ("setting-value", change(("fencing-timeout: 90s", "fencing-timeout: «90 seconds"))),
    "meaningless number": ("setting-value", change(("clone-max: 2", "clone-max: «two"))),
    "a word where a boolean must be": ("wrong-type", change(("notify: true", "notify: «yes"))),
    "a word that is none of the known ones": (
        "wrong-word",
        change(("first-action: promote", "first-action: «promoted")),
    ),
    "utilization that is no number": ("setting-value", change(("{cpu: 4}", "{cpu: «4.5}"))),
    # Scores
    "score out of range": ("score-range", change(("score: 10}", "score: «1000001}"))),
    "score that is none": ("score-text", change(("score: 10}", "score: «infinity}"))),
    "score of a default out of range": (
        "score-range",
        CLEAN + "defaults: {resources: {resource-stickiness: «-2000000}}\n",
    ),
    "a preference beyond the finite": ("score-range", change(("prefer: 50}", "prefer: «1000000}"))),
    # Operations
    "operation given twice": (
        "operation-twice",
        change(
            (
                "    operations: {monitor: {interval: 30s}}\n  web",
                "    operations: {monitor: [{interval: 60}, {interval: «1min}]}\n  web",
            )
        ),
    ),
    "on-fail that is not allowed": (
        "on-fail",
        change(
            (
                "    operations: {monitor: {interval: 30s}}\n  web",
                "    operations: {monitor: {interval: 30s, on-fail: «demote}}\n  web",
            )
        ),
    ),
    "an interval that is no duration": (
        "setting-value",
        change(
            ("    operations: {monitor: {interval: 30s}}\n  web", "    operations: {monitor: {interval: «1d}}\n  web")
        ),
    ),
    # Unique parameters (VA-10)
    "one address twice": (
        "unique-clash",
        add("primitives", "ip2: {agent: 'ocf:heartbeat:IPaddr2', params: {ip: 10.0.0.1}}").replace(
            "params: {ip: 10.0.0.1}\n", "params: {ip: «10.0.0.1}\n"
        ),
    ),
    # Rules
    "a rule that is none": ("rule-text", change(("rack eq a and", "rack «equals a and"))),
    "a rule with mixed words": ("rule-text", change(("date gt 2026-01-01", "date gt 2026-01-01 «or rack eq b"))),
    "a rule in quotes": (
        "rule-text",
        change(("rule: rack eq a and date gt 2026-01-01", 'rule: "rack eq a and date «after 2026-01-01"')),
    ),
    "a rule with a bad date": (
        "rule-value",
        change(("rule: rack eq a and date gt 2026-01-01", "rule: «rack eq a and date gt 2026-13-01")),
    ),
    "a rule with a bad hour": (
        "rule-value",
        change(("rule: rack eq a and date gt 2026-01-01", "rule: «date-spec hours=9-25")),
    ),
    "a pattern that is none": ("bad-pattern", add("locations", "x: {pattern: «'a(', node: n1, prefer: 5}")),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_where_it_is(name: str) -> None:
    assert_refused(*FAULTS[name])
