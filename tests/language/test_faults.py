"""One planted fault each: found with exactly its code, at its line and column; and a file without fault gives no finding.

In each text `«` stands right before the place where the finding must be; it is taken out before the text is read.
"""

# ruff: noqa: E501  # A fault reads best on one line.

from __future__ import annotations

import re
import textwrap

import pytest

from reconciler.errors import Severity
from reconciler.language import Loaded, load
from reconciler.model.metadata import AgentAction, AgentMetadata, AgentParameter
from reconciler.model.resource import Agent

CLEAN = """\
cluster:
  name: web
  options: {no-quorum-policy: stop, fencing-timeout: 90s}

nodes:
  n1: {attributes: {rack: a}, utilization: {cpu: 4}}
  n2: {}

templates:
  vm: {agent: 'ocf:heartbeat:VirtualDomain', operations: {monitor: {interval: 30s}}}

primitives:
  ip:
    agent: ocf:heartbeat:IPaddr2
    params: {ip: 10.0.0.1}
    operations: {monitor: {interval: 30s}}
  web: {agent: 'ocf:heartbeat:apache', meta: {migration-threshold: 3, failure-timeout: 10min}}
  db: {agent: 'systemd:postgresql'}
  drbd: {agent: 'ocf:linbit:drbd'}
  guest: {template: vm}
  d1: {agent: 'ocf:heartbeat:Dummy'}
  d2: {agent: 'ocf:heartbeat:Dummy'}

groups:
  site: {members: [ip, web]}

clones:
  disks: {resource: drbd, promotable: true, meta: {clone-max: 2, notify: true}}

constraints:
  locations:
    prefer: {resource: site, node: n1, prefer: 50}
    by-rule: {resource: db, rule: rack eq a and date gt 2026-01-01, score: 10}
  colocations:
    db-with-disks: {resource: db, with: disks, with-role: Promoted, score: require}
  orders:
    promote-first: {first: disks, first-action: promote, then: db, then-action: start}

fencing:
  devices:
    f1: {agent: 'stonith:fence_ipmilan', params: {pcmk_host_list: n1 n2}}
  levels:
    - {target: n1, index: 1, devices: [f1]}

tags: {everything: [site, db]}
"""


def judged(text: str, **rest: object) -> Loaded:
    return load({"c.yaml": text.encode()}, **rest)  # type: ignore[arg-type]  # Keywords as they are.


