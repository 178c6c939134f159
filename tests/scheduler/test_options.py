"""Cluster options: how their texts are read, and what follows from several of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from histories import cib, primitive, read

from reconciler.model.attributes import AttributeBlock, plain
from reconciler.model.score import INFINITY
from reconciler.scheduler.working.options import ClusterOptions


def options_of(values: dict[str, str], *, quorum: bool = True, panic: bool = False) -> ClusterOptions:
    made = replace(cib(options=values, quorum=quorum), no_quorum_panic=panic)
    return read(made).options


READ = [
    pytest.param({"stonith-enabled": "off"}, "stonith_enabled", False, id="the words for false"),
    pytest.param({"stonith-enabled": "enabled"}, "stonith_enabled", True, id="what can't be read is the default"),
    pytest.param({"symmetric-cluster": "FALSE"}, "symmetric_cluster", False, id="in any case"),
    pytest.param({"stonith-action": "poweroff"}, "stonith_action", "off", id="an old word"),
    pytest.param({"stonith-action": "OFF"}, "stonith_action", "reboot", id="here the case counts"),
    pytest.param({"priority-fencing-delay": "2min"}, "priority_fencing_delay_s", 120, id="a time in whole seconds"),
    pytest.param({"shutdown-lock-limit": "5min"}, "shutdown_lock_limit_s", 0, id="a limit of what isn't in use"),
    pytest.param(
        {"shutdown-lock-limit": "5min", "shutdown-lock": "true"}, "shutdown_lock_limit_s", 300, id="a limit of what is"
    ),
    pytest.param({"cluster-delay": "soon"}, "cluster_delay", "60s", id="a time that can't be read"),
    pytest.param({"no-quorum-policy": "Freeze"}, "no_quorum_policy", "freeze", id="a policy"),
    pytest.param({"no-quorum-policy": "hope"}, "no_quorum_policy", "stop", id="a policy that there isn't"),
    pytest.param({"placement-strategy": "balanced"}, "placement_strategy", "balanced", id="a strategy"),
    pytest.param({"startup-fencing": "true"}, "startup_fencing", False, id="no fencing, no fencing at start-up"),
    pytest.param(
        {"node-health-strategy": "migrate-on-red"},
        "health_colours",
        (-INFINITY, 0, 0),
        id="red is bad for migrate-on-red",
    ),
    pytest.param(
        {"node-health-strategy": "custom", "node-health-red": "-5", "node-health-yellow": "3"},
        "health_colours",
        (-5, 3, 0),
        id="colours of one's own",
    ),
    pytest.param({"node-health-red": "-5"}, "health_colours", (0, 0, 0), id="colours mean nothing without a strategy"),
    pytest.param(
        {"node-health-strategy": "custom", "node-health-base": "7"}, "health_base", 0, id="only progressive has a base"
    ),
]


@pytest.mark.parametrize(("values", "field", "expected"), READ)
def test_reading(values: dict[str, str], field: str, expected: object) -> None:
    assert getattr(options_of({"stonith-enabled": "false", **values}), field) == expected


SUICIDE = [
    pytest.param("true", True, False, "suicide", id="with quorum it is in force"),
    pytest.param("true", False, True, "suicide", id="and once quorum was lost"),
    pytest.param("true", False, False, "stop", id="but not where there never was any"),
    pytest.param("false", True, False, "stop", id="nor without fencing"),
]


@pytest.mark.parametrize(("fencing", "quorum", "panic", "expected"), SUICIDE)
def test_suicide(fencing: str, quorum: bool, panic: bool, expected: str) -> None:
    values = {"stonith-enabled": fencing, "no-quorum-policy": "suicide"}
    assert options_of(values, quorum=quorum, panic=panic).no_quorum_policy == expected


def test_the_set_that_tools_write_comes_before_all_others() -> None:
    sets = (
        AttributeBlock({"cluster-name": "tools"}, id="CIB-bootstrap-options"),
        AttributeBlock({"cluster-name": "other"}, score="INFINITY", id="other"),
    )
    made = cib()
    assert read(replace(made, configuration=replace(made.configuration, options=sets))).options.cluster_name == "tools"


def test_unfencing_is_in_use_when_anything_asks_for_it() -> None:
    assert not read(cib(primitive("A", {"requires": "fencing"}))).unfencing
    assert read(cib(primitive("A", {"requires": "unfencing"}))).unfencing
    made = cib(primitive())
    defaults = replace(made.configuration.defaults, resources=plain({"requires": "unfencing"}))
    assert read(replace(made, configuration=replace(made.configuration, defaults=defaults))).unfencing


def test_a_watchdog_counts_as_a_fence_device() -> None:
    assert not read(cib()).has_fence_device
    assert read(cib(options={"have-watchdog": "true"})).has_fence_device
