"""Fencing that can't work is found at its place."""

# ruff: noqa: E501  # A fault reads best on one line.

from __future__ import annotations

import pytest
from planted import assert_refused, change

FAULTS = {
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
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_where_it_is(name: str) -> None:
    assert_refused(*FAULTS[name])
