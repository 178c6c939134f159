"""Fencing that can't work is found at its place."""

from __future__ import annotations

import pytest
from planted import assert_refused, change, judged

from reconciler.errors import Severity

DEVICES = """\
fencing:
  devices:
    f1: {agent: 'stonith:fence_ipmilan', params: {pcmk_host_list: n1 n2}}
  levels:
    - {target: n1, index: 1, devices: [f1]}
"""


def without_devices(option: str) -> str:
    """A configuration with one more option, and nothing that could fence."""
    return change(("fencing-timeout: 90s", f"fencing-timeout: 90s, {option}"), (DEVICES, ""))


def of_three(option: str, devices: str = "") -> str:
    """The same with a third node, and with these devices."""
    return change(
        ("fencing-timeout: 90s", f"fencing-timeout: 90s, {option}"),
        (DEVICES, devices),
        ("  n2: {}", "  n2: {}\n  n3: {}"),
    )


FAULTS = {
    # Fencing (VA-11, VA-12)
    "no device": (
        "fencing-without-device",
        change(
            ("  options: {no", "  «options: {no"),
            (DEVICES, ""),
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
    "watchdogs that are to fence": ("fencing-by-watchdog", without_devices("fencing-watchdog-timeout: «10s")),
    "watchdogs that nodes are said to have": ("fencing-by-watchdog", without_devices("have-watchdog: «true")),
    "watchdogs that a rule counts on": (
        "fencing-by-watchdog",
        without_devices("x").replace(
            "options: {no-quorum-policy: stop, fencing-timeout: 90s, x}",
            "options: [{rule: date gt 2026-01-01, values: {have-watchdog: «true}}]",
        ),
    ),
    "a watchdog in a level": (
        "fencing-by-watchdog",
        change(("devices: [f1]}\n", "devices: [f1]}\n    - {target: n2, index: 1, devices: [«watchdog]}\n")),
    ),
    "watchdogs in a cluster of two": (
        "fencing-by-watchdog",
        without_devices("have-watchdog: «true, fencing-watchdog-timeout: -1"),
    ),
    "watchdogs where who is cut off goes on": (
        "fencing-by-watchdog",
        of_three("have-watchdog: «true, fencing-watchdog-timeout: -1").replace("policy: stop", "policy: freeze"),
    ),
    "watchdogs alone, of which nobody says that nodes have them": (
        "fencing-by-watchdog",
        of_three("fencing-watchdog-timeout: «-1"),
    ),
    "watchdogs that nobody waits for": ("fencing-by-watchdog", of_three("have-watchdog: «true")),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_where_it_is(name: str) -> None:
    assert_refused(*FAULTS[name])


def codes(text: str) -> dict[str, Severity]:
    return {finding.code: finding.severity for finding in judged(text).findings}


def test_watchdogs_do_not_make_up_for_a_node_that_no_device_fences() -> None:
    text = change(("fencing-timeout: 90s", "fencing-timeout: 90s, have-watchdog: true"), ("n1 n2}}", "n1}}"))
    assert codes(text) == {"fencing-by-watchdog": Severity.ERROR, "node-without-fencing": Severity.ERROR}


def test_watchdogs_beside_devices_for_all_nodes_only_mean_nothing() -> None:
    text = change(("fencing-timeout: 90s", "fencing-timeout: 90s, have-watchdog: true"))
    assert codes(text) == {"fencing-by-watchdog": Severity.WARNING}


@pytest.mark.parametrize("option", ["have-watchdog: false", "fencing-watchdog-timeout: 0s"])
def test_who_does_not_count_on_watchdogs_hears_nothing_of_them(option: str) -> None:
    assert codes(change(("fencing-timeout: 90s", f"fencing-timeout: 90s, {option}"))) == {}


def test_a_time_that_is_none_is_no_missing_time_as_well() -> None:
    text = of_three("have-watchdog: true, fencing-watchdog-timeout: -5")
    assert codes(text) == {"setting-value": Severity.ERROR}


def test_without_fencing_nothing_counts_on_watchdogs() -> None:
    text = without_devices("have-watchdog: true").replace("no-quorum-policy: stop", "fencing-enabled: false")
    assert codes(text) == {"fencing-disabled": Severity.WARNING}


@pytest.mark.parametrize(
    ("level", "found"),
    [
        ("{target: n3, index: 1, devices: [f1]}", {"node-without-fencing": Severity.ERROR}),
        ("{target-pattern: 'n.*', index: 1, devices: [f1]}", {"node-without-fencing": Severity.ERROR}),
        (
            "{target-attribute: site, target-value: b, index: 1, devices: [f1]}",
            {"node-without-fencing": Severity.ERROR},
        ),
        ("{target-attribute: site, target-value: a, index: 1, devices: [f1]}", {}),
        ("{target-pattern: 'n[12]', index: 1, devices: [f1]}", {}),
    ],
)
def test_a_level_that_names_no_watchdog_leaves_a_node_without(level: str, found: dict[str, Severity]) -> None:
    """By its name, by a pattern and by an attribute alike."""
    devices = DEVICES.replace("{target: n1, index: 1, devices: [f1]}", level)
    text = of_three("have-watchdog: true, fencing-watchdog-timeout: -1", devices)
    assert codes(text.replace("  n3: {}", "  n3: {attributes: {site: b}}")) == found


def test_a_watchdog_may_take_longer_than_an_agent() -> None:
    """The wait for it has its own time: that of an agent's call says nothing of it."""
    text = change(("fencing-timeout: 90s", "fencing-timeout: 90s, fencing-watchdog-timeout: 2min"))
    assert codes(text) == {"fencing-by-watchdog": Severity.WARNING}


def test_who_counts_on_watchdogs_may_say_why() -> None:
    text = without_devices("have-watchdog: true").replace(
        "  options:", "  # reconciler: accept fencing-by-watchdog because another program feeds them\n  options:"
    )
    assert codes(text) == {"fencing-by-watchdog": Severity.WARNING}


COUNTED = [
    of_three("have-watchdog: true, fencing-watchdog-timeout: -1"),
    of_three("have-watchdog: true, fencing-watchdog-timeout: 80s"),
    of_three("fencing-watchdog-timeout: -1", DEVICES),
    of_three("fencing-watchdog-timeout: -1", f"{DEVICES}    - {{target: n2, index: 1, devices: [watchdog]}}\n"),
    of_three(
        "fencing-watchdog-timeout: -1",
        f"{DEVICES.replace('n1 n2', 'n1 n2 n3')}    - {{target: n1, index: 2, devices: [watchdog]}}\n",
    ),
]


@pytest.mark.parametrize("text", COUNTED)
def test_who_is_fenced_by_watchdogs_that_may_count_hears_nothing(text: str) -> None:
    assert codes(text) == {}


def test_a_node_whose_levels_name_no_watchdog_is_not_left_to_it() -> None:
    text = of_three("fencing-watchdog-timeout: -1", f"{DEVICES}    - {{target: n3, index: 1, devices: [f1]}}\n")
    assert codes(text) == {"node-without-fencing": Severity.ERROR}


def test_a_watchdog_in_a_level_is_nothing_without_a_time() -> None:
    text = of_three("have-watchdog: false", f"{DEVICES}    - {{target: n3, index: 1, devices: [watchdog]}}\n")
    assert codes(text) == {"fencing-by-watchdog": Severity.ERROR, "node-without-fencing": Severity.ERROR}
