"""What is allowed and seldom meant is a warning at its place, and with --strict an error."""

# ruff: noqa: E501  # A fault reads best on one line.

from __future__ import annotations

import pytest
from planted import CLEAN, add, assert_found, change, judged, planted

from reconciler.errors import Severity

WARNINGS = {
    "an instance whose partner may not be on its node": (
        "order-without-partner",
        add(
            "orders",
            "«late: {first: disks, then: late-c}",
            ("clones:\n", "clones:\n  late-c: {resource: d1, meta: {interleave: true}}\n"),
            ("  locations:\n", "  locations:\n    no: {resource: disks, node: n2, score: -INFINITY}\n"),
        ),
    ),
    "watchdogs beside devices": (
        "fencing-by-watchdog",
        change(("fencing-timeout: 90s", "fencing-timeout: 90s, fencing-watchdog-timeout: «10s")),
    ),
    "a device that knows an unknown node": ("unknown-node", change(("n1 n2}}", "«n1 n2 n3}}"))),
    "unknown name in the order": ("unknown-reference", change(("  name: web\n", "  name: web\n  order: [db, «dbs]\n"))),
    "a former option name": ("deprecated-name", change(("fencing-timeout: 90s", "«stonith-timeout: 90s"))),
    "a former role": ("deprecated-value", change(("with-role: Promoted", "with-role: «Master"))),
    "a former meta-attribute": ("deprecated-name", change(("clone-max: 2", "«master-max: 2"))),
    "fencing switched off": ("fencing-disabled", change(("no-quorum-policy: stop", "fencing-enabled: «false"))),
    "quorum ignored": ("quorum-ignored", change(("no-quorum-policy: stop", "no-quorum-policy: «ignore"))),
    "a delay beyond the priority delay": (
        "timing-priority",
        change(
            ("{pcmk_host_list: n1 n2}", "{pcmk_host_list: n1 n2, pcmk_delay_max: «10s}"),
            ("no-quorum-policy: stop", "priority-fencing-delay: 5s"),
        ),
    ),
    "failures forgotten too early": (
        "timing-failure-timeout",
        change(
            (
                "  web: {agent: 'ocf:heartbeat:apache', meta: {migration-threshold: 3, failure-timeout: 10min}}",
                "  web: {agent: 'ocf:heartbeat:apache', operations: {monitor: {interval: 1min}}, meta: {migration-threshold: 3, failure-timeout: «30s}}",
            )
        ),
    ),
    "options without effect": (
        "not-acted-upon",
        change(("fencing-timeout: 90s", "fencing-timeout: 90s, load-threshold: «70%, cluster-delay: 7s")),
    ),
    "a device's parameter without effect": (
        "not-acted-upon",
        change(("{pcmk_host_list: n1 n2}", "{pcmk_host_list: n1 n2, pcmk_action_limit: «-1}")),
    ),
    "an unused template": (
        "unused",
        change(("guest: {template: vm}", "guest: {agent: 'ocf:heartbeat:Dummy'}"), ("  vm: {", "  «vm: {")),
    ),
    "an unknown meta-attribute of one's own": (
        "unknown-meta",
        change(("migration-threshold: 3", "migration-threshold: 3, «zzz: 1")),
    ),
    "a colocation without score": ("no-effect", add("colocations", "«x: {resource: d1, with: d2}")),
    "a preference of 0": ("no-effect", add("locations", "«x: {resource: d1, node: n1, score: 0}")),
    "a pattern that matches nothing": ("no-effect", add("locations", "x: {pattern: «nothing, node: n1, prefer: 5}")),
    "an interval of a start": (
        "no-effect",
        change(
            (
                "  d1: {agent: 'ocf:heartbeat:Dummy'}",
                "  d1: {agent: 'ocf:heartbeat:Dummy', operations: {start: {interval: «5s}}}",
            )
        ),
    ),
    "the same constraint again": (
        "redundant-constraint",
        add("orders", "x: {first: d1, then: d2}\n    «y: {first: d1, then: d2}"),
    ),
    "a preference that a ban shadows": (
        "shadowed-constraint",
        add("locations", "x: {resource: d1, node: n1, score: forbid}\n    «y: {resource: d1, node: n1, prefer: 5}"),
    ),
    "a wish beside a must": (
        "shadowed-constraint",
        add("colocations", "x: {resource: d1, with: d2, score: require}\n    «y: {resource: d1, with: d2, score: 5}"),
    ),
    "a time without zone": (
        "date-without-zone",
        change(("rule: rack eq a and date gt 2026-01-01", "rule: «rack eq a and date gt 2026-01-01T10:00:00")),
    ),
    "a rule that can't pass": (
        "rule-never-true",
        change(("rule: rack eq a and date gt 2026-01-01", "rule: «rack eq a and rack eq b")),
    ),
    "node attributes in options": (
        "rule-never-true",
        change(
            (
                "  options: {no-quorum-policy: stop, fencing-timeout: 90s}",
                "  options: [{rule: «rack eq a, values: {batch-limit: 5}}]",
            )
        ),
    ),
    "a range that ends before it begins": (
        "rule-never-true",
        change(("rule: rack eq a and date gt 2026-01-01", "rule: «date in start=2026-02-01 end=2026-01-01")),
    ),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_what_is_doubtful_is_a_warning(name: str) -> None:
    code, marked = WARNINGS[name]
    text, places = planted(marked)
    answer = judged(text)
    assert_found(answer, code, places)
    assert answer.configuration is not None
    assert judged(text, strict=True).configuration is None


def test_numbered_tickets_are_no_slip() -> None:
    """site1 and site2 are as near to each other as a slip is, and both are meant."""
    tickets = [
        "t1: {ticket: site1, resource: d1}",
        "t2: {ticket: site1, resource: d2}",
        "t3: {ticket: site2, resource: db}",
    ]
    text = CLEAN.replace(
        "  colocations:\n", "  tickets:\n" + "".join(f"    {one}\n" for one in tickets) + "  colocations:\n", 1
    )
    assert text != CLEAN
    assert {finding.code for finding in judged(text).findings} == {"not-acted-upon"}
    found = judged(text.replace("site2", "sitex")).findings
    assert [(one.code, one.place.line) for one in found if one.code != "not-acted-upon"] == [
        ("unknown-ticket", text[: text.index("site2")].count("\n") + 1)
    ]


INERT = """\
acls: {roles: {look: {permissions: [{kind: read, xpath: /cib}]}}, users: {joe: [look]}}
alerts: {mail: {path: /usr/local/bin/mail, recipients: {mail-ops: {value: ops@example.org}}}}
"""


def test_what_nothing_acts_upon_is_said() -> None:
    found = judged(CLEAN + INERT).findings
    assert [(one.code, one.severity) for one in found] == [("not-acted-upon", Severity.WARNING)] * 2


def test_an_unknown_role_of_access_rules_is_refused() -> None:
    found = judged(CLEAN + INERT.replace("joe: [look]", "joe: [lock]")).findings
    assert "unknown-role" in {one.code for one in found if one.severity is Severity.ERROR}
