"""What an entry of a history says: read once, in one place, and the same to everybody."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reconciler
from reconciler.model.recorded import is_found_stopped, read_result
from reconciler.model.status import HistoryEntry

KEY = "5:17:7:11111111-1111-1111-1111-111111111111"
WHOLE = {
    "operation": "monitor",
    "operation_key": "A_monitor_10000",
    "interval": "10000",
    "call-id": "42",
    "rc-code": "9",
    "op-status": "4",
    "transition-key": KEY,
    "transition-magic": f"4:9;{KEY}",
    "last-rc-change": "1700000000",
    "exec-time": "12",
    "queue-time": "0",
    "on_node": "n1",
    "exit-reason": "it broke",
    "op-digest": "d1",
    "op-restart-digest": "d2",
    "op-force-restart": " a  b ",
    "op-secure-digest": "d3",
    "op-secure-params": " password ",
    "crm_feature_set": "3.16.1",
}

READERS = ("scheduler", "crm")
"""The packages that judge results, and so must not read the texts again."""

OWN_KEYS = frozenset(WHOLE) - {"operation", "interval", "call-id", "crm_feature_set"} | {
    "migrate_source",
    "migrate_target",
}
"""Keys that mean nothing else anywhere: what is left out are also names of an action's values."""

WRITTEN = {
    "crm/graph_xml.py": {"operation_key", "on_node"},
    "scheduler/digest.py": {"op-digest", "on_node"},
}
"""Files that use the same words for what they write, or for names of parameters."""


def test_everything_that_was_recorded_has_its_type():
    result = read_result(WHOLE)
    assert (result.task, result.interval_ms, result.call_id, result.rc, result.status) == ("monitor", 10_000, 42, 9, 4)
    assert (result.target_rc, result.changed_s) == (7, 1_700_000_000)
    assert (result.execution_ms, result.queue_ms) == (12, 0)
    assert result.transition == (17, "11111111-1111-1111-1111-111111111111")
    assert (result.operation_key, result.on_node, result.exit_reason) == ("A_monitor_10000", "n1", "it broke")
    assert (result.digest, result.restart_digest, result.secure_digest) == ("d1", "d2", "d3")
    assert (result.restart_names, result.secure_names, result.feature_set) == (" a  b ", " password ", "3.16.1")
    assert (result.is_probe, result.succeeded) == (False, False)


def test_what_was_not_recorded_is_nothing():
    result = read_result({})
    assert result.task is result.call_id is result.status is result.changed_s is result.transition is None
    assert result.operation_key is result.on_node is result.digest is result.execution_ms is None
    assert (result.interval_ms, result.rc, result.target_rc, result.secure_names) == (0, 0, -1, "")


@pytest.mark.parametrize(
    "text", ["", "x", "--1", "٣", "9" * 30], ids=["empty", "word", "signs", "foreign digit", "too long"]
)
def test_a_damaged_number_counts_as_none_that_was_meant(text: str):
    keys = ("interval", "call-id", "rc-code", "op-status", "last-rc-change", "exec-time")
    result = read_result(
        dict.fromkeys(keys, text) | {"transition-key": f"1:1:{text}:u", "transition-magic": f"0:0;1:{text}:0:u"}
    )
    assert (result.interval_ms, result.rc, result.status, result.execution_ms) == (0, 0, 0, 0)
    assert (result.call_id, result.changed_s, result.target_rc, result.transition) == (-1, -1, -1, (-1, "u"))


@pytest.mark.parametrize("key", ["", "1", "1:2:3", "0:0"])
def test_a_damaged_key_tells_no_target(key: str):
    result = read_result({"transition-key": key, "transition-magic": f"0:0;{key}"})
    assert (result.target_rc, result.transition) == (-1, None)


@given(st.dictionaries(st.sampled_from(sorted(WHOLE)), st.text(max_size=40)))
def test_no_text_is_an_error(texts: dict[str, str]):
    result = read_result(texts)
    assert all(
        -(1 << 63) <= (number or 0) < 1 << 63
        for number in (result.interval_ms, result.call_id, result.rc, result.status)
    )
    assert not is_found_stopped(texts) or (result.is_probe and result.rc == 7 and result.status == 0)


def test_an_entry_is_read_once_and_stays_the_value_that_it_was():
    entry, same = HistoryEntry("A_last_0", WHOLE), HistoryEntry("A_last_0", WHOLE)
    assert entry.result is entry.result
    assert entry == same
    assert repr(entry) == repr(same)
    assert pickle.loads(pickle.dumps(entry)) == same


def test_nobody_who_judges_results_reads_their_texts():
    root = Path(reconciler.__file__).parent
    found: dict[str, set[str]] = {}
    for package in READERS:
        for path in sorted((root / package).rglob("*.py")):
            texts = {one.value for one in ast.walk(ast.parse(path.read_text())) if isinstance(one, ast.Constant)}
            if keys := {text for text in texts if isinstance(text, str)} & OWN_KEYS:
                found[path.relative_to(root).as_posix()] = keys
    assert found == WRITTEN