def planted(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text without its marks, and where they stood."""
    places = []
    while (index := text.find("«")) >= 0:
        before = text[:index]
        places.append((before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1))
        text = text[:index] + text[index + 1 :]
    return text, places


def change(*replacements: tuple[str, str]) -> str:
    """The clean text with parts replaced, each of which must be there."""
    text = CLEAN
    for old, new in replacements:
        assert text.count(old) == 1, (old, text.count(old))
        text = text.replace(old, new)
    return text


def add(section: str, line: str, *more: tuple[str, str]) -> str:
    """The clean text with a line added to a section."""
    text = change(*more)
    head = f"\n{section}:" if f"\n{section}:" in text else f"\n  {section}:"
    assert text.count(head) == 1, section
    indent = "  " if head.startswith(f"\n{section}") else "    "
    return text.replace(head, f"{head}\n{indent}{line}" if f"{head}\n" in text else head)


def test_a_clean_file_gives_no_finding() -> None:
    answer = judged(CLEAN)
    assert answer.findings == ()
    assert answer.configuration is not None


FAULTS = {
    # References (VA-03)
    "unknown resource in a location": (
        "unknown-resource",
        change(("{resource: site, node", "{resource: «sight, node")),
    ),
    "unknown resource in a colocation": ("unknown-resource", change(("with: disks,", "with: «disk,"))),
    "unknown resource in an order": ("unknown-resource", change(("then: db,", "then: «bd,"))),
    "unknown resource in a set": ("unknown-resource", add("orders", "o: {sets: [[d1, «d3], [web]]}")),
    "unknown resource in a long set": ("unknown-resource", add("orders", "o: {sets: [{resources: [d1, «d3]}]}")),
    "unknown member of a group": ("unknown-resource", change(("[ip, web]", "[ip, web, «wob]"))),
    "unknown resource in a clone": ("unknown-resource", add("clones", "c: {resource: «nothing}")),
    "unknown node in a location": ("unknown-node", change(("node: n1, prefer", "node: «m1, prefer"))),
    "unknown node in a fencing level": ("unknown-node", change(("{target: n1,", "{target: «n3,"))),
    "unknown template": ("unknown-template", change(("template: vm}", "template: «vn}"))),
    "unknown name in a tag": ("unknown-reference", change(("[site, db]}", "[site, «dbb]}"))),
    "unknown device in a level": ("unknown-device", change(("devices: [f1]", "devices: [f1, «f2]"))),
    "a level with a resource that is no device": ("unknown-device", change(("devices: [f1]", "devices: [«d1]"))),
    # Names of settings (VA-04)
    "unknown option": ("unknown-option", change(("no-quorum-policy: stop", "«no-quorum-polcy: stop"))),
    "unknown meta-attribute": ("unknown-meta", change(("migration-threshold: 3", "«migration-treshold: 3"))),
    "unknown key": (
        "unknown-key",
        change(("    operations: {monitor: {interval: 30s}}\n  web", "    «operation: {}\n  web")),
    ),
    "unknown key of an operation": (
        "unknown-key",
        change(
            ("    operations: {monitor: {interval: 30s}}\n  web", "    operations: {monitor: {«intervall: 30s}}\n  web")
        ),
    ),
    "unknown section": ("unknown-key", CLEAN + "«resource: {}\n"),
    "unknown meta-attribute in defaults": (
        "unknown-meta",
        CLEAN + "defaults: {resources: {«resource-stickyness: 5}}\n",
    ),
    "unknown meta-attribute in a block with a rule": (
        "unknown-meta",
        CLEAN + "defaults: {resources: [{rule: date lt 2030-01-01, values: {«resource-stickyness: 5}}]}\n",
    ),
    "meaningless word": ("setting-value", change(("no-quorum-policy: stop", "no-quorum-policy: «stopp"))),
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
    # Placement (VA-08)
    "banned everywhere": (
        "banned-everywhere",
        add(
            "locations",
            "x: {resource: db, node: n1, score: forbid}\n    «y: {resource: db, node: n2, score: -INFINITY}",
        ),
    ),
    "banned everywhere by a rule": (
        "banned-everywhere",
        add("locations", "«x: {resource: d1, rule: 'not_defined x or defined #uname', score: forbid}"),
    ),
    "banned everywhere by way of the group": (
        "banned-everywhere",
        add(
            "locations", "x: {resource: ip, node: n1, score: forbid}\n    «y: {resource: web, node: n2, score: forbid}"
        ),
    ),
    "banned everywhere together with what it follows": (
        "banned-everywhere",
        add(
            "locations", "x: {resource: d1, node: n1, score: forbid}\n    «y: {resource: d2, node: n2, score: forbid}"
        ).replace("  colocations:\n", "  colocations:\n    z: {resource: d1, with: d2, score: require}\n"),
    ),
    "nothing allows it in an opt-in cluster": (
        "banned-everywhere",
        change(("no-quorum-policy: stop", "symmetric-cluster: false"), ("  d2: {", "  «d2: {")).replace(
            "  locations:\n", "  locations:\n    all: {pattern: '^(db|d1|disks|guest|f1)$', node: n1, score: 0}\n"
        ),
    ),
    "fits on no node": (
        "utilization-fits-nowhere",
        change(
            ("no-quorum-policy: stop", "placement-strategy: balanced"), ("  d1: {", "  d1: {«utilization: {cpu: 5}, ")
        ),
    ),
    "a group that fits on no node": (
        "utilization-fits-nowhere",
        change(
            ("no-quorum-policy: stop", "placement-strategy: utilization"),
            ("  ip:\n", "  ip:\n    utilization: {cpu: 3}\n"),
            ("  web: {", "  web: {utilization: {cpu: 2}, "),
            ("{members:", "{«members:"),
        ),
    ),
    # Colocations and orders (VA-09)
    "together and apart": (
        "colocation-contradiction",
        add(
            "colocations",
            "x: {resource: d1, with: d2, score: require}\n    «y: {resource: d1, with: d2, score: forbid}",
        ),
    ),
    "together and apart the other way round": (
        "colocation-contradiction",
        add(
            "colocations",
            "x: {resource: d1, with: d2, score: require}\n    «y: {resource: d2, with: d1, score: forbid}",
        ),
    ),
    "together and apart by way of others": (
        "colocation-contradiction",
        add(
            "colocations",
            "x: {resource: d1, with: d2, score: require}\n    x2: {resource: d2, with: guest, score: require}\n"
            "    «y: {resource: d1, with: guest, score: forbid}",
        ),
    ),
    "apart although in one group": (
        "colocation-contradiction",
        add("colocations", "«y: {resource: web, with: ip, score: forbid}"),
    ),
    "colocation loop": (
        "colocation-loop",
        add(
            "colocations",
            "x: {resource: d1, with: d2, score: require}\n    «y: {resource: d2, with: d1, score: require}",
        ),
    ),
    "colocation loop of three": (
        "colocation-loop",
        add(
            "colocations",
            "x: {resource: d1, with: d2}\n    y: {resource: d2, with: db, score: 5}\n    «z: {resource: db, with: d1, score: 5}",
        ).replace("with: d2}", "with: d2, score: 5}"),
    ),
    "colocated with itself": ("colocation-loop", add("colocations", "«x: {resource: d1, with: d1, score: require}")),
    "order loop": ("order-loop", add("orders", "x: {first: d1, then: d2}\n    «y: {first: d2, then: d1}")),
    "order loop through a group": ("order-loop", add("orders", "«x: {first: web, then: ip}")),
    "order loop through a group and another": (
        "order-loop",
        add("orders", "x: {first: site, then: d1}\n    «y: {first: d1, then: ip}"),
    ),
    "order loop through sets": (
        "order-loop",
        add("orders", "x: {sets: [[d1, d2], [web]]}\n    «y: {first: web, then: d1}"),
    ),
    "order loop through a clone and a role": (
        "order-loop",
        add("orders", "x: {first: db, first-action: start, then: disks, then-action: start}").replace(
            "promote-first:", "«promote-first:"
        ),
    ),
    "an action that the resource does not have": (
        "order-action",
        add("orders", "x: {first: d1, first-action: «promote, then: d2, then-action: start}"),
    ),
    # Unique parameters (VA-10)
    "one address twice": (
        "unique-clash",
        add("primitives", "ip2: {agent: 'ocf:heartbeat:IPaddr2', params: {ip: 10.0.0.1}}").replace(
            "params: {ip: 10.0.0.1}\n", "params: {ip: «10.0.0.1}\n"
        ),
    ),
    # Fencing (VA-11, VA-12)
    "no device": (
        "fencing-without-device",
        change(
            ("  options: {no", "  «options: {no"),
            (
                "fencing:\n  devices:\n    f1: {agent: 'stonith:fence_ipmilan', params: {pcmk_host_list: n1 n2}}\n  levels:\n    - {target: n1, index: 1, devices: [f1]}\n",
                "",
            ),
        ),
    ),
    "a node that no device covers": ("node-without-fencing", change(("  n2: {}", "  «n2: {}"), ("n1 n2}}", "n1}}"))),
    "a map without ports": (
        "fencing-host-map",
        change(("{pcmk_host_list: n1 n2}", "{pcmk_host_list: n1 n2, pcmk_host_map: «'n1:1;n2'}")),
    ),
    "a device without targets": (
        "fencing-device-without-target",
        change(
            (
                "fencing:\n  devices:\n",
                "fencing:\n  devices:\n    «f2: {agent: 'stonith:fence_x', params: {pcmk_host_check: static-list}}\n",
            )
        ),
    ),
    "a bad index": ("fencing-level-index", change(("index: 1,", "index: «10,"))),
    "a level given twice": (
        "fencing-level-twice",
        change(("  levels:\n    - {", "  levels:\n    - {target: n1, index: 1, devices: [f1]}\n    - «{")),
    ),
    "a level without target": ("fencing-level-form", change(("- {target: n1, index", "- «{index"))),
    "a device of another class": (
        "device-class",
        change(
            ("stonith:fence_ipmilan", "ocf:heartbeat:Dummy"),
            ("{pcmk_host_list: n1 n2}}", "{}}\n    f2: {agent: 'stonith:fence_x', params: {pcmk_host_list: n1 n2}}"),
        )
        .replace("f1: {agent: 'ocf", "f1: {agent: «'ocf")
        .replace("devices: [f1]", "devices: [f2]"),
    ),
    "a delay that eats the deadline": (
        "timing-delay",
        change(("{pcmk_host_list: n1 n2}", "{pcmk_host_list: n1 n2, pcmk_delay_max: «100s}")),
    ),
    "a watchdog slower than the deadline": (
        "timing-watchdog",
        change(("fencing-timeout: 90s", "fencing-timeout: 90s, fencing-watchdog-timeout: «2min")),
    ),
    # Ids and names
    "a member used twice": (
        "member-twice",
        add("groups", "other: {members: [d1, «ip]}")
        .replace("  site: {members: [ip, web]}\n", "  zite: {members: [web]}\n")
        .replace("resource: site", "resource: zite")
        .replace("[site, db]", "[zite, db]")
        .replace("[d1, «ip]", "[d1, d2, «d1]"),
    ),
    "an id twice": ("id-twice", CLEAN.replace("  everything:", "  db:").replace("tags: {everything:", "tags: {«db:")),
    "a primitive twice in one file": (
        "duplicate-key",
        add("primitives", "web2: {}")
        .replace("    web2: {}", "")
        .replace(
            "  d1: {agent: 'ocf:heartbeat:Dummy'}\n",
            "  d1: {agent: 'ocf:heartbeat:Dummy'}\n  «d1: {agent: 'ocf:heartbeat:Dummy'}\n",
        ),
    ),
    "an id that Pacemaker refuses": ("bad-id", change(("tags: {everything:", "tags: {«'every thing':"))),
    "an agent without provider": (
        "agent-provider",
        change(("  d1: {agent: 'ocf:heartbeat:Dummy'}", "  d1: {agent: «'ocf:Dummy'}")),
    ),
    "an agent of an unknown class": ("agent-class", change(("'systemd:postgresql'", "«'sytemd:postgresql'"))),
    "an agent that is none": ("agent-name", change(("'systemd:postgresql'", "«postgresql"))),
    "promotable but not ocf": (
        "promotable-class",
        change(("'ocf:linbit:drbd'", "'systemd:drbd'"), ("promotable: true", "promotable: «true")),
    ),
    "neither agent nor template": (
        "missing-key",
        change(("  d1: {agent: 'ocf:heartbeat:Dummy'}", "  «d1: {description: x}")),
    ),
    "a constraint that says too little": ("constraint-form", add("colocations", "«x: {resource: d1, score: 5}")),
    "a location that says too little": ("constraint-form", add("locations", "«x: {resource: d1, node: n1}")),
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
    "watchdogs that nobody has": (
        "watchdog-unknown",
        change(
            ("fencing-timeout: 90s", "fencing-timeout: 90s, fencing-watchdog-timeout: «10s"),
            ("fencing:\n  devices:\n    f1: {agent: 'stonith:fence_ipmilan', params: {pcmk_host_list: n1 n2}}\n", ""),
            ("  levels:\n    - {target: n1, index: 1, devices: [f1]}\n", ""),
        ),
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
    "a stop longer than a shutdown": (
        "timing-shutdown",
        change(
            (
                "  d1: {agent: 'ocf:heartbeat:Dummy'}",
                "  d1: {agent: 'ocf:heartbeat:Dummy', operations: {stop: {timeout: «30min}}}",
            )
        ),
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


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_where_it_is(name: str) -> None:
    code, marked = FAULTS[name]
    text, places = planted(marked)
    answer = judged(text)
    found = [(finding.code, (finding.place.line, finding.place.column)) for finding in answer.findings]
    assert found == [(code, place) for place in places], "\n".join(str(finding) for finding in answer.findings)
    assert answer.configuration is None
    assert {finding.severity for finding in answer.findings} == {Severity.ERROR}


@pytest.mark.parametrize("name", WARNINGS)
def test_what_is_doubtful_is_a_warning(name: str) -> None:
    code, marked = WARNINGS[name]
    text, places = planted(marked)
    answer = judged(text)
    found = [(finding.code, (finding.place.line, finding.place.column)) for finding in answer.findings]
    assert found == [(code, place) for place in places], "\n".join(str(finding) for finding in answer.findings)
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


AGENT = AgentMetadata(
    "IPaddr2",
    parameters={
        "ip": AgentParameter("ip", "string", required=True, unique=True),
        "cidr_netmask": AgentParameter("cidr_netmask", "integer"),
        "lvs_support": AgentParameter("lvs_support", "boolean"),
        "clusterip_hash": AgentParameter("clusterip_hash", "select", values=("sourceip", "sourceip-sourceport")),
        "old_nic": AgentParameter("old_nic", deprecated=True, replaced_by=("nic",)),
        "nic": AgentParameter("nic"),
    },
    actions=(AgentAction("start", "20s"), AgentAction("stop", "20s"), AgentAction("monitor", "20s", "10s")),
)
BASE = """\
cluster: {options: {fencing-enabled: true}}
nodes: {n1: {}}
fencing: {devices: {f: {agent: 'stonith:fence_x', params: {pcmk_host_list: n1}}}}
primitives:
  ip:
    agent: ocf:heartbeat:IPaddr2
    params: {ip: 10.0.0.1}
    operations: {monitor: {interval: 30s}}
"""


def lookup(agent: Agent) -> AgentMetadata | None:
    if agent.type == "fence_x":
        return AgentMetadata(
            "fence_x",
            parameters={
                "action": AgentParameter("action", required=True),
                "port": AgentParameter("port", required=True),
            },
        )
    return AGENT if agent.type == "IPaddr2" else None


def test_an_agent_finds_no_fault_in_a_clean_file() -> None:
    assert judged(BASE, agents=lookup).findings == ()


@pytest.mark.parametrize(
    ("code", "old", "new"),
    [
        ("unknown-parameter", "{ip: 10.0.0.1}", "{ip: 10.0.0.1, «netmask: 24}"),
        (
            "missing-parameter",
            "  ip:\n    agent: ocf:heartbeat:IPaddr2\n    params: {ip: 10.0.0.1}",
            "  «ip:\n    agent: ocf:heartbeat:IPaddr2\n    params: {nic: lo}",
        ),
        ("parameter-type", "{ip: 10.0.0.1}", "{ip: 10.0.0.1, cidr_netmask: «x}"),
        ("parameter-type", "{ip: 10.0.0.1}", "{ip: 10.0.0.1, lvs_support: «maybe}"),
        ("parameter-value", "{ip: 10.0.0.1}", "{ip: 10.0.0.1, clusterip_hash: «sourcip}"),
        ("deprecated-parameter", "{ip: 10.0.0.1}", "{ip: 10.0.0.1, «old_nic: lo}"),
        ("timeout-below-advice", "{interval: 30s}", "{interval: 30s, timeout: «5s}"),
        ("interval-below-advice", "{interval: 30s}", "{interval: «5s}"),
        ("unknown-operation", "{monitor: {interval: 30s}}", "{monitor: {interval: 30s}, «montor: {interval: 20s}}"),
        (
            "unique-clash",
            "primitives:\n",
            "primitives:\n  a: {agent: 'ocf:heartbeat:IPaddr2', params: {ip: 10.0.0.1}}\n",
        ),
        ("agent-not-installed", "primitives:\n", "primitives:\n  a: {agent: «'ocf:heartbeat:Other'}\n"),
    ],
)
def test_an_agent_finds_what_it_would_refuse(code: str, old: str, new: str) -> None:
    assert BASE.count(old) == 1
    text, places = planted(BASE.replace(old, new))
    found = judged(text, agents=lookup).findings
    assert [finding.code for finding in found] == [code]
    if places:
        assert (found[0].place.line, found[0].place.column) == places[0]


def test_without_agents_parameters_are_not_judged() -> None:
    assert judged(BASE.replace("{ip: 10.0.0.1}", "{nonsense: 1}")).findings == ()


def test_all_findings_of_a_run_come_together_sorted_by_place() -> None:
    text = change(
        ("no-quorum-policy: stop", "no-quorum-polcy: stop"), ("then: db,", "then: bd,"), ("index: 1,", "index: 10,")
    )
    found = judged(text).findings
    assert [finding.code for finding in found] == ["unknown-option", "unknown-resource", "fencing-level-index"]
    assert list(found) == sorted(found, key=lambda finding: finding.place)


@pytest.mark.parametrize("name", [name for name, (code, _) in FAULTS.items() if code.startswith("unknown")])
def test_an_unknown_name_comes_with_the_nearest_known_one(name: str) -> None:
    text, _ = planted(FAULTS[name][1])
    hints = [finding.hint for finding in judged(text).findings]
    assert re.search(r"did you mean '\S+'\?|known here: ", hints[0]), hints


def test_a_warning_can_be_ignored_with_a_reason() -> None:
    text = textwrap.dedent(
        """\
        cluster:
          options:
            # reconciler: ignore fencing-disabled because this is a laboratory
            fencing-enabled: false
        """
    )
    assert judged(text).findings == ()
    silent = text.replace(" because this is a laboratory", "")
    assert [finding.code for finding in judged(silent).findings] == ["ignore-without-reason", "fencing-disabled"]


def test_an_error_can_not_be_ignored() -> None:
    text = change(("no-quorum-policy: stop", "no-quorum-polcy: stop"))
    asked = text.replace("  options:", "  # reconciler: ignore unknown-option because I want to\n  options:")
    assert judged(asked).configuration is None


def test_an_error_of_our_own_strictness_can_be_accepted_with_a_reason() -> None:
    text = change(("no-quorum-policy: stop", "no-quorum-polcy: stop"))
    asked = text.replace("  options:", "  # reconciler: accept unknown-option because Pacemaker takes it\n  options:")
    found = judged(asked)
    assert found.configuration is not None
    assert [(one.code, one.severity) for one in found.findings] == [("unknown-option", Severity.WARNING)]
    assert judged(asked, strict=True).configuration is None
    silent = asked.replace(" because Pacemaker takes it", "")
    assert judged(silent).configuration is None
    assert "ignore-without-reason" in [one.code for one in judged(silent).findings]
    elsewhere = text.replace("nodes:", "# reconciler: accept unknown-option because Pacemaker takes it\nnodes:")
    assert judged(elsewhere).configuration is None


def test_other_errors_can_not_be_accepted() -> None:
    text = change(("first: disks", "first: disc"))
    asked = text.replace(
        "    promote-first:", "    # reconciler: accept unknown-resource because I want to\n    promote-first:"
    )
    assert asked != text
    assert judged(asked).configuration is None


def test_several_requests_stand_above_one_line() -> None:
    lines = [
        "cluster: {options: {fencing-enabled: false}}",
        "primitives:",
        "  # reconciler: accept unknown-meta because one",
        "  # reconciler: accept score-text because two",
        "  a: {agent: 'ocf:heartbeat:Dummy', meta: {color: red, resource-stickiness: '2.0'}}",
    ]
    found = judged("\n".join(lines))
    assert found.configuration is not None
    assert {one.code for one in found.findings} >= {"unknown-meta", "score-text"}


def test_a_request_beside_something_does_not_speak_of_the_next_line() -> None:
    text = "cluster:\n  name: x # reconciler: ignore fencing-disabled because of nothing\n  options: {fencing-enabled: false}\n"
    assert [one.code for one in judged(text).findings] == ["fencing-disabled"]


def test_a_name_defined_in_two_files_shows_both_places() -> None:
    one, other = b"tags: {t: []}\n", b"cluster: {name: x}\ntags: {t: []}\n"
    [finding] = [
        finding for finding in load({"a.yaml": one, "b.yaml": other}).findings if finding.code == "defined-twice"
    ]
    assert str(finding.place) == "b.yaml:2:8"
    assert "a.yaml:1:8" in finding.text


def test_a_file_that_can_not_be_read_makes_no_false_alarms_in_others() -> None:
    lines = CLEAN.split("\nconstraints:")
    found = load({"a.yaml": f"{lines[0]}\n  d9: [".encode(), "b.yaml": f"constraints:{lines[1]}".encode()}).findings
    assert {finding.code for finding in found} == {"yaml-syntax"}
