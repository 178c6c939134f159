"""`reconciler fence test`: who is asked, the table, and what counts as a failure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.cli.node import fence_devices
from reconciler.cli.node.fence_devices import FenceTest, UnknownName
from reconciler.cli.node.fence_devices import test_devices as run_tests

AT = 1_800_000_000


def answer(works: bool = True, success_at: int | None = AT, why: str = "") -> dict[str, Any]:
    return {"works": works, "at": AT, "success_at": success_at, "why": why}


class Daemon:
    """Has three members; n3 answers only at the second look."""

    def __init__(self, **told: dict[str, Any]) -> None:
        self.told = told
        self.asked: list[dict[str, Any]] = []
        self.looks = 0

    def get(self, path: str) -> dict[str, Any]:
        assert path == "/v1/fencing/tests"
        self.looks += 1
        nodes = {
            node: {"id": "q" if self.asked and (node != "n3" or self.looks > 2) else "before", "devices": devices}
            for node, devices in self.told.items()
        }
        members = ["n1", "n2", "n3"]
        return {"nodes": nodes, "devices": {"power": [], "board-n1": ["n1"]}, "members": members, "away": ["n4"]}

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        assert path == "/v1/fencing/tests"
        self.asked.append(body)
        return {"id": "q", "nodes": [], "within_s": 3.0}


GOOD = {"power": answer(), "board-n1": answer()}


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    now = [0.0]
    monkeypatch.setattr(fence_devices.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(fence_devices.time, "sleep", lambda s: now.__setitem__(0, now[0] + s))

    def call(daemon: Daemon, *names: str, **changes: Any) -> tuple[int, list[str]]:
        monkeypatch.setattr(fence_devices, "Client", lambda path: daemon)
        given = {"names": names, "last": False, "timeout": None, "json": False, "socket": None} | changes
        code = run_tests(FenceTest(**given))
        return code, capsys.readouterr().out.splitlines()

    return call


def test_every_node_asks_every_device_that_it_may_use(ask) -> None:
    daemon = Daemon(n1=GOOD, n2=GOOD, n3=GOOD)
    code, lines = ask(daemon)
    assert code == 0
    assert daemon.asked == [{"nodes": [], "devices": ["board-n1", "power"]}]
    assert lines == [
        "DEVICE    NODE  RESULT  TESTED                LAST SUCCESS          WHY",
        "board-n1  n2    ok      2027-01-15 08:00:00Z  2027-01-15 08:00:00Z",
        "board-n1  n3    ok      2027-01-15 08:00:00Z  2027-01-15 08:00:00Z",
        "power     n1    ok      2027-01-15 08:00:00Z  2027-01-15 08:00:00Z",
        "power     n2    ok      2027-01-15 08:00:00Z  2027-01-15 08:00:00Z",
        "power     n3    ok      2027-01-15 08:00:00Z  2027-01-15 08:00:00Z",
        "Not asked, as they take no part: n4",
    ]


def test_one_that_fails_anywhere_is_a_failure_with_the_agents_words(ask) -> None:
    failed = {"power": answer(False, None, "login\n refused"), "board-n1": answer()}
    code, lines = ask(Daemon(n1=GOOD, n2=failed, n3=GOOD), "power")
    assert code == 1
    assert [line.split() for line in lines[1:]][1] == [
        "power", "n2", "failed", "2027-01-15", "08:00:00Z", "never", "login", "refused",
    ]  # fmt: skip
    assert len(lines) == 4


def test_nodes_and_devices_are_told_apart_by_their_names(ask) -> None:
    daemon = Daemon(n1=GOOD, n2=GOOD, n3=GOOD)
    code, lines = ask(daemon, "n2", "power")
    assert (code, daemon.asked, len(lines)) == (0, [{"nodes": ["n2"], "devices": ["power"]}], 2)
    with pytest.raises(UnknownName, match="'n4' is neither a node that takes part nor a fence device"):
        ask(daemon, "n4")


def test_who_does_not_answer_in_time_is_told(ask) -> None:
    code, lines = ask(Daemon(n1=GOOD, n2=GOOD), "power", json=True)
    rows = {row["node"]: row["result"] for row in json.loads("\n".join(lines))["tests"]}
    assert (code, rows) == (1, {"n1": "ok", "n2": "ok", "n3": "no answer"})


def test_what_was_found_the_last_time_is_shown_without_asking(ask) -> None:
    daemon = Daemon(n1=GOOD, n2=GOOD)
    code, lines = ask(daemon, last=True)
    assert (code, daemon.asked) == (1, [])
    assert lines[-2].split() == ["power", "n3", "untested", "never", "never"]
