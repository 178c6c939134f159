"""What a daemon leaves of its agents' calls in a file reads again, and what is damaged there keeps no daemon from starting."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.agents.calls import Call, CallTable, read_table

CALL = Call("RECONCILER_CALL=feed-1", "dätenbank", "start", 12.5, "/sys/fs/cgroup/reconciler/db")
TEXT_AT = 16


def test_a_call_reads_as_it_was_noted_down(tmp_path: Path) -> None:
    table = CallTable(str(tmp_path), "0" * 32, 3)
    bare = Call("RECONCILER_CALL=feed-2", "b", "stop", 7)
    for call in (CALL, bare):
        table.begin(call)
    assert read_table(table.path) == [CALL, bare]


@pytest.mark.parametrize(
    ("call", "read"),
    [
        (replace(CALL, group="g" * 900), replace(CALL, group=None)),
        (replace(CALL, resource="r" * 900), replace(CALL, resource="", operation="")),
        (replace(CALL, resource="r" * 900, group="g" * 900), replace(CALL, resource="", operation="", group=None)),
    ],
    ids=["group", "names", "both"],
)
def test_what_does_not_fit_is_left_out_but_never_the_mark(tmp_path: Path, call: Call, read: Call) -> None:
    table = CallTable(str(tmp_path), "0" * 32, 1)
    table.begin(call)
    assert read_table(table.path) == [read]


@pytest.mark.parametrize(
    "change",
    [
        lambda told: [],
        lambda told: "text",
        lambda told: {**told, "ends_by_s": "soon"},
        lambda told: {**told, "unknown": 1},
        lambda told: {name: value for name, value in told.items() if name != "boot"},
        lambda told: {name: value for name, value in told.items() if name != "mark"},
    ],
    ids=["list", "text", "type", "unknown", "no boot", "no mark"],
)
def test_a_damaged_slot_is_no_call_and_the_others_still_are(tmp_path: Path, change) -> None:
    table = CallTable(str(tmp_path), "0" * 32, 2)
    for _ in range(2):
        table.begin(CALL)
    damaged = bytearray(Path(table.path).read_bytes())
    told = json.loads(damaged[TEXT_AT:].split(b"\0", 1)[0])
    text = json.dumps(change(told)).encode() + b"\0"
    damaged[TEXT_AT : TEXT_AT + len(text)] = text
    Path(table.path).write_bytes(damaged)
    assert read_table(table.path) == [CALL]
