"""What status says of fence devices that nobody knows to work, from which node, and since when."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.cib import Cib
from reconciler.controller.fencing.record import HistoryLine
from reconciler.daemon.untested_devices import LONG_S, untested
from reconciler.frozen import replace
from reconciler.model.status import HistoryEntry, NodeState, ResourceHistory, Status

NOW = 1_800_000_000
LONG_AGO = NOW - LONG_S - 86_400
NEVER = "fence devices that were never tested: %s (reconciler fence test)"
OLD = "fence devices that last answered more than 30 days ago: %s (reconciler fence test)"
DEVICES: dict[str, list[str]] = {"power": [], "switch": ["n1"]}


def answered(**successes: int | None) -> dict[str, Any]:
    found = {name: {"works": True, "at": NOW, "success_at": at, "why": ""} for name, at in successes.items()}
    return {"id": "q", "devices": found}


def fenced(by: str, device: str, at_s: int, *, succeeded: bool = True, what: str = "reboot") -> HistoryLine:
    return HistoryLine("n9", what, device, by, at_s * 1000, succeeded, "")


def monitored(node: str, device: str, rc: int = 0, interval: int = 60_000) -> Cib:
    attributes = {
        "operation": "monitor",
        "interval": str(interval),
        "rc-code": str(rc),
        "op-status": "0",
        "call-id": "3",
    }
    history = ResourceHistory(device, {"class": "stonith"}, (HistoryEntry(f"{device}_monitor_{interval}", attributes),))
    return replace(Cib(), status=Status((NodeState("1", node, history=(history,)),)))


def said(told: dict[str, Any], *history: HistoryLine, cib: Cib | None = None) -> list[str]:
    return untested(cib or Cib(), DEVICES, ("n1", "n2"), told, history, NOW)


def test_what_was_never_tested_is_named_with_the_nodes_that_may_use_it() -> None:
    assert said({}) == [NEVER % "power from n1, n2; switch from n2"]
    assert said({"n1": answered(power=NOW), "n2": answered(switch=NOW)}) == [NEVER % "power from n2"]


def test_what_was_tested_lately_is_not_spoken_of() -> None:
    assert said({"n1": answered(power=NOW - LONG_S), "n2": answered(power=NOW, switch=NOW)}) == []


def test_a_success_that_is_long_ago_is_told_with_its_date() -> None:
    told = {"n1": answered(power=LONG_AGO), "n2": answered(power=NOW, switch=LONG_AGO)}
    assert said(told) == [OLD % "power from n1 (2026-12-15); switch from n2 (2026-12-15)"]


def test_whoever_has_fenced_by_it_has_tested_it() -> None:
    told = {"n2": answered(power=NOW, switch=NOW)}
    assert said(told, fenced("n1", "power", NOW)) == []
    assert said(told, fenced("n1", "power", LONG_AGO)) == [OLD % "power from n1 (2026-12-15)"]
    assert said(told, fenced("n1", "power", NOW, succeeded=False)) == [NEVER % "power from n1"]
    assert said(told, fenced("ann", "", NOW, what="ask")) == [NEVER % "power from n1"]


@pytest.mark.parametrize(
    ("cib", "silent"),
    [
        (monitored("n1", "power"), True),
        (monitored("n1", "power", rc=1), False),
        (monitored("n1", "power", interval=0), False),
        (monitored("n3", "power"), False),
        (monitored("n1", "other"), False),
    ],
    ids=["monitored", "its monitor fails", "only probed", "another node", "another device"],
)
def test_a_device_that_is_monitored_there_needs_no_test(cib: Cib, silent: bool) -> None:
    found = said({"n2": answered(power=NOW, switch=NOW)}, cib=cib)
    assert found == ([] if silent else [NEVER % "power from n1"])


def test_what_failed_the_last_time_is_told_otherwise() -> None:
    failed = {"id": "q", "devices": {"power": {"works": False, "at": NOW, "success_at": None, "why": "no route"}}}
    assert said({"n1": failed, "n2": answered(power=NOW, switch=NOW)}) == []


def test_a_site_of_many_devices_takes_no_more_than_a_line() -> None:
    many = {f"d{number:03}": [] for number in range(100)}
    [line] = untested(Cib(), many, ("n1",), {}, (), NOW)
    assert line.startswith("fence devices that were never tested: d000 from n1; d001 from n1;")
    assert "d007 from n1; and 92 more (" in line
