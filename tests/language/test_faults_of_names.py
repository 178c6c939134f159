"""A name that means nothing, or that two things bear, is found at its place."""

from __future__ import annotations

import re

import pytest
from planted import CLEAN, add, assert_refused, change, judged, planted

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
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_where_it_is(name: str) -> None:
    assert_refused(*FAULTS[name])


@pytest.mark.parametrize("name", [name for name, (code, _) in FAULTS.items() if code.startswith("unknown")])
def test_an_unknown_name_comes_with_the_nearest_known_one(name: str) -> None:
    text, _ = planted(FAULTS[name][1])
    hints = [finding.hint for finding in judged(text).findings]
    assert re.search(r"did you mean '\S+'\?|known here: ", hints[0]), hints
