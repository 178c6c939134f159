"""Constraints that no placement and no order can meet are found at their place."""

from __future__ import annotations

import pytest
from planted import add, assert_refused, change

FAULTS = {
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
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_where_it_is(name: str) -> None:
    assert_refused(*FAULTS[name])
